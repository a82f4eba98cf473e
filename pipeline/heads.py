"""Where a person's head is and where it points, also when no face can be found.

A head's place within its body box is close to constant for one seated student, and differs between rooms. So what the
faces found teach about a student is used where none is found, and the head network refines the guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from models.head import CROP_HEADS, INPUT_PX, WEIGHTS, HeadModel
from models.yolo import Backend
from pipeline.session import BOX, HEAD_BOX

HEAD_ASPECT = 0.8
"""Width of a head with hair over its height."""

REGION_MARGIN = 1.15
HEADROOM = 0.1
"""Share of the region above the box: detectors cut hair."""

LANDMARK_ERROR_DEG = np.array([3.0, 5.0, 3.0])
"""Expected error of yaw, pitch, roll by face landmarks where they see a face (rendered heads of 28 px and more, rounded
up)."""

LOOKS = 2
"""Times the network corrects a guessed place before the head is read there: one correction reaches 0.4 heads."""

ENOUGH_FACES = 5
"""Seen faces after which a student's own head place is trusted over the prior."""

PRIOR = (-0.25, 0.25, -0.03, 0.45)
"""Head left, right as shares of the box's width from its middle; top, bottom as shares of its height from its top.
Between the medians of a room where seated neighbours hide all but head and shoulders and one where desks hide only
the legs."""


class HeadSettings(BaseModel):
    """When a reading of the head network is believed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str | None = Field(
        None, description="file of the head network, as engage train head writes it; none: the one that ships"
    )
    min_head_px: float = Field(16, ge=8, description="head height in px below which a head's direction is not read")
    max_doubt_deg: float = Field(
        30.0, gt=0, description="deg of error the network expects of yaw or pitch, above which it is not believed"
    )


@dataclass(frozen=True)
class Heads:
    """The heads of n people; NaN where nothing is believed.

    Attributes:
        head_xyxy: (n, 4) px, with hair.
        pose_deg: (n, 3) yaw, pitch, roll; signs as in ``pipeline.faces.Faces``.
    """

    head_xyxy: np.ndarray
    pose_deg: np.ndarray


class HeadReader:
    """Reads every head with the head network; remembers per track where the head sits in the body box."""

    MEMORY, CLASS_MEMORY = 0.9, 0.99
    """Weight of the past in a track's and in the class's remembered place, per sighting."""

    MOST_TRACKS = 512
    """Tracks remembered; the oldest are forgotten, so that time and memory do not grow with the lecture."""

    def __init__(self, settings: HeadSettings, device: str = "cpu", backend: Backend = "auto") -> None:
        self.settings = settings
        self._model = HeadModel(Path(settings.weights) if settings.weights else WEIGHTS, device, backend)
        self._places: dict[int, np.ndarray] = {}
        self._class_place = np.array(PRIOR)
        self._sightings = 0

    def read(
        self,
        image_bgr: np.ndarray,
        boxes_xyxy: np.ndarray,
        tracks: np.ndarray,
        faces_xyxy: np.ndarray,
        landmarks_deg: np.ndarray,
    ) -> Heads:
        """Read the heads of one frame.

        Args:
            image_bgr: (h, w, 3) uint8.
            boxes_xyxy: (n, 4) px, body boxes.
            tracks: (n,) track numbers.
            faces_xyxy: (n, 4) px, heads around faces found, NaN where none was.
            landmarks_deg: (n, 3) yaw, pitch, roll of the faces found, NaN where none was.
        """
        found = ~np.isnan(faces_xyxy[:, 0])
        for row in np.flatnonzero(found):
            self._remember(int(tracks[row]), share_of_box(faces_xyxy[row : row + 1], boxes_xyxy[row : row + 1])[0])
        places = np.array([self._places.get(int(track), self._class_place) for track in tracks]).reshape(-1, 4)
        heads = np.where(found[:, None], faces_xyxy, from_share(places, boxes_xyxy))
        blind = np.flatnonzero(~found)
        for _ in range(LOOKS if len(blind) else 0):
            moved = self._model.read(crop_heads(image_bgr, heads[blind])).moved
            heads[blind] = moved_heads(heads[blind], moved)
        reading = self._model.read(crop_heads(image_bgr, heads))
        pose, supported = combine(reading.pose_deg, reading.doubt_deg, landmarks_deg)
        sure = supported | (reading.doubt_deg[:, :2].max(axis=1, initial=0.0) <= self.settings.max_doubt_deg)
        sure &= heads[:, 3] - heads[:, 1] >= self.settings.min_head_px
        return Heads(
            np.where((found | sure)[:, None], heads, np.nan),
            np.where(sure[:, None], pose, np.nan),
        )

    def state(self) -> dict[str, np.ndarray]:
        """What is remembered, as arrays; ``restore`` takes it back."""
        return {
            "tracks": np.array(list(self._places), np.int64),
            "places": np.array(list(self._places.values()), float).reshape(-1, 4),
            "class_place": self._class_place,
            "sightings": np.array(self._sightings),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Remember what another reader did when it gave its ``state``."""
        self._places = dict(zip(state["tracks"].tolist(), state["places"], strict=True))
        self._class_place = state["class_place"]
        self._sightings = int(state["sightings"])

    def _remember(self, track: int, place: np.ndarray) -> None:
        past = self._places.get(track, place)
        self._places[track] = self.MEMORY * past + (1 - self.MEMORY) * place
        if len(self._places) > self.MOST_TRACKS:
            del self._places[next(iter(self._places))]
        self._sightings += 1
        kept = min(self.CLASS_MEMORY, 1 - 1 / (1 + self._sightings))  # a plain mean at first, the prior one of it
        self._class_place = kept * self._class_place + (1 - kept) * place


