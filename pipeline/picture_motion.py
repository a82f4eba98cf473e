"""How one picture differs from another by the camera's motion alone: shift, zoom and tilt, or nothing that is sure.

All in px of a small grey copy. Corners are followed from one to the other (Lucas and Kanade 1981) and must agree on a
motion; then the pictures, laid on each other, must look alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

WIDTH_PX = 320
"""Of the small grey picture that is compared; motion of a quarter of its pixel is far below what a seat needs."""
CORNERS = 150
STILL_PX = 0.6
"""Small px a corner may be off and count as still: noise of the measurement, and of the video's compression."""
STILL_SHARE = 0.3
"""Share of corners in their place from which the camera has not moved: nothing but a still camera leaves so many where
they were, while a person close to it can move the others all together."""
FEWEST = 15
"""Corners that must agree on a motion."""
AGREE_SHARE = 0.35
AGREE_PX = 1.5
ZOOM = 2.0
TILT_DEG = 20.0
"""Zoom and tilt between two pictures beyond which they are not called the same view."""
ALIKE, ALIKE_AGAIN = 0.3, 0.5
"""Correlation of two flattened pictures, where they overlap, from which they show the same; the second when a view is
recognised without having been followed there. Of 1,152 pairs of pictures of
different places none came through at all."""
OVERLAP = 0.3
"""Share of the picture in common below which two views are not compared."""
BLANK_LEVELS = 12.0
"""Mean 8-bit levels between two pictures without corners up to which they are the same view."""

EYE = np.eye(3)


@dataclass(eq=False)
class Picture:
    """A picture whose place is known; all in small px."""

    flat: np.ndarray
    grey: np.ndarray
    scene: int = 0
    place: np.ndarray = field(default_factory=lambda: EYE)
    """(3, 3) this picture -> its scene."""
    used: int = 0
    words: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)
    """Points (n, 2) and ORB descriptors (n, 32), made when first needed."""

    @cached_property
    def corners(self) -> np.ndarray:
        """(n, 2) float32 of places that can be found again."""
        found = cv2.goodFeaturesToTrack(self.flat, CORNERS, 0.01, 7)
        return np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2)


def small_grey(image_bgr: np.ndarray) -> tuple[np.ndarray, float]:
    """(h, w) uint8 at most ``WIDTH_PX`` wide, and its size over the picture's."""
    height, width = image_bgr.shape[:2]
    share = min(1.0, WIDTH_PX / width)
    size = max(1, round(width * share)), max(1, round(height * share))
    small = image_bgr if share == 1.0 else cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), share


def flattened(grey: np.ndarray) -> np.ndarray:
    """Local contrast alone, uint8 around 128: a lamp that is switched on moves nothing."""
    values = grey.astype(np.float32)
    around = cv2.blur(values, (15, 15))
    spread = np.sqrt(np.maximum(cv2.blur(values * values, (15, 15)) - around * around, 0.0))
    return np.clip(128 + 40 * (values - around) / (spread + 4.0), 0, 255).astype(np.uint8)


def motion(key: Picture, now: Picture, expected: np.ndarray) -> tuple[np.ndarray, float] | None:
    """(3, 3) from ``now`` to ``key``, in small px, near what is ``expected``; ``None`` where it is not sure.

    Besides, the share of the key's corners that agree.
    """
    total = len(key.corners)
    if total < FEWEST:
        same = np.abs(key.grey.astype(float) - now.grey.astype(float)).mean() <= BLANK_LEVELS
        return (expected, 1.0) if same and np.array_equal(expected, EYE) else None
    start = moved(inverse(expected), key.corners)
    there, found = _followed(key, now, start)
    count = int(found.sum())
    if count < FEWEST:
        return None
    still = int((np.linalg.norm(there - start, axis=1)[found] <= STILL_PX).sum())
    if still >= max(FEWEST, STILL_SHARE * total) and alike(key.flat, now.flat, expected) >= ALIKE:
        return expected, still / total
    matrix, agree = cv2.estimateAffinePartial2D(
        there[found], key.corners[found], method=cv2.RANSAC, ransacReprojThreshold=AGREE_PX
    )
    if matrix is None or agree.sum() < max(FEWEST, AGREE_SHARE * count):
        return None
    step = np.vstack([matrix, [0.0, 0.0, 1.0]])
    if not _plausible(step) or alike(key.flat, now.flat, step) < ALIKE:
        return None
    return step, float(agree.sum()) / total


