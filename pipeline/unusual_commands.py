"""``engage similar`` and ``engage train anomaly``: moments alike, and ordinary windows from your own lectures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer


def similar(
    session: Annotated[Path, typer.Argument(help="Folder of a session.", show_default=False)],
    student: Annotated[int, typer.Option(min=1, help="Number of the student.", show_default=False)],
    at: Annotated[str, typer.Option(help="Moment as H:MM:SS, MM:SS or seconds.", show_default=False)],
    most: Annotated[int, typer.Option(min=1, help="How many moments to list.")] = 10,
) -> None:
    """List the moments of a lecture in which a student behaved most like this one did then."""
    from pipeline.session import Session
    from pipeline.similar import moments_like, scores_of

    t = seconds_of(at)
    opened = Session.open(session)
    typer.echo("  moment  student  distance")
    for moment in moments_like(opened, scores_of(opened), student, t, most).itertuples():
        typer.echo(f"{clock(moment.t):>8}  {moment.student:>7}  {moment.distance:>8.2f}")


def train_anomaly(
    sessions: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SESSION...", help="Sessions of ordinary lectures; none for simulated students."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the ordinary windows go.")] = Path("anomaly.npz"),
    window_s: Annotated[int, typer.Option(min=1, max=31, help="s of a window, as the setting anomaly.window_s.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
) -> None:
    """Make the file of ordinary windows; use it with the setting anomaly.prior. Some seconds per lecture.

    The file holds windows of cues of people, without numbers, places or times: keep it like the sessions' tables.
    """
    from models.anomaly import AnomalySettings
    from models.training.anomaly import run
    from pipeline.places import places_by_second
    from pipeline.session import Session

    lectures = [places_by_second(Session.open(folder).observations) for folder in sessions or []]
    run(lectures, AnomalySettings(window_s=window_s, seed=seed), out, typer.echo)


def seconds_of(moment: str) -> float:
    """``12:40`` as 760 s.

    Raises:
        InputError: it is no moment.
    """
    from pipeline.errors import InputError

    if not re.fullmatch(r"(\d+:)?(\d+:)?\d+(\.\d+)?", moment):
        raise InputError(f"--at {moment}: not a moment of a lecture; give it as 12:40, 1:02:40 or in seconds")
    total = 0.0
    for part in moment.split(":"):
        total = 60 * total + float(part)
    return total


def clock(t: float) -> str:
    """760 s as ``12:40``."""
    minutes, seconds = divmod(int(t), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
