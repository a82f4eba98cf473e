"""Work done in threads while its giver goes on, with results or effects in order: the counterpart of
``video.prefetch``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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


def in_order(
    threads: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], depth: int
) -> Iterator[tuple[Item, Result]]:
    """Each item with ``work`` of it, done by several threads; of an endless stream at most ``depth`` are held at once.

    An exception of ``work`` is raised in its item's place.
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, threads.submit(work, item)))
            if len(waiting) >= depth:
                done, result = waiting.popleft()
                yield done, result.result()
        while waiting:
            done, result = waiting.popleft()
            yield done, result.result()
    finally:
        for _, result in waiting:
            result.cancel()
