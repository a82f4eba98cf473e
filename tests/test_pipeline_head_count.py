"""A head count taken in the room: fewer than were found, first of all."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from truth import looks

from pipeline.head_count import DOUBLE, FLIMSY, LOOSE_APPEARANCE, LOOSE_DISTANCE, too_few, with_head_count
from pipeline.tracklets import Tracklet, TrackletBook


def piece(number: int, first: float, last: float, x: float, look_of: int, score: float = 0.9) -> Tracklet:
    """Sightings five times a second at one place."""
    book = TrackletBook()
    box = np.array([[x, 100.0, x + 80, 240]])
    look = looks(np.array([look_of]), np.random.default_rng(number), noise=0.02)
    for t in np.arange(first, last, 0.2):
        book.add(float(t), np.array([number]), box, np.array([score]), look)
    return next(iter(book))


def counted(pieces: list[Tracklet], count: int, person_of: dict[int, int] | None = None) -> dict[int, int]:
    return with_head_count(person_of or {one.number: one.number for one in pieces}, pieces, {}, count)


CLASS = [piece(n, 0, 20, 120.0 * n, n) for n in range(1, 6)]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_nobody_was_found(count) -> None:
    assert with_head_count({}, [], {}, count) == {}


@pytest.mark.parametrize("count", [5, 6, 40])
def test_nothing_changes_where_there_are_no_more_than_counted(count) -> None:
    assert counted(CLASS, count) == {n: n for n in range(1, 6)}


def test_all_but_one_go_where_one_was_counted() -> None:
    assert len(set(counted(CLASS, 1).values())) == 1
    assert counted(CLASS, 0) == {}


def test_two_parts_of_one_student_are_joined_before_anybody_goes() -> None:
    again = piece(9, 21, 40, 2 * 120.0 + 110, 2)  # student 2, further off than is joined without a count
    assert counted([*CLASS, again], 5) == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 9: 2}


def test_two_who_are_seen_at_once_are_never_joined() -> None:
    twin = piece(9, 10, 30, 2 * 120.0 + 60, 2)
    left = counted([*CLASS, twin], 5)
    assert left.get(9, 9) == 9


def test_a_double_goes_first() -> None:
    double = piece(9, 0, 15, 3 * 120.0 + 10, 3)
    assert counted([*CLASS, double], 5) == {n: n for n in range(1, 6)}


def test_a_moment_of_somebody_goes_before_two_are_joined() -> None:
    moment = piece(9, 30, 30.3, 900, 77)
    again = piece(10, 21, 40, 2 * 120.0 + 20, 2)
    assert counted([*CLASS, moment, again], 6) == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 10: 10}


def test_where_nobody_can_be_joined_the_least_credible_goes() -> None:
    weak = piece(9, 0, 20, 1500, 50, score=0.4)
    assert counted([*CLASS, weak], 5) == {n: n for n in range(1, 6)}


@given(st.integers(0, 8), st.integers(0, 1000))
def test_never_more_than_counted_and_no_track_of_two(count, seed) -> None:
    rng = np.random.default_rng(seed)
    pieces = []
    for number in range(1, rng.integers(1, 9)):
        first = rng.uniform(0, 20)
        pieces.append(piece(number, first, first + rng.uniform(0.3, 10), rng.uniform(0, 600), int(rng.integers(1, 5))))
    left = counted(pieces, count)
    assert len(set(left.values())) <= count
    assert len(set(left.values())) == min(count, len(pieces)) or len(pieces) <= count
    by_number = {one.number: one for one in pieces}
    for a, one in left.items():
        for b, other in left.items():
            assert a == b or one != other or not by_number[a].seen_with(by_number[b])


def test_too_few_is_said_in_one_sentence() -> None:
    assert too_few(12, None) == too_few(12, 12) == too_few(12, 4) == []
    assert "11 students were found and 12 were given" in too_few(11, 12)[0]


def credit(own: list[Tracklet]) -> float:
    return sum(one.score_sum for one in own)


def same_scene(a: Tracklet, b: Tracklet, scene_of: dict[int, int]) -> bool:
    return scene_of.get(a.number, 0) == scene_of.get(b.number, 0)


def apart(a: np.ndarray, b: np.ndarray) -> float:
    moved = np.hypot((a[0] + a[2] - b[0] - b[2]) / 2, a[1] - b[1])
    return float(moved / max(min(a[3] - a[1], b[3] - b[1]), 1.0))


def inside(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    return float(np.prod(np.clip(high - low, 0, None)) / min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2])))


def look(own: list[Tracklet]) -> np.ndarray:
    summed = np.sum([one.appearance * one.seen for one in own], axis=0)
    return summed / np.linalg.norm(summed)


def track_by_track(pieces: list[Tracklet], person_of: dict[int, int], scene_of: dict[int, int], count: int):
    """What a head count means, every two tracks of every two people asked for anew each time."""
    people: dict[int, list[Tracklet]] = {}
    for one in pieces:
        people.setdefault(person_of[one.number], []).append(one)
    usual = np.median([credit(own) for own in people.values()]) if people else 0
    while len(people) > count:
        doubles, joins = set(), []
        for one, other in combinations(sorted(people), 2):
            every_two = [(a, b) for a in people[one] for b in people[other]]
            at_once = [(a, b) for a, b in every_two if a.seen_with(b)]
            if any(same_scene(a, b, scene_of) and inside(a.place, b.place) > DOUBLE for a, b in at_once):
                doubles.add(min((one, other), key=lambda who: (credit(people[who]), -who)))
            moved = [apart(a.place, b.place) for a, b in every_two if same_scene(a, b, scene_of)]
            far, unlike = min(moved, default=LOOSE_DISTANCE), 1 - float(look(people[one]) @ look(people[other]))
            if not at_once and far <= LOOSE_DISTANCE and unlike <= LOOSE_APPEARANCE:
                joins.append((unlike / LOOSE_APPEARANCE + far / LOOSE_DISTANCE, one, other))
        weakest = min(people, key=lambda who: (credit(people[who]), -who))
        if credit(people[weakest]) < FLIMSY * usual:
            del people[weakest]
        elif doubles:
            del people[min(doubles, key=lambda who: (credit(people[who]), -who))]
        elif joins:
            _, keep, join = min(joins)
            people[keep] += people.pop(join)
        else:
            del people[weakest]
    return {one.number: who for who, own in people.items() for one in own}


@given(st.integers(0, 8), st.integers(0, 20), st.integers(0, 10_000))
def test_the_same_as_asking_every_two_tracks(count, tracks, seed) -> None:
    rng = np.random.default_rng(seed)
    pieces = []
    for number in range(1, tracks + 1):
        first = rng.uniform(0, 30)
        last = first + rng.choice([0.3, 3.0, 12.0])
        pieces.append(piece(number, first, last, rng.uniform(0, 400), int(rng.integers(1, 5)), rng.uniform(0.3, 1)))
    person_of = {number: int(rng.integers(1, 8)) for number in range(1, tracks + 1)}
    scene_of = {number: int(rng.integers(0, 2)) for number in range(1, tracks + 1) if rng.random() < 0.5}
    assert with_head_count(person_of, pieces, scene_of, count) == track_by_track(pieces, person_of, scene_of, count)
