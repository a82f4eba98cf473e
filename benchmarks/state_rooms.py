"""Annotated classroom stills as one-second lectures: what the students of each room are seen to do, as observations.

Detector, behaviour classifier (``benchmarks.rooms``) and head network (``engage train head --without``, or the one
before it saw filmed heads) of each room are those of a fold that never saw it, where their files are there. Faces are
read by the shipped reader, which saw none of these rooms.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from benchmarks import common
from benchmarks.classes import Network
from benchmarks.matching import score
from benchmarks.state_figures import named, print_calibration, print_named
from models.behaviour import WEIGHTS, BehaviourModel
from models.calibration import calibration_error, fit_temperature, temper
from models.registry import find_weights
from models.state_model import posterior
from models.states import Profile, State
from models.training.annotations import AnnotatedImage, read_coco
from models.training.detection import STUDENT
from models.yolo import BEHAVIOURS, GROUP
from pipeline.cues import seconds
from pipeline.detect import Detections, DetectSettings, in_groups
from pipeline.faces import FaceReader, FaceSettings
from pipeline.heads import HeadReader, HeadSettings
from pipeline.observations import ObservationBuffer
from pipeline.session import BEHAVIOUR_PREFIX
from pipeline.settings import Settings

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

SEEN = Profile.OBSERVABLE
"""Nobody annotated inner states in these rooms."""


def judge(data: Path, folds: Path, settings: Settings) -> dict[str, Any]:
    """From behaviours and heads to states, each still a second; a temperature of two rooms tried on the third."""
    observations = observe(data, folds)
    states, parts = [state.value for state in SEEN.states], []
    for _, rows in observations.groupby("room"):
        # a still a second, and nobody known again: the class's forward direction has to do
        rows = rows.assign(
            t=rows["image"].astype("category").cat.codes.astype(float), student=np.arange(1, len(rows) + 1)
        )
        cues = seconds(
            rows.drop(columns=["room", "image", "truth", "unseen_room"]), rows["t"].max() + 1, 1.0, settings.cues
        )
        cues = cues[cues["body"] > 0]
        found = posterior(cues, SEEN, settings.states).drop(columns="t")
        parts.append(found.merge(rows[["student", "truth", "room", "image"]], on="student"))
    answers = pd.concat(parts, ignore_index=True)
    answers["truth"] = answers["truth"].map({behaviour: state.value for behaviour, state in STATE_OF.items()})
    figures: dict[str, Any] = {
        "unseen_room": bool(observations["unseen_room"].all()),
        "answers": _answers(observations),
    }
    for room, rows in [*answers.groupby("room"), ("all", answers)]:
        figures[room] = named(rows, states, by="image")
        print_named(f"Room {room}", figures[room], states)
    print_calibration("Rooms", figures["all"])
    figures["temperature"] = {room: _tempered(answers, room, states) for room in sorted(answers["room"].unique())}
    for room, (temperature, before, after) in figures["temperature"].items():
        common.say(f"temperature of the rooms but {room} {temperature:.2f}: ECE of {room} {before:.3f} -> {after:.3f}")
    return figures


def _answers(observations: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Print and return the likeliest answer of the behaviour classifier by annotated behaviour, all rooms pooled: what
    the behaviour rows of ``models/chances.py`` are made of.
    """
    columns = [f"{BEHAVIOUR_PREFIX}{name}" for name in BEHAVIOURS]
    answer = np.array(BEHAVIOURS)[observations[columns].to_numpy(float).argmax(axis=1)]
    shares = pd.crosstab(observations["truth"].to_numpy(), answer, normalize="index").reindex(
        index=list(BEHAVIOURS), columns=list(BEHAVIOURS), fill_value=0.0
    )
    common.print_table(
        "Rooms never seen, pooled: annotated behaviour by row, likeliest answer by column",
        ["behaviour", *BEHAVIOURS],
        [[name, *(f"{share:.2f}" for share in row)] for name, row in shares.iterrows()],
    )
    return shares.to_dict("index")


def _tempered(answers: pd.DataFrame, room: str, states: list[str]) -> tuple[float, float, float]:
    """The temperature of the other rooms, and the calibration error of this one without and with it."""
    known = answers.dropna(subset=[f"p_{name}" for name in states])
    truth = known["truth"].map({name: number for number, name in enumerate(states)}).to_numpy(int)
    chances, own = known[[f"p_{name}" for name in states]].to_numpy(float), (known["room"] == room).to_numpy()
    temperature = fit_temperature(chances[~own], truth[~own])
    right = chances.argmax(axis=1) == truth
    after = temper(chances, temperature)
    before = calibration_error(chances[own].max(axis=1), right[own])
    return temperature, before, calibration_error(after[own].max(axis=1), right[own])


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
            heads = head_settings(folds, room)
            honest = students.is_file() and crops.is_file() and heads is not None
            if not honest:
                common.say(f"room {room}: no fold without it in {folds}; the shipped weights, which saw it, are used")
            network = Network(str(students) if honest else DetectSettings().weights, DetectSettings().imgsz)
            model = BehaviourModel(find_weights(str(crops if honest else WEIGHTS)))
            for number, image in enumerate(i for i in every if i.room == room):
                table = _one(image, network, model, faces, heads or HeadSettings())
                tables.append(table.assign(room=room, image=f"{room}{number}", unseen_room=honest))
    return pd.concat(tables, ignore_index=True)


def head_settings(folds: Path, without: str) -> HeadSettings | None:
    """Settings with the head network that never saw a group (``benchmarks.real_heads``); None where it is not there."""
    weights = folds / f"head-without-{without}.pt"
    return HeadSettings(weights=str(weights)) if weights.is_file() else None


def _one(
    image: AnnotatedImage, network: Network, model: BehaviourModel, face_reader: FaceReader, heads: HeadSettings
) -> pd.DataFrame:
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
    tracks = np.arange(len(boxes))
    read = HeadReader(heads).read(picture, boxes, tracks, faces.head_xyxy, faces.pose_deg)
    faces.head_xyxy[:], faces.pose_deg[:] = read.head_xyxy, read.pose_deg
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
