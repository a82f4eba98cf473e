"""Learned descriptors of people, to measure colour against: what the behaviour network knows anyway, and OSNet.

OSNet x0.25 (Zhou et al. 2019) is trained to tell people apart across cameras. Its weights are not part of this
project: they are looked for beside the data folder, for measuring only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from models.behaviour import BehaviourModel, cut_crops

OSNET_FILE = "osnet_x0_25_msmt17.pt"
OSNET_SIZE = (128, 256)
"""Width and height of its input, px."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue, with which it was trained."""


class BehaviourFeatures:
    """What enters the last layer of the behaviour network; PyTorch only, an OpenVINO export hides it."""

    def __init__(self) -> None:
        self._model = BehaviourModel(backend="torch")
        self._kept = torch.empty(0)
        (last,) = [part for part in self._model.network.modules() if isinstance(part, nn.Linear)]
        last.register_forward_pre_hook(self._keep)

    def _keep(self, layer: nn.Module, inputs: tuple[Tensor]) -> None:
        self._kept = inputs[0].detach()

    def __call__(self, image_bgr: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
        """(n, 1280) unit vectors of boxes (n, 4) px."""
        self._model.probabilities(cut_crops(image_bgr, boxes_xyxy))
        return nn.functional.normalize(self._kept.flatten(1), dim=1).numpy()


class _Convolution(nn.Module):
    def __init__(self, out_of: int, into: int, size: int = 1, *, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(out_of, into, size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(into)
        self.after = nn.ReLU() if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.bn(self.conv(x)))


class _Light(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.bn(self.conv2(self.conv1(x))))


class _Gate(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, width // 16, 1)
        self.fc2 = nn.Conv2d(width // 16, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc2(nn.functional.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class _Block(nn.Module):
    """Four streams of one to four light convolutions, weighed by a common gate."""

    def __init__(self, out_of: int, into: int) -> None:
        super().__init__()
        width = into // 4
        self.conv1 = _Convolution(out_of, width)
        self.conv2a = _Light(width)
        self.conv2b, self.conv2c, self.conv2d = (
            nn.Sequential(*(_Light(width) for _ in range(deep))) for deep in (2, 3, 4)
        )
        self.gate = _Gate(width)
        self.conv3 = _Convolution(width, into, relu=False)
        self.downsample = _Convolution(out_of, into, relu=False) if out_of != into else None

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv1(x)
        streams = (self.conv2a, self.conv2b, self.conv2c, self.conv2d)
        out = self.conv3(sum(self.gate(stream(inner)) for stream in streams))
        return nn.functional.relu(out + (self.downsample(x) if self.downsample else x))


class OsNet(nn.Module):
    """OSNet x0.25 without its classifier."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.conv1 = _Convolution(3, 16, 7, stride=2)

        def stage(out_of: int, into: int, shrink: bool) -> nn.Sequential:
            end = [nn.Sequential(_Convolution(into, into), nn.AvgPool2d(2))] if shrink else []
            return nn.Sequential(_Block(out_of, into), _Block(into, into), *end)

        self.conv2, self.conv3, self.conv4 = stage(16, 64, True), stage(64, 96, True), stage(96, 128, False)
        self.conv5 = _Convolution(128, 128)
        self.fc = nn.Sequential(nn.Linear(128, 512), nn.BatchNorm1d(512), nn.ReLU())
        state: dict[str, Any] = torch.load(weights, map_location="cpu", weights_only=True)
        known = {name: value for name, value in state.items() if not name.startswith("classifier")}
        self.load_state_dict(known)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, 256, 128) -> (n, 512)."""
        x = nn.functional.max_pool2d(self.conv1(x), 3, 2, 1)
        return self.fc(self.conv5(self.conv4(self.conv3(self.conv2(x)))).mean((2, 3)))

    @torch.inference_mode()
    def describe(self, image_bgr: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
        """(n, 512) unit vectors of boxes (n, 4) px."""
        height, width = image_bgr.shape[:2]
        crops = []
        for x1, y1, x2, y2 in boxes_xyxy.round().astype(int).tolist():
            left, top = min(max(x1, 0), width - 1), min(max(y1, 0), height - 1)
            part = image_bgr[top : max(top + 1, y2), left : max(left + 1, x2)]
            crops.append(cv2.resize(part, OSNET_SIZE)[..., ::-1] / 255.0)
        pictures = (np.array(crops, np.float32) - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
        return nn.functional.normalize(self(torch.from_numpy(pictures).permute(0, 3, 1, 2)), dim=1).numpy()
