"""Who is looking, and what they may see: every page and every file asks here.

On this computer only (without ``--serve``) the visitor is an administrator without an account. Else the role is read
from the registry each time, so that one that is revoked ends at once. Looks at a single student and refusals are noted
in the registry in both cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from consent.accesses import AccessKind
from consent.errors import NotPermitted
from consent.policy import course_key
from consent.registry import Registry
from consent.roles import Role
from dashboard import library, login
from pipeline.session import Session, SessionError, find_sessions


@dataclass(frozen=True)
class Visitor:
    """Somebody who looks at the dashboard.

    Attributes:
        name: the account; ``None`` at this computer, and where nobody is signed in.
        role: ``None`` for somebody who may see nothing.
        courses: names of the courses the role is for; an administrator has all and none is listed.
    """

    name: str | None
    role: Role | None
    courses: tuple[str, ...] = ()

    def sees(self, course: str | None) -> bool:
        """Whether the class of a course may be seen; sessions without a course are for administrators."""
        if self.role is Role.ADMINISTRATOR:
            return True
        if self.role is None or course is None:
            return False
        return course_key(course) in {course_key(one) for one in self.courses}

    @property
    def sees_students(self) -> bool:
        """Whether single students of those courses may be seen, and so the annotated video, which shows each."""
        return self.role in (Role.ADMINISTRATOR, Role.INSTRUCTOR)

    @property
    def may_change(self) -> bool:
        """Whether those courses' records may be changed: corrections, decisions, withdrawals, new analyses."""
        return self.role in (Role.ADMINISTRATOR, Role.INSTRUCTOR)


HERE = Visitor(None, Role.ADMINISTRATOR)
"""The person at this computer."""
NOBODY = Visitor(None, None)
"""Somebody who has not signed in."""


def visitor() -> Visitor:
    """Who runs the page now; ``NOBODY`` where an account is needed and there is none."""
    if login.served_at() is None:
        return HERE
    import streamlit as st

    return of_account(login.account_in(st.user.to_dict()))


def of_account(account: str | None) -> Visitor:
    """The visitor of an account (``None``: nobody signed in), by the registry."""
    if account is None:
        return NOBODY
    with Registry.open() as registry:
        found = registry.roles.of(account)
    return Visitor(account, None) if found is None else Visitor(account, found.role, found.courses)


def look_at_student(visitor: Visitor, session_name: str, student: int, reason: str) -> None:
    """Note that a visitor looks at a single student of a session; call it before anything of the student is shown.

    Args:
        visitor: who.
        session_name: name of the session's folder.
        student: the number in that session.
        reason: in the visitor's words.

    Raises:
        ConsentError: the reason is empty, or the registry cannot be written: then show nothing.
        NotPermitted: the visitor may not see single students of that session; noted as a refusal.
    """
    course = course_of(session_name)
    if not (visitor.sees(course) and visitor.sees_students):
        what = f"student {student} of session {session_name}"
        refused(visitor, what, session_name)
        raise NotPermitted(f"{what}: is not for you to see; ask an administrator for a role in the course")
    with Registry.open() as registry:
        registry.accesses.note(AccessKind.STUDENT, visitor.name, reason, course, session_name, student)


def refused(visitor: Visitor, what: str, session_name: str | None = None) -> None:
    """Note that a visitor asked for something and did not get it.

    Raises:
        RegistryError: the registry cannot be written.
    """
    course = None if session_name is None else course_of(session_name)
    with Registry.open() as registry:
        registry.accesses.note(AccessKind.REFUSED, visitor.name, what, course, session_name)


def course_of(session_name: str, folder: Path | None = None) -> str | None:
    """The course of a session that the sessions folder lists; ``None`` for another, a damaged one, or without one."""
    folder = library.folder() if folder is None else folder
    if session_name not in {path.name for path in find_sessions(folder)}:
        return None
    try:
        return Session.open(folder / session_name).manifest.course
    except SessionError:
        return None


def take_away(visitor: Visitor, session_name: str) -> bool:
    """Whether the tables a visitor takes away may hold single students; then that is noted first.

    Raises:
        NotPermitted: the visitor may not see the session at all; noted as a refusal.
        RegistryError: it cannot be noted: then give nothing.
    """
    course = course_of(session_name)
    if not visitor.sees(course):
        what = f"the tables of session {session_name}"
        refused(visitor, what, session_name)
        raise NotPermitted(f"{what}: are not for you to see; ask an administrator for a role in the course")
    if visitor.sees_students:
        with Registry.open() as registry:
            words = "the tables of all students were downloaded"
            registry.accesses.note(AccessKind.EXPORT, visitor.name, words, course, session_name)
    return visitor.sees_students
