"""Courses on record, and the names by which courses and students are recorded."""

from __future__ import annotations

import difflib
import shlex

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.errors import ConsentError, RegistryError
from consent.given import quoted
from consent.policy import ZONE_PREFIX, course_key
from consent.tables import CourseRow

LONGEST_NAME = 200
"""Characters of a course, a student or a zone."""


def checked_name(kind: str, text: str) -> str:
    """``text`` without surrounding space, refused when blank, not printable, too long, or a student named like a zone.

    Raises:
        ConsentError: it is.
    """
    text = text.strip()
    if not text:
        raise ConsentError(f"the {kind} is blank; give a name")
    if not text.isprintable():
        raise ConsentError(f"the {kind} {quoted(text)} holds characters that cannot be printed; give a plain name")
    if len(text) > LONGEST_NAME:
        raise ConsentError(f"the {kind} {quoted(text)} has {len(text)} characters; give one of at most {LONGEST_NAME}")
    if kind == "student" and text.startswith(ZONE_PREFIX):
        raise ConsentError(
            f"the student {text!r} is named like a zone; give another pseudonym,"
            " or record a zone in which nobody takes part with: engage consent zone COURSE ZONE"
        )
    return text


def find_course(session: Session, course: str) -> CourseRow | None:
    """The course, whatever the capitals and spaces of its name."""
    return session.scalar(select(CourseRow).filter_by(key=course_key(course)))


def known_course(session: Session, course: str) -> CourseRow:
    """The course, which must be on record.

    Raises:
        ConsentError: a blank name.
        RegistryError: it is not on record.
    """
    course = checked_name("course", course)
    row = find_course(session, course)
    if row is None:
        names = {course_key(name): name for name in session.scalars(select(CourseRow.name))}
        near = difflib.get_close_matches(course_key(course), names, n=1)
        hint = f"did you mean {names[near[0]]!r}? Otherwise" if near else "to add it,"
        raise RegistryError(
            f"course {course!r} is not on record; {hint} record its approval first with:"
            f" engage consent approve {shlex.quote(course)} --by NAME"
        )
    return row
