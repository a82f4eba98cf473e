"""The engagement index: E = Σ_state w_state · P(state | seen), and its means over a class and over a session.

Every mean is weighted by coverage, the share of the time with evidence. Time in which a student was not seen
therefore lowers the coverage that stands beside a number and never the number itself. Seconds in which fewer students
were seen than ``Rules.withhold_below`` have no class value, and no mean of the class rests on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.states import Profile, State
from reports.errors import FormulaError
from reports.intervals import Interval, ratio_interval
from reports.weights import DEFAULT_WEIGHTS, WITHHOLD_BELOW, StateWeights

SHARE_PREFIX = "share_"
CLASS, STUDENT = "class", "student"
BOUNDS: Final = ("engagement_low", "engagement_high")
AGAIN: Final = "run the lecture again with --overwrite"


class Summary(NamedTuple):
    """The class over a whole session."""

    mean: float | None
    """Engagement index, 0 to 1; ``None`` where nobody was seen, or never enough students at once."""
    coverage: float
    """Share of all student seconds with evidence, 0 to 1."""


def second_engagement(states: pd.DataFrame, weights: StateWeights = DEFAULT_WEIGHTS) -> pd.DataFrame:
    """The index of each student in each second.

    Args:
        states: one row per student and second (``pipeline.session.STATE_COLUMNS``), in any order.
        weights: see ``StateWeights``.

    Returns:
        Rows as in ``states``, columns ``t`` (s), ``student``, ``engagement`` (0 to 1, NaN where unseen) and
        ``coverage`` (0 to 1, 0 where unseen).

    Raises:
        FormulaError: a column is missing, or a probability or coverage lies outside 0 to 1.
    """
    emitted, posterior, coverage = evidence(states)
    index = _index(posterior, emitted, weights)
    return pd.DataFrame({"t": states["t"], "student": states["student"], "engagement": index, "coverage": coverage})


def class_engagement(
    states: pd.DataFrame, weights: StateWeights = DEFAULT_WEIGHTS, withhold_below: int = WITHHOLD_BELOW
) -> pd.DataFrame:
    """The class in each second: the mean over its students, each weighted by coverage.

    Engagement and shares are withheld (NaN) where fewer than ``withhold_below`` students are seen.

    Returns:
        One row per second in order of time: ``t`` (s), ``engagement`` (0 to 1, NaN where nobody is seen),
        ``coverage`` (mean over all students of the session), ``students_seen``, and ``share_<state>`` of the
        seen time (they sum to 1, NaN where nobody is seen).

    Raises:
        FormulaError: as ``second_engagement``.
    """
    seconds, shares, seen, watched = _grouped(states, "t", weights)
    students = max(states["student"].nunique(), 1)
    head = {"coverage": np.clip(seen / students, 0.0, 1.0), "students_seen": watched}
    table = pd.DataFrame({"t": seconds, "engagement": shares.pop("engagement"), **head, **shares})
    table.loc[table["students_seen"] < withhold_below, ["engagement", *shares]] = np.nan
    return table


def student_engagement(states: pd.DataFrame, weights: StateWeights = DEFAULT_WEIGHTS) -> pd.DataFrame:
    """Each student over the session: the mean over the seconds, each weighted by coverage.

    Returns:
        One row per student in order of number: ``student``, ``engagement`` (0 to 1, NaN if never seen),
        ``engagement_low`` and ``engagement_high`` (95% interval, NaN where too little was seen to tell), ``coverage``
        (mean over the seconds of the session), ``minutes_seen``, and ``share_<state>`` of the seen time.

    Raises:
        FormulaError: as ``second_engagement``.
    """
    students, shares, seen, _ = _grouped(states, "student", weights)
    seconds = max(states["t"].nunique(), 1)
    head = {"coverage": np.clip(seen / seconds, 0.0, 1.0), "minutes_seen": seen / 60.0}
    bounds = dict(zip(BOUNDS, _student_intervals(states, weights).T, strict=True))
    return pd.DataFrame({"student": students, "engagement": shares.pop("engagement"), **bounds, **head, **shares})


def engagement_table(
    states: pd.DataFrame,
    profile: Profile,
    weights: StateWeights = DEFAULT_WEIGHTS,
    withhold_below: int = WITHHOLD_BELOW,
) -> pd.DataFrame:
    """What ``engagement.csv`` holds: the class per second, then every student over the session.

    Returns:
        ``scope`` ("class" or "student"), ``t`` (s, class rows), ``student`` (student rows), ``engagement``,
        ``coverage``, ``students_seen`` (class rows), ``minutes_seen`` (student rows), ``share_<state>`` for each state
        of the profile, ``engagement_low`` and ``engagement_high`` (student rows); fields that do not apply to a scope
        are empty, and so is what is withheld.

    Raises:
        FormulaError: as ``second_engagement``, or the table has a state that the profile does not allow.
    """
    allowed = profile.states
    extra = [state.value for state in _emitted(states) if state not in allowed]
    if extra:
        raise FormulaError(
            f"states table: {extra[0]!r} may not be emitted under profile {profile.value!r};"
            " run the lecture again with --overwrite"
        )
    _require(states, [f"p_{state.value}" for state in allowed])
    of_class = class_engagement(states, weights, withhold_below)
    of_class = of_class.assign(scope=CLASS, student=pd.NA, minutes_seen=np.nan, **dict.fromkeys(BOUNDS, np.nan))
    of_students = student_engagement(states, weights).assign(scope=STUDENT, t=np.nan, students_seen=pd.NA)
    integers = {"student": "Int64", "students_seen": "Int64"}
    columns = ["scope", "t", "student", "engagement", "coverage", "students_seen", "minutes_seen"]
    columns += [*(SHARE_PREFIX + state.value for state in allowed), *BOUNDS]
    parts = [part[columns].astype(integers) for part in (of_class, of_students)]
    return pd.concat(parts, ignore_index=True)


def class_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The class rows of ``engagement_table``, with ``weight``: their coverage where they have a value, else 0."""
    rows = table[table["scope"] == CLASS]
    return rows.assign(weight=rows["coverage"].where(rows["engagement"].notna(), 0.0).astype(float))


