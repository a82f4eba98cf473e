"""A head count taken in the room: fewer than were found, first of all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from truth import looks

from pipeline.head_count import too_few, with_head_count
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
