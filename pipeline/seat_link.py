"""Tracks joined because they are of one seat: how alike every two are, and the most alike first.

Every two of a seat are compared, and a long lecture has many: so it is done in whole blocks, in bands from the most
alike to the least, and who has been joined by then is not compared again.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from pipeline.together import Together
from pipeline.tracklets import Tracklet

if TYPE_CHECKING:
    from pipeline.link import LinkSettings, Unlikeness

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

BANDS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, np.inf)
"""Costs from and up to which pairs are held and joined at once."""

BLOCK = 256
"""Tracks that are compared with all others at once."""

DIGITS = 9
"""Of costs: what differs only by the order of a sum is the same, and the earlier track comes first."""

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Cost, one, other, (n,) each."""


def join_by_seat(
    people: Together, pieces: list[Tracklet], settings: LinkSettings, unlike: Unlikeness, interval_s: float
) -> None:
    """Join tracks that stay in one place, at least one of two for long, and who goes there or leaves from there.

    Args:
        people: who has been joined already.
        pieces: all tracks.
        settings: limits.
        unlike: how they look.
        interval_s: time between analysed frames, s.
    """
    still = np.array([index for index, piece in enumerate(pieces) if stays(piece)], int)
    if len(still) < 2:
        return
    seen = np.array([pieces[index].seen for index in still])
    lasted = np.array([pieces[index].last_t - pieces[index].first_t for index in still]) + interval_s
    sits = (lasted >= settings.seated_s) & (2 * seen * interval_s >= settings.seated_s)  # half may be missed
    if seen[sits].sum() < SITTING * sum(piece.seen for piece in pieces):
        return
    seats = _Seats(still, sits, pieces, settings, unlike)
    moving = np.setdiff1d(np.arange(len(pieces)), still)
    cost, one, other = _away_from_seat(pieces, still[sits], moving, settings, unlike)
    for low, high in pairwise(BANDS):
        now = (low <= cost) & (cost < high)
        parts = [(cost[now], one[now], other[now]), *seats.pairs(people, low, high)]
        costs, ones, others = (np.concatenate(values) for values in zip(*parts, strict=True))
        for at in np.lexsort((others, ones, costs)).tolist():
            people.join(int(ones[at]), int(others[at]))


class _Seats:
    """Tracks that stay in one place: cost 0 of two is the same place and look, 2 the most of both."""

    def __init__(
        self,
        still: np.ndarray,
        sits: np.ndarray,
        pieces: list[Tracklet],
        settings: LinkSettings,
        unlike: Unlikeness,
    ) -> None:
        places = np.array([pieces[index].place for index in still])
        across = np.argsort(places[:, 0] + places[:, 2], kind="stable")  # so that those near are close in the arrays
        self._still, self._settings, self._unlike = still[across], settings, unlike
        self._tops, self._heights = anchor(places[across].T), (places[:, 3] - places[:, 1])[across]
        self._sits = sits[across]
        self._sitters = np.flatnonzero(self._sits)
        self._reach = settings.max_seat_distance * float(self._heights.max()) + 1.0  # px: no rounding may matter

    def pairs(self, people: Together, low: float, high: float) -> list[Pairs]:
        """Those from a cost up to before another who are not joined yet, in blocks."""
        found = []
        group = people.owner[self._still]
        for begin in range(0, len(self._sitters), BLOCK):
            block = self._sitters[begin : begin + BLOCK]
            ends = self._tops[0, block[0]] - self._reach, self._tops[0, block[-1]] + self._reach
            rest = slice(*np.searchsorted(self._tops[0], ends).tolist())
            twice = self._sits[rest] & (self._still[block, None] >= self._still[rest])  # both sit: once is enough
            heights = np.maximum(np.minimum(self._heights[block, None], self._heights[rest]), 1e-6)
            x, y = self._tops[:, block, None] - self._tops[:, None, rest]
            moved = np.hypot(x, y) / heights
            near = (moved <= self._settings.max_seat_distance) & ~twice & (group[block, None] != group[rest])
            looks = self._unlike.among(self._still[block], self._still[rest])
            row, column = np.nonzero(near & (looks <= self._settings.max_unlike))
            cost = moved[row, column] / self._settings.max_seat_distance
            cost = np.round(cost + looks[row, column] / max(self._settings.max_unlike, 1e-9), DIGITS)
            now = (low <= cost) & (cost < high)
            both = self._still[block][row[now]], self._still[rest][column[now]]
            found.append((cost[now], np.minimum(*both), np.maximum(*both)))
        return found


def _away_from_seat(
    pieces: list[Tracklet], seated: np.ndarray, moving: np.ndarray, settings: LinkSettings, unlike: Unlikeness
) -> Pairs:
    """(cost, seated, moving) of tracks that begin at a seat left vacant and go away, or come to one and end there.

    Others pass a seat too, so place and look, which must tell people apart here, count twice.
    """
    found: list[Pairs] = [(np.zeros(0), np.zeros(0, int), np.zeros(0, int))]
    if unlike.trust >= TELLING and len(seated) and len(moving):
        places = np.array([pieces[index].place for index in seated])
        seats, heights = anchor(places.T).T, np.maximum(places[:, 3] - places[:, 1], 1e-6)
        first = np.array([pieces[index].first_t for index in seated])
        last = np.array([pieces[index].last_t for index in seated])
        near = cKDTree(seats)
        reach = settings.max_seat_distance * heights.max()
        for ends in (False, True):
            for walker in moving.tolist():
                piece = pieces[walker]
                sightings = piece.tail if ends else piece.head
                top = anchor(np.median([box for _, box in sightings], axis=0))
                place = np.array(near.query_ball_point(top, reach), int)
                place = place[first[place] > piece.last_t if ends else last[place] < piece.first_t]
                off = np.hypot(*(top - seats[place]).T) / heights[place] / settings.max_seat_distance
                looks = unlike.among(seated[place], np.array([walker]))[:, 0] / max(settings.max_unlike, 1e-9)
                cost = np.round(2 * (off + looks), DIGITS)
                fits = cost < 2
                found.append((cost[fits], seated[place][fits], np.full(int(fits.sum()), walker)))
    cost, one, other = (np.concatenate(values) for values in zip(*found, strict=True))
    return cost, one, other


def stays(piece: Tracklet) -> bool:
    """Whether a track is in one place for most of its time; a short one must not drift either."""
    boxes = piece.boxes
    tops = anchor(boxes.T)
    height = float(np.median(boxes[:, 3] - boxes[:, 1]))
    off = np.hypot(*(tops - np.median(tops, axis=1, keepdims=True)))
    lasted = piece.last_t - piece.first_t
    drift = float(np.linalg.norm(anchor(piece.last_box) - anchor(piece.first_box)))
    within = float((off <= STILL * height).mean()) >= STILL_SHARE
    return within and drift <= height * max(STILL / 2, DRIFT_PER_S * lasted)


def anchor(box_xyxy: np.ndarray) -> np.ndarray:
    """Top middle (2, ...) of boxes (4, ...): it stays with the head when desks or neighbours hide the rest."""
    return np.array([(box_xyxy[0] + box_xyxy[2]) / 2, box_xyxy[1]])
