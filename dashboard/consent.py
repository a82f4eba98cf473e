"""The page about consent: approvals of a course, who said what on a picture of the room, withdrawals and forms."""

from __future__ import annotations

import streamlit as st

from consent.errors import ConsentError
from consent.policy import course_key
from consent.registry import Registry
from consent.roles import Role
from dashboard import access, answers, approvals, choice, forms, library, texts, withdrawing
from dashboard.access import Visitor
from dashboard.library import Library
from dashboard.texts import access as door_words
from dashboard.texts import consent as words

QUERY = "course"
"""Name of the query parameter that links to a course."""


def page() -> None:
    """Choose a course and look after the consent of its people."""
    visitor = access.visitor()
    if not visitor.may_change:
        access.refused(visitor, "the page about consent")
        st.info(door_words.NOT_YOURS)
        return
    try:
        with Registry.open() as registry:
            _page(registry, visitor)
    except ConsentError as error:
        st.error(texts.plain(str(error)))


def _page(registry: Registry, visitor: Visitor) -> None:
    found = library.load(library.folder()).seen_by(visitor.sees)
    courses = _courses(registry, visitor, found)
    if not courses:
        st.subheader(words.NO_COURSE, anchor=False)
        if visitor.role is Role.ADMINISTRATOR:
            st.markdown(words.NO_COURSE_HELP)
            approvals.form(registry, None)
        else:
            st.markdown(words.NO_COURSE_YOURS)
        choice.broken(found.broken)
        return
    course = _chosen(courses)
    sessions = {
        name: one
        for name, one in found.sessions.items()
        if one.manifest.course is not None and course_key(one.manifest.course) == course_key(course)
    }
    tabs = st.tabs(
        [words.APPROVALS, words.SEATS, words.WITHDRAWALS, words.FORMS], on_change="rerun", key="part of consent"
    )
    shown = (
        lambda: approvals.show(registry, visitor, course),
        lambda: answers.show(registry, visitor, course, sessions),
        lambda: withdrawing.listed(course),
        lambda: forms.show(course),
    )
    for tab, part in zip(tabs, shown, strict=True):
        if tab.open:
            with tab:
                part()
    choice.broken(found.broken)


def _courses(registry: Registry, visitor: Visitor, found: Library) -> list[str]:
    """Courses on record and courses of sessions, as far as the visitor sees them, each once."""
    named = [*registry.courses(), *(one.manifest.course for one in found.sessions.values() if one.manifest.course)]
    courses = {course_key(one): one for one in reversed(named) if visitor.sees(one)}
    return [courses[key] for key in sorted(courses)]


def _chosen(courses: list[str]) -> str:
    asked = st.query_params.get(QUERY)
    known = {course_key(one): place for place, one in enumerate(courses)}
    course = st.selectbox(
        words.COURSE,
        courses,
        index=known.get(course_key(asked), 0) if asked else 0,
        format_func=texts.shortened,
        label_visibility="collapsed",
    )
    st.query_params[QUERY] = texts.shortened(course)
    return course
