"""The page of reports: look at the pages, compare two lectures, take away PDF, HTML and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import streamlit as st

from consent.retention import Kind
from dashboard import access, choice, exports, jobs, library, texts
from dashboard.access import Visitor
from dashboard.texts import report as words
from pipeline.session import Session, SessionError
from reports.errors import FormulaError, OutputError, ReportError

PDF: Final = "application/pdf"
HTML: Final = "text/html"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

FAILURES: Final = (ReportError, OutputError, FormulaError, SessionError)


def page() -> None:
    """The report of the lecture chosen."""
    chosen = choice.lecture()
    if chosen is None:
        return
    name, session = chosen
    visitor = access.visitor()
    if (day := session.manifest.purged.get(Kind.TABLES)) is not None:
        st.info(texts.DELETED[Kind.TABLES.value].format(day=day), icon=":material/auto_delete:")
        return
    preview, compared = st.tabs([words.PREVIEW, words.COMPARE])
    with preview:
        _preview(name, session, visitor)
    with compared:
        _compare(name, session, visitor)


def _preview(name: str, session: Session, visitor: Visitor) -> None:
    with st.container(horizontal=True):
        if session.report.is_file():
            _download(words.DOWNLOAD_PDF, session.report.read_bytes, f"{name}.pdf", PDF)
        _download(words.DOWNLOAD_HTML, partial(exports.html, session), f"{name}.html", HTML, words.HTML_HELP)
        help = words.TABLES_HELP + (words.STUDENTS_HELP if visitor.sees_students else words.CLASS_HELP)
        _download(words.DOWNLOAD_CSV, partial(exports.csv, session, visitor), f"{name}.zip", "application/zip", help)
        _download(words.DOWNLOAD_XLSX, partial(exports.xlsx, session, visitor), f"{name}.xlsx", XLSX, help)
    if not session.report.is_file():
        _write(name, session, visitor)
        return
    try:
        _pages(exports.pages(session.report))
    except (OSError, ValueError) as error:
        st.error(texts.plain(words.DAMAGED.format(error=error)))
        _write(name, session, visitor)


def _write(name: str, session: Session, visitor: Visitor) -> None:
    """Offer to write the report that is not there."""
    st.info(words.NO_PAGES, icon=":material/draft:")
    if not visitor.may_change:
        st.caption(words.ASK_FOR_IT)
        return
    if any(job.session == name and not job.state.ended for job in jobs.listed()):
        st.caption(words.WRITING)
        return
    if st.button(words.WRITE, type="primary"):
        title = words.WRITE_TITLE.format(lecture=texts.shortened(session.manifest.source.name))
        command = ["report", str(session.folder.absolute())]
        jobs.submit(command, title, course=session.manifest.course, session=name, account=visitor.name)
        st.rerun()


def _compare(name: str, session: Session, visitor: Visitor) -> None:
    found = library.load(library.folder()).seen_by(visitor.sees)
    others = _comparable(name, session, found.sessions)
    if not others:
        st.info(words.NO_OTHER)
        return
    second = st.selectbox(
        words.OTHER,
        list(others),
        index=None,
        format_func=lambda one: choice.label(one, others[one]),
        placeholder=words.OTHER,
        key=f"compare {name}",
        label_visibility="collapsed",
    )
    if second is None:
        return
    other = others[second]
    try:
        with st.spinner(words.MAKING):
            drawn = exports.comparison_pages(session, other)
    except FAILURES as error:
        st.error(texts.plain(str(error)))
        return
    file = f"{name} and {second}"
    with st.container(horizontal=True, vertical_alignment="center"):
        _download(words.DOWNLOAD_PDF, partial(exports.comparison, session, other, "pdf"), f"{file}.pdf", PDF)
        _download(words.DOWNLOAD_HTML, partial(exports.comparison, session, other, "html"), f"{file}.html", HTML)
        names = (texts.plain(one.manifest.source.name, texts.LONGEST_NAME) for one in (session, other))
        st.caption(words.A_AND_B.format(**dict(zip(("first", "second"), names, strict=True))))
    _pages(drawn)


def _comparable(name: str, session: Session, sessions: Mapping[str, Session]) -> dict[str, Session]:
    """The other lectures with tables, those of the same course first."""
    others = {other: one for other, one in sessions.items() if other != name and Kind.TABLES not in one.manifest.purged}
    return dict(sorted(others.items(), key=lambda pair: pair[1].manifest.course != session.manifest.course))


def _pages(drawn: list[bytes]) -> None:
    """The pages beside each other; each can fill the screen."""
    for place, (column, picture) in enumerate(zip(st.columns(max(len(drawn), 1)), drawn, strict=True), 1):
        column.image(picture, caption=words.PAGE.format(page=place, pages=len(drawn)), width="stretch")


def _download(label: str, data: Callable[[], Any], file: str, mime: str, help: str | None = None) -> None:
    st.download_button(
        label, data, file, mime, on_click="ignore", icon=":material/download:", help=help, key=f"{label} {file}"
    )
