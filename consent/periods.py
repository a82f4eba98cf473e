"""The record of how many days each kind of data of a course is kept."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import log
from consent.courses import known_course
from consent.database import Database
from consent.policy import course_key
from consent.retention import Kind, checked_days
from consent.tables import CourseRow, RetentionRow


class Retention:
    """The periods of all courses in a registry; each change is one transaction with one entry in the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, course: str, days: Mapping[Kind, int]) -> bool:
        """Record for how many days data is kept; kinds not named stay as they are.

        Args:
            course: name of a course on record.
            days: after the lecture; of the forms after the last day of the course. 0 is deleted at once.

        Returns:
            Whether anything was new.

        Raises:
            ConsentError: a blank name, no kind, or a number of days out of range.
            RegistryError: the course is not on record, or the database fails.
        """
        days = checked_days(days)
        with self._database.transaction(write=True) as session:
            course_id = known_course(session, course).id
            before = _newest(session, course)
            rows = [
                RetentionRow(course_id=course_id, kind=kind.value, days=count)
                for kind, count in days.items()
                if before.get(kind) != count
            ]
            session.add_all(rows)
            if rows:
                log.append(session, "retention", rows)
            return bool(rows)

    def of_course(self, course: str | None) -> dict[Kind, int]:
        """The days of each kind that has a period; none for an unknown course and for no course.

        Raises:
            RegistryError: the database fails.
        """
        if course is None:
            return {}
        with self._database.transaction() as session:
            return _newest(session, course)


def _newest(session: Session, course: str) -> dict[Kind, int]:
    query = select(RetentionRow).join(CourseRow).where(CourseRow.key == course_key(course)).order_by(RetentionRow.id)
    newest = {Kind(row.kind): row.days for row in session.scalars(query)}
    return {kind: newest[kind] for kind in Kind if kind in newest}
