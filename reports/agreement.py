"""How far people agree about states, with each other and with the system: Cohen's kappa over seconds.

κ = (p_o - p_e) / (1 - p_e) with p_o the share of seconds in which both say the same and p_e what two would reach who
name states as often, but at random (Cohen 1960, Educational and Psychological Measurement 20(1), 37-46).
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from models.states import UNSEEN

SYSTEM = ""
"""Stands for the system beside the names of reviewers, which are never empty in a comparison."""

LEVELS: tuple[tuple[float, str], ...] = (
    (0.8, "almost perfect"),
    (0.6, "substantial"),
    (0.4, "moderate"),
    (0.2, "fair"),
    (0.0, "slight"),
    (-1.0, "worse than chance"),
)
"""From which κ on which words: Landis & Koch 1977, Biometrics 33(1), 159-174; bounds by convention."""


class Agreement(NamedTuple):
    """How far two agree.

    Attributes:
        one, other: names of reviewers; ``SYSTEM`` is the system.
        seconds: of students that both named.
        same: share of them in which they named the same; ``None`` where there are none.
        kappa: -1 to 1; ``None`` where both named one and the same state throughout, or nothing together.
    """

    one: str
    other: str
    seconds: int
    same: float | None
    kappa: float | None


def named_seconds(spans: pd.DataFrame) -> pd.Series:
    """The state named for each second of each student; of two spans that overlap the later row is meant.

    Args:
        spans: ``start``, ``end`` (s), ``student``, ``state``, in the order they were written. A span names the seconds
            that lie wholly in it, as for training.

    Returns:
        names, indexed by ``student`` and ``t`` (s, start of the second).
    """
    names: dict[tuple[int, int], str] = {}
    for start, end, student, state in spans[["start", "end", "student", "state"]].itertuples(index=False):
        for second in range(int(np.ceil(start)), int(np.floor(end))):
            names[int(student), second] = state
    index = pd.MultiIndex.from_tuples(list(names), names=["student", "t"])
    return pd.Series(list(names.values()), index=index, dtype=object)


def compare(one: str, first: pd.Series, other: str, second: pd.Series) -> Agreement:
    """How far two agree in the seconds that both named; see ``named_seconds``."""
    both = first.index.intersection(second.index)
    if both.empty:
        return Agreement(one, other, 0, None, None)
    a, b = first.loc[both].to_numpy(), second.loc[both].to_numpy()
    same = float((a == b).mean())
    names = np.unique(np.concatenate([a, b]))
    chance = float(sum((a == name).mean() * (b == name).mean() for name in names))
    return Agreement(one, other, len(both), same, (same - chance) / (1 - chance) if len(names) > 1 else None)


def agreements(corrections: pd.DataFrame, states: pd.DataFrame) -> list[Agreement]:
    """Each reviewer with the system, then all pairs of reviewers.

    Args:
        corrections: ``start``, ``end`` (s), ``student``, ``state``, ``reviewer``, in the order they were written; lines
            without a reviewer are left out.
        states: the system's, ``t`` (s), ``student``, ``state``; unseen seconds are left out.
    """
    reviewers = sorted(set(corrections["reviewer"]) - {SYSTEM})
    named = {name: named_seconds(corrections[corrections["reviewer"] == name]) for name in reviewers}
    seen = states[states["state"] != UNSEEN]
    index = pd.MultiIndex.from_arrays([seen["student"].astype(int), seen["t"].astype(int)], names=["student", "t"])
    system = pd.Series(seen["state"].to_numpy(object), index=index)
    with_system = [compare(name, named[name], SYSTEM, system) for name in reviewers]
    return with_system + [compare(a, named[a], b, named[b]) for a, b in combinations(reviewers, 2)]


def in_words(kappa: float) -> str:
    """``0.7`` as ``substantial``, see ``LEVELS``."""
    return next((words for bound, words in LEVELS if kappa >= bound), LEVELS[-1][1])
