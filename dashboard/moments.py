"""The map of moments: every second of every student as a dot, close to seconds that were alike."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import charts, texts
from models.errors import ModelFileError
from pipeline.session import EVENTS, OBSERVATIONS, Session, SessionError


def show(name: str, session: Session) -> None:
    """A switch, and the map below it once it is on: it takes long, and few look at it."""
    if not st.toggle(texts.MAP, help=texts.MAP_HELP, key=f"map of {name}"):
        return
    try:
        changed = [(session.folder / file).stat().st_mtime_ns for file in (OBSERVATIONS, EVENTS)]
        dots = _dots(str(session.folder), changed)
        events = session.events
    except (SessionError, ModelFileError, OSError) as error:
        st.error(texts.plain(str(error)))
        return
    if dots.empty:
        st.info(texts.MAP_OF_NOBODY)
        return
    shown = charts.thinned(dots, events)
    st.altair_chart(charts.moments_chart(shown), key=f"moments of {name}")
    if len(shown) < len(dots):
        st.caption(texts.MAP_SAMPLE.format(shown=len(shown), all=len(dots)))


@st.cache_data(max_entries=4, ttl=3600, show_spinner=texts.MAP_WAIT)
def _dots(folder: str, changed: list[int]) -> pd.DataFrame:
    """See ``models.moments.latent_map``; ``changed``: when the tables were, so that no withdrawn student lives on."""
    from models.moments import latent_map  # torch takes its time to load
    from pipeline.places import scored_again

    scored = scored_again(Session.open(Path(folder)))
    return pd.DataFrame() if scored is None else latent_map(scored)
