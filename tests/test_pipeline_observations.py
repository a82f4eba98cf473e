from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from truth import FPS, PEOPLE, WHO_LEAVES, lecture

from pipeline.detect import Detections
from pipeline.faces import Faces
from pipeline.observations import ObservationBuffer, fill_gaps, in_contract_order, of_students
from pipeline.session import BOX, EXTRA_COLUMNS, FACE_CUES, HEAD_BOX, HEAD_POSE, OBSERVATION_COLUMNS

READ_FROM_THE_PICTURE = ["score", *HEAD_BOX, *HEAD_POSE, *FACE_CUES]
LONGEST_S = 2.0


def detections(boxes_xyxy: np.ndarray, behaviours: int = 0) -> Detections:
    count = len(boxes_xyxy)
    return Detections(
        np.asarray(boxes_xyxy, np.float32).reshape(count, 4),
        np.full(count, 0.9, np.float32),
        np.full((count, behaviours), 0.25, np.float32),
    )


def faces(count: int) -> Faces:
    """Faces that are seen, so that a cue made up for a gap would show."""
    return Faces(
        np.full((count, 4), 5.0), np.full((count, 3), 10.0), np.full((count, 3), 0.5), np.full((count, 2), 0.1)
    )


def rows_of(seen: dict[int, list[int]], times: list[float], behaviours: tuple[str, ...] = ()) -> pd.DataFrame:
    """Rows of tracks that were seen at the given positions of the clock; analysed frames are every third."""
    buffer = ObservationBuffer(behaviours)
    for index, t in enumerate(times):
        tracks = [track for track, positions in seen.items() if index in positions]
        boxes = np.array([[t + track, 10 * t, t + track + 50, 10 * t + 90] for track in tracks]).reshape(-1, 4)
        buffer.add(3 * index, t, np.array(tracks, int), detections(boxes, len(behaviours)), faces(len(tracks)))
    return buffer.table()


def filled_of(seen: dict[int, list[int]], times: list[float], longest_s: float = LONGEST_S) -> pd.DataFrame:
    observed = of_students(rows_of(seen, times), {track: track for track in seen})
    return fill_gaps(observed, [3 * index for index in range(len(times))], times, longest_s)


@st.composite
def sightings(draw: st.DrawFn) -> tuple[dict[int, list[int]], list[float]]:
    """Who was seen when, on a clock of uneven steps."""
    steps = draw(st.lists(st.sampled_from([0.1, 0.2, 0.5, 1.5]), min_size=1, max_size=20))
    positions = st.lists(st.integers(0, len(steps) - 1), min_size=1, unique=True).map(sorted)
    return draw(st.dictionaries(st.integers(1, 5), positions, max_size=4)), np.cumsum(steps).tolist()


# degenerate tables


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_a_room_without_people(frames):
    buffer = ObservationBuffer(("read", "write"))
    for frame in range(frames):
        buffer.add(frame, frame / 5, np.zeros(0, int), detections(np.zeros((0, 4)), 2), faces(0))
    times = list(buffer.times)
    assert len(times) == frames
    observed = of_students(buffer.table(), {})
    filled = fill_gaps(observed, list(range(frames)), times, LONGEST_S)
    assert len(filled) == 0
    contract = in_contract_order(filled.assign(motion=np.nan))
    assert tuple(contract) == (*OBSERVATION_COLUMNS, *EXTRA_COLUMNS, "behaviour_read", "behaviour_write")
    assert (contract["student"].dtype, contract["observed"].dtype) == (np.int32, bool)


def test_people_of_whom_none_is_a_student():
    assert len(of_students(rows_of({1: [0, 1], 2: [1]}, [0.0, 0.2]), {})) == 0


def test_one_frame_has_no_gaps():
    filled = filled_of({1: [0], 2: [0]}, [0.0])
    assert filled["student"].tolist() == [1, 2]
    assert filled["observed"].all()


def test_a_box_without_area_is_kept_as_it_is():
    buffer = ObservationBuffer(())
    buffer.add(0, 0.0, np.array([1]), detections(np.array([[5, 5, 5, 9]])), Faces.unseen(1))
    assert buffer.table()[list(BOX)].to_numpy().tolist() == [[5, 5, 5, 9]]


def test_the_table_empties_the_buffer():
    buffer = ObservationBuffer(())
    for _ in range(2):
        buffer.add(7, 1.4, np.array([3]), detections(np.ones((1, 4))), faces(1))
        table = buffer.table()
        assert table[["frame", "t", "track"]].to_numpy().tolist() == [[7, 1.4, 3]]
        assert (buffer.frames, buffer.times) == ([], [])
    assert len(buffer.table()) == 0


def test_nothing_is_filled_before_the_first_sighting_or_after_the_last():
    assert filled_of({1: [2, 3]}, [0.0, 0.2, 0.4, 0.6, 0.8])["t"].tolist() == [0.4, 0.6]


@pytest.mark.parametrize(("gap_s", "rows"), [(2.0, 5), (2.5, 2)])
def test_everyone_leaves_and_returns(gap_s, rows):
    times = np.linspace(0, gap_s, 5).tolist()
    assert len(filled_of({1: [0, 4], 2: [0, 4]}, times)) == 2 * rows


def test_a_gap_in_the_clock_itself_has_no_frames_to_fill():
    assert filled_of({1: [0, 1]}, [0.0, 1.9])["observed"].tolist() == [True, True]


