"""How well behaviours are found and named: AP as the papers report it, and F1 of annotated students."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torchvision.ops import box_iou

from benchmarks import common
from benchmarks.average_precision import precision
from benchmarks.classes import NMS_IOU, Found, Reader, judged
from benchmarks.matching import score
from models.training.annotations import AnnotatedImage, read_coco
from models.yolo import BEHAVIOURS, GROUP
from pipeline.detect import DetectSettings


def on_behaviours(designs: dict[str, Reader], folder: Path, limit: int | None) -> list[dict[str, Any]]:
    """AP of boxes with behaviours, as the papers on these sets measure it, and how well students are named."""
    images = common.spread(read_coco(folder / "val.json", folder / "images", BEHAVIOURS), limit)
    figures: list[dict[str, Any]] = []
    for design, reader in designs.items():
        average = precision(judged(reader, images), BEHAVIOURS)
        named = macro_f1(reader, images, DetectSettings().confidence)
        figures.append(
            {"design": design, "map50": average.map50, "map50_95": average.map50_95, "ap50": average.ap50}
            | {"counts": average.counts}
            | named
        )
    common.print_table(
        "Behaviours on val, same cameras as train, moments apart (this is what papers report)",
        ["design", "mAP50", "mAP50-95", "macro-F1", "named right"],
        [
            [
                f["design"],
                common.with_interval(f["map50"]),
                common.with_interval(f["map50_95"]),
                f"{f['macro_f1']:.3f}",
                f"{f['right']:.3f}",
            ]
            for f in figures
        ],
    )
    common.print_table(
        "AP50 by behaviour",
        ["behaviour", "boxes", *(f["design"] for f in figures)],
        [
            [name, figures[0]["counts"][name], *(common.with_interval(f["ap50"][name]) for f in figures)]
            for name in BEHAVIOURS
        ],
    )
    return figures


def macro_f1(reader: Reader, images: Sequence[AnnotatedImage], confidence: float) -> dict[str, Any]:
    """How well annotated single students are named: F1 by behaviour, their mean, and the share named right.

    A true student is named by the likeliest behaviour of the box that matches it; one without a box is named wrongly.
    """
    names = [name for name in BEHAVIOURS if name != GROUP]
    table = np.zeros((len(BEHAVIOURS), len(BEHAVIOURS) + 1), int)  # last column: not found
    for image in images:
        found = reader(cv2.imread(str(image.path)))
        boxes, best = _likeliest(found, confidence)
        single = [name != GROUP for name in image.labels]
        truth = image.boxes_xyxy[single]
        overlap, own = score(truth, boxes)
        for row, name in enumerate(np.array(image.labels)[single]):
            column = int(best[overlap[row].argmax()]) if own[row] > 0 else len(BEHAVIOURS)
            table[BEHAVIOURS.index(name), column] += 1
    hit = table[np.arange(len(BEHAVIOURS)), np.arange(len(BEHAVIOURS))]
    f1 = 2 * hit / np.maximum(table.sum(axis=1) + table[:, :-1].sum(axis=0), 1)
    there = [name for name in names if table[BEHAVIOURS.index(name)].sum()]
    by_name = {name: float(f1[BEHAVIOURS.index(name)]) for name in there}
    return {
        "macro_f1": float(np.mean(list(by_name.values()))),
        "f1": by_name,
        "right": float(hit.sum() / max(table.sum(), 1)),
        "confusion": table.tolist(),
    }


def _likeliest(found: Found, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Single students' boxes (n, 4) whose scores sum to ``confidence`` or more, and each one's likeliest behaviour."""
    group = found.classes == BEHAVIOURS.index(GROUP)
    boxes, scores, classes = found.boxes_xyxy[~group], found.scores[~group], found.classes[~group]
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    ordered = torch.from_numpy(boxes[order]).float()
    overlap = box_iou(ordered, ordered).numpy()
    total = np.zeros(len(order))
    for place in range(len(order)):
        near = [other for other in kept if overlap[place, other] > NMS_IOU]
        if near:
            total[near[0]] += scores[order[place]]
        else:
            kept.append(place)
            total[place] = scores[order[place]]
    chosen = [order[place] for place in kept if total[place] >= confidence]
    return boxes[chosen], classes[chosen]
