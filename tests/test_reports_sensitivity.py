"""The band of the index over other weights: the order is kept, the ends are fixed, cases that can be reckoned."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import simulated_states
from hypothesis import given
from hypothesis import strategies as st

from models.states import Profile, State
from reports.formula import engagement_table, summary
from reports.sensitivity import WEIGHTINGS, band, under, weightings
from reports.weights import DEFAULT_WEIGHTS, ORDER, StateWeights


@pytest.mark.parametrize("profile", list(Profile))
def test_every_weighting_keeps_the_order_from_1_to_0(profile: Profile) -> None:
    drawn = weightings(profile.states)
    assert drawn.shape == (WEIGHTINGS, len(profile.states))
    ranked = drawn[:, [profile.states.index(state) for state in ORDER if state in profile.states]]
    assert (np.diff(ranked, axis=1) <= 0).all()
    assert (ranked[:, 0] == 1).all()
    assert (ranked[:, -1] == 0).all()
    assert (weightings(profile.states) == drawn).all(), "seeds are fixed"


def test_nothing_seen_has_no_band() -> None:
    assert band({}) is None


@pytest.mark.parametrize(("state", "value"), [(ORDER[0], 1.0), (ORDER[-1], 0.0)])
def test_the_best_and_the_worst_do_not_depend_on_the_weights(state: State, value: float) -> None:
    assert band({one: float(one is state) for one in State}) == (value, value)


def test_what_lies_between_depends_on_them() -> None:
    found = band({one: float(one is State.ATTENTIVE) for one in State})
    assert found is not None
    # the second of four uniform numbers from above: Beta(3, 2)
    assert found == pytest.approx((0.194, 0.932), abs=0.03)


# The index under other weights


@st.composite
def any_weights(draw: st.DrawFn) -> StateWeights:
    values = sorted(draw(st.lists(st.floats(0, 1), min_size=len(ORDER), max_size=len(ORDER))), reverse=True)
    return StateWeights(dict(zip(ORDER, values, strict=True)))


@pytest.mark.parametrize("students", [0, 1])
def test_where_nothing_is_on_record_or_all_is_withheld_nothing_appears(students: int) -> None:
    table = engagement_table(simulated_states(np.random.default_rng(1), students, 20, Profile.FULL), Profile.FULL)
    assert summary(under(table, StateWeights({State.CONFUSED: 0.7}))).mean is None


@given(st.sampled_from(Profile), st.integers(0, 5), any_weights())
def test_other_weights_give_what_a_run_with_them_would_have(profile: Profile, seed: int, weights: StateWeights) -> None:
    states = simulated_states(np.random.default_rng(seed), 6, 25, profile)
    made = engagement_table(states, profile, DEFAULT_WEIGHTS, 6)
    again = engagement_table(states, profile, weights, 6)
    assert summary(made).mean is not None
    assert summary(under(made, weights)) == pytest.approx(summary(again))
    assert summary(under(made, DEFAULT_WEIGHTS)) == pytest.approx(summary(made))
