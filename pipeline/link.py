"""Which tracks are one person, with the whole lecture known.

First ends meet beginnings: over a short gap a person goes on as before, so an end and a beginning belong together where
each, moved on evenly, meets the other; all are chosen at once, the sum of the costs smallest. Then seats: over a long
gap only those are joined who sit in one place before and after it, because a place says nothing about who walks. Looks
weigh by how far they tell people apart in this recording, and nobody is ever in two places at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.seat_link import join_by_seat
from pipeline.together import Together
from pipeline.tracklets import Sighting, Tracklet

FORBIDDEN = 1e3
"""Cost of two tracks that are never joined."""

SAME_S = 1e-6
"""Seconds below which two moments are the same: clocks are sums of fractions."""

MISS, MISS_PER_S = 0.3, 0.5
"""Box heights by which a person may miss the place where even motion leads: at once (noise of the boxes), and for each
second unseen (people walk 0.5 to 1 of their height per second, and turn)."""

SIZE_RATIO = 1.5
"""Ratio of heights from which two boxes are not one person a moment later."""

TURN_S = 0.3
"""Seconds over which a motion must have been seen to be believed by half."""

USUAL_APART, USUAL_PAIRS = 0.4, 3
"""Look distance of two people, and how many pairs seen at once it takes to know better (median of the demo clip)."""


class LinkSettings(BaseModel):
    """When two tracks are one person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_gap_s: float = Field(
        3.0,
        ge=0,
        description="s unseen over which an end and a beginning are joined where one motion leads from one to the"
        " other; less where looks tell people apart less well, because motion alone joins strangers",
    )
    max_seat_distance: float = Field(
        0.6,
        gt=0,
        description="box heights between the places of two tracks that sit, above which they are different students",
    )
    max_unlike: float = Field(
        0.6,
        gt=0,
        description="look distance above which two tracks are different students, as a share of that between people"
        " seen at once; where looks tell nobody apart they do not count",
    )
    seated_s: float = Field(
        3.0, ge=0, description="s in one place from which a track is of somebody who sits; who walks leaves sooner"
    )


def link(tracklets: list[Tracklet], settings: LinkSettings, interval_s: float) -> list[list[Tracklet]]:
    """The tracks of each person; every track is in one list, and two seen at once never in the same.

    Args:
        tracklets: of the whole lecture, in any order.
        settings: limits.
        interval_s: time between analysed frames, s.
    """
    pieces = sorted(tracklets, key=lambda piece: (piece.first_t, piece.number))
    if not pieces:
        return []
    unlike = Unlikeness(pieces)
    people = Together(pieces)
    for earlier, later in _by_motion(pieces, settings, unlike):
        people.join(earlier, later)
    join_by_seat(people, pieces, settings, unlike, interval_s)
    return people.lists()


class Unlikeness:
    """Look distances in shares of that between different people of this recording.

    ``trust`` is 0 where one person's looks vary as much as those of different people, 1 where they do not vary.
    """

    def __init__(self, pieces: list[Tracklet]) -> None:
        self._looks = np.array([piece.appearance for piece in pieces])
        apart = [USUAL_APART] * USUAL_PAIRS
        for later, piece in enumerate(pieces):  # the last ones before it: more would cost and tell no more
            for earlier in range(max(0, later - 20), later):
                if piece.seen_with(pieces[earlier]):
                    apart.append(1 - float(self._looks[earlier] @ self._looks[later]))
        weights = np.array([piece.seen for piece in pieces], float)
        within = float(np.average([piece.look_spread for piece in pieces], weights=weights))
        between = float(np.median(apart))
        self.trust = max(0.0, 1 - within / between) if between > 1e-6 else 0.0
        self._between = max(between, 1e-6)

    def __call__(self, one: int, other: int) -> float:
        """0 is the same look, 1 that of a stranger; always 0 where looks are not to be trusted."""
        return self.trust * max(0.0, 1 - float(self._looks[one] @ self._looks[other])) / self._between

    def among(self, some: np.ndarray, others: np.ndarray) -> np.ndarray:
        """(n, m) the same of each of n with each of m."""
        return self.trust * np.maximum(0.0, 1 - self._looks[some] @ self._looks[others].T) / self._between


