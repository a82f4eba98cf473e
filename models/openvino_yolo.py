"""Run the OpenVINO form of a YOLO detector, from the recording's own pictures to boxes.

Ultralytics' predictor prepares pictures in floating point, in one thread, and loads the network twice; that costs
a fifth of the network's own time and a second at the start. Here colours, scale and layout belong to the compiled
network. Neither Ultralytics nor PyTorch is loaded for it, which alone takes longer than to find the students of a
minute; what is found is what Ultralytics finds (a test).

Pictures are looked at one by one, each by a core of its own where there are enough of them: no core waits for another
then, and a picture's answer cannot hang on those beside it. The network is made ready for the size of a recording's
pictures when the first of them is there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.errors import ModelFileError
from models.exported import OpenVinoNetwork, check_readable, form_metadata

GREY = (114, 114, 114)
"""What is around the picture (Ultralytics)."""

APART_PX = 7680
"""More than a picture's side."""

MOST_AT_ONCE = 4
"""Pictures that are looked at at once; what more cores there are is shared among them."""


class OpenVinoYolo:
    """A YOLO detection network on the CPU; ``predict`` takes the words of Ultralytics' ``predict``."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Args:
            folder: of the form, see ``models.exported.find_form``.

        Raises:
            ModelFileError: the folder holds no OpenVINO model of a detector.
        """
        self._folder = folder
        check_readable(folder)
        self._cores = os.cpu_count() or 1
        self._at_once = min(self._cores, MOST_AT_ONCE)
        self._threads = ThreadPoolExecutor(self._at_once, thread_name_prefix="detector")
        self._ready: tuple[_Letterbox, OpenVinoNetwork] | None = None
        metadata = form_metadata(folder)
        if not isinstance(metadata.get("names"), dict) or "stride" not in metadata:
            raise ModelFileError(f"{folder.name}: is not an OpenVINO model of a detector; install the software again")
        self.names: dict[int, str] = {int(number): str(name) for number, name in metadata["names"].items()}
        self._stride = int(metadata["stride"])
        self._final = bool(metadata.get("end2end", False))

    def predict(
        self,
        images: Sequence[np.ndarray],
        *,
        imgsz: int,
        conf: float,
        iou: float,
        classes: Sequence[int],
        agnostic_nms: bool,
        max_det: int,
    ) -> list[np.ndarray]:
        """What is found in pictures of one size.

        Args:
            images: (h, w, 3) uint8 BGR each.
            imgsz: longer side of the network's input, px.
            conf: lowest score.
            iou: overlap above which the weaker of two boxes is dropped.
            classes: numbers of those that are wanted.
            agnostic_nms: whether boxes of different classes drop each other.
            max_det: most boxes of each picture.

        Returns:
            for each picture (n, 6) float32: ``x1 y1 x2 y2`` px, score, class number.
        """
        height, width = images[0].shape[:2]
        frame = _Letterbox.around(width, height, imgsz, self._stride)
        network = self._network_for(frame)
        answers = self._threads.map(lambda image: network(frame.filled(image)[None])[0], images)
        found = []
        for answer in answers:
            rows = self._candidates(answer, conf)
            rows = rows[np.isin(rows[:, 5], classes)]
            if not self._final:
                rows = rows[_suppressed(rows, iou, agnostic=agnostic_nms)]
            rows = rows[:max_det]
            rows[:, :4] = frame.back(rows[:, :4])
            found.append(rows)
        return found

    def _network_for(self, frame: _Letterbox) -> OpenVinoNetwork:
        if self._ready is None or self._ready[0] != frame:
            self._ready = None  # two of them need not be in memory at once
            how: dict[str, Any] = {"pictures": "BGR", "callers": self._at_once, "cores": self._cores}
            self._ready = frame, OpenVinoNetwork(self._folder, shape=(1, *frame.shape, 3), **how)
        return self._ready[1]

    def _candidates(self, answer: np.ndarray, conf: float) -> np.ndarray:
        """(n, 6) ``x1 y1 x2 y2`` px of the network's input, score, class, of what is surer than ``conf``."""
        if self._final:  # it drops double boxes itself, and gives rows like these
            return answer[answer[:, 4] > conf]
        likely = answer[:, answer[4 : 4 + len(self.names)].max(axis=0) > conf].T
        middle, half, scores = likely[:, :2], likely[:, 2:4] / 2, likely[:, 4 : 4 + len(self.names)]
        rows = np.column_stack([middle - half, middle + half, scores.max(axis=1), scores.argmax(axis=1)])
        return rows.astype(np.float32)


@dataclass(frozen=True)
class _Letterbox:
    """How a picture lies in the network's input: scaled alike both ways, grey around it (Ultralytics' LetterBox)."""

    size: tuple[int, int]
    """Width and height of the recording's pictures, px."""
    scaled: tuple[int, int]
    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, width: int, height: int, imgsz: int, stride: int) -> _Letterbox:
        """For pictures of ``width`` × ``height`` px: ``imgsz`` px long, sides multiples of ``stride``."""
        share = imgsz / max(width, height)
        wide, high = max(round(width * share), 1), max(round(height * share), 1)
        across, down = (imgsz - wide) % stride / 2, (imgsz - high) % stride / 2
        edges = round(across - 0.1), round(down - 0.1), round(across + 0.1), round(down + 0.1)
        return cls((width, height), (wide, high), *edges)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the network's input, px."""
        return self.scaled[1] + self.top + self.bottom, self.scaled[0] + self.left + self.right

    def filled(self, image: np.ndarray) -> np.ndarray:
        """The network's input."""
        if self.scaled != self.size:
            image = cv2.resize(image, self.scaled, interpolation=cv2.INTER_LINEAR)
        edges = self.top, self.bottom, self.left, self.right
        return cv2.copyMakeBorder(image, *edges, cv2.BORDER_CONSTANT, value=GREY)

    def back(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Boxes (n, 4) of the input in px of the picture, and within it."""
        share = np.divide(self.scaled, self.size, dtype=np.float32)
        boxes = (boxes_xyxy - np.tile([self.left, self.top], 2)) / np.tile(share, 2)
        return boxes.clip(0, np.tile(self.size, 2))


def _suppressed(rows: np.ndarray, iou: float, *, agnostic: bool) -> np.ndarray:
    """Which of (n, 6) boxes are left when each drops the weaker ones that it overlaps by more than ``iou``."""
    boxes = rows[:, :4].astype(float)
    if not agnostic:  # of other classes are so far away that they do not overlap
        boxes += APART_PX * rows[:, 5:]
    sides = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    return np.array(cv2.dnn.NMSBoxes(sides.tolist(), rows[:, 4].tolist(), 0.0, iou), int).reshape(-1)
