"""A course over weeks: the index of each lecture with its trend, and the states its seen time divides into."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import altair as alt
import pandas as pd

from dashboard import texts, theme
from dashboard.overview import Lecture
from models.states import PALETTE, State
from reports.trend import Trend

HEIGHT = 170


def table(made: Sequence[Lecture]) -> pd.DataFrame:
    """One row per lecture with an index: ``day``, ``lecture``, ``engagement``, ``low``, ``high``, ``coverage``."""
    rows = [
        {
            "day": pd.Timestamp(one.day),
            "lecture": texts.shortened(one.title),
            "engagement": summary.mean,
            "low": summary.low,
            "high": summary.high,
            "coverage": summary.coverage,
        }
        for one in made
        for summary in (one.session.manifest.engagement,)
        if summary.mean is not None
    ]
    return pd.DataFrame(rows, columns=["day", "lecture", "engagement", "low", "high", "coverage"])


def index_chart(made: Sequence[Lecture], line: Trend | None) -> alt.LayerChart:
    """The index of each lecture with its interval over the days, and a straight trend where there is one."""
    rows = table(made)
    base = alt.Chart(rows).encode(
        x=alt.X("day:T", title=None, axis=alt.Axis(format="%-d %b", grid=False, tickCount=6)),
        tooltip=[
            alt.Tooltip("lecture:N", title=texts.CHOOSE),
            alt.Tooltip("day:T", title=texts.DAY, format="%Y-%m-%d"),
            alt.Tooltip("engagement:Q", title=texts.ENGAGEMENT, format=".2f"),
            alt.Tooltip("coverage:Q", title=texts.COVERAGE, format=".0%"),
        ],
    )
    scale = alt.Scale(domain=[0, 1])
    axis = alt.Axis(format=".1f", values=[0, 0.5, 1], minExtent=30)
    colour = PALETTE[State.ATTENTIVE]
    layers: list[Any] = [
        base.transform_filter("isValid(datum.low)")
        .mark_rule(color=colour, strokeWidth=2, opacity=0.5)
        .encode(y=alt.Y("low:Q", title=texts.ENGAGEMENT, scale=scale, axis=axis), y2="high:Q"),
        base.mark_point(color=colour, filled=True, size=60, opacity=1).encode(
            y=alt.Y("engagement:Q", title=texts.ENGAGEMENT, scale=scale, axis=axis)
        ),
    ]
    if line is not None and line.ends is not None:
        ends = pd.DataFrame({"day": [rows["day"].min(), rows["day"].max()], "engagement": line.ends})
        layers.append(
            alt.Chart(ends)
            .mark_line(color=theme.INK, strokeDash=[4, 3], strokeWidth=1.2, clip=True)
            .encode(x="day:T", y=alt.Y("engagement:Q", scale=scale))
        )
    return alt.layer(*layers).properties(height=HEIGHT)


def shares_chart(made: Sequence[Lecture], states: Sequence[State]) -> alt.Chart:
    """Stacked shares of the states, a bar for each lecture in the order of days."""
    rows = [
        {
            "place": place,
            "day": _short(one.day),
            "lecture": texts.shortened(one.title),
            "state": state.label,
            "order": states.index(state),
            "share": share,
        }
        for place, one in enumerate(sorted(made, key=lambda one: (one.day, one.session.manifest.created)))
        for state, share in (one.shares or {}).items()
        if state in states
    ]
    shares = pd.DataFrame(rows, columns=["place", "day", "lecture", "state", "order", "share"])
    days = {int(row.place): row.day for row in shares.drop_duplicates("place").itertuples()}
    label = f"{list(days.values())!r}[indexof({list(days)!r}, datum.value)]"
    scale = alt.Scale(domain=[state.label for state in states], range=[PALETTE[state] for state in states])
    legend = alt.Legend(orient="right", labelFontSize=12, labelColor=theme.INK)
    axis = alt.Axis(format=".0%", values=[0, 0.5, 1])
    return (
        alt.Chart(shares)
        .mark_bar()
        .encode(
            x=alt.X("place:O", title=None, axis=alt.Axis(labelExpr=label, labelAngle=0, labelOverlap=True)),
            y=alt.Y("share:Q", title=texts.STATES, scale=alt.Scale(domain=[0, 1]), axis=axis),
            color=alt.Color("state:N", title=None, scale=scale, legend=legend),
            order="order:Q",
            tooltip=[
                alt.Tooltip("lecture:N", title=texts.CHOOSE),
                alt.Tooltip("day:N", title=texts.DAY),
                alt.Tooltip("state:N", title=texts.STATE),
                alt.Tooltip("share:Q", title=texts.SHARE, format=".0%"),
            ],
        )
        .properties(height=HEIGHT)
    )


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"
