"""A threshold for a wanted rate of false alarms, from ordinary scores alone: peaks over threshold.

Above a high level the excesses of almost any score follow a generalised Pareto distribution (Pickands 1975; Coles 2001,
sections 4.2 and 5.3), so its tail can be read beyond what was seen. Neighbouring seconds are not independent: what is
counted are peaks, the highest score of each run of high seconds, and so the rate is one of alarms, not of seconds.
The highest peaks may be what is looked for: they count as high without saying how high (censored), so that one
extraordinary event does not lift the bar over the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL_QUANTILE = 0.9
"""Of all scores: a level above which there are enough peaks and the tail is one already."""

ENOUGH_PEAKS, TAIL_SHARE = 25, 0.25
"""Of many peaks only this share, the highest, but at least so many: the rest is not yet tail."""

CENSORED, MOST_CENSORED = 0.15, 20
"""Share of the peaks, the highest, of which only it is known that they are high; at least one, and at most so many."""

PRIOR_PEAKS, PRIOR_HOURS = 10.0, 0.25
"""What the prior is worth beside the lecture: so many peaks for the scale, so many student-hours for how often scores
peak. A clip of half a minute cannot tell that by itself; a lecture can."""

SHAPE_DEVIATION = 0.1
"""How far a lecture's shape departs from the prior's. The shape belongs to the score, of which the prior saw more than
a clip; a few peaks would set it at random, and it decides most about what is read beyond them."""

MOST_PER_HOUR = 600.0
"""Peaks in an hour, whatever the prior says of a level below its own."""

LEAST_SHAPE, MOST_SHAPE = -0.4, 0.4
"""Beyond it no moments that scores have, or an end of the tail that few peaks cannot show."""


@dataclass(frozen=True)
class Tail:
    """How often scores peak above a value.

    Attributes:
        level: from which on it holds, in units of the score.
        scale, shape: of the generalised Pareto distribution of excesses over ``level``.
        per_hour: peaks above ``level`` in an hour.
    """

    level: float
    scale: float
    shape: float
    per_hour: float

    def threshold(self, per_hour: float) -> float:
        """The value that peaks exceed ``per_hour`` times in an hour; ``level`` where they do not come as often.

        Coles 2001, equation 4.12; Siffer et al. 2017, equation 1.
        """
        if per_hour >= self.per_hour:
            return self.level
        return self.level + float(excess_of(per_hour / self.per_hour, self.scale, self.shape))

    def rate(self, value: float) -> float:
        """Peaks above a value in an hour; for one below ``level`` as if the tail began there."""
        if value >= self.level:
            return self.per_hour * float(np.exp(log_survival(np.array(value - self.level), self.scale, self.shape)))
        return self.per_hour * float(np.exp(min((self.level - value) / self.scale, 50.0)))


# The generalised Pareto distribution, as in ``scipy.stats.genpareto``, whose import alone takes as long as all of this.


def log_survival(excess: np.ndarray, scale: float, shape: float) -> np.ndarray:
    """Log of the chance that an excess (any shape, ≥ 0) is exceeded (Coles 2001, equation 4.2); -inf past the end."""
    z = np.asarray(excess, float) / scale
    if shape == 0:
        return -z
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(1 + shape * z > 0, -np.log1p(np.maximum(shape * z, -1.0)) / shape, -np.inf)


def log_density(excess: np.ndarray, scale: float, shape: float) -> np.ndarray:
    """Log of the density of excesses; -inf past the end."""
    return (1 + shape) * log_survival(excess, scale, shape) - np.log(scale)


def excess_of(chance: np.ndarray | float, scale: float, shape: float) -> np.ndarray:
    """The excess that is exceeded with a chance in (0, 1]: the inverse of ``log_survival``."""
    logs = np.log(chance)
    return scale * (-logs if shape == 0 else np.expm1(-shape * logs) / shape)


def runs(high: np.ndarray, join: int) -> list[tuple[int, int]]:
    """(first, last) indices of each run of true values; runs with at most ``join`` false ones between them are one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], high, [False]]).astype(int)))
    found: list[tuple[int, int]] = []
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if found and first - found[-1][1] - 1 <= join:
            found[-1] = (found[-1][0], end - 1)
        else:
            found.append((first, end - 1))
    return found


