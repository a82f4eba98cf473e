"""Cues that need more than one second: eyes shut for long, blinks, the rhythm of the mouth, stillness."""

from __future__ import annotations

import numpy as np
import pandas as pd

EYE_SHUT = 0.2
"""``eye_open`` at which an eye counts as shut: 80 % closure (PERCLOS, Wierwille & Ellsworth 1994)."""
BOWED_DEG = 15.0
"""Deg of pitch below ahead from which a lid is seen from above and looks shut: eyes are not counted then."""
BLINK_S = 0.5
"""A shorter closure is a blink, a longer one is slow (Caffier et al. 2003: blinks last up to 0.4 s)."""
BLINK_INTERVAL_S = 0.25
"""Time between frames above which most blinks fall between them."""
ENOUGH_S = 15.0
"""s of readings in the window below which shares and rates are not told."""
MOUTH_STEP = 0.03
"""Mouth opening off its mean that counts as a crossing: the reading's own noise."""
MOUTH_WINDOW_S = 3
SYLLABLES_HZ = (2.0, 6.0)
"""Speech opens and shuts the mouth with its syllables, 2 to 6 times per second (Chandrasekaran et al. 2009)."""
RHYTHM_INTERVAL_S = 0.1
"""Time between frames up to which 2 to 6 Hz can be told from less (10 frames per second; Nyquist 5 Hz)."""
LONGEST_STILL_S = 60.0


def eye_windows(seen: pd.DataFrame, grid: pd.MultiIndex, interval_s: float, window_s: float) -> pd.DataFrame:
    """``perclos``: share of the last ``window_s`` with eyes slowly shut; ``blinks`` per minute.

    Args:
        seen: rows with ``student``, ``t``, ``second``, ``eye_open`` and ``pitch`` off ahead, by student and time.
        grid: (student, second) of the result, each student's seconds without gaps.
        interval_s: time between rows, s.
        window_s: length of the window, s.

    Returns:
        NaN with less than ``ENOUGH_S`` of readings in the window; everywhere where frames are further apart than half a
        second, and blinks already from ``BLINK_INTERVAL_S``.
    """
    result = pd.DataFrame(np.nan, index=grid, columns=["perclos", "blinks"])
    if interval_s > BLINK_S or seen.empty:
        return result
    eye = seen["eye_open"].where(~(seen["pitch"] < -BOWED_DEG))
    shut = (eye <= EYE_SHUT).where(eye.notna())
    apart = (seen["student"] != seen["student"].shift()) | (seen["t"].diff() > 2.5 * interval_s)
    run = (apart | (shut != shut.shift()) | shut.isna()).cumsum()
    times = seen.groupby(run)["t"]
    length = times.transform("last") - times.transform("first") + interval_s
    slow = (shut == 1) & (length >= BLINK_S - 1e-6)
    # a blink lies between two readings of the open eye
    last_of_run = run != run.shift(-1)
    opens_next = last_of_run & (shut.shift(-1) == 0) & ~apart.shift(-1, fill_value=True)
    opened_before = ((run != run.shift()) & (shut.shift() == 0) & ~apart).groupby(run).transform("any")
    blink = (shut == 1) & (length < BLINK_S - 1e-6) & opens_next & opened_before
    counts = pd.DataFrame({"read": shut.notna(), "slow": slow, "blink": blink}).astype(float)
    by_second = counts.groupby([seen["student"], seen["second"]]).sum().reindex(grid, fill_value=0.0)
    summed = by_second.groupby(level=0).rolling(max(1, round(window_s)), min_periods=1).sum().droplevel(0)
    read = summed["read"].where(summed["read"] * interval_s >= ENOUGH_S - 1e-6)
    result["perclos"] = summed["slow"] / read
    if interval_s <= BLINK_INTERVAL_S:
        result["blinks"] = summed["blink"] / (read * interval_s) * 60
    return result


