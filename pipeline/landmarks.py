"""What the landmarks of faces say: direction, eyes, mouth, brow, gaze, and the head around them.

Plain geometry on MediaPipe's 478 points, of one face or of many at once; nothing here needs a picture.
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

TINY = 1e-9
"""Divides in place of what has no length."""

FACE_OF_HEAD_HEIGHT, FACE_OF_HEAD_WIDTH = 0.62, 0.72
"""The mesh spans this share of the head with hair (medians over the rendered heads the project measures with)."""


def face_axes(points: np.ndarray) -> np.ndarray:
    """Unit axes (..., 3, 3) of landmark clouds, one per row: sideways (to the student's left), down, into the head.

    The sideways axis is the mean of ``MIRRORED`` differences, the upright axis runs from chin to forehead made
    orthogonal to it (Gram–Schmidt), the third is their cross product.

    Args:
        points: (..., 468 or more, 3) landmarks; x right, y down, z away from the camera, one unit.
    """
    right, left = np.transpose(MIRRORED)
    sideways = _unit((points[..., left, :] - points[..., right, :]).sum(axis=-2))
    down = points[..., CHIN, :] - points[..., FOREHEAD, :]
    down = _unit(down - sideways * (sideways * down).sum(axis=-1, keepdims=True))
    return np.stack([sideways, down, np.cross(sideways, down)], axis=-2)


def head_pose(points: np.ndarray) -> np.ndarray:
    """(..., 3) yaw, pitch, roll in degrees from the axes of landmark clouds; signs as in ``pipeline.faces.Faces``.

    Roll is that of the line through the outer eye corners, the points that a hand, hair or an open mouth moves least.
    No camera model is needed because Face Mesh gives depth in the same unit as width. Flatter than the truth for large
    turns, exact near the front.

    Args:
        points: see ``face_axes``.
    """
    facing = -face_axes(points)[..., 2, :]
    yaw = np.arctan2(facing[..., 0], -facing[..., 2])
    pitch = np.arcsin(np.clip(-facing[..., 1], -1, 1))
    eye_line = points[..., EYE_CORNERS[1][1], :] - points[..., EYE_CORNERS[0][0], :]
    return np.degrees(np.stack([yaw, pitch, np.arctan2(eye_line[..., 1], eye_line[..., 0])], axis=-1))


def face_cues(points: np.ndarray) -> np.ndarray:
    """(..., 3) eye opening, mouth opening and brow furrow, each clipped to 0..1; the constants say what 0 and 1 mean.

    Args:
        points: (..., 468 or more, 3) landmarks in one unit.
    """
    eye_widths = np.maximum(sum(_distance(points, *pair) for pair in EYE_CORNERS), TINY)
    eyes = sum(_distance(points, *pair) for pair in EYE_LIDS) / eye_widths
    mouth = _distance(points, *INNER_LIPS) / np.maximum(_distance(points, *MOUTH_CORNERS), TINY)
    down = face_axes(points)[..., 1, :]  # along the face itself, so that a bowed head does not look like a lowered brow
    corners = points[..., [corner for eye in EYE_CORNERS for corner in eye], :].mean(axis=-2)
    span = np.maximum(_distance(points, EYE_CORNERS[0][0], EYE_CORNERS[1][1]), TINY)
    height = ((corners - points[..., UPPER_BROWS, :].mean(axis=-2)) * down).sum(axis=-1) / span
    shares = [_share(eyes, EYE_SHUT, EYE_WIDE), mouth / MOUTH_WIDE, _share(height, *BROW_HEIGHT)]
    return np.stack(shares, axis=-1).clip(0, 1)


def gaze(points: np.ndarray) -> np.ndarray:
    """Where the eyes turn within the head: (..., 2) across (+ to the student's left) and up, each clipped to -1..1.

    The mean of both eyes' iris centres off the middle between the eye's corners, in eye widths, in the picture's plane;
    eyes that squint cancel out.

    Args:
        points: (..., 478, 3) landmarks with irises; NaN when there are none.
    """
    if points.shape[-2] <= max(IRISES):
        return np.full((*points.shape[:-2], 2), np.nan)
    first, second = (points[..., ends, :2] for ends in np.transpose(EYE_CORNERS))
    along = second - first
    width = np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), TINY)
    along = along / width
    shift = (points[..., IRISES, :2] - (first + second) / 2) / width
    upright = np.stack([along[..., 1], -along[..., 0]], axis=-1)
    turned = np.stack([(shift * axis).sum(axis=-1).mean(axis=-1) for axis in (along, upright)], axis=-1)
    return (turned / GAZE_REACH).clip(-1, 1)


def head_from_face(points: np.ndarray) -> np.ndarray:
    """Head boxes (..., 4) with hair around landmarks (..., n, 3): the mesh ends at the forehead and at the ears."""
    x1, y1 = np.moveaxis(points[..., :2].min(axis=-2), -1, 0)
    x2, y2 = np.moveaxis(points[..., :2].max(axis=-2), -1, 0)
    height = (y2 - y1) / FACE_OF_HEAD_HEIGHT
    # a face seen from the side is narrow, its head is not
    width = np.maximum((x2 - x1) / FACE_OF_HEAD_WIDTH, 0.7 * height)
    middle = (x1 + x2) / 2
    return np.stack([middle - width / 2, y2 - height, middle + width / 2, y2], axis=-1)


def _share(values: np.ndarray, zero: float, one: float) -> np.ndarray:
    return (values - zero) / (one - zero)


def _distance(points: np.ndarray, a: int, b: int) -> np.ndarray:
    return np.linalg.norm(points[..., a, :] - points[..., b, :], axis=-1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), TINY)