def peaks_above(series: Sequence[np.ndarray], level: float, join: int) -> np.ndarray:
    """The highest score of each run above the level.

    Args:
        series: one array of scores (one per second, NaN where there is none) per student.
        level: above which a second counts.
        join: seconds between runs below which they are one.
    """
    highest = [
        np.nanmax(scores[first : last + 1])
        for scores in series
        for first, last in runs(np.nan_to_num(scores, nan=-np.inf) > level, join)
    ]
    return np.array(highest, float)


def fit_tail(series: Sequence[np.ndarray], join: int, prior: Tail, least_level: float = -np.inf) -> Tail:
    """The tail of ordinary scores.

    Args:
        series: as in ``peaks_above``.
        join: as there.
        prior: scale, shape and rate that hold as long as there are few peaks.
        least_level: score up to which everything is ordinary, however calm the rest.

    Returns:
        the tail; that of the prior's scale and shape over the median where no score stands out.
    """
    every = np.concatenate([np.asarray(scores, float) for scores in series]) if len(series) else np.zeros(0)
    every = every[np.isfinite(every)]
    if not len(every):
        return prior
    hours = len(every) / 3600.0
    level = max(float(np.quantile(every, LEVEL_QUANTILE)), least_level)
    peaks = np.sort(peaks_above(series, level, join))
    kept = max(ENOUGH_PEAKS, round(TAIL_SHARE * len(peaks)))
    if len(peaks) > kept:
        level, peaks = float(peaks[-kept - 1]), peaks[-kept:]
    excess = peaks - level
    scale, shape = _fit(excess[excess > 0], prior)
    expected = min(prior.rate(level), MOST_PER_HOUR) * PRIOR_HOURS
    return Tail(level, scale, shape, (max(len(excess), 1) + expected) / (hours + PRIOR_HOURS))


def _fit(excess: np.ndarray, prior: Tail) -> tuple[float, float]:
    """Scale and shape of the most likely tail, the highest excesses censored, the prior counted as so many peaks."""
    if not len(excess):
        return prior.scale, prior.shape
    known = len(excess) - min(max(1, round(CENSORED * len(excess))), MOST_CENSORED)
    from scipy.optimize import minimize  # slow to load, and settings are read with this module

    seen, bar, beyond = excess[:known], excess[known], len(excess) - known
    expected = excess_of((np.arange(20) + 0.5) / 20, prior.scale, prior.shape)

    def unlikely(parameters: np.ndarray) -> float:
        scale, shape = np.exp(parameters[0]), LEAST_SHAPE + (MOST_SHAPE - LEAST_SHAPE) / (1 + np.exp(-parameters[1]))
        logs = log_density(seen, scale, shape).sum()
        logs += beyond * log_survival(bar, scale, shape)
        logs += PRIOR_PEAKS * log_density(expected, scale, shape).mean()
        logs -= 0.5 * ((shape - prior.shape) / SHAPE_DEVIATION) ** 2
        return float(-logs) if np.isfinite(logs) else 1e12

    share = (np.clip(prior.shape, LEAST_SHAPE + 0.01, MOST_SHAPE - 0.01) - LEAST_SHAPE) / (MOST_SHAPE - LEAST_SHAPE)
    start = np.array([np.log(max(float(np.median(excess)), 1e-12)), np.log(share / (1 - share))])
    best = minimize(unlikely, start, method="Nelder-Mead", options={"maxiter": 400, "xatol": 1e-4, "fatol": 1e-6}).x
    return float(np.exp(best[0])), float(LEAST_SHAPE + (MOST_SHAPE - LEAST_SHAPE) / (1 + np.exp(-best[1])))
