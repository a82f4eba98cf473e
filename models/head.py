"""A small network that reads a head from any side: where it points, and where exactly it is.

Face landmark models need a face; a head bowed over a notebook or turned to a neighbour shows little of one, and those
are the heads that tell states apart. This network is trained on rendered heads with exact angles
(``models/training/head.py``) and answers for every head, with its own doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
        self._net: Any = None
        if form is None:
            from models.head_net import OfPictures, load_net  # PyTorch takes seconds to load

            self._net = OfPictures(load_net(weights)).eval().to(device)

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
            import torch

            with torch.inference_mode():
                images = torch.from_numpy(crops_rgb).to(self.device).permute(0, 3, 1, 2).float() / 255
                out = self._net(images).cpu().numpy()
        return HeadReading(out[:, :3] * ANGLE_UNIT, np.exp(out[:, 3:6]) * ANGLE_UNIT, out[:, 6:9])
