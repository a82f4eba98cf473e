"""Faces anywhere in a picture, whether or not pass 1 found a person there: they check what it covered.

Hundreds of tiles a second also show hands, folds and pillars that a detector takes for a face once. So what one has
found is shown to another, close up: only what that denies too is called doubtful. It is kept and counted apart.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.blazeface import BlazeFace
from pipeline.face_detectors import CenterFace, FindsFaces, Tiled, WholePicture, YuNet, yunet_weights
from pipeline.heads import square_view

MEDIAPIPE_NAME, CENTERFACE_NAME, YUNET_NAME = "mediapipe", "centerface", "yunet"

SMALLEST_WINDOW_PX = 158
"""A window around a small area is at least this wide: a detector needs to see some surroundings. With its edges on
whole px it is not larger than CenterFace's smallest picture."""
MOST_AT_ONCE = 8
CLOSE_UPS = ((2.0, 160), (3.0, 160), (2.0, 320), (3.0, 320))
"""Sides of the close views in face sizes, and in px: one that misses a bowed face at one size may see it at another."""
SAME_FACE = 0.3
"""Intersection over union of two boxes from which they are one face."""


class FindSettings(BaseModel):
    """How faces are looked for in the finished video."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mediapipe_confidence: float = Field(0.5, gt=0, lt=1, description="of MediaPipe's face detector; its own default")
    centerface_score: float = Field(0.5, gt=0, lt=1, description="of CenterFace; its own default")
    yunet_score: float = Field(0.9, gt=0, lt=1, description="of YuNet, where its file is; OpenCV's own default")
    centerface_confirms: float = Field(
        0.2, gt=0, lt=1, description="of CenterFace, close up, from which it confirms a face that another found"
    )
    yunet_confirms: float = Field(
        0.6, gt=0, lt=1, description="of YuNet, close up, from which it confirms a face that another found"
    )
    tile_px: int = Field(256, ge=64, le=2048, description="side in px of MediaPipe's tiles, half of it between them")


@dataclass(frozen=True)
class Found:
    """n faces of one picture.

    Attributes:
        boxes_xyxy: (n, 4) px.
        scores: (n,) 0 to 1, each on its detector's own scale.
        detectors: (n,) names of those that found it.
        sure: (n,) False where one alone found it and the others deny it close up.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    detectors: tuple[tuple[str, ...], ...]
    sure: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    @property
    def centres(self) -> np.ndarray:
        """(n, 2) px."""
        return (self.boxes_xyxy[:, :2] + self.boxes_xyxy[:, 2:]) / 2

    def only(self, chosen: np.ndarray) -> Found:
        """Those of the mask (n,)."""
        kept = tuple(names for names, keep in zip(self.detectors, chosen, strict=True) if keep)
        return Found(self.boxes_xyxy[chosen], self.scores[chosen], kept, self.sure[chosen])


class FaceFinder:
    """Finds faces with all detectors; several threads may ask at once.

    YuNet looks too where its weights file is, and ``detectors`` says so.
    """

    def __init__(self, settings: FindSettings) -> None:
        self.at_once = min(os.cpu_count() or 1, MOST_AT_ONCE)
        """Pictures that are worth to be looked at at once."""
        blazeface = BlazeFace(settings.mediapipe_confidence, self.at_once, exact=True)
        centerface = CenterFace(settings.centerface_score)
        self._wide: dict[str, FindsFaces] = {
            MEDIAPIPE_NAME: Tiled(blazeface, settings.tile_px),
            CENTERFACE_NAME: centerface,
        }
        self._close: dict[str, FindsFaces] = {
            CENTERFACE_NAME: CenterFace(settings.centerface_confirms),
            MEDIAPIPE_NAME: WholePicture(blazeface),
        }
        self.detectors = {MEDIAPIPE_NAME: "short range, tiled", CENTERFACE_NAME: centerface.sha256}
        """Name of each detector that looks, with what tells its version: its kind or the sha256 of its file."""
        if weights := yunet_weights():
            self._wide[YUNET_NAME] = YuNet(weights, settings.yunet_score)
            self._close[YUNET_NAME] = YuNet(weights, settings.yunet_confirms)
            self.detectors[YUNET_NAME] = weights.sha256

    def find(self, image_bgr: np.ndarray) -> Found:
        """All faces of a picture (h, w, 3) uint8."""
        return self._confirmed(image_bgr, _merged(self._with_all(image_bgr)))

    def find_in(self, image_bgr: np.ndarray, areas_xyxy: np.ndarray) -> Found:
        """The faces whose centre lies in one of the areas (n, 4) px; only they and their surroundings are searched."""
        height, width = image_bgr.shape[:2]
        rows: dict[str, list[np.ndarray]] = {name: [np.zeros((0, 5))] for name in self._wide}
        for x1, y1, x2, y2 in windows(areas_xyxy, width, height):
            for name, seen in self._with_all(image_bgr[y1:y2, x1:x2]).items():
                rows[name].append(seen + np.array([x1, y1, x1, y1, 0]))
        found = _merged({name: np.concatenate(parts) for name, parts in rows.items()})
        return self._confirmed(image_bgr, found.only(centres_in(found.centres, areas_xyxy)))

    def _with_all(self, image_bgr: np.ndarray) -> dict[str, np.ndarray]:
        """(n, 5) box (px) and score, by detector."""
        return {name: one.find(image_bgr) for name, one in self._wide.items()}

    def _confirmed(self, image_bgr: np.ndarray, found: Found) -> Found:
        """``found`` with what is not sure marked. YuNet at its own threshold needs no second opinion."""
        sure = [
            len(names) > 1
            or YUNET_NAME in names
            or any(_sees_close(one, image_bgr, box) for name, one in self._close.items() if name not in names)
            for names, box in zip(found.detectors, found.boxes_xyxy, strict=True)
        ]
        return replace(found, sure=np.array(sure, bool))


