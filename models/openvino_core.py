"""The one OpenVINO of a process."""

from __future__ import annotations

import sys
import threading
from functools import cache
from typing import Any

_one_at_a_time = threading.Lock()


@cache
def openvino_core() -> Any:
    """``openvino.Core``, made once and never let go.

    Each one sets a stack for signals up, and puts the one before back when it ends, which may be gone by then: the next
    signal, such as Ctrl-C, would crash the process.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # reports on import, else
    import openvino

    return openvino.Core()


def compiled(model: Any, hints: dict[str, Any]) -> Any:
    """A model made ready for the CPU. One after the other: two threads at it keep each other waiting for minutes."""
    with _one_at_a_time:
        return openvino_core().compile_model(model, "CPU", hints)
