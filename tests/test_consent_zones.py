import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consent.errors import ConsentError
from consent.zones import Zone

TRIANGLE = (0.1, 0.1, 0.9, 0.1, 0.1, 0.9)
L_SHAPE = (0.0, 0.0, 1.0, 0.0, 1.0, 0.4, 0.4, 0.4, 0.4, 1.0, 0.0, 1.0)

shares = st.floats(0, 1, allow_nan=False)
hundredths = st.integers(0, 100).map(lambda number: number / 100)


@st.composite
def stars(draw):
    """Polygons that never cross themselves: corners at rising angles around a middle, in hundredths."""
    count = draw(st.integers(3, 9))
    radii = draw(st.lists(st.floats(0.1, 0.45), min_size=count, max_size=count))
    turn = draw(st.floats(0, 2 * math.pi))
    angles = turn + np.arange(count) * 2 * math.pi / count
    return [(0.5 + r * math.cos(a), 0.5 + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]


# Degenerate


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((), "0 numbers are no zone"),
        ((0.1, 0.2), "2 numbers"),
        ((0.1, 0.2, 0.3, 0.4, 0.5), "5 numbers"),
        ((0.1, 0.1, 0.5, 0.5, 0.9, 0.9), "no area"),  # on one line
        ((0.1, 0.1, 0.5, 0.1, 0.9, 0.1), "no area"),
        ((0.1, 0.1, 0.1, 0.1, 0.9, 0.9), "twice"),
        ((0.0, 0.0, 0.5, 0.8, 0.6, 0.0, 0.5, 0.8, 0.2, 0.9), "cross or touch"),  # a corner twice, not in a row
        ((0.1, 0.1, 0.8, 0.8, 0.8, 0.1, 0.1, 0.9), "cross or touch"),  # a bow tie
        ((0.1, 0.1, 0.9, 0.1, 0.9, 0.9, 0.9, 0.05, 0.2, 0.05), "cross or touch"),  # goes back on itself
        ((0.1, 0.1, 0.9, 0.1, 0.1, 1.1), "between 0 and 1"),
        ((0.1, 0.1, 0.9, float("nan"), 0.1, 0.9), "between 0 and 1"),
    ],
)
def test_polygons_that_are_none(numbers, words):
    with pytest.raises(ConsentError, match=words) as caught:
        Zone(*numbers)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_a_bow_tie_of_equal_halves_has_no_area():
    with pytest.raises(ConsentError, match=r"no area|cross"):
        Zone(0, 0, 1, 1, 1, 0, 0, 1)


@pytest.mark.parametrize("text", ["0,0 1,1", "0,0 1,1 0", "0,0 1,1 0,1,1", "0 0 1 1 0 1", "0,0 1,1 a,b", ",, , ,"])
def test_text_that_is_no_polygon(text):
    with pytest.raises(ConsentError, match="neither four numbers nor three points"):
        Zone.parse(text)


# What a zone is


def test_four_numbers_are_a_rectangle_and_more_a_polygon():
    assert Zone.parse(" 0.1, 0.2 ,0.3,0.4 ") == Zone(0.1, 0.2, 0.3, 0.4)
    assert Zone.parse("0.1,0.1 0.9 , 0.1  0.1,0.9") == Zone(*TRIANGLE)
    assert Zone(*TRIANGLE).corners == (0.1, 0.1, 0.9, 0.9)
    assert Zone(0.1, 0.2, 0.3, 0.4).points == ((0.1, 0.2), (0.3, 0.2), (0.3, 0.4), (0.1, 0.4))


def test_the_first_corner_may_be_said_again_at_the_end():
    assert Zone.parse("0.1,0.1 0.9,0.1 0.1,0.9 0.1,0.1") == Zone(*TRIANGLE)


def test_a_polygon_holds_what_is_inside_and_on_its_edge():
    zone = Zone(*L_SHAPE)
    for x, y in ((0.2, 0.2), (0.9, 0.3), (0.2, 0.9), (0.4, 0.7), (0.4, 0.4), (1, 0.4), (0, 0), (0, 1)):
        assert zone.contains(x, y)
    for x, y in ((0.5, 0.5), (0.9, 0.9), (0.41, 0.41), (float("nan"), 0.2)):
        assert not zone.contains(x, y)
    assert Zone(*TRIANGLE).contains(0.5, 0.5)  # on the slope
    assert not Zone(*TRIANGLE).contains(0.51, 0.5)


# Laws


@given(stars())
def test_what_is_stored_and_what_is_printed_is_the_zone(points):
    zone = Zone.polygon(points)
    assert Zone(*zone.numbers) == zone
    rounded = Zone.parse(str(zone))
    assert rounded.numbers == pytest.approx(zone.numbers, abs=1e-5)


@given(shares, shares, shares, shares, shares, shares)
def test_a_polygon_that_is_a_rectangle_decides_as_the_rectangle(x1, y1, x2, y2, x, y):
    (x1, x2), (y1, y2) = sorted([x1, x2]), sorted([y1, y2])
    assume(x1 < x2 and y1 < y2)
    rectangle = Zone(x1, y1, x2, y2)
    if x2 - x1 > 1e-100 < y2 - y1:
        polygon = Zone(x2, y2, x1, y2, x1, y1, x2, y1)
        assert polygon.corners == rectangle.corners
        assert polygon.contains(x, y) == rectangle.contains(x, y)
    if x1 <= x <= x2 and y1 <= y <= y2:
        assert rectangle.contains(x, y)


@given(stars(), hundredths, hundredths, st.floats(-0.04, 0.04), st.floats(-0.04, 0.04))
def test_a_zone_moved_with_the_point_decides_the_same(points, x, y, dx, dy):
    zone = Zone.polygon(points)
    moved = Zone.polygon([(px + dx, py + dy) for px, py in points])
    near = [zone.contains(x + a, y + b) for a in (-1e-6, 0, 1e-6) for b in (-1e-6, 0, 1e-6)]
    if len(set(near)) == 1:  # not within rounding of the edge
        assert moved.contains(x + dx, y + dy) == near[0]


@given(stars(), st.integers(0, 8), st.booleans(), hundredths, hundredths)
def test_where_the_corners_begin_and_which_way_they_go_does_not_matter(points, start, backwards, x, y):
    zone = Zone.polygon(points)
    turned = points[start % len(points) :] + points[: start % len(points)]
    assert Zone.polygon(turned[::-1] if backwards else turned).contains(x, y) == zone.contains(x, y)


@given(stars(), st.integers(0, 8), st.floats(0, 1))
def test_corners_and_edges_are_inside(points, which, share):
    zone = Zone.polygon(points)
    (ax, ay), (bx, by) = points[which % len(points)], points[(which + 1) % len(points)]
    assert zone.contains(ax, ay)
    assert zone.contains(ax + share * (bx - ax), ay + share * (by - ay))


@pytest.mark.parametrize("text", ["x" * 5000, ",".join(["0.5"] * 5000), " ".join(["0.1,0.2"] * 5000)])
def test_a_monstrous_zone_is_refused_in_a_short_sentence(text):
    with pytest.raises(ConsentError) as caught:
        Zone.parse(text)
    assert len(str(caught.value)) < 500
