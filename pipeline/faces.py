"""Faces of the people found: head box, head pose, eyes, mouth and brow, with MediaPipe's Face Mesh.

The only module that imports mediapipe; its networks run in OpenVINO by default (``models/face_mesh.py``). Each person's
head region is cut out, enlarged to one size and searched alone, so that back-row faces get the same chance as front-row
ones.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.face_mesh import POINTS, FaceMesh
from models.yolo import Backend
from pipeline.heads import head_region, square_view
from pipeline.landmarks import LANDMARKS, face_cues, gaze, head_from_face, head_pose

MOST_WORKERS = 8
"""Threads that read faces and behaviours at most; more cores are left to the detector."""

LEAN_DEG = np.array([0.0, 5.0, 0.0])
"""Added to yaw, pitch, roll of the landmarks: the line from chin to forehead leans forward in a head held upright
(mean over rendered heads of 64 px; other scenes than the demo, the same bodies)."""


class FaceSettings(BaseModel):
    """How faces are looked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_confidence: float = Field(0.3, gt=0, lt=1, description="of MediaPipe's face detector")
    min_head_px: float = Field(
        24, ge=8, description="head height in px below which a face found is not believed: the mesh invents them"
    )
    workers: int | None = Field(
        None, ge=1, le=64, description="frames whose faces are read at once; none given: one per core, at most 8"
    )
    input_px: int = Field(192, ge=96, le=512, description="side of the square each head region is scaled to")

    @property
    def at_once(self) -> int:
        """Frames whose faces are read at once."""
        return self.workers or min(MOST_WORKERS, os.cpu_count() or 1)


@dataclass(frozen=True)
class Faces:
    """What was read from the faces of n people; NaN in every field of a person whose face was not found.

    Attributes:
        head_xyxy: (n, 4) px, the head with hair.
        pose_deg: (n, 3) yaw, pitch, roll in degrees relative to the line of sight: + to the student's left (image
            right), chin up, tilt to the student's left shoulder.
        cues: (n, 3) eye opening, mouth opening, brow furrow, each 0 to 1.
        gaze: (n, 2) where the eyes turn within the head, see ``pipeline.landmarks.gaze``.
    """

    head_xyxy: np.ndarray
    pose_deg: np.ndarray
    cues: np.ndarray
    gaze: np.ndarray

    @classmethod
    def unseen(cls, count: int) -> Faces:
        """``count`` people whose faces are not found."""
        return cls(*(np.full((count, width), np.nan) for width in (4, 3, 3, 2)))

    def of(self, rows: np.ndarray) -> Faces:
        """Those of the people at ``rows``."""
        return Faces(self.head_xyxy[rows], self.pose_deg[rows], self.cues[rows], self.gaze[rows])

    def put(self, rows: np.ndarray, faces: Faces) -> None:
        """Set those of the people at ``rows``."""
        self.head_xyxy[rows], self.pose_deg[rows] = faces.head_xyxy, faces.pose_deg
        self.cues[rows], self.gaze[rows] = faces.cues, faces.gaze

    def forget(self, rows: np.ndarray) -> None:
        """Make the people at ``rows`` unseen again."""
        for values in (self.head_xyxy, self.pose_deg, self.cues, self.gaze):
            values[rows] = np.nan


