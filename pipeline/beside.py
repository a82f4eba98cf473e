"""Work that is done in order in a thread of its own, while its giver goes on: the counterpart of ``video.prefetch``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any


class Beside:
    """Calls one after another; at most ``depth`` wait at once. A context manager, whose end waits for all of them.

    An exception of a call is raised by one of the next, or at the end of the block; calls after it are not made. When
    the block ends with an exception, those that wait are dropped.
    """

    def __init__(self, depth: int = 8) -> None:
        self._depth = depth
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._waiting: deque[Future[Any]] = deque()
        self._failed = False

    def __call__(self, work: Callable[..., Any], *args: Any) -> None:
        """Have ``work(*args)`` done after what was given before."""
        while len(self._waiting) >= self._depth:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._do, work, *args))

    def __enter__(self) -> Beside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while kind is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            self._thread.shutdown(cancel_futures=True)

    def _do(self, work: Callable[..., Any], *args: Any) -> None:
        if self._failed:
            return
        try:
            work(*args)
        except BaseException:
            self._failed = True
            raise
