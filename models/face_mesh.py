"""Faces in square pictures, many at once: where there is one, and its 478 landmarks.

The same two networks as in MediaPipe's Face Mesh (``models/training/tflite.py`` makes their forms) and the same steps
between them, without its graph, which takes one picture at a time. Answers differ from MediaPipe's by rounding.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from models.blazeface import BlazeFace, Shipped
from models.exported import OpenVinoNetwork

POINTS, IRIS = 478, 5
"""Landmarks of a face, and how many of them are each iris."""

MESH_PX = 192
"""Side of what the mesh sees."""

ROI_SIDES = 1.5
"""Side of the square around a found face that the mesh sees, in longer sides of its box (MediaPipe's graph)."""

PRESENT = 0.5
"""How likely the mesh must hold its picture to be a face (MediaPipe's graph)."""

RIGHT_EYE, LEFT_EYE = slice(4, 6), slice(6, 8)
"""Of what the finder says of an anchor: points in the middle of the student's eyes."""


MESH: Final = Shipped("face_mesh", Path("modules", "face_landmark", "face_landmark_with_attention.tflite"))


class FaceMesh:
    """Both networks; thread-safe."""

    def __init__(self, min_confidence: float, callers: int = 1, *, exact: bool = False) -> None:
        """Load them.

        Args:
            min_confidence: of the finder.
            callers: threads that ask at once, each served by one core.
            exact: in single precision; else, where the CPU has half precision, landmarks are mostly 0.05 px of 192 off.

        Raises:
            ModelFileError: a form is not there.
        """
        self._finder = BlazeFace(min_confidence, callers, exact=exact)
        self._mesh = OpenVinoNetwork(MESH.folder, pictures="RGB", exact=exact, callers=callers)

    def read(self, views_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The face of each picture.

        Args:
            views_rgb: (n, s, s, 3) uint8.

        Returns:
            (k,) which pictures show one, and (k, 478, 3) its landmarks: x, y as shares of the picture, z alike.
        """
        side = views_rgb.shape[1]
        if not len(views_rgb):
            return np.zeros(0, int), np.zeros((0, POINTS, 3))
        found = [faces[:1] for faces in self._finder.find(views_rgb)]
        rows = np.array([row for row, faces in enumerate(found) if len(faces)], int)
        if not len(rows):
            return rows, np.zeros((0, POINTS, 3))
        squares = [side * _square(found[row][0]) for row in rows]
        turns = [_turn(found[row][0]) for row in rows]
        maps = [_from_crop(square, turn) for square, turn in zip(squares, turns, strict=True)]
        crops = [
            cv2.warpAffine(
                views_rgb[row],
                matrix,
                (MESH_PX, MESH_PX),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for row, matrix in zip(rows, maps, strict=True)
        ]
        said = self._mesh(np.stack(crops)).astype(float)
        points = said[:, :-1].reshape(-1, POINTS, 3)
        there = 1 / (1 + np.exp(-said[:, -1])) > PRESENT
        matrices = np.stack(maps)
        placed = np.empty_like(points)
        placed[..., :2] = points[..., :2] @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]
        placed[..., 2] = points[..., 2] * np.array([square[2] for square in squares])[:, None] / MESH_PX
        return rows[there], placed[there] / side

    def close(self) -> None:
        """Nothing is left to end; see ``pipeline.faces.Meshes``."""


def _square(face: np.ndarray) -> np.ndarray:
    """(3,) middle and side of what the mesh sees of a face."""
    return np.array([face[0], face[1], ROI_SIDES * max(face[2], face[3])])


def _turn(face: np.ndarray) -> float:
    """Radians by which the line of the eyes is turned, clockwise."""
    across, down = face[LEFT_EYE] - face[RIGHT_EYE]
    return float(np.arctan2(down, across))


def _from_crop(square: np.ndarray, turn: float) -> np.ndarray:
    """(2, 3) from px of the mesh's picture to px of the view."""
    x, y, side = square
    zoom = side / MESH_PX
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    half = MESH_PX / 2
    return np.array([[cos, -sin, x - half * (cos - sin)], [sin, cos, y - half * (sin + cos)]])
