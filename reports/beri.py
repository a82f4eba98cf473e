"""The share of students engaged in two-minute windows: a number that needs no weights, beside the index.

After the Behavioral Engagement Related to Instruction protocol (BERI; Lane & Harris 2015, Journal of College Science
Teaching 44(6), 83-91), in which an observer in the room says of each of ten students whether they are engaged. Here the
states say it: a student is engaged in a window when states that take part in the lecture are the likelier ones over the
time seen. Confused counts as taking part, as somebody confused is busy with the matter.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from models.states import State
from reports.formula import evidence
from reports.intervals import FEWEST_BLOCKS, UNKNOWN, Interval, student_t

WINDOW_S: Final = 120.0
SHORTEST_REST_S: Final = 60.0
"""A rest at the end that is shorter belongs to the window before it."""

ENGAGED: Final = frozenset({State.ATTENTIVE, State.TAKING_NOTES, State.DISCUSSING, State.CONFUSED})
OBSERVED_SHARE: Final = 0.25
"""Of a window, for which a student has to be seen to count as observed."""


def engaged_share(states: pd.DataFrame, withhold_below: int) -> pd.DataFrame:
    """Engaged ÷ observed students by window.

    Args:
        states: one row per student and second (``pipeline.session.STATE_COLUMNS``).
        withhold_below: observed students below which the share is withheld.

    Returns:
        One row per window: ``start``, ``end`` (s), ``observed`` (students), ``share`` (0 to 1, NaN where withheld).

    Raises:
        FormulaError: as ``reports.formula.evidence``.
    """
    emitted, posterior, coverage = evidence(states)
    columns = ["start", "end", "observed", "share"]
    if states.empty:
        return pd.DataFrame(columns=columns)
    t = states["t"].to_numpy(float)
    first, last = t.min(), t.max() + 1.0
    edges = np.arange(first, last, WINDOW_S)
    if len(edges) > 1 and last - edges[-1] < SHORTEST_REST_S:
        edges = edges[:-1]
    edges = np.append(edges, last)
    window = np.searchsorted(edges, t, side="right") - 1
    student, numbers = pd.factorize(states["student"])
    cell, shape = window * len(numbers) + student, (len(edges) - 1, len(numbers))
    takes_part = posterior[:, [state in ENGAGED for state in emitted]].sum(axis=1)
    seen = np.bincount(cell, coverage, shape[0] * shape[1]).reshape(shape)
    part = np.bincount(cell, np.nan_to_num(takes_part) * coverage, shape[0] * shape[1]).reshape(shape)
    observed = seen >= OBSERVED_SHARE * np.diff(edges)[:, None]
    engaged = observed & (part > 0.5 * seen)
    count = observed.sum(axis=1)
    share = np.where(count >= max(withhold_below, 1), engaged.sum(axis=1) / np.maximum(count, 1), np.nan)
    return pd.DataFrame(dict(zip(columns, (edges[:-1], edges[1:], count, share), strict=True)))


def session_share(windows: pd.DataFrame) -> tuple[float | None, Interval]:
    """The mean share over windows weighted by observed students, with its interval; ``None`` where all are withheld.

    The interval takes windows as independent, and there is none for fewer than six of them.
    """
    kept = windows[windows["share"].notna()]
    if kept.empty:
        return None, UNKNOWN
    share, weight = kept["share"].to_numpy(float), kept["observed"].to_numpy(float)
    value = float(np.average(share, weights=weight))
    if len(kept) < FEWEST_BLOCKS:
        return value, UNKNOWN
    spread = np.sqrt(np.sum((weight * (share - value)) ** 2) / (1 - 1 / len(kept))) / weight.sum()
    half = student_t(len(kept)) * float(spread)
    return value, Interval(max(value - half, 0.0), min(value + half, 1.0))
