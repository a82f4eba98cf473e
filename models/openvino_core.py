"""The one OpenVINO of a process."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_one_at_a_time = threading.Lock()
_core: Any = None


def openvino_core() -> Any:
    """``openvino.Core``, made once and never let go.

    Each one sets a stack for signals up, and puts the one before back when it ends, which may be gone by then: the next
    signal, such as Ctrl-C, would crash the process.
    """
    with _one_at_a_time:
        return _made()


def ready(file: Path, hints: dict[str, Any], change: Callable[[Any], Any] | None = None) -> Any:
    """The network of a file, made ready for the CPU; thread-safe.

    Args:
        file: that OpenVINO can read.
        hints: how it is run, in OpenVINO's own words.
        change: what is done to the model before.

    Raises:
        RuntimeError: OpenVINO cannot read it, or ``change`` does not fit it.
    """
    with _one_at_a_time:  # two threads at it keep each other waiting for minutes
        return _ready(file, hints, change)


def _ready(file: Path, hints: dict[str, Any], change: Callable[[Any], Any] | None) -> Any:
    core = _made()
    model = core.read_model(file)
    return core.compile_model(change(model) if change else model, "CPU", hints)


def _made() -> Any:
    global _core
    if _core is None:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # reports on import, else
        import openvino

        core = openvino.Core()
        _ask_once(core)
        _core = core
    return _core


def _ask_once(core: Any) -> None:
    """Have a network answer, alone.

    At the first array of a process OpenVINO's binding looks NumPy up, holding a lock of its own while it waits for
    Python's; a second thread with its first array holds Python's and waits for that one, and all threads stand for
    ever.
    """
    import openvino
    from openvino import opset13

    number = opset13.parameter([1], np.float32)
    network = core.compile_model(openvino.Model([opset13.relu(number)], [number]), "CPU", {"NUM_STREAMS": 1})
    network.create_infer_request().infer(np.zeros(1, np.float32), share_inputs=True)[0].copy()
