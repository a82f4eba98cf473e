"""How far work is, in a file: for a program that started ``engage`` in the background and shows it elsewhere."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from pipeline.progress import Advance, Bars
from pipeline.stopping import Stop

VARIABLE: Final = "ENGAGE_PROGRESS_FILE"
"""Environment variable that names the file; bars in the terminal where it is not set."""

INTERVAL_S: Final = 0.5
"""Between two writings: often enough to look alive, too rare to cost time."""

STANDSTILL_S: Final = 3600.0
"""Time without any progress after which a process in the background is ended. What takes longest without telling of it,
to find who is who in a long lecture, takes minutes."""

LEAST_S: Final = 3.0
"""Before that the speed says little."""


@dataclass(frozen=True)
class Reached:
    """How far the stage under way is."""

    stage: str
    done: int
    total: int | None
    """Frames; ``None`` where that is not known."""
    seconds: float
    """Since the stage began."""

    @property
    def left(self) -> float | None:
        """Seconds the stage still takes at the speed so far; ``None`` where nothing can be said."""
        if not self.total or self.done <= 0 or self.seconds < LEAST_S:
            return None
        return max(self.total - self.done, 0) * self.seconds / self.done


def read(path: Path) -> Reached | None:
    """What was written last; ``None`` before the first stage."""
    try:
        return Reached(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


class Standstill:
    """Whether work that tells how far it is has stood still for long: then it will not go on by itself."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._last: Reached | None = None
        self._since = time.monotonic()

    def __call__(self, now: Reached | None) -> bool:
        """Asked again and again with how far it is."""
        if now != self._last:
            self._last, self._since = now, time.monotonic()
        return time.monotonic() - self._since > self._longest_s


class ProgressFile:
    """``Progress`` that is written to a file as one JSON object, which is whole at any time.

    A file that cannot be written is no reason to stop the work: then nobody sees how far it is.
    """

    def __init__(self, path: Path, stop: Stop | None = None) -> None:
        self._path = path
        self._stop = stop or Stop()

    def __enter__(self) -> ProgressFile:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Advance]:
        """See ``Progress.stage``."""
        begun = written = time.monotonic()
        done = 0

        def advance(count: int) -> None:
            nonlocal done, written
            self._stop.check()
            done += count
            now = time.monotonic()
            if now - written >= INTERVAL_S:
                written = now
                self._write(Reached(name, done, total, now - begun))

        self._stop.check()
        self._write(Reached(name, 0, total, 0.0))
        yield advance
        self._write(Reached(name, done, done, time.monotonic() - begun))

    def _write(self, reached: Reached) -> None:
        partial = self._path.with_name(self._path.name + ".partial")
        with contextlib.suppress(OSError):
            partial.write_text(json.dumps(asdict(reached)), encoding="utf-8")
            partial.replace(self._path)


def shown(console: Console, stop: Stop | None = None) -> Bars | ProgressFile:
    """Progress as the environment wants it: in the file it names, else as bars on the terminal."""
    named = os.environ.get(VARIABLE)
    return ProgressFile(Path(named), stop) if named else Bars(console, stop)
