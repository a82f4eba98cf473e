from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from truth import PEOPLE, WHO_LEAVES, lecture, looks, people

from pipeline.seats import SeatSettings, assign_students, seat_order
from pipeline.track import Tracker, TrackSettings
from pipeline.tracklets import SAMPLES, SPANS, Tracklet, TrackletBook

SETTINGS = SeatSettings()
INTERVAL = 0.2
SEAT = np.array([100.0, 100, 180, 300])
NOISELESS = np.random.default_rng(0)

Sighting = tuple[int, float, float]
"""Track number, shift of the seat to the right (px), and who it looks like."""

places = npst.arrays(
    np.int64, st.tuples(st.integers(1, 12), st.just(4)), elements=st.integers(0, 400), fill=st.nothing()
).map(lambda raw: np.concatenate([raw[:, :2], raw[:, :2] + raw[:, 2:] + 1], axis=1).astype(float))


def book_of(frames: list[list[Sighting]], score: float = 0.9, interval_s: float = INTERVAL) -> TrackletBook:
    book = TrackletBook()
    for frame, sightings in enumerate(frames):
        numbers = np.array([number for number, _, _ in sightings], int)
        boxes = np.array([SEAT + np.array([x, 0, x, 0]) for _, x, _ in sightings]).reshape(-1, 4)
        look = looks(np.array([who for _, _, who in sightings], int), NOISELESS, noise=0)
        book.add(frame * interval_s, numbers, boxes, np.full(len(numbers), score), look)
    return book


def students_of(frames: list[list[Sighting]], **more) -> dict[int, int]:
    return assign_students(book_of(frames, **more), SETTINGS, INTERVAL)


def pieces(book: TrackletBook) -> dict[int, Tracklet]:
    return {piece.number: piece for piece in book}


@st.composite
def track_lectures(draw: st.DrawFn) -> list[list[Sighting]]:
    """Tracks that begin, pause and end anywhere, on seats that may be shared, with looks that may be alike."""
    frames = draw(st.integers(1, 25))
    lecture_ = [[] for _ in range(frames)]
    for number in range(1, draw(st.integers(1, 7)) + 1):
        x, who = draw(st.sampled_from([0.0, 40.0, 90.0, 400.0])), draw(st.integers(1, 2))
        first = draw(st.integers(0, frames - 1))
        last = draw(st.integers(first, frames - 1))
        pause = draw(st.integers(2, 9))
        for frame in range(first, last + 1):
            if (frame - first) % pause != pause - 1:
                lecture_[frame].append((number, x, who))
    return lecture_


# degenerate lectures


def test_nobody():
    assert assign_students(TrackletBook(), SETTINGS, INTERVAL) == {}
    assert students_of([[], [], []]) == {}


def test_track_number_zero_is_nobody():
    assert list(book_of([[(0, 0, 1)]] * 10)) == []


def test_one_frame_is_too_little_unless_asked_for():
    frames = [[(1, 0, 1), (2, 300, 2)]]
    assert students_of(frames) == {}
    assert assign_students(book_of(frames), SeatSettings(min_seen_s=0, min_sightings=1), INTERVAL) == {1: 1, 2: 2}


@pytest.mark.parametrize(("frames", "students"), [(4, {}), (5, {1: 1})])
def test_seen_for_less_than_a_second_is_dropped(frames, students):
    assert students_of([[(1, 0, 1)]] * frames) == students


@pytest.mark.parametrize(("frames", "students"), [(2, {}), (3, {1: 1})])
def test_a_second_of_few_detections_is_dropped(frames, students):
    book = book_of([[(1, 0, 1)]] * frames, interval_s=0.5)
    assert assign_students(book, SETTINGS, 0.5) == students


@pytest.mark.parametrize(("score", "students"), [(0.3, {}), (0.4, {1: 1})])
def test_weakly_seen_is_dropped(score, students):
    assert students_of([[(1, 0, 1)]] * 20, score=score) == students


