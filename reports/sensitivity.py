"""How much the index depends on the weights: what it would be under other weights in the same order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.states import State
from reports.formula import CLASS, SHARE_PREFIX
from reports.intervals import Interval
from reports.weights import ORDER, StateWeights

WEIGHTINGS: Final = 1000
SEED: Final = 219


def weightings(states: tuple[State, ...], count: int = WEIGHTINGS) -> NDArray[np.float64]:
    """(count, states) random weights in the given order of ``states``.

    The highest state counts 1 and the lowest 0, which fixes the scale; those between are drawn uniformly and sorted, so
    that every weighting which keeps the order is as likely as any other.
    """
    ranked = [state for state in ORDER if state in states]
    between = np.sort(np.random.default_rng(SEED).random((count, max(len(ranked) - 2, 0))), axis=1)[:, ::-1]
    columns = [np.ones((count, 1)), between, np.zeros((count, 1))]
    drawn = np.concatenate(columns, axis=1)[:, : len(ranked)]
    return drawn[:, [ranked.index(state) for state in states]]


def under(table: pd.DataFrame, weights: StateWeights) -> pd.DataFrame:
    """The class rows of ``engagement_table`` with the index that these weights give to the shares on record.

    What was withheld stays so; with the weights the table was made with, nothing changes but rounding.

    Args:
        table: see ``reports.formula.engagement_table``.
        weights: of all its states.
    """
    rows = table[table["scope"] == CLASS]
    states = tuple(state for state in State if SHARE_PREFIX + state.value in rows)
    shares = rows[[SHARE_PREFIX + state.value for state in states]].to_numpy(float)
    index = np.clip(shares @ weights.vector(states), 0.0, 1.0)
    return rows.assign(engagement=np.where(rows["engagement"].notna(), index, np.nan))


def band(shares: Mapping[State, float]) -> Interval | None:
    """Where the index lies under 95% of such weightings, given the shares of the seen time; ``None`` without any."""
    if not shares:
        return None
    states = tuple(shares)
    index = weightings(states) @ np.array([shares[state] for state in states])
    low, high = np.clip(np.quantile(index, [0.025, 0.975]), 0.0, 1.0)
    return Interval(float(low), float(high))
