"""The class over a lecture under two sets of weights."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard import player, texts, theme
from dashboard.texts import method as words
from models.states import PALETTE, State

HEIGHT = 260
MOST_TICKS = 9
_CLOCK = "utcFormat(datum.value * 1000, datum.value >= 3600 ? '%-H:%M:%S' : '%-M:%S')"


def weights_chart(chosen: pd.DataFrame, made_with: pd.DataFrame, duration: float) -> alt.Chart:
    """Both as lines in bins.

    Args:
        chosen: class rows of ``reports.formula.engagement_table`` under the weights tried.
        made_with: those on record.
        duration: of the lecture, s.
    """
    bins = pd.concat(
        [
            _binned(table, duration).assign(weights=name)
            for name, table in ((words.MADE_WITH, made_with), (words.CHOSEN, chosen))
        ]
    )
    names = [words.CHOSEN, words.MADE_WITH]
    colours = alt.Scale(domain=names, range=[PALETTE[State.ATTENTIVE], theme.INK])
    dashes = alt.Scale(domain=names, range=[[1, 0], [4, 3]])
    ticks = list(range(0, int(duration) + 1, player.step(duration, MOST_TICKS)))
    return (
        alt.Chart(bins)
        .mark_line()
        .encode(
            x=alt.X(
                "t:Q",
                title=None,
                scale=alt.Scale(domain=[0, duration], nice=False),
                axis=alt.Axis(values=ticks, labelExpr=_CLOCK, grid=False),
            ),
            y=alt.Y(
                "engagement:Q",
                title=texts.ENGAGEMENT,
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(values=[0, 0.5, 1], format=".1f"),
            ),
            color=alt.Color("weights:N", title=None, scale=colours, legend=alt.Legend(orient="top")),
            strokeDash=alt.StrokeDash("weights:N", title=None, scale=dashes, legend=None),
            tooltip=[
                alt.Tooltip("clock:N", title=texts.TIME),
                alt.Tooltip("weights:N", title=words.WEIGHT),
                alt.Tooltip("engagement:Q", title=texts.ENGAGEMENT, format=".2f"),
            ],
        )
        .properties(height=HEIGHT)
    )


def _binned(table: pd.DataFrame, duration: float) -> pd.DataFrame:
    bins = player.binned(table, duration)
    return bins.assign(clock=bins["t"].map(texts.clock))
