from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from truth import PEOPLE, WHO_LEAVES, lecture, looks, people

from pipeline.track import Tracker, TrackSettings

SETTINGS = TrackSettings()
INTERVAL = 0.2
SEATS = np.array([[100.0 + 300 * seat, 200, 220 + 300 * seat, 500] for seat in range(4)])
IDS = np.arange(1, 5)

Room = list[tuple[np.ndarray, np.ndarray]]
"""Boxes (n, 4) px and appearance (n, d) of each analysed frame."""


def new_tracker(interval_s: float = INTERVAL) -> Tracker:
    return Tracker(SETTINGS, interval_s)


def seated(tracker: Tracker, t: float, seats=slice(None), ids=IDS) -> list[int]:
    """Numbers of the people who sit on ``seats`` at ``t``, looking like ``ids``."""
    return tracker.update(t, people(SEATS[seats]), looks(ids[seats], np.random.default_rng(0))).tolist()


def settle(tracker: Tracker, frames: int = 5, interval_s: float = INTERVAL) -> tuple[list[int], float]:
    """Everybody sits for some frames: their numbers and the last time."""
    for frame in range(frames):
        numbers = seated(tracker, frame * interval_s)
    return numbers, (frames - 1) * interval_s


@st.composite
def rooms(draw: st.DrawFn) -> Room:
    """A few frames of people who sit, walk, hide, overlap and have boxes of any shape, even none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, frames = draw(st.integers(0, 5)), draw(st.integers(1, 12))
    walk = draw(st.sampled_from([0.0, 3.0, 80.0]))
    flat = draw(st.sampled_from([0.0, 0.2]))
    places = rng.uniform(0, 600, (count, 2))
    sizes = rng.choice([1e-3, 1.0, 60.0, 400.0], (count, 2))
    room = []
    for _ in range(frames):
        places = places + rng.normal(0, walk, places.shape) if count else places
        here = np.flatnonzero(rng.random(count) < 0.8)
        now = sizes[here] * (rng.random((len(here), 2)) >= flat)
        boxes = np.concatenate([places[here], places[here] + now], axis=1).astype(np.float32)
        room.append((boxes, looks(here, rng, noise=rng.choice([0.05, 2.0]))))
    return room


def numbers_of(tracker: Tracker, room: Room) -> list[list[int]]:
    return [tracker.update(frame * INTERVAL, people(boxes), look).tolist() for frame, (boxes, look) in enumerate(room)]


# degenerate rooms


def test_nobody_ever_comes():
    tracker = new_tracker()
    for frame in range(30):
        assert tracker.update(frame * INTERVAL, people([]), np.zeros((0, 64))).shape == (0,)


def test_one_frame():
    assert sorted(seated(new_tracker(), 0.0)) == [1, 2, 3, 4]


@pytest.mark.parametrize("nothing", [(50, 50, 50, 90), (50, 50, 90, 50), (90, 90, 50, 50)])
def test_a_box_without_area_is_nobody_and_disturbs_nobody(nothing):
    tracker = new_tracker()
    numbers, t = settle(tracker)
    boxes = np.insert(SEATS, 1, nothing, axis=0)
    ids = np.insert(IDS, 1, 99)
    with_it = tracker.update(t + INTERVAL, people(boxes), looks(ids, np.random.default_rng(0))).tolist()
    assert with_it == [numbers[0], 0, *numbers[1:]]


def test_only_boxes_without_area():
    tracker = new_tracker()
    assert tracker.update(0.0, people(np.zeros((3, 4))), looks(IDS[:3], np.random.default_rng(0))).tolist() == [0] * 3


def test_identical_boxes_twice_are_two_tracks():
    tracker = new_tracker()
    for frame in range(6):
        numbers = tracker.update(frame * INTERVAL, people(SEATS[[0, 0]]), looks(IDS[[0, 0]], np.random.default_rng(0)))
        assert len(set(numbers.tolist())) == 2


@pytest.mark.parametrize("rate", [2, 5, 10])
@pytest.mark.parametrize("empty_frames", [True, False])  # an empty room, or no frames at all: a gap in the clock
@pytest.mark.parametrize(("away_s", "same"), [(2.5, True), (3.6, False), (3600.0, False)])
def test_everyone_leaves_and_returns(rate, empty_frames, away_s, same):
    tracker = new_tracker(1 / rate)
    before, t = settle(tracker, 3 * rate, 1 / rate)
    if empty_frames:
        for frame in range(1, min(round(away_s * rate), 100)):
            tracker.update(t + frame / rate, people([]), np.zeros((0, 64)))
    after = seated(tracker, t + away_s)
    assert (after == before) if same else not set(after) & set(before)


def test_a_gap_in_the_clock_ends_also_tracks_not_confirmed_yet():
    tracker = new_tracker()
    before = seated(tracker, 0.0)
    assert not set(seated(tracker, 3600.0)) & set(before)


def test_another_person_on_the_seat_is_another_track():
    tracker = new_tracker()
    before, t = settle(tracker, 10)
    for frame in range(1, 6):
        tracker.update(t + frame * INTERVAL, people([]), np.zeros((0, 64)))
    assert not set(seated(tracker, t + 6 * INTERVAL, ids=IDS + 100)) & set(before)


@pytest.mark.parametrize("setting", [{"max_gap_s": 0}, {"max_appearance_distance": 1}, {"max_age": 3}])
def test_settings_without_sense_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        TrackSettings(**setting)


# laws


@given(rooms())
@settings(max_examples=40, deadline=None)
def test_every_box_with_area_has_a_number_of_its_own_frame(room):
    for (boxes, _), numbers in zip(room, numbers_of(new_tracker(), room), strict=True):
        has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        assert [number > 0 for number in numbers] == has_area.tolist()
        real = [number for number in numbers if number]
        assert len(set(real)) == len(real)


@given(rooms(), rooms())
@settings(max_examples=25, deadline=None)
def test_numbers_do_not_depend_on_the_video_before(room, before):
    alone = numbers_of(new_tracker(), room)
    numbers_of(new_tracker(), before)
    assert numbers_of(new_tracker(), room) == alone


@given(rooms(), st.lists(st.floats(0.05, 9), min_size=12, max_size=12))
@settings(max_examples=40, deadline=None)
def test_no_track_bridges_more_than_the_longest_gap(room, steps):
    tracker, t, last = new_tracker(), 0.0, {}
    for (boxes, look), step in zip(room, steps, strict=False):
        t += step
        for number in tracker.update(t, people(boxes), look).tolist():
            assert not number or t - last.get(number, t) <= SETTINGS.max_gap_s + INTERVAL / 2 + 1e-6
            last[number] = t


@given(st.sampled_from([2, 5, 10]), st.integers(0, 2**32 - 1), st.floats(0, 0.3))
@settings(max_examples=15, deadline=None)
def test_people_who_sit_keep_their_track_at_every_rate(rate, seed, missed):
    rng = np.random.default_rng(seed)
    tracker, ever = new_tracker(1 / rate), defaultdict(set)
    for frame in range(12 * rate):
        here = np.flatnonzero((rng.random(4) >= missed) | (frame < rate))
        boxes = SEATS[here] + rng.normal(0, 4, (len(here), 4))
        for who, number in zip(here, tracker.update(frame / rate, people(boxes), looks(here, rng)), strict=True):
            ever[who].add(int(number))
    assert all(len(numbers) == 1 for numbers in ever.values())


# a real case


@pytest.mark.parametrize("rate", [2, 5, 10])
def test_in_the_demo_no_track_is_of_two_people_and_only_who_leaves_has_several_long_ones(rate):
    rng = np.random.default_rng(7)
    tracker, frames_of = new_tracker(1 / rate), defaultdict(Counter)
    for _, t, ids, found in lecture(rate):
        for who, number in zip(ids, tracker.update(t, found, looks(ids, rng)), strict=True):
            frames_of[int(number)][int(who)] += 1
    assert all(len(people) == 1 for people in frames_of.values())
    long = Counter(next(iter(people)) for people in frames_of.values() if people.total() >= 2 * rate)
    assert long == Counter(range(1, PEOPLE + 1)) + Counter([WHO_LEAVES])
