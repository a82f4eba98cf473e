"""The demo clip's ground truth, as a perfect detector and a fair appearance descriptor would see it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from pipeline.detect import Detections
from pipeline.video import VideoReader

DEMO = Path(__file__).parents[1] / "demo"
FPS, FRAMES, PEOPLE = 10, 400, 12
WHO_LEAVES = 9
"""Walks out at 11.6 s, comes back into view at 25.7 s and sits on the same seat at 28.2 s."""


HEADS = 3.0
"""Heights of the head after which a seated person's box ends: at the desk. The truth goes on to shoes seen below."""


@cache
def _frames() -> list[dict]:
    with gzip.open(DEMO / "classroom_truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [record for record in map(json.loads, lines) if record["type"] == "frame"]


def picture(frame: int) -> np.ndarray:
    """(720, 1280, 3) uint8 BGR of one frame."""
    with VideoReader(DEMO / "classroom.mp4") as reader:
        return next(islice(reader.frames(), frame, None)).image


def visible(frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids (n,) and visible boxes (n, 4) px of the people seen in one frame."""
    people = [person for person in _frames()[frame]["persons"] if person["visible"]]
    return (
        np.array([person["id"] for person in people], int),
        np.array([person["visible_bbox"] for person in people], float).reshape(-1, 4),
    )


def upper_bodies(frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Like ``visible``, each box cut ``HEADS`` below its top, as detectors do it."""
    ids, boxes = visible(frame)
    heads = [person["head_bbox"] for person in _frames()[frame]["persons"] if person["visible"]]
    longest = [HEADS * (head[3] - head[1]) if head else np.inf for head in heads]  # None: outside the picture
    boxes[:, 3] = np.minimum(boxes[:, 3], boxes[:, 1] + longest)
    return ids, boxes


def lecture(rate: int) -> Iterator[tuple[int, float, np.ndarray, Detections]]:
    """Frame, time (s), ids and detections (``upper_bodies``) at ``rate`` frames per second, a divisor of 10."""
    for frame in range(0, FRAMES, FPS // rate):
        ids, boxes = upper_bodies(frame)
        yield frame, frame / FPS, ids, people(boxes)


def people(boxes_xyxy: np.ndarray, score: float = 0.9) -> Detections:
    """Detections without behaviours."""
    boxes = np.asarray(boxes_xyxy, np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(len(boxes), score, np.float32), np.zeros((len(boxes), 0), np.float32))


def looks(ids: np.ndarray, rng: np.random.Generator, noise: float = 0.1, dimensions: int = 64) -> np.ndarray:
    """(n, d) unit vectors: each id's own direction, blurred; without negative entries, like roots of histograms."""
    vectors = [np.random.default_rng(int(i)).dirichlet(np.full(dimensions, 0.2)) ** 0.5 for i in ids]
    blurred = np.abs(np.array(vectors).reshape(-1, dimensions) + rng.normal(0, noise, (len(ids), dimensions)) / 8)
    return (blurred / np.linalg.norm(blurred, axis=1, keepdims=True)).astype(np.float32)


def iou(one_xyxy: np.ndarray, other_xyxy: np.ndarray) -> np.ndarray:
    """(n, m) intersection over union."""
    low = np.maximum(one_xyxy[:, None, :2], other_xyxy[None, :, :2])
    high = np.minimum(one_xyxy[:, None, 2:], other_xyxy[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    area_one = (one_xyxy[:, 2:] - one_xyxy[:, :2]).prod(axis=1)
    area_other = (other_xyxy[:, 2:] - other_xyxy[:, :2]).prod(axis=1)
    return shared / (area_one[:, None] + area_other - shared)
