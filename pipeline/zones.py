"""Who sits in a seat on record: one rule for the analysis, the check of its video and a later withdrawal.

Seats are recorded in the first picture of a recording. Where the camera has moved since, a place is looked up where it
lay then; where it is not known how the camera moved, anybody may be the one who said no.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from consent.policy import CoverPolicy
from pipeline.heads import head_region
from pipeline.picture_motion import EYE, inverse, moved

SMALL_MOTION = 0.03
"""Share of the picture's width up to which a camera may have been bumped: seats count where they were and where they
are, because both may be wrong by a little."""
BEYOND = 0.05
"""Share of the picture outside the first one up to which a head counts at its edge: there it is only partly in view."""


def heads_in_zones(boxes_xyxy: np.ndarray, policy: CoverPolicy, width: int, height: int) -> np.ndarray:
    """Which people (n,) have the middle of their head region in the seat of somebody who said no; the camera is still.

    Args:
        boxes_xyxy: (n, 4) px, of whole persons.
        policy: with the seats.
        width, height: of the picture, px.
    """
    return heads_in_seats(boxes_xyxy, EYE, policy, width, height)


def heads_in_seats(
    boxes_xyxy: np.ndarray, to_first: np.ndarray | None, policy: CoverPolicy, width: int, height: int
) -> np.ndarray:
    """Like ``heads_in_zones`` in a picture of a camera that may have moved, see ``points_in_seats``."""
    if not policy.zones:
        return np.zeros(len(boxes_xyxy), bool)
    regions = np.array([head_region(box) for box in boxes_xyxy]).reshape(-1, 3)
    return points_in_seats(regions[:, :2] + regions[:, 2:] / 2, to_first, policy, width, height)


def points_in_seats(
    points: np.ndarray, to_first: np.ndarray | None, policy: CoverPolicy, width: int, height: int
) -> np.ndarray:
    """Which points (n, 2) px lie in the seat of somebody who said no: mask (n,).

    Args:
        points: px of the picture.
        to_first: (3, 3) px of the picture -> px of the recording's first picture; ``None`` where that is not known,
            and then all are taken to lie in one, if there is any.
        policy: with the seats.
        width, height: of the picture, px.
    """
    if not policy.zones or to_first is None:
        return np.full(len(points), bool(policy.zones))
    size = np.array([width, height], float)
    here = points / size
    if np.array_equal(to_first, EYE):
        return _in_zones(here, policy)
    there = moved(to_first, points) / size
    outside = ((there < -BEYOND) | (there > 1 + BEYOND)).any(axis=1)  # a place that is not known (NaN) is not outside
    taken = _in_zones(there, policy) & ~outside
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], float)
    if np.abs(moved(to_first, corners) - corners).max() <= SMALL_MOTION * width:
        taken |= _in_zones(here, policy)
    return taken


def boxes_around_seats(policy: CoverPolicy, width: int, height: int, to_first: np.ndarray | None = None) -> np.ndarray:
    """(n, 4) px: upright boxes around the seats of those who said no, in the picture; ``to_first`` as above."""
    boxes = np.array([zone.corners for zone in policy.zones]).reshape(-1, 4) * (width, height, width, height)
    if to_first is None or np.array_equal(to_first, EYE) or not len(boxes):
        return boxes
    corners = boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 2)
    here = moved(inverse(to_first), corners).reshape(-1, 4, 2)
    there = np.concatenate([here.min(axis=1), here.max(axis=1)], axis=1)
    if np.abs(there - boxes).max() > SMALL_MOTION * width:
        return there
    return np.concatenate([np.minimum(there[:, :2], boxes[:, :2]), np.maximum(there[:, 2:], boxes[:, 2:])], axis=1)


def _in_zones(relative: np.ndarray, policy: CoverPolicy) -> np.ndarray:
    return np.array([policy.opted_out(x, y) for x, y in relative.tolist()], bool)


def mostly(in_zone: np.ndarray, person: pd.Series) -> set[int]:
    """The people of whose rows more than half lie in a seat.

    Args:
        in_zone: (n,) mask of rows.
        person: (n,) whose row it is, NaN for nobody's.
    """
    share = pd.Series(in_zone).groupby(person.to_numpy()).mean()
    return set(share.index[share > 0.5].astype(int))
