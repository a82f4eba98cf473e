"""Many lectures at once: what to do for each, the worker processes of this computer, and how far they all are."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from pipeline.errors import VideoError
from pipeline.lecture_run import End, Job, Outcome, do, do_segment
from pipeline.lectures import Lecture, name_clashes
from pipeline.progress_file import Reached
from pipeline.remote import Place, is_url

POLL_S: Final = 0.2


class Board(Protocol):
    """Told how far the lectures are."""

    def reached(self, label: str, reached: Reached) -> None:
        """A lecture is under way."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """A lecture is over."""
        ...


class Quiet:
    """A board nobody looks at."""

    def reached(self, label: str, reached: Reached) -> None:
        """See ``Board``."""

    def ended(self, outcome: Outcome) -> None:
        """See ``Board``."""


@dataclass
class Order:
    """What a batch was asked for.

    Attributes:
        out: folder or address of the sessions.
        work: folder for what is under way.
        words: options of ``engage run`` for all.
        course: the course for all, if any.
        given: option -> (file name, content) for all.
        overwrite: make all again.
        retries: of a process that died.
        segment_s: length, s, above which a lecture is searched in segments at the same time; ``None``: never.
    """

    out: str
    work: Path
    words: tuple[str, ...] = ()
    course: str | None = None
    given: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    overwrite: bool = False
    retries: int = 2
    segment_s: float | None = None


SEAT_MAP: Final = "--seat-map"


def jobs_of(lectures: Sequence[Lecture], order: Order, threads: int | None = None) -> tuple[list[Job], list[Outcome]]:
    """The job of each lecture, and how those ended that cannot even begin.

    A recording that is named twice is done once.
    """
    clashes = name_clashes(lectures, order.course)
    jobs: list[Job] = []
    refused: list[Outcome] = []
    for lecture in {one.video: one for one in lectures}.values():
        if (clash := clashes.get(lecture.video)) is not None:
            refused.append(Outcome(lecture.label, End.FAILED, clash, code=2))
            continue
        given = dict(order.given)
        if lecture.seat_map is not None:
            try:
                given[SEAT_MAP] = ("seats.json", _content(lecture.seat_map))
            except OSError as error:
                reason = f"seat map {lecture.seat_map!r} cannot be read ({error.strerror or error}); check its name"
                refused.append(Outcome(lecture.label, End.FAILED, reason, code=2))
                continue
        jobs.append(
            Job(
                video=lecture.video,
                label=lecture.label,
                name=lecture.name(order.course),
                out=order.out,
                work=str(order.work),
                words=(*order.words, *lecture.words),
                given=given,
                overwrite=order.overwrite,
                retries=order.retries,
                threads=threads,
                stretches=_stretches(lecture.video, order.segment_s),
            )
        )
    return jobs, refused


def _stretches(video: str, segment_s: float | None) -> tuple[tuple[float, float], ...]:
    """The segments of a recording on this computer that is longer than one."""
    if segment_s is None or is_url(video):
        return ()
    from pipeline.ahead import cuts
    from pipeline.video import VideoReader

    try:
        with VideoReader(video) as reader:
            found = cuts(float(reader.info.duration or 0), segment_s)
    except (VideoError, OSError):  # its own process says what is wrong with it
        return ()
    return tuple(found) if len(found) > 1 else ()


def _content(place: str) -> bytes:
    if not is_url(place):
        return Path(place).read_bytes()
    folder, _, name = place.rpartition("/")
    content = Place(folder).read(name)
    if content is None:
        raise FileNotFoundError(2, "No such file", place)
    return content


def run_here(jobs: Sequence[Job], workers: int, board: Board, stop: threading.Event) -> list[Outcome]:
    """Do the jobs with so many processes at once; returns in the order of the jobs.

    Once ``stop`` is set what is under way is ended politely, and what has not begun is not.
    """
    outcomes: dict[str, Outcome] = {}

    def part(job: Job, number: int) -> bytes | None:
        return None if stop.is_set() else do_segment(job, number, stop)

    def one(job: Job, parts: Sequence[Future[bytes | None]]) -> Outcome:
        ahead = [found.result() for found in parts]  # all were begun before: the pool takes turns
        if stop.is_set():
            return not_begun(job)
        return do(job, lambda reached: board.reached(job.label, reached), stop, ahead)

    with ThreadPoolExecutor(workers, thread_name_prefix="lecture") as pool:
        waiting: dict[Future[Outcome], Job] = {}
        for job in jobs:
            parts = [pool.submit(part, job, number) for number in range(len(job.stretches))]
            waiting[pool.submit(one, job, parts)] = job
        try:
            while waiting:
                for future in wait(waiting, POLL_S, FIRST_COMPLETED).done:  # short: so that Ctrl-C is heard
                    job = waiting.pop(future)
                    outcomes[job.video] = future.result()
                    board.ended(outcomes[job.video])
        except KeyboardInterrupt:
            stop.set()
            for future, job in waiting.items():
                outcomes[job.video] = future.result()
                board.ended(outcomes[job.video])
    return [outcomes[job.video] for job in jobs]


def not_begun(job: Job) -> Outcome:
    """Of a job that the user stopped before its turn."""
    return Outcome(job.label, End.STOPPED, "it had not begun; run the same command to go on", code=1)


def threads_each(workers: int) -> int | None:
    """Threads for the libraries of each of so many processes; ``None`` where one has the computer for itself.

    More threads than cores cost time; with another number of them networks may differ in their last bits.
    """
    return None if workers == 1 else max(1, (os.cpu_count() or 1) // workers)


class Shown:
    """Bars on the terminal: one for all lectures, one for each that is under way; a line for each that ended."""

    MARKS: Final = {
        End.DONE: "[green]done[/]",
        End.SKIPPED: "[cyan]skipped[/]",
        End.REVIEW: "[yellow]needs review[/]",
        End.FAILED: "[bold red]failed[/]",
        End.STOPPED: "[yellow]stopped[/]",
    }

    def __init__(self, console: Console, lectures: int) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("[bold]{task.description}", table_column=Column(ratio=2, no_wrap=True)),
            TextColumn("{task.fields[stage]}", table_column=Column(width=10)),
            BarColumn(bar_width=None, table_column=Column(ratio=2)),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            expand=True,
        )
        self._all = self._bars.add_task("lectures", total=lectures, stage="")
        self._own: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def on(self) -> Iterator[Shown]:
        """Show the bars during the block."""
        with self._bars:
            yield self

    def reached(self, label: str, reached: Reached) -> None:
        """See ``Board``."""
        with self._lock:
            if label not in self._own:
                self._own[label] = self._bars.add_task(label, total=reached.total, stage=reached.stage)
            stage = reached.stage.lower()
            self._bars.update(self._own[label], completed=reached.done, total=reached.total, stage=stage)

    def ended(self, outcome: Outcome) -> None:
        """See ``Board``."""
        with self._lock:
            if (own := self._own.pop(outcome.video, None)) is not None:
                self._bars.remove_task(own)
            self._bars.advance(self._all)
        self._console.print(self.MARKS[outcome.end], end=" ")
        words = f"{outcome.video} ({outcome.took_s / 60:.1f} min)" + (f": {outcome.reason}" if outcome.reason else "")
        self._console.print(words, markup=False, highlight=False, soft_wrap=True)
