"""Students of a course: pseudonym, encrypted name if any, seat, and what they decided for each purpose."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from consent import log, names
from consent.courses import checked_name, known_course
from consent.database import Database
from consent.errors import ConsentError, RegistryError
from consent.policy import Purpose, Zone, course_key
from consent.tables import CourseRow, DecisionRow, SeatRow, StudentRow


@dataclass(frozen=True)
class Decision:
    """A yes or no to a purpose; ``form_version`` is the hash of the form the student saw, if noted."""

    purpose: Purpose
    granted: bool
    form_version: str | None
    recorded_at: datetime


@dataclass(frozen=True)
class Student:
    """A student on record; ``decisions`` are the newest of each purpose, in the order of ``Purpose``."""

    pseudonym: str
    named: bool
    seat: Zone | None
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class Refusal:
    """A student who said no, for the opt-outs: ``seat`` with the moment it was recorded, if known."""

    course_id: int
    pseudonym: str
    seat: tuple[Zone, datetime] | None
    said_no: bool


class Students:
    """The students of all courses in a registry; each change is one transaction with one entry in the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, course: str, student: str, name: str | None = None, seat: Zone | None = None) -> bool:
        """Put a student on record; a name or seat given replaces the one before.

        Args:
            course: name of a course on record.
            student: a pseudonym, compared letter by letter.
            name: kept encrypted.
            seat: where they sit.

        Returns:
            Whether the student is new.

        Raises:
            ConsentError: a blank name.
            NameKeyError: a name without its key, or with another key than that of the names on record.
            RegistryError: the course is not on record, or the database fails.
        """
        student = checked_name("student", student)
        token = None if name is None else names.seal(checked_name("name", name))
        with self._database.transaction(write=True) as session:
            if token is not None:
                _check_key(session)
            row, new = _find_or_add(session, course, student)
            changed: list[StudentRow | SeatRow] = [row] if new or token is not None else []
            if token is not None:
                row.name_token = token
            if seat is not None:
                changed.append(SeatRow(student_id=row.id, zone=list(seat.numbers)))
                session.add(changed[-1])
            if changed:
                log.append(session, "student", changed)
            return new

    def decide(
        self,
        course: str,
        student: str,
        purposes: Collection[Purpose],
        granted: bool,
        form_version: str | None = None,
    ) -> None:
        """Record one answer to some purposes; a student not yet on record is added.

        Args:
            course: name of a course on record.
            student: a pseudonym, compared letter by letter.
            purposes: what the answer is about.
            granted: yes or no.
            form_version: hash of the form they saw, whole or its first 8 digits or more.

        Raises:
            ConsentError: a blank name, no purpose, or a form version that is no hash.
            RegistryError: the course is not on record, or the database fails.
        """
        student = checked_name("student", student)
        form_version = None if form_version is None else _form_version(form_version)
        asked = [one for one in Purpose if one in purposes]
        if not asked:
            raise ConsentError("the decision names no purpose; give at least one, such as analysis")
        with self._database.transaction(write=True) as session:
            row, new = _find_or_add(session, course, student)
            decisions = [
                DecisionRow(student_id=row.id, purpose=one.value, granted=granted, form_version=form_version)
                for one in asked
            ]
            session.add_all(decisions)
            log.append(session, "decision", [*([row] if new else []), *decisions])

    def name(self, course: str, student: str) -> str | None:
        """The student's name, ``None`` when none is on record.

        Raises:
            ConsentError: a blank name.
            NameKeyError: the key is missing or another one.
            RegistryError: course or student are not on record, or the database fails.
        """
        with self._database.transaction() as session:
            token = _known(session, course, student).name_token
        return None if token is None else names.unseal(token)

    def forget_name(self, course: str, student: str) -> bool:
        """Remove the student's name; the log never held it, only a hash of its encrypted form.

        Returns:
            Whether there was one.

        Raises:
            ConsentError: a blank name.
            RegistryError: course or student are not on record, or the database fails.
        """
        with self._database.transaction(write=True) as session:
            row = _known(session, course, student)
            if row.name_token is None:
                return False
            row.name_token = None
            log.append(session, "name forgotten", [row])
            return True

    def on_record(self, course: str) -> tuple[Student, ...]:
        """All students of a course in the order they were recorded; none for an unknown course.

        Raises:
            ConsentError: a seat on record is damaged.
            RegistryError: the database fails.
        """
        with self._database.transaction() as session:
            seats, decisions = _newest_seats(session, course), _newest_decisions(session, course)
            return tuple(
                Student(
                    row.pseudonym,
                    row.name_token is not None,
                    Zone(*seats[row.id].zone) if row.id in seats else None,
                    tuple(_decision(decisions[row.id, one]) for one in Purpose if (row.id, one) in decisions),
                )
                for row in session.scalars(_of_course(select(StudentRow), course).order_by(StudentRow.id))
            )


