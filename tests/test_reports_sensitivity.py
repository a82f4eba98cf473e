"""The band of the index over other weights: the order is kept, the ends are fixed, cases that can be reckoned."""

from __future__ import annotations

import numpy as np
import pytest

from models.states import Profile, State
from reports.sensitivity import WEIGHTINGS, band, weightings
from reports.weights import ORDER


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
