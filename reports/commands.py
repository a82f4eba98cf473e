"""The command of this room: ``engage report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    sessions: Annotated[list[Path], typer.Argument(help="Session folders made by engage run.", show_default=False)],
    paper: Annotated[str, typer.Option(help="Size of the page: a4 or letter.")] = "a4",
    out: Annotated[
        Path | None,
        typer.Option(help="A .pdf file for one session, else a folder; default: report.pdf in each session."),
    ] = None,
) -> None:
    """Write the one-page PDF report of each session."""
    from pipeline.session import Session
    from reports.errors import ReportError
    from reports.report import write_report

    one_file = out is not None and out.suffix.lower() == ".pdf"
    if one_file and len(sessions) > 1:
        raise ReportError(f"--out {out}: one file can not hold {len(sessions)} reports; give a folder instead")
    for folder in sessions:
        session = Session.open(folder)
        place = out if one_file or out is None else out / f"{session.id}.pdf"
        typer.echo(write_report(session, place, paper))
