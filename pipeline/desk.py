"""Motion on the desk: how much moves below a head from one analysed frame to the next. Hands that write do."""

from __future__ import annotations

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.camera import View

REGION = (-1.2, 1.2, 1.2, 3.4)
"""Left, right of the head's middle and top, bottom below the head's top, in head heights: chest, lap and desk."""
CELLS = (32, 28)
"""The region is compared in this many cells across and down, so that neither its size nor a pixel's noise matters."""
MOST_HIDDEN = 0.3
"""Share of the region behind other heads above which it tells of them instead."""


class DeskSettings(BaseModel):
    """When something on the desk counts as moving."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_head_px: float = Field(24, ge=8, description="head height in px below which motion on the desk is not read")
    change: float = Field(
        10.0, gt=0, description="grey levels (0 to 255) a cell must change by; noise and compression stay below"
    )


STILL = View(0, np.eye(3))
"""Where a camera that never moves looks."""


class DeskMotion:
    """Compares each frame with the one before, laid where the camera looks now; holds one grey picture."""

    def __init__(self, settings: DeskSettings) -> None:
        self.settings = settings
        self._before: np.ndarray | None = None
        self._seen_from = STILL

    def read(self, image_bgr: np.ndarray, heads_xyxy: np.ndarray, view: View = STILL) -> np.ndarray:
        """(n,) share of the desk region's cells that changed, 0 to 1; NaN at first, in another scene, below small or
        unknown heads, where the region is not in the picture or is behind other heads.

        Args:
            image_bgr: (h, w, 3) uint8.
            heads_xyxy: (n, 4) px, NaN where unknown.
            view: where the camera looks in this picture.
        """
        before, from_before = self._before, self._seen_from
        grey = self.remember(image_bgr, view)
        moved = np.full(len(heads_xyxy), np.nan)
        if before is None or before.shape != grey.shape or from_before.scene != view.scene:
            return moved
        shift = np.linalg.inv(view.to_scene) @ from_before.to_scene
        if not np.allclose(shift, np.eye(3)):
            before = cv2.warpPerspective(before, shift, grey.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        regions = desk_regions(heads_xyxy)
        hidden = _hidden(regions, heads_xyxy)
        tall, wide = grey.shape
        for row in np.flatnonzero(heads_xyxy[:, 3] - heads_xyxy[:, 1] >= self.settings.min_head_px):
            x1, y1, x2, y2 = regions[row]
            left, top, right, bottom = (round(v) for v in (max(x1, 0), max(y1, 0), min(x2, wide), min(y2, tall)))
            inside = max(right - left, 0) * max(bottom - top, 0) / max((x2 - x1) * (y2 - y1), 1e-9)
            if inside < 0.5 or hidden[row] > MOST_HIDDEN:
                continue
            now, then = (
                cv2.resize(one[top:bottom, left:right], CELLS, interpolation=cv2.INTER_AREA) for one in (grey, before)
            )
            moved[row] = np.mean(cv2.absdiff(now, then) >= self.settings.change)
        return moved

    def remember(self, image_bgr: np.ndarray, view: View = STILL) -> np.ndarray:
        """Take ``image_bgr`` for the frame before; returns it in grey."""
        self._before, self._seen_from = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY), view
        return self._before


def desk_regions(heads_xyxy: np.ndarray) -> np.ndarray:
    """Regions (n, 4) px below heads (n, 4)."""
    height = heads_xyxy[:, 3] - heads_xyxy[:, 1]
    middle = (heads_xyxy[:, 0] + heads_xyxy[:, 2]) / 2
    left, right, top, bottom = REGION
    top_of_head = heads_xyxy[:, 1]
    return np.stack(
        [middle + left * height, top_of_head + top * height, middle + right * height, top_of_head + bottom * height],
        axis=1,
    )


def _hidden(regions: np.ndarray, heads_xyxy: np.ndarray) -> np.ndarray:
    """(n,) share of each region that other heads take, at most; a head never reaches into its own region."""
    known = np.nan_to_num(heads_xyxy)
    low = np.maximum(regions[:, None, :2], known[None, :, :2])
    high = np.minimum(regions[:, None, 2:], known[None, :, 2:])
    area = np.maximum((regions[:, 2:] - regions[:, :2]).prod(axis=1), 1e-9)
    return np.nan_to_num((high - low).clip(0).prod(axis=2).sum(axis=1) / area)
