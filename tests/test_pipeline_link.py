from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from truth import looks

import pipeline.link
from pipeline.link import LinkSettings, Unlikeness, link
from pipeline.seat_link import stays
from pipeline.tracklets import END_BOXES, END_S, Tracklet, TrackletBook

SETTINGS = LinkSettings()
INTERVAL = 0.2
HEIGHT = 200.0
NOBODY_SITS = LinkSettings(seated_s=1e6)

Path = dict[int, tuple[float, float]]
"""Frame -> middle x and top y, px."""


def sitting(frames: range, x: float = 0.0, y: float = 100.0) -> Path:
    return dict.fromkeys(frames, (x, y))


def walking(frames: range, x: float, per_frame: float, y: float = 100.0) -> Path:
    return {frame: (x + per_frame * (frame - frames.start), y) for frame in frames}


def tracks(
    paths: dict[int, Path], look_of: dict[int, int] | None = None, *, zoom: float = 1, shift_s: float = 0
) -> list[Tracklet]:
    """Tracks of these paths; who looks like whom, by default everybody like nobody else."""
    book = TrackletBook()
    seen_look = look_of or {number: number for number in paths}
    for frame in range(max((max(path) for path in paths.values() if path), default=-1) + 1):
        here = [number for number, path in paths.items() if frame in path]
        at = np.array([paths[number][frame] for number in here]).reshape(-1, 2)
        boxes = zoom * np.concatenate([at - np.array([40, 0]), at + np.array([40, HEIGHT])], axis=1)
        look = looks(np.array([seen_look[number] for number in here], int), np.random.default_rng(0), noise=0)
        book.add(shift_s + frame * INTERVAL, np.array(here, int), boxes, np.full(len(here), 0.9), look)
    return list(book)


def linked(pieces: list[Tracklet], limits: LinkSettings = SETTINGS) -> set[frozenset[int]]:
    return {frozenset(piece.number for piece in person) for person in link(pieces, limits, INTERVAL)}


def people(*groups: set[int]) -> set[frozenset[int]]:
    return {frozenset(group) for group in groups}


@st.composite
def rooms(draw: st.DrawFn) -> tuple[dict[int, Path], dict[int, int]]:
    """Tracks that sit or walk, begin and end anywhere, with looks that may be alike."""
    paths, look_of = {}, {}
    for number in range(1, draw(st.integers(1, 7)) + 1):
        first = draw(st.integers(0, 40))
        frames = range(first, first + draw(st.integers(1, 30)))
        x, y = draw(st.sampled_from([0.0, 60.0, 150.0, 700.0])), draw(st.sampled_from([100.0, 400.0]))
        paths[number] = walking(frames, x, draw(st.sampled_from([0.0, 0.0, 5.0, -20.0])), y)
        look_of[number] = draw(st.integers(1, 3))
    return paths, look_of


# degenerate rooms


def test_nobody():
    assert link([], SETTINGS, INTERVAL) == []


def test_one_sighting_is_one_person():
    assert linked(tracks({1: sitting(range(1))})) == people({1})


def test_identical_boxes_at_once_are_two_people():
    assert linked(tracks({1: sitting(range(20)), 2: sitting(range(20))}, {1: 1, 2: 1})) == people({1}, {2})


def test_everyone_leaves_and_nobody_returns():
    assert linked(tracks({1: sitting(range(20)), 2: sitting(range(20), 400)})) == people({1}, {2})


def test_everyone_returns_to_the_seats_after_an_hour():
    paths = {
        1: sitting(range(20)),
        2: sitting(range(20), 400),
        3: sitting(range(18000, 18020), 400),
        4: sitting(range(18000, 18020)),
    }
    assert linked(tracks(paths, {1: 1, 2: 2, 3: 2, 4: 1})) == people({1, 4}, {2, 3})