class Meshes(Protocol):
    """Reads landmarks, asked by any thread; closed at the end."""

    def read(self, views_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As ``models.face_mesh.FaceMesh.read``."""
        ...

    def close(self) -> None:
        """Let go of threads."""
        ...


class FaceReader:
    """Reads faces, asked by any thread; a context manager because MediaPipe's graphs must be closed."""

    def __init__(self, settings: FaceSettings, backend: Backend = "auto") -> None:
        """Load the networks: in OpenVINO, or MediaPipe's own graphs where ``backend`` is ``torch``."""
        self.settings = settings
        self._meshes: Meshes = (
            MediaPipeMeshes(settings.min_confidence, settings.input_px, settings.at_once)
            if backend == "torch"
            else FaceMesh(settings.min_confidence, settings.at_once)
        )

    def __enter__(self) -> FaceReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._meshes.close()

    def read(self, image_bgr: np.ndarray, boxes_xyxy: np.ndarray) -> Faces:
        """Read the face of each person.

        Args:
            image_bgr: (h, w, 3) uint8.
            boxes_xyxy: (n, 4) px, whole persons or upper bodies.
        """
        faces, px = Faces.unseen(len(boxes_xyxy)), self.settings.input_px
        regions = np.array([head_region(box) for box in boxes_xyxy]).reshape(-1, 3)
        asked = np.flatnonzero(regions[:, 2] >= self.settings.min_head_px)
        views = [square_view(image_bgr, x, y, side, px) for x, y, side in regions[asked].tolist()]
        if not views:
            return faces
        found, landmarks = self._meshes.read(np.stack(views))
        rows = asked[found]
        corner, side = regions[rows, None, :2], regions[rows, None, 2:]
        points = landmarks * side
        points[..., :2] += corner
        heads = head_from_face(points[:, :LANDMARKS])
        kept = (heads[:, 3] - heads[:, 1] >= self.settings.min_head_px) & _belongs(heads, boxes_xyxy[rows])
        rows, points = rows[kept], points[kept]
        faces.head_xyxy[rows] = heads[kept]
        faces.pose_deg[rows] = head_pose(points) + LEAN_DEG
        faces.cues[rows] = face_cues(points)
        faces.gaze[rows] = gaze(points)
        faces.forget(claimed_by_another(faces.head_xyxy, boxes_xyxy))
        return faces


class MediaPipeMeshes:
    """MediaPipe's own Face Mesh, one graph for each thread."""

    def __init__(self, min_confidence: float, input_px: int, workers: int) -> None:
        with _quiet_native_log():
            import mediapipe

            self._graphs: list[Any] = []
            for _ in range(workers):
                graph = mediapipe.solutions.face_mesh.FaceMesh(
                    static_image_mode=True,  # each region is another person: nothing to carry over
                    max_num_faces=1,
                    refine_landmarks=True,
                    min_detection_confidence=min_confidence,
                )
                graph.process(np.zeros((input_px, input_px, 3), np.uint8))
                self._graphs.append(graph)
        self._first_face = True
        self._one_at_a_time = threading.Lock()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="faces")

    def close(self) -> None:
        """See ``Meshes``."""
        self._threads.shutdown(cancel_futures=True)
        for graph in self._graphs:
            graph.close()

    def read(self, views_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See ``Meshes``."""
        share = len(self._graphs)
        # the first face of a graph brings another line of chatter
        with self._one_at_a_time, _quiet_native_log() if self._first_face else contextlib.nullcontext():
            work = [
                self._threads.submit(self._read, graph, views_rgb, range(first, len(views_rgb), share))
                for first, graph in enumerate(self._graphs)
            ]
            found = dict(one for part in work for one in part.result())
        self._first_face &= not found
        rows = np.array(sorted(found), int)
        return rows, np.array([found[row] for row in rows]).reshape(-1, POINTS, 3)

    @staticmethod
    def _read(graph: Any, views_rgb: np.ndarray, rows: range) -> list[tuple[int, np.ndarray]]:
        """(row, landmarks) of those of ``rows`` that show a face; runs in one thread."""
        seen = [(row, graph.process(views_rgb[row]).multi_face_landmarks) for row in rows]
        return [(row, np.array([(p.x, p.y, p.z) for p in faces[0].landmark])) for row, faces in seen if faces]


def claimed_by_another(heads_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """People whose head found is rather that of another one, who was found at the same place.

    In a full room the region searched for one student holds the neighbour's face too. Of all who claim one face, it
    belongs to whose body box has it nearest to the middle of the top.

    Args:
        heads_xyxy: (n, 4) px, NaN where none was found.
        boxes_xyxy: (n, 4) px, their body boxes.

    Returns:
        indices of those who lose the claim.
    """
    size = heads_xyxy[:, 3] - heads_xyxy[:, 1]
    middle = (heads_xyxy[:, :2] + heads_xyxy[:, 2:]) / 2
    expected = np.stack([(boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2, boxes_xyxy[:, 1] + size / 2], axis=1)
    strain = np.linalg.norm(middle - expected, axis=1) / size
    apart = np.linalg.norm(middle[:, None] - middle, axis=2)
    same = apart < 0.5 * np.minimum(size[:, None], size)  # False wherever NaN
    return np.flatnonzero((same & (strain < strain[:, None])).any(axis=1))


def _belongs(heads: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(n,) whether the head found can be that of its person: in the box's upper part, no larger than the shoulders."""
    (left, top, right, bottom), (x1, y1, x2, y2) = heads.T, boxes.T
    x, y, size = (left + right) / 2, (top + bottom) / 2, bottom - top
    across = (x1 <= x) & (x <= x2) & (right - left < 1.3 * (x2 - x1))
    return across & (y1 - 0.35 * size <= top) & (y <= y1 + 0.75 * (y2 - y1))


@contextlib.contextmanager
def _quiet_native_log() -> Iterator[None]:
    """MediaPipe's C++ side writes start-up chatter straight to file descriptor 2; drop that, for the start-up only."""
    sys.stderr.flush()
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
