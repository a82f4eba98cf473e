"""Who is who: true identities and boxes of recordings, and how well numbers given to boxes agree with them.

Figures are TrackEval's (Luiten et al. 2021, the reference for HOTA): HOTA with its detection and association parts,
IDF1 (Ristani et al. 2016), MOTA and identity switches (Bernardin & Stiefelhagen 2008).
"""

from __future__ import annotations

import configparser
import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torchvision.ops import box_iou
from trackeval.metrics import CLEAR, HOTA, Identity

from benchmarks import common
from benchmarks.matching import MATCH_IOU
from pipeline.detect import Detections

Known = tuple[np.ndarray, np.ndarray]
"""The people of one frame: (n,) int identities, no two alike; (n, 4) px boxes."""

NOBODY: Known = (np.zeros(0, int), np.zeros((0, 4)))


@dataclass(frozen=True)
class Scene:
    """What trackers are given, and the truth; every list has one entry per analysed frame.

    Attributes:
        name: of the recording.
        interval_s: nominal s between frames.
        times: s.
        found: boxes found.
        looks: (n, d) unit appearance vectors of the boxes found; equal ones where there is no picture.
        truth: the people really there.
    """

    name: str
    interval_s: float
    times: list[float]
    found: list[Detections]
    looks: list[np.ndarray]
    truth: list[Known]


@dataclass(frozen=True)
class Scores:
    """How well numbers agree with identities; the first five in percent."""

    hota: float
    det_a: float
    ass_a: float
    idf1: float
    mota: float
    switches: int
    ids: int
    people: int


@dataclass(frozen=True)
class Switch:
    """A person who is followed under another number than before."""

    frame: int
    person: int
    before: int
    after: int


def read_mot(path: Path, frames: int) -> list[Known]:
    """True people of a file in MOT format (frames from 1; identity, left, top, width, height, flag).

    Rows with flag 0 are no targets (Leal-Taixé et al. 2015) and left out.
    """
    return [
        (np.array([int(row[0]) for row in rows], int), _corners(row[1:5] for row in rows))
        for rows in _by_frame(path, frames, lambda row: row[5] != 0)
    ]


def read_detections(path: Path, frames: int) -> list[Detections]:
    """Boxes of a file in MOT format, with their scores."""
    return [
        detections(_corners(row[1:5] for row in rows), np.array([row[5] for row in rows], np.float32))
        for rows in _by_frame(path, frames, lambda _: True)
    ]


def detections(boxes_xyxy: np.ndarray, scores: np.ndarray) -> Detections:
    """Boxes of people of whom no behaviour is known."""
    return Detections(boxes_xyxy.astype(np.float32), scores.astype(np.float32), np.zeros((len(scores), 0), np.float32))


def mot15(folder: Path) -> Scene:
    """One sequence with its public detections; there are no pictures, so everybody looks the same."""
    about = configparser.ConfigParser()
    about.read(folder / "seqinfo.ini", encoding="utf-8")
    frames, interval = about.getint("Sequence", "seqLength"), 1 / about.getfloat("Sequence", "frameRate")
    found = read_detections(folder / "det.txt", frames)
    looks = [np.ones((len(boxes), 1), np.float32) for boxes in found]
    truth = read_mot(folder / "gt.txt", frames)
    return Scene(folder.name, interval, [interval * frame for frame in range(frames)], found, looks, truth)


def demo_truth() -> list[Known]:
    """The demo clip, every frame: what is visible of each person."""
    return [
        (np.array([p["id"] for p in people], int), np.array([p["visible_bbox"] for p in people], float).reshape(-1, 4))
        for people in common.demo_truth()
    ]


