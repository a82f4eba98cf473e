from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from truth import DEMO, visible

from pipeline.appearance import BANDS, DIMENSIONS, describe
from pipeline.video import VideoReader

GREY = np.full((60, 40, 3), 128, np.uint8)
WHOLE = np.array([[0.0, 0.0, 40.0, 60.0]])
RED, BLUE, GREEN = (30, 30, 200), (255, 70, 60), (40, 120, 10)
"""BGR, stronger than the histograms' range and of one lightness."""

images = npst.arrays(
    np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)), elements=st.integers(0, 255)
)
boxes = npst.arrays(
    np.float32, st.tuples(st.integers(0, 5), st.just(4)), elements=st.floats(-30, 60, width=32, allow_nan=False)
)


def clothed(*colours_bgr: tuple[int, int, int]) -> np.ndarray:
    """A picture of equal bands, from head to lap."""
    image = np.empty((20 * len(colours_bgr), 40, 3), np.uint8)
    for band, colour in enumerate(colours_bgr):
        image[20 * band : 20 * (band + 1)] = colour
    return image


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(describe(one, WHOLE)[0] @ describe(other, WHOLE)[0])


def test_a_large_picture_looks_like_a_small_one_of_the_same():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (60, 40, 3), np.uint8)
    large = small.repeat(12, axis=0).repeat(12, axis=1)
    vectors = describe(large, 12 * WHOLE)[0], describe(small, WHOLE)[0]
    assert vectors[0] @ vectors[1] > 0.99
    assert vectors[0] @ describe(rng.integers(0, 80, large.shape, np.uint8), 12 * WHOLE)[0] < 0.9


# degenerate boxes


def test_nobody():
    vectors = describe(GREY, np.zeros((0, 4)))
    assert vectors.shape == (0, DIMENSIONS)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize(
    "box",
    [
        (5, 5, 5, 50),  # no width
        (5, 5, 30, 5),  # no height
        (30, 50, 5, 5),  # inside out
        (5, 5, 30, 5 + BANDS - 1),  # too flat for all bands
        (5, 5, 6, 50),  # nothing left between the margins
        (100, 5, 140, 50),  # beside the picture
        (-40, 5, 0, 50),
        (5, 60, 30, 90),  # below it
    ],
)
def test_a_box_without_pixels_says_nothing(box):
    (vector,) = describe(GREY, np.array([box], float))
    assert np.ptp(vector) == 0
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_a_box_over_the_edge_shows_what_is_inside():
    image = clothed(RED, GREEN, BLUE)
    inside, beyond = describe(image, np.array([[5, 0, 35, 60], [5, -20, 35, 300]], float))
    assert np.array_equal(inside, beyond)


# laws


@given(images, boxes)
def test_vectors_have_unit_length_and_no_negative_entries(image, boxes_xyxy):
    vectors = describe(image, boxes_xyxy)
    assert vectors.shape == (len(boxes_xyxy), DIMENSIONS)
    assert (vectors >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


@given(images, boxes, st.randoms())
def test_nobody_changes_how_another_looks(image, boxes_xyxy, random):
    order = random.sample(range(len(boxes_xyxy)), len(boxes_xyxy))
    assert np.array_equal(describe(image, boxes_xyxy[order]), describe(image, boxes_xyxy)[order])


@given(images)
def test_describing_leaves_the_picture_as_it_was(image):
    before = image.copy()
    describe(image, WHOLE)
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((GREEN, GREEN, GREEN), 1.0),
        ((GREEN, GREEN, (115, 115, 115)), 2 / 3 + 1 / 6),  # another hue of the same lightness: one histogram of six
        ((GREEN, GREEN, (250, 250, 250)), 2 / 3),
        (((250, 250, 250),) * 3, 0.0),
    ],
)
def test_the_product_is_the_mean_overlap_of_the_histograms(other, expected):
    assert likeness(clothed(GREEN, GREEN, GREEN), clothed(*other)) == pytest.approx(expected, abs=1e-5)


def test_the_side_margins_do_not_count():
    framed = clothed(GREEN, GREEN, GREEN)
    framed[:, :8] = framed[:, 32:] = (255, 255, 255)
    assert likeness(framed, clothed(GREEN, GREEN, GREEN)) == pytest.approx(1, abs=1e-5)


def test_strong_colours_beyond_the_range_still_tell_people_apart():
    red, blue = clothed(RED, RED, RED), clothed(BLUE, BLUE, BLUE)
    assert likeness(red, blue) == pytest.approx(1 / 2, abs=1e-5)
    assert likeness(red, clothed(RED, RED, BLUE)) == pytest.approx(5 / 6, abs=1e-5)


# a real case


def test_in_the_demo_most_people_look_most_like_themselves_five_seconds_later():
    looks = {}
    for frame in VideoReader(DEMO / "classroom.mp4").frames(0.2):
        if frame.index > 50:
            break
        ids, boxes_xyxy = visible(frame.index)
        assert len(ids) == 12
        looks[frame.index] = describe(frame.image, boxes_xyxy)
    first, later = looks.values()
    likenesses = first @ later.T
    assert (likenesses.argmax(axis=1) == np.arange(12)).sum() >= 10
    assert np.median(np.diag(likenesses)) > np.quantile(likenesses[~np.eye(12, dtype=bool)], 0.95)
