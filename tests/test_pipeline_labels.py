from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.states import PALETTE
from pipeline.labels import INK, WHITE, Colour, Tags, from_hex, put_text, readable_on, text_mask

FILL: Colour = (200, 120, 40)
SIZES = st.sampled_from([11, 16, 47])
TEXTS = st.sampled_from(["1", "12 A", "40 taking notes", "7 discussing"])


def blank(width: int = 400, height: int = 300) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2.1 contrast ratio, 1 to 21."""

    def luminance(colour: Colour) -> float:
        linear = [((c / 255 + 0.055) / 1.055) ** 2.4 if c / 255 > 0.04045 else c / 255 / 12.92 for c in colour]
        return 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


# text at and beyond the edges


@pytest.mark.parametrize("text", ["", " ", "1", "éÅ–", "語🎓"])
def test_a_line_is_as_high_whatever_its_letters(text):
    mask = text_mask(text, 20)
    assert mask.shape[0] == text_mask("Ag", 20).shape[0]
    assert mask.shape[1] >= 1
    assert 0 <= mask.min() <= mask.max() <= 1


@pytest.mark.parametrize(("x", "y"), [(-1000, 0), (0, -1000), (400, 0), (0, 300), (10_000, 10_000)])
def test_text_outside_the_image_changes_nothing(x, y):
    image = blank()
    assert put_text(image, "taking notes", x, y, 20, WHITE) == text_mask("taking notes", 20).shape[1]
    assert not image.any()


def test_text_on_an_image_without_pixels():
    put_text(blank(0, 0), "1", 0, 0, 20, WHITE)


@settings(max_examples=50, deadline=None)
@given(st.integers(-150, 420), st.integers(-40, 320), SIZES, TEXTS)
def test_clipped_text_is_the_same_text(x, y, size, text):
    image, wide = blank(), blank(1200, 900)
    put_text(image, text, x, y, size, WHITE)
    put_text(wide, text, x + 400, y + 300, size, WHITE)
    assert np.array_equal(image, wide[300:600, 400:800])


def test_text_has_its_colour_and_leaves_the_rest():
    image = np.full((60, 200, 3), 90, np.uint8)
    put_text(image, "attentive", 5, 5, 24, (10, 20, 250))
    assert (image == (10, 20, 250)).all(axis=2).any()
    height, width = text_mask("attentive", 24).shape[:2]
    image[5 : 5 + height, 5 : 5 + width] = 90
    assert (image == 90).all()


# colours


@pytest.mark.parametrize(
    ("text", "bgr"), [("#000000", (0, 0, 0)), ("#ff0000", (0, 0, 255)), ("#0072B2", (178, 114, 0))]
)
def test_hex_colours(text, bgr):
    assert from_hex(text) == bgr


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_text_takes_the_colour_that_contrasts_more(fill):
    chosen = readable_on(fill)
    assert contrast(fill, chosen) >= 0.99 * max(contrast(fill, WHITE), contrast(fill, INK))


@pytest.mark.parametrize("state", PALETTE)
def test_every_state_has_readable_text(state):
    fill = from_hex(PALETTE[state])
    assert contrast(fill, readable_on(fill)) >= 4.5  # WCAG 2.1, level AA


# tags


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-500, 900),
    st.integers(-500, 900),
    st.integers(0, 500),
    st.integers(0, 500),
    SIZES,
    TEXTS,
    st.sampled_from([0, 20, 85]),
)
def test_a_tag_is_whole_wherever_its_box_is(x, y, width, height, size, text, top):
    image = blank(600, 400)
    Tags(image, size, top).put(text, np.array([x, y, x + width, y + height]), FILL)
    rows, columns = np.nonzero(image.any(axis=2))
    area = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert area.any(axis=2).all()  # one unbroken rectangle
    needed = text_mask(text, size, True).shape
    assert area.shape[0] >= needed[0]
    assert area.shape[1] > needed[1]
    assert rows.min() >= top
    border = np.concatenate([area[0], area[-1], area[:, 0], area[:, -1]])
    assert (border == FILL).all()  # no letter is cut by the edge
    assert (area == readable_on(FILL)).all(axis=2).any()


@pytest.mark.parametrize("size", [(30, 200), (200, 10), (1, 1)])
def test_a_tag_larger_than_the_image(size):
    image = blank(*size)
    Tags(image, 20, 0).put("40 taking notes", np.array([0, 0, 5, 5]), FILL)
    assert image.any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 400), st.integers(0, 200), st.integers(40, 120), st.integers(60, 120))
def test_tags_of_two_people_in_one_place_do_not_hide_each_other(x, y, width, height):
    image = blank(600, 400)
    tags = Tags(image, 16, 20)
    tags.put("1 A", np.array([x, y, x + width, y + height]), FILL)
    first = image.copy()
    tags.put("2 A", np.array([x, y, x + width, y + height]), FILL)
    tagged = first.any(axis=2)
    assert np.array_equal(image[tagged], first[tagged])
    assert np.count_nonzero(image.any(axis=2)) == 2 * np.count_nonzero(tagged)
