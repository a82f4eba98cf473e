"""The map of moments: every second of every student as a dot, close to seconds that were alike.

A dot says whose it is only where somebody gave a reason to look at that student.
"""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import students, tables, texts, theme
from dashboard.texts import review as words
from models.errors import ModelFileError
from models.states import PALETTE, State
from pipeline.errors import InputError
from pipeline.session import Session, SessionError

MOST_DOTS = 3000
"""More of them hide each other, and Altair refuses 5,000 rows."""


def show(name: str, session: Session, seen: tuple[int, ...]) -> None:
    """A switch, and the map below it once it is on: it takes long, and few look at it. ``seen``: students opened."""
    if not st.toggle(words.MAP, help=words.MAP_HELP, key=f"map {name}"):
        return
    try:
        with st.spinner(words.MAP_WAIT):
            dots = tables.latent_map(session)
        shown = thinned(dots, session.events, seen)
    except (SessionError, InputError, ModelFileError) as error:
        st.info(texts.plain(str(error)))
        return
    st.altair_chart(chart(shown), key=f"dots {name}")
    if len(shown) < len(dots):
        st.caption(words.MAP_SAMPLE.format(shown=len(shown), all=len(dots)))


def thinned(dots: pd.DataFrame, events: pd.DataFrame, seen: tuple[int, ...]) -> pd.DataFrame:
    """At most ``MOST_DOTS`` dots besides those of unusual spans, which are all kept and last.

    Args:
        dots: see ``models.moments.latent_map``.
        events: unusual spans.
        seen: students who may be named.

    Returns:
        the dots with ``what``, usual or not, ``clock`` and ``who``; no other word of the student.
    """
    odd = pd.Series(False, dots.index)
    for event in events.itertuples(index=False):
        odd |= (dots["student"] == event.student) & (dots["t"] >= event.start) & (dots["t"] < event.end)
    usual = dots[~odd]
    kept = pd.concat([usual.sample(min(MOST_DOTS, len(usual)), random_state=0), dots[odd]])
    named = kept["student"].map(lambda one: students.label(one) if one in seen else words.SOMEBODY)
    what = odd.loc[kept.index].map({True: words.MAP_ODD, False: words.MAP_USUAL})
    return kept.drop(columns="student").assign(what=what, clock=kept["t"].map(texts.clock), who=named)


def chart(dots: pd.DataFrame) -> alt.Chart:
    """The map. ``dots``: see ``thinned``."""
    blank = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    scale = alt.Scale(domain=[words.MAP_USUAL, words.MAP_ODD], range=[PALETTE[State.ATTENTIVE], theme.UNUSUAL])
    return (
        alt.Chart(dots)
        .mark_circle()
        .encode(
            x=alt.X("x:Q", title=None, axis=blank),
            y=alt.Y("y:Q", title=None, axis=blank),
            color=alt.Color("what:N", title=None, scale=scale, legend=alt.Legend(orient="top-left")),
            size=alt.Size("score:Q", scale=alt.Scale(range=[12, 90]), legend=None),
            opacity=alt.condition(f"datum.what === '{words.MAP_ODD}'", alt.value(0.95), alt.value(0.35)),
            tooltip=[
                alt.Tooltip("who:N", title=texts.STUDENT),
                alt.Tooltip("clock:N", title=texts.TIME),
                alt.Tooltip("score:Q", title=words.MAP_SCORE, format=".1f"),
            ],
        )
        .properties(height=360)
    )
