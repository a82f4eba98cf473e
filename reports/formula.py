"""The engagement index: E = Σ_state w_state · P(state | seen), and its means over a class and over a session.

Every mean is weighted by coverage, the share of the time with evidence. Time in which a student was not seen
therefore lowers the coverage that stands beside a number and never the number itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, RootModel, field_validator

from models.states import Profile, State
from reports.errors import FormulaError

WEIGHTS_KEY: Final = "state_weights"
"""Where a session's ``config`` keeps weights that differ from the default ones."""

DEFAULT: Final[Mapping[State, float]] = MappingProxyType(
    {
        State.DISCUSSING: 1.0,  # interactive, the highest mode of ICAP
        State.TAKING_NOTES: 0.85,  # constructive in own words, active when copied: a camera can not tell
        State.ATTENTIVE: 0.70,  # passive in ICAP: receiving without a visible product
        State.CONFUSED: 0.50,  # helps learning when resolved, harms it when not: the middle
        State.BORED: 0.15,  # present without taking part
        State.DISTRACTED: 0.0,  # busy with something else
    }
)
"""Weights by convention. The literature gives their order, not their values: interactive > constructive >
active > passive is ICAP (Chi & Wylie 2014, Educational Psychologist 49(4), 219-243); that confusion can be
productive is D'Mello, Lehman, Pekrun & Graesser 2014, Learning and Instruction 29, 153-170."""

SHARE_PREFIX = "share_"
CLASS, STUDENT = "class", "student"
AGAIN: Final = "run the lecture again with --overwrite"


class StateWeights(RootModel[dict[State, float]]):
    """How much a second in each state counts, 0 to 1; states not named keep their default weight.

    ``StateWeights()`` or ``StateWeights({State.CONFUSED: 0.4})``. A convention, see ``DEFAULT``.

    Raises:
        FormulaError: an unknown state, or a weight that is not a number from 0 to 1.
    """

    model_config = ConfigDict(frozen=True)

    root: dict[State, float] = Field(default_factory=dict, validate_default=True)

    @field_validator("root", mode="before")
    @classmethod
    def _complete(cls, given: Any) -> dict[State, float]:
        if not isinstance(given, Mapping):
            raise FormulaError(f"engagement weights: {given!r} is not a table; give one number per state")
        weights = dict(DEFAULT)
        for name, value in given.items():
            try:
                state = State(name)
            except ValueError:
                known = ", ".join(state.value for state in State)
                raise FormulaError(f"engagement weights: {name!r} is not a state; choose from {known}") from None
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not 0.0 <= value <= 1.0:  # NaN fails the comparison
                raise FormulaError(f"engagement weight of {state.value}: {value!r}; give a number from 0 to 1")
            weights[state] = float(value)
        return weights

    def __getitem__(self, state: State) -> float:
        """The weight of ``state``, 0 to 1."""
        return self.root[state]

    def vector(self, states: Iterable[State]) -> NDArray[np.float64]:
        """(states,) weights in the given order."""
        return np.array([self.root[state] for state in states], dtype=np.float64)


DEFAULT_WEIGHTS: Final = StateWeights()


class Summary(NamedTuple):
    """The class over a whole session."""

    mean: float | None
    """Engagement index, 0 to 1; ``None`` where nobody was seen."""
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
    emitted, posterior, coverage = _evidence(states)
    index = _index(posterior, emitted, weights)
    return pd.DataFrame({"t": states["t"], "student": states["student"], "engagement": index, "coverage": coverage})


