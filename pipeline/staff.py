"""Who is staff: the teacher is no seated student, has no row in any table and takes no part in engagement.

Decided from the finished lecture, and only where it is plain: somebody who is on the move for most of a long time, or
stands upright far above those who sit around. A teacher who sits, or stands still where nobody is near to compare with,
looks like a student to this: then the area where the teacher is can be given.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator

from consent.errors import ConsentError
from consent.zones import Zone
from pipeline.seat_zone import head_centres
from pipeline.session import BOX

WINDOW_S = 30.0
"""Seconds within which somebody who sits stays in one place."""
SPREAD = 1.5
"""Head regions between the outermost places of a window, a tenth left out at each end, from which it was a walk."""
FEWEST_OTHERS, NEAREST = 4, 3
"""People to compare a standing one with: so many at least, and the nearest of them."""


class StaffSettings(BaseModel):
    """Who is staff and not a student."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    find: bool = Field(True, description="look for a teacher who walks about or stands; areas given count anyway")
    zones: tuple[str, ...] = Field(
        (), description="areas of the first picture (x1,y1,x2,y2 in shares) where whoever is there mostly is staff"
    )
    min_seen_s: float = Field(
        60.0, gt=0, description="s of sight below which nobody is called staff; who passes through is gone by then"
    )
    min_walking: float = Field(0.5, gt=0, le=1, description="share of the time on the move from which it is no student")
    min_standing: float = Field(0.8, gt=0, le=1, description="share of the time upright from which it is no student")
    upright: float = Field(2.2, gt=1, description="height over width of a box from which a person stands")
    taller: float = Field(
        1.5, gt=1, description="times the height of the nearest others that somebody who stands still must have"
    )

    @field_validator("zones")
    @classmethod
    def _are_zones(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        for zone in zones:
            try:
                Zone.parse(zone)
            except ConsentError as error:
                raise ValueError(str(error)) from None
        return zones


def staff_of(
    rows: pd.DataFrame,
    person_of: Mapping[int, int],
    scene_of: Mapping[int, int],
    size: tuple[int, int],
    interval_s: float,
    settings: StaffSettings,
) -> set[int]:
    """Which people are staff.

    Args:
        rows: of tracks, in coordinates in which the room stands still.
        person_of: track -> person.
        scene_of: track -> scene; somebody is judged by the scene of most sightings.
        size: width and height of the picture, px.
        interval_s: time between analysed frames, s.
        settings: limits.
    """
    zones = [Zone.parse(zone) for zone in settings.zones]
    boxes = rows[list(BOX)].to_numpy(float)
    person = rows["track"].map(dict(person_of)).to_numpy(float)
    scene = rows["track"].map(dict(scene_of)).fillna(0).to_numpy(int)
    centres, sides = head_centres(boxes)
    usable = np.isfinite(person) & np.isfinite(centres).all(axis=1)
    own = {one: np.flatnonzero(usable & (person == one)) for one in sorted(set(person_of.values()))}
    for one, seen in own.items():
        if len(seen):
            own[one] = seen[scene[seen] == np.bincount(scene[seen]).argmax()]
    own = {one: seen for one, seen in own.items() if len(seen)}
    middle = {one: np.median(boxes[seen], axis=0) for one, seen in own.items()}
    times = rows["t"].to_numpy(float)
    staff = set()
    for one, seen in own.items():
        if scene[seen[0]] == 0 and _in_one(centres[seen] / size, zones) > 0.5:
            staff.add(one)
        elif settings.find and len(seen) * interval_s >= settings.min_seen_s:
            others = [box for another, box in middle.items() if another != one]
            walks = walking_share(times[seen], centres[seen], float(np.median(sides[seen]))) >= settings.min_walking
            if walks or _stands(boxes[seen], others, settings):
                staff.add(one)
    return staff


def walking_share(times: np.ndarray, centres: np.ndarray, side: float) -> float:
    """Share of the windows of ``WINDOW_S`` in which a head, seen at (n, 2) px, was in no one place.

    Who changes seats now and then sits in nearly every window; who goes about the room does in hardly any.
    """
    window = np.floor((times - times[0]) / WINDOW_S).astype(int)
    moving = []
    for one in np.unique(window):
        low, high = np.percentile(centres[window == one], [10, 90], axis=0)
        moving.append(bool((high - low).max() > SPREAD * side))
    return float(np.mean(moving))


def _stands(boxes: np.ndarray, others: list[np.ndarray], settings: StaffSettings) -> bool:
    """Whether somebody is upright nearly always, and far taller than the nearest others, who sit."""
    if len(others) < FEWEST_OTHERS:
        return False
    if (_aspect(boxes) >= settings.upright).mean() < settings.min_standing:
        return False
    if np.median(_aspect(np.array(others))) >= settings.upright:  # tall boxes say nothing in this room
        return False
    mine = np.median(boxes, axis=0)
    apart = [np.hypot(box[0] + box[2] - mine[0] - mine[2], box[1] + box[3] - mine[1] - mine[3]) for box in others]
    near = [others[n][3] - others[n][1] for n in np.argsort(apart)[:NEAREST]]
    return bool(mine[3] - mine[1] >= settings.taller * np.median(near))


def _aspect(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 3] - boxes[:, 1]) / np.maximum(boxes[:, 2] - boxes[:, 0], 1.0)


def _in_one(places: np.ndarray, zones: list[Zone]) -> float:
    """Share of the places (n, 2) that lie in one of the zones."""
    if not zones:
        return 0.0
    return float(np.mean([any(zone.contains(x, y) for zone in zones) for x, y in places.tolist()]))
