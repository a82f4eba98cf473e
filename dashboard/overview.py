"""Lectures as rows of a table: what the page of all lectures shows of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from functools import lru_cache
from pathlib import Path, PurePath

from consent.policy import course_key
from consent.retention import Kind
from dashboard import library
from models.states import State
from pipeline.session import ENGAGEMENT, AuditResult, Session, SessionError
from reports.errors import ReportError
from reports.formula import session_shares
from reports.trend import lecture_day


@dataclass(frozen=True)
class Lecture:
    """One lecture in the table.

    Attributes:
        name: of the session's folder.
        session: the session.
        day: of the lecture.
        shares: of the seen time in each state; empty where nobody was seen or the table is deleted, ``None`` where it
            can not be read.
    """

    name: str
    session: Session
    day: date
    shares: Mapping[State, float] | None

    @property
    def title(self) -> str:
        """The recording's name without its ending."""
        return PurePath(self.session.manifest.source.name).stem or self.name

    @property
    def course(self) -> str | None:
        """The course's name."""
        return self.session.manifest.course

    @property
    def audit(self) -> AuditResult | None:
        """What the check of the video came to."""
        return self.session.manifest.audit

    def has(self, words: str) -> bool:
        """Whether each of these words is in the name of the lecture, its file or its course, whatever the capitals."""
        text = " ".join([self.name, self.session.manifest.source.name, self.course or ""]).casefold()
        return all(word in text for word in words.casefold().split())


def lectures(found: library.Library) -> list[Lecture]:
    """All lectures, the newest day first."""
    made = [Lecture(name, session, _day(session), shares(session)) for name, session in found.sessions.items()]
    return sorted(made, key=lambda one: (one.day, one.session.manifest.created, one.name), reverse=True)


def courses(made: list[Lecture]) -> dict[str, str]:
    """Each course's key and name, sorted; names that differ in capitals and spaces only are one course."""
    named = {course_key(one.course): " ".join(one.course.split()) for one in reversed(made) if one.course}
    return dict(sorted(named.items()))


def wanted(made: list[Lecture], words: str, course: str | None, days: tuple[date, date] | None) -> list[Lecture]:
    """The lectures that fit.

    Args:
        made: all of them.
        words: see ``Lecture.has``.
        course: key of a course; ``None`` for all.
        days: first and last; ``None`` for all.
    """
    return [
        one
        for one in made
        if one.has(words)
        and (course is None or (one.course is not None and course_key(one.course) == course))
        and (days is None or days[0] <= one.day <= days[1])
    ]


def shares(session: Session) -> Mapping[State, float] | None:
    """Of the seen time in each state, as in ``Lecture``; a table is read once and again when it changes."""
    if Kind.TABLES in session.manifest.purged:
        return {}
    return _shares(session.folder, library.written(session.folder / ENGAGEMENT))


@lru_cache(maxsize=2048)
def _shares(folder: Path, _written: tuple[int, int]) -> Mapping[State, float] | None:
    try:
        return session_shares(Session.open(folder).engagement)
    except (SessionError, KeyError, ValueError, TypeError):  # a table with other columns, or words in place of numbers
        return None


def _day(session: Session) -> date:
    try:
        return lecture_day(session)
    except ReportError:  # damaged, but no reason to hide the lecture
        return datetime.fromtimestamp(session.folder.stat().st_mtime, timezone.utc).date()
