"""Unusual behaviour, version 1: how far a second departs from the student's own lecture, in robust deviations.

No labels of abnormal behaviour are needed and the reason is the cue itself. The measure is the modified z-score
(Iglewicz & Hoaglin 1993): |x - median| / (1.4826 · MAD), per student and cue, with a floor under the deviation so
that a student who never moves is not flagged for a twitch.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

CUES = {
    "motion": (0.10, "large motion"),
    "rise": (0.12, "head far from its usual height"),
    "shift": (0.12, "far from the seat"),
    "size": (0.12, "much taller or smaller than usual"),
}
"""Cue -> (smallest deviation that counts as one, words). motion in body heights/s; rise and shift in body heights from
the student's median place; size in natural logarithm of the box height over its median."""

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a normal distribution times this is its standard deviation."""


class AnomalySettings(BaseModel):
    """When a span is called unusual."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = Field(
        5.0,
        gt=0,
        description="deviations at which a span begins; lower finds more and flags more ordinary shifting",
    )
    release: float = Field(3.0, gt=0, description="deviations below which a span ends (hysteresis)")
    min_s: float = Field(2.0, ge=0, description="s a span must last")
    join_s: float = Field(3.0, ge=0, description="s between two spans of a student below which they are one")


def unusual_spans(places: pd.DataFrame, settings: AnomalySettings) -> pd.DataFrame:
    """Spans in which a student departs from the own lecture.

    Args:
        places: one row per student and second with ``t`` (whole s), ``student``, ``motion`` (body heights/s), ``x``,
            ``y`` (px, middle of the head), ``height`` (px, box); NaN, or no row, where not seen.
        settings: thresholds.

    Returns:
        rows of ``pipeline.session.EVENT_COLUMNS``, most unusual first; score and threshold in robust deviations.
    """
    spans = []
    for student, rows in places.groupby("student"):
        rows = rows.set_index("t").sort_index()
        seconds = np.arange(rows.index[0], rows.index[-1] + 1)
        scores = _deviations(rows).reindex(seconds)  # an absence parts what lies on its two sides
        peak = scores.max(axis=1).to_numpy()
        for first, last in _hysteresis(np.nan_to_num(peak), settings):
            inside = scores.iloc[first : last + 1]
            top = inside.max().sort_values(ascending=False)
            words = [CUES[name][1] for name, score in top.items() if score >= settings.threshold]
            spans.append(
                {
                    "start": float(seconds[first]),
                    "end": float(seconds[last]) + 1.0,
                    "student": int(student),
                    "score": float(top.iloc[0]),
                    "threshold": settings.threshold,
                    "why": ", ".join(words[:2]),
                }
            )
    columns = {"start": float, "end": float, "student": int, "score": float, "threshold": float, "why": str}
    table = pd.DataFrame(spans, columns=list(columns)).astype(columns)
    return table.sort_values("score", ascending=False, ignore_index=True)


def _deviations(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.where(np.isfinite(rows))
    rows = rows.where(rows["height"] > 0)
    usual = rows[["x", "y", "height"]].median()
    values = pd.DataFrame(
        {
            "motion": rows["motion"],
            "rise": (rows["y"] - usual["y"]) / usual["height"],
            "shift": (rows["x"] - usual["x"]) / usual["height"],
            "size": np.log(rows["height"] / usual["height"]),
        }
    )
    floor = pd.Series({name: least for name, (least, _) in CUES.items()})
    spread = MAD_TO_SIGMA * (values - values.median()).abs().median()
    return (values - values.median()).abs() / np.maximum(spread.fillna(0.0), floor)


def _hysteresis(scores: np.ndarray, settings: AnomalySettings) -> list[tuple[int, int]]:
    """(first, last) indices of spans that reach the threshold, stretched while above the release level."""
    spans: list[tuple[int, int]] = []
    above = scores >= settings.release
    edges = np.flatnonzero(np.diff(np.concatenate([[False], above, [False]]).astype(int)))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        if scores[first:end].max() < settings.threshold:
            continue
        if spans and first - spans[-1][1] - 1 <= settings.join_s:
            spans[-1] = (spans[-1][0], int(end) - 1)
        else:
            spans.append((int(first), int(end) - 1))
    return [(first, last) for first, last in spans if last - first + 1 >= settings.min_s]
