"""Face detectors one by one: pictures with nothing in them first, then the tiling, then a rendered face."""

from __future__ import annotations

from itertools import islice, pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from truth import _frames

import engage
from models.blazeface import BlazeFace
from models.registry import WeightsFile, file_sha256
from pipeline.face_detectors import (
    CENTERFACE_SIDES_PX,
    YUNET_FILE,
    CenterFace,
    Tiled,
    WholePicture,
    YuNet,
    tiles,
    yunet_weights,
)
from pipeline.video import VideoReader


@pytest.fixture(scope="module", params=["mediapipe", "tiles", "centerface", "yunet"])
def detector(request):
    if request.param == "centerface":
        yield CenterFace(0.5)
    elif request.param == "yunet":
        if (weights := yunet_weights()) is None:
            pytest.skip(f"{YUNET_FILE} does not ship, and is neither in the working folder nor in the cache")
        yield YuNet(weights, 0.9)
    else:
        mediapipe = BlazeFace(0.5, exact=True)
        yield WholePicture(mediapipe) if request.param == "mediapipe" else Tiled(mediapipe, 256)


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, np.ndarray]:
    """A square around one head of the demo, enlarged, and the head's box in it."""
    with VideoReader(engage.DEMO) as reader:
        image = next(islice(reader.frames(), 1)).image
    head = np.array(next(one["head_bbox"] for one in _frames()[0]["persons"] if one["id"] == 3), float)
    x, y, side = *((head[:2] + head[2:]) / 2), 2.5 * float((head[3:] - head[1:2])[0])
    left, top = int(x - side / 2), int(y - side / 2)
    part, zoom = image[top : top + int(side), left : left + int(side)], 240 / int(side)
    return cv2.resize(part, (240, 240), interpolation=cv2.INTER_CUBIC), (head - [left, top, left, top]) * zoom


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3), (160, 160), (700, 1300)])
@pytest.mark.parametrize("level", [0, 127, 255])
def test_in_one_colour_there_is_no_face(detector, size, level):
    found = detector.find(np.full((*size, 3), level, np.uint8))
    assert found.shape == (0, 5)


def test_a_face_is_found_where_it_is(detector, face):
    image, head = face
    found = detector.find(image)
    best = found[found[:, 4].argmax()]
    middle = (best[:2] + best[2:4]) / 2
    assert (head[:2] < middle).all()
    assert (middle < head[2:]).all()
    assert 0.2 < (best[3] - best[1]) / (head[3] - head[1]) < 1.3
    assert 0 < best[4] <= 1


def test_looking_does_not_alter_the_picture(detector, face):
    before = face[0].copy()
    detector.find(face[0])
    assert (face[0] == before).all()


def test_the_size_before_does_not_matter(face):
    """OpenCV's own runner of this network gives nonsense once the size of the picture has changed."""
    detector = CenterFace(0.5)
    first = detector.find(face[0])
    for width, height in ((900, 500), (100, 600)):
        detector.find(cv2.resize(face[0], (width, height)))
    assert detector.find(face[0]).tolist() == first.tolist()


def test_a_picture_larger_than_the_largest_is_scaled_and_its_boxes_back(face):
    large = cv2.resize(face[0], None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    assert max(large.shape) > CENTERFACE_SIDES_PX[-1]
    found, before = CenterFace(0.5).find(large), CenterFace(0.5).find(face[0])
    assert found[0, :4] / 6 == pytest.approx(before[0, :4], abs=12)


def test_yunet_is_found_in_the_cache_and_nowhere_else(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENGAGE_CACHE", str(tmp_path / "cache"))
    assert yunet_weights() is None
    (tmp_path / "cache").mkdir()
    path = tmp_path / "cache" / YUNET_FILE
    path.write_bytes(b"weights")
    assert yunet_weights() == WeightsFile(path, file_sha256(path), "cache")


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(64, 600))
def test_tiles_leave_nothing_out_and_overlap_by_half(width, height, side):
    placed = tiles(width, height, side)
    for each in {square[2] for square in placed}:
        for length, starts in (
            (width, {x for x, _, s in placed if s == each}),
            (height, {y for _, y, s in placed if s == each}),
        ):
            ordered = sorted(starts)
            assert ordered[0] <= 0
            assert ordered[-1] + each >= length
            assert all(after - before <= each / 2 + 1 for before, after in pairwise(ordered))
