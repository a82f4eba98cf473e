"""Under which name marks and corrections are saved: the account's, or initials where there are no accounts."""

from __future__ import annotations

import streamlit as st

from dashboard import texts
from dashboard.access import Visitor
from dashboard.texts import reviewer as words
from pipeline.errors import InputError
from pipeline.notes import LONGEST_NAME, reviewer_name

_KEPT = "reviewer"


def ask(visitor: Visitor) -> None:
    """A box for initials, where the visitor has no account."""
    if visitor.name is not None:
        return
    given = st.text_input(words.SAVED_AS, name_of(visitor), max_chars=LONGEST_NAME, help=words.HELP, width=170)
    try:
        st.session_state[_KEPT] = reviewer_name(given)
    except InputError as error:
        st.error(texts.plain(str(error)))


def name_of(visitor: Visitor) -> str:
    """The name that is written beside what this visitor says."""
    return st.session_state.get(_KEPT, words.HERE) if visitor.name is None else reviewer_name(visitor.name)
