"""BlazeFace: whole faces in square pictures, many at once.

Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (arXiv 1907.05047).
MediaPipe's short-range network (``models/training/tflite.py`` makes its form) with the same steps after it, without
MediaPipe's graph, which takes one picture at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from models.exported import SUFFIX, OpenVinoNetwork

FINDER_PX = 128
"""Side of what the network sees."""

SAME_FACE = 0.3
"""Intersection over union of boxes that are one face and are averaged (MediaPipe's graph)."""

SCORE = 16
"""Of the 17 numbers of an anchor, the log-odds that there is a face; before it middle, size, and six points."""


@dataclass(frozen=True)
class Shipped:
    """A network's form, and the file in MediaPipe's wheel that it was made of."""

    name: str
    source: Path

    @property
    def folder(self) -> Path:
        """Of the form."""
        return Path(__file__).parent / "weights" / f"{self.name}{SUFFIX}"


FINDER: Final = Shipped("face_finder", Path("modules", "face_detection", "face_detection_short_range.tflite"))


class BlazeFace:
    """The network; thread-safe."""

    def __init__(self, min_confidence: float, callers: int = 1, *, exact: bool = False) -> None:
        """Load it.

        Args:
            min_confidence: least score of a face, 0 to 1.
            callers: threads that ask at once, each served by one core.
            exact: in single precision, also where the CPU has half.

        Raises:
            ModelFileError: the form is not there.
        """
        self._least = np.log(min_confidence / (1 - min_confidence))
        self._network = OpenVinoNetwork(FINDER.folder, pictures="RGB", exact=exact, callers=callers)
        self._anchors = anchors()

    def find(self, views_rgb: np.ndarray) -> list[np.ndarray]:
        """All faces of each picture, the surest first.

        Args:
            views_rgb: (n, s, s, 3) uint8.

        Returns:
            for each picture (k, 17): x, y of the middle, width, height, x, y of six points (the student's right eye and
            left eye, nose, mouth, right ear, left ear), all as shares of the picture, and the score.
        """
        if not len(views_rgb):
            return []
        said = self._network(np.stack([_scaled(view, FINDER_PX) for view in views_rgb]))
        return [np.array(list(self._faces(one))).reshape(-1, SCORE + 1) for one in said]

    def _faces(self, said: np.ndarray) -> Iterator[np.ndarray]:
        """Of anchors (896, 17): the surest, averaged over all that are the same face, then of those left, and so on."""
        sure = np.flatnonzero(said[:, SCORE] >= self._least)
        sure = sure[np.argsort(-said[sure, SCORE], kind="stable")]
        values = said[sure].astype(float)
        values[:, :SCORE] /= FINDER_PX
        values[:, :2] += self._anchors[sure]
        values[:, 4:SCORE] += np.tile(self._anchors[sure], 6)
        values[:, SCORE] = 1 / (1 + np.exp(-values[:, SCORE]))
        while len(values):
            low, high = values[:, :2] - values[:, 2:4] / 2, values[:, :2] + values[:, 2:4] / 2
            shared = np.clip(np.minimum(high, high[0]) - np.maximum(low, low[0]), 0, None).prod(axis=1)
            areas = (high - low).prod(axis=1)
            same = shared / np.maximum(areas + areas[0] - shared, 1e-12) > SAME_FACE
            same[0] = True
            mean = np.average(values[same], axis=0, weights=values[same, SCORE])
            yield np.append(mean[:SCORE], values[0, SCORE])
            values = values[~same]


def anchors() -> np.ndarray:
    """(896, 2) x, y of the middles of the finder's cells: two for each of 16 × 16, then six for each of 8 × 8."""
    places = []
    for cells, each in ((16, 2), (8, 6)):
        middle = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(middle, middle, indexing="ij")
        places.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), each, axis=0))
    return np.concatenate(places)


def _scaled(view: np.ndarray, px: int) -> np.ndarray:
    """As MediaPipe scales: corners, not middles of pixels, lie on each other."""
    share = px / view.shape[0]
    return cv2.warpAffine(view, np.array([[share, 0, 0], [0, share, 0]]), (px, px), flags=cv2.INTER_LINEAR)
