"""Behaviours found and named: two designs on annotated classrooms, as mean average precision and macro-F1.

(a) one network with a class per behaviour; (b) every student found alike, then named by a classifier on the crop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torchvision.ops import nms
from ultralytics.data.augment import LetterBox
from ultralytics.utils.nms import non_max_suppression
from ultralytics.utils.ops import scale_boxes

from benchmarks.average_precision import Judged, judge
from models.behaviour import BehaviourModel
from models.registry import find_weights
from models.training.annotations import AnnotatedImage
from models.training.detection import STUDENT
from models.yolo import BEHAVIOURS, GROUP, load_yolo
from pipeline.detect import Detections, DetectSettings

CONFIDENCE, NMS_IOU, MOST = 0.001, 0.7, 300
"""As Ultralytics validates: AP needs the weak detections too."""


@dataclass(frozen=True)
class Found:
    """Detections of one image: (m, 4) px, (m,) scores, (m,) class numbers."""

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


class Network:
    """A detector called as Ultralytics validates it: weak boxes too, a box once for every class."""

    def __init__(self, weights: str, imgsz: int) -> None:
        model = load_yolo(find_weights(weights))
        self.names: dict[int, str] = dict(model.names)
        self._net = model.model.float().eval().fuse(verbose=False)
        self._fit = LetterBox((imgsz, imgsz), auto=True, stride=32)

    @torch.inference_mode()
    def find(self, image_bgr: np.ndarray) -> Found:
        """Boxes of every class, the classes suppressed each on its own."""
        fitted = np.ascontiguousarray(self._fit(image=image_bgr)[..., ::-1].transpose(2, 0, 1))
        outputs = self._net(torch.from_numpy(fitted)[None].float() / 255)
        rows = non_max_suppression(
            outputs, CONFIDENCE, NMS_IOU, multi_label=len(self.names) > 1, max_det=MOST, nc=len(self.names)
        )[0]
        boxes = scale_boxes(fitted.shape[1:], rows[:, :4], image_bgr.shape[:2])
        return Found(boxes.numpy(), rows[:, 4].numpy(), rows[:, 5].int().numpy())


Reader = Callable[[np.ndarray], Found]
"""From an image to detections whose classes are indices into ``BEHAVIOURS``."""


def one_network(weights: str, imgsz: int) -> Reader:
    """Design (a)."""
    network = Network(weights, imgsz)
    index = {number: BEHAVIOURS.index(name) for number, name in network.names.items() if name in BEHAVIOURS}

    def read(image_bgr: np.ndarray) -> Found:
        found = network.find(image_bgr)
        named = np.isin(found.classes, list(index))
        classes = np.array([index[number] for number in found.classes[named]], int)
        return Found(found.boxes_xyxy[named], found.scores[named], classes)

    return read


def student_then_crop(weights: str, behaviour: Path, imgsz: int) -> Reader:
    """Design (b): a student's score times the probability of each behaviour; groups come from the detector."""
    network, classifier = Network(weights, imgsz), BehaviourModel(find_weights(str(behaviour)))
    numbers = {name: number for number, name in network.names.items()}
    single = [i for i, name in enumerate(BEHAVIOURS) if name != GROUP]

    def read(image_bgr: np.ndarray) -> Found:
        found = network.find(image_bgr)
        student, group = found.classes == numbers[STUDENT], found.classes == numbers.get(GROUP, -1)
        boxes = found.boxes_xyxy[student]
        share = classifier.read(image_bgr, boxes)[:, single] * found.scores[student][:, None]
        weak = (share < CONFIDENCE).ravel()
        return Found(
            np.concatenate([np.repeat(boxes, len(single), axis=0)[~weak], found.boxes_xyxy[group]]),
            np.concatenate([share.ravel()[~weak], found.scores[group]]),
            np.concatenate([np.tile(single, len(boxes))[~weak], np.full(group.sum(), BEHAVIOURS.index(GROUP))]),
        )

    return read


class AnyStudent:
    """A network of behaviour classes as a detector of students: whatever they do, one box each, groups left out."""

    def __init__(self, settings: DetectSettings) -> None:
        self.settings = settings
        self.weights = find_weights(settings.weights)
        self._network = Network(settings.weights, settings.imgsz)
        self._groups = [number for number, name in self._network.names.items() if name == GROUP]

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """As ``pipeline.detect.Detector.detect``, without behaviours."""
        return [self._one(self._network.find(image)) for image in images]

    def _one(self, found: Found) -> Detections:
        kept = (found.scores >= self.settings.confidence) & ~np.isin(found.classes, self._groups)
        boxes, scores = found.boxes_xyxy[kept], found.scores[kept]
        best = nms(torch.from_numpy(boxes).float(), torch.from_numpy(scores).float(), self.settings.iou).numpy()
        return Detections(boxes[best], scores[best], np.zeros((len(best), 0), np.float32))


def judged(reader: Reader, images: Sequence[AnnotatedImage]) -> list[Judged]:
    """Every image's detections against its annotation."""
    made = []
    for image in images:
        pixels = cv2.imread(str(image.path))
        found = reader(pixels)
        truth = np.array([BEHAVIOURS.index(name) for name in image.labels], int)
        made.append(judge(found.boxes_xyxy, found.scores, found.classes, image.boxes_xyxy, truth))
    return made
