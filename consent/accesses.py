"""Who looked at a single student in the dashboard, and who was refused: kept for a time, then forgotten.

What remains after that time is that somebody looked at a number in a session. Who and why is in the log as a hash
only, salted, because an e-mail address could be guessed from a plain one.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import log
from consent.courses import find_course
from consent.database import Database
from consent.errors import ConsentError
from consent.policy import course_key
from consent.tables import AccessRow, CourseRow

LONGEST = 500
"""Characters kept of words that came from outside."""


class AccessKind(str, Enum):
    """What happened."""

    STUDENT = "student"
    """A single student was looked at."""
    EXPORT = "export"
    """Tables with rows of single students were downloaded."""
    REFUSED = "refused"
    """Something was asked for that the account may not see."""


@dataclass(frozen=True)
class Access:
    """One entry.

    Attributes:
        at: when, in UTC.
        kind: what happened.
        account: who; ``None`` for the person at this computer, or somebody who had not signed in, or once forgotten.
        course: ``None`` where it is not on record.
        session: name of the session's folder.
        student: number in that session.
        words: the reason given, or what was refused; ``None`` once forgotten.
    """

    at: datetime
    kind: AccessKind
    account: str | None
    course: str | None
    session: str | None
    student: int | None
    words: str | None


class Accesses:
    """The accesses of all courses in a registry; each is one transaction with one entry in the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(
        self,
        kind: AccessKind,
        account: str | None,
        words: str,
        course: str | None = None,
        session: str | None = None,
        student: int | None = None,
    ) -> None:
        """Note one access; characters that do not print are left out, and long words are cut.

        Raises:
            ConsentError: no words were given.
            RegistryError: the database fails.
        """
        words = _printed(words)
        if not words:
            what = "no reason was given" if kind is AccessKind.STUDENT else "it is not said what was refused"
            raise ConsentError(f"{what}; write in a few words why this student is looked at, without a name")
        who = None if account is None else _printed(account)
        details = json.dumps({"account": who, "salt": secrets.token_hex(16), "words": words}, ensure_ascii=False)
        with self._database.transaction(write=True) as transaction:
            known = find_course(transaction, course) if course else None
            row = AccessRow(
                kind=kind.value,
                course_id=known and known.id,
                session=None if session is None else _printed(session),
                student=student,
                details=details,
            )
            transaction.add(row)
            log.append(transaction, "access", [row])

    def on_record(self, course: str | None = None) -> tuple[Access, ...]:
        """The accesses of a course (``None``: all, also those of no course), oldest first.

        Raises:
            RegistryError: the database fails.
        """
        query = select(AccessRow, CourseRow.name).outerjoin(CourseRow, CourseRow.id == AccessRow.course_id)
        if course is not None:
            query = query.where(CourseRow.key == course_key(course))
        with self._database.transaction() as transaction:
            return tuple(_access(row, name) for row, name in transaction.execute(query.order_by(AccessRow.id)))

    def older(self, course: str | None, first_kept: date) -> int:
        """How many accesses of a course (``None``: of no course) before a day still say who and why.

        Raises:
            RegistryError: the database fails.
        """
        with self._database.transaction() as transaction:
            return len(_older(transaction, course, first_kept))

    def forget(self, course: str | None, first_kept: date) -> int:
        """Remove who and why from the accesses of a course (``None``: of no course) before a day (UTC).

        Returns:
            How many there were.

        Raises:
            RegistryError: the database fails.
        """
        with self._database.transaction(write=True) as transaction:
            rows = _older(transaction, course, first_kept)
            for row in rows:
                row.details = None
            if rows:
                log.append(transaction, "accesses forgotten", rows)
            return len(rows)


def _older(transaction: Session, course: str | None, first_kept: date) -> list[AccessRow]:
    query = select(AccessRow).where(AccessRow.details.is_not(None)).order_by(AccessRow.id)
    if course is None:
        query = query.where(AccessRow.course_id.is_(None))
    else:
        query = query.join(CourseRow, CourseRow.id == AccessRow.course_id).where(CourseRow.key == course_key(course))
    return [row for row in transaction.scalars(query) if row.recorded_at.date() < first_kept]


def _access(row: AccessRow, course: str | None) -> Access:
    details = {} if row.details is None else json.loads(row.details)
    kind = AccessKind(row.kind)
    return Access(row.recorded_at, kind, details.get("account"), course, row.session, row.student, details.get("words"))


def _printed(words: str) -> str:
    line = " ".join("".join(one if one.isprintable() else " " for one in words).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
