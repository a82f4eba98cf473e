"""The door of a served dashboard: nobody without a role gets behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from consent.roles import Role
from dashboard import access, login, texts
from dashboard.access import Visitor
from dashboard.texts import access as words

NOT_FOR: Final = {Role.VIEWER: frozenset(("correct", "consent"))}
"""Pages about single students and pages that change records, by the roles that do not get them."""

_NOTED: Final = "refusal noted"
"""In the state of a visit: whether its refusal is on record, once for each."""


def enter() -> Visitor:
    """The visitor, who has a role; anybody else is shown how to get one, and the script stops."""
    visitor = access.visitor()
    if visitor.role is None:
        _turn_away(visitor)
        st.stop()
    return visitor


def _turn_away(visitor: Visitor) -> None:
    st.title(texts.APP)
    if visitor.name is None:
        st.markdown(words.SIGN_IN_EXPIRED if st.user.get("is_logged_in") else words.SIGN_IN_HELP)
        st.button(words.SIGN_IN, on_click=st.login, type="primary")
        return
    if not st.session_state.get(_NOTED):
        st.session_state[_NOTED] = True
        access.refused(visitor, "the dashboard: the account has no role")
    st.markdown(words.NO_ROLE.format(name=texts.plain(visitor.name)))
    st.button(words.SIGN_OUT, on_click=st.logout)


def pages(visitor: Visitor, names: Sequence[str]) -> list[str]:
    """Those of the pages that the visitor's role gets."""
    return [name for name in names if visitor.role is None or name not in NOT_FOR.get(visitor.role, ())]


def account(visitor: Visitor) -> None:
    """Under each page: who is signed in, and signing out; nothing on this computer only."""
    if login.served_at() is None or visitor.name is None or visitor.role is None:
        return
    st.divider()
    with st.container(horizontal=True, vertical_alignment="center"):
        courses = ", ".join(texts.shortened(one) for one in visitor.courses) or words.ALL_COURSES
        st.caption(
            words.SIGNED_IN.format(
                name=texts.plain(visitor.name), role=words.ROLES[visitor.role.value], courses=texts.plain(courses)
            )
        )
        st.button(words.SIGN_OUT, on_click=st.logout, type="tertiary")
