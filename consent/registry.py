"""The record of who approved what and who said no: SQLite on this machine, or any database by URL.

Rows are added, never overwritten; taking an opt-out back only sets its ``withdrawn_at``. Each change is one
short transaction with one entry in the log, and several processes can use one registry at the same time.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Collection
from datetime import date
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import log
from consent.accesses import Accesses
from consent.courses import checked_name, find_course, known_course
from consent.database import Database
from consent.errors import ConsentError, RegistryError
from consent.periods import Retention
from consent.policy import EVERY_RUN, ZONE_PREFIX, Approval, OptOut, Purpose, Zone, course_key
from consent.roles import Roles
from consent.schema import bring_up_to_date
from consent.sessions import NotedSessions
from consent.students import Refusal, Students, refusals
from consent.tables import ApprovalRow, CourseRow, OptOutRow, utc_now
from consent.withdrawals import Withdrawals


class Registry:
    """An open registry; close it, or use it in a ``with`` statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.students = Students(database)
        self.sessions = NotedSessions(database)
        self.retention = Retention(database)
        self.withdrawals = Withdrawals(database)
        self.roles = Roles(database)
        self.accesses = Accesses(database)

    @property
    def location(self) -> str:
        """Where the records are, without any password."""
        return self._database.location

    @classmethod
    def open(cls, url: str | None = None) -> Registry:
        """Open the registry, making its tables, or upgrading them, when they are not those of this version.

        Args:
            url: SQLAlchemy database URL; default ``ENGAGE_DATABASE_URL`` of the environment, else a SQLite
                file in the user's data folder.

        Raises:
            RegistryError: not a URL, driver missing, or the database cannot be reached or is damaged.
        """
        registry = cls(Database.open(url))
        try:
            bring_up_to_date(registry._database)
        except BaseException:
            registry.close()
            raise
        return registry

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def approve(
        self,
        course: str,
        approved_by: str,
        valid_from: date,
        valid_until: date | None = None,
        evidence: Path | None = None,
        purposes: Collection[Purpose] = EVERY_RUN,
    ) -> Approval:
        """Record a faculty approval; a course not yet on record is added.

        Args:
            course: name of the course.
            approved_by: who approved.
            valid_from: first day.
            valid_until: last day, included; ``None`` for no end.
            evidence: the signed form; only its name and sha256 are kept.
            purposes: what the approval grants.

        Raises:
            ConsentError: a blank name, no purpose, an end before the start, or an evidence file that cannot be read.
            RegistryError: the database fails.
        """
        course, approved_by = checked_name("course", course), checked_name("approver", approved_by)
        if not purposes:
            raise ConsentError("the approval grants no purpose; give at least one, such as analysis")
        if valid_until is not None and valid_until < valid_from:
            raise ConsentError(
                f"the approval would end on {valid_until}, before it begins on {valid_from}; give a later --until"
            )
        sha256 = None if evidence is None else _sha256(evidence)
        with self._database.transaction(write=True) as session:
            known = find_course(session, course)
            course_row = known or CourseRow(key=course_key(course), name=course)
            row = ApprovalRow(
                course=course_row,
                approved_by=approved_by,
                valid_from=valid_from,
                valid_until=valid_until,
                evidence_name=None if evidence is None else evidence.name,
                evidence_sha256=sha256,
                purposes=[one.value for one in Purpose if one in purposes],
            )
            session.add(row)
            log.append(session, "approval", [row] if known else [course_row, row])
            return row.to_policy()

    def opt_out(self, course: str, student: str, zone: Zone | None = None) -> bool:
        """Record that a student says no; saying it again with another zone (or none) replaces where they sit.

        Args:
            course: name of a course on record.
            student: a pseudonym, never a name; compared letter by letter.
            zone: where they sit; ``None`` when that is not known, and then everybody will be covered.

        Returns:
            Whether anything was new.

        Raises:
            ConsentError: a blank name.
            RegistryError: the course is not on record, or the database fails.
        """
        return self._opt_out(course, checked_name("student", student), zone)

    def _opt_out(self, course: str, student: str, zone: Zone | None) -> bool:
        numbers = None if zone is None else list(zone.numbers)
        with self._database.transaction(write=True) as session:
            row = known_course(session, course)
            standing = _standing(session, row.id, student)
            if standing and standing[-1].zone == numbers:
                return False
            opt_out = OptOutRow(course_id=row.id, student=student, zone=numbers)
            session.add(opt_out)
            log.append(session, "opt-out", [opt_out])
            return True

    def opt_in(self, course: str, student: str) -> bool:
        """Take a student's opt-out back; the rows stay, marked as withdrawn.

        Returns:
            Whether there was one standing; ``False`` when it had been taken back before.

        Raises:
            ConsentError: a blank name.
            RegistryError: the course is not on record, the student never opted out of it, or the database
                fails.
        """
        return self._opt_in(course, checked_name("student", student))

    def close_zone(self, course: str, name: str, zone: Zone) -> bool:
        """Record a zone in which nobody takes part; the same name with another zone replaces it.

        Returns:
            Whether anything was new.

        Raises:
            ConsentError: a blank name.
            RegistryError: the course is not on record, or the database fails.
        """
        return self._opt_out(course, ZONE_PREFIX + checked_name("zone", name), zone)

    def open_zone(self, course: str, name: str) -> bool:
        """Take a zone in which nobody takes part back; returns and raises as ``opt_in``."""
        return self._opt_in(course, ZONE_PREFIX + checked_name("zone", name))

    def _opt_in(self, course: str, student: str) -> bool:
        with self._database.transaction(write=True) as session:
            row = known_course(session, course)
            standing = _standing(session, row.id, student)
            for one in standing:
                one.withdrawn_at = utc_now()
            if standing:
                log.append(session, "opt-in", standing)
            elif not session.scalar(select(OptOutRow.id).filter_by(course_id=row.id, student=student).limit(1)):
                raise RegistryError(_never_opted_out(row.name, student))
            return bool(standing)

    def approvals(self, course: str | None = None) -> tuple[Approval, ...]:
        """All approvals of a course (``None``: of every course) as recorded; none for an unknown course.

        Raises:
            RegistryError: the database fails.
        """
        query = select(ApprovalRow).order_by(ApprovalRow.id)
        if course is not None:
            query = query.join(ApprovalRow.course).where(CourseRow.key == course_key(course))
        with self._database.transaction() as session:
            return tuple(row.to_policy() for row in session.scalars(query))

    def opt_outs(self, course: str | None, purposes: Collection[Purpose] = EVERY_RUN) -> tuple[OptOut, ...]:
        """Who said no in a course, one for each student; none for an unknown course.

        These are the opt-outs that stand, and the students whose newest decision on one of ``purposes`` is no.
        A seat recorded later than an opt-out's zone takes its place, as it does where the zone is not known.
        Without a course the lecture could be any course's: every no counts and no seat is known.

        Raises:
            ConsentError: a zone on record is damaged.
            RegistryError: the database fails.
        """
        query = select(OptOutRow).where(OptOutRow.withdrawn_at.is_(None)).order_by(OptOutRow.id)
        if course is not None:
            query = query.join(CourseRow).where(CourseRow.key == course_key(course))
        with self._database.transaction() as session:
            newest = {(row.course_id, row.student): row for row in session.scalars(query)}
            students = {(one.course_id, one.pseudonym): one for one in refusals(session, course, purposes)}
            by_decision = {key: one for key, one in students.items() if one.said_no and key not in newest}
            if course is None:
                return tuple(
                    OptOut(student) for student in sorted({student for _, student in {**newest, **by_decision}})
                )
            return (
                *(_with_seat(row, students.get(key)) for key, row in newest.items()),
                *(OptOut(one.pseudonym, one.seat and one.seat[0]) for one in by_decision.values()),
            )

    def courses(self) -> tuple[str, ...]:
        """Names of all courses on record, sorted.

        Raises:
            RegistryError: the database fails.
        """
        with self._database.transaction() as session:
            return tuple(session.scalars(select(CourseRow.name).order_by(CourseRow.key)))

    def known_course(self, course: str) -> str:
        """The name under which a course is on record.

        Raises:
            ConsentError: a blank name.
            RegistryError: the course is not on record, or the database fails.
        """
        with self._database.transaction() as session:
            return known_course(session, course).name

    def head(self) -> str:
        """The hash of the log's newest entry, without checking it.

        Raises:
            RegistryError: the database fails.
        """
        with self._database.transaction() as session:
            return log.head(session)

    def holds(self, head: str) -> bool:
        """Whether this is the registry in which that head was noted, and not an older copy or another one.

        Raises:
            RegistryError: the database fails.
        """
        with self._database.transaction() as session:
            return log.holds(session, head)

    def verify(self, head: str | None = None) -> log.Chain:
        """Check that neither the log nor any record was altered.

        Args:
            head: the head of the log as noted earlier; finds that the end is missing.

        Raises:
            ConsentError: ``head`` is no sha256.
            LogBroken: something was altered; names the first entry that does not fit.
            RegistryError: the database fails.
        """
        with self._database.transaction() as session:
            return log.verify(session, head)


def _with_seat(row: OptOutRow, student: Refusal | None) -> OptOut:
    """The opt-out with the place that was recorded last, where one is known."""
    if student is None or student.seat is None:
        return row.to_policy()
    seat, recorded_at = student.seat
    return row.to_policy() if row.zone is not None and row.recorded_at > recorded_at else OptOut(row.student, seat)


def _never_opted_out(course: str, student: str) -> str:
    if student.startswith(ZONE_PREFIX):
        return f"{student} was never recorded for course {course!r}; see the zones with: engage consent list"
    return (
        f"student {student!r} never opted out of course {course!r}; see who did with: engage consent list"
        f" (a no among the decisions is changed with: engage consent decide {shlex.quote(course)}"
        f" {shlex.quote(student)} yes --purpose PURPOSE)"
    )


def _sha256(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ConsentError(
            f"evidence {str(path)!r} cannot be read ({error.strerror}); give the signed form as a file"
        ) from None
    return digest.hexdigest()


def _standing(session: Session, course_id: int, student: str) -> list[OptOutRow]:
    """The student's rows not withdrawn, oldest first."""
    query = select(OptOutRow).filter_by(course_id=course_id, student=student, withdrawn_at=None)
    return list(session.scalars(query.order_by(OptOutRow.id)))
