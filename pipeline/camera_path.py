"""Where the camera looked over a whole lecture: coordinates in which the room stands still, and back to the picture.

The coordinates are those of the first picture of a scene; those of scene 0 are the recording's first picture, in which
seats are on record.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from consent.policy import CoverPolicy
from pipeline.camera import View
from pipeline.picture_motion import EYE
from pipeline.session import BOX, HEAD_BOX, CameraSummary
from pipeline.zones import SMALL_MOTION, heads_in_seats


class CameraPath:
    """The views of all analysed frames, in time order."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._times: list[float] = []
        self._scenes: list[int] = []
        self._matrices: list[np.ndarray] = []
        self.still = True
        """Whether nothing has ever moved: then all coordinates are the picture's own."""

    def add(self, t: float, view: View) -> None:
        """Take in the view of the next analysed frame at ``t`` (s)."""
        self._times.append(t)
        self._scenes.append(view.scene)
        self._matrices.append(view.to_scene)
        self.still &= view.scene == 0 and np.array_equal(view.to_scene, EYE)

    def join(self, links: Mapping[int, tuple[int, np.ndarray]]) -> None:
        """Move whole scenes into earlier ones: scene -> (earlier scene, (3, 3) px to it)."""
        for n, scene in enumerate(self._scenes):
            while scene in links:
                scene, to_earlier = links[scene]
                self._matrices[n] = to_earlier @ self._matrices[n]
            self._scenes[n] = scene

    def __len__(self) -> int:
        """Analysed frames."""
        return len(self._times)

    @property
    def scenes(self) -> np.ndarray:
        """(n,) scene of each analysed frame."""
        return np.array(self._scenes, int)

    def scene_at(self, times: np.ndarray) -> np.ndarray:
        """(n,) scene of analysed frames, by their times (n,) s."""
        return self.scenes[self._index(times)]

    def known_at(self, times: np.ndarray) -> np.ndarray:
        """(n,) whether it is known where seats on record are, at the times (n,) of analysed frames."""
        return self.scene_at(times) == 0

    def in_room(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows with body and head boxes (px) moved to the coordinates of their scene."""
        return rows if self.still else self._moved(rows, self._stack())

    def in_picture(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The inverse of ``in_room``."""
        return rows if self.still else self._moved(rows, np.linalg.inv(self._stack()))

    def heads_in_seats(self, rows: pd.DataFrame, policy: CoverPolicy) -> np.ndarray:
        """Which rows (mask), boxes in px of the picture, have the head in the seat of somebody who said no."""
        boxes = rows[list(BOX)].to_numpy(float)
        if self.still or not policy.zones:
            return heads_in_seats(boxes, EYE, policy, self.width, self.height)
        taken = np.ones(len(rows), bool)
        index = self._index(rows["t"].to_numpy(float))
        for n in np.unique(index):
            here = index == n
            taken[here] = heads_in_seats(boxes[here], self._to_first(n), policy, self.width, self.height)
        return taken

    def to_first_around(self, t: float) -> list[np.ndarray | None]:
        """Where seats on record may be at ``t`` (s): (3, 3) px to the first picture, of the analysed frames around.

        ``None`` among them says that it is not known.
        """
        after = int(np.searchsorted(self._times, t))
        around = {min(max(n, 0), len(self) - 1) for n in (after - 1, after)}
        if after < len(self) and self._times[after] == t:
            around = {after}
        return [self._to_first(n) for n in sorted(around)]

    def summary(self, duration_s: float) -> CameraSummary:
        """For the manifest."""
        scenes = self.scenes
        corners = np.array([[0, 0, 1], [self.width, 0, 1], [0, self.height, 1], [self.width, self.height, 1]], float)
        off = np.abs(np.einsum("nij,kj->nki", self._stack()[:, :2], corners) - corners[None, :, :2]).max(initial=0.0)
        lost = float((scenes != 0).mean()) if len(self) else 0.0
        return CameraSummary(
            scenes=max(1, len(set(scenes.tolist()))),
            moved=lost > 0 or bool(off > SMALL_MOTION * self.width),
            lost_s=round(lost * duration_s, 3),
        )

    def _to_first(self, n: int) -> np.ndarray | None:
        return self._matrices[n] if self._scenes[n] == 0 else None

    def _stack(self) -> np.ndarray:
        return np.array(self._matrices).reshape(-1, 3, 3)

    def _index(self, times: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._times, times)

    def _moved(self, rows: pd.DataFrame, matrices: np.ndarray) -> pd.DataFrame:
        """Upright boxes: their middles are moved, their sides zoomed."""
        table = rows.copy()
        own = matrices[self._index(rows["t"].to_numpy(float))]
        zoom = np.hypot(own[:, 0, 0], own[:, 1, 0])[:, None]
        for names in (BOX, HEAD_BOX):
            boxes = rows[list(names)].to_numpy(float)
            middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * zoom
            middle = np.einsum("nij,nj->ni", own[:, :2, :2], middle) + own[:, :2, 2]
            moved = np.concatenate([middle - half, middle + half], axis=1)
            table[list(names)] = moved.astype(rows[names[0]].dtype)
        return table
