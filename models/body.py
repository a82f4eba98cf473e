"""BlazePose: where shoulders, elbows, wrists and fingers are, from a square picture of one person.

The network and its weights are MediaPipe's (Bazarevsky et al. 2020, "BlazePose: On-device Real-time Body Pose
tracking", arXiv 2006.10204; Apache-2.0) and lie inside its wheel; OpenVINO runs the file directly. That leaves out
MediaPipe's own search for the person, which costs more than the reading and which a known head makes needless.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ModelFileError
from models.exported import one_core_each
from models.openvino_core import ready

INPUT_PX = 256
POINTS = 33
"""Keypoints of BlazePose; the network gives six more, which only its own tracker needs."""

NOSE = 0
LEFT_SHOULDER, RIGHT_SHOULDER = 11, 12
LEFT_WRIST, RIGHT_WRIST = 15, 16
LEFT_FINGERS, RIGHT_FINGERS = (17, 19, 21), (18, 20, 22)
"""Knuckle of the little finger, of the index finger, and of the thumb."""

FILE = Path("modules", "pose_landmark", "pose_landmark_full.tflite")


@dataclass(frozen=True)
class BodyReading:
    """What the network says of n people.

    Attributes:
        points: (n, 33, 2) x, y as shares of the crop; beyond 0 to 1 where it places them outside.
        visible: (n, 33) 0 to 1, how likely each one is within the picture and not hidden.
        present: (n,) 0 to 1, how likely there is a person.
    """

    points: np.ndarray
    visible: np.ndarray
    present: np.ndarray


class BodyModel:
    """The network, for inference on a CPU."""

    def __init__(self, path: Path | None = None) -> None:
        """Load the network.

        Raises:
            ModelFileError: the file is not there, or is another network.
        """
        path = path or wheel_file()
        try:
            self._network: Any = ready(path, one_core_each(1), _without_heat)
        except RuntimeError as error:
            raise ModelFileError(
                f"{path.name}: is not BlazePose ({' '.join(str(error).split())[:80]}); install mediapipe 0.10.21 again"
            ) from None

    def read(self, crops_rgb: np.ndarray) -> BodyReading:
        """Read a batch of crops.

        Args:
            crops_rgb: (n, 256, 256, 3) uint8, one upright person each; see ``pipeline.hands.body_region``.
        """
        points, visible = np.empty((len(crops_rgb), POINTS, 2)), np.empty((len(crops_rgb), POINTS))
        present = np.empty(len(crops_rgb))
        for row, crop in enumerate(crops_rgb):
            landmarks, presence = self._network([crop[None].astype(np.float32) / 255]).to_tuple()
            values = landmarks.reshape(-1, 5)[:POINTS]  # x, y, z, then the log-odds of being visible and of being there
            points[row] = values[:, :2] / INPUT_PX
            visible[row] = 1 / (1 + np.exp(-np.clip(values[:, 3:5].min(axis=1), -30, 30)))
            present[row] = float(presence.reshape(-1)[0])
        return BodyReading(points, visible, present)


def _without_heat(model: Any) -> Any:
    """Landmarks and presence alone: half of the time goes into the picture of the outline and the heat maps."""
    import openvino

    return openvino.Model([model.output("Identity"), model.output("Identity_1")], model.get_parameters())


def wheel_file(file: Path = FILE) -> Path:
    """A file inside the installed MediaPipe, which is not imported for it.

    Raises:
        ModelFileError: MediaPipe is not installed, or another version without it.
    """
    spec = find_spec("mediapipe")
    path = Path(spec.origin).parent / file if spec and spec.origin else file
    if not path.is_file():
        raise ModelFileError(f"{file.name}: is not in the installed mediapipe; install mediapipe 0.10.21 again")
    return path
