"""Coordinates in which the room stands still, and back; seats of those who said no from a camera that moved."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.policy import CoverPolicy, Zone
from pipeline.audit import must_be_covered
from pipeline.camera import View
from pipeline.camera_path import CameraPath
from pipeline.picture_motion import EYE, inverse, moved
from pipeline.session import BOX, HEAD_BOX
from pipeline.zones import boxes_around_seats, heads_in_seats, points_in_seats

WIDTH, HEIGHT = 1280, 720
SEAT = CoverPolicy(False, (Zone(0.4, 0.4, 0.6, 0.6),), "")


def similarity(x: float, y: float, zoom: float = 1.0, tilt: float = 0.0) -> np.ndarray:
    a, b = zoom * np.cos(np.radians(tilt)), zoom * np.sin(np.radians(tilt))
    return np.array([[a, -b, x], [b, a, y], [0, 0, 1]])


SIMILARITIES = st.builds(
    similarity, st.floats(-900, 900), st.floats(-500, 500), st.floats(0.5, 2.0), st.floats(-20, 20)
)


def path(*views: tuple[int, np.ndarray]) -> CameraPath:
    made = CameraPath(WIDTH, HEIGHT)
    for n, (scene, matrix) in enumerate(views):
        made.add(n * 0.2, View(scene, matrix))
    return made


def rows(count: int) -> pd.DataFrame:
    table = pd.DataFrame({"t": np.arange(count) * 0.2, "track": 1})
    for names, box in ((BOX, (600, 300, 680, 460)), (HEAD_BOX, (620, 305, 660, 350))):
        for name, value in zip(names, box, strict=True):
            table[name] = np.float32(value)
    return table


def test_no_frames_at_all() -> None:
    empty = path()
    assert (empty.summary(0.0).scenes, empty.summary(0.0).moved, len(empty)) == (1, False, 0)
    assert empty.in_room(rows(0)).empty
    assert empty.scene_at(np.zeros(0)).shape == (0,)


def test_a_still_camera_changes_nothing() -> None:
    still = path((0, EYE), (0, EYE))
    assert still.in_room(table := rows(2)) is table
    assert not still.summary(1.0).moved
    assert [one is not None and np.array_equal(one, EYE) for one in still.to_first_around(0.1)] == [True, True]


@given(SIMILARITIES, SIMILARITIES)
def test_back_in_the_picture_boxes_are_as_they_were(one, other) -> None:
    camera = path((0, EYE), (0, one), (1, other))
    back = camera.in_picture(camera.in_room(rows(3)))
    np.testing.assert_allclose(back[[*BOX, *HEAD_BOX]], rows(3)[[*BOX, *HEAD_BOX]], atol=0.05)


@given(SIMILARITIES)
def test_the_inverse_takes_a_motion_back(one) -> None:
    np.testing.assert_allclose(inverse(one) @ one, EYE, atol=1e-9)


def test_a_scene_that_turns_out_to_be_a_part_of_another_is_moved_into_it() -> None:
    camera = path((0, EYE), (2, EYE), (1, EYE))
    camera.join({2: (1, similarity(10, 0)), 1: (0, similarity(0, 5))})
    assert camera.scenes.tolist() == [0, 0, 0]
    room = camera.in_room(rows(3))
    assert room["x1"].tolist() == [600, 610, 600]
    assert room["y1"].tolist() == [300, 305, 305]


@given(SIMILARITIES, st.floats(0.41, 0.59), st.floats(0.41, 0.59))
def test_whoever_sits_in_the_seat_is_found_wherever_the_camera_looks(to_first, x, y) -> None:
    here = moved(inverse(to_first), np.array([[x * WIDTH, y * HEIGHT]]))
    assert points_in_seats(here, to_first, SEAT, WIDTH, HEIGHT).all()
    assert points_in_seats(here, None, SEAT, WIDTH, HEIGHT).all()
    around = boxes_around_seats(SEAT, WIDTH, HEIGHT, to_first)[0]
    assert (around[:2] <= here[0] + 1e-6).all()
    assert (here[0] <= around[2:] + 1e-6).all()
    assert must_be_covered(here, SEAT, np.zeros((0, 4)), WIDTH, HEIGHT, [to_first]).all()


@given(st.floats(-0.029, 0.029), st.floats(-0.029, 0.029), st.floats(0, 1), st.floats(0, 1))
def test_a_bumped_camera_uncovers_nobody(dx, dy, x, y) -> None:
    point = np.array([[x * WIDTH, y * HEIGHT]])
    bumped = points_in_seats(point, similarity(dx * WIDTH, dy * WIDTH), SEAT, WIDTH, HEIGHT)
    assert bumped[0] >= points_in_seats(point, EYE, SEAT, WIDTH, HEIGHT)[0]


def test_nobody_is_in_a_seat_at_the_edge_because_the_camera_turned_away() -> None:
    edge = CoverPolicy(False, (Zone(0.8, 0.0, 1.0, 1.0),), "")
    turned = similarity(700, 0)  # what is in the middle now was far to the right of the first picture
    assert points_in_seats(np.array([[900.0, 300]]), turned, edge, WIDTH, HEIGHT).tolist() == [False]
    assert points_in_seats(np.array([[400.0, 300]]), turned, edge, WIDTH, HEIGHT).tolist() == [True]


@pytest.mark.parametrize("to_first", [EYE, None, similarity(200, 0)])
def test_without_seats_nobody_said_no(to_first) -> None:
    nobody = CoverPolicy(False, (), "")
    assert not heads_in_seats(np.array([[0.0, 0, 10, 20]]), to_first, nobody, WIDTH, HEIGHT).any()
    assert heads_in_seats(np.zeros((0, 4)), to_first, SEAT, WIDTH, HEIGHT).shape == (0,)


def test_a_place_that_is_not_known_counts_as_in_a_seat() -> None:
    assert points_in_seats(np.array([[np.nan, np.nan]]), similarity(300, 0), SEAT, WIDTH, HEIGHT).all()


def test_between_two_frames_both_views_count() -> None:
    camera = path((0, EYE), (1, EYE), (0, similarity(100, 0)))
    assert [one is None for one in camera.to_first_around(0.1)] == [False, True]
    assert [one is None for one in camera.to_first_around(0.2)] == [True]
    assert [one is None for one in camera.to_first_around(9.0)] == [False]
    taken = camera.heads_in_seats(rows(3).assign(x1=0, x2=40), SEAT)
    assert taken.tolist() == [False, True, False]
    assert camera.summary(0.6).lost_s == pytest.approx(0.2)
