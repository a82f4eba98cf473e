"""Two who swap seats: made-up tracks at two seats, first where nothing can be swapped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import swaps
from pipeline.camera import View
from pipeline.camera_path import CameraPath
from pipeline.identity import people_of, swap_warnings, with_doubts
from pipeline.observations import in_contract_order
from pipeline.session import DOUBTFUL, EXTRA_COLUMNS, OBSERVATION_COLUMNS
from pipeline.settings import Settings
from pipeline.swaps import SwapSettings, settle_swaps
from pipeline.tracklets import Tracklet, TrackletBook

SETTINGS = SwapSettings()
SEATS = {"a": 100.0, "b": 400.0, "c": 700.0}


def look(colour: float) -> np.ndarray:
    """Unit vectors whose angle grows with the difference in colour; 0 and 1 are as unlike as can be."""
    return np.array([np.cos(colour * np.pi / 2), np.sin(colour * np.pi / 2)], np.float32)


def at(number: int, seat: str, first: float, last: float, colour: float, getting_up: bool = False) -> Tracklet:
    """Somebody at a seat, twice a second; then perhaps standing beside it for a second."""
    book = TrackletBook()
    for t in np.arange(first, last, 0.5):
        box = np.array([[SEATS[seat], 200.0, SEATS[seat] + 80, 320]])
        if getting_up and t >= last - 1:
            box += [60, -70, 60, 0]
        book.add(float(t), np.array([number]), box, np.array([0.9]), look(colour)[None])
    return next(iter(book))


def settled(*pieces: Tracklet, person_of: dict[int, int] | None = None):
    return settle_swaps(person_of or {piece.number: piece.number for piece in pieces}, list(pieces), SETTINGS)


BEFORE = at(1, "a", 0, 60, 0.0, True), at(2, "b", 0, 60, 0.5, True)
SWAPPED = at(3, "a", 90, 150, 0.5), at(4, "b", 90, 150, 0.0)
BACK = at(3, "a", 90, 150, 0.0), at(4, "b", 90, 150, 0.5)
TWINS = at(1, "a", 0, 60, 0.2, True), at(2, "b", 0, 60, 0.2, True)
BY_SEAT = {1: 1, 2: 2, 3: 1, 4: 2}


def test_nobody_and_one_alone_swap_with_nobody() -> None:
    assert settled().person_of == {}
    alone = settled(BEFORE[0], SWAPPED[0], person_of={1: 1, 3: 1})
    assert (alone.person_of, alone.doubtful) == ({1: 1, 3: 1}, [])


def test_tracks_of_nobody_are_passed_over() -> None:
    assert settled(*BEFORE, *SWAPPED, person_of={1: 1}).person_of == {1: 1}


def test_two_who_come_back_to_their_seats_keep_them() -> None:
    kept = settled(*BEFORE, *BACK, person_of=BY_SEAT)
    assert (kept.person_of, kept.doubtful) == (BY_SEAT, [])


def test_a_swap_that_looks_make_clear_is_undone_though_seats_were_followed() -> None:
    found = settled(*BEFORE, *SWAPPED, person_of=BY_SEAT)
    assert (found.person_of, found.doubtful) == ({1: 1, 2: 2, 3: 2, 4: 1}, [])


def test_a_swap_of_two_who_were_never_joined_makes_two_of_four() -> None:
    found = settled(*BEFORE, *SWAPPED)
    assert (found.person_of, found.doubtful) == ({1: 1, 2: 2, 3: 2, 4: 1}, [])


def test_two_newcomers_are_no_swap() -> None:
    new = at(3, "a", 90, 150, 0.9), at(4, "b", 90, 150, 1.0)
    assert settled(*BEFORE, *new).person_of == {1: 1, 2: 2, 3: 3, 4: 4}


def test_two_in_the_same_clothes_keep_their_seats_and_are_marked_from_then_on() -> None:
    alike = (
        at(1, "a", 0, 60, 0.2, True),
        at(2, "b", 0, 60, 0.2, True),
        at(3, "a", 90, 150, 0.2),
        at(4, "b", 95, 150, 0.2),
    )
    found = settled(*alike, person_of=BY_SEAT)
    assert found.person_of == BY_SEAT
    assert sorted(found.doubtful) == [(3, 90.0, 149.5), (4, 95.0, 149.5)]


def test_who_is_only_hidden_for_a_while_is_not_marked() -> None:
    hidden = (at(1, "a", 0, 60, 0.2), at(2, "b", 0, 60, 0.2), at(3, "a", 90, 150, 0.2), at(4, "b", 95, 150, 0.2))
    assert settled(*hidden, person_of=BY_SEAT).doubtful == []


def test_who_is_away_alone_or_for_a_moment_is_not_marked() -> None:
    one_after_the_other = at(1, "a", 0, 60, 0.2, True), at(2, "b", 0, 100, 0.2, True), at(3, "a", 90, 150, 0.2)
    late = at(4, "b", 130, 150, 0.2)
    assert settled(*one_after_the_other, late, person_of=BY_SEAT).doubtful == []
    moment = at(3, "a", 65, 150, 0.2), at(4, "b", 66, 150, 0.2)
    assert (
        settled(at(1, "a", 0, 60, 0.2, True), at(2, "b", 0, 60, 0.2, True), *moment, person_of=BY_SEAT).doubtful == []
    )


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 200), st.floats(12, 60), st.floats(0, 1)), max_size=8))
def test_nobody_is_lost_and_nobody_is_in_two_places(made) -> None:
    pieces = [at(n, seat, t, t + length, colour) for n, (seat, t, length, colour) in enumerate(made, start=1)]
    found = settled(*pieces).person_of
    assert set(found) == {piece.number for piece in pieces}
    for one in pieces:
        for other in pieces:
            if one is not other and found[one.number] == found[other.number]:
                assert not one.seen_with(other)


STAYS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 60.0, 130.0]), st.floats(12, 40), st.floats(0, 1)),
    min_size=2,
    max_size=8,
)


@given(STAYS, st.sampled_from([1, 2, 3]))
def test_absences_are_compared_with_all_others_however_many_at_once(made, block) -> None:
    pieces = [at(n, seat, t, t + length, colour, True) for n, (seat, t, length, colour) in enumerate(made, start=1)]
    at_once = settled(*pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(swaps, "BLOCK", block)
        assert settled(*pieces) == at_once


def test_from_tracks_to_marked_rows() -> None:
    pieces = [
        at(1, "a", 0, 60, 0.2, True),
        at(2, "b", 0, 60, 0.2, True),
        at(3, "a", 90, 150, 0.2),
        at(4, "b", 95, 150, 0.2),
    ]
    path = CameraPath(1280, 720)
    for t in np.arange(0, 150, 0.5):
        path.add(float(t), View(0, np.eye(3)))
    people = people_of({0: pieces}, path, Settings(), 0.5)
    assert people.person_of == BY_SEAT
    rows = pd.DataFrame({"t": [10.0, 100.0, 100.0], "student": [1, 1, 2], "frame": [20, 200, 200]})
    marked = with_doubts(rows, rows["student"], people.doubtful)
    assert marked[DOUBTFUL].tolist() == [False, True, True]
    assert "students 1, 2 were away" in swap_warnings(marked)[0]


@pytest.mark.parametrize("doubtful", [[], [(7, 0.0, 100.0)]])
def test_where_nothing_is_in_doubt_there_is_no_column(doubtful) -> None:
    rows = pd.DataFrame({name: [0.0] for name in (*OBSERVATION_COLUMNS, *EXTRA_COLUMNS)})
    left = with_doubts(rows, rows["student"], doubtful)
    assert DOUBTFUL not in left
    assert swap_warnings(left) == []
    assert tuple(in_contract_order(left)) == (*OBSERVATION_COLUMNS, *EXTRA_COLUMNS)
