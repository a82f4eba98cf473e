"""Faces anywhere in a picture, whether or not pass 1 found a person there: they check what it covered.

MediaPipe's face detector sees 128 px across, so it looks at overlapping tiles; YuNet (OpenCV) looks at the whole.
Hundreds of tiles a second also show hands and pillars that pass for a face once, so what MediaPipe alone has found is
shown to YuNet again, close up: only what that denies is called doubtful. It is kept and counted apart, not dropped.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.errors import ModelFileError
from models.registry import WeightsFile, find_weights
from pipeline.faces import FaceDetector
from pipeline.heads import square_view

YUNET = "face_detection_yunet_2023mar.onnx"

MEDIAPIPE_NAME, YUNET_NAME = "mediapipe", "yunet"

INPUT_PX = 256
"""Side a tile is scaled to: twice what MediaPipe's network sees, which scales it again."""
LONGEST_PX = 1920
"""Larger pictures are scaled down for YuNet; its smallest face is about 10 px."""
SMALLEST_WINDOW_PX = 160
"""A window around a small area is at least this wide: a detector needs to see some surroundings."""
CLOSE_UPS = (2.0, 3.0)
"""Sides of the close views in face sizes."""
SAME_FACE = 0.3
"""Intersection over union of two boxes from which they are one face."""


class FindSettings(BaseModel):
    """How faces are looked for in the finished video."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mediapipe_confidence: float = Field(0.5, gt=0, lt=1, description="of MediaPipe's face detector; its own default")
    yunet_score: float = Field(0.9, gt=0, lt=1, description="of YuNet; OpenCV's own default")
    confirm_score: float = Field(
        0.3, gt=0, lt=1, description="of YuNet, close up, from which a face that MediaPipe alone found is sure"
    )
    tile_px: int = Field(256, ge=64, le=2048, description="side in px of MediaPipe's tiles, half of it between them")


@dataclass(frozen=True)
class Found:
    """n faces of one picture.

    Attributes:
        boxes_xyxy: (n, 4) px.
        scores: (n,) 0 to 1, each on its detector's own scale.
        detectors: (n,) names of those that found it.
        sure: (n,) False where MediaPipe alone found it and YuNet denies it close up.
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
    """Finds faces with both detectors, at once; a context manager because MediaPipe's graph must be closed.

    Without YuNet's weights file (it ships with this package) MediaPipe looks alone, and ``detectors`` says so.
    """

    def __init__(self, settings: FindSettings) -> None:
        self.settings = settings
        self._weights = yunet_weights()
        self._yunet, self._close = (
            cv2.FaceDetectorYN.create(str(self._weights.path), "", (SMALLEST_WINDOW_PX,) * 2, score)
            if self._weights
            else None
            for score in (settings.yunet_score, settings.confirm_score)
        )
        self._mediapipe = FaceDetector(settings.mediapipe_confidence)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="yunet")

    def __enter__(self) -> FaceFinder:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._mediapipe.close()

    @property
    def detectors(self) -> dict[str, str]:
        """Name of each detector that looks, with what tells its version: for YuNet the sha256 of its file."""
        names = {MEDIAPIPE_NAME: "short range, tiled"}
        return names | ({YUNET_NAME: self._weights.sha256} if self._weights else {})

    def find(self, image_bgr: np.ndarray) -> Found:
        """All faces of a picture (h, w, 3) uint8."""
        beside = self._thread.submit(self._with_yunet, image_bgr)
        tiled = self._with_mediapipe(image_bgr)
        return self._confirmed(image_bgr, _merged({MEDIAPIPE_NAME: tiled, YUNET_NAME: beside.result()}))

    def find_in(self, image_bgr: np.ndarray, areas_xyxy: np.ndarray) -> Found:
        """The faces whose centre lies in one of the areas (n, 4) px; only they and their surroundings are searched."""
        height, width = image_bgr.shape[:2]
        rows: dict[str, list[np.ndarray]] = {MEDIAPIPE_NAME: [], YUNET_NAME: []}
        for x1, y1, x2, y2 in windows(areas_xyxy, width, height):
            part = image_bgr[y1:y2, x1:x2]
            for name, seen in ((MEDIAPIPE_NAME, self._with_mediapipe(part)), (YUNET_NAME, self._with_yunet(part))):
                rows[name].append(seen + np.array([x1, y1, x1, y1, 0]))
        found = _merged({name: np.concatenate(parts) if parts else np.zeros((0, 5)) for name, parts in rows.items()})
        return self._confirmed(image_bgr, found.only(centres_in(found.centres, areas_xyxy)))

    def _confirmed(self, image_bgr: np.ndarray, found: Found) -> Found:
        """``found`` with what is not sure marked; without YuNet there is nobody to deny anything."""
        if self._close is None:
            return found
        sure = [
            YUNET_NAME in names or self._seen_close(image_bgr, box)
            for names, box in zip(found.detectors, found.boxes_xyxy, strict=True)
        ]
        return replace(found, sure=np.array(sure, bool))

    def _seen_close(self, image_bgr: np.ndarray, box_xyxy: np.ndarray) -> bool:
        assert self._close is not None
        x, y = (box_xyxy[:2] + box_xyxy[2:]) / 2
        for sizes in CLOSE_UPS:
            side = max(sizes * float((box_xyxy[2:] - box_xyxy[:2]).max()), 4.0)
            left, top, zoom = x - side / 2, y - side / 2, side / SMALLEST_WINDOW_PX
            view = square_view(image_bgr, left, top, side, SMALLEST_WINDOW_PX)
            _, seen = self._close.detect(cv2.cvtColor(view, cv2.COLOR_RGB2BGR))
            for x1, y1, wide, high in seen[:, :4] if seen is not None else ():
                there = np.array([x1, y1, x1 + wide, y1 + high]) * zoom + [left, top, left, top]
                if _overlap(there, box_xyxy) > SAME_FACE:
                    return True
        return False

    def _with_yunet(self, image_bgr: np.ndarray) -> np.ndarray:
        """(n, 5) box (px) and score."""
        if self._yunet is None:
            return np.zeros((0, 5))
        zoom = min(1.0, LONGEST_PX / max(image_bgr.shape[:2]))
        if zoom < 1:
            image_bgr = cv2.resize(image_bgr, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        # of pictures a few pixels high its answers are no numbers
        right, below = (max(0, SMALLEST_WINDOW_PX - length) for length in image_bgr.shape[1::-1])
        image_bgr = cv2.copyMakeBorder(image_bgr, 0, below, 0, right, cv2.BORDER_REPLICATE)
        self._yunet.setInputSize(image_bgr.shape[1::-1])
        _, found = self._yunet.detect(image_bgr)
        if found is None:
            return np.zeros((0, 5))
        x, y, wide, high = found[:, :4].T / zoom
        return np.stack([x, y, x + wide, y + high, found[:, 14]], axis=1).astype(float)

    def _with_mediapipe(self, image_bgr: np.ndarray) -> np.ndarray:
        """(n, 5) box (px) and score."""
        height, width = image_bgr.shape[:2]
        rows = [np.zeros((0, 5))]
        for x, y, side in tiles(width, height, self.settings.tile_px):
            found = self._mediapipe.find(square_view(image_bgr, x, y, side, INPUT_PX))
            rows.append(np.concatenate([found[:, :4] * side + [x, y, x, y], found[:, 4:]], axis=1))
        return np.concatenate(rows)


def yunet_weights() -> WeightsFile | None:
    """YuNet's file: in the working folder, shipped, or in the user's cache."""
    try:
        return find_weights(YUNET)
    except ModelFileError:
        return None


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
