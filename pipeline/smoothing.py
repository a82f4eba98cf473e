"""Steady boxes: each is drawn towards the line through its neighbours in time, because detectors jitter."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.session import BOX

REACH = 3.0
"""Standard deviations after which a neighbour no longer counts (its weight is 0.01)."""

EDGE = 1e-9


def smooth_boxes(observations: pd.DataFrame, sigma_s: float) -> pd.DataFrame:
    """The same rows with ``x1 y1 x2 y2`` from a line fitted to the student's boxes nearby in time.

    Gaussian weights; a line, not a mean, so that who walks is not held back (Cleveland 1979).

    Args:
        observations: rows by student and time.
        sigma_s: standard deviation of the weights, s; 0 changes nothing.
    """
    if sigma_s <= 0 or observations.empty:
        return observations
    t = observations["t"].to_numpy(float)
    student = observations["student"].to_numpy()
    boxes = observations[list(BOX)].to_numpy(float)
    weight, first, second = (np.zeros(len(t)) for _ in range(3))
    value, sloped = np.zeros_like(boxes), np.zeros_like(boxes)
    for step in _steps(t, student, REACH * sigma_s):
        here = slice(max(0, -step), len(t) - max(0, step))
        there = slice(max(0, step), len(t) - max(0, -step))
        away = t[there] - t[here]
        counts = (student[there] == student[here]) & (np.abs(away) <= REACH * sigma_s + EDGE)
        w = np.where(counts, np.exp(-0.5 * (away / sigma_s) ** 2), 0.0)
        weight[here] += w
        first[here] += w * away
        second[here] += w * away**2
        value[here] += w[:, None] * boxes[there]
        sloped[here] += (w * away)[:, None] * boxes[there]
    spread = weight * second - first**2
    line = spread > EDGE
    level = value / weight[:, None]
    level[line] = (second[line, None] * value[line] - first[line, None] * sloped[line]) / spread[line, None]
    return observations.assign(**{name: level[:, i].astype(np.float32) for i, name in enumerate(BOX)})


def _steps(t: np.ndarray, student: np.ndarray, reach_s: float) -> range:
    """Row distances at which neighbours within reach can lie."""
    most = 0
    while most + 1 < len(t):
        step = most + 1
        if not ((student[step:] == student[:-step]) & (t[step:] - t[:-step] <= reach_s + EDGE)).any():
            break
        most = step
    return range(-most, most + 1)
