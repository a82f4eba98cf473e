"""The command of this room: ``engage purge``."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.purge import Row


def purge(
    sessions: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Folder of sessions, may be repeated; default sessions."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="As of that day; one to come only with --dry-run. Default today."),
    ] = None,
) -> None:
    """Delete what has been kept as long as the students were promised; run it every day.

    Looks at the sessions in DIR and at those that the consent registry has noted. The original recordings are yours to
    delete: those whose time is over are listed.
    """
    from consent.registry import Registry
    from pipeline.errors import InputError
    from pipeline.purge import Purge

    today = date.today()
    day = on.date() if on else today
    if day > today and not dry_run:
        raise InputError(f"--on {day}: is a day to come, until then the data may be kept; add --dry-run")
    for folder in sessions or []:
        if not folder.is_dir():
            raise InputError(f"--sessions {folder}: is not a folder; give the one that holds the sessions")
    with Registry.open() as registry:
        done = Purge(registry, day, today, dry_run=dry_run)
        done.courses()
        done.folders([folder.resolve() for folder in sessions or [Path("sessions")]])
    _print(done.rows, f"Past their end date on {day}")
    if done.endless:
        typer.echo(
            f"{len(done.endless)} session(s) hold data without an end date, such as {done.endless[0]}; set one with:"
            " engage consent retain COURSE --course-file COURSE.yaml"
        )
    if done.missing:
        typer.echo(
            f"{len(done.missing)} noted session(s) are not at their place, such as {done.missing[0]}: deleted by hand,"
            " on another computer, or moved (then name the new folder with --sessions)"
        )
    for sentence in done.problems:
        typer.echo(f"error: {sentence}", err=True)
    if done.problems:
        raise typer.Exit(2)


def _print(rows: list[Row], title: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        typer.echo(f"{title}: nothing.")
        return
    table = Table("Of", "Data", "Kept until", "", title=title, title_justify="left")
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(escape(row.of), escape(row.data), "–" if row.until is None else str(row.until), escape(row.done))
    Console().print(table)
