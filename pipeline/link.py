"""Which tracks are one person, with the whole lecture known.

First ends meet beginnings: over a short gap a person goes on as before, so an end and a beginning belong together where
each, moved on evenly, meets the other; all are chosen at once, the sum of the costs smallest. Then seats: over a long
gap only those are joined who sit in one place before and after it, because a place says nothing about who walks. Looks
weigh by how far they tell people apart in this recording, and nobody is ever in two places at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

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

STILL = 0.3
"""Box heights from the middle within which a seated person's head stays; more is a walk, or a change of seat."""

STILL_SHARE = 0.7
"""Share of the sightings within ``STILL`` of their middle from which a track stays in one place."""

SITTING = 0.5
"""Share of all sightings by tracks that stay for long from which this is a room of people who sit, and a place in it a
seat. It is 1.0 on the demo clip and at most 0.3 on streets (MOT15)."""

TELLING = 0.5
"""Trust in looks from which one who walks is taken for one who sat; it is about 0.7 on the demo clip."""

DRIFT_PER_S = 0.2
"""Box heights per second between the ends of a track from which it walks; nobody walks slower for long."""


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
    people = _People(pieces)
    for earlier, later in _by_motion(pieces, settings, unlike):
        people.join(earlier, later)
    for _, one, other in sorted(_by_seat(pieces, settings, unlike, interval_s)):
        people.join(one, other)
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


class _People:
    """Who has been joined with whom; refuses to join those who were ever seen at once."""

    def __init__(self, pieces: list[Tracklet]) -> None:
        self._pieces = pieces
        self._owner = list(range(len(pieces)))
        self._own = {index: [index] for index in range(len(pieces))}

    def join(self, one: int, other: int) -> bool:
        first, second = self._owner[one], self._owner[other]
        if first == second:
            return True
        pairs = ((a, b) for a in self._own[first] for b in self._own[second])
        if any(self._pieces[a].seen_with(self._pieces[b]) for a, b in pairs):
            return False
        for index in self._own[second]:
            self._owner[index] = first
        self._own[first] += self._own.pop(second)
        return True

    def lists(self) -> list[list[Tracklet]]:
        return [[self._pieces[index] for index in sorted(own)] for own in self._own.values()]


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


def _by_seat(
    pieces: list[Tracklet], settings: LinkSettings, unlike: Unlikeness, interval_s: float
) -> Iterator[tuple[float, int, int]]:
    """(cost, one, other) of every two tracks that stay in one place, at least one for long; cost 0 is the same."""
    still = [index for index, piece in enumerate(pieces) if stays(piece)]
    if len(still) < 2:
        return
    tops = np.array([anchor(pieces[index].place) for index in still])
    heights = np.array([pieces[index].place[3] - pieces[index].place[1] for index in still])
    seen = np.array([pieces[index].seen for index in still])
    lasted = np.array([pieces[index].last_t - pieces[index].first_t for index in still]) + interval_s
    sits = (lasted >= settings.seated_s) & (2 * seen * interval_s >= settings.seated_s)  # half may be missed
    if seen[sits].sum() < SITTING * sum(piece.seen for piece in pieces):
        return
    for a, b in cKDTree(tops).query_pairs(settings.max_seat_distance * float(heights.max())):
        moved = float(np.linalg.norm(tops[a] - tops[b])) / max(min(heights[a], heights[b]), 1e-6)
        if moved > settings.max_seat_distance or not (sits[a] or sits[b]):
            continue
        one, other = still[a], still[b]
        look = unlike(one, other)
        if look <= settings.max_unlike:
            yield moved / settings.max_seat_distance + look / settings.max_unlike, one, other
    staying = set(still)
    seated = [index for index, sat in zip(still, sits, strict=True) if sat]
    moving = [index for index in range(len(pieces)) if index not in staying]
    yield from _away_from_seat(pieces, seated, moving, settings, unlike)


def _away_from_seat(
    pieces: list[Tracklet], seated: list[int], moving: list[int], settings: LinkSettings, unlike: Unlikeness
) -> Iterator[tuple[float, int, int]]:
    """(cost, seated, moving) of tracks that begin at a seat left vacant and go away, or come to one and end there.

    Others pass a seat too, so place and look, which must tell people apart here, count twice.
    """
    if unlike.trust < TELLING or not seated or not moving:
        return
    seats = np.array([anchor(pieces[index].place) for index in seated])
    heights = np.array([max(float(np.diff(pieces[index].place[1::2])[0]), 1e-6) for index in seated])
    near = cKDTree(seats)
    for ends in (False, True):
        sightings = (pieces[index].tail if ends else pieces[index].head for index in moving)
        tops = np.array([anchor(np.median([box for _, box in each], axis=0)) for each in sightings])
        for walker, top, sitters in zip(
            moving, tops, near.query_ball_point(tops, settings.max_seat_distance * heights.max()), strict=True
        ):
            for place in sitters:
                sitter = seated[place]
                seat, piece = pieces[sitter], pieces[walker]
                if not (seat.first_t > piece.last_t if ends else piece.first_t > seat.last_t):
                    continue
                off = float(np.linalg.norm(top - seats[place])) / heights[place] / settings.max_seat_distance
                cost = 2 * (off + unlike(sitter, walker) / max(settings.max_unlike, 1e-9))
                if cost < 2:
                    yield cost, sitter, walker


def stays(piece: Tracklet) -> bool:
    """Whether a track is in one place for most of its time; a short one must not drift either."""
    tops = np.array([anchor(box) for box in piece.boxes])
    height = float(np.median(piece.boxes[:, 3] - piece.boxes[:, 1]))
    off = np.linalg.norm(tops - np.median(tops, axis=0), axis=1)
    lasted = piece.last_t - piece.first_t
    drift = float(np.linalg.norm(anchor(piece.last_box) - anchor(piece.first_box)))
    within = float((off <= STILL * height).mean()) >= STILL_SHARE
    return within and drift <= height * max(STILL / 2, DRIFT_PER_S * lasted)


def anchor(box_xyxy: np.ndarray) -> np.ndarray:
    """Top middle of a box: it stays with the head when desks or neighbours hide the rest."""
    return np.array([(box_xyxy[0] + box_xyxy[2]) / 2, box_xyxy[1]])
