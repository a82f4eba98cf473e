"""The record of who approved what and who said no: SQLite on this machine, or any database by URL.

Rows are added, never overwritten; taking an opt-out back only sets its ``withdrawn_at``. Each call is one
short transaction, so that several processes can use one registry at the same time.
"""

from __future__ import annotations

import difflib
import hashlib
import shlex
from datetime import date
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from consent.database import Database
from consent.errors import ConsentError, RegistryError
from consent.policy import Approval, OptOut, Zone, course_key
from consent.tables import ApprovalRow, Base, CourseRow, OptOutRow, utc_now


class Registry:
    """An open registry; close it, or use it in a ``with`` statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def location(self) -> str:
        """Where the records are, without any password."""
        return self._database.location

    @classmethod
    def open(cls, url: str | None = None) -> Registry:
        """Open the registry, making the tables when they are not there.

        Args:
            url: SQLAlchemy database URL; default ``ENGAGE_DATABASE_URL`` of the environment, else a SQLite
                file in the user's data folder.

        Raises:
            RegistryError: not a URL, driver missing, or the database cannot be reached or is damaged.
        """
        registry = cls(Database.open(url))
        try:
            registry._database.create_tables(Base.metadata)
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
    ) -> Approval:
        """Record a faculty approval; a course not yet on record is added.

        Args:
            course: name of the course.
            approved_by: who approved.
            valid_from: first day.
            valid_until: last day, included; ``None`` for no end.
            evidence: the signed form; only its name and sha256 are kept.

        Raises:
            ConsentError: a blank name, an end before the start, or an evidence file that cannot be read.
            RegistryError: the database fails.
        """
        course, approved_by = _name("course", course), _name("approver", approved_by)
        if valid_until is not None and valid_until < valid_from:
            raise ConsentError(
                f"the approval would end on {valid_until}, before it begins on {valid_from}; give a later --until"
            )
        sha256 = None if evidence is None else _sha256(evidence)
        with self._database.transaction(write=True) as session:
            row = ApprovalRow(
                course=_find_course(session, course) or _add_course(session, course),
                approved_by=approved_by,
                valid_from=valid_from,
                valid_until=valid_until,
                evidence_name=None if evidence is None else evidence.name,
                evidence_sha256=sha256,
            )
            session.add(row)
            session.flush()
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
        student = _name("student", student)
        corners = None if zone is None else list(zone.corners)
        with self._database.transaction(write=True) as session:
            row = _known_course(session, course)
            standing = _standing(session, row.id, student)
            if standing and standing[-1].zone == corners:
                return False
            session.add(OptOutRow(course_id=row.id, student=student, zone=corners))
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
        student = _name("student", student)
        with self._database.transaction(write=True) as session:
            row = _known_course(session, course)
            standing = _standing(session, row.id, student)
            for one in standing:
                one.withdrawn_at = utc_now()
            if not standing and not session.scalar(
                select(OptOutRow.id).filter_by(course_id=row.id, student=student).limit(1)
            ):
                raise RegistryError(
                    f"student {student!r} never opted out of course {row.name!r}; see who did with: engage consent list"
                )
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

    def opt_outs(self, course: str | None) -> tuple[OptOut, ...]:
        """The opt-outs that stand in a course, one for each student; none for an unknown course.

        Without a course the lecture could be any course's: all opt-outs count and no seat is known.

        Raises:
            ConsentError: a zone on record is damaged.
            RegistryError: the database fails.
        """
        query = select(OptOutRow).where(OptOutRow.withdrawn_at.is_(None)).order_by(OptOutRow.id)
        if course is not None:
            query = query.join(CourseRow).where(CourseRow.key == course_key(course))
        with self._database.transaction() as session:
            newest = {(row.course_id, row.student): row for row in session.scalars(query)}
            if course is None:
                return tuple(OptOut(student) for student in sorted({student for _, student in newest}))
            return tuple(row.to_policy() for row in newest.values())

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
            return _known_course(session, course).name


def _name(kind: str, text: str) -> str:
    """``text`` without surrounding space, refused when blank or not printable."""
    text = text.strip()
    if not text:
        raise ConsentError(f"the {kind} is blank; give a name")
    if not text.isprintable():
        raise ConsentError(f"the {kind} {text!r} holds characters that cannot be printed; give a plain name")
    return text


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


def _find_course(session: Session, course: str) -> CourseRow | None:
    # The lock makes writers of one course take turns (SQLite has one writer at a time anyway).
    return session.scalar(select(CourseRow).filter_by(key=course_key(course)).with_for_update())


def _add_course(session: Session, course: str) -> CourseRow:
    row = CourseRow(key=course_key(course), name=course)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:  # another process added it since we looked
        return session.scalars(select(CourseRow).filter_by(key=row.key)).one()
    return row


def _known_course(session: Session, course: str) -> CourseRow:
    course = _name("course", course)
    row = _find_course(session, course)
    if row is None:
        names = {course_key(name): name for name in session.scalars(select(CourseRow.name))}
        near = difflib.get_close_matches(course_key(course), names, n=1)
        hint = f"did you mean {names[near[0]]!r}? Otherwise" if near else "to add it,"
        raise RegistryError(
            f"course {course!r} is not on record; {hint} record its approval first with:"
            f" engage consent approve {shlex.quote(course)} --by NAME"
        )
    return row


def _standing(session: Session, course_id: int, student: str) -> list[OptOutRow]:
    """The student's rows not withdrawn, oldest first."""
    query = select(OptOutRow).filter_by(course_id=course_id, student=student, withdrawn_at=None)
    return list(session.scalars(query.order_by(OptOutRow.id)))
