"""The OpenVINO form of networks: the same weights, half the time or less on a CPU with bfloat16.

A form is used only where it was made of the very file asked for: it carries that file's sha256.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from models.errors import ModelFileError
from models.registry import WeightsFile
from models.yolo import keep_quiet

SUFFIX = "_openvino_model"
"""How Ultralytics tells a folder with an OpenVINO model by its name."""

SOURCE = "source_sha256"
METADATA = "metadata.yaml"


def form_folder(weights: Path) -> Path:
    """Where the OpenVINO form of a weights file lies: beside it."""
    return weights.with_name(weights.stem + SUFFIX)


def find_form(weights: WeightsFile) -> Path | None:
    """The folder with the OpenVINO form of exactly these weights, or None."""
    folder = form_folder(weights.path)
    if not (folder / METADATA).is_file():
        return None
    try:
        metadata = yaml.safe_load((folder / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return folder if isinstance(metadata, dict) and metadata.get(SOURCE) == weights.sha256 else None


def export_detector(weights: WeightsFile, imgsz: int) -> Path:
    """Write the OpenVINO form of an Ultralytics detector beside it, half precision, any image size.

    Args:
        weights: the detector.
        imgsz: size it is traced at, px; others work too.

    Raises:
        ModelFileError: not an Ultralytics detector.
    """
    from models.yolo import load_yolo

    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / weights.path.name
        shutil.copy(weights.path, copy)
        model = load_yolo(WeightsFile(copy, weights.sha256, "path"))
        made = Path(model.export(format="openvino", half=True, dynamic=True, imgsz=imgsz, verbose=False))
        metadata = yaml.safe_load((made / METADATA).read_text(encoding="utf-8"))
        kept = ("task", "batch", "imgsz", "names", "args", "channels", "stride", "end2end", "version", "license")
        content = {key: metadata[key] for key in kept if key in metadata} | {SOURCE: weights.sha256}
        (made / METADATA).write_text(yaml.safe_dump(content, sort_keys=True), encoding="utf-8")
        return _put(made, form_folder(weights.path))


def export_behaviour(weights: WeightsFile) -> Path:
    """Write the OpenVINO form of the behaviour classifier beside it.

    Raises:
        ModelFileError: not the behaviour network.
    """
    keep_quiet()
    import openvino
    import torch

    from models.behaviour import INPUT_PX, BehaviourModel

    network = BehaviourModel(weights, backend="torch").network
    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / "made"
        made.mkdir()
        example = torch.zeros(2, 3, INPUT_PX, INPUT_PX)
        converted = openvino.convert_model(network, example_input=example, input=[-1, 3, INPUT_PX, INPUT_PX])
        openvino.save_model(converted, made / f"{weights.path.stem}.xml", compress_to_fp16=True)
        (made / METADATA).write_text(yaml.safe_dump({SOURCE: weights.sha256}), encoding="utf-8")
        return _put(made, form_folder(weights.path))


def _put(made: Path, folder: Path) -> Path:
    beside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(made, beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
    return folder


class OpenVinoNetwork:
    """A network of one input and one output in its OpenVINO form, on the CPU."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            ModelFileError: the folder holds no OpenVINO model.
        """
        keep_quiet()
        import openvino

        try:
            core = openvino.Core()
            model = core.read_model(next(folder.glob("*.xml")))
            self._compiled: Any = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
        except (RuntimeError, StopIteration) as error:
            raise ModelFileError(
                f"{folder.name}: is not an OpenVINO model ({type(error).__name__}); install the software again,"
                " or use --backend torch"
            ) from None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """First output for (b, ...) float32."""
        return self._compiled(images)[0]
