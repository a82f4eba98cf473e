"""The page of one lecture: watch it, see the class over time, the students and what was unusual."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd
import streamlit as st

from consent.retention import Kind
from dashboard import charts, choice, library, server, texts
from dashboard.texts import review as words
from models.states import PALETTE, State
from pipeline.session import ENGAGEMENT, EVENT_COLUMNS, DataDeleted, Session, SessionError
from reports.formula import CLASS, SHARE_PREFIX, STUDENT


def page() -> None:
    """Choose a lecture and review it."""
    chosen = choice.lecture()
    if chosen is not None:
        _lecture(*chosen)
        choice.broken(library.load(library.folder()).broken)


def _lecture(name: str, session: Session) -> None:
    left, right = st.columns([5, 4], gap="medium")
    for kind, day in session.manifest.purged.items():
        left.info(texts.DELETED[kind.value].format(day=day), icon=":material/auto_delete:")
    has_tables = Kind.TABLES not in session.manifest.purged
    with right:
        _summary(session)
        start = _unusual(name, session) if has_tables else 0
        _facts(session)
        if has_tables:
            _downloads(session)
    try:
        table = _engagement(session) if has_tables else None
    except SessionError as error:
        table = None
        left.error(texts.plain(str(error)))
    with left:
        _video(name, session, start)
        if table is not None:
            _timeline(session, table)
    if table is not None:
        _students(session, table)


def _engagement(session: Session) -> pd.DataFrame:
    """``engagement.csv`` with every column this page reads.

    Raises:
        SessionError: the file is missing, damaged or of another profile.
    """
    try:
        table = session.engagement
    except SessionError:
        raise
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise SessionError(texts.UNREADABLE_TABLE.format(file=ENGAGEMENT, error=error)) from error
    needed = ["scope", "t", "student", "engagement", "coverage", "minutes_seen", *_shares(session)]
    missing = [column for column in needed if column not in table]
    if missing:
        raise SessionError(texts.UNREADABLE_TABLE.format(file=ENGAGEMENT, error=f"no column {missing[0]!r}"))
    return table


def _shares(session: Session) -> list[str]:
    return [SHARE_PREFIX + name for name in session.state_names]


def _video(name: str, session: Session, start: int) -> None:
    try:
        path = session.video
    except DataDeleted:  # said above
        return
    except SessionError as error:
        st.error(texts.plain(str(error)))
        return
    st.video(server.video_url(name, path), start_time=start)


def _timeline(session: Session, table: pd.DataFrame) -> None:
    if table.loc[table["scope"] == CLASS, "engagement"].isna().all():
        st.info(words.WITHHELD_TIMELINE if session.manifest.engagement.withheld else words.NO_TIMELINE)
        return
    duration = session.manifest.duration
    bins = charts.binned(table, duration)
    with st.container(gap=None):
        st.altair_chart(charts.engagement_chart(bins, _events(session), duration), key="engagement")
        st.altair_chart(charts.states_chart(bins, session.state_names, duration), key="states")
    st.caption(words.TIMELINE_HELP)


def _events(session: Session) -> pd.DataFrame:
    """Unusual spans, none where their table can not be read: ``_unusual`` has said so already."""
    try:
        return session.events
    except SessionError:
        return pd.DataFrame(columns=list(EVENT_COLUMNS))


def _summary(session: Session) -> None:
    made = session.manifest
    st.subheader(texts.plain(made.course or made.source.name, texts.LONGEST_NAME), anchor=False)
    source = texts.plain(made.source.name, texts.LONGEST_NAME)
    st.caption(f"{source} · {texts.moment(made.created)} · {texts.clock(made.duration)}")
    engagement, coverage, students, spans = st.columns(4)
    index = texts.WITHHELD if made.engagement.withheld else texts.index(made.engagement.mean)
    engagement.metric(texts.ENGAGEMENT, index, help=texts.ENGAGEMENT_HELP)
    coverage.metric(texts.COVERAGE, texts.percent(made.engagement.coverage), help=texts.COVERAGE_HELP)
    students.metric(texts.STUDENTS, made.counts.students)
    spans.metric(texts.SPANS, made.counts.events)


def _facts(session: Session) -> None:
    made = session.manifest
    frames = words.FRAMES.format(analysed=made.counts.analysed_frames, frames=made.counts.frames)
    facts = {
        texts.PROFILE: texts.PROFILES[made.profile.value],
        texts.BLUR: texts.BLURS.get(made.blur, made.blur),
        words.APPROVAL: made.approval,
        words.ANALYSED: frames,
    }
    st.markdown("  \n".join(f"**{name}** {texts.plain(value)}" for name, value in facts.items()))
    if made.warnings:
        with st.expander(words.WARNINGS.format(count=len(made.warnings)), expanded=True):
            for warning in made.warnings:
                st.markdown(texts.plain(warning))


def _downloads(session: Session) -> None:
    with st.container(horizontal=True):
        table = session.folder / ENGAGEMENT
        if table.is_file():
            _download(words.DOWNLOAD_TABLE, table.read_bytes, table.name, "text/csv")
        if session.report.is_file():
            _download(words.DOWNLOAD_REPORT, session.report.read_bytes, session.report.name, "application/pdf")
    if not session.report.is_file():
        st.caption(texts.plain(words.NO_REPORT.format(folder=session.folder)))


def _download(label: str, data: Any, file_name: str, mime: str) -> None:
    st.download_button(label, data, file_name, mime, on_click="ignore", icon=":material/download:")


def _unusual(name: str, session: Session) -> int:
    """List the unusual spans; returns the second to start the video at: the selected span's, or 0."""
    try:
        events = session.events
    except SessionError as error:
        st.error(texts.plain(str(error)))
        return 0
    if events.empty:
        st.caption(words.NO_SPANS)
        return 0
    st.markdown(f"**{texts.SPANS}**", help=words.SPANS_HELP)
    shown = events[["start", "end", "student", "score", "why"]].reset_index(drop=True)
    shown[["start", "end"]] = shown[["start", "end"]].map(texts.clock)
    chosen = st.dataframe(
        shown,
        height=min(35 * (len(shown) + 1) + 3, 180),
        hide_index=True,
        key=f"spans of {name}",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "start": texts.START,
            "end": texts.END,
            "student": texts.STUDENT,
            "score": st.column_config.NumberColumn(texts.SCORE, format="%.2f"),
            "why": st.column_config.TextColumn(texts.WHY, width="large"),
        },
    )
    rows = cast(Any, chosen)["selection"]["rows"]
    return int(events["start"].iloc[rows[0]]) if rows and rows[0] < len(events) else 0


