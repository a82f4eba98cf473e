"""Hands of the people found: at the face, raised, or in front of the chest, from body keypoints (BlazePose).

The keypoints are read in a square around a known head, so nobody has to be searched for. One reading costs as much as
everything else about a student together; therefore a few students are read in each frame, taking turns.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.body import (
    INPUT_PX,
    LEFT_FINGERS,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NOSE,
    RIGHT_FINGERS,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
    BodyModel,
    BodyReading,
)
from pipeline.heads import square_view

REGION_HEADS = 6.0
"""Side of the square in head heights: raised arms above, hips below, of the upright adults BlazePose was trained on."""
REGION_BELOW = 2.3
"""The square's middle below the top of the head, in head heights."""

MOUTH_OF_HEAD = 0.8
"""How far down a head with hair the mouth is."""

FACE_OF_HEAD = 0.6
NOSE_OFF = 0.5
"""Nose off the face's middle, in head heights, from which the body read is somebody else's."""
SHOULDERS = (0.85, 2.5)
"""Width of an adult's shoulders in head heights: 1.4 from the front, 0.9 turned by 50 deg; heads bowed look shorter."""

AT_FACE = (1.0, 0.4)
"""Fingers off the mouth, in head heights: beyond chin and ear (0), and over mouth or chin (1)."""
RAISED = (0.5, 1.2)
"""Fingers above the mouth: at the top of the head (0), a hand's length over it (1)."""
RAISED_ASIDE = ((-0.8, 0.0), (0.6, 0.9))
"""A hand raised beside the head: fingers above the mouth from the shoulders (0) to the mouth (1), and aside of it from
touching the head (0) to free of it (1)."""
IN_FRONT = ((0.1, 0.5), (3.0, 2.0), (1.6, 1.0))
"""Fingers in front of the chest: below the mouth from the chin on, not lower than the lap, not wider than the
shoulders; each (0, 1)."""

MOST_TRACKS = 512


class HandSettings(BaseModel):
    """Whose hands are read, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_frame: int = Field(
        2,
        ge=0,
        description="students whose body is read in each analysed frame, in turn: at 5 frames per second, 12 students"
        " are read every 1.2 s, 40 every 4 s; 0: hands are never read",
    )
    min_head_px: float = Field(24, ge=8, description="head height in px below which hands are not read")
    min_present: float = Field(0.5, ge=0, le=1, description="how likely the network must hold a person to be there")


class HandReader:
    """Reads hands; remembers per track when it was last read, so that all get their turn."""

    def __init__(self, settings: HandSettings) -> None:
        self.settings = settings
        self._model = BodyModel() if settings.per_frame else None
        self._last: dict[int, int] = {}
        self._turn = 0

    def read(self, image_bgr: np.ndarray, heads_xyxy: np.ndarray, tracks: np.ndarray) -> np.ndarray:
        """(n, 3) of ``hand_cues``; NaN for those whose turn it is not, whose head is unknown or too small.

        Args:
            image_bgr: (h, w, 3) uint8.
            heads_xyxy: (n, 4) px, NaN where unknown.
            tracks: (n,) track numbers.
        """
        cues = np.full((len(heads_xyxy), 3), np.nan)
        if self._model is None or not len(heads_xyxy):
            return cues
        large = np.flatnonzero(heads_xyxy[:, 3] - heads_xyxy[:, 1] >= self.settings.min_head_px)
        waited = [self._last.get(int(tracks[row]), 0) for row in large]
        rows = large[np.argsort(waited, kind="stable")[: self.settings.per_frame]]
        for row in rows:
            self._last.pop(int(tracks[row]), None)  # to the end, so that the first is the longest ago
            self._turn += 1
            self._last[int(tracks[row])] = self._turn
        while len(self._last) > MOST_TRACKS:
            del self._last[next(iter(self._last))]
        if len(rows):
            reading = read_bodies(self._model, image_bgr, heads_xyxy[rows])
            believed = belongs(reading, heads_xyxy[rows]) & (reading.present >= self.settings.min_present)
            cues[rows] = np.where(believed[:, None], hand_cues(reading, heads_xyxy[rows]), np.nan)
        return cues

    def state(self) -> dict[str, np.ndarray]:
        """What is remembered, as arrays; ``restore`` takes it back."""
        return {
            "tracks": np.array(list(self._last), np.int64),
            "turns": np.array(list(self._last.values()), np.int64),
            "turn": np.array(self._turn),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Remember what another reader did when it gave its ``state``."""
        self._last = dict(zip(state["tracks"].tolist(), state["turns"].tolist(), strict=True))
        self._turn = int(state["turn"])


