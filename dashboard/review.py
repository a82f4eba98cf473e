"""The page of one lecture: watch it, see the class over time, what was unusual, and for a reason single students."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from consent.retention import Kind
from dashboard import access, choice, library, moment_map, moments, player, reviewer, server, students, tables, texts
from dashboard.access import Visitor
from dashboard.player import List, Row, Shown
from dashboard.texts import review as words
from models.states import PALETTE, State
from pipeline.errors import InputError
from pipeline.reviews import Verdict, review
from pipeline.session import ENGAGEMENT, DataDeleted, Session, SessionError
from reports.formula import SHARE_PREFIX


def page() -> None:
    """Choose a lecture and review it."""
    chosen = choice.lecture()
    if chosen is None:
        return
    name, session = chosen
    visitor = access.visitor()
    _numbers(session)
    for sentence in moments.told():
        st.error(texts.plain(sentence))
    if (day := session.manifest.purged.get(Kind.TABLES)) is not None:
        st.info(texts.DELETED[Kind.TABLES.value].format(day=day), icon=":material/auto_delete:")
        _player(name, session, visitor, moments.Filter())
    else:
        _lecture(name, session, visitor)
    _about(session)
    choice.broken(library.load(library.folder()).seen_by(visitor.sees).broken)


def _numbers(session: Session) -> None:
    """The lecture in one line."""
    made = session.manifest
    engagement = made.engagement
    known = engagement.low is not None and engagement.high is not None
    title = texts.plain(made.course or made.source.name, texts.LONGEST_NAME)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.subheader(title, anchor=False, width="content")
        st.markdown(
            words.NUMBERS.format(
                index=texts.WITHHELD if engagement.withheld else texts.index(engagement.mean),
                interval=words.INTERVAL.format(low=texts.index(engagement.low), high=texts.index(engagement.high))
                if known
                else "",
                coverage=texts.percent(engagement.coverage),
                students=made.counts.students,
                spans=words.UNUSUAL.format(count=made.counts.events) if made.counts.events != 1 else words.ONE_UNUSUAL,
            ),
            help=f"{texts.ENGAGEMENT_HELP} {texts.COVERAGE_HELP}",
            width="content",
        )


def _lecture(name: str, session: Session, visitor: Visitor) -> None:
    """The player, and below it what changes what it shows: it is drawn last, because that is read first."""
    place = st.container()
    seen = students.opened(name) if visitor.sees_students else ()
    wanted = moments.controls(name, session, seen, visitor)
    with place:
        _player(name, session, visitor, wanted, seen)
    if visitor.sees_students:
        _students(name, session, visitor, seen)
        moment_map.show(name, session, seen)


def _player(name: str, session: Session, visitor: Visitor, wanted: moments.Filter, seen: tuple[int, ...] = ()) -> None:
    bins, ribbons = None, None
    marks: list[Row] = []
    lists: list[List] = []
    if Kind.TABLES not in session.manifest.purged:
        bins = _timeline(session)
    if visitor.sees_students and Kind.TABLES not in session.manifest.purged:
        try:
            marks, lists = moments.beside(name, session, wanted, seen, visitor)
            shown = wanted.only or seen
            ribbons = tables.student_bins(session, shown) if shown else None
        except (SessionError, InputError) as error:
            st.error(texts.plain(str(error)))
    video, missing = video_of(name, session, visitor)
    key = f"player {name}"
    player.show(
        Shown(
            name=name,
            duration=session.manifest.duration,
            states=session.manifest.profile.states,
            video=video,
            missing=missing,
            bins=bins,
            marks=marks,
            ribbons=ribbons,
            lists=lists,
            wanted=wanted.states,
            sure=wanted.sure,
        ),
        key,
        lambda: _asked(name, session, access.visitor(), player.asked(key)),  # a role may have been revoked since
    )
    if bins is not None:
        st.caption(words.TIMELINE_HELP)


def video_of(name: str, session: Session, visitor: Visitor) -> tuple[str | None, str]:
    """The address of a session's video, or why there is none: everybody's box and state are drawn in it."""
    if not visitor.sees_students:
        return None, words.CLASS_ONLY
    try:
        return server.video_url(name, session.video), ""
    except DataDeleted:
        kind = Kind.ANNOTATED_VIDEO
        return None, texts.DELETED[kind.value].format(day=session.manifest.purged[kind])
    except SessionError as error:
        return None, str(error)


def _timeline(session: Session) -> pd.DataFrame | None:
    try:
        bins = tables.class_bins(session)
    except SessionError as error:
        st.error(texts.plain(str(error)))
        return None
    if bins is None:
        st.info(words.WITHHELD_TIMELINE if session.manifest.engagement.withheld else words.NO_TIMELINE)
    return bins


def _asked(name: str, session: Session, visitor: Visitor, what: dict[str, Any]) -> None:
    """Do what the browser asked for; nothing of it is believed unseen."""
    event = moments.event_of(session, what)
    if event is None or not visitor.sees_students or not visitor.sees(session.manifest.course):
        return
    if what.get("do") == moments.SIMILAR:
        moments.ask_for_similar(name, event.Index)
    elif not visitor.may_change:
        return
    elif what.get("verdict") in [verdict.value for verdict in Verdict]:
        try:
            review(session, event.start, event.end, event.student, Verdict(what["verdict"]), reviewer.name_of(visitor))
        except (SessionError, InputError) as error:
            moments.tell(str(error))


def _students(name: str, session: Session, visitor: Visitor, seen: tuple[int, ...]) -> None:
    st.markdown(f"**{words.STUDENTS}**", help=words.STUDENTS_HELP)
    try:
        numbers = tables.numbers(session)
        rows = tables.student_rows(session, seen)
    except SessionError:  # said above
        return
    if not numbers:
        st.info(words.NO_STUDENTS)
        return
    st.caption(words.STUDENTS_HELP)
    students.ask(visitor, name, numbers, several=True)
    if seen:
        _overview(session, rows)


def _overview(session: Session, rows: pd.DataFrame) -> None:
    states = {SHARE_PREFIX + state: State(state) for state in session.state_names}
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
    st.caption(words.OVERVIEW_HELP)


def _bar(label: str, colour: str, form: str = "percent") -> Any:
    """A column of numbers from 0 to 1 drawn as bars; eight of them fit a screen of 1280 px."""
    return st.column_config.ProgressColumn(label, width=125, format=form, min_value=0, max_value=1, color=colour)


def _about(session: Session) -> None:
    made = session.manifest
    frames = words.FRAMES.format(analysed=made.counts.analysed_frames, frames=made.counts.frames)
    facts = {
        texts.PROFILE: texts.PROFILES[made.profile.value],
        texts.BLUR: texts.BLURS.get(made.blur, made.blur),
        words.APPROVAL: made.approval,
        words.ANALYSED: f"{made.source.name}, {texts.clock(made.duration)}, {texts.moment(made.created)}, {frames}",
    }
    with st.expander(words.ABOUT, icon=":material/info:"):
        st.markdown("  \n".join(f"**{name}** {texts.plain(value)}" for name, value in facts.items()))
        if Kind.TABLES not in made.purged:
            _downloads(session)
    if made.warnings:
        with st.expander(words.WARNINGS.format(count=len(made.warnings))):
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
