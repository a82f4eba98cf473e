"""Which tracks are one person, with the whole lecture known.

Students sit, so where a track stayed tells most about whose it is; nobody is in two places at once; and clothes do not
change during a lecture.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.spatial import cKDTree

from pipeline.tracklets import Tracklet


class LinkSettings(BaseModel):
    """When two tracks are one person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_seat_distance: float = Field(
        0.6,
        gt=0,
        description="box heights between two tracks' places above which they are different students",
    )
    max_appearance_distance: float = Field(
        0.25,
        gt=0,
        lt=2,
        description="1 - cosine between mean appearances above which they are different students",
    )


def link(pieces: list[Tracklet], settings: LinkSettings, interval_s: float) -> list[list[Tracklet]]:
    """The tracks of each person, in no order."""
    people = {index: [index] for index in range(len(pieces))}
    owner = list(range(len(pieces)))
    for _, a, b in sorted(_possible_pairs(pieces, settings)):
        one, other = owner[a], owner[b]
        if one == other or _ever_together(pieces, people[one], people[other]):
            continue
        for index in people[other]:
            owner[index] = one
        people[one] += people.pop(other)
    return [[pieces[index] for index in person] for person in people.values()]


def _possible_pairs(pieces: list[Tracklet], settings: LinkSettings) -> Iterator[tuple[float, int, int]]:
    """(cost, earlier, later) of every two tracks that may be one person; cost 0 is the same place and look."""
    tops = np.array([_anchor(piece.place) for piece in pieces])
    ends = np.array([_anchor(piece.last_box) for piece in pieces])
    starts = np.array([_anchor(piece.first_box) for piece in pieces])
    heights = np.array([piece.place[3] - piece.place[1] for piece in pieces])
    looks = np.array([piece.appearance for piece in pieces])
    reach = settings.max_seat_distance * float(heights.max())
    near = set(cKDTree(tops).query_pairs(reach))
    for later, earlier_ones in enumerate(cKDTree(ends).query_ball_point(starts, reach)):
        near.update((earlier, later) for earlier in earlier_ones if earlier < later)
    for a, b in near:
        earlier, later = (a, b) if a < b else (b, a)
        if pieces[earlier].seen_with(pieces[later]):
            continue
        distance = np.linalg.norm(tops[earlier] - tops[later])
        if pieces[earlier].last_t < pieces[later].first_t:  # else the later one fills gaps of the earlier
            distance = min(distance, np.linalg.norm(ends[earlier] - starts[later]))
        moved = distance / min(heights[earlier], heights[later])
        unlike = 1 - float(looks[earlier] @ looks[later])
        if moved <= settings.max_seat_distance and unlike <= settings.max_appearance_distance:
            yield (
                moved / settings.max_seat_distance + unlike / settings.max_appearance_distance,
                earlier,
                later,
            )


def _anchor(box_xyxy: np.ndarray) -> np.ndarray:
    """Top middle of a box: it stays with the head when desks or neighbours hide the rest."""
    return np.array([(box_xyxy[0] + box_xyxy[2]) / 2, box_xyxy[1]])


def _ever_together(pieces: list[Tracklet], one: list[int], other: list[int]) -> bool:
    return any(pieces[a].seen_with(pieces[b]) for a in one for b in other)