def body_region(head_xyxy: np.ndarray) -> tuple[float, float, float]:
    """The square (left, top, side) px around a head's body."""
    height = float(head_xyxy[3] - head_xyxy[1])
    side = REGION_HEADS * height
    middle = float(head_xyxy[0] + head_xyxy[2]) / 2
    return middle - side / 2, float(head_xyxy[1]) + REGION_BELOW * height - side / 2, side


def read_bodies(model: BodyModel, image_bgr: np.ndarray, heads_xyxy: np.ndarray) -> BodyReading:
    """Keypoints of the bodies below these heads (n, 4), in px of the image."""
    regions = [body_region(head) for head in heads_xyxy]
    crops = [square_view(image_bgr, *region, INPUT_PX) for region in regions]
    reading = model.read(np.stack(crops) if crops else np.zeros((0, INPUT_PX, INPUT_PX, 3), np.uint8))
    corner, side = np.array([region[:2] for region in regions]), np.array([region[2] for region in regions])
    points = reading.points * side.reshape(-1, 1, 1) + corner.reshape(-1, 1, 2)
    return BodyReading(points, reading.visible, reading.present)


def belongs(reading: BodyReading, heads_xyxy: np.ndarray) -> np.ndarray:
    """(n,) whether the body read is that of the head: its nose lies on it, its shoulders are as wide as an adult's.

    In a crowded room the square holds several people, and the network may choose another, or make up a body for one
    whose body is hidden.
    """
    height = np.maximum(heads_xyxy[:, 3] - heads_xyxy[:, 1], 1e-9)
    face = np.stack([(heads_xyxy[:, 0] + heads_xyxy[:, 2]) / 2, heads_xyxy[:, 1] + FACE_OF_HEAD * height], axis=1)
    off = np.linalg.norm(reading.points[:, NOSE] - face, axis=1) / height
    shoulders = np.linalg.norm(reading.points[:, LEFT_SHOULDER] - reading.points[:, RIGHT_SHOULDER], axis=1) / height
    return (off <= NOSE_OFF) & (shoulders >= SHOULDERS[0]) & (shoulders <= SHOULDERS[1])


def hand_cues(reading: BodyReading, heads_xyxy: np.ndarray) -> np.ndarray:
    """(n, 3) 0 to 1: a hand at mouth or chin, a hand raised, a hand in front of the chest.

    Each is how likely the wrist is visible times how well the fingers' place fits, of the hand that fits better. A hand
    that is not seen is no hand at the face: its wrist's visibility is low, and so is the cue.

    Args:
        reading: keypoints in px.
        heads_xyxy: (n, 4) px; lengths are measured in head heights.
    """
    height = np.maximum(heads_xyxy[:, 3] - heads_xyxy[:, 1], 1e-9)
    mouth = np.stack([(heads_xyxy[:, 0] + heads_xyxy[:, 2]) / 2, heads_xyxy[:, 1] + MOUTH_OF_HEAD * height], axis=1)
    best = np.zeros((len(heads_xyxy), 3))
    for wrist, fingers in ((LEFT_WRIST, LEFT_FINGERS), (RIGHT_WRIST, RIGHT_FINGERS)):
        across, below = ((reading.points[:, fingers].mean(axis=1) - mouth) / height[:, None]).T
        aside = np.abs(across)
        at_face = _ramp(np.hypot(across, below), *AT_FACE)
        high, beside = RAISED_ASIDE
        raised = np.maximum(_ramp(-below, *RAISED), _ramp(-below, *high) * _ramp(aside, *beside))
        under, lap, wide = IN_FRONT
        in_front = _ramp(below, *under) * _ramp(below, *lap) * _ramp(aside, *wide)
        fits = np.stack([at_face, raised, in_front], axis=1)
        best = np.maximum(best, reading.visible[:, wrist, None] * fits)
    return best


def _ramp(values: np.ndarray, absent: float, present: float) -> np.ndarray:
    return np.clip((values - absent) / (present - absent), 0, 1)