def combine(network_deg: np.ndarray, doubt_deg: np.ndarray, landmarks_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles from the network and from face landmarks, weighted by the inverse square of their expected errors.

    Landmarks are the finer ones on a large face seen from the front, and plain wrong on a face that is hardly there:
    where the two contradict each other the network is believed. Roll is that of the eye line wherever the two agree on
    yaw: on filmed heads the line between two eyes is far surer than the network.

    Args:
        network_deg: (n, 3) yaw, pitch, roll.
        doubt_deg: (n, 3) the network's expected errors.
        landmarks_deg: (n, 3), NaN where no face was found.

    Returns:
        (n, 3) angles, and (n,) whether landmarks took part.
    """
    agreed = np.abs(network_deg - landmarks_deg) <= 2 * (doubt_deg + LANDMARK_ERROR_DEG)  # False for NaN
    supported = agreed.all(axis=1)
    weight = doubt_deg**2 / (doubt_deg**2 + LANDMARK_ERROR_DEG**2)
    mixed = network_deg + weight * (np.nan_to_num(landmarks_deg) - network_deg)
    pose = np.where(supported[:, None], mixed, network_deg)
    pose[:, 2] = np.where(agreed[:, 0], landmarks_deg[:, 2], pose[:, 2])
    return pose, supported


def share_of_box(heads_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """Heads (n, 4) as shares of their body boxes: left, right of the middle by width; top, bottom by height."""
    width, height = boxes_xyxy[:, 2] - boxes_xyxy[:, 0], boxes_xyxy[:, 3] - boxes_xyxy[:, 1]
    middle = (boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        across = (heads_xyxy[:, [0, 2]] - middle[:, None]) / width[:, None]
        down = (heads_xyxy[:, [1, 3]] - boxes_xyxy[:, [1]]) / height[:, None]
    return np.concatenate([across, down], axis=1)


def from_share(shares: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """The inverse of ``share_of_box``: (n, 4) px."""
    width, height = boxes_xyxy[:, 2] - boxes_xyxy[:, 0], boxes_xyxy[:, 3] - boxes_xyxy[:, 1]
    middle = (boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2
    across = middle[:, None] + shares[:, :2] * width[:, None]
    down = boxes_xyxy[:, [1]] + shares[:, 2:] * height[:, None]
    return np.stack([across[:, 0], down[:, 0], across[:, 1], down[:, 1]], axis=1)


def square_view(image_bgr: np.ndarray, left: float, top: float, side: float, size_px: int) -> np.ndarray:
    """The square (left, top, side) px of an image as (size_px, size_px, 3) RGB; edges repeat beyond the image."""
    zoom = size_px / side
    matrix = np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]])
    how = cv2.INTER_LINEAR if zoom > 1 else cv2.INTER_AREA
    view = cv2.warpAffine(image_bgr, matrix, (size_px, size_px), flags=how, borderMode=cv2.BORDER_REPLICATE)
    return cv2.cvtColor(view, cv2.COLOR_BGR2RGB)


def crop_heads(image_bgr: np.ndarray, heads_xyxy: np.ndarray) -> np.ndarray:
    """Square views (n, 64, 64, 3) uint8 RGB of the heads, as the network was trained on."""
    crops = np.empty((len(heads_xyxy), INPUT_PX, INPUT_PX, 3), np.uint8)
    for row, head in enumerate(heads_xyxy):
        side = max(CROP_HEADS * float(head[3] - head[1]), 4.0)
        crops[row] = square_view(
            image_bgr, (head[0] + head[2] - side) / 2, (head[1] + head[3] - side) / 2, side, INPUT_PX
        )
    return crops


def moved_heads(heads_xyxy: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Heads put where the network saw them in their crops; no further than it was trained for."""
    height = heads_xyxy[:, 3] - heads_xyxy[:, 1]
    shift = np.clip(moved[:, :2], -0.4, 0.4) * height[:, None]
    half_height = height / 2 * np.exp(np.clip(moved[:, 2], -0.4, 0.4))
    half_width = HEAD_ASPECT * half_height
    middle = np.stack([heads_xyxy[:, 0] + heads_xyxy[:, 2], heads_xyxy[:, 1] + heads_xyxy[:, 3]], axis=1) / 2 + shift
    half = np.stack([half_width, half_height], axis=1)
    return np.concatenate([middle - half, middle + half], axis=1)


def head_region(box_xyxy: np.ndarray) -> tuple[float, float, float]:
    """A square (left, top, side) in px that surely holds the head of a standing, seated or half-hidden person."""
    x1, y1, x2, y2 = (float(value) for value in box_xyxy)
    width, height = x2 - x1, y2 - y1
    side = REGION_MARGIN * min(max(width, 0.6 * height), 1.2 * width)
    return (x1 + x2 - side) / 2, y1 - HEADROOM * side, side


def usual_place(people: pd.DataFrame) -> np.ndarray | None:
    """(4,) median place of these people's heads in their body boxes (``share_of_box``); ``None`` where few were seen.

    Args:
        people: rows with the body box and the head box (NaN where not seen).
    """
    place = share_of_box(people[list(HEAD_BOX)].to_numpy(float), people[list(BOX)].to_numpy(float))
    place = place[~np.isnan(place).any(axis=1)]
    return np.median(place, axis=0) if len(place) >= ENOUGH_FACES else None


def complete_head_boxes(observations: pd.DataFrame, class_place: np.ndarray | None = None) -> pd.DataFrame:
    """Fill the head box where no head was seen: by the student's own median place, else the class's, else ``PRIOR``.

    Args:
        observations: rows with ``student``, the body box and the head box (NaN where not seen).
        class_place: ``usual_place`` of the class, where the rows are of some of it only.

    Returns:
        a copy without NaN in the head box wherever there is a body box.
    """
    table = observations.copy()
    boxes, heads = table[list(BOX)].to_numpy(float), table[list(HEAD_BOX)].to_numpy(float)
    place = pd.DataFrame(share_of_box(heads, boxes), index=table.index)
    seen = place.notna().all(axis=1)
    if class_place is None:
        class_place = usual_place(table)
    if class_place is None:
        class_place = np.array(PRIOR)
    own = place[seen].groupby(table.loc[seen, "student"])
    own_place = own.median()[own.size() >= ENOUGH_FACES]
    wanted = own_place.reindex(table["student"]).to_numpy(float)
    wanted = np.where(np.isnan(wanted), class_place, wanted)
    table[list(HEAD_BOX)] = np.where(np.isnan(heads), from_share(wanted, boxes), heads)
    return table
