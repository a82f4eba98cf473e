"""How long work tells how far it is. The pipeline knows only ``Progress``; the terminal's bars are one kind of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as RichProgress,
)
from rich.text import Text

from pipeline.stopping import Stop

Advance = Callable[[int], None]


class Progress(Protocol):
    """Stages of work counted in frames."""

    def stage(self, name: str, total: int | None) -> contextlib.AbstractContextManager[Advance]:
        """Begin a stage of ``total`` frames (``None`` if unknown); call the result with how many are done more."""
        ...


class Silent:
    """No progress shown: for tests and programs."""

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Advance]:
        """See ``Progress.stage``."""
        yield lambda count: None


class _FramesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:5.1f} fps" if speed else "  – fps", style="cyan")


class Bars:
    """Progress bars with frames per second and time left, one line per stage.

    Work ends at its next frame where a library swallowed the user's wish to stop (see ``Stop``).
    """

    def __init__(self, console: Console, stop: Stop | None = None) -> None:
        self._stop = stop or Stop()
        self._bars = RichProgress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.completed:.0f}/{task.total:.0f} frames"),
            _FramesPerSecond(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
        )

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Advance]:
        """See ``Progress.stage``."""
        task = self._bars.add_task(name, total=total or 0)

        def advance(count: int) -> None:
            self._stop.check()
            self._bars.advance(task, count)

        self._stop.check()
        yield advance
        done = self._bars.tasks[task].completed
        self._bars.update(task, total=done, completed=done)
