"""The head count that somebody took in the room: too many people were found, so some are one, or nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from pipeline.together import spans_overlap
from pipeline.tracklets import Tracklet

LOOSE_DISTANCE, LOOSE_APPEARANCE = 1.5, 0.4
"""Box heights apart, and 1 - cosine of appearances, up to which two may be joined because one is too many: looser than
where nothing is known of their number."""
FLIMSY = 0.02
"""Share of what is usually seen of a student below which somebody is dropped before any two are joined."""
DOUBLE = 0.7
"""Share of the smaller box within the other from which two who are seen at once are one person seen twice."""


def with_head_count(
    person_of: Mapping[int, int], pieces: Iterable[Tracklet], scene_of: Mapping[int, int], count: int
) -> dict[int, int]:
    """Track -> person with at most ``count`` people left.

    First go those of whom hardly anything was seen and doubles of others; then the likeliest pairs that were never
    seen at once are joined; then the least credible go.

    Args:
        person_of: track -> person.
        pieces: the tracks.
        scene_of: track -> scene; places in different scenes have nothing in common.
        count: students in the room, at least 0.
    """
    tracks: dict[int, list[Tracklet]] = {}
    for piece in pieces:
        if piece.number in person_of:
            tracks.setdefault(person_of[piece.number], []).append(piece)
    people = {number: _Person.of(own, scene_of) for number, own in tracks.items()}
    usual = float(np.median([one.credit for one in people.values()])) if people else 0.0
    pairs = _Pairs(people)
    while len(people) > count:
        weakest = min(people, key=pairs.rank)
        doubles = pairs.doubles()
        if people[weakest].credit < FLIMSY * usual:
            del people[weakest]
        elif doubles:
            del people[min(doubles, key=pairs.rank)]
        elif pair := pairs.likeliest():
            keep, join = pair
            people[keep] = people[keep].with_(people.pop(join))
        else:
            del people[weakest]
    return {track: number for number, one in people.items() for track in one.tracks}


def too_few(found: int, count: int | None) -> list[str]:
    """What to say where fewer students were found than were counted, or nothing."""
    if count is None or found >= count:
        return []
    return [
        f"{found} students were found and {count} were given with --students: the others are hidden, too small or not"
        " detected; a larger --imgsz may find them"
    ]


@dataclass(frozen=True, eq=False)
class _Person:
    """What the tracks of one person tell together; one row for each of ``tracks``."""

    tracks: list[int]
    credit: float
    """Sightings, each counted by its score."""
    look_sum: np.ndarray
    """Of the looks of all sightings."""
    scenes: np.ndarray
    boxes_xyxy: np.ndarray
    """(n, 4) px, where each track mostly is."""
    lasted: np.ndarray
    """(n, 2) s, first and last sighting of each track."""
    seen: list[np.ndarray]
    """Spans (m, 2) s in which each track is seen."""

    @classmethod
    def of(cls, pieces: list[Tracklet], scene_of: Mapping[int, int]) -> _Person:
        return cls(
            [piece.number for piece in pieces],
            sum(piece.score_sum for piece in pieces),
            np.sum([piece.appearance * piece.seen for piece in pieces], axis=0),
            np.array([scene_of.get(piece.number, 0) for piece in pieces]),
            np.array([piece.place for piece in pieces]),
            np.array([(piece.first_t, piece.last_t) for piece in pieces]),
            [np.array(piece.spans) for piece in pieces],
        )

    def with_(self, other: _Person) -> _Person:
        """Both as one."""
        return _Person(
            self.tracks + other.tracks,
            self.credit + other.credit,
            self.look_sum + other.look_sum,
            np.concatenate([self.scenes, other.scenes]),
            np.concatenate([self.boxes_xyxy, other.boxes_xyxy]),
            np.concatenate([self.lasted, other.lasted]),
            self.seen + other.seen,
        )

    @cached_property
    def spans(self) -> np.ndarray:
        """(m, 2) s, in which any of the tracks is seen: in order, without overlap."""
        spans = np.concatenate(self.seen)
        spans = spans[np.argsort(spans[:, 0], kind="stable")]
        ends = np.maximum.accumulate(spans[:, 1])
        first = np.concatenate([[True], spans[1:, 0] > ends[:-1]])
        return np.stack([spans[first, 0], ends[np.append(first[1:], True)]], axis=1)

    @cached_property
    def look(self) -> np.ndarray:
        return self.look_sum / max(float(np.linalg.norm(self.look_sum)), 1e-9)


class _Pairs:
    """What is known of every two people; asked again only of those who are new or have changed."""

    def __init__(self, people: dict[int, _Person]) -> None:
        self._people = people
        self._double: dict[tuple[_Person, _Person], bool] = {}
        self._cost: dict[tuple[_Person, _Person], float] = {}

    def rank(self, number: int) -> tuple[float, int]:
        """By which the least credible comes first, of equals the newest."""
        return self._people[number].credit, -number

    def doubles(self) -> set[int]:
        """The weaker of every two who are seen at once in nearly the same box."""
        found = set()
        for one, other in combinations(sorted(self._people), 2):
            pair = self._people[one], self._people[other]
            if pair not in self._double:
                self._double[pair] = _seen_twice(*pair)
            if self._double[pair]:
                found.add(min((one, other), key=self.rank))
        return found

    def likeliest(self) -> tuple[int, int] | None:
        """The pair that is most likely one person, ``None`` where none can be."""
        best: tuple[float, int, int] | None = None
        for one, other in combinations(sorted(self._people), 2):
            pair = self._people[one], self._people[other]
            if pair not in self._cost:
                self._cost[pair] = _cost(*pair)
            cost = self._cost[pair]
            if cost < np.inf and (best is None or cost < best[0]):
                best = cost, one, other
        return None if best is None else best[1:]


def _cost(one: _Person, other: _Person) -> float:
    """Of taking two for one person; infinite where they cannot be."""
    unlike = 1 - float(one.look @ other.look)
    if unlike > LOOSE_APPEARANCE or spans_overlap(one.spans, other.spans):
        return np.inf
    moved = _apart(one, other)
    return np.inf if moved > LOOSE_DISTANCE else unlike / LOOSE_APPEARANCE + moved / LOOSE_DISTANCE


def _seen_twice(one: _Person, other: _Person) -> bool:
    """Whether two are ever seen at once in nearly the same box."""
    if not spans_overlap(one.spans, other.spans):
        return False
    for at, (begun, ended) in enumerate(one.lasted):
        near = (other.lasted[:, 0] <= ended) & (other.lasted[:, 1] >= begun) & (other.scenes == one.scenes[at])
        (near_at,) = np.nonzero(near)
        shared = _shared(one.boxes_xyxy[at], other.boxes_xyxy[near_at])
        if any(spans_overlap(one.seen[at], other.seen[its]) for its in near_at[shared > DOUBLE]):
            return True
    return False


def _apart(one: _Person, other: _Person) -> float:
    """Box heights between their places in a scene both were in; the limit itself where there is none."""
    least = np.inf
    for scene in set(one.scenes.tolist()) & set(other.scenes.tolist()):
        mine, its = one.boxes_xyxy[one.scenes == scene], other.boxes_xyxy[other.scenes == scene]
        for box in mine:  # one by one: all pairs of hours of tracks would take memory
            across = (box[0] + box[2] - its[:, 0] - its[:, 2]) / 2
            height = np.minimum(box[3] - box[1], its[:, 3] - its[:, 1])
            least = min(least, float((np.hypot(across, box[1] - its[:, 1]) / np.maximum(height, 1.0)).min()))
    return least if np.isfinite(least) else LOOSE_DISTANCE


def _shared(box: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """(n,) share of the smaller box that lies in the other, of one box and n others."""
    low, high = np.maximum(box[:2], boxes_xyxy[:, :2]), np.minimum(box[2:], boxes_xyxy[:, 2:])
    smaller = np.minimum((box[2:] - box[:2]).prod(), (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1))
    return (high - low).clip(0).prod(axis=1) / np.maximum(smaller, 1e-9)
