"""Faces looked for again: empty pictures and areas first, then the tiling, then the demo's rendered faces."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from truth import _frames

import engage
from pipeline.find_faces import (
    CENTERFACE_NAME,
    MEDIAPIPE_NAME,
    SMALLEST_WINDOW_PX,
    FaceFinder,
    FindSettings,
    centres_in,
    windows,
)
from pipeline.video import VideoReader

NOWHERE = np.zeros((0, 4))


@pytest.fixture(scope="module")
def finder():
    return FaceFinder(FindSettings())


@pytest.fixture(scope="module")
def classroom() -> np.ndarray:
    """The demo's first frame: twelve people, eleven or more faces towards the camera."""
    with VideoReader(engage.DEMO) as reader:
        return next(islice(reader.frames(), 1)).image


def heads(frame: int = 0) -> np.ndarray:
    return np.array([one["head_bbox"] for one in _frames()[frame]["persons"] if one["visible"]], float)


# nothing to see


@pytest.mark.parametrize("size", [(1, 1), (2, 400), (400, 2), (64, 64), (720, 1280)])
@pytest.mark.parametrize("level", [0, 127, 255])
def test_in_an_empty_picture_there_is_no_face(finder, size, level):
    assert len(finder.find(np.full((*size, 3), level, np.uint8))) == 0


@pytest.mark.parametrize(
    "areas",
    [NOWHERE, [[10, 10, 10, 40]], [[40, 40, 10, 10]], [[-50, -50, -1, -1]], [[5000, 0, 6000, 90]]],
    ids=["none", "no width", "inside out", "above left", "right of it"],
)
def test_where_nothing_had_to_be_covered_nothing_is_searched(finder, classroom, areas):
    assert len(finder.find_in(classroom, np.array(areas, float))) == 0
    assert windows(np.array(areas, float), 1280, 720) == []


def test_a_side_that_is_not_known_reaches_the_edge_of_the_picture(finder, classroom):
    everywhere = np.full((1, 4), np.nan)
    assert windows(everywhere, 1280, 720) == [(0, 0, 1280, 720)]
    assert len(finder.find_in(classroom, everywhere)) == len(finder.find(classroom))


# laws


@given(st.tuples(*[st.floats(-500, 2000)] * 4))
def test_a_window_holds_its_area_with_surroundings_and_stays_in_the_picture(area):
    for x1, y1, x2, y2 in windows(np.array([area]), 1280, 720):
        left, top, right, bottom = np.clip(area, 0, [1280, 720, 1280, 720])
        assert 0 <= x1 <= left
        assert right <= x2 <= 1280
        assert 0 <= y1 <= top
        assert bottom <= y2 <= 720
        assert x2 - x1 >= SMALLEST_WINDOW_PX / 2  # an area at the edge has surroundings on one side only


def test_windows_are_joined_where_that_saves_work_and_only_there():
    area = [400.0, 300, 600, 500]
    moved, far = [410.0, 310, 610, 510], [1000.0, 300, 1200, 500]
    assert windows(np.array([area, moved]), 1280, 720) == [(300, 200, 710, 610)]
    assert len(windows(np.array([area, far, moved]), 1280, 720)) == 2


@pytest.mark.parametrize(
    ("area", "inside"),
    [
        ([0, 0, 10, 10], True),
        ([5, 5, 5, 5], True),
        ([6, 0, 10, 10], False),
        ([np.nan, 0, 10, 10], True),
        ([0, 0, np.nan, np.nan], True),
        ([np.nan, 6, np.nan, np.nan], False),
    ],
)
def test_a_face_belongs_where_its_centre_lies(area, inside):
    assert centres_in(np.array([[5.0, 5.0]]), np.array([area], float)).tolist() == [inside]
    assert centres_in(np.zeros((0, 2)), np.array([area], float)).tolist() == []
    assert centres_in(np.array([[5.0, 5.0]]), NOWHERE).tolist() == [False]


# the rendered class


def test_at_least_two_detectors_look(finder):
    assert set(finder.detectors) >= {MEDIAPIPE_NAME, CENTERFACE_NAME}
    assert len(finder.detectors[CENTERFACE_NAME]) == 64


def test_nearly_every_face_is_found_once_and_nothing_else(finder, classroom):
    found = finder.find(classroom)
    found = found.only(found.sure)
    inside = [centres_in(found.centres, head[None]) for head in heads()]
    assert sum(each.any() for each in inside) >= 11
    assert max(each.sum() for each in inside) == 1
    assert np.any(inside, axis=0).all()
    assert any({MEDIAPIPE_NAME, CENTERFACE_NAME} <= set(names) for names in found.detectors)


def test_each_face_is_found_at_its_place_alone(finder, classroom):
    found = [len(finder.find_in(classroom, head[None])) for head in heads()]
    assert sum(count == 1 for count in found) >= 11
    assert max(found) == 1


def test_a_face_that_fills_the_picture_is_found(finder, classroom):
    x1, y1, x2, y2 = heads()[0].astype(int)
    large = cv2.resize(classroom[y1 - 15 : y2 + 15, x1 - 20 : x2 + 20], None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    assert len(finder.find(large)) == 1


def test_what_only_one_detector_believes_in_is_doubtful(finder, classroom, monkeypatch):
    width = classroom.shape[1]
    nowhere = np.array([[width * 0.45, 4, width * 0.45 + 40, 44, 0.9]])  # the wall above the board
    monkeypatch.setitem(finder._wide, CENTERFACE_NAME, Believer(nowhere))
    found = finder.find(classroom)
    alone = [names == (CENTERFACE_NAME,) for names in found.detectors]
    assert sum(alone) == 1
    assert not found.sure[alone].any()
    assert found.sure.sum() >= 11


class Believer:
    def __init__(self, faces: np.ndarray) -> None:
        self._faces = faces

    def find(self, image_bgr: np.ndarray) -> np.ndarray:
        return self._faces


def test_threads_that_ask_at_once_are_told_the_same(finder, classroom):
    areas = heads()[:4]
    whole, part = finder.find(classroom), finder.find_in(classroom, areas)
    assert len(whole) > len(part) >= 3
    with ThreadPoolExecutor(3) as threads:
        again = [threads.submit(finder.find, classroom) for _ in range(3)]
        parts = [threads.submit(finder.find_in, classroom, areas) for _ in range(6)]
        for expected, found in [(whole, one.result()) for one in again] + [(part, one.result()) for one in parts]:
            np.testing.assert_array_equal(found.boxes_xyxy, expected.boxes_xyxy)
            assert found.detectors == expected.detectors
            assert found.sure.tolist() == expected.sure.tolist()