def test_boxes_without_height_do_no_harm():
    book = TrackletBook()
    for frame in (0, 1, 2, 8, 9):
        book.add(frame * INTERVAL, np.array([1 + frame // 5]), np.zeros((1, 4)), np.ones(1), np.ones((1, 1)))
    assert sum(map(len, link(list(book), SETTINGS, INTERVAL))) == 2


# one scene per rule


def test_a_walker_is_found_again_where_the_walk_leads():
    """Two walk towards each other behind a pillar; places alone would swap them."""
    paths = {
        1: walking(range(10), 0, 20),
        2: walking(range(10), 500, -20, 130),
        3: walking(range(14, 24), 280, 20),
        4: walking(range(14, 24), 220, -20, 130),
    }
    assert linked(tracks(paths, {1: 1, 2: 2, 3: 1, 4: 2}), NOBODY_SITS) == people({1, 3}, {2, 4})


def test_of_two_who_could_go_on_both_do():
    """The nearest beginning of the second end would leave the first one without any."""
    paths = {
        1: sitting(range(10), 0),
        2: sitting(range(10), 90),
        3: sitting(range(13, 23), 80),
        4: sitting(range(13, 23), 160),
    }
    assert linked(tracks(paths, dict.fromkeys(paths, 1)), NOBODY_SITS) == people({1, 3}, {2, 4})


@pytest.mark.parametrize(("away", "same"), [(10, True), (40, False)])
def test_who_walks_is_not_found_again_after_long(away, same):
    paths = {1: walking(range(10), 0, 10), 2: walking(range(10 + away, 20 + away), 10 * (10 + away), 10)}
    expected = people({1, 2}) if same else people({1}, {2})
    assert linked(tracks(paths, {1: 1, 2: 1})) == expected


def test_walkers_who_pass_one_place_are_different_people_however_alike():
    paths = {1: walking(range(20), 0, 30), 2: walking(range(220, 240), 0, 30), 3: sitting(range(300), 2000)}
    assert linked(tracks(paths, {1: 1, 2: 1, 3: 3})) == people({1}, {2}, {3})


def test_a_place_is_no_seat_where_nearly_everybody_walks():
    sit = {1: sitting(range(20)), 2: sitting(range(300, 320))}
    walk = {number: walking(range(320), 500 + 400 * number, 10) for number in range(3, 9)}
    assert linked(tracks(sit, {1: 1, 2: 1})) == people({1, 2})
    assert {frozenset({1}), frozenset({2})} <= linked(tracks(sit | walk, {1: 1, 2: 1} | {n: n for n in walk}))


def test_a_brief_sight_on_a_seat_belongs_to_who_sits_there_unless_it_walks_through():
    seat = sitting(range(40)) | sitting(range(100, 140))
    still, passing = sitting(range(70, 74), 10), walking(range(70, 74), -60, 40)
    assert linked(tracks({1: seat, 2: still}, {1: 1, 2: 1})) == people({1, 2})
    assert linked(tracks({1: seat, 2: passing}, {1: 1, 2: 1})) == people({1}, {2})


def test_somebody_else_on_the_seat_is_somebody_else():
    assert linked(tracks({1: sitting(range(30)), 2: sitting(range(60, 90))})) == people({1}, {2})


def test_where_everybody_looks_the_same_the_seat_decides():
    paths = {n: sitting(range(30), 300 * n) for n in range(1, 7)} | {
        n + 6: sitting(range(60, 90), 300 * n) for n in range(1, 7)
    }
    assert linked(tracks(paths, dict.fromkeys(paths, 1))) == people(*({n, n + 6} for n in range(1, 7)))


def test_looks_are_not_trusted_where_all_are_alike_and_are_where_they_differ():
    room = {n: sitting(range(30), 300 * n) for n in range(1, 7)}
    assert Unlikeness(tracks(room, dict.fromkeys(room, 1))).trust == 0
    told = Unlikeness(tracks(room))
    assert told.trust > 0.9
    assert told(0, 0) == pytest.approx(0, abs=1e-6)


def test_who_sits_stays_and_who_walks_does_not():
    (seated,) = tracks({1: sitting(range(50))})
    (walker,) = tracks({1: walking(range(50), 0, 10)})
    (glimpse,) = tracks({1: walking(range(3), 0, 30)})
    assert (stays(seated), stays(walker), stays(glimpse)) == (True, False, False)


@pytest.mark.parametrize("count", [1, 5, 2000])
def test_the_ends_of_a_track_are_bounded(count):
    (piece,) = tracks({1: walking(range(count), 0, 1)})
    assert max(len(piece.head), len(piece.tail)) <= END_BOXES
    assert piece.head[-1][0] - piece.head[0][0] <= END_S + 1e-9
    assert piece.tail[-1][0] - piece.tail[0][0] <= END_S + 1e-9
    assert (piece.head[0][0], piece.tail[-1][0]) == (piece.first_t, piece.last_t)


# laws


@given(rooms())
@settings(max_examples=80, deadline=None)
def test_every_track_is_of_one_person_and_nobody_is_in_two_places_at_once(room):
    pieces = tracks(*room)
    persons = link(pieces, SETTINGS, INTERVAL)
    assert sorted(piece.number for person in persons for piece in person) == sorted(room[0])
    for person in persons:
        for at, one in enumerate(person):
            assert not any(set(room[0][one.number]) & set(room[0][other.number]) for other in person[at + 1 :])


@given(rooms(), st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_of_tracks_changes_nothing(room, random):
    pieces = tracks(*room)
    expected = linked(pieces)
    random.shuffle(pieces)
    assert linked(pieces) == expected


@given(rooms(), st.sampled_from([0.25, 0.5, 2.0, 4.0]), st.sampled_from([0.0, 64.0, 4096.0]))
@settings(max_examples=60, deadline=None)
def test_neither_the_size_of_the_picture_nor_the_start_of_the_clock_changes_anything(room, zoom, shift_s):
    assert linked(tracks(*room, zoom=zoom)) == linked(tracks(*room))
    near = {frozenset(group) for group in linked(tracks(*room, shift_s=shift_s))}
    assert len(near) == len(linked(tracks(*room)))


class ScaleKnown(Unlikeness):
    """How far looks tell people apart is given: it is learnt from everybody, so one more changes it by a little."""

    def __init__(self, pieces: list[Tracklet]) -> None:
        super().__init__(pieces)
        self.trust, self._between = 0.99, 0.6


@given(rooms())
@settings(max_examples=60, deadline=None)
def test_somebody_far_away_changes_nobody_else(room):
    """Who sits far away; whether this is a room of people who sit is settled by others far away, too."""
    paths, look_of = room
    crowd = {100 + seat: sitting(range(71), 5000 + 500 * seat) for seat in range(20)}
    paths, look_of = paths | crowd, look_of | {number: number for number in crowd}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.link, "Unlikeness", ScaleKnown)
        alone = linked(tracks(paths, look_of))
        more = linked(tracks(paths | {99: sitting(range(71), 50000)}, look_of | {99: 1}))
    assert more == alone | {frozenset({99})}
