"""When frames are shown and which are analysed: exact arithmetic on timestamps, so that nothing drifts."""

from __future__ import annotations

import math
from fractions import Fraction

CLOCK_RESTART_S = 1.0  # a step back longer than this is a recorder that restarted its clock, not jitter
CLOCK_LEAP_S = 6 * 3600.0  # a step ahead longer than this is a broken clock: no camera waits that long within a lecture


class Clock:
    """Presentation timestamps in ticks from the first frame, made strictly increasing.

    A missing timestamp is the last known one plus the frames since at the mean rate; one that repeats or
    steps back a little follows the previous by one tick; after a long step back (``CLOCK_RESTART_S``) or an
    impossible one ahead (``CLOCK_LEAP_S``) the recording goes on.
    """

    def __init__(self, time_base: Fraction, fps: float) -> None:
        self.interval = 1 / (Fraction(fps).limit_denominator(100_000) * time_base)
        self._restart = CLOCK_RESTART_S / time_base
        self._leap: Fraction | float = max(Fraction(CLOCK_LEAP_S) / time_base, 2 * self.interval)
        self._offset: int | None = None
        self._anchor = 0
        self._since_anchor = 0
        self._last = -1

    def ticks(self, pts: int | None) -> int:
        """The time of the next frame, whose own timestamp is ``pts``."""
        self._since_anchor += self._last >= 0
        expected = max(self._anchor + round(self._since_anchor * self.interval), self._last + 1)
        value = expected
        if pts is not None:
            ahead = 0 if self._offset is None else pts - self._offset - self._last
            if self._offset is None or ahead < -self._restart or ahead > self._leap:
                self._offset = pts - expected
            value = max(pts - self._offset, self._last + 1)
            self._anchor, self._since_anchor = value, 0
        self._last = value
        return value


class Sampler:
    """Chooses, in time order, the first frame at or after each tick k / rate; never two for one tick.

    Ticks are absolute, so there is no drift; a gap in the recording skips its ticks. ``slack`` (s) forgives
    the rounding of timestamps: a frame that early still counts as being on its tick.

    Raises:
        ValueError: ``rate`` is not a positive number.
    """

    def __init__(self, rate: float, slack: Fraction = Fraction(0)) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"rate must be a positive number of frames per second, got {rate}")
        self._rate = Fraction(rate).limit_denominator(1_000_000) or Fraction(rate)
        self._slack = slack
        self._tick = -1

    def takes(self, t: Fraction) -> bool:
        """Whether the frame at ``t`` seconds from the first is chosen."""
        tick = math.floor((t + self._slack) * self._rate)
        if tick <= self._tick:
            return False
        self._tick = tick
        return True
