"""Average precision of detections by class, as Ultralytics and the papers count it, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torchvision.ops import box_iou
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils.metrics import ap_per_class

from benchmarks.common import SEED

IOUS = torch.linspace(0.5, 0.95, 10)
"""Overlaps that AP50-95 is the mean over."""

RESAMPLES = 300


@dataclass(frozen=True)
class Judged:
    """The detections of one image against its truth.

    Attributes:
        hits: (m, 10) whether a detection finds a true box of its class, at each of ``IOUS``.
        scores: (m,).
        classes: (m,) int.
        truth: (n,) int, classes of the true boxes.
    """

    hits: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    truth: np.ndarray


def judge(
    boxes_xyxy: np.ndarray, scores: np.ndarray, classes: np.ndarray, true_xyxy: np.ndarray, true_classes: np.ndarray
) -> Judged:
    """Match detections (m, 4) to true boxes (n, 4) of the same class, each at most once."""
    hits = np.zeros((len(scores), len(IOUS)), bool)
    if len(scores) and len(true_classes):
        overlap = box_iou(torch.from_numpy(true_xyxy).float(), torch.from_numpy(boxes_xyxy).float())
        found, true = torch.from_numpy(classes).int(), torch.from_numpy(true_classes).int()
        holder: Any = SimpleNamespace(iouv=IOUS)
        hits = DetectionValidator.match_predictions(holder, found, true, overlap).numpy()
    return Judged(hits, scores, classes, true_classes)


def class_precision(images: Sequence[Judged], classes: int) -> np.ndarray:
    """(classes, 10) AP by class and overlap; NaN for classes that the truth does not hold."""
    hits, scores, found, truth = (
        np.concatenate([getattr(image, name) for image in images]) for name in ("hits", "scores", "classes", "truth")
    )
    made = np.full((classes, len(IOUS)), np.nan)
    if len(truth):
        average, present = ap_per_class(hits, scores, found, truth)[5:7]
        made[present.astype(int)] = average
    return made


@dataclass(frozen=True)
class Precision:
    """AP of a set of images: value and 95 % interval (percentile bootstrap over the images), each a triple.

    Attributes:
        map50: mean over classes at IoU 0.5.
        map50_95: mean over classes and ``IOUS``.
        ap50: by class, at IoU 0.5.
        counts: true boxes by class.
    """

    map50: tuple[float, float, float]
    map50_95: tuple[float, float, float]
    ap50: dict[str, tuple[float, float, float]]
    counts: dict[str, int]


def precision(images: Sequence[Judged], names: Sequence[str]) -> Precision:
    """AP with intervals; a class that a resample does not hold is left out of that resample's mean."""
    rng = np.random.default_rng(SEED)
    values = [class_precision(images, len(names))]
    for _ in range(RESAMPLES):
        chosen = rng.integers(len(images), size=len(images))
        values.append(class_precision([images[i] for i in chosen], len(names)))
    every = np.stack(values)  # (1 + resamples, classes, overlaps)
    truth = np.concatenate([image.truth for image in images])
    return Precision(
        _triple(np.nanmean(every[:, :, 0], axis=1)),
        _triple(np.nanmean(every, axis=(1, 2))),
        {name: _triple(every[:, i, 0]) for i, name in enumerate(names)},
        {name: int((truth == i).sum()) for i, name in enumerate(names)},
    )


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    rest = values[1:][~np.isnan(values[1:])]
    low, high = np.percentile(rest, [2.5, 97.5]) if len(rest) else (np.nan, np.nan)
    return float(values[0]), float(low), float(high)