def class_engagement(states: pd.DataFrame, weights: StateWeights = DEFAULT_WEIGHTS) -> pd.DataFrame:
    """The class in each second: the mean over its students, each weighted by coverage.

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
    return pd.DataFrame({"t": seconds, "engagement": shares.pop("engagement"), **head, **shares})


def student_engagement(states: pd.DataFrame, weights: StateWeights = DEFAULT_WEIGHTS) -> pd.DataFrame:
    """Each student over the session: the mean over the seconds, each weighted by coverage.

    Returns:
        One row per student in order of number: ``student``, ``engagement`` (0 to 1, NaN if never seen),
        ``coverage`` (mean over the seconds of the session), ``minutes_seen``, and ``share_<state>`` of the
        seen time.

    Raises:
        FormulaError: as ``second_engagement``.
    """
    students, shares, seen, _ = _grouped(states, "student", weights)
    seconds = max(states["t"].nunique(), 1)
    head = {"coverage": np.clip(seen / seconds, 0.0, 1.0), "minutes_seen": seen / 60.0}
    return pd.DataFrame({"student": students, "engagement": shares.pop("engagement"), **head, **shares})


def engagement_table(states: pd.DataFrame, profile: Profile, weights: StateWeights = DEFAULT_WEIGHTS) -> pd.DataFrame:
    """What ``engagement.csv`` holds: the class per second, then every student over the session.

    Returns:
        ``scope`` ("class" or "student"), ``t`` (s, class rows), ``student`` (student rows), ``engagement``,
        ``coverage``, ``students_seen`` (class rows), ``minutes_seen`` (student rows) and ``share_<state>``
        for each state of the profile; fields that do not apply to a scope are empty.

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
    of_class = class_engagement(states, weights).assign(scope=CLASS, student=pd.NA, minutes_seen=np.nan)
    of_students = student_engagement(states, weights).assign(scope=STUDENT, t=np.nan, students_seen=pd.NA)
    integers = {"student": "Int64", "students_seen": "Int64"}
    columns = ["scope", "t", "student", "engagement", "coverage", "students_seen", "minutes_seen"]
    columns += [SHARE_PREFIX + state.value for state in allowed]
    parts = [part[columns].astype(integers) for part in (of_class, of_students)]
    return pd.concat(parts, ignore_index=True)


def summary(table: pd.DataFrame) -> Summary:
    """The class over the session, from ``engagement_table``: mean over students and seconds by coverage."""
    rows = table[table["scope"] == CLASS]
    engagement, coverage = rows["engagement"].to_numpy(float), rows["coverage"].to_numpy(float)
    seen = coverage.sum()
    if not seen > 0:
        return Summary(None, 0.0)
    mean = float(np.nansum(engagement * coverage) / seen)
    return Summary(min(max(mean, 0.0), 1.0), float(coverage.mean()))


def session_shares(table: pd.DataFrame) -> dict[State, float]:
    """The class rows' ``share_<state>`` over the session, weighted by coverage; empty where nobody was seen.

    ``summary(table).mean`` is the sum of each share times its weight.
    """
    rows = table[table["scope"] == CLASS]
    coverage = rows["coverage"].to_numpy(float)
    if not coverage.sum() > 0:
        return {}
    names = {state: SHARE_PREFIX + state.value for state in State if SHARE_PREFIX + state.value in rows}
    return {
        state: float(np.nansum(rows[name].to_numpy(float) * coverage) / coverage.sum()) for state, name in names.items()
    }


def in_bins(table: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """The class rows of ``engagement_table`` joined to bins of equal length, weighted by coverage.

    Returns:
        One row per bin from the first second to the last, also where nothing was recorded: ``t`` (s, start of
        the bin), ``engagement`` and ``share_<state>`` (NaN where nobody is seen), ``coverage``.
    """
    rows = table[table["scope"] == CLASS]
    values = ["engagement", *(name for name in table if name.startswith(SHARE_PREFIX))]
    if rows.empty:
        return rows[["t", *values, "coverage"]]
    at = np.floor(rows["t"].to_numpy(float) / seconds).astype(int)
    coverage = rows["coverage"].to_numpy(float)
    first, bins = at.min(), at - at.min()
    length = np.bincount(bins)
    weight = np.bincount(bins, coverage)
    binned = {"t": (first + np.arange(len(length))) * seconds}
    for name in values:
        binned[name] = _ratio(np.bincount(bins, np.nan_to_num(rows[name].to_numpy(float)) * coverage), weight)
    return pd.DataFrame(binned | {"coverage": np.nan_to_num(_ratio(weight, length))})


def _emitted(states: pd.DataFrame) -> tuple[State, ...]:
    return tuple(state for state in State if f"p_{state.value}" in states)


def _require(states: pd.DataFrame, columns: Iterable[str]) -> None:
    missing = [column for column in columns if column not in states]
    if missing:
        raise FormulaError(f"states table: column {missing[0]!r} is missing; {AGAIN}")


def _evidence(states: pd.DataFrame) -> tuple[tuple[State, ...], NDArray[np.float64], NDArray[np.float64]]:
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


def _index(shares: NDArray[np.float64], emitted: tuple[State, ...], weights: StateWeights) -> NDArray[np.float64]:
    return np.clip(shares @ weights.vector(emitted), 0.0, 1.0)


def _grouped(
    states: pd.DataFrame, key: str, weights: StateWeights
) -> tuple[pd.Index, dict[str, NDArray[np.float64]], NDArray[np.float64], NDArray[np.int64]]:
    """Over rows of equal ``key``: the keys, engagement and shares, the summed coverage, the rows seen."""
    emitted, posterior, coverage = _evidence(states)
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
