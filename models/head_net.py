"""The network behind ``models.head``: its layers, and how its weights are loaded."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from models.errors import ModelFileError
from models.head import OUTPUTS


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
