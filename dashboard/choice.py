"""Which lecture a page is about: the one named in the address, or chosen on the page."""

from __future__ import annotations

import streamlit as st

from dashboard import access, library, texts
from pipeline.session import Session

QUERY = "session"
"""Name of the query parameter that links to a lecture."""
_KEPT = "lecture chosen"


def lecture() -> tuple[str, Session] | None:
    """Show a box to choose a lecture; its folder's name and session.

    ``None`` where there is none: what to do then has been said. The choice holds on the other pages, too.
    """
    visitor = access.visitor()
    found = library.load(library.folder())
    seen = found.seen_by(visitor.sees)
    asked = st.query_params.get(QUERY)
    if asked in found.sessions and asked not in seen.sessions:
        access.refused(visitor, f"session {asked}", asked)
    if not seen.sessions:
        nothing(seen)
        return None
    name = _chosen(seen)
    return name, seen.sessions[name]


def nothing(found: library.Library) -> None:
    """Say what to do where no lecture can be shown; the server's folders are an administrator's business."""
    if not access.visitor().sees(None):
        st.title(texts.NO_SESSIONS)
        st.markdown(texts.NO_SESSIONS_OF_YOURS)
    elif found.broken:
        st.title(texts.ALL_BROKEN)
        broken(found.broken)
    else:
        st.title(texts.NO_SESSIONS)
        st.markdown(texts.NO_SESSIONS_HELP.format(folder=found.folder))


def broken(errors: dict[str, str]) -> None:
    """List sessions that can not be opened, with why."""
    if not errors:
        return
    with st.expander(texts.BROKEN.format(count=len(errors)), expanded=True, icon=":material/warning:"):
        for name, error in errors.items():
            st.markdown(f"**{texts.plain(name)}** {texts.plain(error)}")


def label(name: str, session: Session) -> str:
    """A lecture in one line."""
    made = session.manifest
    return " · ".join(filter(None, [texts.shortened(made.course or ""), name, texts.moment(made.created)]))


def _chosen(found: library.Library) -> str:
    """The name of the lecture from the address, the page before or the select box; only listed ones can be named."""
    names = list(found.sessions)
    asked = st.query_params.get(QUERY, st.session_state.get(_KEPT))
    if asked is not None and asked not in found.sessions and QUERY in st.query_params:
        st.warning(
            texts.UNKNOWN_SESSION.format(name=texts.plain(asked, texts.LONGEST_NAME)),
            icon=":material/search_off:",
        )
    name = st.selectbox(
        texts.CHOOSE,
        names,
        index=names.index(asked) if asked in found.sessions else 0,
        format_func=lambda name: label(name, found.sessions[name]),
        label_visibility="collapsed",
    )
    st.query_params[QUERY] = st.session_state[_KEPT] = name
    return name