def test_everyone_leaves_and_returns_to_the_same_seats():
    before, after = [[(1, 0, 1), (2, 300, 2)]] * 20, [[(4, 300, 2), (3, 0, 1)]] * 20
    assert students_of(before + [[]] * 400 + after) == {1: 1, 3: 1, 2: 2, 4: 2}


def test_somebody_else_on_the_seat_is_another_student():
    students = students_of([[(1, 0, 1)]] * 10 + [[(2, 0, 2)]] * 10)
    assert students[1] != students[2]


def test_the_same_look_on_another_seat_is_another_student():
    assert students_of([[(1, 0, 1)]] * 10 + [[(2, 300, 1)]] * 10) == {1: 1, 2: 2}


def test_identical_boxes_at_once_are_two_students():
    assert sorted(students_of([[(1, 0, 1), (2, 0, 1)]] * 10).values()) == [1, 2]


def test_a_piece_within_the_gaps_of_a_track_belongs_to_it():
    """The tracker opens a second track for a moment, then finds the first one again."""
    frames = [[(1, 0, 1)]] * 10 + [[(2, 20, 1)]] * 5 + [[(1, 0, 1)]] * 10
    assert students_of(frames) == {1: 1, 2: 1}


def test_who_once_was_seen_with_a_piece_of_a_person_is_not_that_person():
    frames = [[(1, 0, 1)]] * 10 + [[(2, 0, 1)]] * 9 + [[(2, 0, 1), (3, 20, 1)]] + [[(3, 20, 1)]] * 9
    students = students_of(frames)
    assert students[2] != students[3]


@pytest.mark.parametrize("count", [1, SAMPLES, 1000])
def test_memory_of_a_track_does_not_grow(count):
    (piece,) = book_of([[(1, float(frame % 7), 1)] if frame % 2 else [] for frame in range(2 * count)])
    assert piece.seen == count
    assert len(piece._boxes) <= SAMPLES
    assert len(piece.spans) <= SPANS
    assert (piece.spans[0][0], piece.spans[-1][1]) == (piece.first_t, piece.last_t)


def test_the_samples_of_a_track_cover_its_whole_time():
    (piece,) = book_of([[(1, float(frame), 1)] for frame in range(1000)])
    assert piece.place[0] == pytest.approx(SEAT[0] + 500, abs=40)


# laws


@given(track_lectures())
@settings(max_examples=80, deadline=None)
def test_students_are_numbered_without_gaps(frames):
    students = students_of(frames)
    assert set(students) <= {number for frame in frames for number, _, _ in frame}
    assert sorted(set(students.values())) == list(range(1, len(set(students.values())) + 1))


@given(track_lectures())
@settings(max_examples=80, deadline=None)
def test_nobody_is_in_two_places_at_once(frames):
    students = students_of(frames)
    for frame in frames:
        here = [students[number] for number, _, _ in frame if number in students]
        assert len(set(here)) == len(here)


@given(track_lectures())
@settings(max_examples=40, deadline=None)
def test_two_tracks_were_seen_together_if_and_only_if_a_frame_shows_both(frames):
    tracks = pieces(book_of(frames))
    for one in tracks:
        for other in tracks:
            together = any({one, other} <= {number for number, _, _ in frame} for frame in frames)
            assert tracks[one].seen_with(tracks[other]) == together


@given(track_lectures(), st.randoms())
@settings(max_examples=40, deadline=None)
def test_students_do_not_depend_on_the_order_of_tracks(frames, random):
    tracks = list(book_of(frames))
    expected = assign_students(tracks, SETTINGS, INTERVAL)
    random.shuffle(tracks)
    assert assign_students(tracks, SETTINGS, INTERVAL) == expected


@given(places, st.floats(0.01, 1))
def test_seat_order_is_a_permutation(places_xyxy, row_gap):
    assert sorted(seat_order(places_xyxy, row_gap)) == list(range(len(places_xyxy)))


@given(places, st.floats(0.01, 1), st.randoms())
def test_seat_order_does_not_depend_on_the_order_given(places_xyxy, row_gap, random):
    shuffled = places_xyxy[random.sample(range(len(places_xyxy)), len(places_xyxy))]
    assert np.array_equal(shuffled[seat_order(shuffled, row_gap)], places_xyxy[seat_order(places_xyxy, row_gap)])


