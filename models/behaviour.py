"""What a student is doing, read from the picture of that student: a small classifier on crops, batched per frame.

The detector finds every student alike; this network then says how likely each behaviour is. Separate, because
annotated behaviours are few and incomplete: a student whose behaviour nobody annotated is still a student.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.errors import ModelFileError
from models.exported import OpenVinoNetwork, find_form
from models.registry import WeightsFile, find_weights
from models.yolo import BEHAVIOURS, Backend, wants_openvino

INPUT_PX = 128
CROP_SIDE = 1.35
"""Side of the square crop, in longer sides of the box: hands, desk and the neighbour's face are in it."""

NOTHING = "unlabelled"
"""The class of people whose behaviour nobody annotated; its share of the probability goes to no behaviour."""

OUTPUTS = (*BEHAVIOURS, NOTHING)

WEIGHTS = Path(__file__).parent / "weights" / "behaviour.pt"


def cut_crops(
    image_bgr: np.ndarray, boxes_xyxy: np.ndarray, *, side: float = CROP_SIDE, px: int = INPUT_PX
) -> np.ndarray:
    """Square crops around boxes; what lies outside the image repeats its edge.

    Args:
        image_bgr: (h, w, 3) uint8.
        boxes_xyxy: (n, 4) px.
        side: of the crop, in longer sides of the box.
        px: side of the result.

    Returns:
        (n, px, px, 3) uint8, BGR.
    """
    crops = np.empty((len(boxes_xyxy), px, px, 3), np.uint8)
    views = [image_bgr]
    for index, (x1, y1, x2, y2) in enumerate(boxes_xyxy.tolist()):
        half = max(x2 - x1, y2 - y1, 2.0) * side / 2
        halvings = max(int(np.log2(2 * half / px)), 0)
        while len(views) <= halvings:  # once for all: means over uneven areas are slow, and half of that is even
            views.append(_halved(views[-1]))
        share = 0.5**halvings
        crops[index] = _crop(views[halvings], share * (x1 + x2) / 2, share * (y1 + y2) / 2, share * half, px)
    return crops


def _halved(image: np.ndarray) -> np.ndarray:
    wide, high = (max(1, side // 2) for side in image.shape[1::-1])
    return cv2.resize(image[: 2 * high, : 2 * wide], (wide, high), interpolation=cv2.INTER_AREA)


def _crop(image: np.ndarray, x_middle: float, y_middle: float, half: float, px: int) -> np.ndarray:
    """The square of ``half`` its side around a point, as (px, px, 3)."""
    height, width = image.shape[:2]
    x, y, length = round(x_middle - half), round(y_middle - half), max(round(2 * half), 2)
    inner = image[max(y, 0) : max(y + length, 0), max(x, 0) : max(x + length, 0)]
    if not inner.size:  # the box lies outside the image
        return np.zeros((px, px, 3), np.uint8)
    missing = (max(-y, 0), max(y + length - height, 0), max(-x, 0), max(x + length - width, 0))
    if any(missing):
        inner = cv2.copyMakeBorder(inner, *missing, cv2.BORDER_REPLICATE)
    return cv2.resize(inner, (px, px), interpolation=cv2.INTER_AREA if length > px else cv2.INTER_LINEAR)


class BehaviourModel:
    """The trained network, for inference."""

    names = BEHAVIOURS

    def __init__(
        self,
        weights: WeightsFile | None = None,
        device: str = "cpu",
        *,
        backend: Backend = "auto",
        callers: int = 1,
    ) -> None:
        """Load the weights.

        Args:
            weights: the shipped ones by default.
            device: torch's name of it.
            backend: see ``models.yolo.Backend``.
            callers: threads that ask at once.

        Raises:
            ModelFileError: the file is missing or holds another network.
        """
        weights = weights or find_weights(str(WEIGHTS))
        self.device = device
        self.network: Any = None
        form = find_form(weights) if wants_openvino(backend, device) else None
        if form is None and backend == "openvino":
            raise ModelFileError(
                f"{weights.path.name}: has no OpenVINO form beside it; use --backend auto or torch, or make one with"
                " engage train export"
            )
        self._openvino = OpenVinoNetwork(form, pictures="BGR", callers=callers) if form else None
        if self._openvino is None:
            from models.behaviour_net import load_network  # PyTorch takes seconds to load

            self.network = load_network(weights.path).to(device)

    def read(self, image_bgr: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
        """How likely each behaviour is.

        Args:
            image_bgr: (h, w, 3) uint8.
            boxes_xyxy: (n, 4) px, students.

        Returns:
            (n, 7) float32, one column per name in ``names``; a row sums to 1 or less, the rest being ``NOTHING``.
        """
        if not len(boxes_xyxy):
            return np.zeros((0, len(BEHAVIOURS)), np.float32)
        return self.probabilities(cut_crops(image_bgr, boxes_xyxy))[:, : len(BEHAVIOURS)]

    def probabilities(self, crops_bgr: np.ndarray) -> np.ndarray:
        """(b, ``INPUT_PX``, ``INPUT_PX``, 3) uint8 BGR -> (b, 8), rows sum to 1."""
        if self._openvino is not None:
            return self._openvino(crops_bgr)
        import torch

        from models.behaviour_net import as_input

        with torch.inference_mode():
            answer: np.ndarray = self.network(as_input(torch.from_numpy(crops_bgr).to(self.device))).cpu().numpy()
        return answer
