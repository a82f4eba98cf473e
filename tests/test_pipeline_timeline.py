from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from truth import FPS, FRAMES, WHO_LEAVES, iou, lecture, upper_bodies

from pipeline.session import BOX
from pipeline.timeline import MOST_BLOCKS, Timeline

LONGEST_S, HOLD_S = 2.0, 0.5


def table_of(sightings: list[tuple[int, float, tuple[float, float, float, float]]]) -> pd.DataFrame:
    table = pd.DataFrame({"student": [who for who, _, _ in sightings], "t": [t for _, t, _ in sightings]})
    boxes = np.array([box for _, _, box in sightings], float).reshape(-1, 4)
    return table.astype({"student": int, "t": float}).assign(**dict(zip(BOX, boxes.T, strict=True)))


def timeline_of(sightings, longest_gap_s: float = LONGEST_S, hold_s: float = HOLD_S) -> Timeline:
    return Timeline(table_of(sightings), "student", longest_gap_s=longest_gap_s, hold_s=hold_s)


def one_at(timeline: Timeline, t: float) -> list[float] | None:
    keys, boxes = timeline.at(t)
    return boxes[0].tolist() if len(keys) else None


HERE, THERE = (0.0, 0, 10, 20), (100.0, 40, 110, 60)

coordinates = st.floats(-1e4, 1e4, width=32)
moments = st.integers(0, 400).map(lambda tick: tick / 40)
sighting_lists = st.lists(
    st.tuples(st.integers(-3, 3), moments, st.tuples(*[coordinates] * 4)),
    max_size=25,
    unique_by=lambda sighting: sighting[:2],
)


# degenerate tables


def test_nobody_at_any_time():
    keys, boxes = timeline_of([]).at(1.0)
    assert (keys.shape, boxes.shape) == ((0,), (0, 4))
    assert keys.dtype.kind == "i"


@pytest.mark.parametrize(
    ("t", "seen"), [(4.4, False), (4.5, True), (5.0, True), (5.5, True), (5.6, False), (-1e9, False), (1e9, False)]
)
def test_one_sighting_is_held_for_a_moment_before_and_after(t, seen):
    assert one_at(timeline_of([(1, 5.0, HERE)]), t) == (list(HERE) if seen else None)


def test_without_holding_a_sighting_lasts_a_moment():
    timeline = timeline_of([(1, 5.0, HERE)], hold_s=0)
    assert one_at(timeline, 5.0) == list(HERE)
    assert one_at(timeline, 5.001) is None


def test_identical_boxes_of_two_people_are_both_there():
    keys, boxes = timeline_of([(2, 0.0, HERE), (1, 0.0, HERE)]).at(0.1)
    assert keys.tolist() == [1, 2]
    assert boxes.tolist() == [list(HERE)] * 2


def test_the_same_row_twice_is_one_sighting():
    timeline = timeline_of([(1, 1.0, HERE), (1, 1.0, HERE), (1, 2.0, THERE), (1, 2.0, THERE)])
    assert one_at(timeline, 1.0) == list(HERE)
    assert one_at(timeline, 1.5) == [50, 20, 60, 40]
    assert one_at(timeline, 2.25) == list(THERE)


def test_a_box_without_area_stays_one():
    assert one_at(timeline_of([(1, 0.0, (5, 5, 5, 5)), (1, 1.0, (9, 5, 9, 5))]), 0.5) == [7, 5, 7, 5]


@pytest.mark.parametrize(
    ("t", "expected"),
    [(0.0, HERE), (0.5, HERE), (0.6, None), (2.4, None), (2.5, THERE), (3.0, THERE)],
)
def test_everyone_leaves_and_returns(t, expected):
    timeline = timeline_of([(1, 0.0, HERE), (1, 3.0, THERE)])
    assert one_at(timeline, t) == (list(expected) if expected else None)


def test_a_gap_of_just_the_longest_is_bridged():
    assert one_at(timeline_of([(1, 0.0, HERE), (1, 2.0, THERE)]), 0.5) == [25, 10, 35, 30]


# laws


@given(sighting_lists)
@settings(max_examples=50, deadline=None)
def test_at_a_sighting_the_box_is_the_one_seen(sightings):
    timeline = timeline_of(sightings)
    for who, t, box in sightings:
        keys, boxes = timeline.at(t)
        assert boxes[keys.tolist().index(who)].tolist() == list(box)


@given(sighting_lists, st.floats(-1, 12))
@settings(max_examples=50, deadline=None)
def test_everybody_is_there_once_and_in_order(sightings, t):
    keys, boxes = timeline_of(sightings).at(t)
    assert keys.tolist() == sorted(set(keys.tolist()))
    assert set(keys.tolist()) <= {who for who, _, _ in sightings}
    assert boxes.shape == (len(keys), 4)


@given(sighting_lists, st.floats(-1, 12))
@settings(max_examples=50, deadline=None)
def test_a_box_lies_between_the_sightings_around_it_and_exists_only_near_one(sightings, t):
    keys, boxes = timeline_of(sightings).at(t)
    there = dict(zip(keys.tolist(), boxes, strict=True))
    for who in {who for who, _, _ in sightings}:
        before = max(((at, box) for one, at, box in sightings if one == who and at <= t), default=None)
        after = min(((at, box) for one, at, box in sightings if one == who and at >= t), default=None)
        bridged = before and after and after[0] - before[0] <= LONGEST_S
        held = any(side and abs(t - side[0]) <= HOLD_S for side in (before, after))
        assert (who in there) == bool(bridged or held)
        if who in there:
            around = np.array([side[1] for side in (before, after) if side])
            slack = 1e-9 * np.abs(around).max()
            assert (there[who] >= around.min(axis=0) - slack).all()
            assert (there[who] <= around.max(axis=0) + slack).all()