@given(places, st.floats(0.01, 1), st.integers(-500, 500), st.sampled_from([0.25, 0.5, 2, 4]))
def test_seat_order_does_not_depend_on_where_and_how_large_the_picture_is(places_xyxy, row_gap, shift, zoom):
    assert seat_order((places_xyxy + shift) * zoom, row_gap) == seat_order(places_xyxy, row_gap)


def test_seats_run_from_the_front_left_even_in_a_row_that_slants():
    slanting = [[100 * seat, 500 - 15 * row_step, 100 * seat + 60, 600 - 15 * row_step] for seat, row_step in
                [(3, 0), (1, 2), (2, 1), (0, 3)]]  # fmt: skip
    behind = [[10, 200, 60, 300], [300, 210, 360, 310]]
    assert seat_order(np.array(behind + slanting, float), 0.2) == [5, 3, 4, 2, 0, 1]


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.3))
@settings(max_examples=4, deadline=None)
def test_the_rate_does_not_change_who_is_found(seed, missed):
    """Two rows of three; the second person leaves for eight seconds; everybody sways and is missed now and then."""
    seats = np.array(
        [[100 + 250 * (i % 3), 400 - 200 * (i // 3), 220 + 250 * (i % 3), 640 - 200 * (i // 3)] for i in range(6)]
    )
    for rate in (2, 5, 10):
        rng = np.random.default_rng(seed)
        tracker, book, seen_as = Tracker(TrackSettings(), 1 / rate), TrackletBook(), defaultdict(Counter)
        for frame in range(20 * rate):
            t = frame / rate
            here = np.flatnonzero((rng.random(6) >= missed) & ((np.arange(6) != 1) | (t < 6) | (t >= 14)))
            found = people(seats[here] + rng.normal(0, 3, (len(here), 4)))
            look = looks(here + 1, rng)
            numbers = tracker.update(t, found, look)
            book.add(t, numbers, found.boxes_xyxy, found.scores, look)
            for who, number in zip(here, numbers, strict=True):
                seen_as[int(number)][int(who) + 1] += 1
        students = assign_students(book, SETTINGS, 1 / rate)
        assert set(students.values()) == set(range(1, 7))
        assert all(set(seen_as[number]) == {student} for number, student in students.items())


# a real case


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("rate", [2, 5, 10])
def test_in_the_demo_all_twelve_are_numbered_by_seat_and_who_returns_keeps_the_number(rate, alike):
    rng = np.random.default_rng(7)
    tracker, book, seen_as = Tracker(TrackSettings(), 1 / rate), TrackletBook(), defaultdict(Counter)
    for _, t, ids, found in lecture(rate):
        look = looks(np.zeros_like(ids) if alike else ids, rng)
        numbers = tracker.update(t, found, look)
        book.add(t, numbers, found.boxes_xyxy, found.scores, look)
        for who, number in zip(ids, numbers, strict=True):
            seen_as[int(number)].update([(int(who), "after" if t > 20 else "before")])
    students = assign_students(book, SETTINGS, 1 / rate)
    assert sorted(set(students.values())) == list(range(1, PEOPLE + 1))
    for number, student in students.items():
        assert {who for who, _ in seen_as[number]} == {student}
    halves = Counter()
    for number in students:
        halves.update(seen_as[number])
    assert halves[WHO_LEAVES, "before"] >= 10 * rate
    assert halves[WHO_LEAVES, "after"] >= 13 * rate


@pytest.mark.parametrize(("frames", "sightings", "seconds"), [(1, 1, 0.2), (4, 2, 0.4), (100, 3, 1.0)])
def test_a_clip_shorter_than_the_limits_has_students_too(frames, sightings, seconds):
    limits = SeatSettings(min_sightings=3, min_seen_s=1.0).for_clip(frames, 0.2)
    assert limits.min_sightings == sightings
    assert limits.min_seen_s == pytest.approx(seconds)
