"""Run the OpenVINO form of a YOLO detector, from the recording's own pictures to boxes.

Ultralytics' predictor prepares pictures in floating point, in one thread, and loads the network twice; that costs
a fifth of the network's own time and a second at the start. Here colours, scale and layout belong to the compiled
network. Letterbox, suppression and the way back into the picture are Ultralytics' own functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ModelFileError
from models.exported import OpenVinoNetwork, form_metadata
from models.yolo import keep_quiet


class OpenVinoYolo:
    """A YOLO detection network on the CPU; ``predict`` takes the words of Ultralytics' ``predict``."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Args:
            folder: of the form, see ``models.exported.find_form``.

        Raises:
            ModelFileError: the folder holds no OpenVINO model of a detector.
        """
        self._network = OpenVinoNetwork(folder, pictures="BGR", callers=None)
        metadata = form_metadata(folder)
        if not isinstance(metadata.get("names"), dict) or "stride" not in metadata:
            raise ModelFileError(f"{folder.name}: is not an OpenVINO model of a detector; install the software again")
        self.names: dict[int, str] = {int(number): str(name) for number, name in metadata["names"].items()}
        self._stride = int(metadata["stride"])

    def predict(
        self,
        images: Sequence[np.ndarray],
        *,
        imgsz: int,
        conf: float,
        iou: float,
        classes: Sequence[int],
        agnostic_nms: bool,
        max_det: int,
    ) -> list[np.ndarray]:
        """What is found in pictures of one size.

        Args:
            images: (h, w, 3) uint8 BGR each.
            imgsz: longer side of the network's input, px.
            conf: lowest score.
            iou: overlap above which the weaker of two boxes is dropped.
            classes: numbers of those that are wanted.
            agnostic_nms: whether boxes of different classes drop each other.
            max_det: most boxes of each picture.

        Returns:
            for each picture (n, 6) float32: ``x1 y1 x2 y2`` px, score, class number.
        """
        keep_quiet()
        import torch
        from ultralytics.data.augment import LetterBox
        from ultralytics.utils.nms import non_max_suppression
        from ultralytics.utils.ops import scale_boxes

        letterbox = LetterBox((imgsz, imgsz), auto=True, stride=self._stride)
        filled = np.stack([np.asarray(letterbox(image=image)) for image in images])
        answer = torch.from_numpy(self._network(filled))
        nms: dict[str, Any] = {"classes": list(classes), "agnostic": agnostic_nms}
        nms |= {"max_det": max_det, "nc": len(self.names)}
        found = [one.numpy() for one in non_max_suppression(answer, conf, iou, **nms)]
        height, width = images[0].shape[:2]
        for boxes in found:
            scale_boxes((filled.shape[1], filled.shape[2]), boxes[:, :4], (height, width))
        return found