def summary(table: pd.DataFrame) -> Summary:
    """The class over the session, from ``engagement_table``: mean over students and seconds by coverage."""
    rows = class_rows(table)
    if not rows["coverage"].sum() > 0:
        return Summary(None, 0.0)
    share = float(rows["coverage"].mean())
    weight = rows["weight"].to_numpy(float)
    if not weight.sum() > 0:
        return Summary(None, share)
    mean = float(np.nansum(rows["engagement"].to_numpy(float) * weight) / weight.sum())
    return Summary(min(max(mean, 0.0), 1.0), share)


def summary_interval(table: pd.DataFrame) -> Interval:
    """The 95% interval of ``summary(table).mean``; NaN where that can not be said."""
    rows = class_rows(table)
    weight = rows["weight"].to_numpy(float)
    return ratio_interval(np.nan_to_num(rows["engagement"].to_numpy(float)) * weight, weight)


def summary_fields(table: pd.DataFrame) -> dict[str, float | int | None]:
    """The class over the session as ``session.json`` keeps it."""
    mean, coverage = summary(table)
    low, high = (None if np.isnan(bound) else bound for bound in summary_interval(table))
    return {"mean": mean, "low": low, "high": high, "coverage": coverage, "withheld_seconds": withheld_seconds(table)}


def withheld_seconds(table: pd.DataFrame) -> int:
    """Seconds in which somebody was seen and yet too few for a class value."""
    rows = table[table["scope"] == CLASS]
    return int(((rows["coverage"] > 0) & rows["engagement"].isna()).sum())


def session_shares(table: pd.DataFrame) -> dict[State, float]:
    """The class rows' ``share_<state>`` over the session, weighted by coverage; empty where there are none.

    ``summary(table).mean`` is the sum of each share times its weight.
    """
    rows = class_rows(table)
    weight = rows["weight"].to_numpy(float)
    if not weight.sum() > 0:
        return {}
    names = {state: SHARE_PREFIX + state.value for state in State if SHARE_PREFIX + state.value in rows}
    return {
        state: float(np.nansum(rows[name].to_numpy(float) * weight) / weight.sum()) for state, name in names.items()
    }


