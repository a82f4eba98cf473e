"""Find students in frames: boxes, scores and behaviour scores.

``Detector`` is the small contract the rest of the pipeline knows; ``UltralyticsDetector`` fulfils it with any
Ultralytics detection model.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.errors import ModelFileError
from models.registry import DEFAULT_DETECTOR, WeightsFile, find_weights
from pipeline.errors import InputError

STUDENT_CLASSES = ("student", "person")
"""Class names that mean "a person", best first; a model with neither must name behaviours instead."""

BEHAVIOURS = ("write", "read", "lookup", "turn_head", "raise_hand", "stand", "discuss")
"""Behaviour classes of the classroom sets (ClaBehavior; Wang et al. 2023, Systems 11(7):372)."""


class DetectSettings(BaseModel):
    """How students are found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = Field(DEFAULT_DETECTOR, description="name of shipped or official weights, or a path")
    imgsz: int = Field(960, ge=160, le=4096, description="longer side of the network's input, px")
    confidence: float = Field(
        0.25, gt=0, lt=1, description="lowest score kept; higher loses back rows, lower adds bags and coats"
    )
    iou: float = Field(0.6, gt=0, lt=1, description="overlap above which the weaker of two boxes is dropped")
    nested: float = Field(
        0.85,
        gt=0,
        le=1,
        description="share of a box inside another, with one top or bottom, above which both are one person",
    )
    max_students: int = Field(200, ge=1, description="most boxes per frame")
    batch: int = Field(4, ge=1, description="frames per network call")


@dataclass(frozen=True)
class Detections:
    """The people of one frame.

    Attributes:
        boxes_xyxy: (n, 4) float32, px of the frame.
        scores: (n,) float32, 0 to 1.
        behaviours: (n, k) float32, 0 to 1, for the detector's k ``behaviour_names``; k may be 0.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    behaviours: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def keep(self, index: np.ndarray) -> Detections:
        """The detections at ``index`` (integers or a mask)."""
        return Detections(self.boxes_xyxy[index], self.scores[index], self.behaviours[index])


class Detector(Protocol):
    """What the pipeline needs of a detector."""

    behaviour_names: tuple[str, ...]
    weights: WeightsFile

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """Detections of each (h, w, 3) uint8 BGR image, all of one size."""
        ...


def choose_device(name: str) -> str:
    """Resolve ``auto`` to the first CUDA device or the CPU.

    Raises:
        InputError: not ``auto``, ``cpu`` or ``cuda:N``, or no such device here.
    """
    import torch  # takes seconds: not before a video has been found readable

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda:0" if count else "cpu"
    if name == "cpu":
        return name
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number or "0").isdecimal():
        raise InputError(f"device {name!r} is not known; use auto, cpu or cuda:N")
    if int(number or 0) >= count:
        raise InputError(f"device {name!r} is not here ({count} CUDA devices found); use --device cpu or auto")
    return f"cuda:{int(number or 0)}"


class UltralyticsDetector:
    """Any Ultralytics detection model; COCO's ``person`` counts as student."""

    def __init__(self, settings: DetectSettings, device: str = "auto") -> None:
        """Load the model.

        Raises:
            ModelFileError: the weights are not found, or are not a detection model that knows people.
            InputError: the device does not exist.
        """
        self.settings = settings
        self.device = choose_device(device)
        self.weights = find_weights(settings.weights)
        self._model = _load(self.weights)
        names: dict[int, str] = dict(self._model.names)
        self._classes, self.behaviour_names = _read_classes(names, self.weights)
        self._behaviour_of = {i: self.behaviour_names.index(n) for i, n in names.items() if n in self.behaviour_names}

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """See ``Detector.detect``."""
        if not images:
            return []
        import torch

        threads = torch.get_num_threads()
        results = self._model.predict(
            list(images),
            imgsz=self.settings.imgsz,
            conf=self.settings.confidence,
            iou=self.settings.iou,
            classes=self._classes,
            agnostic_nms=True,
            max_det=self.settings.max_students,
            quantize=16 if self.device != "cpu" else None,
            device=self.device,
            verbose=False,
        )
        torch.set_num_threads(threads)  # Ultralytics leaves one core idle: of two, that is half the speed
        return [self._one(result) for result in results]

    def _one(self, result: Any) -> Detections:
        boxes = result.boxes.xyxy.float().cpu().numpy()
        scores = result.boxes.conf.float().cpu().numpy()
        behaviours = np.zeros((len(boxes), len(self.behaviour_names)), np.float32)
        for row, label in enumerate(result.boxes.cls.int().tolist()):
            if label in self._behaviour_of:
                behaviours[row, self._behaviour_of[label]] = scores[row]
        keep = distinct_people(boxes, scores, self.settings.nested)
        return Detections(boxes, scores, behaviours).keep(keep)


