"""Ctrl-C and polite kills, so that none is lost."""

from __future__ import annotations

import signal
from types import FrameType


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
