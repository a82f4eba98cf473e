"""Find students in frames: boxes, scores and behaviour scores.

``Detector`` is the small contract the rest of the pipeline knows; ``UltralyticsDetector`` fulfils it with any
Ultralytics detection model.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.errors import ModelFileError
from models.exported import find_form
from models.openvino_yolo import OpenVinoYolo
from models.registry import DEFAULT_DETECTOR, WeightsFile, find_weights
from models.tensorrt_yolo import TensorRtYolo, find_engine
from models.yolo import BEHAVIOURS, GROUP, GROUP_SHARE, PEOPLE, Backend, load_yolo, wants_openvino
from pipeline.errors import InputError

if TYPE_CHECKING:
    from models.behaviour import BehaviourModel


CPU_BATCH, GPU_BATCH = 4, 16
BATCH_BYTES = 100_000_000
"""Of the frames of one network call on a GPU; a few calls' worth of frames are in memory at once."""


class DetectSettings(BaseModel):
    """How students are found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = Field(DEFAULT_DETECTOR, description="name of shipped or official weights, or a path")
    imgsz: int = Field(960, ge=160, le=4096, description="longer side of the network's input, px")
    confidence: float = Field(
        0.2, gt=0, lt=1, description="lowest score kept; higher loses back rows, lower adds bags and coats"
    )
    iou: float = Field(0.6, gt=0, lt=1, description="overlap above which the weaker of two boxes is dropped")
    nested: float = Field(
        0.85,
        gt=0,
        le=1,
        description="share of a box inside another, with one top or bottom, above which both are one person",
    )
    behaviour: bool = Field(
        True,
        description="also read what each student does, from the picture of that student; takes about a quarter of the"
        " time that finding students takes",
    )
    max_students: int = Field(200, ge=1, description="most boxes per frame")
    backend: Backend = Field(
        "auto",
        description="what runs the networks; auto: openvino on a CPU where such a form of the weights is there;"
        " tensorrt: on an NVIDIA GPU, the form made by engage train export --tensorrt",
    )
    batch: int | None = Field(
        None, ge=1, description="frames per network call; none given: 4 on a CPU, up to 16 on a GPU"
    )

    def frames_at_once(self, device: str, width: int, height: int) -> int:
        """Frames (``width`` × ``height`` px) per network call on ``device``."""
        if self.batch is not None:
            return self.batch
        if device == "cpu":
            return CPU_BATCH
        return int(np.clip(BATCH_BYTES // max(3 * width * height, 1), CPU_BATCH, GPU_BATCH))


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
    behaviour_weights: WeightsFile | None
    """Of the classifier that reads behaviours, where the detector has one."""

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """Detections of each (h, w, 3) uint8 BGR image, all of one size; behaviours as far as boxes tell them."""
        ...

    def read_behaviours(self, image_bgr: np.ndarray, found: Detections, allowed: np.ndarray) -> Detections:
        """The same detections with the behaviours of the ``allowed`` (mask (n,)) read from their pictures.

        Apart from ``detect``, so that nobody who said no is read: only then is it known who is where. Several threads
        may ask at once.
        """
        ...


def choose_device(name: str) -> str:
    """Resolve ``auto`` to the first CUDA device or the CPU.

    Raises:
        InputError: not ``auto``, ``cpu`` or ``cuda:N``, or no such device here.
    """
    if name == "cpu":
        return name
    count = _cuda_devices()
    if name == "auto":
        return "cuda:0" if count else "cpu"
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number or "0").isdecimal():
        raise InputError(f"device {name!r} is not known; use auto, cpu or cuda:N")
    if int(number or 0) >= count:
        raise InputError(f"device {name!r} is not here ({count} CUDA devices found); use --device cpu or auto")
    return f"cuda:{int(number or 0)}"


def _cuda_devices() -> int:
    """CUDA devices here. PyTorch, which knows, takes seconds to load: not where there is no driver."""
    if not _has_driver():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _has_driver() -> bool:
    """Whether NVIDIA's driver is installed, or AMD's, whose devices PyTorch calls CUDA too."""
    with contextlib.suppress(OSError):
        return bool(ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1"))
    return Path("/dev/kfd").exists()


class UltralyticsDetector:
    """Any Ultralytics detection model; COCO's ``person`` counts as student.

    A model of people is joined by the behaviour classifier (``models/behaviour.py``); one whose classes are behaviours
    needs no other.
    """

    def __init__(self, settings: DetectSettings, device: str = "auto") -> None:
        """Load the model.

        Raises:
            ModelFileError: the weights are not found, or are not a detection model that knows people.
            InputError: the device does not exist.
        """
        self.settings = settings
        self.device = choose_device(device)
        self.weights = find_weights(settings.weights)
        self._model: Any = _load(self.weights, settings, self.device)
        self._classes = _read_classes(dict(self._model.names), self.weights)
        self.behaviour_names = self._classes.behaviours
        self.behaviour_weights: WeightsFile | None = None
        self._reader: BehaviourModel | None = None
        if settings.behaviour and not self.behaviour_names:
            from models.behaviour import WEIGHTS, BehaviourModel

            self.behaviour_weights = find_weights(str(WEIGHTS))
            at_once = min(os.cpu_count() or 1, CPU_BATCH)  # frames
            self._reader = BehaviourModel(
                self.behaviour_weights, self.device, backend=settings.backend, callers=at_once
            )
            self.behaviour_names = self._reader.names

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """See ``Detector.detect``."""
        if not images:
            return []
        asked: dict[str, Any] = {
            "imgsz": self.settings.imgsz,
            "conf": self.settings.confidence,
            "iou": self.settings.iou,
            "classes": self._classes.wanted,
            "agnostic_nms": not self._classes.groups,  # a group's box must not suppress its students
            "max_det": self.settings.max_students,
        }
        if isinstance(self._model, OpenVinoYolo):
            found = self._model.predict(images, **asked)
        else:
            found = self._predicted(images, **asked)
        return [self._one(rows) for rows in found]

    def _predicted(self, images: Sequence[np.ndarray], **asked: Any) -> list[np.ndarray]:
        """What Ultralytics' own predictor finds, as ``OpenVinoYolo.predict`` gives it."""
        import torch

        threads = torch.get_num_threads()
        if isinstance(self._model, TensorRtYolo):
            results = self._model.predict(images, **asked)
        else:
            half = {"quantize": 16} if self.device != "cpu" else {}
            results = self._model.predict(list(images), device=self.device, verbose=False, **half, **asked)
        torch.set_num_threads(threads)  # Ultralytics leaves one core idle: of two, that is half the speed
        parts = [(one.boxes.xyxy, one.boxes.conf[:, None], one.boxes.cls[:, None]) for one in results]
        return [torch.cat([part.float() for part in found], dim=1).cpu().numpy() for found in parts]

    def _one(self, rows: np.ndarray) -> Detections:
        """The people among what was found (n, 6): box (px), score, class number."""
        boxes, scores, classes = rows[:, :4], rows[:, 4], rows[:, 5].astype(int)
        group = np.isin(classes, self._classes.groups)
        groups_xyxy, group_scores = boxes[group], scores[group]
        boxes, scores, classes = boxes[~group], scores[~group], classes[~group]
        keep = distinct_people(boxes, scores, self.settings.nested)
        boxes, scores, classes = boxes[keep], scores[keep], classes[keep]
        names = [self._model.names[number] for number in classes.tolist()]
        behaviours = np.array([[own == name for own in self.behaviour_names] for name in names], np.float32)
        behaviours = behaviours.reshape(len(boxes), len(self.behaviour_names)) * scores[:, None]
        if self._classes.groups and GROUP in self.behaviour_names:
            behaviours[:, self.behaviour_names.index(GROUP)] = in_groups(boxes, groups_xyxy, group_scores)
        return Detections(boxes, scores, behaviours.astype(np.float32))

    def read_behaviours(self, image_bgr: np.ndarray, found: Detections, allowed: np.ndarray) -> Detections:
        """See ``Detector.read_behaviours``."""
        behaviours = np.where(allowed[:, None], found.behaviours, 0).astype(np.float32)
        if self._reader is not None:
            read = self._reader.read(image_bgr, found.boxes_xyxy[allowed])
            # what the group does not say, the picture of the student does
            behaviours[allowed] += (1 - behaviours[allowed].sum(axis=1, keepdims=True)) * read
        return Detections(found.boxes_xyxy, found.scores, behaviours)