def _sees_close(detector: FindsFaces, image_bgr: np.ndarray, box_xyxy: np.ndarray) -> bool:
    """Whether the detector finds this face when shown little else."""
    x, y = (box_xyxy[:2] + box_xyxy[2:]) / 2
    for sizes, view_px in CLOSE_UPS:
        side = max(sizes * float((box_xyxy[2:] - box_xyxy[:2]).max()), 4.0)
        left, top = x - side / 2, y - side / 2
        view = cv2.cvtColor(square_view(image_bgr, left, top, side, view_px), cv2.COLOR_RGB2BGR)
        there = detector.find(view)[:, :4] * (side / view_px) + [left, top, left, top]
        if any(_overlap(one, box_xyxy) > SAME_FACE for one in there):
            return True
    return False


def windows(areas_xyxy: np.ndarray, width: int, height: int) -> list[tuple[int, int, int, int]]:
    """The part of the picture to search for each area: with half of its size around it; areas outside have none."""
    corners = []
    for x1, y1, x2, y2 in np.asarray(areas_xyxy, float).reshape(-1, 4):
        # a side that is not known reaches the picture's edge, as it does in the cover
        x1, y1 = np.nan_to_num([x1, y1], nan=0.0)
        x2, y2 = (edge if np.isnan(value) else value for value, edge in ((x2, width), (y2, height)))
        x1, y1, x2, y2 = np.clip([x1, y1, x2, y2], 0, [width, height, width, height])
        if x2 <= x1 or y2 <= y1:
            continue
        across = max((x2 - x1) / 2, (SMALLEST_WINDOW_PX - (x2 - x1)) / 2)
        down = max((y2 - y1) / 2, (SMALLEST_WINDOW_PX - (y2 - y1)) / 2)
        left, top = max(0, int(x1 - across)), max(0, int(y1 - down))
        right, bottom = min(width, int(np.ceil(x2 + across))), min(height, int(np.ceil(y2 + down)))
        corners.append((left, top, right, bottom))
    return _joined(corners)


def _joined(corners: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Windows put together where one around both is no larger than the two: a cover mostly lies over its seat."""
    joined: list[tuple[int, int, int, int]] = []
    for one in corners:
        for other in joined:
            both = min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
            if _area(both) <= _area(one) + _area(other):
                joined.remove(other)
                one = both
                break
        joined.append(one)
    return joined


def _area(corners: tuple[int, int, int, int]) -> int:
    return (corners[2] - corners[0]) * (corners[3] - corners[1])


def centres_in(centres: np.ndarray, areas_xyxy: np.ndarray) -> np.ndarray:
    """Which points (n, 2) lie in any of the areas (m, 4): mask (n,). An unknown side (NaN) ends nowhere."""
    areas = np.asarray(areas_xyxy, float).reshape(-1, 1, 4)
    low = np.where(np.isnan(areas[..., :2]), -np.inf, areas[..., :2])
    high = np.where(np.isnan(areas[..., 2:]), np.inf, areas[..., 2:])
    return ((low <= centres) & (centres <= high)).all(axis=2).any(axis=0)


def _merged(by_detector: dict[str, np.ndarray]) -> Found:
    """One entry per face: the best box of each, with the names of all detectors that found it."""
    rows = np.concatenate(list(by_detector.values()))
    names = np.array([name for name, found in by_detector.items() for _ in found])
    order = np.argsort(-rows[:, 4], kind="stable")
    rows, names = rows[order], names[order]
    kept: list[int] = []
    finders: list[set[str]] = []
    for row in range(len(rows)):
        same = next((place for place, one in enumerate(kept) if _is_same(rows[one], rows[row])), None)
        if same is None:
            kept.append(row)
            finders.append({str(names[row])})
        else:
            finders[same].add(str(names[row]))
    names_of = tuple(tuple(sorted(each)) for each in finders)
    return Found(rows[kept, :4], rows[kept, 4], names_of, np.ones(len(kept), bool))


def _is_same(surer: np.ndarray, other: np.ndarray) -> bool:
    """Whether two boxes are one face: they overlap well, or the other is a part of it that a tile's edge cut off."""
    middle = (other[:2] + other[2:4]) / 2
    return _overlap(surer, other) > SAME_FACE or bool(((surer[:2] <= middle) & (middle <= surer[2:4])).all())


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:4], other[2:4])
    shared = np.prod(np.clip(high - low, 0, None))
    areas = np.prod(one[2:4] - one[:2]) + np.prod(other[2:4] - other[:2])
    return float(shared / max(areas - shared, 1e-9))
