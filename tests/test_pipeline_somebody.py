from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.somebody import believed
from pipeline.tracklets import Tracklet, TrackletBook, on_another

INTERVAL = 0.2
BOX = np.array([100.0, 100, 180, 300])


def track(number: int, frames: range, score: float = 0.9, box: np.ndarray = BOX) -> Tracklet:
    book = TrackletBook()
    for frame in frames:
        book.add(frame * INTERVAL, np.array([number]), box[None], np.array([score]), np.ones((1, 1)))
    (piece,) = book
    return piece


def numbers(people: list[list[Tracklet]]) -> set[int]:
    return {person[0].number for person in believed(people, 3, 1.0, 0.35, INTERVAL)}


CLASS = [[track(number, range(100))] for number in range(1, 11)]
ALL = set(range(1, 11))


def test_nobody():
    assert believed([], 3, 1.0, 0.35, INTERVAL) == []


def test_alone_somebody_is_as_sure_as_usual():
    assert numbers([[track(1, range(10), 0.4)]]) == {1}


@pytest.mark.parametrize(("frames", "kept"), [(4, False), (5, True)])
def test_too_brief(frames, kept):
    assert (20 in numbers([*CLASS, [track(20, range(frames))]])) == kept


@pytest.mark.parametrize(("score", "kept"), [(0.34, False), (0.36, True)])
def test_too_weak(score, kept):
    assert (20 in numbers([*CLASS, [track(20, range(100), score)]])) == kept


@pytest.mark.parametrize(("frames", "score", "kept"), [(20, 0.7, False), (20, 0.8, True), (26, 0.7, True)])
def test_who_is_seen_briefly_must_be_as_sure_as_the_others(frames, score, kept):
    assert numbers([*CLASS, [track(20, range(frames), score)]]) == (ALL | {20} if kept else ALL)


def test_a_hand_that_comes_back_now_and_then_is_nobody():
    hand = [track(20 + turn, range(200 * turn, 200 * turn + 3)) for turn in range(8)]
    assert numbers([*CLASS, hand]) == ALL


def test_who_sits_down_twice_in_an_hour_is_somebody():
    assert numbers([*CLASS, [track(20, range(20)), track(21, range(18000, 18020))]]) == ALL | {20}


def test_a_second_box_on_somebody_is_nobody_and_takes_nothing_from_that_person():
    book = TrackletBook()
    for frame in range(100):
        boxes = np.array([BOX, BOX + np.array([10, 5, -10, -90])])
        book.add(frame * INTERVAL, np.array([1, 2]), boxes, np.full(2, 0.9), np.ones((2, 1)))
    assert numbers([[piece] for piece in book]) == {1}


# boxes on another


def test_no_box_and_one_box_lie_on_nobody():
    assert on_another(np.zeros((0, 4))).shape == (0,)
    assert on_another(BOX[None]).tolist() == [False]


def test_identical_boxes_are_two_people():
    assert not on_another(np.array([BOX, BOX])).any()


@pytest.mark.parametrize(
    ("other", "double"),
    [
        ([110, 105, 170, 210], True),  # the upper half of the same body
        ([110, 220, 170, 290], False),  # somebody in front, lower in the picture
        ([90, 40, 170, 150], False),  # somebody behind, whose head is above
        ([105, 100, 140, 300], False),  # one of two in a group's box: the head is to one side
    ],
)
def test_on_another(other, double):
    assert on_another(np.array([BOX, other], float)).tolist() == [False, double]


@given(st.lists(st.tuples(*[st.integers(0, 300)] * 2, *[st.integers(1, 200)] * 2), max_size=8), st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_largest_is_never_on_another_and_order_changes_nothing(raw, random):
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in raw], float).reshape(-1, 4)
    double = on_another(boxes)
    order = random.sample(range(len(boxes)), len(boxes))
    assert on_another(boxes[order]).tolist() == double[order].tolist()
    if len(boxes):
        assert not double[(boxes[:, 2:] - boxes[:, :2]).prod(axis=1).argmax()]


@given(st.permutations(range(4)))
@settings(max_examples=24, deadline=None)
def test_the_order_of_people_changes_nothing(order):
    people = [*CLASS[:2], [track(20, range(3))], [track(21, range(20), 0.5)]]
    assert numbers([people[index] for index in order]) == {1, 2}