def _load(weights: WeightsFile, settings: DetectSettings, device: str) -> Any:
    """The detector in the form that ``settings.backend`` asks for."""
    if settings.backend == "tensorrt":
        if device == "cpu":
            raise InputError("the backend tensorrt needs an NVIDIA GPU; use --backend auto, or --device cuda:0")
        engine = find_engine(weights)
        if engine is None:
            raise InputError(
                f"{weights.path.name}: has no TensorRT form beside it; use --backend auto or torch, or make one with"
                " engage train export --tensorrt"
            )
        return TensorRtYolo(engine, device, settings.imgsz)
    form = find_form(weights) if wants_openvino(settings.backend, device) else None
    if form is None and settings.backend == "openvino":
        raise InputError(
            f"{weights.path.name}: has no OpenVINO form beside it; use --backend auto or torch, or make one"
            " with engage train export"
        )
    return load_yolo(weights) if form is None else OpenVinoYolo(form)


def in_groups(boxes_xyxy: np.ndarray, groups_xyxy: np.ndarray, group_scores: np.ndarray) -> np.ndarray:
    """(n,) 0 to 1: the best score of a group that a student belongs to.

    Args:
        boxes_xyxy: (n, 4) px, students.
        groups_xyxy: (g, 4) px.
        group_scores: (g,).
    """
    low = np.maximum(boxes_xyxy[:, None, :2], groups_xyxy[None, :, :2])
    high = np.minimum(boxes_xyxy[:, None, 2:], groups_xyxy[None, :, 2:])
    area = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)
    share = (high - low).clip(0).prod(axis=2) / np.maximum(area, 1e-6)[:, None]
    return np.where(share > GROUP_SHARE, group_scores[None, :], 0.0).max(axis=1, initial=0.0)


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


@dataclass(frozen=True)
class _Classes:
    """Class numbers asked of a model, those of them that hold groups, and the behaviours it names itself."""

    wanted: list[int]
    groups: list[int]
    behaviours: tuple[str, ...]


def _read_classes(names: dict[int, str], weights: WeightsFile) -> _Classes:
    for wanted in PEOPLE:
        if wanted in names.values():
            students = [i for i, name in names.items() if name == wanted]
            groups = [i for i, name in names.items() if name == GROUP]
            return _Classes(students + groups, groups, ())
    behaviours = tuple(name for name in BEHAVIOURS if name in names.values())
    if not behaviours:
        known = ", ".join(list(names.values())[:5])
        raise ModelFileError(
            f"{weights.path.name}: knows no student, person or classroom behaviour (its classes: {known}, …);"
            " give a model trained on people"
        )
    return _Classes([i for i, name in names.items() if name in behaviours], [], behaviours)
