"""From tracks to students, with the whole lecture known: join the pieces of one person, drop what was nobody, number
by seat.

Students sit, so where a track stayed tells most about whose it is; nobody is in two places at once; and clothes do not
change during a lecture. Everything held per track is of fixed size, whatever the lecture's length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.spatial import cKDTree


class SeatSettings(BaseModel):
    """How tracks become students."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_seen_s: float = Field(1.0, ge=0, description="s of detection below which a person is dropped as false")
    min_sightings: int = Field(3, ge=1, description="detections below which a person is dropped as false")
    min_confidence: float = Field(0.35, ge=0, le=1, description="mean detection score below which a person is dropped")
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
    row_gap: float = Field(
        0.2, gt=0, description="box heights between the middles of neighbours in depth above which a new row begins"
    )

    def for_clip(self, frames: int, interval_s: float) -> SeatSettings:
        """The limits for a clip of so many analysed frames: never more than half of it, so that one second has
        students too.
        """
        half = max(1, frames // 2)
        limits = {
            "min_sightings": min(self.min_sightings, half),
            "min_seen_s": min(self.min_seen_s, half * interval_s),
        }
        return self.model_copy(update=limits)


SAMPLES = 32
"""Places remembered per track."""

SPANS = 64
"""Spans of unbroken sight remembered per track; when there are more, those closest in time are taken for one."""


@dataclass
class Tracklet:
    """What one track leaves: where, when, how sure and what it looked like."""

    number: int
    first_t: float
    last_t: float
    seen: int = 0
    score_sum: float = 0.0
    appearance_sum: np.ndarray | None = None
    first_box: np.ndarray = field(default_factory=lambda: np.zeros(4))
    last_box: np.ndarray = field(default_factory=lambda: np.zeros(4))
    spans: list[tuple[float, float]] = field(default_factory=list)
    _boxes: list[np.ndarray] = field(default_factory=list)
    _every: int = 1

    def add(self, t: float, box_xyxy: np.ndarray, score: float, appearance: np.ndarray, unbroken: bool) -> None:
        """Take in one detection of this track; ``unbroken`` if it was also seen in the analysed frame before."""
        if self.seen == 0:
            self.first_box = box_xyxy
        self.spans.append((self.spans.pop()[0] if self.spans and unbroken else t, t))
        if len(self.spans) > SPANS:  # wider spans can only keep two tracks apart
            shortest = min(range(SPANS), key=lambda i: self.spans[i + 1][0] - self.spans[i][1])
            self.spans[shortest : shortest + 2] = [(self.spans[shortest][0], self.spans[shortest + 1][1])]
        if self.seen % self._every == 0:
            self._boxes.append(box_xyxy)
            if len(self._boxes) > SAMPLES:  # thin out evenly: fixed memory, the whole time covered
                self._boxes = self._boxes[::2]
                self._every *= 2
        self.last_t, self.last_box = t, box_xyxy
        self.seen += 1
        self.score_sum += score
        self.appearance_sum = appearance if self.appearance_sum is None else self.appearance_sum + appearance

    @property
    def place(self) -> np.ndarray:
        """Median box (4,) px."""
        return np.median(self._boxes, axis=0)

    @property
    def appearance(self) -> np.ndarray:
        """Mean appearance, unit length."""
        assert self.appearance_sum is not None
        return self.appearance_sum / max(float(np.linalg.norm(self.appearance_sum)), 1e-9)

    def seen_with(self, other: Tracklet) -> bool:
        """Whether both were ever seen at once, so that they cannot be one person."""
        if self.last_t < other.first_t or other.last_t < self.first_t:
            return False
        mine, its = np.array(self.spans), np.array(other.spans)
        return bool(((mine[:, None, 0] <= its[:, 1]) & (its[:, 0] <= mine[:, None, 1])).any())


class TrackletBook:
    """Collects tracklets while the tracker runs."""

    def __init__(self) -> None:
        self._tracklets: dict[int, Tracklet] = {}
        self._last_t = float("-inf")

    def add(self, t: float, numbers: np.ndarray, boxes_xyxy: np.ndarray, scores: np.ndarray, looks: np.ndarray) -> None:
        """Take in the tracked people of one frame (n each); number 0 is nobody."""
        for number, box, score, look in zip(numbers.tolist(), boxes_xyxy, scores, looks, strict=True):
            if number:
                tracklet = self._tracklets.setdefault(number, Tracklet(number, t, t))
                tracklet.add(t, box, float(score), look, unbroken=tracklet.last_t == self._last_t)
        self._last_t = t

    def __iter__(self) -> Iterator[Tracklet]:
        return iter(self._tracklets.values())


def assign_students(tracklets: Iterable[Tracklet], settings: SeatSettings, interval_s: float) -> dict[int, int]:
    """Which student each track belongs to.

    Pairs of tracks that could be one person (never seen at once, close by, alike) are joined in the order of their
    cost, each join checked against everybody already joined (constrained single linkage). Then people seen too
    briefly or too weakly are dropped, and the rest are numbered by seat.

    Args:
        tracklets: of the whole lecture.
        settings: limits.
        interval_s: time between analysed frames, s; turns counts of detections into seconds.

    Returns:
        track number -> student number from 1; tracks of nobody are absent.
    """
    pieces = sorted(tracklets, key=lambda piece: (piece.first_t, piece.number))
    if not pieces:
        return {}
    people = [person for person in _join(pieces, settings) if _is_somebody(person, settings, interval_s)]
    if not people:
        return {}
    places = np.array([_place(person) for person in people])
    order = seat_order(places, settings.row_gap)
    return {piece.number: student for student, index in enumerate(order, start=1) for piece in people[index]}


def _is_somebody(person: list[Tracklet], settings: SeatSettings, interval_s: float) -> bool:
    seen = sum(piece.seen for piece in person)
    confidence = sum(piece.score_sum for piece in person) / seen
    enough = seen >= settings.min_sightings and seen * interval_s >= settings.min_seen_s
    return enough and confidence >= settings.min_confidence


def seat_order(places_xyxy: np.ndarray, row_gap: float) -> list[int]:
    """Indices of people by seat: front row (lowest in the image) first, each row from left to right.

    Args:
        places_xyxy: (n, 4) px, where each person mostly is.
        row_gap: a row ends where the next person towards the back is further up than this, in median box heights.
    """
    across, upright = places_xyxy[:, 0] + places_xyxy[:, 2], (places_xyxy[:, 1] + places_xyxy[:, 3]) / 2
    limit = row_gap * float(np.median(places_xyxy[:, 3] - places_xyxy[:, 1]))
    from_front = np.argsort(-upright, kind="stable")
    rows = np.zeros(len(places_xyxy), int)
    rows[from_front[1:]] = np.cumsum(-np.diff(upright[from_front]) > limit)
    return np.lexsort((*places_xyxy.T, across, rows)).tolist()  # the box decides between two in one place


def _place(person: list[Tracklet]) -> np.ndarray:
    weights = np.array([piece.seen for piece in person], float)
    return np.average([piece.place for piece in person], axis=0, weights=weights)


def _join(pieces: list[Tracklet], settings: SeatSettings) -> list[list[Tracklet]]:
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


def _possible_pairs(pieces: list[Tracklet], settings: SeatSettings) -> Iterator[tuple[float, int, int]]:
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
