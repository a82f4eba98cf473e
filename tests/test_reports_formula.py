"""The engagement index: degenerate tables, the laws it must keep, hand-computed cases."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.states import UNSEEN, Profile, State
from reports import formula
from reports.errors import FormulaError
from reports.formula import (
    in_bins,
    second_engagement,
    session_shares,
    student_engagement,
    summary,
    summary_interval,
    withheld_seconds,
)
from reports.weights import DEFAULT, ORDER, Rules, StateWeights

ALL = list(State)
LAW = settings(deadline=None, max_examples=40)  # a busy machine is slow, not wrong


def engagement_table(
    states: pd.DataFrame, profile: Profile, weights: StateWeights | None = None, withhold_below: int = 1
) -> pd.DataFrame:
    """The table with nothing withheld: the laws are of the numbers, and the classes here are small."""
    return formula.engagement_table(states, profile, weights or StateWeights(), withhold_below)


def class_engagement(states: pd.DataFrame, weights: StateWeights | None = None) -> pd.DataFrame:
    return formula.class_engagement(states, weights or StateWeights(), 1)


def table_of(
    rows: list[tuple[float, int, float, dict[State, float] | None]], states: list[State] = ALL
) -> pd.DataFrame:
    """A states table from (second, student, coverage, posterior or None where unseen)."""
    columns: dict[str, list] = {name: [] for name in ("t", "student", "coverage", *(f"p_{s.value}" for s in states))}
    for t, student, coverage, posterior in rows:
        columns["t"].append(t)
        columns["student"].append(student)
        columns["coverage"].append(coverage)
        for state in states:
            columns[f"p_{state.value}"].append(np.nan if posterior is None else posterior.get(state, 0.0))
    return pd.DataFrame(columns).astype({"t": float, "student": int, "coverage": float})


@st.composite
def classes(draw: st.DrawFn) -> pd.DataFrame:
    """Small classes with any posterior and any coverage, seen or not."""
    students, seconds = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = students * seconds
    posterior = random.dirichlet(np.full(len(ALL), draw(st.sampled_from([0.05, 1.0, 20.0]))), n).astype(np.float32)
    coverage = random.choice([0.0, 0.2, 0.5, 1.0], n)
    posterior[(coverage == 0) | (random.random(n) < 0.1)] = np.nan
    table = pd.DataFrame({"t": np.repeat(np.arange(seconds, dtype=float), students)})
    table["student"] = np.tile(np.arange(1, students + 1), seconds)
    table["coverage"] = coverage
    for column, state in enumerate(ALL):
        table[f"p_{state.value}"] = posterior[:, column]
    return table


@st.composite
def any_weights(draw: st.DrawFn) -> StateWeights:
    values = sorted(draw(st.lists(st.floats(0, 1), min_size=6, max_size=6)), reverse=True)
    return StateWeights(dict(zip(ORDER, values, strict=True)))


def index_of(states: pd.DataFrame, weights: StateWeights | None = None) -> float | None:
    return summary(engagement_table(states, Profile.FULL, weights or StateWeights())).mean


# --- degenerate ---------------------------------------------------------------------------------------------------


def test_an_empty_table_gives_an_empty_table_and_no_mean() -> None:
    table = engagement_table(table_of([]), Profile.FULL)
    assert table.empty
    assert list(table.columns[:7]) == [
        "scope", "t", "student", "engagement", "coverage", "students_seen", "minutes_seen",
    ]  # fmt: skip
    assert summary(table) == (None, 0.0)
    assert session_shares(table) == {}
    assert in_bins(table, 10).empty


def test_one_student_in_one_second_is_the_weight_of_the_state() -> None:
    states = table_of([(0, 1, 1.0, {State.DISCUSSING: 1.0})])
    assert second_engagement(states)["engagement"].tolist() == [DEFAULT[State.DISCUSSING]]
    assert summary(engagement_table(states, Profile.FULL)) == (DEFAULT[State.DISCUSSING], 1.0)


@pytest.mark.parametrize(("coverage", "posterior"), [
    (0.0, None),                                # nothing seen
    (0.4, None),                                # too little to tell
    (0.0, {State.ATTENTIVE: 1.0}),              # carried over from neighbours without evidence of its own
])  # fmt: skip
def test_unseen_has_no_engagement_and_no_coverage(coverage: float, posterior: dict[State, float] | None) -> None:
    states = table_of([(t, 1, coverage, posterior) for t in range(3)])
    seconds = second_engagement(states)
    assert seconds["engagement"].isna().all()
    assert (seconds["coverage"] == 0).all()
    table = engagement_table(states, Profile.FULL)
    assert table["engagement"].isna().all()
    assert summary(table) == (None, 0.0)


def test_the_observable_profile_has_only_its_states() -> None:
    allowed = list(Profile.OBSERVABLE.states)
    states = table_of([(0, 1, 1.0, {State.ATTENTIVE: 0.5, State.DISTRACTED: 0.5})], allowed)
    table = engagement_table(states, Profile.OBSERVABLE)
    assert [name for name in table if name.startswith("share_")] == [f"share_{state.value}" for state in allowed]
    with pytest.raises(FormulaError, match=f"p_{State.CONFUSED.value}.*missing"):
        engagement_table(states, Profile.FULL)


def test_a_state_that_the_profile_forbids_is_refused() -> None:
    with pytest.raises(FormulaError, match=f"{State.CONFUSED.value}.*observable"):
        engagement_table(table_of([(0, 1, 1.0, {State.BORED: 1.0})]), Profile.OBSERVABLE)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.01, 1.01, "half", None, True])
def test_a_weight_that_is_no_number_from_0_to_1_is_named_in_one_sentence(value: object) -> None:
    with pytest.raises(FormulaError, match=f"weight of {State.BORED.value}: .*0 to 1") as caught:
        StateWeights.model_validate({State.BORED.value: value})
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_state_is_named() -> None:
    with pytest.raises(FormulaError, match=f"'asleep' is not a state; choose from {State.ATTENTIVE.value}"):
        StateWeights.model_validate({"asleep": 0.1})


def test_weights_not_named_keep_their_default_and_survive_json() -> None:
    weights = StateWeights({State.BORED: 0.3})
    assert weights[State.BORED] == 0.3
    assert weights[State.DISCUSSING] == DEFAULT[State.DISCUSSING]
    assert StateWeights.model_validate_json(weights.model_dump_json()) == weights


@pytest.mark.parametrize(("column", "value"), [("coverage", 1.5), (f"p_{State.BORED.value}", -0.1)])
def test_a_number_outside_0_to_1_is_refused(column: str, value: float) -> None:
    states = table_of([(0, 1, 1.0, {State.BORED: 1.0})]).assign(**{column: value})
    with pytest.raises(FormulaError, match=f"{value} is outside 0 to 1"):
        second_engagement(states)


# --- laws ---------------------------------------------------------------------------------------------------------


@LAW
@given(classes(), any_weights())
def test_every_number_is_bounded_and_shares_sum_to_one(states: pd.DataFrame, weights: StateWeights) -> None:
    table = engagement_table(states, Profile.FULL, weights)
    shares = table.filter(like="share_")
    for numbers in (table["engagement"], table["coverage"], *(shares[name] for name in shares)):
        assert numbers.dropna().between(0, 1).all()
    assert np.allclose(shares.dropna().sum(axis=1), 1)
    used = [weights[state] for state in State]
    assert table["engagement"].dropna().between(min(used) - 1e-9, max(used) + 1e-9).all()


@LAW
@given(classes(), any_weights(), st.sampled_from(ALL), st.sampled_from(ALL), st.floats(0, 1))
def test_more_of_a_better_state_never_lowers_the_index(
    states: pd.DataFrame, weights: StateWeights, one: State, other: State, part: float
) -> None:
    worse, better = sorted((one, other), key=lambda state: weights[state])
    moved = states.copy()
    shift = states[f"p_{worse.value}"] * np.float32(part)
    moved[f"p_{worse.value}"] = states[f"p_{worse.value}"] - shift
    moved[f"p_{better.value}"] = moved[f"p_{better.value}"] + shift
    before, after = index_of(states, weights), index_of(moved, weights)
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert after >= before - 1e-6


@LAW
@given(classes(), st.integers(1, 5))
def test_unseen_time_lowers_coverage_and_leaves_the_index(states: pd.DataFrame, seconds: int) -> None:
    students = sorted(states["student"].unique())
    later = [(100.0 + t, int(student), 0.0, None) for t in range(seconds) for student in students]
    longer = pd.concat([states, table_of(later)], ignore_index=True)
    before = summary(engagement_table(states, Profile.FULL))
    after = summary(engagement_table(longer, Profile.FULL))
    assert after.mean == pytest.approx(before.mean)
    assert after.coverage == 0 or after.coverage < before.coverage
    pd.testing.assert_series_equal(
        student_engagement(states)["engagement"], student_engagement(longer)["engagement"], rtol=1e-9
    )


@LAW
@given(classes(), st.randoms(use_true_random=False))
def test_students_in_another_order_change_nothing(states: pd.DataFrame, random) -> None:
    names = sorted(states["student"].unique())
    renamed = dict(zip(names, random.sample(names, len(names)), strict=True))
    shuffled = states.assign(student=states["student"].map(renamed)).sample(frac=1, random_state=random.randint(0, 999))
    pd.testing.assert_frame_equal(class_engagement(states), class_engagement(shuffled), rtol=1e-9)
    mine = student_engagement(states).set_index("student").rename(index=renamed).sort_index()
    pd.testing.assert_frame_equal(mine, student_engagement(shuffled).set_index("student"), rtol=1e-9)


@LAW
@given(classes(), st.integers(0, 6))
def test_two_halves_weighted_by_time_seen_make_the_whole(states: pd.DataFrame, cut: int) -> None:
    halves = [student_engagement(states[states["t"] < cut]), student_engagement(states[states["t"] >= cut])]
    both = pd.concat(halves).assign(product=lambda half: half["engagement"].fillna(0) * half["minutes_seen"])
    merged = both.groupby("student")[["product", "minutes_seen"]].sum()
    whole = student_engagement(states).set_index("student")
    assert np.allclose(merged["minutes_seen"], whole["minutes_seen"])
    assert np.allclose(merged["product"], whole["engagement"].fillna(0) * whole["minutes_seen"])


@LAW
@given(classes(), any_weights())
def test_class_rows_student_rows_and_shares_tell_one_session_index(states: pd.DataFrame, weights: StateWeights) -> None:
    table = engagement_table(states, Profile.FULL, weights)
    mean = summary(table).mean
    students = student_engagement(states, weights)
    seen = students["minutes_seen"].sum()
    if mean is None:
        assert seen == 0
        return
    assert (students["engagement"].fillna(0) * students["minutes_seen"]).sum() / seen == pytest.approx(mean)
    assert sum(share * weights[state] for state, share in session_shares(table).items()) == pytest.approx(mean)


@LAW
@given(classes(), st.sampled_from([1, 2, 5, 60]))
def test_bins_keep_the_session_index(states: pd.DataFrame, seconds: int) -> None:
    table = engagement_table(states, Profile.FULL)
    bins = in_bins(table, seconds)
    length = np.bincount((table["t"].dropna() // seconds).astype(int))
    weight = bins["coverage"] * length
    expected = summary(table)
    assert weight.sum() / length.sum() == pytest.approx(expected.coverage)
    if expected.mean is not None:
        assert (bins["engagement"].fillna(0) * weight).sum() / weight.sum() == pytest.approx(expected.mean)


@LAW
@given(classes())
def test_the_csv_file_tells_the_same_summary(states: pd.DataFrame) -> None:
    table = engagement_table(states, Profile.FULL)
    read = pd.read_csv(io.StringIO(table.to_csv(index=False, float_format="%.5g")))
    mean, coverage = summary(table)
    assert summary(read).mean == (None if mean is None else pytest.approx(mean, abs=1e-4))
    assert summary(read).coverage == pytest.approx(coverage, abs=1e-4)


# --- by hand ------------------------------------------------------------------------------------------------------


def test_a_class_of_two_by_hand() -> None:
    weights = StateWeights({State.ATTENTIVE: 0.8, State.DISTRACTED: 0.0, State.DISCUSSING: 1.0})
    states = table_of(
        [
            (0, 1, 1.0, {State.ATTENTIVE: 0.5, State.DISTRACTED: 0.5}),  # 0.4
            (0, 2, 0.5, {State.DISCUSSING: 1.0}),  # 1.0, half a second seen
            (1, 1, 1.0, {State.ATTENTIVE: 1.0}),  # 0.8
            (1, 2, 0.0, None),
        ]
    )
    table = engagement_table(states, Profile.FULL, weights)
    first, second, one, two = (row for _, row in table.iterrows())
    assert (first["engagement"], first["coverage"], first["students_seen"]) == (pytest.approx(0.6), 0.75, 2)
    assert first[f"share_{State.ATTENTIVE.value}"] == pytest.approx(1 / 3)
    assert (second["engagement"], second["coverage"], second["students_seen"]) == (pytest.approx(0.8), 0.5, 1)
    assert (one["engagement"], one["coverage"], one["minutes_seen"]) == (pytest.approx(0.6), 1.0, pytest.approx(2 / 60))
    assert (two["engagement"], two["coverage"], two["minutes_seen"]) == (1.0, 0.25, pytest.approx(0.5 / 60))
    assert summary(table) == (pytest.approx((0.4 + 0.5 + 0.8) / 2.5), 0.625)


def test_the_default_weights_keep_the_order_the_literature_gives() -> None:
    order = [State.DISCUSSING, State.TAKING_NOTES, State.ATTENTIVE, State.CONFUSED, State.BORED, State.DISTRACTED]
    assert sorted(State, key=lambda state: -StateWeights()[state]) == order
    assert UNSEEN not in {state.value for state in DEFAULT}


def test_class_values_are_withheld_below_the_number_of_students() -> None:
    sure = {State.DISCUSSING: 1.0}
    rows: list = [(0, student, 1.0, sure) for student in range(1, 6)]
    rows += [(1, student, 1.0, {State.BORED: 1.0}) for student in range(1, 5)]
    rows.append((1, 5, 0.0, None))
    table = formula.engagement_table(table_of(rows), Profile.FULL)
    first, second = (row for _, row in table[table["scope"] == "class"].iterrows())
    assert first["engagement"] == 1.0
    assert np.isnan(second["engagement"])
    assert second.filter(like="share_").isna().all()
    assert (second["coverage"], second["students_seen"]) == (0.8, 4)
    assert summary(table) == (1.0, pytest.approx(0.9))
    assert withheld_seconds(table) == 1
    assert session_shares(table)[State.BORED] == 0
    assert in_bins(table, 10)["coverage"].tolist() == pytest.approx([0.9])
    assert table.loc[table["scope"] == "student", "engagement"].notna().all(), "students' own rows stay"


@LAW
@given(classes(), st.integers(1, 6))
def test_withholding_takes_values_away_and_changes_none(states: pd.DataFrame, least: int) -> None:
    whole = engagement_table(states, Profile.FULL)
    held = formula.engagement_table(states, Profile.FULL, withhold_below=least)
    shown = held["engagement"].notna()
    assert held.loc[shown, "engagement"].tolist() == whole.loc[shown, "engagement"].tolist()
    of_class = held["scope"] == "class"
    assert (held.loc[of_class & shown, "students_seen"] >= least).all()
    assert (held["coverage"] == whole["coverage"]).all()


def test_the_interval_of_a_steady_class_is_a_point_and_of_a_short_one_unknown() -> None:
    steady = table_of([(t, student, 1.0, {State.ATTENTIVE: 1.0}) for t in range(60) for student in range(1, 6)])
    table = engagement_table(steady, Profile.FULL)
    assert summary_interval(table) == pytest.approx((0.7, 0.7))
    students = table[table["scope"] == "student"]
    assert students["engagement_low"].tolist() == pytest.approx([0.7] * 5)
    short = engagement_table(steady[steady["t"] < 5], Profile.FULL)
    assert np.isnan(summary_interval(short)).all()
    assert formula.summary_fields(short) == {
        "mean": pytest.approx(0.7), "low": None, "high": None, "coverage": 1.0, "withheld_seconds": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("given_weights", "said"), [
    ({State.BORED: 0.6}, "bored (0.6) counts more than confused (0.5); keep the order discussing, taking_notes"),
    ({State.DISCUSSING: 0.1}, "taking_notes (0.85) counts more than discussing (0.1)"),
    ({State.DISTRACTED: 0.2}, "distracted (0.2) counts more than bored (0.15)"),
])  # fmt: skip
def test_weights_against_the_order_are_one_sentence(given_weights: dict[State, float], said: str) -> None:
    with pytest.raises(FormulaError) as caught:
        StateWeights(given_weights)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("least", [0, -1, 2.5, "five", None, True])
def test_a_number_of_students_that_is_none_is_one_sentence(least: object) -> None:
    with pytest.raises(FormulaError, match=r"withhold_below: .*; give a number of students, 1 or more"):
        Rules.on_record({"withhold_below": least})


def test_rules_on_record_have_their_defaults() -> None:
    assert Rules.on_record({}) == Rules()
    assert Rules.on_record({"state_weights": {State.BORED: 0.1}, "withhold_below": 3}).withhold_below == 3


@given(st.sampled_from(Profile), st.data())
def test_weights_of_a_profile_are_kept_and_the_others_keep_the_order(profile: Profile, data: st.DataObject) -> None:
    ranked = [state for state in ORDER if state in profile.states]
    values = sorted(data.draw(st.lists(st.floats(0, 1), min_size=len(ranked), max_size=len(ranked))), reverse=True)
    given_weights = dict(zip(ranked, values, strict=True))
    made = StateWeights.among(given_weights)
    assert {state: made[state] for state in ranked} == given_weights
    assert StateWeights.among({state: DEFAULT[state] for state in ranked}) == StateWeights()