@given(sighting_lists, st.floats(-1, 12), st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_order_of_rows_does_not_matter(sightings, t, random):
    keys, boxes = timeline_of(sightings).at(t)
    shuffled_keys, shuffled_boxes = timeline_of(random.sample(sightings, len(sightings))).at(t)
    assert np.array_equal(keys, shuffled_keys)
    assert np.array_equal(boxes, shuffled_boxes)


@given(sighting_lists, st.floats(-1, 12), st.floats(0, 3), st.floats(0, 3))
@settings(max_examples=50, deadline=None)
def test_holding_longer_hides_nobody(sightings, t, hold_s, more_s):
    shorter, _ = timeline_of(sightings, hold_s=hold_s).at(t)
    longer, _ = timeline_of(sightings, hold_s=hold_s + more_s).at(t)
    assert set(shorter.tolist()) <= set(longer.tolist())


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 10.0, 45.0, 1e9, np.inf]))
@settings(max_examples=30, deadline=None)
def test_of_a_long_lecture_each_is_where_the_timeline_of_that_one_alone_says(seed, hold_s):
    rng = np.random.default_rng(seed)
    begins = rng.integers(0, 300, 20)
    rows = [(who, float(t), HERE) for who, begin in enumerate(begins) for t in begin + np.arange(rng.integers(1, 40))]
    together = timeline_of(rows, hold_s=hold_s)
    alone = [timeline_of([row for row in rows if row[0] == who], hold_s=hold_s) for who in range(20)]
    ends = [t + edge for _, t, _ in rows[::15] for edge in (0.0, -hold_s, hold_s) if np.isfinite(edge)]
    for t in [*rng.uniform(-50, 400, 40), *ends, *np.arange(0.0, 350.0, 10.0)]:
        assert together.at(t)[0].tolist() == [who for who in range(20) if len(alone[who].at(t)[0])]


def test_clocks_that_jump_by_years_take_no_memory():
    years = 10 * 365 * 86_400.0
    timeline = timeline_of([(1, 0.0, HERE), (1, years, HERE), (2, years / 2, THERE), (3, years, THERE)])
    assert [timeline.at(t)[0].tolist() for t in (0.0, 1.0, years / 2, years)] == [[1], [], [2], [1, 3]]
    assert len(timeline._in_block) <= MOST_BLOCKS + 1


# a real case


def test_in_the_demo_five_frames_a_second_tell_where_everybody_is_in_all_ten():
    rows = [
        (int(who), t, tuple(box))
        for _, t, ids, found in lecture(5)
        for who, box in zip(ids, found.boxes_xyxy, strict=True)
    ]
    timeline = timeline_of(rows)
    overlaps, missing = [], 0
    for frame in range(FRAMES):
        ids, truth = upper_bodies(frame)
        keys, boxes = timeline.at(frame / FPS)
        missing += len(set(ids.tolist()) - set(keys.tolist()))
        for who, box in zip(ids, truth, strict=True):
            if who in keys:
                overlaps.append(iou(box[None], boxes[keys == who])[0, 0])
    assert missing == 0
    assert np.quantile(overlaps, 0.01) > 0.8
    assert WHO_LEAVES not in timeline.at(18.0)[0]


@pytest.mark.parametrize(
    ("t", "box"),
    [
        (0.0, [0, 0, 60, 30]),
        (0.1, [0, 0, 60, 30]),
        (0.2, [0, 0, 60, 30]),
        (5.0, [90, 90, 99, 99]),  # the last, and the one before is far
    ],
)
def test_a_spanning_box_holds_close_sightings_also_at_one_of_them(t, box):
    rows = [[0.0, 1, 0, 0, 10, 10], [0.2, 1, 50, 20, 60, 30], [5.0, 1, 90, 90, 99, 99]]
    table = pd.DataFrame(rows, columns=["t", "student", *BOX])
    spanning = Timeline(table, "student", longest_gap_s=10, hold_s=0, span_s=0.2)
    assert spanning.at(t)[1].tolist() == [box]


def test_between_far_sightings_the_box_moves_and_an_unknown_side_stays_unknown():
    table = pd.DataFrame([[0.0, 1, 0, np.nan, 10, 10], [1.0, 1, 50, 20, 60, 30]], columns=["t", "student", *BOX])
    assert Timeline(table, "student", longest_gap_s=10, hold_s=0, span_s=0.5).at(0.5)[1][0, 0] == 25
    spanning = Timeline(table, "student", longest_gap_s=10, hold_s=0, span_s=1.0)
    assert np.array_equal(spanning.at(0.5)[1], [[0, np.nan, 60, 30]], equal_nan=True)


def test_a_hold_of_ones_own_comes_before_that_of_all():
    table = table_of([(1, 0.0, HERE), (2, 0.0, THERE)]).assign(hold_s=[0.1, 3.0])
    timeline = Timeline(table, "student", longest_gap_s=LONGEST_S, hold_s=HOLD_S)
    assert [timeline.at(t)[0].tolist() for t in (0.05, 0.4, 2.9, 3.1)] == [[1, 2], [2], [2], []]
    assert len(timeline) == 2
    assert len(timeline_of([])) == 0
