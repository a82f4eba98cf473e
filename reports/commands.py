"""The commands of this room: ``engage report`` and ``engage export``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class ReportFormat(str, Enum):
    """What a report is written as."""

    PDF = "pdf"
    HTML = "html"


class ExportFormat(str, Enum):
    """What the tables are written as."""

    CSV = "csv"
    XLSX = "xlsx"


Segments = Annotated[
    Path | None,
    typer.Option(help="CSV with the columns start and title: the parts of the lecture. Found automatically without."),
]


def report(
    sessions: Annotated[list[Path], typer.Argument(help="Session folders made by engage run.", show_default=False)],
    paper: Annotated[str, typer.Option(help="Size of the page: a4 or letter.")] = "a4",
    out: Annotated[
        Path | None,
        typer.Option(help="A .pdf or .html file for one report, else a folder; default: report.pdf in each session."),
    ] = None,
    format: Annotated[ReportFormat, typer.Option(help="pdf, or html in one file.")] = ReportFormat.PDF,
    segments: Segments = None,
    trend: Annotated[bool, typer.Option("--trend", help="One report of all, as a course over weeks.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="One report of two sessions: what differs.")] = False,
) -> None:
    """Write the report of each session, at most three pages; or one of a course, or of two lectures compared."""
    from pipeline.session import Session
    from reports.errors import ReportError
    from reports.report import Format, write_comparison, write_course_report, write_report

    made = Format(format.value)
    one_file = out is not None and out.suffix.lower() in (".pdf", ".html")
    if one_file and out is not None and out.suffix.lower() != f".{made.value}":
        raise ReportError(f"--out {out}: is not {made.value}; name it {out.stem}.{made.value} or give --format")
    if segments is not None and (len(sessions) > 1 or trend or compare):
        raise ReportError(f"--segments {segments}: holds the parts of one lecture; give it with one session")
    if trend or compare:
        name = "--trend" if trend else "--compare"
        if trend and compare:
            raise ReportError("--trend and --compare: choose one of them")
        if compare and len(sessions) != 2:
            raise ReportError(f"--compare: {len(sessions)} session(s) are given; name two")
        if out is None or not one_file:
            raise ReportError(f"{name}: belongs to no one session; name its file with --out FILE.{made.value}")
        opened = [Session.open(folder) for folder in sessions]
        if trend:
            typer.echo(write_course_report(opened, out, paper, made))
        else:
            typer.echo(write_comparison(opened[0], opened[1], out, paper, made))
        return
    if one_file and len(sessions) > 1:
        raise ReportError(f"--out {out}: one file can not hold {len(sessions)} reports; give a folder instead")
    for folder in sessions:
        session = Session.open(folder)
        place = out if one_file or out is None else out / f"{session.id}.{made.value}"
        typer.echo(write_report(session, place, paper, made, segments))


def export(
    session: Annotated[Path, typer.Argument(help="Session folder made by engage run.", show_default=False)],
    out: Annotated[Path, typer.Option(help="A folder for csv, a .xlsx file for xlsx.")],
    format: Annotated[
        ExportFormat, typer.Option(help="csv: one file per table; xlsx: one workbook.")
    ] = ExportFormat.CSV,
    segments: Segments = None,
) -> None:
    """Write the report's tables for a spreadsheet, with a data dictionary that explains every column."""
    from pipeline.session import Session
    from reports.export import write_csv, write_xlsx
    from reports.tables import tables

    made = tables(Session.open(session), segments)
    if format is ExportFormat.CSV:
        for path in write_csv(made, out):
            typer.echo(path)
    else:
        typer.echo(write_xlsx(made, out))
