from __future__ import annotations

import numpy as np
import pytest
from deep_sort_realtime.deep_sort.detection import Detection
from hypothesis import given, settings
from hypothesis import strategies as st
from truth import looks

from pipeline.match import JointTracker, MatchRules, RoomLooks, iou

RULES = MatchRules(interval_s=0.2, min_overlap=0.3)
NOISELESS = np.random.default_rng(0)
SIZE = np.array([80.0, 200.0])


class Room:
    """A tracker and what it says, frame by frame."""

    def __init__(self, max_age: int = 10) -> None:
        self.tracker = JointTracker(RULES, max_age=max_age, n_init=2)

    def see(self, *people: tuple[float, int] | tuple[float, int, float]) -> list[int]:
        """The numbers of people given by left edge (px), look, and score."""
        ids = np.array([who for _, who, *_ in people], int)
        look = looks(ids, NOISELESS, noise=0)
        boxes = [
            Detection([x, 100, *SIZE], more[0] if more else 0.9, look[row], others=row)
            for row, (x, _, *more) in enumerate(people)
        ]
        self.tracker.predict()
        self.tracker.update(boxes)
        numbers = {track.others: int(track.track_id) for track in self.tracker.tracks if track.time_since_update == 0}
        return [numbers[row] for row in range(len(people))]

    def settle(self, *people: tuple[float, int]) -> list[int]:
        for _ in range(10):
            numbers = self.see(*people)
        return numbers


def test_nobody_and_one_frame():
    room = Room()
    assert room.see() == []
    assert room.see((0, 1)) == [1]
    assert room.see() == []


def test_identical_boxes_are_two_tracks():
    room = Room()
    assert len(set(room.settle((0, 1), (0, 1)))) == 2


def test_people_who_look_the_same_are_not_swapped_when_one_is_hidden():
    room = Room()
    before = room.settle((0, 1), (60, 1), (500, 1))
    assert room.see((5, 1), (500, 1)) == [before[0], before[2]]
    assert room.see((0, 1), (60, 1), (500, 1)) == before


def test_a_look_decides_where_places_do_not():
    room = Room()
    before = room.settle((0, 1), (30, 2), (500, 3))
    assert room.see((16, 2), (14, 1), (500, 3)) == [before[1], before[0], before[2]]


def test_a_look_finds_again_who_moved_on_unseen_but_not_who_is_far():
    room = Room()
    before = room.settle((0, 1), (500, 2), (1000, 3))
    for _ in range(3):
        room.see((500, 2), (1000, 3))
    assert room.see((120, 1), (500, 2), (1000, 3)) == before
    assert room.see((2000, 1), (500, 2), (1000, 3))[0] not in before


def test_looks_alone_find_nobody_where_all_look_the_same():
    room = Room()
    before = room.settle((0, 1), (500, 1), (1000, 1))
    room.see((500, 1), (1000, 1))
    assert room.see((150, 1), (500, 1), (1000, 1))[0] not in before


def test_a_strong_box_goes_before_a_weak_one_on_the_same_track():
    room = Room()
    (number, _) = room.settle((0, 1), (500, 1))
    weak_nearer = room.see((2, 1, 0.3), (20, 1), (500, 1))
    assert weak_nearer[1] == number
    assert weak_nearer[0] != number


def test_a_weak_box_continues_a_track_that_no_strong_one_does():
    room = Room()
    before = room.settle((0, 1), (500, 1))
    assert room.see((2, 1, 0.3), (500, 1)) == before


@pytest.mark.parametrize(("alike", "unseen", "same"), [(True, 4, True), (True, 7, False), (False, 7, True)])
def test_the_place_alone_is_believed_for_a_second(alike, unseen, same):
    room = Room()
    people = [(0, 1), (500, 1 if alike else 2), (1000, 1 if alike else 3)]
    before = room.settle(*people)
    for _ in range(unseen):
        room.see(*people[1:])
    assert (room.see(*people)[0] == before[0]) == same


def test_a_track_keeps_one_look_however_long_it_lasts():
    room = Room()
    room.settle((0, 1), (500, 2))
    for _ in range(100):
        room.see((0, 1), (500, 2))
    assert [len(track.features) for track in room.tracker.tracks] == [1, 1]


def test_trust_is_low_where_looks_change_as_much_as_they_differ():
    same, noisy, clear = RoomLooks(), RoomLooks(), RoomLooks()
    assert same.trust == 0
    look = looks(np.array([1, 2, 3]), NOISELESS, noise=0)
    same.learn(np.ones((3, 1)), [0.0])
    noisy.learn(look, [0.9])
    clear.learn(look, [0.01])
    assert (same.trust, noisy.trust) == (0, 0)
    assert clear.trust > 0.9
    assert clear.unlike(np.array([0.0, 10.0])).tolist()[0] == 0


boxes = st.lists(st.tuples(*[st.integers(0, 90)] * 4), max_size=6).map(
    lambda raw: np.array([[x, y, x + w, y + h] for x, y, w, h in raw], float).reshape(-1, 4)
)


@given(boxes, boxes)
@settings(max_examples=60, deadline=None)
def test_overlap_is_a_share_and_the_same_both_ways(one, other):
    overlap = iou(one, other)
    assert overlap.shape == (len(one), len(other))
    assert ((overlap >= 0) & (overlap <= 1)).all()
    np.testing.assert_allclose(overlap, iou(other, one).T)


@given(boxes)
@settings(max_examples=30, deadline=None)
def test_a_box_with_area_overlaps_itself_wholly(one):
    area = (one[:, 2:] - one[:, :2]).prod(axis=1)
    np.testing.assert_allclose(np.diag(iou(one, one)), (area > 0).astype(float))
