"""Who only passes through a lecture: people who sit nowhere, and detections that are no student's.

They are no students of this lecture: no row is made for them, and they are covered, because nobody asked them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.heads import complete_head_boxes
from pipeline.seat_zone import head_centres, time_on_seat
from pipeline.session import BOX, HEAD_BOX

SEATED_S = 3.0
"""Seconds in one place from which somebody sits there; who walks leaves a place within about one."""

GLIMPSE_HOLD_S = 0.5
"""Seconds a cover of somebody seen too briefly or too weakly to be a person stays before and after: most are bags and
hands, and a cover that stays hides the faces of those behind."""

SAME_HEAD = 0.5
"""Share of the smaller head box that lies in the other, from which both are one head."""


def seated(
    rows: pd.DataFrame, student_of: dict[int, int], interval_s: float, scene_of: Mapping[int, int] | None = None
) -> dict[int, int]:
    """The tracks of students who sit somewhere; what remains of ``student_of`` without those who only walk through.

    Args:
        rows: of tracks, with the body boxes, in coordinates in which the room stands still.
        student_of: track -> student.
        interval_s: time between analysed frames, s.
        scene_of: track -> scene, where there are several: places in different scenes have nothing in common.
    """
    times = rows["t"].to_numpy(float)
    limit = min(SEATED_S, (len(np.unique(times)) // 2) * interval_s)  # a clip of a second has students too
    student = rows["track"].map(student_of).to_numpy(float)
    scene_of = scene_of or {}
    scene = rows["track"].map(scene_of).fillna(0).to_numpy(int)
    centres, sides = head_centres(rows[list(BOX)].to_numpy(float))
    sits = set()
    for one, place in {(one, scene_of.get(track, 0)) for track, one in student_of.items()}:
        own = (student == one) & (scene == place) & np.isfinite(centres).all(axis=1)
        if own.any() and time_on_seat(centres[own], float(np.median(sides[own])), interval_s) >= limit:
            sits.add(one)
    return {track: one for track, one in student_of.items() if one in sits}


def passing(rows: pd.DataFrame, student_of: dict[int, int]) -> np.ndarray:
    """Which rows (mask) are of people who pass through: those of tracks of no student.

    A track whose head is a student's head in most of its rows is that student seen twice, and not somebody else.

    Args:
        rows: of tracks, with body and head boxes.
        student_of: track -> student, of those who sit.
    """
    stranger = ~rows["track"].isin(list(student_of)).to_numpy()
    if not stranger.any():
        return stranger
    heads = complete_head_boxes(rows.assign(student=rows["track"]))[list(HEAD_BOX)].to_numpy(float)
    times = rows["t"].to_numpy(float)
    known = pd.Series(np.flatnonzero(~stranger)).groupby(times[~stranger]).apply(np.array).to_dict()
    same = np.zeros(len(rows), bool)
    for row in np.flatnonzero(stranger):
        others = known.get(times[row])
        same[row] = others is not None and _same_head(heads[row], heads[others]).any()
    double = pd.Series(same[stranger]).groupby(rows["track"].to_numpy()[stranger]).mean()
    return stranger & ~rows["track"].isin(double.index[double > 0.5]).to_numpy()


def _same_head(head_xyxy: np.ndarray, others_xyxy: np.ndarray) -> np.ndarray:
    """Which of the others (n, 4) overlap the head (4,) by ``SAME_HEAD`` of the smaller of the two."""
    low = np.maximum(head_xyxy[:2], others_xyxy[:, :2])
    high = np.minimum(head_xyxy[2:], others_xyxy[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    smaller = np.minimum((head_xyxy[2:] - head_xyxy[:2]).prod(), (others_xyxy[:, 2:] - others_xyxy[:, :2]).prod(axis=1))
    return shared > SAME_HEAD * smaller
