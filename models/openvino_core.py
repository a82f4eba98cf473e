"""The one OpenVINO of a process."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any


@cache
def openvino_core() -> Any:
    """``openvino.Core``, made once and never let go.

    Each one sets a stack for signals up, and puts the one before back when it ends, which may be gone by then: the next
    signal, such as Ctrl-C, would crash the process.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # reports on import, else
    import openvino

    return openvino.Core()
