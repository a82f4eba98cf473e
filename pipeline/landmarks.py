"""What the landmarks of one face say: direction, eyes, mouth, brow, gaze, and the head around them.

Plain geometry on MediaPipe's 478 points; nothing here needs a picture.
"""

from __future__ import annotations

import numpy as np

LANDMARKS = 468
"""Of the face itself; Face Mesh adds ten for the irises."""

MIRRORED = ((33, 263), (133, 362), (234, 454), (127, 356), (93, 323), (61, 291), (172, 397), (70, 300))
"""Landmark pairs (student's right, left) whose mean difference is the head's sideways axis."""

FOREHEAD, CHIN = 10, 152
EYE_CORNERS = ((33, 133), (362, 263))
"""Of each eye, from the picture's left to its right: outer, inner; inner, outer."""
EYE_LIDS = ((159, 145), (386, 374))
IRISES = (468, 473)
INNER_LIPS, MOUTH_CORNERS = (13, 14), (78, 308)
UPPER_BROWS = (105, 66, 63, 334, 296, 293)

EYE_SHUT, EYE_WIDE = 0.12, 0.30
"""Eye aspect ratio (Soukupová & Čech 2016) taken as 0 and 1."""
MOUTH_WIDE = 0.7
"""Mouth aspect ratio (lip gap over mouth width) taken as 1: a yawn."""
BROW_HEIGHT = (0.36, 0.16)
"""Brows over the line of the eye corners, along the face's own upright axis, in distances of the outer eye corners:
raised (0) and lowered (1). Measured faces, filmed and rendered, lie within."""
GAZE_REACH = (0.30, 0.20)
"""Shift of the iris from the middle of the eye, in eye widths, taken as 1, across and up: an eye turned as far as it
goes without effort, 30 deg (eyeball of 12 mm radius, eye opening of 30 mm: 0.2), and as much again for the doubt."""

FACE_OF_HEAD_HEIGHT, FACE_OF_HEAD_WIDTH = 0.62, 0.72
"""The mesh spans this share of the head with hair (medians over the rendered heads the project measures with)."""


def face_axes(points: np.ndarray) -> np.ndarray:
    """Unit axes (3, 3) of a landmark cloud, one per row: sideways (to the student's left), down, and into the head.

    The sideways axis is the mean of ``MIRRORED`` differences, the upright axis runs from chin to forehead made
    orthogonal to it (Gram–Schmidt), the third is their cross product.

    Args:
        points: (468 or more, 3) landmarks; x right, y down, z away from the camera, one unit.
    """
    sideways = _unit(sum((points[left] - points[right] for right, left in MIRRORED), np.zeros(3)))
    down = points[CHIN] - points[FOREHEAD]
    down = _unit(down - sideways * (sideways @ down))
    return np.stack([sideways, down, np.cross(sideways, down)])


def head_pose(points: np.ndarray) -> np.ndarray:
    """Yaw, pitch, roll in degrees from the axes of the landmark cloud; see ``pipeline.faces.Faces`` for the signs.

    Roll is that of the line through the outer eye corners, the points that a hand, hair or an open mouth moves least.
    No camera model is needed because Face Mesh gives depth in the same unit as width. Flatter than the truth for large
    turns, exact near the front.

    Args:
        points: see ``face_axes``.
    """
    facing = -face_axes(points)[2]
    yaw = np.arctan2(facing[0], -facing[2])
    pitch = np.arcsin(np.clip(-facing[1], -1, 1))
    eye_line = points[EYE_CORNERS[1][1]] - points[EYE_CORNERS[0][0]]
    return np.degrees([yaw, pitch, np.arctan2(eye_line[1], eye_line[0])])


def face_cues(points: np.ndarray) -> np.ndarray:
    """Eye opening, mouth opening and brow furrow, each clipped to 0..1; see the constants for what 0 and 1 mean.

    Args:
        points: (468 or more, 3) landmarks in one unit.
    """
    eyes = sum(_distance(points, *pair) for pair in EYE_LIDS) / _eye_widths(points)
    mouth = _distance(points, *INNER_LIPS) / max(_distance(points, *MOUTH_CORNERS), 1e-9)
    down = face_axes(points)[1]  # along the face itself, so that a bowed head does not look like a lowered brow
    corners = points[[corner for eye in EYE_CORNERS for corner in eye]].mean(axis=0)
    span = max(_distance(points, EYE_CORNERS[0][0], EYE_CORNERS[1][1]), 1e-9)
    height = float((corners - points[list(UPPER_BROWS)].mean(axis=0)) @ down) / span
    return np.clip([_share(eyes, EYE_SHUT, EYE_WIDE), mouth / MOUTH_WIDE, _share(height, *BROW_HEIGHT)], 0, 1)


def gaze(points: np.ndarray) -> np.ndarray:
    """Where the eyes turn within the head: (2,) across (+ to the student's left) and up, each clipped to -1..1.

    The mean of both eyes' iris centres off the middle between the eye's corners, in eye widths, in the picture's plane;
    eyes that squint cancel out.

    Args:
        points: (478, 3) landmarks with irises; NaN when there are none.
    """
    if len(points) <= max(IRISES):
        return np.full(2, np.nan)
    shifts = []
    for iris, (first, second) in zip(IRISES, EYE_CORNERS, strict=True):
        along = points[second, :2] - points[first, :2]
        width = max(float(np.linalg.norm(along)), 1e-9)
        along = along / width
        shift = (points[iris, :2] - (points[first, :2] + points[second, :2]) / 2) / width
        shifts.append([shift @ along, shift @ np.array([along[1], -along[0]])])
    return np.clip(np.mean(shifts, axis=0) / GAZE_REACH, -1, 1)


def head_from_face(points: np.ndarray) -> np.ndarray:
    """Head box (4,) with hair around the landmarks: the mesh ends at the forehead and at the ears."""
    x1, y1 = points[:, :2].min(axis=0)
    x2, y2 = points[:, :2].max(axis=0)
    height = (y2 - y1) / FACE_OF_HEAD_HEIGHT
    width = max((x2 - x1) / FACE_OF_HEAD_WIDTH, 0.7 * height)  # a face seen from the side is narrow, its head is not
    middle = (x1 + x2) / 2
    return np.array([middle - width / 2, y2 - height, middle + width / 2, y2])


def _eye_widths(points: np.ndarray) -> float:
    return max(sum(_distance(points, *pair) for pair in EYE_CORNERS), 1e-9)


def _share(value: float, zero: float, one: float) -> float:
    return float(np.clip((value - zero) / (one - zero), 0, 1))


def _distance(points: np.ndarray, a: int, b: int) -> float:
    return float(np.linalg.norm(points[a] - points[b]))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