def refusals(session: Session, course: str | None, purposes: Iterable[Purpose]) -> tuple[Refusal, ...]:
    """Every student of a course (``None``: of all), and whether they said no to one of ``purposes``."""
    seats, decisions = _newest_seats(session, course), _newest_decisions(session, course)
    purposes = tuple(purposes)

    def refusal(row: StudentRow) -> Refusal:
        answers = [decisions[row.id, one].granted for one in purposes if (row.id, one) in decisions]
        seat = seats.get(row.id)
        place = None if seat is None else (Zone(*seat.zone), seat.recorded_at)
        return Refusal(row.course_id, row.pseudonym, place, not all(answers))

    return tuple(map(refusal, session.scalars(_of_course(select(StudentRow), course).order_by(StudentRow.id))))


def _of_course(query: Select, course: str | None) -> Select:
    """Only rows of students in the course; the students must be in the query."""
    if course is None:
        return query
    return query.join(CourseRow, CourseRow.id == StudentRow.course_id).where(CourseRow.key == course_key(course))


def _newest_seats(session: Session, course: str | None) -> dict[int, SeatRow]:
    query = _of_course(select(SeatRow).join(StudentRow), course).order_by(SeatRow.id)
    return {row.student_id: row for row in session.scalars(query)}


def _newest_decisions(session: Session, course: str | None) -> dict[tuple[int, Purpose], DecisionRow]:
    query = _of_course(select(DecisionRow).join(StudentRow), course).order_by(DecisionRow.id)
    return {(row.student_id, Purpose(row.purpose)): row for row in session.scalars(query)}


def _decision(row: DecisionRow) -> Decision:
    return Decision(Purpose(row.purpose), row.granted, row.form_version, row.recorded_at)


def _find_or_add(session: Session, course: str, student: str) -> tuple[StudentRow, bool]:
    course_row = known_course(session, course)
    row = session.scalar(select(StudentRow).filter_by(course_id=course_row.id, pseudonym=student))
    if row is not None:
        return row, False
    row = StudentRow(course_id=course_row.id, pseudonym=student)
    session.add(row)
    session.flush()
    return row, True


def _known(session: Session, course: str, student: str) -> StudentRow:
    course_row, student = known_course(session, course), checked_name("student", student)
    row = session.scalar(select(StudentRow).filter_by(course_id=course_row.id, pseudonym=student))
    if row is None:
        raise RegistryError(
            f"student {student!r} is not on record in course {course_row.name!r}; see who is with: engage consent list"
        )
    return row


def _check_key(session: Session) -> None:
    """Refuse a key other than that of the names on record: two keys in one registry would lock names away."""
    token = session.scalar(select(StudentRow.name_token).where(StudentRow.name_token.is_not(None)).limit(1))
    if token is not None:
        names.unseal(token)


def _form_version(text: str) -> str:
    version = text.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{8,64}", version):
        raise ConsentError(
            f"the form version {text!r} is not a hash of 8 to 64 hexadecimal digits; give the one printed on the form"
        )
    return version
