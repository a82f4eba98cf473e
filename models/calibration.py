"""How far a posterior can be believed: expected calibration error, reliability, and the temperature that mends it.

Guo, Pleiss, Sun & Weinberger 2017, "On Calibration of Modern Neural Networks", ICML (arXiv 1706.04599).
"""

from __future__ import annotations

import numpy as np

BINS = 10


def temper(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """(n, k) probabilities to the power 1/temperature, summing to 1 again: above 1 more doubt, the order unchanged."""
    if temperature == 1.0 or not len(probabilities):
        return probabilities
    score = np.log(np.clip(probabilities, 1e-12, None)) / temperature
    score = np.exp(score - score.max(axis=1, keepdims=True))
    return score / score.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The temperature from 0.25 to 20 under which the true columns ``truth`` (n,) are likeliest; 1 without rows."""
    if not len(probabilities):
        return 1.0

    def loss(log_temperature: float) -> float:
        chances = temper(probabilities, float(np.exp(log_temperature)))[np.arange(len(truth)), truth]
        return -float(np.log(np.clip(chances, 1e-12, None)).mean())

    from scipy.optimize import minimize_scalar  # slow to load, and settings are read with this module

    found = minimize_scalar(loss, bounds=(np.log(0.25), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> list[tuple[float, float, int]]:
    """Mean confidence, share right, and count of each bin of equal width that holds something.

    Args:
        confidence: (n,) 0 to 1, probability of what was answered.
        right: (n,) whether the answer was right.
        bins: of equal width.
    """
    place = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    return [
        (float(np.mean(confidence[place == b])), float(np.mean(right[place == b])), int((place == b).sum()))
        for b in range(bins)
        if (place == b).any()
    ]


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: mean gap of confidence and share right over the bins, by count; NaN of nothing."""
    curve = reliability(confidence, right, bins)
    count = sum(n for *_, n in curve)
    return sum(abs(mean - share) * n for mean, share, n in curve) / count if count else float("nan")
