"""The OpenVINO form of networks: the same weights, half the time or less on a CPU with bfloat16.

A form is used only where it was made of the very file asked for: it carries that file's sha256.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from models.errors import ModelFileError
from models.openvino_core import openvino_core, ready
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
    return folder if form_metadata(folder).get(SOURCE) == weights.sha256 else None


def form_metadata(folder: Path) -> dict[str, Any]:
    """What a form says about itself; nothing where there is none, or it is damaged."""
    try:
        metadata = yaml.safe_load((folder / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def export_detector(weights: WeightsFile, imgsz: int, pictures: Sequence[Path] = ()) -> Path:
    """Write the OpenVINO form of an Ultralytics detector beside it, for any image size.

    Args:
        weights: the detector.
        imgsz: size it is traced at, px; others work too.
        pictures: files by which it is brought to 8-bit integers; none: half precision.

    Raises:
        ModelFileError: not an Ultralytics detector, or what is needed for 8 bits is not installed.
        TrainingDataError: a picture cannot be read.
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
        if pictures:
            _to_eight_bits(next(made.glob("*.xml")), pictures, imgsz, int(metadata["stride"]))
            content["bits"] = 8
        (made / METADATA).write_text(yaml.safe_dump(content, sort_keys=True), encoding="utf-8")
        return put_form(made, form_folder(weights.path))


def _to_eight_bits(file: Path, pictures: Sequence[Path], imgsz: int, stride: int) -> None:
    import openvino

    from models.training.quantisation import in_eight_bits

    beside = file.with_name("eight.xml")
    smaller = in_eight_bits(openvino_core().read_model(file), pictures, imgsz, stride)
    openvino.save_model(smaller, beside, compress_to_fp16=True)
    del smaller
    for ending in (".xml", ".bin"):
        beside.with_suffix(ending).replace(file.with_suffix(ending))


def export_behaviour(weights: WeightsFile) -> Path:
    """Write the OpenVINO form of the behaviour classifier beside it.

    Raises:
        ModelFileError: not the behaviour network.
    """
    from models.behaviour import INPUT_PX, BehaviourModel

    return _export(weights, BehaviourModel(weights, backend="torch").network, INPUT_PX)


def export_head(weights: WeightsFile) -> Path:
    """Write the OpenVINO form of the head network beside it; it takes RGB in 0..1, as the others do.

    Raises:
        ModelFileError: not the head network.
    """
    from models.head import INPUT_PX
    from models.head_net import OfPictures, load_net

    return _export(weights, OfPictures(load_net(weights.path).eval()), INPUT_PX)


def export_faces() -> list[Path]:
    """Write the OpenVINO forms of MediaPipe's two face networks, out of its wheel, among the shipped weights.

    Raises:
        ModelFileError: mediapipe 0.10.21 or the package that reads its files is not installed.
    """
    from models.blazeface import FINDER, FINDER_PX
    from models.body import wheel_file
    from models.face_mesh import MESH, MESH_PX
    from models.registry import file_sha256
    from models.training.tflite import AttentionMesh, FaceFinding

    made = []
    for place, make, px in ((FINDER, FaceFinding, FINDER_PX), (MESH, AttentionMesh, MESH_PX)):
        source = wheel_file(place.source)
        weights = WeightsFile(place.folder.with_name(f"{place.name}.pt"), file_sha256(source), "path")
        made.append(_export(weights, make(source).eval(), px))
    return made


def _export(weights: WeightsFile, network: Any, px: int) -> Path:
    """Write the OpenVINO form of a network of squares of ``px``."""
    keep_quiet()
    import openvino
    import torch

    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / "made"
        made.mkdir()
        converted = openvino.convert_model(network, example_input=torch.zeros(2, 3, px, px), input=[-1, 3, px, px])
        openvino.save_model(converted, made / f"{weights.path.stem}.xml", compress_to_fp16=True)
        (made / METADATA).write_text(yaml.safe_dump({SOURCE: weights.sha256}), encoding="utf-8")
        return put_form(made, form_folder(weights.path))


