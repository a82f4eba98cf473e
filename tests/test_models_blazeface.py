"""Whole faces in square pictures: none first, then what MediaPipe's own detector finds on the demo."""

from __future__ import annotations

import numpy as np
import pytest
from truth import picture, upper_bodies

from models.blazeface import BlazeFace, anchors
from pipeline.face_detectors import TILE_INPUT_PX, tiles
from pipeline.heads import head_region, square_view


@pytest.fixture(scope="module")
def views() -> np.ndarray:
    """(n, 256, 256, 3): tiles of a frame of the demo with several faces in each, and its students' heads alone."""
    image, (_, boxes) = picture(60), upper_bodies(60)
    squares = [*tiles(image.shape[1], image.shape[0], 512), *(head_region(box) for box in boxes)]
    return np.stack([square_view(image, *square, TILE_INPUT_PX) for square in squares])


def test_without_pictures_there_is_no_face():
    assert BlazeFace(0.5).find(np.zeros((0, 90, 90, 3), np.uint8)) == []


@pytest.mark.parametrize("side", [1, 128, 300])
def test_one_colour_shows_none(side):
    found = BlazeFace(0.5).find(np.full((2, side, side, 3), 128, np.uint8))
    assert [one.shape for one in found] == [(0, 17)] * 2


def test_anchors_are_middles_of_cells():
    places = anchors()
    assert places.shape == (896, 2)
    assert places[0].tolist() == places[1].tolist() == [1 / 32, 1 / 32]
    assert places[-1].tolist() == [15 / 16, 15 / 16]
    assert places[2].tolist() == [3 / 32, 1 / 32]  # along a row first


@pytest.mark.slow
def test_the_same_faces_are_found_as_by_mediapipe_at_the_same_places(views):
    import mediapipe

    ours = BlazeFace(0.5, exact=True).find(views)
    counts = []
    with mediapipe.solutions.face_detection.FaceDetection(model_selection=0, min_detection_confidence=0.5) as graph:
        for view, found in zip(views, ours, strict=True):
            theirs = graph.process(view).detections or []
            counts.append(len(theirs))
            assert len(found) == len(theirs)
            theirs = sorted(theirs, key=lambda one: -one.score[0])
            for mine, one in zip(found, theirs, strict=True):
                box = one.location_data.relative_bounding_box
                expected = [box.xmin + box.width / 2, box.ymin + box.height / 2, box.width, box.height, one.score[0]]
                np.testing.assert_allclose(mine[[0, 1, 2, 3, 16]], expected, atol=0.01)
    assert max(counts) >= 2  # in one picture
    assert sum(counts) >= 15
