"""Who passes through and who sits."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipeline.passers_by import SEATED_S, passing, seated
from pipeline.session import BOX, HEAD_BOX

STEP = 0.2


def rows(*sightings: tuple[int, int, float, float]) -> pd.DataFrame:
    """Rows of tracks, (track, frame, left, top of the box); boxes of 100 × 200 px, heads not read."""
    table = pd.DataFrame([(track, frame * STEP, x, y, x + 100, y + 200) for track, frame, x, y in sightings])
    table.columns = ["track", "t", *BOX]
    table[list(HEAD_BOX)] = np.nan
    return table


def sitting(track: int, x: float, frames: int, y: float = 100.0) -> list[tuple[int, int, float, float]]:
    return [(track, frame, x, y) for frame in range(frames)]


def walking(track: int, frames: int) -> list[tuple[int, int, float, float]]:
    """200 px/s: two widths a second."""
    return [(track, frame, frame * 40.0, 300.0) for frame in range(frames)]


# Degenerate


def test_nobody_sits_and_nobody_passes():
    none = rows((1, 0, 0, 0)).iloc[:0]
    assert seated(none, {}, STEP) == {}
    assert seated(none, {1: 1}, STEP) == {}
    assert passing(none, {}).tolist() == []


def test_where_everybody_is_a_student_nobody_passes():
    table = rows(*sitting(1, 0, 5), *sitting(2, 500, 5))
    assert not passing(table, {1: 1, 2: 2}).any()
    assert passing(table, {}).all()


def test_in_a_clip_of_a_second_who_sits_is_a_student():
    table = rows(*sitting(1, 0, 5))
    assert seated(table, {1: 1}, STEP) == {1: 1}
    assert seated(table.iloc[:1], {1: 1}, STEP) == {1: 1}


def test_a_place_that_is_not_known_is_no_seat():
    table = rows(*sitting(1, 0, 50))
    table[list(BOX)] = np.nan
    assert seated(table, {1: 1}, STEP) == {}


# Who sits


def test_who_walks_through_is_no_student_and_who_gets_up_remains_one():
    gets_up = [*sitting(2, 600.0, 50), *((3, 50 + frame, 600 + 40.0 * frame, 100.0) for frame in range(30))]
    table = rows(*walking(1, 30), *gets_up)
    assert seated(table, {1: 1, 2: 2, 3: 2}, STEP) == {2: 2, 3: 2}
    assert passing(table, {2: 2, 3: 2}).tolist() == [True] * 30 + [False] * 80


def test_time_in_one_place_counts_whether_or_not_it_is_unbroken():
    enough = round(SEATED_S / STEP) + 1
    often = [(1, 3 * frame, 0.0, 100.0) for frame in range(enough)]
    briefly = [(2, frame, 500.0, 100.0) for frame in range(enough - 5)]
    table = rows(*often, *briefly, *sitting(3, 900.0, 100))
    assert seated(table, {1: 1, 2: 2, 3: 3}, STEP) == {1: 1, 3: 3}


# Doubles


def test_a_students_head_seen_twice_is_no_passer_by():
    piece = [(9, frame, 5.0, 103.0) for frame in range(4)]
    table = rows(*sitting(1, 0, 50), *piece)
    assert not passing(table, {1: 1}).any()


def test_somebody_behind_a_student_is_a_passer_by():
    behind = [(9, frame, 10.0, 20.0) for frame in range(4)]  # the body mostly hidden, the head above the student's
    table = rows(*sitting(1, 0, 50), *behind)
    assert passing(table, {1: 1}).tolist() == [False] * 50 + [True] * 4


def test_who_crosses_a_students_head_once_is_still_a_passer_by():
    crosses = [(9, frame, -400.0 + 100 * frame, 100.0) for frame in range(9)]
    table = rows(*sitting(1, 0, 50), *crosses)
    assert passing(table, {1: 1})[50:].all()


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 20), st.floats(0, 900), st.floats(0, 500)), min_size=1))
def test_students_never_pass_and_a_track_passes_as_a_whole(sightings):
    table = rows(*sightings)
    mask = passing(table, {1: 1, 2: 2})
    assert not mask[table["track"].isin([1, 2])].any()
    assert (pd.Series(mask).groupby(table["track"]).nunique() == 1).all()


@given(st.integers(1, 40), st.integers(0, 40))
def test_more_time_on_the_seat_never_makes_a_student_a_passer_by(frames, more):
    others = sitting(2, 800.0, 200)
    before = seated(rows(*sitting(1, 0, frames), *others), {1: 1, 2: 2}, STEP)
    after = seated(rows(*sitting(1, 0, frames + more), *others), {1: 1, 2: 2}, STEP)
    assert set(before) <= set(after)