def distinct_people(boxes_xyxy: np.ndarray, scores: np.ndarray, nested: float) -> np.ndarray:
    """Which boxes to keep so that nobody has two: an upper body inside the whole body of the same person.

    Two boxes are one person when most of the smaller lies in the larger, the widths are alike, and they share the top
    (an upper body in a whole one) or the bottom (a body without its raised arm). A person in front of another has the
    box lower down, one far behind a narrower one. Of the two, the more confident stays.

    Args:
        boxes_xyxy: (n, 4) px.
        scores: (n,).
        nested: share of the smaller box inside the larger, 0 to 1.

    Returns:
        indices of the boxes to keep, in their order.
    """
    if len(boxes_xyxy) < 2:
        return np.arange(len(boxes_xyxy))
    x1, y1, x2, y2 = boxes_xyxy.T
    width, height = x2 - x1, y2 - y1
    area = width * height
    overlap_w = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    overlap_h = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
    inside = overlap_w.clip(0) * overlap_h.clip(0) / np.maximum(np.minimum(area[:, None], area), 1e-6)
    smaller_height = np.minimum(height[:, None], height)
    smaller_width, larger_width = np.minimum(width[:, None], width), np.maximum(width[:, None], width)
    same_top = np.abs(y1[:, None] - y1) < 0.15 * smaller_height
    same_bottom = np.abs(y2[:, None] - y2) < 0.08 * smaller_height
    same_middle = np.abs((x1 + x2)[:, None] - (x1 + x2)) / 2 < 0.3 * smaller_width
    duplicate = (inside > nested) & (same_top | same_bottom) & same_middle & (smaller_width > 0.65 * larger_width)
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if not duplicate[index, kept].any():
            kept.append(int(index))
    return np.sort(np.array(kept, dtype=int))


def _load(weights: WeightsFile) -> Any:
    _keep_ultralytics_quiet()
    from ultralytics import YOLO

    try:
        # Ultralytics prints to stdout what it would rather raise
        with Path(os.devnull).open("w") as null, contextlib.redirect_stdout(null):
            model = YOLO(str(weights.path), task="detect")
            loaded = hasattr(model.model, "model")
    except Exception as error:  # any damage inside the file surfaces as any exception of pickle, zip or torch
        raise ModelFileError(
            f"{weights.path.name}: is not an Ultralytics model ({type(error).__name__});"
            " give a detection model's .pt file or an official name such as yolo26n.pt"
        ) from error
    if not loaded or model.task != "detect":
        kind = f"a model for the task {model.task!r}" if loaded else "no Ultralytics network"
        raise ModelFileError(f"{weights.path.name}: holds {kind}; give a detection model's .pt file")
    return model


def _keep_ultralytics_quiet() -> None:
    """No telemetry, no package installs of its own, no log lines between ours."""
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_OFFLINE", "true")  # else it asks public name servers whether it is online
    os.environ.setdefault("YOLO_VERBOSE", "false")
    from ultralytics.utils import SETTINGS

    if SETTINGS.get("sync", False):
        SETTINGS.update(sync=False)


def _read_classes(names: dict[int, str], weights: WeightsFile) -> tuple[list[int], tuple[str, ...]]:
    for wanted in STUDENT_CLASSES:
        if wanted in names.values():
            return [i for i, name in names.items() if name == wanted], ()
    behaviours = tuple(name for name in BEHAVIOURS if name in names.values())
    if not behaviours:
        known = ", ".join(list(names.values())[:5])
        raise ModelFileError(
            f"{weights.path.name}: knows no student, person or classroom behaviour (its classes: {known}, …);"
            " give a model trained on people"
        )
    return [i for i, name in names.items() if name in behaviours], behaviours