def _followed(key: Picture, now: Picture, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the key's corners are in ``now`` (n, 2), and which were found (n,); Lucas and Kanade 1981, in pyramids."""
    there, status, _ = cv2.calcOpticalFlowPyrLK(
        key.flat,
        now.flat,
        key.corners,
        start.astype(np.float32).copy(),
        winSize=(15, 15),
        maxLevel=3,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    height, width = now.flat.shape
    inside = ((there >= 0) & (there < (width, height))).all(axis=1)
    return there, (status.ravel() > 0) & inside


def by_words(key: Picture, now: Picture) -> np.ndarray | None:
    """(3, 3) from ``now`` to ``key`` by matching ORB features (Rublee et al. 2011), wherever it moved meanwhile."""
    (my_points, my_bits), (its_points, its_bits) = _words(now), _words(key)
    if min(len(my_points), len(its_points)) < FEWEST:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(my_bits, its_bits)
    if len(pairs) < FEWEST:
        return None
    mine = my_points[[pair.queryIdx for pair in pairs]]
    its = its_points[[pair.trainIdx for pair in pairs]]
    matrix, agree = cv2.estimateAffinePartial2D(mine, its, method=cv2.RANSAC, ransacReprojThreshold=3.0)
    if matrix is None or agree.sum() < FEWEST:
        return None
    step = np.vstack([matrix, [0.0, 0.0, 1.0]])
    return step if _plausible(step) else None


def _words(one: Picture) -> tuple[np.ndarray, np.ndarray]:
    if one.words is None:
        orb = cv2.ORB.create(500, scaleFactor=1.2, nlevels=5, edgeThreshold=15, patchSize=21, fastThreshold=8)
        points, bits = orb.detectAndCompute(one.flat, np.full(one.flat.shape, 255, np.uint8))
        places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
        one.words = places, np.zeros((0, 32), np.uint8) if bits is None else bits
    return one.words


def shifted(before: np.ndarray, now: np.ndarray) -> np.ndarray | None:
    """A shift (3, 3) from ``now`` to ``before`` by phase correlation, for pans too fast to follow by corners."""
    if min(before.shape) < 16:
        return None
    window = cv2.createHanningWindow(before.shape[::-1], cv2.CV_32F)
    (x, y), response = cv2.phaseCorrelate(before.astype(np.float32), now.astype(np.float32), window)
    return np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1.0]]) if response > 0.05 else None


def _plausible(step: np.ndarray) -> bool:
    zoom = float(np.hypot(step[0, 0], step[1, 0]))
    tilt = abs(float(np.degrees(np.arctan2(step[1, 0], step[0, 0]))))
    return 1 / ZOOM <= zoom <= ZOOM and tilt <= TILT_DEG


def alike(key: np.ndarray, now: np.ndarray, step: np.ndarray) -> float:
    """Correlation of two flattened pictures where they overlap, ``now`` moved by ``step``; -1 if they hardly do."""
    height, width = key.shape
    if np.array_equal(step, EYE):
        moved, there = now, np.ones(key.shape, bool)
    else:
        moved = cv2.warpAffine(now, step[:2], (width, height), flags=cv2.INTER_LINEAR)
        there = cv2.warpAffine(np.full(now.shape, 255, np.uint8), step[:2], (width, height)) > 254
    if there.mean() < OVERLAP:
        return -1.0
    # blurred: a shift of a part of a pixel must not make fine texture look unlike
    one = cv2.blur(key, (3, 3))[there].astype(np.float32) - 128
    other = cv2.blur(moved, (3, 3))[there].astype(np.float32) - 128
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / max(float(np.sqrt((one * one).sum() * (other * other).sum())), 1e-6))


def shared_part(step: np.ndarray, shape: tuple[int, ...]) -> float:
    """Share of the picture that lies within the other's frame when moved by ``step``; of the larger, when zoomed."""
    height, width = shape[:2]
    low, high = moved(step, np.array([[0.0, 0.0], [width, height]]))
    inside = np.clip(np.minimum(high, (width, height)) - np.maximum(low, 0), 0, None).prod()
    return float(inside / max(width * height, (high - low).clip(1e-6).prod()))


def settled(place: np.ndarray) -> np.ndarray:
    """``place`` itself, or exactly where the scene began if it is as good as that: then nothing is moved at all."""
    corners = np.array([[0.0, 0.0], [WIDTH_PX, 0.0], [0.0, WIDTH_PX * 0.6], [WIDTH_PX, WIDTH_PX * 0.6]])
    return EYE if np.abs(moved(place, corners) - corners).max() <= STILL_PX else place


def inverse(place: np.ndarray) -> np.ndarray:
    """Of a (3, 3) similarity, by hand: a library's threads take longer to wake than this takes."""
    a, b = place[0, 0], place[1, 0]
    square = a * a + b * b
    turned = np.array([[a, b], [-b, a]]) / square
    inverse = np.eye(3)
    inverse[:2, :2], inverse[:2, 2] = turned, -turned @ place[:2, 2]
    return inverse


def moved(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (n, 2) moved by a (3, 3) matrix."""
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def moved_boxes(matrix: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) px moved by one (3, 3) similarity, kept upright."""
    if np.array_equal(matrix, EYE):
        return boxes_xyxy
    middle, half = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2, (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 2
    middle = middle @ matrix[:2, :2].T + matrix[:2, 2]
    half = half * np.hypot(matrix[0, 0], matrix[1, 0])
    return np.concatenate([middle - half, middle + half], axis=1).astype(boxes_xyxy.dtype)
