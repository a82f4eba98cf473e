"""The page of one lecture: watch it, see the class over time, the students and what was unusual."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd
import streamlit as st

from consent.retention import Kind
from dashboard import charts, library, server, texts
from models.states import PALETTE, State
from pipeline.session import ENGAGEMENT, EVENT_COLUMNS, DataDeleted, Session, SessionError
from reports.formula import CLASS, SHARE_PREFIX, STUDENT

QUERY = "session"
"""Name of the query parameter that links to a lecture."""


def page() -> None:
    """Choose a lecture of the server's folder and review it; says what to do where there is none."""
    found = library.load(library.folder())
    if not found.sessions and not found.broken:
        st.title(texts.NO_SESSIONS)
        st.markdown(texts.NO_SESSIONS_HELP.format(folder=found.folder))
        return
    if not found.sessions:
        st.title(texts.ALL_BROKEN)
        _broken(found.broken)
        return
    name = _chosen(found)
    _lecture(name, found.sessions[name])
    _broken(found.broken)


def _chosen(found: library.Library) -> str:
    """The name of the lecture from the address or the select box; only listed ones can be named."""
    names = list(found.sessions)
    asked = st.query_params.get(QUERY)
    if asked is not None and asked not in found.sessions:
        st.warning(
            texts.UNKNOWN_SESSION.format(name=texts.plain(asked, texts.LONGEST_NAME)),
            icon=":material/search_off:",
        )
    name = st.selectbox(
        texts.CHOOSE,
        names,
        index=names.index(asked) if asked in found.sessions else 0,
        format_func=lambda name: _label(name, found.sessions[name]),
        label_visibility="collapsed",
    )
    st.query_params[QUERY] = name
    return name


def _label(name: str, session: Session) -> str:
    made = session.manifest
    return " · ".join(filter(None, [texts.shortened(made.course or ""), name, _day(made.created)]))


def _day(created: str) -> str:
    return f"{created[:10]} {created[11:16]} UTC"


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
        st.info(texts.WITHHELD_TIMELINE if session.manifest.engagement.withheld else texts.NO_TIMELINE)
        return
    duration = session.manifest.duration
    bins = charts.binned(table, duration)
    with st.container(gap=None):
        st.altair_chart(charts.engagement_chart(bins, _events(session), duration), key="engagement")
        st.altair_chart(charts.states_chart(bins, session.state_names, duration), key="states")
    st.caption(texts.TIMELINE_HELP)


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
    st.caption(f"{source} · {_day(made.created)} · {texts.clock(made.duration)}")
    engagement, coverage, students, spans = st.columns(4)
    index = texts.WITHHELD if made.engagement.withheld else texts.index(made.engagement.mean)
    engagement.metric(texts.ENGAGEMENT, index, help=texts.ENGAGEMENT_HELP)
    coverage.metric(texts.COVERAGE, texts.percent(made.engagement.coverage), help=texts.COVERAGE_HELP)
    students.metric(texts.STUDENTS, made.counts.students)
    spans.metric(texts.SPANS, made.counts.events)


def _facts(session: Session) -> None:
    made = session.manifest
    frames = texts.FRAMES.format(analysed=made.counts.analysed_frames, frames=made.counts.frames)
    facts = {
        texts.PROFILE: texts.PROFILES[made.profile.value],
        texts.BLUR: texts.BLURS.get(made.blur, made.blur),
        texts.APPROVAL: made.approval,
        texts.ANALYSED: frames,
    }
    st.markdown("  \n".join(f"**{name}** {texts.plain(value)}" for name, value in facts.items()))
    if made.warnings:
        with st.expander(texts.WARNINGS.format(count=len(made.warnings)), expanded=True):
            for warning in made.warnings:
                st.markdown(texts.plain(warning))


def _downloads(session: Session) -> None:
    with st.container(horizontal=True):
        table = session.folder / ENGAGEMENT
        if table.is_file():
            _download(texts.DOWNLOAD_TABLE, table.read_bytes, table.name, "text/csv")
        if session.report.is_file():
            _download(texts.DOWNLOAD_REPORT, session.report.read_bytes, session.report.name, "application/pdf")
    if not session.report.is_file():
        st.caption(texts.plain(texts.NO_REPORT.format(folder=session.folder)))


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
        st.caption(texts.NO_SPANS)
        return 0
    st.markdown(f"**{texts.SPANS}**", help=texts.SPANS_HELP)
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
    st.markdown(f"**{texts.STUDENTS}**", help=texts.STUDENTS_HELP)
    rows = table[table["scope"] == STUDENT]
    if rows.empty:
        st.info(texts.NO_STUDENTS)
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


def _broken(errors: dict[str, str]) -> None:
    if not errors:
        return
    with st.expander(texts.BROKEN.format(count=len(errors)), expanded=True, icon=":material/warning:"):
        for name, error in errors.items():
            st.markdown(f"**{texts.plain(name)}** {texts.plain(error)}")
