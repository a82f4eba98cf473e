"""The page on which people say what a student did: a click on a span, a click on a state, and it is saved."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from consent.retention import Kind
from dashboard import access, choice, moments, player, review, reviewer, students, tables, texts
from dashboard.access import Visitor
from dashboard.moments import Filter
from dashboard.player import Lens, List, Row, Shown
from dashboard.texts import correct as words
from models.states import State
from pipeline.corrections import correct, read_corrections, take_back
from pipeline.errors import InputError
from pipeline.session import Session, SessionError
from reports import agreement
from reports.agreement import Agreement
from reports.ribbons import found

MOST_ROWS = 120


def page() -> None:
    """Choose a lecture and a student, and correct what the system made of that student."""
    chosen = choice.lecture()
    if chosen is None:
        return
    name, session = chosen
    visitor = access.visitor()
    st.caption(words.HELP)
    if not visitor.may_change:
        st.info(words.NOT_YOURS)
        return
    if Kind.TABLES in session.manifest.purged:
        day = session.manifest.purged[Kind.TABLES]
        st.info(texts.DELETED[Kind.TABLES.value].format(day=day), icon=":material/auto_delete:")
        return
    try:
        numbers = tables.numbers(session)
        corrections = read_corrections(session)
    except (SessionError, InputError) as error:
        st.error(texts.plain(str(error)))
        return
    if not numbers:
        st.info(words.NO_STUDENTS)
        return
    _session(name, session, visitor, numbers, corrections)


def _session(name: str, session: Session, visitor: Visitor, numbers: list[int], corrections: pd.DataFrame) -> None:
    for sentence in moments.told():
        st.error(texts.plain(sentence))
    student, wanted = _controls(name, session, visitor)
    if student is not None:
        try:
            _player(name, session, visitor, student, wanted, corrections)
        except SessionError as error:
            st.error(texts.plain(str(error)))
    students.ask(visitor, name, numbers, several=False)
    _written(name, session, visitor, corrections)
    _agreement(session, corrections, visitor)


def _controls(name: str, session: Session, visitor: Visitor) -> tuple[int | None, Filter]:
    """Whose states, saved by whom, and which spans are listed."""
    seen = students.opened(name)
    states = {state.value: state.label for state in session.manifest.profile.states}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        student = None
        if seen:
            student = st.selectbox(
                texts.STUDENT, seen, index=len(seen) - 1, format_func=students.label, key=f"correct {name} {seen}"
            )
        reviewer.ask(visitor)
        wanted: list[str] = []
        least, most = moments.EVERYTHING
        if seen:
            wanted = st.pills(
                words.STATES,
                list(states),
                selection_mode="multi",
                format_func=states.__getitem__,
                key=f"to correct {name}",
            )
            least, most = st.slider(
                words.SURE,
                *moments.EVERYTHING,
                moments.EVERYTHING,
                0.05,
                help=words.SURE_HELP,
                key=f"doubt {name}",
                width=220,
            )
    return student, Filter(tuple(wanted), (least, most))


def _player(
    name: str, session: Session, visitor: Visitor, student: int, wanted: Filter, corrections: pd.DataFrame
) -> None:
    video, missing = review.video_of(name, session, visitor)
    spans, count = found(tables.student_spans(session, (student,)), wanted.states, *wanted.sure, limit=MOST_ROWS)
    rows = [
        Row(span.start, span.end, moments.span_words(span), f"{span.end - span.start:.0f} s", state=span.state)
        for span in spans.itertuples()
    ]
    mine = corrections[corrections["student"] == student]
    marks = [(who or words.NOBODY, lines) for who, lines in mine.groupby("reviewer", sort=True)]
    key = f"desk {name}"
    player.show(
        Shown(
            name=name,
            duration=session.manifest.duration,
            states=session.manifest.profile.states,
            video=video,
            missing=missing,
            ribbons=tables.student_bins(session, (student,)),
            lists=[List("spans", words.SPANS.format(shown=len(rows), count=count), words.SPANS_HELP, rows)],
            lens=Lens(tables.student_seconds(session, student), marks),
            wanted=wanted.states,
            sure=wanted.sure,
        ),
        key,
        lambda: _asked(name, session, access.visitor(), player.asked(key)),
    )


def _asked(name: str, session: Session, visitor: Visitor, what: dict[str, Any]) -> None:
    """Save a correction the browser asks for; nothing of it is believed unseen."""
    try:
        start, end, student = float(what["start"]), float(what["end"]), int(what["student"])
    except (KeyError, TypeError, ValueError):
        return
    if student not in students.opened(name) or not _may(session, visitor):
        return
    try:
        correct(session, start, end, student, str(what.get("state")), reviewer.name_of(visitor))
    except (SessionError, InputError) as error:
        moments.tell(str(error))


def _may(session: Session, visitor: Visitor) -> bool:
    """Asked at the click: a role may have been revoked since the page was drawn."""
    return visitor.may_change and visitor.sees(session.manifest.course)


def _written(name: str, session: Session, visitor: Visitor, corrections: pd.DataFrame) -> None:
    """What was written so far about students this visitor opened, and the way back."""
    mine = corrections[corrections["reviewer"] == reviewer.name_of(visitor)]
    head, undo = st.columns([5, 1], vertical_alignment="bottom")
    head.markdown(f"**{words.WRITTEN.format(count=len(corrections), mine=len(mine))}**")
    undo.button(
        words.UNDO,
        disabled=mine.empty,
        icon=":material/undo:",
        width="stretch",
        on_click=lambda: _undo(session, access.visitor()),
    )
    shown = corrections[corrections["student"].isin(students.opened(name))].iloc[::-1]
    if shown.empty:
        st.caption(words.NOTHING if corrections.empty else words.OTHERS)
        return
    labels = {state.value: state.label for state in State}
    st.dataframe(
        shown.assign(
            start=shown["start"].map(texts.clock), end=shown["end"].map(texts.clock), state=shown["state"].map(labels)
        ),
        hide_index=True,
        height=min(35 * (len(shown) + 1) + 3, 250),
        key=f"corrections {name}",
        column_config={
            "start": texts.START,
            "end": texts.END,
            "student": texts.STUDENT,
            "state": texts.STATE,
            "reviewer": words.REVIEWER,
            "at": words.AT,
        },
    )


def _undo(session: Session, visitor: Visitor) -> None:
    if not _may(session, visitor):
        return
    try:
        take_back(session, reviewer.name_of(visitor))
    except (SessionError, InputError) as error:
        moments.tell(str(error))


def _agreement(session: Session, corrections: pd.DataFrame, visitor: Visitor) -> None:
    st.markdown(f"**{words.AGREEMENT}**", help=words.AGREEMENT_HELP)
    named = corrections[corrections["reviewer"] != agreement.SYSTEM]
    if named.empty:
        st.caption(words.NO_AGREEMENT)
        return
    try:
        found_ = tables.agreements(session, corrections)
    except SessionError as error:
        st.error(texts.plain(str(error)))
        return
    st.dataframe(pd.DataFrame([_row(one) for one in found_]), hide_index=True, key="agreement")
    st.caption(words.AGREEMENT_HELP)


def _row(one: Agreement) -> dict[str, Any]:
    return {
        words.BETWEEN: words.PAIR.format(one=one.one, other=one.other or words.SYSTEM),
        words.SECONDS: one.seconds,
        words.SAME: texts.percent(one.same),
        words.KAPPA: words.NO_KAPPA if one.kappa is None else f"{one.kappa:.2f}, {agreement.in_words(one.kappa)}",
    }