def mouth_windows(seen: pd.DataFrame, grid: pd.MultiIndex, interval_s: float) -> pd.DataFrame:
    """``mouth_crossings`` per second, ``mouth_rhythm`` 0 to 1 and ``mouth_held`` 0 to 1.

    Crossings: how often the opening goes through its mean of three seconds, by more than the noise: speech does, a yawn
    does not. Rhythm: share of the energy of the opening's changes in ``SYLLABLES_HZ``; needs 10 frames per second.
    Held: the largest opening that lasted two seconds: a yawn does, speech does not.

    Args:
        seen: rows with ``student``, ``second`` and ``mouth_open``, by student and time.
        grid: (student, second) of the result.
        interval_s: time between rows, s.
    """
    result = pd.DataFrame(np.nan, index=grid, columns=["mouth_crossings", "mouth_rhythm", "mouth_held"])
    if seen.empty:
        return result
    mouth = seen["mouth_open"].astype(float)
    keys = [seen["student"], seen["second"]]
    lowest = mouth.groupby(keys).min().reindex(grid)
    after, before = lowest.groupby(level=0).shift(-1), lowest.groupby(level=0).shift(1)
    held = pd.concat([np.minimum(lowest, after), np.minimum(lowest, before)], axis=1).max(axis=1)
    result["mouth_held"] = held
    if interval_s > BLINK_INTERVAL_S:
        return result
    frames = max(3, round(MOUTH_WINDOW_S / interval_s))
    by_student = mouth.groupby(seen["student"], sort=False)
    mean = by_student.rolling(frames, center=True, min_periods=frames // 2).mean().droplevel(0).reindex(seen.index)
    off = mouth - mean
    side = np.sign(off).where(off.abs() > MOUTH_STEP)
    side = side.groupby(seen["student"], sort=False).ffill(limit=max(1, round(0.5 / interval_s)))
    same = seen["student"] == seen["student"].shift()
    crossing = (same & (side * side.shift() < 0)).astype(float).where(mean.notna() & mouth.notna())
    seconds = crossing.groupby(keys).mean().reindex(grid) / interval_s
    result["mouth_crossings"] = (
        seconds.groupby(level=0).rolling(MOUTH_WINDOW_S, center=True, min_periods=1).mean().droplevel(0)
    )
    if interval_s <= RHYTHM_INTERVAL_S + 1e-6:
        for student, own in off.groupby(seen["student"], sort=False):
            rhythm = _rhythm(own.to_numpy(), seen.loc[own.index, "second"].to_numpy(), interval_s)
            places = pd.MultiIndex.from_product([[student], rhythm.index], names=grid.names)
            result.loc[places, "mouth_rhythm"] = rhythm.to_numpy()
    return result


def _rhythm(off_mean: np.ndarray, second: np.ndarray, interval_s: float) -> pd.Series:
    """Share of energy in ``SYLLABLES_HZ`` of the window around each second; NaN where it is not whole."""
    frames = round(MOUTH_WINDOW_S / interval_s)
    shares = {}
    taper = np.hanning(frames)
    wave = np.fft.rfftfreq(frames, interval_s)
    wanted = (wave >= SYLLABLES_HZ[0]) & (wave <= SYLLABLES_HZ[1])
    first = np.unique(second, return_index=True)
    for when, start in zip(*first, strict=True):
        low = start - (frames - round(1 / interval_s)) // 2
        part = off_mean[max(low, 0) : max(low, 0) + frames]
        if len(part) < frames or low < 0 or np.isnan(part).any():
            continue
        energy = np.abs(np.fft.rfft(part * taper)[1:]) ** 2
        # a mouth that hardly moves has no rhythm: the share of noise says nothing
        shares[int(when)] = energy[wanted[1:]].sum() / energy.sum() if np.std(part) > MOUTH_STEP / 2 else 0.0
    return pd.Series(shares, dtype=float)


def still_seconds(motion: pd.Series, student: pd.Series, limit: float) -> pd.Series:
    """Seconds for which each student has sat still up to this one, at most ``LONGEST_STILL_S``; NaN where not seen.

    Args:
        motion: body heights per second, one row per student and second, by student and time.
        student: number of each row.
        limit: motion from which a student moves.
    """
    still = motion <= limit
    broken = (~still | (student != student.shift())).cumsum()
    length = still.astype(float).groupby(broken).cumsum()
    return length.clip(upper=LONGEST_STILL_S).where(motion.notna())
