"""How sure a mean over time is: 95% intervals from a block bootstrap.

What a class does in one second it mostly still does in the next, so seconds are no independent draws. Whole blocks of
consecutive seconds are drawn instead (circular block bootstrap, Politis & Romano 1992), several times as long as the
values remember (integrated autocorrelation time, window after Sokal 1997). The spread of the drawn means is widened by
Student's t, because a short lecture holds few blocks. An interval is about chance in time within one lecture: not about
mistakes of the networks, and not about other lectures. Seeds are fixed, so the same session gives the same interval.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED: Final = 2014
DRAWS: Final = 1000
CURVE_DRAWS: Final = 300
LEVEL: Final = 0.95
FEWEST_SECONDS: Final = 20
"""With fewer seconds that were seen there is no interval: too little to tell how long the values remember."""

FEWEST_BLOCKS: Final = 6
SHORTEST_WINDOW_S: Final = 30
MEMORIES_PER_BLOCK: Final = 6.0
"""Length of a block, in autocorrelation times."""

Array = NDArray[np.float64]


class Interval(NamedTuple):
    """Where a mean lies with 95% confidence; NaN where that can not be said."""

    low: float
    high: float


UNKNOWN: Final = Interval(np.nan, np.nan)


def ratio_interval(part: Array, whole: Array, least: float = 0.0, most: float = 1.0) -> Interval:
    """The interval of Σ part / Σ whole.

    Args:
        part: (n,) by second: the value times the evidence for it; 0 where there is none.
        whole: (n,) the evidence, at least 0.
        least: end of the scale.
        most: other end of the scale.
    """
    if np.count_nonzero(whole) < FEWEST_SECONDS:
        return UNKNOWN
    value = part.sum() / whole.sum()
    rest = part - value * whole
    memory = memory_s(rest)
    length = _block_length(rest, memory)
    blocks = int(np.ceil(len(part) / length))
    starts = np.random.default_rng(SEED).integers(0, len(part), (DRAWS, blocks))
    tops, bottoms = (_block_sums(each, length)[starts].sum(axis=1) for each in (rest, whole))
    spread = float(np.sqrt(np.nanmean(_divided(tops, bottoms) ** 2)))
    # Drawn blocks are a little longer together than the session; they vary less around their own mean than around the
    # true one; and each forgets what went before it.
    spread *= np.sqrt(blocks * length / len(part)) * np.sqrt(blocks / (blocks - 1))
    spread /= np.sqrt(1.0 - min(memory / (2.0 * length), 0.5))
    half = student_t(len(part) / length) * spread
    return Interval(max(value - half, least), min(value + half, most))


def curve_half_widths(part: Array, whole: Array, bins: NDArray[np.intp]) -> Array:
    """Half of the interval around each step of a curve of Σ part / Σ whole by bin.

    Departures from a moving average over three bins, at least half a minute, are drawn in blocks and added to it.

    Args:
        part: (n,) by second.
        whole: (n,).
        bins: (n,) the bin of each second, from 0, ascending.

    Returns:
        (bins,), NaN where nothing was seen or the session is too short to tell.
    """
    count = int(bins[-1]) + 1 if len(bins) else 0
    seen = np.bincount(bins, whole, count)
    if np.count_nonzero(whole) < FEWEST_SECONDS:
        return np.full(count, np.nan)
    per_bin = max(1, round(len(part) / count))
    window = np.ones(min(max(3 * per_bin, SHORTEST_WINDOW_S), len(part)))
    smooth = _divided(np.convolve(part, window, "same"), np.convolve(whole, window, "same"))
    weighted = np.nan_to_num(np.where(whole > 0, _divided(part, whole) - smooth, 0.0)).astype(np.float64)
    length = _block_length(weighted, memory_s(weighted))
    rng = np.random.default_rng(SEED)
    blocks = int(np.ceil(len(part) / length))
    starts = rng.integers(0, len(part), (CURVE_DRAWS, blocks, 1))
    at = (starts + np.arange(length)).reshape(CURVE_DRAWS, -1)[:, : len(part)] % len(part)
    drawn = weighted[at] * whole
    edges = np.searchsorted(bins, np.arange(count))
    sums = np.add.reduceat(drawn, np.minimum(edges, len(part) - 1), axis=1)
    spread = _divided(sums.std(axis=0), seen.astype(np.float64))
    return student_t(len(part) / length) * spread


def slope_interval(days: Array, values: Array) -> tuple[float, Interval]:
    """The slope of a line through values (per day), and its interval by Student's t; unknown below three days."""
    if len(set(days.tolist())) < 3:
        return np.nan, UNKNOWN
    from scipy import stats  # costs a second, and most pages draw no trend

    found = stats.linregress(days, values)
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(days) - 2)) * float(found.stderr)
    return float(found.slope), Interval(float(found.slope) - half, float(found.slope) + half)


def difference_interval(first: float, of_first: Interval, second: float, of_second: Interval) -> Interval:
    """The interval of ``second - first`` of two lectures that know nothing of each other."""
    difference = second - first
    low = np.hypot(second - of_second.low, of_first.high - first)
    high = np.hypot(of_second.high - second, first - of_first.low)
    return Interval(float(difference - low), float(difference + high))


def _block_sums(values: Array, length: int) -> Array:
    """(n,) sum of the ``length`` values from each place on, the end followed by the beginning."""
    total = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values[:length]]))])
    return total[length : length + len(values)] - total[: len(values)]


def _block_length(rest: Array, memory: float) -> int:
    """Seconds of a block for deviations ``rest`` (n,) from a mean."""
    longest = max(1, len(rest) // FEWEST_BLOCKS)
    return int(np.clip(np.ceil(MEMORIES_PER_BLOCK * memory), 1, longest))


def memory_s(rest: Array) -> float:
    """Integrated autocorrelation time of deviations from a mean, s: 1 where every second is new."""
    size = 1 << int(np.ceil(np.log2(max(2 * len(rest), 2))))
    spectrum = np.abs(np.fft.rfft(rest - rest.mean(), size)) ** 2
    covariance = np.fft.irfft(spectrum, size)[: len(rest)]
    if not covariance[0] > 1e-12 * len(rest):
        return 1.0
    times = 2.0 * np.cumsum(covariance / covariance[0]) - 1.0
    window = np.arange(len(rest)) >= 5.0 * times
    time = max(float(times[np.argmax(window)] if window.any() else times.max()), 1.0)
    return time / (1.0 - min(2.0 * time / len(rest), 0.5))  # deviations from their own mean seem to forget sooner


def student_t(blocks: float) -> float:
    """Student's t for a spread estimated from about as many independent blocks."""
    from scipy import stats

    return float(stats.t.ppf((1 + LEVEL) / 2, max(blocks - 1.0, 1.0)))


def _divided(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)