@dataclass(frozen=True)
class _End:
    """Where a track begins or ends: time (s), middle (2,) px, height px, and speed (2,) px/s."""

    t: float
    middle: np.ndarray
    height: float
    speed: np.ndarray


def _end(sightings: list[Sighting], last: bool) -> _End:
    t = np.array([when for when, _ in sightings])
    boxes = np.array([box for _, box in sightings], float)
    middles, heights = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 3] - boxes[:, 1]
    at = t[-1] if last else t[0]
    since = t - t.mean()
    spread = float(since @ since)
    speed = since @ middles / spread if spread > 0 else np.zeros(2)
    seen_s = float(t[-1] - t[0])
    believed = seen_s**2 / (seen_s**2 + TURN_S**2) if len(t) > 2 else 0.0
    near = slice(-3, None) if last else slice(None, 3)
    middle = np.median(middles[near] + speed * believed * (at - t[near])[:, None], axis=0)
    return _End(float(at), middle, float(np.median(heights[near])), speed * believed)


def _by_motion(pieces: list[Tracklet], settings: LinkSettings, unlike: Unlikeness) -> list[tuple[int, int]]:
    """(earlier, later) pairs, at most one of each end and each beginning."""
    ends = [_end(list(piece.tail), last=True) for piece in pieces]
    starts = [_end(piece.head, last=False) for piece in pieces]
    begin = np.array([start.t for start in starts])
    longest = settings.max_gap_s * unlike.trust
    rows, columns, costs = [], [], []
    for earlier, end in enumerate(ends):
        first, last = np.searchsorted(begin, [end.t + SAME_S, end.t + longest + SAME_S], "right")
        for later in range(int(first), int(last)):
            off = _miss(end, starts[later])
            cost = off + unlike(earlier, later) / max(settings.max_unlike, 1e-9)
            if cost < 1:  # who is far off must look the same, and who looks different must be right there
                rows.append(earlier)
                columns.append(later)
                costs.append(cost)
    return _assign(np.array(rows, int), np.array(columns, int), np.array(costs), len(pieces))


def _miss(end: _End, start: _End) -> float:
    """How far even motion misses, in the most allowed; 1 and more is too far."""
    low, high = sorted((end.height, start.height))
    if low <= 0 or high > SIZE_RATIO * low:
        return FORBIDDEN
    gap = start.t - end.t
    forward = np.linalg.norm(end.middle + end.speed * gap - start.middle)
    backward = np.linalg.norm(start.middle - start.speed * gap - end.middle)
    return float(min(forward, backward)) / low / (MISS + MISS_PER_S * gap)


def _assign(rows: np.ndarray, columns: np.ndarray, costs: np.ndarray, count: int) -> list[tuple[int, int]]:
    """The choice with most pairs, and of those with the smallest sum of costs; each independent group on its own."""
    if not len(rows):
        return []
    graph = coo_array((np.ones(len(rows)), (rows, count + columns)), shape=(2 * count, 2 * count))
    _, group = connected_components(graph, directed=False)
    chosen = []
    order = np.argsort(group[rows], kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(group[rows][order])) + 1):
        own_rows, row = np.unique(rows[part], return_inverse=True)
        own_columns, column = np.unique(columns[part], return_inverse=True)
        cost = np.full((len(own_rows), len(own_columns)), FORBIDDEN)
        cost[row, column] = costs[part]
        for a, b in zip(*linear_sum_assignment(cost), strict=True):
            if cost[a, b] < FORBIDDEN:
                chosen.append((int(own_rows[a]), int(own_columns[b])))
    return chosen
