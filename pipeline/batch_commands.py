"""``engage batch``: many lectures, in processes of this computer or on a Ray cluster."""

from __future__ import annotations

import hashlib
import inspect
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

if TYPE_CHECKING:
    from pipeline.lecture_run import Job

OWN: Final = frozenset({"videos", "out", "overwrite", "known", "parent", "read_ahead", "ahead", "stretch"})
"""Parameters of ``engage run`` that a batch has its own of, or none."""

FILES: Final = ("config", "seat_map")
"""Options that name a small file, whose content goes along to wherever the lecture is made."""


def batch(
    lectures: Annotated[
        list[str] | None,
        typer.Argument(metavar="DIR|VIDEO...", help="Recordings, folders with recordings, or addresses (s3://…)."),
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--list", help="CSV with a column video, and course, seat_map, lecture_day, … for each lecture."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Lectures at a time on this computer.")] = 1,
    ray: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Ray cluster: auto, or HOST:PORT.")] = None,
    cpus: Annotated[float, typer.Option("--cpus-per-lecture", min=0.1, help="CPU cores of a node for each.")] = 2,
    gpus: Annotated[float, typer.Option("--gpus-per-lecture", min=0, help="GPUs of a node for each.")] = 0,
    memory: Annotated[float, typer.Option("--memory-per-lecture", min=0.1, help="GiB of a node for each.")] = 4,
    retries: Annotated[int, typer.Option(min=0, help="Tries again of a lecture whose process or node died.")] = 2,
    out: Annotated[str, typer.Option(help="Folder or address (file://…, s3://…) of the sessions.")] = "sessions",
    work: Annotated[
        Path | None, typer.Option(help="Folder for what is under way; the user's cache by default.", show_default=False)
    ] = None,
    segment: Annotated[
        float | None,
        typer.Option("--segment-minutes", min=0.01, help="Longer lectures are searched in parts, at the same time."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Make sessions again that are there.")] = False,
    **options: Any,
) -> None:
    """Analyse many lectures; one that fails does not stop the others.

    All options of engage run hold for every lecture. A seat map lecture.seats.json beside lecture.mp4 is that
    lecture's own; a list (--list) may give each its course and more. Run the same command again to go on: whole
    sessions that were asked for alike are skipped. At the end batch.json beside the sessions says what the table says.

    Exit codes as of engage run; 1 where lectures failed for different reasons.
    """
    from pipeline.batch import Order, Shown, jobs_of, run_here, threads_each
    from pipeline.batch_summary import exit_code, store, table_of
    from pipeline.cluster import Cluster, Resources
    from pipeline.errors import InputError
    from pipeline.lectures import lectures_in
    from pipeline.lectures import listed as read_list
    from pipeline.remote import Place, is_url
    from pipeline.stopping import Stop

    if not lectures and listed is None:
        raise InputError("no lecture was given; name recordings or folders, or a list with --list FILE")
    if is_url(out):
        Place(out)  # what serves such addresses must be here before anything begins
    chosen = [*lectures_in(lectures or []), *(read_list(listed) if listed else [])]
    order = Order(
        out=out if is_url(out) or not ray else str(Path(out).absolute()),
        work=work.absolute() if work else work_folder(out),
        words=tuple(words_of(options)),
        course=options["course"],
        given=dict(_given(options)),
        overwrite=overwrite,
        retries=retries,
        segment_s=None if segment is None else 60 * segment,
    )
    begun, console, stop = time.monotonic(), Console(), threading.Event()
    jobs, refused = jobs_of(chosen, order, None if ray else threads_each(min(workers, len(chosen))))
    Stop.listen()
    cluster = Cluster(ray, Resources(cpus, gpus, memory)) if ray else None
    shown = Shown(console, len(jobs) + len(refused))
    with shown.on():
        for one in refused:
            shown.ended(one)
        if cluster is None:
            made = run_here(jobs, workers, shown, stop)
        else:
            with cluster:
                made = cluster.run([_anywhere(job) for job in jobs], shown, stop)
    outcomes = sorted([*refused, *made], key=lambda one: one.video)
    seconds = time.monotonic() - begun
    console.print(table_of(outcomes, seconds))
    place = store(outcomes, seconds, out)
    console.print(f"The same for programs: {place}", markup=False, highlight=False, soft_wrap=True)
    if code := (1 if stop.is_set() else exit_code(outcomes)):
        raise typer.Exit(code)


def with_options_of(run: Callable[..., None]) -> Callable[..., None]:
    """``batch`` with the options of ``engage run`` besides its own: they are written down once."""
    own, theirs = (inspect.signature(one, eval_str=True).parameters.values() for one in (batch, run))

    def command(**given: Any) -> None:
        batch(**given)

    command.__doc__ = batch.__doc__
    command.__name__ = "batch"
    chosen = [one for one in own if one.kind is not one.VAR_KEYWORD] + [one for one in theirs if one.name not in OWN]
    together = [one.replace(kind=one.KEYWORD_ONLY) for one in chosen]
    command.__signature__ = inspect.Signature(together)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in together}
    return command


def words_of(options: dict[str, Any]) -> Iterable[str]:
    """The words that give ``engage run`` these options again, those apart that name files."""
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is None or value is False or name in FILES:
            continue
        if value is True:
            yield option
            continue
        for one in value if isinstance(value, (list, tuple)) else [value]:
            yield from (option, _word(one))


def _word(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    return value.date().isoformat() if isinstance(value, datetime) else str(value)


def _given(options: dict[str, Any]) -> Iterable[tuple[str, tuple[str, bytes]]]:
    """The files named by options.

    Raises:
        InputError, ConsentError: one cannot be read, or is not what it should be.
    """
    from consent.seat_map import read_seat_map
    from pipeline.settings import read_settings

    checks: tuple[Callable[[Path], object], ...] = (read_settings, read_seat_map)
    for name, check in zip(FILES, checks, strict=True):
        if (path := options[name]) is not None:
            check(path)  # now, and not once for every lecture
            yield "--" + name.replace("_", "-"), (f"{name}{path.suffix}", path.read_bytes())


def work_folder(out: str) -> Path:
    """Where the batch for this target keeps what is under way, so that the same command finds it again."""
    from platformdirs import user_cache_path

    from pipeline.remote import is_url

    target = out if is_url(out) else str(Path(out).absolute())
    return user_cache_path("engage", appauthor=False) / "batch" / hashlib.sha256(target.encode()).hexdigest()[:12]


def _anywhere(job: Job) -> Job:
    """The job with paths that mean the same on every node."""
    from dataclasses import replace

    from pipeline.remote import is_url

    return job if is_url(job.video) else replace(job, video=str(Path(job.video).absolute()))
