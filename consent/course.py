"""The course file: what the forms say about one course, validated, in YAML. ``templates/course.yaml`` explains it."""

from __future__ import annotations

import errno
import unicodedata
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from consent.errors import ConsentError
from consent.given import NotPlain, as_shown, field_of, parse_yaml, quoted, read_text
from consent.retention import MOST_DAYS

EXAMPLE: Final = Path(__file__).parent / "templates" / "course.yaml"
MOST_BYTES: Final = 100_000
"""A larger file is no course file; it is refused unread."""


def _line(text: str) -> str:
    """On one line, composed; refused where empty or with marks that do not print or turn the text's direction."""
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    if not line:
        raise ValueError("is empty; write some words")
    for char in line:
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") and char not in "\u200c\u200d":
            raise ValueError(f"holds the character U+{ord(char):04X}, which does not print; write it anew")
    return line


def _each_language(value: Any) -> Any:
    """A sentence given once stands for all languages (key ``""``)."""
    return {"": value} if isinstance(value, str) else value


def _no_number(value: Any) -> Any:
    """Numbers would be read as seconds since 1970."""
    if isinstance(value, (int, float)):
        raise ValueError(f"{quoted(value)} is not a day; write it as year-month-day, such as 2026-09-01")
    return value


Line = Annotated[str, AfterValidator(_line)]
Sentence = Annotated[dict[str, Line], BeforeValidator(_each_language), Field(min_length=1)]
"""Language -> words; the language ``""`` is any."""

Day = Annotated[date, BeforeValidator(_no_number)]
Days = Annotated[int, Field(ge=0, le=MOST_DAYS, strict=True)]


def _room(characters: int, **more: Any) -> Any:
    return Field(json_schema_extra={"room": characters}, **more)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Responsible(_Part):
    """The person who answers for the processing."""

    name: Line = _room(50)
    role: Sentence = _room(50)
    contact: Line = _room(70)


class Purposes(_Part):
    """What each use is for; ``None`` is not done and not asked for."""

    recording: Sentence = _room(100)
    analysis: Sentence = _room(100)
    showing: Sentence | None = _room(100, default=None)
    research: Sentence | None = _room(100, default=None)


class StorageDays(_Part):
    """Days each kind of data is kept after the lecture, the signed forms after the last day; 0 is deleted at once."""

    recording: Days
    annotated_video: Days
    tables: Days
    forms: Days


class CourseFile(_Part):
    """One course, as its forms describe it."""

    course: Line = _room(60)
    institution: Line = _room(80)
    responsible: Responsible
    data_protection: Line | None = _room(70, default=None)
    authority: Sentence | None = _room(80, default=None)
    first_day: Day
    last_day: Day
    purposes: Purposes
    storage_days: StorageDays
    sharing: Sentence = _room(160)
    without_recording: Sentence = _room(140)
    withdraw: Sentence = _room(120)
    profile: Literal["full", "observable"]
    language: str = "en"

    @model_validator(mode="after")
    def _days_in_order(self) -> CourseFile:
        if self.last_day < self.first_day:
            raise ValueError(f"last_day: {self.last_day} is before first_day {self.first_day}; change one of them")
        return self


_RULES: Final = {
    "string_type": "must be words; put them in quotes",
    "dict_type": "must be words, or words for each language",
    "too_short": "must be words, or words for each language",
    "model_type": "must have its own fields, indented under it",
    "int_type": "must be a whole number of days",
}
"""What we say for kinds of failure whose own words are a programmer's."""


def free_texts(part: BaseModel, within: str = "") -> Iterator[tuple[str, str | dict[str, str], int]]:
    """(field by dotted name, words or words by language, characters that surely fit) of every text given."""
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            yield from free_texts(value, f"{within}{name}.")
        elif isinstance(extra := field.json_schema_extra, dict) and value is not None:
            yield f"{within}{name}", value, int(str(extra["room"]))


def in_language(field: str, words: str | dict[str, str], language: str) -> str:
    """The words of a field in a language.

    Raises:
        ConsentError: the field is given in other languages only.
    """
    if isinstance(words, str):
        return words
    if (found := words.get(language, words.get(""))) is None:
        raise ConsentError(
            f"course file: {field} is given in {', '.join(sorted(words))} only; add {language}, or choose another"
            " --language"
        )
    return found


def read_course(path: Path) -> CourseFile:
    """Read and check a course file.

    Raises:
        ConsentError: it cannot be read, or a field is missing, unknown or not usable.
    """
    name = as_shown(path)
    try:
        text = read_text(path, MOST_BYTES)
    except UnicodeDecodeError:
        raise _unreadable(name, "not a text file") from None
    except OSError as error:
        raise (_too_large(name) if error.errno == errno.EFBIG else _unreadable(name, error.strerror)) from None
    return _checked(text, name)


def parse_course(content: bytes, name: str) -> CourseFile:
    """Check the content of a course file; ``name`` is what errors call it.

    Raises:
        ConsentError: it is no text or too long, or a field is missing, unknown or not usable.
    """
    if len(content) > MOST_BYTES:
        raise _too_large(name)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise _unreadable(name, "not a text file") from None
    return _checked(text, name)


def _checked(text: str, name: str) -> CourseFile:
    try:
        fields = parse_yaml(text)
    except NotPlain as error:
        where = "" if error.line is None else f" near line {error.line}"
        raise ConsentError(f"{name}: is not valid YAML{where}; put texts with a colon or # in quotes") from None
    if not isinstance(fields, dict):
        raise ConsentError(f"{name}: holds no fields by name; write lines such as: course: CS 101")
    try:
        return CourseFile.model_validate(fields)
    except ValidationError as error:
        raise ConsentError(f"{name}: {_first(error)}") from None


def _too_large(name: str) -> ConsentError:
    return ConsentError(f"{name}: is too large for a course file; write one with: engage consent form --example NAME")


def _unreadable(name: str, reason: str | None) -> ConsentError:
    return ConsentError(
        f"{name}: the course file cannot be read ({reason}); write an example with: engage consent form --example"
        " COURSE.yaml"
    )


def _first(error: ValidationError) -> str:
    """The first thing wrong, with the field's name and what was given."""
    first = error.errors()[0]
    field = field_of(error)
    if first["type"] == "missing":
        return f"{field} is missing; add it as in: engage consent form --example COURSE.yaml"
    if first["type"] == "extra_forbidden":
        return f"{field} is not a field of a course file; correct its name or delete the line"
    if first["type"] == "value_error":
        return f"{field} {first['ctx']['error']}".strip()
    rule = _RULES.get(first["type"], first["msg"][:1].lower() + first["msg"][1:])
    return f"{field}: {rule} (given: {quoted(first['input'])}); see: engage consent form --example COURSE.yaml"
