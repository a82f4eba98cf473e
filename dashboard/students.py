"""Single students are looked at for a reason: which ones this visitor may be shown, and asking for more of them."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from consent.errors import ConsentError, NotPermitted
from dashboard import access, texts
from dashboard.access import Visitor
from dashboard.texts import students as words

LONGEST_REASON = 300


def opened(name: str) -> tuple[int, ...]:
    """The students of session ``name`` for whom this visitor gave a reason since the page was loaded."""
    return tuple(sorted(st.session_state.get(_key(name), ())))


def ask(visitor: Visitor, name: str, students: Iterable[int], *, several: bool) -> None:
    """A form that opens students, once a reason was given and noted.

    Args:
        visitor: who looks.
        name: of the session's folder.
        students: numbers in the session.
        several: whether more than one can be opened at once.
    """
    left = [student for student in students if student not in opened(name)]
    if not left:
        return
    with st.form(f"look {name}", border=False):
        who, why, go = st.columns([3, 4, 1.2], vertical_alignment="bottom")
        with who:
            if several:
                chosen = st.multiselect(words.WHICH, left, format_func=label, placeholder=words.NONE)
            else:
                one = st.selectbox(words.ONE, left, format_func=label, index=None, placeholder=words.NONE)
                chosen = [] if one is None else [one]
        reason = why.text_input(words.REASON, max_chars=LONGEST_REASON, placeholder=words.EXAMPLE)
        asked = go.form_submit_button(words.OPEN, width="stretch")
    if asked:
        _open(visitor, name, chosen, reason)


def label(student: int) -> str:
    """``Student 4``."""
    return f"{texts.STUDENT} {student}"


def _open(visitor: Visitor, name: str, chosen: list[int], reason: str) -> None:
    if not chosen:
        st.warning(words.CHOOSE_FIRST)
        return
    try:
        for student in chosen:
            access.look_at_student(visitor, name, student, reason)
            st.session_state[_key(name)] = {*opened(name), student}
    except (ConsentError, NotPermitted) as error:
        st.error(texts.plain(str(error)))
        return
    st.rerun()


def _key(name: str) -> str:
    return f"opened students of {name}"