def in_bins(table: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """The class rows of ``engagement_table`` joined to bins of equal length, weighted by coverage.

    Returns:
        One row per bin from the first second to the last, also where nothing was recorded: ``t`` (s, start of
        the bin), ``engagement`` and ``share_<state>`` (NaN where nobody is seen, or withheld), ``coverage``.
    """
    rows = class_rows(table)
    values = ["engagement", *(name for name in table if name.startswith(SHARE_PREFIX))]
    if rows.empty:
        return rows[["t", *values, "coverage"]]
    at = np.floor(rows["t"].to_numpy(float) / seconds).astype(int)
    coverage, published = rows["coverage"].to_numpy(float), rows["weight"].to_numpy(float)
    first, bins = at.min(), at - at.min()
    length = np.bincount(bins)
    weight = np.bincount(bins, published)
    binned = {"t": (first + np.arange(len(length))) * seconds}
    for name in values:
        binned[name] = _ratio(np.bincount(bins, np.nan_to_num(rows[name].to_numpy(float)) * published), weight)
    return pd.DataFrame(binned | {"coverage": np.nan_to_num(_ratio(np.bincount(bins, coverage), length))})


def _emitted(states: pd.DataFrame) -> tuple[State, ...]:
    return tuple(state for state in State if f"p_{state.value}" in states)


def _require(states: pd.DataFrame, columns: Iterable[str]) -> None:
    missing = [column for column in columns if column not in states]
    if missing:
        raise FormulaError(f"states table: column {missing[0]!r} is missing; {AGAIN}")


def evidence(states: pd.DataFrame) -> tuple[tuple[State, ...], NDArray[np.float64], NDArray[np.float64]]:
    """The states present, (n, states) posterior summing to 1, (n,) coverage; NaN and 0 where unseen."""
    _require(states, ("t", "student", "coverage"))
    emitted = _emitted(states)
    if not emitted:
        raise FormulaError(f"states table: no p_<state> column; {AGAIN}")
    posterior = states[[f"p_{state.value}" for state in emitted]].to_numpy(np.float64)
    coverage = np.nan_to_num(states["coverage"].to_numpy(np.float64))
    for name, values in (("probability", posterior), ("coverage", coverage)):
        if np.any((values < 0) | (values > 1 + 1e-6)):
            worst = values[(values < 0) | (values > 1 + 1e-6)][0]
            raise FormulaError(f"states table: {name} {worst:.4g} is outside 0 to 1; {AGAIN}")
    total = posterior.sum(axis=1)
    seen = (total > 0) & (coverage > 0)  # a NaN total compares as unseen
    # Dividing by the sum removes the rounding of stored float32, so that the index stays within the weights.
    posterior = np.where(seen[:, None], posterior, np.nan) / np.where(seen, total, 1.0)[:, None]
    return emitted, posterior, np.where(seen, np.minimum(coverage, 1.0), 0.0)


def _student_intervals(states: pd.DataFrame, weights: StateWeights) -> NDArray[np.float64]:
    """(students, 2) low and high of each student's mean, in order of number."""
    emitted, posterior, coverage = evidence(states)
    student, numbers = pd.factorize(states["student"], sort=True)
    second, seconds = pd.factorize(states["t"], sort=True)
    part, whole = np.zeros((2, len(numbers), len(seconds)))
    whole[student, second] = coverage
    part[student, second] = np.nan_to_num(_index(posterior, emitted, weights)) * coverage
    return np.array([ratio_interval(*one) for one in zip(part, whole, strict=True)]).reshape(-1, 2)


def _index(shares: NDArray[np.float64], emitted: tuple[State, ...], weights: StateWeights) -> NDArray[np.float64]:
    return np.clip(shares @ weights.vector(emitted), 0.0, 1.0)


def _grouped(
    states: pd.DataFrame, key: str, weights: StateWeights
) -> tuple[pd.Index, dict[str, NDArray[np.float64]], NDArray[np.float64], NDArray[np.int64]]:
    """Over rows of equal ``key``: the keys, engagement and shares, the summed coverage, the rows seen."""
    emitted, posterior, coverage = evidence(states)
    codes, keys = pd.factorize(states[key], sort=True)
    groups = len(keys)
    seen = np.bincount(codes, coverage, groups).astype(np.float64)
    watched = np.bincount(codes, coverage > 0, groups).astype(np.int64)
    columns = [np.bincount(codes, np.nan_to_num(column) * coverage, groups) for column in posterior.T]
    shares = np.stack([_ratio(column, seen) for column in columns], axis=1)
    named = {SHARE_PREFIX + state.value: share for state, share in zip(emitted, shares.T, strict=True)}
    return keys, {"engagement": _index(shares, emitted, weights), **named}, seen, watched


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """``part / whole``, NaN where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
