"""The class timeline (engagement with coverage, below it the states the seen time divides into), the map of moments.

The timeline is two charts, not one joined by Altair: Streamlit gives that a wrong width (streamlit#13410, #13974).
"""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard import texts, theme
from models.states import PALETTE, State
from reports.formula import SHARE_PREFIX, in_bins

MOST_BINS = 300
"""About one bin per 2 px of the chart: finer can not be seen, and 3 hours have 10,800 seconds."""
MOST_TICKS = 9
MOST_DOTS = 3000
"""More of them hide each other, and Altair refuses 5,000 rows."""
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Bin and tick lengths that read well on a clock, s."""

_CLOCK = "utcFormat(datum.value * 1000, datum.value >= 3600 ? '%-H:%M:%S' : '%-M:%S')"
_MARGINS = {"left": 0, "right": 14, "top": 5, "bottom": 0}


def step(duration: float, most: int) -> int:
    """The shortest of ``STEPS`` (s) that divides ``duration`` (s) into at most ``most`` parts."""
    return next((step for step in STEPS if duration <= step * most), STEPS[-1])


def binned(engagement: pd.DataFrame, duration: float) -> pd.DataFrame:
    """The class rows of ``engagement.csv`` in at most ``MOST_BINS`` bins.

    Returns:
        As ``in_bins``, with ``end`` (s) of each bin and ``clock``, its start as people read it.
    """
    length = step(duration, MOST_BINS)
    bins = in_bins(engagement, length)
    end = (bins["t"] + length).clip(upper=duration)
    return bins.assign(end=end, clock=bins["t"].map(texts.clock))


def engagement_chart(bins: pd.DataFrame, events: pd.DataFrame, duration: float) -> alt.LayerChart:
    """Engagement as a line over coverage in grey, with a mark above each unusual span.

    Args:
        bins: see ``binned``.
        events: unusual spans, ``start`` and ``end`` in s.
        duration: length of the lecture, s.
    """
    steps = alt.Chart(bins).encode(
        x=_time("t:Q", duration, labels=False),
        tooltip=[
            alt.Tooltip("clock:N", title=texts.TIME),
            alt.Tooltip("engagement:Q", title=texts.ENGAGEMENT, format=".2f"),
            alt.Tooltip("coverage:Q", title=texts.COVERAGE, format=".0%"),
        ],
    )
    coverage = steps.mark_bar(color=theme.MUTED, binSpacing=0, opacity=0.5).encode(
        x=_time("t:Q", duration, labels=False).bin("binned"), x2="end:Q", y=_share("coverage:Q", "", ".1f")
    )
    line = steps.mark_line(color=PALETTE[State.ATTENTIVE], strokeWidth=2).encode(
        y=_share("engagement:Q", texts.ENGAGEMENT, ".1f")
    )
    unusual = (
        alt.Chart(events)
        .mark_rect(color=theme.UNUSUAL, stroke=theme.UNUSUAL, strokeWidth=2)  # visible however short
        .encode(
            x="start:Q",
            x2="end:Q",
            y=alt.value(0),
            y2=alt.value(5),
            tooltip=[alt.Tooltip("student:N", title=texts.STUDENT), alt.Tooltip("why:N", title=texts.WHY)],
        )
    )
    return alt.layer(coverage, line, unusual).properties(height=90, padding=_MARGINS)


def states_chart(bins: pd.DataFrame, states: tuple[str, ...], duration: float) -> alt.Chart:
    """The shares of ``states``, stacked in this order; empty where nobody was seen. ``bins``: see ``binned``."""
    labels = {SHARE_PREFIX + name: State(name).label for name in states}
    shares = bins.rename(columns=labels).melt(["t", "end", "clock"], list(labels.values()), "state", "share")
    shares["order"] = shares["state"].map({label: place for place, label in enumerate(labels.values())})
    scale = alt.Scale(domain=list(labels.values()), range=[PALETTE[State(name)] for name in states])
    legend = alt.Legend(orient="bottom", columns=len(states), labelFontSize=12, offset=4, labelColor=theme.INK)
    return (
        alt.Chart(shares)
        .mark_bar(binSpacing=0)
        .encode(
            x=_time("t:Q", duration, labels=True).bin("binned"),
            x2="end:Q",
            y=_share("share:Q", texts.STATES, ".0%"),
            color=alt.Color("state:N", title=None, scale=scale, legend=legend),
            order="order:Q",
            tooltip=[
                alt.Tooltip("clock:N", title=texts.TIME),
                alt.Tooltip("state:N", title=texts.STATE),
                alt.Tooltip("share:Q", title=texts.SHARE, format=".0%"),
            ],
        )
        .properties(height=140, padding=_MARGINS)
    )


def thinned(dots: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """At most ``MOST_DOTS`` of the map's dots besides those of unusual spans, which are all kept and last.

    Args:
        dots: see ``models.moments.latent_map``.
        events: unusual spans.

    Returns:
        the dots with ``what``, usual or not, and ``clock``.
    """
    odd = pd.Series(False, dots.index)
    for event in events.itertuples(index=False):
        odd |= (dots["student"] == event.student) & (dots["t"] >= event.start) & (dots["t"] < event.end)
    usual = dots[~odd]
    kept = pd.concat([usual.sample(min(MOST_DOTS, len(usual)), random_state=0), dots[odd]])
    what = odd.loc[kept.index].map({True: texts.MAP_ODD, False: texts.MAP_USUAL})
    return kept.assign(what=what, clock=kept["t"].map(texts.clock))


def moments_chart(dots: pd.DataFrame) -> alt.Chart:
    """The map of moments. ``dots``: see ``thinned``."""
    blank = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    scale = alt.Scale(domain=[texts.MAP_USUAL, texts.MAP_ODD], range=[PALETTE[State.ATTENTIVE], theme.UNUSUAL])
    return (
        alt.Chart(dots)
        .mark_circle()
        .encode(
            x=alt.X("x:Q", title=None, axis=blank),
            y=alt.Y("y:Q", title=None, axis=blank),
            color=alt.Color("what:N", title=None, scale=scale, legend=alt.Legend(orient="top-left")),
            size=alt.Size("score:Q", scale=alt.Scale(range=[12, 90]), legend=None),
            opacity=alt.condition(f"datum.what === '{texts.MAP_ODD}'", alt.value(0.95), alt.value(0.35)),
            tooltip=[
                alt.Tooltip("student:N", title=texts.STUDENT),
                alt.Tooltip("clock:N", title=texts.TIME),
                alt.Tooltip("score:Q", title=texts.SCORE, format=".1f"),
            ],
        )
        .properties(height=360)
    )


def _time(field: str, duration: float, *, labels: bool) -> alt.X:
    ticks = list(range(0, int(duration) + 1, step(duration, MOST_TICKS)))
    axis = alt.Axis(values=ticks, labelExpr=_CLOCK, labels=labels, grid=False, ticks=labels, domain=labels)
    return alt.X(field, title=None, scale=alt.Scale(domain=[0, duration], nice=False), axis=axis)


def _share(field: str, title: str, form: str) -> alt.Y:
    # A fixed width for the labels keeps the two charts' times above each other.
    axis = alt.Axis(format=form, values=[0, 0.5, 1], minExtent=42, maxExtent=42, titlePadding=2)
    return alt.Y(field, title=title, scale=alt.Scale(domain=[0, 1]), axis=axis)
