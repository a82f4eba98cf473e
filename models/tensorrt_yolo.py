"""The TensorRT form of an Ultralytics detector: compiled for the GPU of one computer, by the TensorRT installed there.

It is used only where it is asked for, and only with the very weights it was made of. TensorRT is NVIDIA's own and is
not installed with the rest.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from models.errors import ModelFileError
from models.exported import METADATA, SOURCE, form_metadata, put_form
from models.registry import WeightsFile
from models.yolo import keep_quiet, load_yolo

SUFFIX = "_tensorrt_engine"
FORMAT, ENDING = "engine", ".engine"
"""Ultralytics' words for it."""
PRECISION: dict[str, Any] = {"quantize": 16}
LARGER = 2
"""Up to so many times the side it was traced at it takes pictures (Ultralytics' optimisation profile)."""


def engine_folder(weights: Path) -> Path:
    """Where the TensorRT form of a weights file lies: beside it."""
    return weights.with_name(weights.stem + SUFFIX)


def find_engine(weights: WeightsFile) -> Path | None:
    """The folder with the TensorRT form of exactly these weights, or None."""
    folder = engine_folder(weights.path)
    return folder if form_metadata(folder).get(SOURCE) == weights.sha256 else None


def export_engine(weights: WeightsFile, imgsz: int, batch: int, device: str = "cuda:0") -> Path:
    """Write the TensorRT form of a detector beside it; takes minutes.

    Args:
        weights: the detector.
        imgsz: size it is traced at, px; smaller and up to ``LARGER`` times as large works too.
        batch: most pictures of one call.
        device: torch's name of the GPU.

    Raises:
        ModelFileError: not an Ultralytics detector, or there is no GPU or TensorRT here that makes it.
    """
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / weights.path.name
        shutil.copy(weights.path, copy)
        model = load_yolo(WeightsFile(copy, weights.sha256, "path"))
        how = {"format": FORMAT, "dynamic": True, "imgsz": imgsz, "batch": batch, "device": device, "verbose": False}
        try:
            engine = Path(model.export(**how, **PRECISION))
        except Exception as error:  # TensorRT, ONNX and Ultralytics raise what they like
            raise ModelFileError(
                f"{weights.path.name}: no TensorRT form could be made on {device} ({_first_line(error)}); it needs an"
                " NVIDIA GPU and: pip install tensorrt onnx onnxslim"
            ) from error
        made = Path(place) / "made"
        made.mkdir()
        engine.rename(made / f"{weights.path.stem}{ENDING}")
        content = {SOURCE: weights.sha256, "names": dict(model.names), "imgsz": imgsz, "batch": batch}
        (made / METADATA).write_text(yaml.safe_dump(content), encoding="utf-8")
        return put_form(made, engine_folder(weights.path))


class TensorRtYolo:
    """A detector in its TensorRT form; ``predict`` takes the words of Ultralytics' ``predict``."""

    def __init__(self, folder: Path, device: str, imgsz: int) -> None:
        """Load it, and have it look at an empty picture.

        Args:
            folder: of the form, see ``find_engine``.
            device: torch's name of the GPU.
            imgsz: longer side of its input that will be asked for, px.

        Raises:
            ModelFileError: it does not run here, or not with so large an input.
        """
        metadata = form_metadata(folder)
        try:
            self.names = {int(number): str(name) for number, name in metadata["names"].items()}
            traced, self._batch = int(metadata["imgsz"]), max(1, int(metadata["batch"]))
            engine = next(folder.glob(f"*{ENDING}"))
        except (AttributeError, KeyError, StopIteration, TypeError, ValueError):
            raise ModelFileError(
                f"{folder.name}: is not a TensorRT form of a detector; make it again with engage train export"
                " --tensorrt, or use --backend torch"
            ) from None
        if imgsz > LARGER * traced:
            raise ModelFileError(
                f"{folder.name}: takes pictures up to {LARGER * traced} px, not {imgsz}; use a smaller --imgsz, or make"
                f" it again with engage train export --tensorrt --imgsz {imgsz}"
            )
        keep_quiet()
        from ultralytics import YOLO

        self._device = device
        try:
            self._model: Any = YOLO(str(engine), task="detect")
            self.predict([np.zeros((imgsz, imgsz, 3), np.uint8)], imgsz=imgsz)
        except Exception as error:  # TensorRT raises what it likes
            raise ModelFileError(
                f"{folder.name}: does not run on {device} ({_first_line(error)}); an engine is for one kind of GPU and"
                " one TensorRT: make it again with engage train export --tensorrt, or use --backend torch"
            ) from error

    def predict(self, images: Sequence[np.ndarray], **asked: Any) -> list[Any]:
        """Ultralytics' ``Results`` for each (h, w, 3) uint8 BGR image."""
        found: list[Any] = []
        for start in range(0, len(images), self._batch):
            some = list(images[start : start + self._batch])
            found += self._model.predict(some, device=self._device, batch=len(some), verbose=False, **asked)
        return found


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:160]
