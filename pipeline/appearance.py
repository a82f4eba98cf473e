"""What a person looks like, as a short vector to tell people apart within one lecture.

Colour histograms of clothes and hair, in three bands from head to lap. They separate same from different people
better than features pooled from the detector's maps at the same cost (``benchmarks/appearance.py``), and hold nothing a
face could be rebuilt from. They are kept in memory only.
"""

from __future__ import annotations

import cv2
import numpy as np

BANDS = 3
"""Head, chest, lap."""

CHROMA_BINS, LIGHT_BINS = 8, 8
CHROMA_RANGE = (96.0, 160.0)
"""Where nearly all colours of rooms and clothes lie on OpenCV's 8-bit a* and b* axes (128 is grey); stronger colours
count in the outermost bins."""

SIDE_MARGIN = 0.2
"""Share of the box's width left out on each side: it shows mostly neighbours and the wall."""

ENOUGH_ROWS = 128
"""Of a person's picture; of a larger one every second, third … row and column is counted: histograms hardly differ."""

_LEVELS = np.arange(256, dtype=np.uint8)
_CHROMA_LEVELS = _LEVELS.clip(int(CHROMA_RANGE[0]), int(CHROMA_RANGE[1]) - 1)
_WITHIN_RANGE = np.stack([_LEVELS, _CHROMA_LEVELS, _CHROMA_LEVELS], axis=-1)[None]
"""Look-up table (1, 256, 3) for L*, a*, b*: cv2.calcHist would leave out what lies outside the range."""

DIMENSIONS = BANDS * (CHROMA_BINS**2 + LIGHT_BINS)


def describe(image_bgr: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """Appearance vectors of the people in one frame.

    Each band gives the square roots of a two-dimensional (a*, b*) histogram and a lightness histogram, so that the
    scalar product of two vectors is the mean Bhattacharyya coefficient of their histograms (Bhattacharyya 1943).

    Args:
        image_bgr: (h, w, 3) uint8.
        boxes_xyxy: (n, 4) px.

    Returns:
        (n, ``DIMENSIONS``) float32 of unit length; a box without pixels gives equal entries.
    """
    vectors = np.full((len(boxes_xyxy), DIMENSIONS), DIMENSIONS**-0.5, np.float32)
    height, width = image_bgr.shape[:2]
    for row, box in enumerate(boxes_xyxy):
        margin = SIDE_MARGIN * (box[2] - box[0])
        x1, x2 = np.clip([box[0] + margin, box[2] - margin], 0, width).astype(int)
        y1, y2 = np.clip([box[1], box[3]], 0, height).astype(int)
        if x2 - x1 < 1 or y2 - y1 < BANDS:
            continue
        step = max(1, (y2 - y1) // ENOUGH_ROWS)
        crop = cv2.cvtColor(image_bgr[y1:y2:step, x1:x2:step], cv2.COLOR_BGR2LAB)
        crop = cv2.LUT(crop, _WITHIN_RANGE)
        parts: list[np.ndarray] = []
        for band in np.array_split(crop, BANDS):
            chroma = cv2.calcHist([band], [1, 2], None, [CHROMA_BINS] * 2, [*CHROMA_RANGE, *CHROMA_RANGE])
            light = cv2.calcHist([band], [0], None, [LIGHT_BINS], [0, 256])
            parts += [_root_share(chroma), _root_share(light)]
        vector = np.concatenate(parts)
        vectors[row] = vector / max(float(np.linalg.norm(vector)), 1e-6)
    return vectors


def _root_share(histogram: np.ndarray) -> np.ndarray:
    flat = histogram.ravel()
    return np.sqrt(flat / max(float(flat.sum()), 1.0))
