"""Load Ultralytics detection models, and keep that library to what it is asked for."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any, Literal

from models.errors import ModelFileError
from models.registry import WeightsFile

PEOPLE = ("student", "person")
"""Class names that mean "a person", best first."""

BEHAVIOURS = ("write", "read", "lookup", "turn_head", "raise_hand", "stand", "discuss")
"""Behaviour classes of the classroom sets (ClaBehavior; Wang et al. 2023, Systems 11(7):372)."""

GROUP = "discuss"
"""The one behaviour whose box holds several students, in the sets and in detectors that also find them one by one."""

GROUP_SHARE = 0.7
"""Share of a student's box inside a group's box from which the student belongs to the group."""


Backend = Literal["auto", "torch", "openvino", "tensorrt"]
"""What runs a network. ``auto``: OpenVINO on a CPU where a form of these very weights is there, else PyTorch.
``tensorrt``: the detector's form that was made on this computer; the other networks as with ``torch``."""


def wants_openvino(backend: Backend, device: str) -> bool:
    """Whether an OpenVINO form is to be looked for."""
    return backend == "openvino" or (backend == "auto" and device == "cpu")


def load_yolo(weights: WeightsFile) -> Any:
    """An ``ultralytics.YOLO`` of a detection model.

    Raises:
        ModelFileError: the file holds something else.
    """
    keep_quiet()
    from ultralytics import YOLO

    try:
        # Ultralytics prints to stdout what it would rather raise
        with Path(os.devnull).open("w") as null, contextlib.redirect_stdout(null):
            model = YOLO(str(weights.path), task="detect")
            loaded = hasattr(model.model, "model")
    except Exception as error:  # any damage inside the file surfaces as any exception of pickle, zip or torch
        raise ModelFileError(
            f"{weights.path.name}: is not an Ultralytics model ({type(error).__name__});"
            " give a detection model's .pt file or an official name such as yolo26n.pt"
        ) from error
    if not loaded or model.task != "detect":
        kind = f"a model for the task {model.task!r}" if loaded else "no Ultralytics network"
        raise ModelFileError(f"{weights.path.name}: holds {kind}; give a detection model's .pt file")
    return model


def keep_quiet() -> None:
    """Set Ultralytics up: no telemetry, no package installs of its own, no log lines between ours."""
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_OFFLINE", "true")  # else it asks public name servers whether it is online
    os.environ.setdefault("YOLO_VERBOSE", "false")
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # reports on import, else
    from ultralytics.utils import SETTINGS

    if SETTINGS.get("sync", False):
        SETTINGS.update(sync=False)
