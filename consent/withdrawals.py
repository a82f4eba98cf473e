"""Students who took their consent back, and whether that has been carried out in every session."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import log
from consent.courses import checked_name, known_course
from consent.database import Database
from consent.errors import RegistryError
from consent.policy import Purpose, Zone, course_key
from consent.tables import Base, CourseRow, DecisionRow, OptOutRow, SeatRow, StudentRow, WithdrawalRow, utc_now


@dataclass(frozen=True)
class Withdrawal:
    """A student who withdrew.

    Attributes:
        id: such as ``withdrawal-3``; sessions list it, because it names nobody.
        course, student: name of the course, pseudonym of the student.
        zone: where they sit, ``None`` when that is not known.
        done: whether every session has been cleared.
    """

    id: str
    course: str
    student: str
    zone: Zone | None
    done: bool


class Withdrawals:
    """The withdrawals of all courses in a registry; each change is one transaction with one entry in the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, course: str, student: str) -> Withdrawal:
        """Record a no to every purpose and that sessions are to be cleared, in one transaction.

        A withdrawal that was begun before is taken up again, also one that is done, because a session may turn up
        later; only if the student has said yes since then is it a new one.

        Args:
            course: name of a course on record.
            student: the pseudonym of somebody who decided, was given a seat or opted out.

        Raises:
            ConsentError: a blank name, or a zone on record that is damaged.
            RegistryError: the course or the student is not on record, or the database fails.
        """
        student = checked_name("student", student)
        with self._database.transaction(write=True) as session:
            course_row = known_course(session, course)
            changed: list[Base] = []
            row = session.scalar(select(StudentRow).filter_by(course_id=course_row.id, pseudonym=student))
            if row is None:
                if not _opt_outs(session, course_row.id, student):
                    raise _not_on_record(course_row, student)
                row = StudentRow(course_id=course_row.id, pseudonym=student)
                session.add(row)
                session.flush()
                changed.append(row)
            unsaid = _purposes_not_refused(session, row.id)
            withdrawal = _newest(session, row.id)
            decisions = [DecisionRow(student_id=row.id, purpose=one.value, granted=False) for one in unsaid]
            session.add_all(decisions)
            changed += decisions
            if withdrawal is None or (unsaid and withdrawal.done_at is not None):
                withdrawal = WithdrawalRow(student_id=row.id)
                session.add(withdrawal)
                changed.append(withdrawal)
            if changed:
                log.append(session, "withdrawal", changed)
            return _withdrawal(session, course_row, row, withdrawal)

    def planned(self, course: str, student: str) -> Withdrawal:
        """What ``begin`` would give, without recording anything; the id is blank where it would be a new withdrawal.

        Raises:
            ConsentError: a blank name, or a zone on record that is damaged.
            RegistryError: the course or the student is not on record, or the database fails.
        """
        student = checked_name("student", student)
        with self._database.transaction() as session:
            course_row = known_course(session, course)
            row = session.scalar(select(StudentRow).filter_by(course_id=course_row.id, pseudonym=student))
            if row is None:
                opt_outs = _opt_outs(session, course_row.id, student)
                if not opt_outs:
                    raise _not_on_record(course_row, student)
                zone = opt_outs[0].zone
                return Withdrawal("", course_row.name, student, None if zone is None else Zone(*zone), False)
            newest = _newest(session, row.id)
            if newest is None or (newest.done_at is not None and _purposes_not_refused(session, row.id)):
                return Withdrawal("", course_row.name, student, _zone(session, row), False)
            return _withdrawal(session, course_row, row, newest)

    def end(self, withdrawal: Withdrawal) -> bool:
        """Record that every session has been cleared; returns whether that was news.

        Raises:
            RegistryError: the database fails.
        """
        with self._database.transaction(write=True) as session:
            row = session.scalars(select(WithdrawalRow).filter_by(id=int(withdrawal.id.rpartition("-")[2]))).one()
            if row.done_at is not None:
                return False
            row.done_at = utc_now()
            log.append(session, "withdrawal done", [row])
            return True

    def of_course(self, course: str | None) -> tuple[Withdrawal, ...]:
        """The withdrawals of a course (``None``: of every course), oldest first.

        Raises:
            RegistryError: the database fails.
        """
        query = select(CourseRow, StudentRow, WithdrawalRow).join(StudentRow, StudentRow.id == WithdrawalRow.student_id)
        query = query.join(CourseRow, CourseRow.id == StudentRow.course_id).order_by(WithdrawalRow.id)
        if course is not None:
            query = query.where(CourseRow.key == course_key(course))
        with self._database.transaction() as session:
            return tuple(_withdrawal(session, *rows) for rows in session.execute(query))


def _withdrawal(session: Session, course: CourseRow, student: StudentRow, row: WithdrawalRow) -> Withdrawal:
    zone = _zone(session, student)
    return Withdrawal(f"withdrawal-{row.id}", course.name, student.pseudonym, zone, row.done_at is not None)


def _newest(session: Session, student_id: int) -> WithdrawalRow | None:
    query = select(WithdrawalRow).filter_by(student_id=student_id).order_by(WithdrawalRow.id.desc())
    return session.scalar(query.limit(1))


def _not_on_record(course: CourseRow, student: str) -> RegistryError:
    return RegistryError(
        f"student {student!r} is not on record in course {course.name!r}; see who is with: engage consent list"
    )


def _purposes_not_refused(session: Session, student_id: int) -> list[Purpose]:
    """Those of which the newest decision is not a no."""
    rows = session.scalars(select(DecisionRow).filter_by(student_id=student_id).order_by(DecisionRow.id))
    granted = {row.purpose: row.granted for row in rows}
    return [one for one in Purpose if granted.get(one.value, True)]


def _zone(session: Session, student: StudentRow) -> Zone | None:
    """Where the student sits: the seat or the zone of an opt-out, whichever was recorded last.

    An opt-out taken back tells it too: the student sat there.
    """
    seat = session.scalar(select(SeatRow).filter_by(student_id=student.id).order_by(SeatRow.id.desc()).limit(1))
    opt_out = next(iter(_opt_outs(session, student.course_id, student.pseudonym)), None)
    if opt_out is not None and opt_out.zone is not None and (seat is None or opt_out.recorded_at > seat.recorded_at):
        return Zone(*opt_out.zone)
    return None if seat is None else Zone(*seat.zone)


def _opt_outs(session: Session, course_id: int, student: str) -> list[OptOutRow]:
    """All opt-outs of a student, newest first."""
    query = select(OptOutRow).filter_by(course_id=course_id, student=student)
    return list(session.scalars(query.order_by(OptOutRow.id.desc())))