def put_form(made: Path, folder: Path) -> Path:
    """Put a form that is whole in the place of another, if there is one."""
    beside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(made, beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
    return folder


def one_core_each(callers: int) -> dict[str, Any]:
    """How OpenVINO runs a network on the CPU that so many threads ask at once, each served by one core.

    No thread is tied to a core: all networks that run alone would be tied to the same one.
    """
    return {"NUM_STREAMS": callers, "INFERENCE_NUM_THREADS": callers, "ENABLE_CPU_PINNING": False}


class OpenVinoNetwork:
    """A network of one input and one output in its OpenVINO form, on the CPU; thread-safe."""

    def __init__(
        self,
        folder: Path,
        *,
        pictures: Literal["BGR", "RGB"] | None = None,
        exact: bool = False,
        callers: int = 1,
        cores: int | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        """Load it.

        Args:
            folder: with the form.
            pictures: feed it (b, h, w, 3) uint8 in this order of colours, instead of (b, 3, h, w) float32 RGB in 0..1.
                Turning one into the other is compiled with it then.
            exact: compute in single precision where the CPU would take half of it.
            callers: threads that call it at once.
            cores: among which they are shared; by default as many as there are callers. A layer is ready when the
                slower of two cores is: with one core for each caller nothing is waited for, by spinning at that,
                when other work takes one of them.
            shape: of what it is fed, where that is always the same. An 8-bit network that takes any size makes OpenVINO
                crash on some of Intel's processors with AMX (openvinotoolkit/openvino, issue 37577).

        Raises:
            ModelFileError: the folder holds no OpenVINO model.
        """
        hints = one_core_each(callers) | ({"INFERENCE_NUM_THREADS": max(callers, cores)} if cores else {})
        if exact:
            hints["INFERENCE_PRECISION_HINT"] = "f32"
        try:
            change = partial(_fed_with, colours=pictures, shape=shape) if pictures or shape else None
            self._compiled: Any = ready(_file_in(folder), hints, change)
        except RuntimeError as error:
            raise _no_model(folder, error) from None
        self._requests = threading.local()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """First output for (b, ...) of what it is fed."""
        if not hasattr(self._requests, "one"):
            self._requests.one = self._compiled.create_infer_request()
        answer: np.ndarray = self._requests.one.infer(images, share_inputs=True)[0]
        return answer


def check_readable(folder: Path) -> None:
    """Whether OpenVINO can read what a form's folder holds, without making it ready.

    Raises:
        ModelFileError: it cannot.
    """
    try:
        openvino_core().read_model(_file_in(folder))
    except RuntimeError as error:
        raise _no_model(folder, error) from None


def _file_in(folder: Path) -> Path:
    file = next(folder.glob("*.xml"), None)
    if file is None:
        raise _no_model(folder, FileNotFoundError())
    return file


def _no_model(folder: Path, error: Exception) -> ModelFileError:
    return ModelFileError(
        f"{folder.name}: is not an OpenVINO model ({type(error).__name__}); install the software again,"
        " or use --backend torch"
    )


def _fed_with(model: Any, colours: str | None, shape: tuple[int, ...] | None) -> Any:
    """The model with its preparation of pictures, and with an input of one shape, if any are given."""
    made = _of_pictures(model, colours) if colours else model
    if shape:
        made.reshape(list(shape))
    return made


def _of_pictures(model: Any, colours: str) -> Any:
    from openvino import Layout, Type
    from openvino.preprocess import ColorFormat, PrePostProcessor

    steps = PrePostProcessor(model)
    fed = steps.input()
    fed.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC")).set_color_format(getattr(ColorFormat, colours))
    fed.model().set_layout(Layout("NCHW"))
    fed.preprocess().convert_color(ColorFormat.RGB).convert_element_type(Type.f32).scale(255.0)
    return steps.build()