def _students(session: Session, table: pd.DataFrame) -> None:
    st.markdown(f"**{texts.STUDENTS}**", help=words.STUDENTS_HELP)
    rows = table[table["scope"] == STUDENT]
    if rows.empty:
        st.info(words.NO_STUDENTS)
        return

    states = {SHARE_PREFIX + name: State(name) for name in session.state_names}
    shares = ["engagement", "coverage", *states]
    shown = rows[["student", "engagement", "coverage", "minutes_seen", *states]]
    st.dataframe(
        shown.astype({"student": "Int64"}).round(dict.fromkeys(shares, 2)),
        hide_index=True,
        key="students",
        column_config={
            "student": st.column_config.NumberColumn(texts.STUDENT, width=65, pinned=True),
            "engagement": _bar(texts.ENGAGEMENT, "blue", "%.2f"),
            "coverage": _bar(texts.COVERAGE, "gray"),
            "minutes_seen": st.column_config.NumberColumn(texts.MINUTES_SEEN, width=90, format="%.1f"),
            **{column: _bar(state.label, PALETTE[state]) for column, state in states.items()},
        },
    )


def _bar(label: str, colour: str, form: str = "percent") -> Any:
    """A column of numbers from 0 to 1 drawn as bars; eight of them fit a screen of 1280 px."""
    return st.column_config.ProgressColumn(label, width=125, format=form, min_value=0, max_value=1, color=colour)
