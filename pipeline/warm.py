"""Libraries that an analysis needs late, loaded while it waits for its networks.

Loading takes one core for seconds. At the start nobody could use the others; beside the networks that costs half.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Sequence
from typing import Final

LATE: Final = ("hmmlearn.base", "models.scorer")
"""The states' chain; the scorer of unusual behaviour, for which PyTorch is loaded."""


def load_beside(more: Sequence[str] = ()) -> threading.Thread:
    """Begin to load ``LATE``, and ``more`` modules, in a thread; whoever imports one of them meanwhile waits for it."""

    def load() -> None:
        for name in (*LATE, *more):
            with contextlib.suppress(Exception):  # it is said where it is really needed
                importlib.import_module(name)

    thread = threading.Thread(target=load, name="load beside", daemon=True)
    thread.start()
    return thread
