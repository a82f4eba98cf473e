"""Reports and tables as bytes for the browser, made in a temporary folder that is gone at once.

They are kept in memory for minutes only, and only for the state of the session they were made of: once a student is
taken out of it, or its data is deleted, nobody gets an older one.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard import access, library
from dashboard.access import Visitor
from pipeline.session import FILES, Session

KEPT_S: Final = 600
KEPT: Final = 12
"""Reports in memory at once."""

PPI: Final = 130
"""Of the pictures of pages: their type can be read when one fills the screen."""

STUDENT_LEVEL: Final = ("students", "unusual")
"""The tables with rows of single students."""

Version = tuple[tuple[int, int], ...]


def version(session: Session) -> Version:
    """What changes when anything of the session is written anew or deleted."""
    return tuple(library.written(session.folder / name) for name in FILES)


def pages(pdf: Path) -> list[bytes]:
    """Pictures of the pages of a PDF file, PNG.

    Raises:
        ValueError: it is damaged.
    """
    return _pages(str(pdf), library.written(pdf))


def html(session: Session) -> bytes:
    """The report as one HTML file.

    Raises:
        ReportError, OutputError, FormulaError, SessionError: as ``reports.report.write_report``.
    """
    return _html(str(session.folder), version(session))


def comparison(first: Session, second: Session, format: str) -> bytes:
    """What differs between two lectures, as ``pdf`` or ``html``; raises as ``html``."""
    return _comparison(str(first.folder), str(second.folder), format, (version(first), version(second)))


def comparison_pages(first: Session, second: Session) -> list[bytes]:
    """Pictures of its pages, PNG; raises as ``html``."""
    return _comparison_pages(str(first.folder), str(second.folder), (version(first), version(second)))


def csv(session: Session, visitor: Visitor) -> bytes:
    """The tables as CSV files in a ZIP archive; noted in the registry where single students are in them.

    Raises:
        NotPermitted: the visitor may not see the course any more.
        ReportError, OutputError, FormulaError, SessionError, RegistryError: they can not be made, or not noted.
    """
    from reports.export import write_csv

    made = _tables(session, visitor)
    with tempfile.TemporaryDirectory() as place:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in write_csv(made, Path(place)):
                packed.write(path, path.name)
    return archive.getvalue()


def xlsx(session: Session, visitor: Visitor) -> bytes:
    """The tables as one workbook; notes and raises as ``csv``."""
    from reports.export import write_xlsx

    made = _tables(session, visitor)
    with tempfile.TemporaryDirectory() as place:
        return write_xlsx(made, Path(place) / "tables.xlsx").read_bytes()


def _tables(session: Session, visitor: Visitor) -> Mapping[str, Any]:
    """What the visitor may take away; looks the role up again, because a page can be old."""
    from reports.tables import tables

    now = access.of_account(visitor.name) if visitor.name is not None else visitor
    with_students = access.take_away(now, session.folder.name)
    made = tables(session)
    return made if with_students else {name: table for name, table in made.items() if name not in STUDENT_LEVEL}


@st.cache_data(ttl=KEPT_S, max_entries=KEPT, show_spinner=False)
def _pages(pdf: str, written: tuple[int, int]) -> list[bytes]:
    return _drawn(Path(pdf).read_bytes())


@st.cache_data(ttl=KEPT_S, max_entries=KEPT, show_spinner=False)
def _html(folder: str, written: Version) -> bytes:
    from reports.report import Format, write_report

    with tempfile.TemporaryDirectory() as place:
        return write_report(Session.open(folder), Path(place) / "report.html", format=Format.HTML).read_bytes()


@st.cache_data(ttl=KEPT_S, max_entries=KEPT, show_spinner=False)
def _comparison(first: str, second: str, format: str, written: tuple[Version, Version]) -> bytes:
    from reports.report import Format, write_comparison

    out = Format(format)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / f"comparison.{out.value}"
        return write_comparison(Session.open(first), Session.open(second), file, format=out).read_bytes()


@st.cache_data(ttl=KEPT_S, max_entries=KEPT, show_spinner=False)
def _comparison_pages(first: str, second: str, written: tuple[Version, Version]) -> list[bytes]:
    return _drawn(_comparison(first, second, "pdf", written))


def _drawn(pdf: bytes) -> list[bytes]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as error:
        raise ValueError(str(error)) from None
    drawn = []
    try:
        for page in document:
            picture = io.BytesIO()
            page.render(scale=PPI / 72).to_pil().save(picture, "PNG", optimize=True)
            drawn.append(picture.getvalue())
    finally:
        document.close()
    return drawn
