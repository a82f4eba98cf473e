"""Eight-bit integers in place of floating point, for networks that run on a CPU.

How large the numbers between layers get is learned from pictures like those to come (post-training quantisation, Jacob
et al. 2018, arXiv 1712.05877); NNCF does it. What turns the last layer's answers into boxes stays in floating point: a
coordinate has more than 256 values.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.errors import ModelFileError, TrainingDataError
from models.yolo import keep_quiet

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")
FEWEST, MOST = 16, 400
"""Pictures: fewer tell too little of the extremes, more only take time."""


def pictures_in(folders: Sequence[Path]) -> list[Path]:
    """At most ``MOST`` pictures below these folders, evenly taken.

    Raises:
        TrainingDataError: fewer than ``FEWEST``.
    """
    found = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    if len(found) < FEWEST:
        names = ", ".join(str(folder) for folder in folders)
        raise TrainingDataError(
            f"{names}: {len(found)} pictures; give folders with at least {FEWEST} frames of lectures"
        )
    chosen = np.linspace(0, len(found) - 1, min(len(found), MOST)).round().astype(int)
    return [found[index] for index in chosen]


def in_eight_bits(model: Any, pictures: Sequence[Path], imgsz: int, stride: int) -> Any:
    """A YOLO detector with its convolutions in 8-bit integers.

    Args:
        model: an ``openvino.Model`` of (b, 3, h, w) RGB in 0..1.
        pictures: files to learn from.
        imgsz: longer side they are shown at, px.
        stride: of the network.

    Raises:
        ModelFileError: NNCF is not installed.
        TrainingDataError: a picture cannot be read.
    """
    keep_quiet()
    try:
        import nncf
    except ImportError:
        raise ModelFileError(
            "nncf is not installed, which makes 8-bit networks; pip install nncf, or leave --pictures out"
        ) from None
    from ultralytics.data.augment import LetterBox

    letterbox = LetterBox((imgsz, imgsz), auto=True, stride=stride)

    def shown(path: Path) -> np.ndarray:
        image = cv2.imread(str(path))
        if image is None:
            raise TrainingDataError(f"{path}: is no picture that can be read; take it out of the folder")
        rgb = np.asarray(letterbox(image=image))[..., ::-1]
        return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32) / 255

    names = [operation.get_friendly_name() for operation in model.get_ordered_ops()]
    sigmoids = [op.get_friendly_name() for op in model.get_ordered_ops() if op.get_type_name() == "Sigmoid"]
    head = sigmoids[-1].split("/", 1)[0]  # how Ultralytics tells it: the last one belongs to the head
    kept = [name for name in names if name.startswith((f"{head}/", f"{head}.dfl"))]
    return nncf.quantize(
        model,
        nncf.Dataset(list(pictures), shown),
        preset=nncf.QuantizationPreset.MIXED,  # activations of SiLU are not symmetrical
        subset_size=len(pictures),
        ignored_scope=nncf.IgnoredScope(names=kept),
    )
