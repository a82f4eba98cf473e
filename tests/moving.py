"""The demo clip as a camera sees it that is shaken, turned or cut, and a detector that knows where everybody is."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from truth import DEMO, people, upper_bodies

from models.registry import WeightsFile
from pipeline.camera_path import EYE
from pipeline.detect import Detections
from pipeline.picture_motion import moved_boxes
from pipeline.video import VideoReader

WIDTH, HEIGHT, RATE = 1280, 720, 5
MIRRORED = np.array([[-1.0, 0, WIDTH], [0, 1, 0], [0, 0, 1]])
"""A view that shows the same people and that no motion of the camera explains."""


@cache
def demo() -> tuple[np.ndarray, ...]:
    """The first 20 s of the demo clip at ``RATE`` pictures per second."""
    with VideoReader(DEMO / "classroom.mp4") as reader:
        return tuple(frame.image.copy() for frame in reader.frames(RATE) if frame.t < 20)


def shift(x: float = 0.0, y: float = 0.0, zoom: float = 1.0) -> np.ndarray:
    """(3, 3) from the demo's px to the moved picture's."""
    return np.array([[zoom, 0, x + (1 - zoom) * WIDTH / 2], [0, zoom, y + (1 - zoom) * HEIGHT / 2], [0, 0, 1.0]])


def film(path: Path, motions: Sequence[np.ndarray]) -> Path:
    """A recording of as many demo pictures, each moved by its (3, 3) matrix."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for n, (image, motion) in enumerate(zip(demo(), motions, strict=False)):
            seen = image if np.array_equal(motion, EYE) else cv2.warpAffine(image, motion[:2], (WIDTH, HEIGHT))
            frame = av.VideoFrame.from_ndarray(seen, format="bgr24").reformat(format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def sitting(n: int, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids and boxes (px) of those seen in the n-th moved picture: at least half of the box and the head lie in it."""
    ids, boxes = upper_bodies(2 * n)
    if motion[0, 0] < 0:
        there = boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [WIDTH, 0, WIDTH, 0]
    else:
        there = moved_boxes(motion, boxes)
    cut = np.clip(there, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    half = (cut[:, 2] - cut[:, 0]) > 0.7 * (there[:, 2] - there[:, 0])
    inside = half & (cut[:, 3] - cut[:, 1] > 0.7 * (there[:, 3] - there[:, 1]))
    return ids[inside], cut[inside]


class KnowsAll:
    """A detector that finds everybody; notes who, by id, may be read in each picture."""

    behaviour_names: tuple[str, ...] = ()
    weights = WeightsFile(Path("truth.pt"), "0" * 64, "path")
    behaviour_weights = None

    def __init__(self, motions: Sequence[np.ndarray]) -> None:
        self._motions = motions
        self._next = 0
        self.ids: list[np.ndarray] = []
        self.boxes: list[np.ndarray] = []
        self.read: dict[int, set[int]] = {}
        self._number: dict[int, int] = {}
        self._found: list[Detections] = []

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        found = []
        for _ in images:
            ids, boxes = sitting(self._next, self._motions[self._next])
            self._next += 1
            self.ids.append(ids)
            self.boxes.append(boxes)
            found.append(people(boxes))
            self._number[id(found[-1])] = len(self.ids) - 1
        self._found += found  # so that no other one gets its id
        return found

    def read_behaviours(self, image_bgr: np.ndarray, found: Detections, allowed: np.ndarray) -> Detections:
        number = self._number[id(found)]  # several pictures are read at once, in any order
        self.read[number] = set(self.ids[number][allowed].tolist())
        return found
