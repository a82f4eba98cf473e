"""What a form says: the words of ``texts/`` filled from a course file, their version, and how hard they are to read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from consent.course import CourseFile, free_texts, in_language
from consent.form_texts import Decision, FormText, Kind, Texts, Words, fill, read_texts
from consent.reading import reading_grade


@dataclass(frozen=True)
class FormVersion:
    """Which words a form carries: what a decision refers to.

    ``version`` counts the wording in ``texts/``; ``sha256`` is over all words as printed, those of the course file
    included, so it changes with each of them. Paper and size of type do not count.
    """

    kind: Kind
    language: str
    version: int
    sha256: str

    @property
    def label(self) -> str:
        """Short name, for example ``student-en-1``."""
        return f"{self.kind.value}-{self.language}-{self.version}"


def form_version(course: CourseFile, kind: Kind, language: str) -> FormVersion:
    """The version a person sees who is given this form of this course.

    Raises:
        ConsentError: no forms are written in the language, or a field of the course file is not given in it.
    """
    return version_of(form_content(course, kind, language), kind, language)


def form_content(course: CourseFile, kind: Kind, language: str) -> dict[str, Any]:
    """All words of a form, filled in, ready for JSON.

    Raises:
        ConsentError: as ``form_version``.
    """
    texts = read_texts(language)
    form = texts.forms[kind]
    values = _values(course, texts, language)
    return {
        "language": language,
        "title": fill(form.title, values),
        "intro": fill(form.intro, values),
        "facts": [[name, fill(value, values)] for name, value in form.facts],
        "sections": [
            {
                "heading": section.heading,
                "text": fill(section.text, values),
                "points": [fill(point, values) for point in section.points],
                "blank": section.blank,
            }
            for section in form.sections
        ],
        "decision": None if form.decision is None else _decision(form.decision, texts, values),
        "risks": _risks(form, values),
        "declaration": form.declaration,
        "signature": list(form.signature),
    }


def form_grade(course: CourseFile, kind: Kind, language: str) -> float | None:
    """The school year in which the running text of a form can be read; see ``consent.reading``.

    Raises:
        ConsentError: as ``form_version``.
    """
    content = form_content(course, kind, language)
    texts = [content["intro"], content["declaration"]]
    for section in content["sections"]:
        texts += [section["text"], *section["points"]]
    if content["decision"] is not None:
        texts += [content["decision"]["rule"], *(statement for _, statement, _ in content["decision"]["rows"])]
    return reading_grade(texts, language)


def version_of(content: Mapping[str, Any], kind: Kind, language: str) -> FormVersion:
    """The version of a form's words as ``form_content`` gives them."""
    number = read_texts(language).version
    whole = json.dumps([kind.value, language, number, content], ensure_ascii=False, sort_keys=True)
    return FormVersion(kind, language, number, hashlib.sha256(whole.encode()).hexdigest())


def _values(course: CourseFile, texts: Texts, language: str) -> dict[str, str]:
    """Every {name} a text may ask for."""
    given = {field: in_language(field, words, language) for field, words, _ in free_texts(course)}
    words, days = texts.words, course.storage_days
    values = {
        "course": given["course"],
        "institution": _open(given["institution"]),
        "responsible": given["responsible.name"],
        "role": _open(given["responsible.role"]),
        "contact": _open(given["responsible.contact"]),
        "data_protection": _open(given.get("data_protection", "")),
        "authority": _open(given.get("authority", "")),
        "first_day": _day(course.first_day, words),
        "last_day": _day(course.last_day, words),
        "sharing": _closed(given["sharing"]),
        "without_recording": _closed(given["without_recording"]),
        "withdraw": _open(given["withdraw"]),
        "profile": course.profile,
        "storage_recording": _duration(days.recording, words.days_zero, words.days_one, words.days_many),
        "storage_annotated_video": _duration(days.annotated_video, words.days_zero, words.days_one, words.days_many),
        "storage_tables": _duration(days.tables, words.days_zero, words.days_one, words.days_many),
        "storage_forms": _duration(days.forms, words.forms_zero, words.forms_one, words.forms_many),
    }
    asked = {name: given[f"purposes.{name}"] for name in texts.purposes if f"purposes.{name}" in given}
    values |= {f"purpose_{name}": _closed(why) for name, why in asked.items()}
    values["purposes"] = " ".join(f"{texts.purposes[name]}: {_closed(why)}" for name, why in asked.items())
    parts = {
        "profile_part": f"profile_{course.profile}",
        "law_part": f"law_{course.profile}",
        "risk_part": f"risk_{course.profile}",
        "data_protection_part": "data_protection_" + ("given" if course.data_protection else "missing"),
        "authority_part": "authority_" + ("given" if course.authority else "missing"),
    }
    return values | {name: fill(texts.parts[part], values) for name, part in parts.items()}


def _decision(decision: Decision, texts: Texts, values: Mapping[str, str]) -> dict[str, Any]:
    """The tick boxes of the purposes that the course asks for."""
    asked = [name for name in decision.ticks if f"purpose_{name}" in values]
    return {
        "heading": decision.heading,
        "rule": decision.rule,
        "yes": texts.words.yes,
        "no": texts.words.no,
        "rows": [[texts.purposes[name], decision.ticks[name], values[f"purpose_{name}"]] for name in asked],
    }


def _risks(form: FormText, values: Mapping[str, str]) -> dict[str, Any] | None:
    if form.risks is None:
        return None
    return {
        "heading": form.risks.heading,
        "columns": list(form.risks.columns),
        "rows": [[fill(cell, values) for cell in row] for row in form.risks.rows],
    }


def _closed(text: str) -> str:
    """With a full stop at its end, where it has none."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _open(text: str) -> str:
    """Without a full stop at its end, because the sentence around it goes on."""
    return text.removesuffix(".")


def _day(day: date, words: Words) -> str:
    return words.date.format(day=day.day, month=words.months[day.month - 1], year=day.year)


def _duration(days: int, none: str, one: str, many: str) -> str:
    return none if days == 0 else (one if days == 1 else many).format(n=days)
