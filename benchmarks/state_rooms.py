"""Annotated classroom stills as one-second lectures: what the students of each room are seen to do, as observations.

Detector and behaviour classifier of each room are those of a fold that never saw it (``benchmarks.rooms``), where their
files are there. Heads and faces are read by the shipped readers, which saw none of these rooms.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks import common
from benchmarks.classes import Network
from benchmarks.matching import score
from models.behaviour import WEIGHTS, BehaviourModel
from models.registry import find_weights
from models.states import State
from models.training.annotations import AnnotatedImage, read_coco
from models.training.detection import STUDENT
from models.yolo import BEHAVIOURS, GROUP
from pipeline.detect import Detections, DetectSettings, in_groups
from pipeline.faces import FaceReader, FaceSettings
from pipeline.heads import HeadReader, HeadSettings
from pipeline.observations import ObservationBuffer

STATE_OF = {
    "write": State.TAKING_NOTES,
    "read": State.TAKING_NOTES,
    "lookup": State.ATTENTIVE,
    "raise_hand": State.ATTENTIVE,
    "stand": State.ATTENTIVE,
    "turn_head": State.DISTRACTED,
    GROUP: State.DISCUSSING,
}
"""What an annotated behaviour says of the state. A pupil who stands answers; one who turns the head may do so to a
speaker, so this is an approximation."""


def observe(data: Path, folds: Path, rooms: tuple[str, ...] = ("A", "B", "C")) -> pd.DataFrame:
    """One row per annotated student: the columns of observations, plus ``room``, ``image``, ``truth`` (behaviour),
    ``unseen_room`` (whether a fold's weights were used).
    """
    classroom = data / "classroom"
    splits = ("train", "val")
    every = [i for s in splits for i in read_coco(classroom / f"{s}.json", classroom / "images", BEHAVIOURS)]
    tables = []
    with FaceReader(FaceSettings()) as faces:
        for room in rooms:
            students, crops = folds / f"students-without-{room}.pt", folds / f"behaviour-without-{room}.pt"
            honest = students.is_file() and crops.is_file()
            if not honest:
                common.say(f"room {room}: no fold without it in {folds}; the shipped weights, which saw it, are used")
            network = Network(str(students) if honest else DetectSettings().weights, DetectSettings().imgsz)
            model = BehaviourModel(find_weights(str(crops if honest else WEIGHTS)))
            for number, image in enumerate(i for i in every if i.room == room):
                table = _one(image, network, model, faces)
                tables.append(table.assign(room=room, image=f"{room}{number}", unseen_room=honest))
    return pd.concat(tables, ignore_index=True)


def _one(image: AnnotatedImage, network: Network, model: BehaviourModel, face_reader: FaceReader) -> pd.DataFrame:
    """The students of one still: the annotated single ones, and in annotated groups those the detector finds."""
    picture = cv2.imread(str(image.path))
    found = network.find(picture)
    sure = found.scores >= DetectSettings().confidence
    students = sure & (found.classes == next(n for n, name in network.names.items() if name == STUDENT))
    groups = sure & np.isin(found.classes, [n for n, name in network.names.items() if name == GROUP])
    single = np.array([name != GROUP for name in image.labels], bool)
    boxes, labels = image.boxes_xyxy[single], list(np.array(image.labels, object)[single])
    free = found.boxes_xyxy[students]
    if len(boxes) and len(free):
        free = free[score(free, boxes)[0].max(axis=1) < 0.3]
    grouped = free[_inside(free, image.boxes_xyxy[~single])]
    boxes = np.concatenate([boxes, grouped]).astype(np.float32)
    labels += [GROUP] * len(grouped)
    behaviours = np.zeros((len(boxes), len(BEHAVIOURS)), np.float32)
    behaviours[:, BEHAVIOURS.index(GROUP)] = in_groups(boxes, found.boxes_xyxy[groups], found.scores[groups])
    behaviours += (1 - behaviours.sum(axis=1, keepdims=True)) * model.read(picture, boxes)
    faces = face_reader.read(picture, boxes)
    heads = HeadReader(HeadSettings()).read(picture, boxes, np.arange(len(boxes)), faces.head_xyxy, faces.pose_deg)
    faces.head_xyxy[:], faces.pose_deg[:] = heads.head_xyxy, heads.pose_deg
    buffer = ObservationBuffer(BEHAVIOURS)
    detections = Detections(boxes, np.ones(len(boxes), np.float32), behaviours)
    buffer.add(0, 0.0, np.arange(1, len(boxes) + 1), detections, faces)
    table = buffer.table().rename(columns={"track": "student"})
    return table.assign(observed=True, motion=np.nan, truth=labels)


def _inside(boxes_xyxy: np.ndarray, areas_xyxy: np.ndarray) -> np.ndarray:
    """Whether the middle of each box (n, 4) lies in any of the areas (m, 4)."""
    middle = (boxes_xyxy[:, None, :2] + boxes_xyxy[:, None, 2:]) / 2
    within = (middle >= areas_xyxy[None, :, :2]) & (middle <= areas_xyxy[None, :, 2:])
    return within.all(axis=2).any(axis=1)