def test_filled_rows_claim_nothing_that_was_not_seen():
    filled = filled_of({1: [0, 2]}, [0.0, 0.2, 0.4])
    (between,) = filled[~filled["observed"]].to_dict("records")
    assert (between["frame"], between["t"], between["student"]) == (3, 0.2, 1)
    assert all(np.isnan(between[name]) for name in READ_FROM_THE_PICTURE)


# laws


@given(sightings())
@settings(max_examples=50, deadline=None)
def test_the_buffer_gives_back_what_it_was_given(case):
    seen, times = case
    rows = rows_of(seen, times, ("read",))
    assert {(track, index) for track, at in seen.items() for index in at} == set(
        zip(rows["track"], rows["frame"] // 3, strict=True)
    )
    assert rows["t"].tolist() == [times[index] for index in rows["frame"] // 3]
    np.testing.assert_array_equal(rows["x1"], (rows["t"] + rows["track"]).astype(np.float32))
    assert (rows["behaviour_read"] == 0.25).all()
    assert {str(kind) for kind in rows.drop(columns=["frame", "t", "track"]).dtypes} == {"float32"}


@given(sightings(), st.dictionaries(st.integers(1, 5), st.integers(1, 3)))
@settings(max_examples=50, deadline=None)
def test_students_get_the_rows_of_their_tracks_and_nobody_else(case, student_of):
    rows = rows_of(*case)
    table = of_students(rows, student_of)
    assert "track" not in table
    assert len(table) == rows["track"].isin(list(student_of)).sum()
    assert set(table["student"]) == {student_of[track] for track in rows["track"] if track in student_of}
    assert table.equals(table.sort_values(["student", "frame"], kind="stable", ignore_index=True))
    assert len(rows_of(*case)) == len(rows)


@given(sightings(), st.sampled_from([0.1, 0.5, 2.0, 100.0]))
@settings(max_examples=50, deadline=None)
def test_filling_changes_no_observed_row(case, longest_s):
    seen, times = case
    before = of_students(rows_of(seen, times), {track: track for track in seen})
    filled = filled_of(seen, times, longest_s)
    after = filled[filled["observed"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(after, before[list(after)], check_dtype=bool(len(before)))


@given(sightings(), st.sampled_from([0.1, 0.5, 2.0, 100.0]))
@settings(max_examples=50, deadline=None)
def test_a_gap_is_filled_whole_if_and_only_if_it_is_short(case, longest_s):
    seen, times = case
    filled = filled_of(seen, times, longest_s)
    assert not filled.duplicated(["student", "frame"]).any()
    for student, positions in seen.items():
        expected = set(positions)
        for before, after in pairwise(positions):
            if times[after] - times[before] <= longest_s:
                expected |= set(range(before, after))
        rows = filled[filled["student"] == student]
        assert (rows["frame"] // 3).tolist() == sorted(expected)
        assert rows["t"].tolist() == [times[index] for index in sorted(expected)]


@given(sightings())
@settings(max_examples=50, deadline=None)
def test_filled_boxes_move_evenly_in_time(case):
    filled = filled_of(*case)
    for name, slope in (("x1", 1), ("y1", 10)):  # so does the simulated track
        np.testing.assert_allclose(
            filled[name], slope * filled["t"] + (filled["student"] if slope == 1 else 0), rtol=1e-5
        )


@given(sightings())
@settings(max_examples=50, deadline=None)
def test_filling_twice_fills_nothing_more(case):
    seen, times = case
    once = filled_of(seen, times)
    twice = fill_gaps(once, [3 * index for index in range(len(times))], times, LONGEST_S)
    pd.testing.assert_frame_equal(twice, once)


@given(sightings())
@settings(max_examples=50, deadline=None)
def test_the_contract_keeps_every_row_by_frame_then_student(case):
    filled = filled_of(*case).assign(motion=0.0, scratch=1)
    table = in_contract_order(filled)
    assert tuple(table) == (*OBSERVATION_COLUMNS, *EXTRA_COLUMNS)
    keys = list(zip(table["frame"], table["student"], strict=True))
    assert keys == sorted(zip(filled["frame"], filled["student"], strict=True))


# a real case


def test_in_the_demo_missed_frames_are_filled_and_the_absence_is_not():
    buffer = ObservationBuffer(())
    rng, truth = np.random.default_rng(3), {}
    for frame, t, ids, found in lecture(5):
        truth.update({(frame, int(who)): box for who, box in zip(ids, found.boxes_xyxy, strict=True)})
        kept = rng.random(len(ids)) > 0.2
        buffer.add(frame, t, ids[kept], found.keep(kept), Faces.unseen(int(kept.sum())))
    frames, times = list(buffer.frames), list(buffer.times)
    observed = of_students(buffer.table(), {who: who for who in range(1, PEOPLE + 1)})
    filled = fill_gaps(observed, frames, times, LONGEST_S)
    keys = set(zip(filled["frame"], filled["student"], strict=True))
    assert keys <= set(truth)
    assert len(keys) >= 0.99 * len(truth)
    made_up = filled[~filled["observed"]]
    assert len(made_up) >= 0.15 * len(truth)
    errors = [
        np.abs(row[list(BOX)].to_numpy(float) - truth[row["frame"], row["student"]]).max()
        for _, row in made_up.iterrows()
    ]
    assert np.median(errors) < 3
    absent = filled[(filled["student"] == WHO_LEAVES) & filled["frame"].between(12 * FPS, 25 * FPS)]
    assert absent.empty
