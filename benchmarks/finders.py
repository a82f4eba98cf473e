"""Detectors asked for the boxes of one picture, and how they do on the demo clip."""

from __future__ import annotations

import csv
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import common
from benchmarks.classes import AnyStudent
from benchmarks.matching import MATCH_IOU, boxes, score
from models.training.detection import DetectorRun
from pipeline.detect import DetectSettings, UltralyticsDetector
from pipeline.video import VideoReader

KEPT_OUT = DetectorRun().views_kept_out

KEEP_NESTED = 1.0
"""Value of ``DetectSettings.nested`` that drops no box: what the network says, called raw in the tables."""

Figures = list[dict[str, Any]]

Finder = UltralyticsDetector | AnyStudent


def find(detector: Finder, image: Path | np.ndarray) -> np.ndarray:
    """(m, 4) px boxes of one image or image file."""
    pixels = image if isinstance(image, np.ndarray) else cv2.imread(str(image))
    if pixels is None:
        raise FileNotFoundError(f"{image}: cannot be read as an image")
    return detector.detect([pixels])[0].boxes_xyxy


def about(detector: Finder) -> dict[str, Any]:
    """Which detector a row is of."""
    raw = " (raw)" if detector.settings.nested == KEEP_NESTED else ""
    settings = detector.settings
    return {"model": detector.weights.path.stem + raw, "imgsz": settings.imgsz, "confidence": settings.confidence}


def lecture_heads(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """The stills kept out of training, the last of the lecture: (h, w, 3) BGR, each with its (n, 4) px heads."""
    heads: dict[str, list[list[float]]] = defaultdict(list)
    with (folder / "heads.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            heads[row["image"]].append([float(row[side]) for side in ("x1", "y1", "x2", "y2")])
    return [(cv2.imread(str(folder / "images" / name)), np.array(heads[name])) for name in sorted(heads)[-KEPT_OUT:]]


def found_heads(students_xyxy: np.ndarray, heads_xyxy: np.ndarray) -> np.ndarray:
    """(n,) whether the centre of a head lies in a student's box."""
    centre = (heads_xyxy[:, None, :2] + heads_xyxy[:, None, 2:]) / 2
    return ((centre >= students_xyxy[:, :2]) & (centre <= students_xyxy[:, 2:])).all(axis=2).any(axis=1)


def on_demo(detectors: Sequence[Finder], every: int) -> Figures:
    """Recall, precision, fit, student count and misses on every ``every``-th frame of the demo clip."""
    truth = common.demo_truth()
    with VideoReader(common.DEMO_CLIP) as reader:
        frames = [(frame.t, truth[frame.index], frame.image) for frame in reader.frames() if frame.index % every == 0]
    figures: Figures = []
    for detector in detectors:
        find(detector, frames[0][2])  # the first call sets up
        counts, overlaps, milliseconds = [], [], []
        misses: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for t, people, image in frames:
            begin = time.perf_counter()
            found = find(detector, image)
            milliseconds.append(1000 * (time.perf_counter() - begin))
            iou, own = score(boxes(person["visible_bbox"] for person in people), found)
            counts.append((int((own > 0).sum()), *iou.shape))
            overlaps += own[own > 0].tolist()
            for row in np.flatnonzero(own == 0):
                misses[people[row]["seat"]].append((t, float(iou[row].max(initial=0))))
        hits, there, boxes_in = zip(*counts, strict=True)
        off = np.abs(np.subtract(boxes_in, there))
        figures.append(
            about(detector)
            | {"recall": common.ratio_interval(hits, there), "precision": common.ratio_interval(hits, boxes_in)}
            | {"mean_iou": float(np.mean(overlaps)), "ms": float(np.median(milliseconds))}
            | {"people": sum(there), "boxes": sum(boxes_in)}
            | {"count_off": float(off.mean()), "count_right": float((off == 0).mean()), "misses": misses}
        )
    rows, lost_rows = [], []
    for f in figures:
        name = [f["model"], f["imgsz"]]
        rates = [common.with_interval(f["recall"]), common.with_interval(f["precision"])]
        tally = [f"{f['boxes']}/{f['people']}", f"{f['count_off']:.2f}", f"{f['count_right']:.0%}"]
        rows.append([*name, *rates, f"{f['mean_iou']:.2f}", f"{f['ms']:.0f}", *tally])
        for seat, lost in sorted(f["misses"].items()):
            times, best = zip(*lost, strict=True)
            when = common.spans(times, every / reader.info.fps)
            lost_rows.append([*name, seat, len(lost), f"{np.median(best):.2f}", when])
    common.print_table(
        f"Demo clip: {len(frames)} frames, IoU {MATCH_IOU}, confidence {DetectSettings().confidence}",
        [
            "model",
            "imgsz",
            "recall",
            "precision",
            "mean IoU",
            "ms/frame",
            "boxes/people",
            "count off by",
            "count right",
        ],
        rows,
    )
    columns = ["model", "imgsz", "seat", "frames missed", "best IoU", "when (s)"]
    common.print_table("Misses by seat (best IoU: of any box with the person, median)", columns, lost_rows)
    return figures
