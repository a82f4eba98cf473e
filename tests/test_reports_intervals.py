"""Intervals: nothing to tell, nothing to doubt, the laws they keep, and how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from reports.intervals import (
    FEWEST_SECONDS,
    Interval,
    curve_half_widths,
    difference_interval,
    memory_s,
    ratio_interval,
    slope_interval,
)

LAW = settings(deadline=None, max_examples=30)


def drifting(rng: np.random.Generator, seconds: int, memory: float) -> np.ndarray:
    """A stationary Gaussian series (seconds,) of variance 1 that forgets within ``memory`` seconds."""
    keep = np.exp(-1 / memory)
    noise = rng.normal(0, np.sqrt(1 - keep**2), seconds)
    noise[0] = rng.normal()
    return lfilter([1], [1, -keep], noise)


# --- degenerate ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, 1, FEWEST_SECONDS - 1])
def test_too_little_gives_no_interval(seconds: int) -> None:
    whole = np.ones(seconds)
    assert np.isnan(ratio_interval(0.5 * whole, whole)).all()
    assert np.isnan(curve_half_widths(0.5 * whole, whole, np.zeros(seconds, np.intp))).all()


def test_unseen_seconds_are_no_evidence() -> None:
    whole = np.zeros(1000)
    whole[: FEWEST_SECONDS - 1] = 1.0
    assert np.isnan(ratio_interval(0.5 * whole, whole)).all()


def test_what_never_changes_is_known_exactly() -> None:
    whole = np.ones(100)
    assert ratio_interval(0.25 * whole, whole) == pytest.approx((0.25, 0.25))
    assert curve_half_widths(0.25 * whole, whole, np.arange(100) // 10) == pytest.approx(0)
    assert memory_s(np.zeros(100)) == 1.0


# --- laws ---------------------------------------------------------------------------------------------------------


@LAW
@given(st.integers(0, 2**32 - 1), st.integers(FEWEST_SECONDS, 400), st.sampled_from([0.0, 0.3]))
def test_an_interval_holds_its_mean_and_stays_on_the_scale(seed: int, seconds: int, unseen: float) -> None:
    rng = np.random.default_rng(seed)
    whole = np.where(rng.random(seconds) < unseen, 0.0, rng.uniform(0.2, 1, seconds))
    part = rng.uniform(0, 1, seconds) * whole
    interval = ratio_interval(part, whole)
    if np.count_nonzero(whole) < FEWEST_SECONDS:
        assert np.isnan(interval).all()
        return
    mean = part.sum() / whole.sum()
    assert 0 <= interval.low <= mean <= interval.high <= 1
    assert ratio_interval(part, whole) == interval, "seeds are fixed"
    assert ratio_interval(part, 1.0 * whole) == ratio_interval(2 * part, 2 * whole), "only the ratio counts"


@LAW
@given(st.integers(0, 2**32 - 1), st.integers(30, 200), st.integers(1, 20))
def test_a_curve_has_a_half_width_for_each_step(seed: int, seconds: int, step: int) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.uniform(0.2, 1, seconds)
    bins = np.arange(seconds) // step
    half = curve_half_widths(rng.uniform(0, 1, seconds) * whole, whole, bins)
    assert half.shape == (bins[-1] + 1,)
    assert (half >= 0).all()


def test_more_time_makes_an_interval_narrower_and_a_long_memory_wider() -> None:
    rng = np.random.default_rng(0)
    widths = {}
    for seconds, memory in ((600, 5.0), (6000, 5.0), (6000, 60.0)):
        series = [0.5 + 0.1 * drifting(rng, seconds, memory) for _ in range(20)]
        widths[seconds, memory] = np.mean([np.ptp(ratio_interval(one, np.ones(seconds))) for one in series])
    assert widths[6000, 5.0] < 0.5 * widths[600, 5.0]
    assert widths[6000, 60.0] > 2 * widths[6000, 5.0]


@pytest.mark.parametrize("memory", [1.0, 5.0, 20.0])
def test_the_memory_of_a_series_is_found(memory: float) -> None:
    rng = np.random.default_rng(1)
    found = np.median([memory_s(drifting(rng, 5000, memory)) for _ in range(10)])
    keep = np.exp(-1 / memory)
    assert found == pytest.approx((1 + keep) / (1 - keep), rel=0.25)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Lectures of 50 minutes whose class drifts within half a minute; ``benchmarks/intervals.py`` has more of them."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(600):
        low, high = ratio_interval(0.5 + 0.1 * drifting(rng, 3000, 15.0), np.ones(3000))
        held += low <= 0.5 <= high
    assert held >= 0.93 * 600


# --- several lectures ---------------------------------------------------------------------------------------------


def test_a_slope_by_hand() -> None:
    slope, interval = slope_interval(np.array([0.0, 7.0, 14.0]), np.array([0.5, 0.6, 0.7]))
    assert slope == pytest.approx(0.1 / 7)
    assert interval == pytest.approx((0.1 / 7, 0.1 / 7))
    for days in ([0.0], [0.0, 7.0], [3.0, 3.0, 3.0]):
        slope, interval = slope_interval(np.array(days), np.zeros(len(days)))
        assert np.isnan([slope, *interval]).all()


def test_a_difference_by_hand() -> None:
    low, high = difference_interval(0.4, Interval(0.37, 0.43), 0.6, Interval(0.56, 0.64))
    assert (low, high) == pytest.approx((0.2 - 0.05, 0.2 + 0.05))
    assert np.isnan(difference_interval(0.4, Interval(np.nan, np.nan), 0.6, Interval(0.5, 0.7))).all()
