"""The network behind ``models.behaviour``: how it is built, fed, and loaded."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.behaviour import OUTPUTS
from models.errors import ModelFileError
from models.yolo import keep_quiet


def build_network() -> Any:
    """YOLOv8n's backbone with a classification head (``yolov8n-cls``), one output per name in ``OUTPUTS``.

    Takes (b, 3, ``INPUT_PX``, ``INPUT_PX``) RGB in 0..1; gives (b, 8) logits in training mode.
    """
    keep_quiet()
    from ultralytics.nn.tasks import ClassificationModel

    with Path(os.devnull).open("w") as null, contextlib.redirect_stdout(null):
        return ClassificationModel("yolov8n-cls.yaml", nc=len(OUTPUTS), verbose=False)


class Probabilities(nn.Module):
    """Ultralytics' classifier without its second output."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, px, px) RGB in 0..1 -> (b, 8), rows sum to 1."""
        return self.network(images)[0]


def load_network(weights: Path) -> nn.Module:
    """The network with weights from a file, for pictures in 0..1; gives probabilities.

    Raises:
        ModelFileError: the file is missing or holds another network.
    """
    network = build_network()
    try:
        state: dict[str, Any] = torch.load(weights, map_location="cpu", weights_only=True)
        network.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        )
    except Exception as error:  # any damage inside the file surfaces as any exception of pickle, zip or torch
        raise ModelFileError(
            f"{weights.name}: is not the behaviour network ({type(error).__name__}); install the software again"
        ) from error
    return Probabilities(network.fuse(verbose=False)).eval()


def as_input(crops_bgr: Tensor) -> Tensor:
    """(n, px, px, 3) uint8 BGR -> (n, 3, px, px) float RGB in 0..1."""
    return crops_bgr.flip(3).permute(0, 3, 1, 2).float() / 255


def as_crops(images: Tensor) -> np.ndarray:
    """The inverse of ``as_input``, rounded to 8 bits."""
    return (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).flip(3).contiguous().cpu().numpy()
