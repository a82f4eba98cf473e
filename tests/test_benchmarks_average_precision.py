"""Average precision as the benchmarks count it: its two ends, what no class can have, and its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.yolo import keep_quiet

keep_quiet()  # before Ultralytics is imported

from benchmarks.average_precision import IOUS, Judged, class_precision, judge, precision  # noqa: E402

NOBODY = np.zeros((0, 4), np.float32)
NONE = np.zeros(0, int)
SCORES = np.zeros(0)
NAMES = ("write", "read", "stand")
NEARLY = 0.006
"""Ultralytics interpolates: its best is 0.995."""


def row_of(count: int, shift: float = 0.0) -> np.ndarray:
    """Boxes of 40 x 40 px side by side, moved to the right by ``shift`` px."""
    left = np.arange(count) * 50.0 + shift
    return np.stack([left, np.zeros(count), left + 40, np.full(count, 40.0)], axis=1).astype(np.float32)


def perfect(classes: np.ndarray) -> Judged:
    boxes = row_of(len(classes))
    return judge(boxes, np.linspace(0.9, 0.5, len(classes)), classes, boxes, classes)


def blind(classes: np.ndarray) -> Judged:
    """Finds nobody."""
    return judge(NOBODY, SCORES, NONE, row_of(len(classes)), classes)


TRUTH = np.array([0, 0, 1, 1, 1])


# degenerate images


def test_no_detections_in_an_empty_room():
    judged = judge(NOBODY, SCORES, NONE, NOBODY, NONE)
    assert judged.hits.shape == (0, len(IOUS))
    assert np.isnan(class_precision([judged], 2)).all()


def test_a_detection_in_an_empty_room_hits_nothing():
    judged = judge(row_of(2), np.array([0.9, 0.8]), np.array([0, 1]), NOBODY, NONE)
    assert judged.hits.shape == (2, len(IOUS))
    assert not judged.hits.any()
    assert np.isnan(class_precision([judged], 2)).all()


def test_no_detections_are_worth_0():
    made = class_precision([blind(TRUTH)], 2)
    np.testing.assert_array_equal(made, np.zeros((2, len(IOUS))))


def test_perfect_detections_are_worth_1():
    made = class_precision([perfect(TRUTH), perfect(TRUTH[:1])], 2)
    np.testing.assert_allclose(made, 1, atol=NEARLY)
    assert (made <= 1).all()


def test_the_wrong_class_is_worth_0():
    judged = judge(row_of(5), np.linspace(0.9, 0.5, 5), 1 - TRUTH, row_of(5), TRUTH)
    assert not judged.hits.any()
    np.testing.assert_array_equal(class_precision([judged], 2), 0)


def test_a_class_that_the_truth_does_not_hold_has_none():
    made = class_precision([judge(row_of(3), np.full(3, 0.9), np.array([0, 0, 2]), row_of(2), np.array([0, 0]))], 3)
    assert not np.isnan(made[0]).any()
    assert np.isnan(made[1:]).all()


def test_one_truth_is_found_once():
    twice = judge(row_of(1).repeat(2, axis=0), np.array([0.9, 0.8]), np.array([0, 0]), row_of(1), np.array([0]))
    assert (twice.hits.sum(axis=0) == 1).all()


@pytest.mark.parametrize(
    ("shift", "overlaps"),  # IoU (40 - s) / (40 + s)
    [(0.0, 10), (1.5, 9), (9.0, 3), (13.0, 1), (14.0, 0), (-13.0, 1)],
)
def test_a_hit_is_one_as_far_as_the_boxes_overlap(shift, overlaps):
    judged = judge(row_of(3, shift), np.full(3, 0.9), np.zeros(3, int), row_of(3), np.zeros(3, int))
    assert judged.hits.sum(axis=1).tolist() == [overlaps] * 3
    made = class_precision([judged], 1)[0]
    np.testing.assert_allclose(made, np.arange(10) < overlaps, atol=NEARLY)


def test_a_false_alarm_counts_by_its_score():
    def worth(score: float) -> float:
        boxes = np.concatenate([row_of(4), row_of(1) + 500])
        judged = judge(boxes, np.array([0.8, 0.7, 0.6, 0.5, score]), np.zeros(5, int), row_of(4), np.zeros(4, int))
        return float(class_precision([judged], 1)[0, 0])

    assert worth(0.1) == pytest.approx(1, abs=NEARLY)  # below everybody
    assert worth(0.65) < worth(0.1) - 0.02
    assert worth(0.95) < worth(0.65) - 0.02


def test_two_of_four_found_are_worth_a_half():
    judged = judge(row_of(4)[:2], np.array([0.9, 0.8]), np.zeros(2, int), row_of(4), np.zeros(4, int))
    np.testing.assert_allclose(class_precision([judged], 1), 0.5, atol=0.01)


# laws


@st.composite
def rooms(draw: st.DrawFn) -> list[Judged]:
    """Images with some true boxes, and detections near some of them; all scores differ."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    made = []
    for true, count in draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), min_size=1, max_size=5)):
        truth = rng.integers(0, 3, true)
        boxes = row_of(7)[rng.integers(0, 7, count)] + rng.uniform(-12, 12, (count, 4)).astype(np.float32)
        made.append(judge(boxes, rng.uniform(0.1, 1, count), rng.integers(0, 3, count), row_of(true), truth))
    return made


