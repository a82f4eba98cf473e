"""A small network that reads a head from any side: where it points, and where exactly it is.

Face landmark models need a face; a head bowed over a notebook or turned to a neighbour shows little of one, and those
are the heads that tell states apart. This network is trained on rendered heads with exact angles
(``models/training/head.py``) and answers for every head, with its own doubt.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.errors import ModelFileError
from models.exported import OpenVinoNetwork, find_form
from models.registry import WeightsFile, file_sha256
from models.yolo import Backend, wants_openvino

INPUT_PX = 64
CROP_HEADS = 1.5
"""Side of the square crop in head heights."""

ANGLE_UNIT = 45.0
"""Degrees per unit of the network's angle outputs."""

OUTPUTS = 9
"""yaw, pitch, roll; their log scales; head offset x, y and log size."""

WEIGHTS = Path(__file__).parent / "weights" / "head.pt"


class _Conv(nn.Sequential):
    """3 × 3 convolution, batch norm, SiLU. Plain ones: on a CPU they beat depthwise ones of the same accuracy."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.SiLU(inplace=True)
        )


class HeadNet(nn.Module):
    """About 250,000 parameters and 10 million multiplications per head."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _Conv(3, 16, 2),
            _Conv(16, 32, 2),
            _Conv(32, 32),
            _Conv(32, 64, 2),
            _Conv(64, 64),
            _Conv(64, 96, 2),
            _Conv(96, 96),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(96 * 16, 32), nn.SiLU(), nn.Linear(32, OUTPUTS))

    def forward(self, images: Tensor) -> Tensor:
        """(batch, 3, 64, 64) RGB in -1..1 -> (batch, ``OUTPUTS``)."""
        return self.head(self.features(images))


@dataclass(frozen=True)
class HeadReading:
    """What the network says of n heads.

    Attributes:
        pose_deg: (n, 3) yaw, pitch, roll relative to the line of sight: + to image right, up, clockwise in the image.
        doubt_deg: (n, 3) expected absolute error of each angle, the network's own estimate.
        moved: (n, 3) where the head is within the crop: centre x, y in head heights from the crop's centre, and the
            natural logarithm of its height over the height assumed.
    """

    pose_deg: np.ndarray
    doubt_deg: np.ndarray
    moved: np.ndarray


def load_net(weights: Path) -> HeadNet:
    """The network with weights from a file.

    Raises:
        ModelFileError: the file is missing or holds another network.
    """
    net = HeadNet()
    try:
        net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelFileError(
            f"{weights.name}: is not the head network ({type(error).__name__}); give another as heads.weights, or"
            " install the software again"
        ) from error
    return net


class OfPictures(nn.Module):
    """The network for (batch, 3, 64, 64) RGB in 0..1."""

    def __init__(self, net: HeadNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """As ``HeadNet.forward``."""
        return self.net(2 * images - 1)


class HeadModel:
    """The trained network, for inference."""

    def __init__(self, weights: Path = WEIGHTS, device: str = "cpu", backend: Backend = "auto") -> None:
        """Load the weights.

        Args:
            weights: the file.
            device: torch's name of it.
            backend: see ``models.yolo.Backend``; where it is OpenVINO and there is no such form, PyTorch runs it.

        Raises:
            ModelFileError: the file is missing or holds another network.
        """
        self.device = device
        form = None
        if wants_openvino(backend, device) and weights.is_file():
            form = find_form(WeightsFile(weights, file_sha256(weights), "path"))
        self._openvino = OpenVinoNetwork(form, pictures="RGB") if form else None
        self._net = None if form else OfPictures(load_net(weights)).eval().to(device)

    @torch.inference_mode()
    def read(self, crops_rgb: np.ndarray) -> HeadReading:
        """Read a batch of crops.

        Args:
            crops_rgb: (n, 64, 64, 3) uint8, each ``CROP_HEADS`` head heights wide, centred on the head.
        """
        if not len(crops_rgb):
            out = np.zeros((0, OUTPUTS), np.float32)
        elif self._openvino is not None:
            out = self._openvino(crops_rgb)
        else:
            assert self._net is not None
            images = torch.from_numpy(crops_rgb).to(self.device).permute(0, 3, 1, 2).float() / 255
            out = self._net(images).cpu().numpy()
        return HeadReading(out[:, :3] * ANGLE_UNIT, np.exp(out[:, 3:6]) * ANGLE_UNIT, out[:, 6:9])
