"""Ctrl-C and polite kills, so that none is lost."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Final

LOOK_S: Final = 0.5
"""Between two looks whether the parent is there."""


class Stop:
    """Remembers that the user wants to stop.

    Python raises ``KeyboardInterrupt`` wherever it is at that moment. Some libraries catch everything while they load,
    and the work would go on: so whoever counts frames asks here as well.
    """

    def __init__(self) -> None:
        self.asked = False

    @classmethod
    def listen(cls) -> Stop:
        """Listen to SIGINT and SIGTERM from now on; only in the main thread."""
        stop = cls()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop._hear)
        sys.unraisablehook = _all_but_stops
        return stop

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.default_int_handler(number, frame)

    def check(self) -> None:
        """Raise what was swallowed.

        Raises:
            KeyboardInterrupt: the user wanted to stop.
        """
        if self.asked:
            raise KeyboardInterrupt


def _all_but_stops(unraisable: sys.UnraisableHookArgs) -> None:
    """Print what a finaliser raised, unless it is the stop: that is not lost, ``check`` raises it."""
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


def end_with(parent: int) -> None:
    """End this process at once when its parent is gone: nobody waits for it, and another may take over its work.

    What was saved until then stays, as after a kill.

    Args:
        parent: id of the process that started this one.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        os._exit(1)  # not sys.exit: that ends this thread only

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
