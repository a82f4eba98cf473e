"""The head count that somebody took in the room: too many people were found, so some are one, or nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np

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
    people: dict[int, list[Tracklet]] = {}
    for piece in pieces:
        if piece.number in person_of:
            people.setdefault(person_of[piece.number], []).append(piece)
    usual = float(np.median([_credit(one) for one in people.values()])) if people else 0.0
    while len(people) > count:
        weakest = min(people, key=lambda one: (_credit(people[one]), -one))
        doubles = [] if len(people) < 2 else _doubles(people, scene_of)
        if _credit(people[weakest]) < FLIMSY * usual:
            del people[weakest]
        elif doubles:
            del people[min(doubles, key=lambda one: (_credit(people[one]), -one))]
        elif pair := _likeliest(people, scene_of):
            keep, join = pair
            people[keep] += people.pop(join)
        else:
            del people[weakest]
    return {piece.number: one for one, own in people.items() for piece in own}


def too_few(found: int, count: int | None) -> list[str]:
    """What to say where fewer students were found than were counted, or nothing."""
    if count is None or found >= count:
        return []
    return [
        f"{found} students were found and {count} were given with --students: the others are hidden, too small or not"
        " detected; a larger --imgsz may find them"
    ]


def _credit(pieces: list[Tracklet]) -> float:
    """Sightings, each counted by its score."""
    return sum(piece.score_sum for piece in pieces)


def _likeliest(people: Mapping[int, list[Tracklet]], scene_of: Mapping[int, int]) -> tuple[int, int] | None:
    """The pair that is most likely one person, ``None`` where none can be."""
    best: tuple[float, int, int] | None = None
    for one, other in combinations(sorted(people), 2):
        if _together(people[one], people[other]):
            continue
        unlike = 1 - float(_look(people[one]) @ _look(people[other]))
        moved = _apart(people[one], people[other], scene_of)
        if unlike > LOOSE_APPEARANCE or moved > LOOSE_DISTANCE:
            continue
        cost = unlike / LOOSE_APPEARANCE + moved / LOOSE_DISTANCE
        if best is None or cost < best[0]:
            best = cost, one, other
    return None if best is None else best[1:]


def _doubles(people: Mapping[int, list[Tracklet]], scene_of: Mapping[int, int]) -> set[int]:
    """The weaker of every two who are seen at once in nearly the same box."""
    found = set()
    for one, other in combinations(sorted(people), 2):
        for mine in people[one]:
            for its in people[other]:
                same_scene = scene_of.get(mine.number, 0) == scene_of.get(its.number, 0)
                if same_scene and mine.seen_with(its) and _shared(mine.place, its.place) > DOUBLE:
                    found.add(min((one, other), key=lambda which: (_credit(people[which]), -which)))
    return found


def _together(one: list[Tracklet], other: list[Tracklet]) -> bool:
    return any(mine.seen_with(its) for mine in one for its in other)


def _look(pieces: list[Tracklet]) -> np.ndarray:
    look = np.sum([piece.appearance * piece.seen for piece in pieces], axis=0)
    return look / max(float(np.linalg.norm(look)), 1e-9)


def _apart(one: list[Tracklet], other: list[Tracklet], scene_of: Mapping[int, int]) -> float:
    """Box heights between their places in a scene both were in; the limit itself where there is none."""
    distances = [LOOSE_DISTANCE]
    for mine in one:
        for its in other:
            if scene_of.get(mine.number, 0) == scene_of.get(its.number, 0):
                a, b = mine.place, its.place
                moved = np.hypot((a[0] + a[2] - b[0] - b[2]) / 2, a[1] - b[1])
                distances.append(float(moved / max(min(a[3] - a[1], b[3] - b[1]), 1.0)))
    return min(distances[1:], default=distances[0])


def _shared(one: np.ndarray, other: np.ndarray) -> float:
    """Share of the smaller box that lies in the other."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    smaller = min(np.prod(one[2:] - one[:2]), np.prod(other[2:] - other[:2]))
    return float(np.prod(np.clip(high - low, 0, None)) / max(smaller, 1e-9))