def score(truth: Sequence[Known], numbered: Sequence[Known]) -> Scores:
    """All figures; boxes belong together at IoU ``MATCH_IOU`` (HOTA: the mean over 0.05 to 0.95).

    Args:
        truth, numbered: one entry per frame each.
    """
    people, wanted = _dense([who for who, _ in truth])
    ids, given = _dense([who for who, _ in numbered])
    overlaps = [iou(true, boxes) for (_, true), (_, boxes) in zip(truth, numbered, strict=True)]
    data = {
        "gt_ids": wanted,
        "tracker_ids": given,
        "similarity_scores": overlaps,
        "num_gt_ids": people,
        "num_tracker_ids": ids,
        "num_gt_dets": sum(map(len, wanted)),
        "num_tracker_dets": sum(map(len, given)),
        "num_timesteps": len(truth),
    }
    hota = HOTA().eval_sequence(data)
    clear = CLEAR({"THRESHOLD": MATCH_IOU, "PRINT_CONFIG": False}).eval_sequence(data)
    identity = Identity({"THRESHOLD": MATCH_IOU, "PRINT_CONFIG": False}).eval_sequence(data)
    return Scores(
        *(float(100 * np.mean(hota[part])) for part in ("HOTA", "DetA", "AssA")),
        idf1=float(100 * identity["IDF1"]),
        mota=float(100 * clear["MOTA"]),
        switches=int(clear["IDSW"]),
        ids=ids,
        people=people,
    )


def switches(truth: Sequence[Known], numbered: Sequence[Known]) -> Iterator[Switch]:
    """Each change of the number under which a person is found, for looking at what went wrong.

    Matched by overlap alone, without CLEAR's preference for the number of the frame before: counts differ a little.
    """
    number_of: dict[int, int] = {}
    for frame, ((people, _), (numbers, _)) in enumerate(zip(truth, numbered, strict=True)):
        for row, column in matches(truth[frame][1], numbered[frame][1]):
            person, number = int(people[row]), int(numbers[column])
            if number_of.setdefault(person, number) != number:
                yield Switch(frame, person, number_of[person], number)
                number_of[person] = number


def perfect(scene: Scene) -> list[np.ndarray]:
    """Per frame the (n,) true identity of each box found, 0 for nobody's: the best any tracker could say."""
    said = []
    for found, (people, boxes) in zip(scene.found, scene.truth, strict=True):
        numbers = np.zeros(len(found), int)
        for row, column in matches(boxes, found.boxes_xyxy):
            numbers[column] = people[row]
        said.append(numbers)
    return said


def matches(truth_xyxy: np.ndarray, found_xyxy: np.ndarray) -> list[tuple[int, int]]:
    """(true, found) rows that belong together at ``MATCH_IOU``, the sum of overlaps largest."""
    overlap = iou(truth_xyxy, found_xyxy)
    good = np.where(overlap >= MATCH_IOU, overlap, 0.0)
    pairs = zip(*linear_sum_assignment(good, maximize=True), strict=True)
    return [(row, column) for row, column in pairs if good[row, column]]


def iou(one_xyxy: np.ndarray, other_xyxy: np.ndarray) -> np.ndarray:
    """(n, m) overlaps."""
    one, other = (torch.from_numpy(np.array(boxes, float).reshape(-1, 4)) for boxes in (one_xyxy, other_xyxy))
    return box_iou(one, other).numpy()


def _dense(identities: Sequence[np.ndarray]) -> tuple[int, list[np.ndarray]]:
    """How many there are, and per frame the same ones counted from 0, as TrackEval wants them."""
    there = np.unique(np.concatenate([*identities, np.zeros(0, int)]))
    return len(there), [np.searchsorted(there, who).astype(int) for who in identities]


def _by_frame(path: Path, frames: int, wanted: Callable[[list[float]], bool]) -> list[list[list[float]]]:
    """Rows of a MOT file without their frame number, for each frame."""
    rows: dict[int, list[list[float]]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.reader(file):
            values = [float(value) for value in line[:7]]
            if wanted(values[1:]):
                rows[int(values[0])].append(values[1:])
    return [rows[frame] for frame in range(1, frames + 1)]


def _corners(rows: Iterable[list[float]]) -> np.ndarray:
    boxes = np.array(list(rows), float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes
