"""Phones and books at the hands or the head, where a detector of such things is named.

Off by default: the shipped detector knows students only, and COCO's official weights are another download. Without one
the pose of hands and head has to do (``phone`` in docs/cues.md), and the cue ``object`` stays NaN.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.errors import ModelFileError
from models.registry import find_weights
from models.yolo import load_yolo

WANTED = ("cell phone", "book")
"""Classes of COCO (Lin et al. 2014)."""

REACH = (-1.5, 1.5, 0.0, 4.0)
"""Where a student's hands can hold something: left, right of the head's middle and top, bottom below its top, in head
heights."""


class ObjectSettings(BaseModel):
    """Whether phones and books are looked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str | None = Field(
        None, description="detector that knows COCO's cell phone or book, such as yolov8n.pt; none: not looked for"
    )
    every: int = Field(5, ge=1, description="analysed frames from one look to the next: a phone stays in the hand")
    imgsz: int = Field(960, ge=160, le=4096, description="longer side of the network's input, px")
    confidence: float = Field(0.25, gt=0, lt=1, description="lowest score believed")
    min_head_px: float = Field(40, ge=8, description="head height in px below which a phone is too small to be found")


class ObjectReader:
    """Finds phones and books in every k-th frame."""

    def __init__(self, settings: ObjectSettings, device: str = "cpu") -> None:
        """Load the detector, if one is named.

        Raises:
            ModelFileError: the weights are not found, or know neither phones nor books.
        """
        self.settings = settings
        self._device = device
        self._frame = -1
        self._model = None
        if settings.weights is None:
            return
        self._model = load_yolo(find_weights(settings.weights))
        self._classes = [number for number, name in self._model.names.items() if name in WANTED]
        if not self._classes:
            raise ModelFileError(
                f"{settings.weights}: knows neither {WANTED[0]} nor {WANTED[1]}; give COCO weights such as yolov8n.pt"
            )

    def read(self, image_bgr: np.ndarray, heads_xyxy: np.ndarray) -> np.ndarray:
        """(n,) best score of a phone or book within reach of each head, 0 where there is none; NaN where not looked.

        Args:
            image_bgr: (h, w, 3) uint8.
            heads_xyxy: (n, 4) px, NaN where unknown.
        """
        self._frame += 1
        if self._model is None or self._frame % self.settings.every or not len(heads_xyxy):
            return np.full(len(heads_xyxy), np.nan)
        (result,) = self._model.predict(
            image_bgr,
            imgsz=self.settings.imgsz,
            conf=self.settings.confidence,
            classes=self._classes,
            device=self._device,
            verbose=False,
        )
        scores = within_reach(
            heads_xyxy, result.boxes.xyxy.float().cpu().numpy(), result.boxes.conf.float().cpu().numpy()
        )
        large = heads_xyxy[:, 3] - heads_xyxy[:, 1] >= self.settings.min_head_px
        return np.where(large, scores, np.nan)

    def state(self) -> dict[str, np.ndarray]:
        """What is remembered, as arrays; ``restore`` takes it back."""
        return {"frame": np.array(self._frame)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Remember what another reader did when it gave its ``state``."""
        self._frame = int(state["frame"])


def within_reach(heads_xyxy: np.ndarray, things_xyxy: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) best score of the things (m, 4) that are nearest to each head (n, 4) and within its reach, else 0."""
    best = np.zeros(len(heads_xyxy))
    height = heads_xyxy[:, 3] - heads_xyxy[:, 1]
    middle = (heads_xyxy[:, 0] + heads_xyxy[:, 2]) / 2
    left, right, top, bottom = REACH
    for thing, score in zip(things_xyxy, scores, strict=True):
        across = ((thing[0] + thing[2]) / 2 - middle) / height
        below = ((thing[1] + thing[3]) / 2 - heads_xyxy[:, 1]) / height
        near = (across >= left) & (across <= right) & (below >= top) & (below <= bottom)  # False for NaN
        if near.any():
            row = int(np.argmin(np.where(near, np.hypot(across, below - (top + bottom) / 2), np.inf)))
            best[row] = max(best[row], float(score))
    return best
