"""The tables of the consent registry, and how their rows become what the policy decides on."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone

from sqlalchemy import JSON, CheckConstraint, DateTime, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from consent.policy import EVERY_RUN, Approval, OptOut, Purpose, Zone

SECRET = "secret"
"""Marks a column of which the log keeps only a hash, so that it can be forgotten."""


class _UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


def utc_now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(timezone.utc)


class Base(DeclarativeBase):
    """All tables of the consent records."""


class CourseRow(Base):
    """A course; ``key`` is the form in which names are compared."""

    __tablename__ = "courses"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String, unique=True)
    name: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(_UtcDateTime, default=utc_now)


class ApprovalRow(Base):
    """One approval of a faculty member, with the name and sha256 of the file that proves it."""

    __tablename__ = "approvals"
    __table_args__ = (CheckConstraint("valid_until IS NULL OR valid_until >= valid_from", name="ends_after_start"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), index=True)
    course: Mapped[CourseRow] = relationship(lazy="joined", innerjoin=True)
    approved_by: Mapped[str]
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    evidence_name: Mapped[str | None]
    evidence_sha256: Mapped[str | None] = mapped_column(String(64))
    purposes: Mapped[list[str]] = mapped_column(JSON, server_default=json.dumps([one.value for one in EVERY_RUN]))
    recorded_at: Mapped[datetime] = mapped_column(_UtcDateTime, default=utc_now)

    def to_policy(self) -> Approval:
        """The row as the policy sees it."""
        return Approval(
            f"approval-{self.id}",
            self.course.name,
            self.approved_by,
            self.valid_from,
            self.valid_until,
            self.evidence_name,
            self.evidence_sha256,
            tuple(map(Purpose, self.purposes)),
        )


class OptOutRow(Base):
    """One no of a student; the newest row not withdrawn says where they sit now."""

    __tablename__ = "opt_outs"

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), index=True)
    student: Mapped[str] = mapped_column(doc="a pseudonym, never a name")
    zone: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True), doc="Zone.numbers")
    recorded_at: Mapped[datetime] = mapped_column(_UtcDateTime, default=utc_now)
    withdrawn_at: Mapped[datetime | None] = mapped_column(_UtcDateTime)

    def to_policy(self) -> OptOut:
        """The row as the policy sees it."""
        return OptOut(self.student, None if self.zone is None else Zone(*self.zone))


class StudentRow(Base):
    """A student of a course; the name, where there is one, can be read only with the key and can be forgotten."""

    __tablename__ = "students"
    __table_args__ = (UniqueConstraint("course_id", "pseudonym", name="one_row_per_pseudonym"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"))
    pseudonym: Mapped[str]
    name_token: Mapped[str | None] = mapped_column(Text, info={SECRET: True}, doc="Fernet token of the name")
    recorded_at: Mapped[datetime] = mapped_column(_UtcDateTime, default=utc_now)


class SeatRow(Base):
    """Where a student sits; the newest row of a student counts."""

    __tablename__ = "seats"

    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    zone: Mapped[list[float]] = mapped_column(JSON, doc="Zone.numbers")
    recorded_at: Mapped[datetime] = mapped_column(_UtcDateTime, default=utc_now)


class DecisionRow(Base):
    """One yes or no of a student to one purpose; the newest row of a student and purpose counts."""

    __tablename__ = "decisions"

    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(32))
    granted: Mapped[bool]
    form_version: Mapped[str | None] = mapped_column(String(64), doc="hash of the form they saw")
    recorded_at: Mapped[datetime] = mapped_column(_UtcDateTime, default=utc_now)


class SessionRow(Base):
    """Where a session of a course was written, so that a withdrawal and the end of a retention period find it."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), index=True)
    name: Mapped[str] = mapped_column(doc="id in the manifest")
    created: Mapped[str] = mapped_column(String(40), doc="as in the manifest; empty of one only begun")
    folder: Mapped[str] = mapped_column(Text, doc="absolute path; changed when the session is found elsewhere")
    recorded_at: Mapped[datetime] = mapped_column(_UtcDateTime, default=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(_UtcDateTime)


class WithdrawalRow(Base):
    """A student who took consent back; ``done_at`` is when the last session had been cleared."""

    __tablename__ = "withdrawals"

    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    recorded_at: Mapped[datetime] = mapped_column(_UtcDateTime, default=utc_now)
    done_at: Mapped[datetime | None] = mapped_column(_UtcDateTime)


class RetentionRow(Base):
    """Days one kind of data of a course is kept; the newest row of a kind counts."""

    __tablename__ = "retention"

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    days: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(_UtcDateTime, default=utc_now)


class RoleRow(Base):
    """What an account of the dashboard may see of one course; ``course_id`` is ``None`` where that is all courses."""

    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(Text, index=True, doc="in the form in which accounts are compared")
    role: Mapped[str] = mapped_column(String(32))
    course_id: Mapped[int | None] = mapped_column(ForeignKey("courses.id"))
    recorded_at: Mapped[datetime] = mapped_column(_UtcDateTime, default=utc_now)
    revoked_at: Mapped[datetime | None] = mapped_column(_UtcDateTime)


class AccessRow(Base):
    """A look at one student in the dashboard, or a refusal; the details are forgotten when their time is over."""

    __tablename__ = "accesses"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    course_id: Mapped[int | None] = mapped_column(ForeignKey("courses.id"), index=True)
    session: Mapped[str | None] = mapped_column(Text, doc="name of the session's folder")
    student: Mapped[int | None] = mapped_column(doc="the number in that session, never a pseudonym")
    details: Mapped[str | None] = mapped_column(
        Text, info={SECRET: True}, doc="JSON: account, words, and a salt, so that the hash in the log tells neither"
    )
    recorded_at: Mapped[datetime] = mapped_column(_UtcDateTime, default=utc_now)


class EntryRow(Base):
    """One entry of the log (consent/log.py); never changed, never removed."""

    __tablename__ = "log"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="1, 2, 3 without a gap")
    payload: Mapped[str] = mapped_column(Text, doc="canonical JSON, ASCII")
    previous: Mapped[str] = mapped_column(String(64), doc="sha256 of the entry before")
    sha256: Mapped[str] = mapped_column(String(64))
