"""Hands: nobody, hidden and tiny people, taking turns, and where a hand must be for each cue."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.body import (
    LEFT_FINGERS,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NOSE,
    POINTS,
    RIGHT_FINGERS,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
    BodyReading,
)
from pipeline.hands import MOST_TRACKS, HandReader, HandSettings, belongs, body_region, hand_cues

HEAD = np.array([[80.0, 100.0, 120.0, 150.0]])
MOUTH = np.array([100.0, 140.0])
PICTURE = np.full((400, 400, 3), 127, np.uint8)
UNKNOWN = np.full((1, 4), np.nan)


def body(left: tuple[float, float], right: tuple[float, float] = (-1.0, 3.0), visible: float = 1.0) -> BodyReading:
    """A person with ``HEAD`` whose hands are so many head heights right of and below the mouth; right one hidden."""
    points, seen = np.zeros((1, POINTS, 2)), np.zeros((1, POINTS))
    points[0, NOSE] = MOUTH - np.array([0, 10])
    points[0, LEFT_SHOULDER], points[0, RIGHT_SHOULDER] = MOUTH + np.array([35, 30]), MOUTH + np.array([-35, 30])
    for wrist, fingers, place in ((LEFT_WRIST, LEFT_FINGERS, left), (RIGHT_WRIST, RIGHT_FINGERS, right)):
        points[0, [wrist, *fingers]] = MOUTH + 50 * np.array(place)
    seen[0, LEFT_WRIST] = visible
    return BodyReading(points, seen, np.ones(1))


@pytest.fixture(scope="module")
def reader() -> HandReader:
    return HandReader(HandSettings())


@pytest.mark.parametrize("heads", [np.zeros((0, 4)), UNKNOWN, np.array([[5.0, 5.0, 13.0, 15.0]])])
def test_no_head_an_unknown_head_and_a_tiny_head_have_no_hands(reader: HandReader, heads: np.ndarray) -> None:
    cues = reader.read(PICTURE, heads, np.arange(len(heads)))
    assert cues.shape == (len(heads), 3)
    assert np.isnan(cues).all()


def test_where_nobody_is_nothing_is_told(reader: HandReader) -> None:
    assert np.isnan(reader.read(PICTURE, HEAD, np.array([1]))).all()


def test_hands_can_be_switched_off() -> None:
    off = HandReader(HandSettings(per_frame=0))
    assert off._model is None
    assert np.isnan(off.read(PICTURE, HEAD, np.array([1]))).all()


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((0.0, 0.1), (1, 0, 0)),  # over the mouth
        ((0.1, -1.5), (0, 1, 0)),  # straight up
        ((1.2, -0.2), (0, 1, 0)),  # beside the head
        ((0.2, 1.5), (0, 0, 1)),  # before the chest
        ((2.5, 2.5), (0, 0, 0)),  # on the neighbour's desk
    ],
    ids=["mouth", "up", "beside", "chest", "away"],
)
def test_a_hand_at_its_place(place: tuple[float, float], expected: tuple[float, ...]) -> None:
    np.testing.assert_allclose(hand_cues(body(place), HEAD)[0], expected, atol=0.01)
    np.testing.assert_allclose(hand_cues(body(place, visible=0.0), HEAD)[0], 0)


place = st.tuples(st.floats(-3, 3), st.floats(-3, 4))


@given(place, place, st.floats(0, 1))
def test_hands_are_alike_on_both_sides_and_at_every_size(
    left: tuple[float, float], right: tuple[float, float], visible: float
) -> None:
    reading = body(left, right, visible)
    cues = hand_cues(reading, HEAD)
    assert ((cues >= 0) & (cues <= 1)).all()
    flipped = BodyReading(reading.points * [-1, 1] + [400, 0], reading.visible, reading.present)
    np.testing.assert_allclose(
        hand_cues(flipped, HEAD[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [400, 0, 400, 0]), cues, atol=1e-9
    )
    larger = BodyReading(reading.points * 3 + 7, reading.visible, reading.present)
    np.testing.assert_allclose(hand_cues(larger, HEAD * 3 + 7), cues, atol=1e-9)


def test_a_body_with_its_nose_on_another_head_is_not_believed() -> None:
    assert belongs(body((0, 1)), HEAD).all()
    assert not belongs(body((0, 1)), HEAD + np.array([60, 0, 60, 0])).any()


def test_a_body_far_too_narrow_for_its_head_is_not_believed() -> None:
    narrow = body((0, 1))
    narrow.points[0, LEFT_SHOULDER] = narrow.points[0, RIGHT_SHOULDER] + [20, 0]
    assert not belongs(narrow, HEAD).any()


def test_everybody_gets_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = HandReader(HandSettings(per_frame=2))
    asked: list[int] = []
    heads = np.concatenate([HEAD + 10 * one for one in range(5)])

    def read(model: object, image: np.ndarray, chosen: np.ndarray) -> BodyReading:
        asked.extend(round((x - 80) / 10) for x in chosen[:, 0])
        return BodyReading(np.zeros((len(chosen), POINTS, 2)), np.zeros((len(chosen), POINTS)), np.zeros(len(chosen)))

    monkeypatch.setattr("pipeline.hands.read_bodies", read)
    for _ in range(5):
        reader.read(PICTURE, heads, np.arange(5))
    assert asked == [0, 1, 2, 3, 4] * 2
    for track in range(2 * MOST_TRACKS):
        reader.read(PICTURE, HEAD, np.array([track + 10]))
    assert len(reader._last) == MOST_TRACKS


def test_the_region_holds_the_head_and_the_lap() -> None:
    x, y, side = body_region(HEAD[0])
    assert x < HEAD[0, 0] < HEAD[0, 2] < x + side
    assert y < HEAD[0, 1]
    assert HEAD[0, 3] + 3 * 50 < y + side
