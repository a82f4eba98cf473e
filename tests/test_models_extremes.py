from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import genpareto

from models.extremes import Tail, excess_of, fit_tail, log_density, log_survival, peaks_above, runs

PRIOR = Tail(level=1.0, scale=0.5, shape=0.0, per_hour=100.0)


def spiky(hours: float, scale: float, shape: float, seed: int = 0, spacing: int = 12) -> np.ndarray:
    """Scores that rest at 0 and peak every so many seconds, with a tail that is known."""
    scores = np.zeros(int(hours * 3600))
    peaks = genpareto.rvs(shape, scale=scale, size=len(scores[::spacing]), random_state=np.random.default_rng(seed))
    scores[::spacing] = peaks
    return scores


# nothing to fit


@pytest.mark.parametrize("series", [[], [np.zeros(0)], [np.full(50, np.nan)], [np.full(50, np.inf)]])
def test_without_scores_the_prior_holds(series):
    assert fit_tail(series, 3, PRIOR) == PRIOR


@pytest.mark.parametrize("value", [0.0, 5.0, -1e9, 1e9])
def test_scores_that_are_all_one_raise_no_alarm(value):
    tail = fit_tail([np.full(600, value)], 3, PRIOR)
    assert tail.level == value
    assert (tail.scale, tail.shape) == (PRIOR.scale, PRIOR.shape)
    assert tail.threshold(1.0) > value


def test_one_score_is_enough():
    assert np.isfinite(fit_tail([np.array([3.0])], 3, PRIOR).threshold(1.0))


@pytest.mark.parametrize(
    ("high", "join", "found"),
    [
        ([], 0, []),
        ([0, 0], 0, []),
        ([1], 0, [(0, 0)]),
        ([1, 0, 1], 0, [(0, 0), (2, 2)]),
        ([1, 0, 1], 1, [(0, 2)]),
        ([0, 1, 1, 0, 0, 1], 1, [(1, 2), (5, 5)]),
    ],
)
def test_runs(high, join, found):
    assert runs(np.array(high, bool), join) == found


def test_a_run_has_one_peak():
    scores = np.array([0, 2, 5, 3, 0, 0, 0, 4, np.nan, 6.0])
    assert peaks_above([scores], 1.0, 2).tolist() == [5.0, 6.0]


# laws


@settings(max_examples=25, deadline=None)
@given(st.floats(0.1, 10), st.floats(-0.3, 0.3), st.floats(0.01, 50), st.floats(0.01, 50))
def test_fewer_alarms_need_a_higher_bar(scale, shape, one, other):
    tail = Tail(1.0, scale, shape, 100.0)
    low, high = sorted((one, other))
    assert tail.threshold(low) >= tail.threshold(high) >= tail.level


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([1e-9, 1e-3, 1e3, 1e9]), st.integers(0, 99))
def test_units_do_not_matter(unit, seed):
    scores = spiky(5, 1.0, 0.1, seed)
    plain = fit_tail([scores], 3, PRIOR).threshold(1.0)
    scaled = fit_tail([scores * unit], 3, Tail(unit, 0.5 * unit, 0.0, 100.0)).threshold(1.0)
    assert scaled == pytest.approx(plain * unit, rel=0.02)


# a tail that is known


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.2])
@pytest.mark.parametrize("per_hour", [0.5, 1.0, 5.0])
def test_alarms_come_as_often_as_asked_for(shape, per_hour):
    tail = fit_tail([spiky(30, 1.0, shape)], 3, PRIOR)
    fresh = spiky(2000, 1.0, shape, seed=1)
    rate = (fresh > tail.threshold(per_hour)).sum() / 2000
    assert per_hour / 2 <= rate <= 2 * per_hour


def test_an_extraordinary_event_does_not_lift_the_bar_over_the_next():
    ordinary = spiky(1, 1.0, 0.0)
    spoilt = ordinary.copy()
    spoilt[100:107] = 1e6
    plain, lifted = (fit_tail([scores], 3, PRIOR).threshold(1.0) for scores in (ordinary, spoilt))
    assert lifted == pytest.approx(plain, rel=0.25)


@given(st.sampled_from([-0.4, -0.1, 0.0, 1e-9, 0.3]), st.floats(0.01, 100), st.floats(0, 20))
def test_the_distribution_is_that_of_scipy(shape: float, scale: float, z: float) -> None:
    excess = np.array([0.0, z * scale])
    with np.errstate(divide="ignore"):
        assert np.allclose(log_survival(excess, scale, shape), genpareto.logsf(excess, shape, scale=scale))
        assert np.allclose(log_density(excess, scale, shape), genpareto.logpdf(excess, shape, scale=scale))
    chance = np.array([1e-6, 0.3, 1.0])
    assert np.allclose(excess_of(chance, scale, shape), genpareto.isf(chance, shape, scale=scale))
