"""Where the sessions of each course lie, so that a withdrawal and the end of a retention period find them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import log
from consent.courses import checked_name, find_course
from consent.database import Database
from consent.policy import course_key
from consent.tables import CourseRow, SessionRow, utc_now

BEGUN = ""
"""What is noted of a session that was begun, in place of when it was made."""

_ADDRESS = re.compile(r"^([a-z][a-z0-9+.-]+):/(?!/)")


@dataclass(frozen=True)
class NotedSession:
    """A session that was written and not deleted, as far as the record knows."""

    course: str
    name: str
    created: str
    folder: Path

    @property
    def whole(self) -> bool:
        """Whether it was finished; of one that was not, what had been read may lie beside ``folder``."""
        return self.created != BEGUN

    @property
    def place(self) -> str:
        """Where it lies, in words; an address elsewhere has both its slashes, which a path has not."""
        return _ADDRESS.sub(r"\1://", str(self.folder))


class NotedSessions:
    """The sessions of all courses in a registry; each change is one transaction with one entry in the log.

    A session is known by its course, its name and when it was made, wherever it lies.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, course: str, name: str, created: str, folder: Path | str) -> bool:
        """Note where a session lies; one noted earlier is moved, and what lay there before counts as deleted.

        Args:
            course: name of the course; one not yet on record (approved for one run only) is added.
            name: id of the session in its manifest.
            created: as in its manifest.
            folder: where it lies; text is an address elsewhere (``s3://…``) and kept as it is.

        Returns:
            Whether anything was new.

        Raises:
            ConsentError: a blank name of the course.
            RegistryError: the database fails.
        """
        place = folder if isinstance(folder, str) else str(folder.absolute())
        return self._add(course, name, created, place, replacing=True)

    def _add(self, course: str, name: str, created: str, place: str, *, replacing: bool) -> bool:
        course = checked_name("course", course)
        with self._database.transaction(write=True) as session:
            changed: list[CourseRow | SessionRow] = []
            course_row = find_course(session, course)
            if course_row is None:
                course_row = CourseRow(key=course_key(course), name=course)
                session.add(course_row)
                session.flush()
                changed.append(course_row)
            there = session.scalars(select(SessionRow).filter_by(folder=place, deleted_at=None))
            for row in there if replacing else ():
                if (row.course_id, row.name, row.created) != (course_row.id, name, created):
                    row.deleted_at = utc_now()
                    changed.append(row)
            known = _find(session, course_row.id, name, created) if replacing else None
            if known is None:
                known = SessionRow(course_id=course_row.id, name=name, created=created, folder=place)
                session.add(known)
                changed.append(known)
            elif known.folder != place:
                known.folder = place
                changed.append(known)
            if changed:
                log.append(session, "session", changed)
            return bool(changed)

    def begin(self, course: str, name: str, folder: Path) -> bool:
        """Note that a session is being made, so that what a run leaves that never ends is found; returns if it is news.

        ``note`` takes its place. Where a session of the course is noted in that folder already, that is enough.

        Raises:
            ConsentError: a blank name of the course.
            RegistryError: the database fails.
        """
        place = folder.absolute()
        if any(one.folder == place for one in self.of_course(course)):
            return False
        return self._add(course, name, BEGUN, str(place), replacing=False)

    def of_course(self, course: str | None) -> tuple[NotedSession, ...]:
        """The sessions of a course (``None``: of every course) that were not deleted, in the order they were noted.

        Raises:
            RegistryError: the database fails.
        """
        query = select(SessionRow, CourseRow.name).join(CourseRow).where(SessionRow.deleted_at.is_(None))
        if course is not None:
            query = query.where(CourseRow.key == course_key(course))
        with self._database.transaction() as session:
            rows = session.execute(query.order_by(SessionRow.id))
            return tuple(NotedSession(name, row.name, row.created, Path(row.folder)) for row, name in rows)

    def moved(self, noted: NotedSession, folder: Path) -> bool:
        """Note the folder in which a session was found; returns whether that was news.

        Raises:
            RegistryError: the database fails.
        """
        return self.note(noted.course, noted.name, noted.created, folder)

    def deleted(self, noted: NotedSession) -> bool:
        """Note that a session is no more; returns whether it was on record till now.

        Raises:
            RegistryError: the database fails.
        """
        with self._database.transaction(write=True) as session:
            course_row = find_course(session, noted.course)
            row = None if course_row is None else _find(session, course_row.id, noted.name, noted.created)
            if row is None:
                return False
            row.deleted_at = utc_now()
            log.append(session, "session deleted", [row])
            return True


def _find(session: Session, course_id: int, name: str, created: str) -> SessionRow | None:
    """The session that is not deleted."""
    query = select(SessionRow).filter_by(course_id=course_id, name=name, created=created, deleted_at=None)
    return session.scalar(query.order_by(SessionRow.id.desc()).limit(1))
