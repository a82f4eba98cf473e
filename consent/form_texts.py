"""The words of the forms: one YAML file per language in ``texts/``, checked when read. No layout, no course."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

from consent.errors import ConsentError

FOLDER: Final = Path(__file__).parent / "texts"
_NAME: Final = re.compile(r"\{(\w+)\}")


class Kind(str, Enum):
    """Which form."""

    STUDENT = "student"
    GUARDIAN = "guardian"
    APPROVAL = "approval"
    NOTICE = "notice"
    DPIA = "dpia"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Section(_Part):
    """A heading with a paragraph, a list, lines to write on, or several of them."""

    heading: str
    text: str = ""
    points: tuple[str, ...] = ()
    blank: int = Field(0, ge=0, description="lines left to write on")


class Decision(_Part):
    """The tick boxes: one statement per purpose, each answered yes or no."""

    heading: str
    rule: str
    ticks: dict[str, str]


class Risks(_Part):
    """The table of the impact assessment; columns without words are left to fill in."""

    heading: str
    columns: tuple[str, str, str, str, str]
    rows: tuple[tuple[str, str], ...]


class FormText(_Part):
    """One form, with {names} still to be filled."""

    title: str
    intro: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    decision: Decision | None = None
    risks: Risks | None = None
    declaration: str = ""
    signature: tuple[str, ...] = ()


class Words(_Part):
    """Small words: answers, durations, dates."""

    yes: str
    no: str
    text: str
    days_one: str
    days_many: str
    days_zero: str
    forms_one: str
    forms_many: str
    forms_zero: str
    date: str
    months: tuple[str, ...] = Field(min_length=12, max_length=12)


class Texts(_Part):
    """Everything printed in one language, and the number of this wording."""

    version: int = Field(ge=1)
    name: str
    words: Words
    parts: dict[str, str]
    purposes: dict[str, str]
    forms: dict[Kind, FormText]


def languages() -> tuple[str, ...]:
    """The languages there are forms in, in the order of the alphabet."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


@functools.cache
def read_texts(language: str) -> Texts:
    """The words in a language.

    Raises:
        ConsentError: there are no forms in it.
    """
    if language not in languages():
        raise ConsentError(f"language {language!r}: no forms are written in it; choose from {', '.join(languages())}")
    content = yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    content.pop("storage", None)  # only an anchor for the lists that repeat
    return Texts.model_validate(content)


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with each {name} replaced once, so that braces in a value stay what they are; spaces tidied.

    Raises:
        KeyError: the text asks for a name that is not there (a mistake in ``texts/``, not of a user).
    """
    return " ".join(_NAME.sub(lambda found: values[found[1]], text).split())
