"""Who may see what in the dashboard: one role for each account, for some courses or for all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import log
from consent.courses import checked_name, known_course
from consent.database import Database
from consent.errors import ConsentError, RegistryError
from consent.policy import Role
from consent.tables import CourseRow, RoleRow, utc_now

__all__ = ["Account", "Role", "Roles", "account_key"]


@dataclass(frozen=True)
class Account:
    """Somebody who signs in; ``courses`` are names of courses, none for an administrator, who has all."""

    name: str
    role: Role
    courses: tuple[str, ...]


def account_key(name: str) -> str:
    """The form in which accounts are compared: letters A to Z of an e-mail address in small, others as they are.

    Only those: a provider may hold two accounts that differ by another letter (``ß`` and ``ss``, or the Kelvin sign
    and ``k``), and nobody may be taken for somebody else.
    """
    name = name.strip()
    return name.encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape") if "@" in name else name


class Roles:
    """The roles of all accounts in a registry; each change is one transaction with one entry in the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def grant(self, account: str, role: Role, courses: Collection[str] = ()) -> bool:
        """Say what an account may see from now on, in place of what it might till now.

        Args:
            account: as the provider of accounts names it, such as an e-mail address.
            role: one for all of its courses.
            courses: names of courses on record; none for an administrator.

        Returns:
            Whether anything was new.

        Raises:
            ConsentError: a blank name, an administrator of single courses, or another role without a course.
            RegistryError: a course is not on record, or the database fails.
        """
        account = account_key(checked_name("account", account))
        if role is Role.ADMINISTRATOR and courses:
            raise ConsentError("an administrator sees all courses; leave --course out, or give --role instructor")
        if role is not Role.ADMINISTRATOR and not courses:
            raise ConsentError(f"the role {role.value} is for single courses; name them with --course COURSE")
        with self._database.transaction(write=True) as session:
            wanted: set[int | None] = {known_course(session, one).id for one in courses}
            wanted = wanted or {None}
            standing = _standing(session, account)
            kept = {row.course_id for row in standing if row.role == role.value and row.course_id in wanted}
            gone = [row for row in standing if row.role != role.value or row.course_id not in wanted]
            for row in gone:
                row.revoked_at = utc_now()
            new = [
                RoleRow(account=account, role=role.value, course_id=one)
                for one in sorted(wanted - kept, key=lambda one: one or 0)
            ]
            session.add_all(new)
            if new or gone:
                log.append(session, "role", [*gone, *new])
            return bool(new or gone)

    def revoke(self, account: str) -> bool:
        """Take an account's role away, at once; returns whether it had one.

        Raises:
            ConsentError: a blank name.
            RegistryError: the account never had one, or the database fails.
        """
        account = account_key(checked_name("account", account))
        with self._database.transaction(write=True) as session:
            standing = _standing(session, account)
            for row in standing:
                row.revoked_at = utc_now()
            if standing:
                log.append(session, "role revoked", standing)
            elif not session.scalar(select(RoleRow.id).filter_by(account=account).limit(1)):
                raise RegistryError(f"account {account!r} never had a role; see who has with: engage consent roles")
            return bool(standing)

    def of(self, account: str) -> Account | None:
        """What an account may see, ``None`` for nothing.

        Raises:
            RegistryError: the database fails.
        """
        with self._database.transaction() as session:
            return next(iter(_accounts(session, account_key(account))), None)

    def on_record(self) -> tuple[Account, ...]:
        """All accounts that have a role, by name.

        Raises:
            RegistryError: the database fails.
        """
        with self._database.transaction() as session:
            return tuple(_accounts(session, None))


def _accounts(session: Session, account: str | None) -> list[Account]:
    query = select(RoleRow, CourseRow.name).outerjoin(CourseRow, CourseRow.id == RoleRow.course_id)
    query = query.where(RoleRow.revoked_at.is_(None)).order_by(RoleRow.account, RoleRow.id)
    if account is not None:
        query = query.where(RoleRow.account == account)
    found: dict[tuple[str, str], list[str]] = {}
    for row, course in session.execute(query):
        found.setdefault((row.account, row.role), []).extend([] if course is None else [course])
    return [Account(name, Role(role), tuple(courses)) for (name, role), courses in found.items()]


def _standing(session: Session, account: str) -> list[RoleRow]:
    """The account's rows not revoked, oldest first."""
    return list(session.scalars(select(RoleRow).filter_by(account=account, revoked_at=None).order_by(RoleRow.id)))
