from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calibration import calibration_error, fit_temperature, reliability, temper


def chances(seed: int, count: int = 4000, states: int = 4, spread: float = 2.0) -> np.ndarray:
    score = np.exp(np.random.default_rng(seed).normal(0, spread, (count, states)))
    return score / score.sum(axis=1, keepdims=True)


def drawn(probabilities: np.ndarray, seed: int) -> np.ndarray:
    """Truths that these probabilities tell rightly."""
    at = np.random.default_rng(seed).random(len(probabilities))[:, None]
    return (probabilities.cumsum(axis=1) < at).sum(axis=1).clip(max=probabilities.shape[1] - 1)


def test_nothing():
    assert np.isnan(calibration_error(np.zeros(0), np.zeros(0, bool)))
    assert reliability(np.zeros(0), np.zeros(0, bool)) == []
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, int)) == 1.0
    assert temper(np.zeros((0, 3)), 2.0).shape == (0, 3)


def test_sure_and_right_and_sure_and_wrong():
    sure = np.ones(5)
    assert calibration_error(sure, np.ones(5, bool)) == 0
    assert calibration_error(sure, np.zeros(5, bool)) == 1
    assert reliability(sure, np.ones(5, bool)) == [(1.0, 1.0, 5)]


def test_the_error_is_the_mean_gap_by_count():
    confidence, right = np.array([0.95] * 8 + [0.55] * 2), np.array([True] * 4 + [False] * 4 + [True] * 2)
    assert calibration_error(confidence, right) == pytest.approx(0.8 * 0.45 + 0.2 * 0.45)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 99), st.floats(0.5, 4))
def test_the_temperature_that_was_applied_is_found_again(seed, temperature):
    honest = chances(seed)
    found = fit_temperature(temper(honest, 1 / temperature), drawn(honest, seed + 1))
    assert found == pytest.approx(temperature, rel=0.15)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.floats(0.3, 5))
def test_tempering_keeps_sums_and_order(seed, temperature):
    before = chances(seed, 50)
    after = temper(before, temperature)
    assert after.sum(axis=1) == pytest.approx(np.ones(50))
    assert (after.argsort(axis=1) == before.argsort(axis=1)).all()
    assert temper(before, 1.0) is before