@given(rooms())
def test_no_more_hits_than_there_are_students(images):
    for judged in images:
        for label in range(3):
            own = judged.hits[judged.classes == label]
            assert (own.sum(axis=0) <= (judged.truth == label).sum()).all()


@given(rooms())
def test_average_precision_is_a_share_of_classes_that_are_there(images):
    made = class_precision(images, 4)
    there = np.isin(np.arange(4), np.concatenate([image.truth for image in images]))
    np.testing.assert_array_equal(np.isnan(made).any(axis=1), ~there)
    np.testing.assert_array_equal(np.isnan(made).all(axis=1), ~there)
    assert ((made[there] >= 0) & (made[there] <= 1)).all()


@given(rooms(), st.randoms())
def test_the_order_of_images_does_not_matter(images, random):
    shuffled = random.sample(images, len(images))
    np.testing.assert_allclose(class_precision(images, 3), class_precision(shuffled, 3))


# tables with intervals


def test_every_figure_of_perfect_detections_is_1():
    made = precision([perfect(TRUTH)] * 5, NAMES)
    for triple in (made.map50, made.map50_95, made.ap50["write"], made.ap50["read"]):
        np.testing.assert_allclose(triple, 1, atol=NEARLY)
    assert all(math.isnan(value) for value in made.ap50["stand"])
    assert made.counts == {"write": 10, "read": 15, "stand": 0}


def test_intervals_hold_their_values():
    images = [perfect(TRUTH) if number % 3 else blind(TRUTH) for number in range(30)]
    made = precision(images, NAMES[:2])
    for value, low, high in (made.map50, made.map50_95, made.ap50["write"], made.ap50["read"]):
        assert 0 <= low < value < high <= 1
        assert value == pytest.approx(2 / 3, abs=0.02)
    assert made == precision(images, NAMES[:2])  # the same every time


def test_more_images_make_intervals_narrower():
    def width(images: int) -> float:
        _, low, high = precision([perfect(TRUTH), blind(TRUTH)] * (images // 2), NAMES[:2]).map50
        return high - low

    assert width(80) < width(8)


def test_boxes_that_are_off_count_at_low_overlaps_only():
    judged = judge(row_of(2, shift=9), np.full(2, 0.9), np.array([0, 1]), row_of(2), np.array([0, 1]))
    made = precision([judged] * 3, NAMES[:2])
    assert made.map50[0] == pytest.approx(1, abs=NEARLY)
    assert made.map50_95[0] == pytest.approx(0.3, abs=NEARLY)


def test_the_mean_is_over_classes_that_are_there():
    images = [judge(row_of(2), np.full(2, 0.9), np.array([0, 0]), row_of(2), np.array([0, 1]))] * 3
    made = precision(images, NAMES)
    assert made.map50[0] == pytest.approx((made.ap50["write"][0] + made.ap50["read"][0]) / 2)
    assert made.ap50["read"] == (0, 0, 0)
