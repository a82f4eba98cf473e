"""Single students over time: the likeliest state, how far it can be believed and how much was seen of it.

A posterior is a degree of belief, so no state stands here without ``sure``, the probability it was given, and ``seen``,
the share of the time there was evidence at all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.states import State
from reports.errors import FormulaError
from reports.formula import evidence

NOBODY = -1
"""State of a bin in which the student was not seen."""

LEVELS: tuple[tuple[float, str], ...] = (
    (0.85, "very likely"),
    (0.66, "likely"),
    (0.5, "more likely than not"),
    (0.0, "hard to tell"),
)
"""From which probability on which words: in the order of the IPCC's likelihood scale (Mastrandrea et al. 2010), bounds
ours."""

SPAN_COLUMNS = ("start", "end", "student", "state", "sure", "seen")


@dataclass(frozen=True)
class Ribbons:
    """Students by bins of equal length.

    Attributes:
        students: (n,) numbers in order.
        states: what ``state`` counts in.
        length: of a bin, s; bins begin at 0.
        state: (n, bins) index into ``states``, ``NOBODY`` where not seen.
        sure: (n, bins) mean probability of that state over the seen time of the bin, 0 where not seen.
        seen: (n, bins) share of the bin with evidence.
    """

    students: NDArray[np.int64]
    states: tuple[State, ...]
    length: float
    state: NDArray[np.int8]
    sure: NDArray[np.float64]
    seen: NDArray[np.float64]


def ribbons(states: pd.DataFrame, duration: float, length: float = 1.0) -> Ribbons:
    """The likeliest state of each student in each bin: that of the posterior's mean, weighted by coverage.

    Args:
        states: one row per student and second (``pipeline.session.STATE_COLUMNS``), of some or all students.
        duration: of the lecture, s.
        length: of a bin, s; at least one second.

    Raises:
        FormulaError: as ``reports.formula.second_engagement``, or a bin is shorter than a second.
    """
    if not length >= 1:
        raise FormulaError(f"bins of {length:g} s are shorter than the seconds of the states table; use 1 or more")
    emitted, posterior, coverage = evidence(states)
    row, students = pd.factorize(states["student"], sort=True)
    t = states["t"].to_numpy(float)
    bins = max(int(np.ceil(duration / length)), 1)
    inside = (t >= 0) & (t < bins * length)
    cell = (row * bins + np.floor(t / length).astype(int))[inside]
    cells = len(students) * bins
    weight = np.bincount(cell, coverage[inside], cells)
    sums = [np.bincount(cell, np.nan_to_num(column[inside]) * coverage[inside], cells) for column in posterior.T]
    mean = np.divide(sums, weight, out=np.zeros((len(emitted), cells)), where=weight > 0)
    seconds = np.bincount((np.arange(int(np.ceil(duration))) // length).astype(int), minlength=bins)[:bins]
    seen = weight.reshape(len(students), bins) / np.maximum(seconds, 1)
    best = np.where(weight > 0, mean.argmax(axis=0), NOBODY).astype(np.int8)
    return Ribbons(
        students=np.asarray(students, np.int64),
        states=emitted,
        length=length,
        state=best.reshape(len(students), bins),
        sure=mean.max(axis=0, initial=0.0).reshape(len(students), bins),
        seen=np.clip(seen, 0.0, 1.0),
    )


def spans(made: Ribbons, duration: float) -> pd.DataFrame:
    """Runs of one state, seen or not interrupted: what a person would call a span.

    Returns:
        ``start``, ``end`` (s), ``student``, ``state`` (name), ``sure`` and ``seen`` (means over the span's bins), by
        student and time. Unseen time is in none.
    """
    count, bins = made.state.shape
    if not count or not bins:
        return pd.DataFrame({name: [] for name in SPAN_COLUMNS})
    edge = np.ones((count, bins), bool)
    edge[:, 1:] = made.state[:, 1:] != made.state[:, :-1]
    at = np.flatnonzero(edge)
    last = np.append(at[1:], count * bins)
    size = last - at
    table = pd.DataFrame(
        {
            "start": at % bins * made.length,
            "end": np.minimum((at % bins + size) * made.length, duration),
            "student": made.students[at // bins],
            "state": made.state.ravel()[at],
            "sure": np.add.reduceat(made.sure.ravel(), at) / size,
            "seen": np.add.reduceat(made.seen.ravel(), at) / size,
        }
    )
    table = table[table["state"] != NOBODY].reset_index(drop=True)
    return table.assign(state=np.array([state.value for state in made.states], object)[table["state"].to_numpy(int)])


def found(
    table: pd.DataFrame, wanted: Collection[str], least: float, most: float, limit: int
) -> tuple[pd.DataFrame, int]:
    """The longest ``limit`` of the spans of certain states and confidence, in order of time, and how many there are.

    Args:
        table: see ``spans``.
        wanted: names of states; all where it is empty.
        least: smallest ``sure``.
        most: largest ``sure``.
        limit: of rows.
    """
    kept = table["sure"].between(least, most)
    if wanted:
        kept &= table["state"].isin(wanted)
    rows = table[kept]
    longest = (rows["end"] - rows["start"]).nlargest(limit).index
    return rows.loc[longest].sort_values(["start", "student"]).reset_index(drop=True), len(rows)


def in_words(sure: float) -> str:
    """``0.72`` as ``likely``, see ``LEVELS``."""
    return next(words for bound, words in LEVELS if sure >= bound)
