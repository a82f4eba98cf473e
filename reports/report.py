"""The report of one lecture, of a course or of two lectures: made, and written without losing what is there."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final

from pipeline.session import Session
from reports.course import comparison_content, course_content
from reports.errors import OutputError, ReportError
from reports.html import page
from reports.lecture import lecture_content
from reports.measured import Measured
from reports.segments import read_segments
from reports.typeset import check_paper, pdf

SIZES_MM: Final = {"a4": (178.0, 50.0), "letter": (183.9, 44.0)}
"""Paper -> width of the text and height of a figure over all of it."""


class Format(str, Enum):
    """What a report is written as."""

    PDF = "pdf"
    HTML = "html"


def write_report(
    session: Session,
    out: Path | None = None,
    paper: str = "a4",
    format: Format = Format.PDF,
    segments: Path | None = None,
) -> Path:
    """Write the report of ``session``, at most three pages.

    Args:
        session: a finished session.
        out: the file; default ``report.pdf`` in the session folder. Written beside and renamed when whole.
        paper: ``a4`` or ``letter``.
        format: PDF, or one HTML file.
        segments: CSV with start and title of the parts of the lecture; found automatically where not given.

    Returns:
        Where the report is.

    Raises:
        ReportError: unknown paper, a segments file that is not right, or the place can not be written.
        OutputError: the disk is full.
        FormulaError: the session's weights or states table can not be used.
        SessionError: a table of the session is missing or damaged.
    """
    if out is None and format is not Format.PDF:
        raise ReportError(
            f"a report as {format.value} has no place in the session; give one with --out FILE.{format.value}"
        )
    return _store(out or session.report, _made(report_content(session, paper, segments), paper, format))


def report_content(session: Session, paper: str = "a4", segments: Path | None = None) -> dict[str, Any]:
    """Everything the report of a lecture shows, as ``reports.blocks``.

    Raises:
        ReportError, FormulaError, SessionError: as ``write_report``.
    """
    check_paper(paper)
    named = None if segments is None else read_segments(segments, session.manifest.duration)
    return lecture_content(Measured.of(session, named), *SIZES_MM[paper])


def write_course_report(sessions: Sequence[Session], out: Path, paper: str = "a4", format: Format = Format.PDF) -> Path:
    """Write one report over the lectures of a course, as they follow each other; raises as ``write_report``."""
    check_paper(paper)
    return _store(out, _made(course_content(sessions, *SIZES_MM[paper]), paper, format))


def write_comparison(
    first: Session, second: Session, out: Path, paper: str = "a4", format: Format = Format.PDF
) -> Path:
    """Write what differs between two lectures; raises as ``write_report``."""
    check_paper(paper)
    return _store(out, _made(comparison_content(first, second, *SIZES_MM[paper]), paper, format))


def _made(content: Mapping[str, Any], paper: str, format: Format) -> bytes:
    return pdf(content, paper) if format is Format.PDF else page(content).encode()


def _store(out: Path, made: bytes) -> Path:
    partial = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)  # a link that somebody put there would be followed
        partial.write_bytes(made)
        partial.replace(out)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(f"{out}: the disk is full; free some space or choose another --out") from error
        raise ReportError(f"{out}: can not be written ({error.strerror}); choose another --out") from error
    return out
