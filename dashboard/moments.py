"""The moments listed beside the video: unusual spans with what people made of them, what a filter finds, moments alike.

A student's number stands in a list only where somebody gave a reason to look at that student.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import reviewer, students, tables, texts
from dashboard.access import Visitor
from dashboard.player import Button, List, Row
from dashboard.texts import review as words
from models.states import State
from pipeline.errors import InputError
from pipeline.reviews import Verdict, marked, read_reviews
from pipeline.session import Session, SessionError
from reports.ribbons import found, in_words

MOST_ROWS = 150
"""Of a list: more is not read, and each row is sent to the browser."""
EVERYTHING = (0.0, 1.0)
ALL, OPEN = "all", "open"
MOST_SIMILAR = 8
SIMILAR = "similar"
"""What the browser asks for by the button of that name."""


@dataclass(frozen=True)
class Filter:
    """What the visitor wants to see.

    Attributes:
        states: names; all where it is empty.
        sure: least and most probability.
        only: numbers of students, of those opened; all of them where it is empty.
        marks: which unusual spans: a verdict, ``ALL``, or ``OPEN`` where this reviewer has said nothing yet.
    """

    states: tuple[str, ...] = ()
    sure: tuple[float, float] = EVERYTHING
    only: tuple[int, ...] = ()
    marks: str = ALL


def controls(name: str, session: Session, seen: tuple[int, ...], visitor: Visitor) -> Filter:
    """Show the filters of session ``name``; those of single students only where some were opened."""
    names = {state.value: state.label for state in session.manifest.profile.states}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        states = st.pills(
            words.STATES, list(names), selection_mode="multi", format_func=names.__getitem__, key=f"states {name}"
        )
        only: list[int] = []
        least, most = EVERYTHING
        marks: str | None = ALL
        if visitor.sees_students:
            marks = st.segmented_control(
                words.MARKED, list(words.MARKS), default=ALL, format_func=words.MARKS.__getitem__, key=f"marks {name}"
            )
            reviewer.ask(visitor)
        if seen:
            only = st.multiselect(
                words.ONLY,
                seen,
                format_func=students.label,
                placeholder=words.ALL_OPENED,
                key=f"only {name}",
                width=240,
            )
            least, most = st.slider(
                words.SURE, *EVERYTHING, EVERYTHING, 0.05, help=words.SURE_HELP, key=f"sure {name}", width=220
            )
    return Filter(tuple(states), (least, most), tuple(sorted(only)), marks or ALL)


def beside(
    name: str, session: Session, wanted: Filter, seen: tuple[int, ...], visitor: Visitor
) -> tuple[list[Row], list[List]]:
    """The unusual spans as marks of the timeline, and the lists.

    Raises:
        SessionError: a table cannot be read.
        InputError: what reviewers wrote cannot be read.
    """
    events = session.events
    verdicts = marked(events, read_reviews(session))
    mine = reviewer.name_of(visitor)
    spans = sorted(enumerate(zip(events.itertuples(), verdicts, strict=True)), key=lambda one: -one[1][0].score)
    rows = [
        _event(place, event, given, seen, mine, visitor.may_change)
        for place, (event, given) in spans
        if _passes(event.student, given, wanted, mine)
    ]
    lists = [] if not seen else [_found(session, wanted, seen)]
    help_ = words.SPANS_HELP if rows else words.NO_SUCH_SPANS if len(events) else words.NO_SPANS
    unusual = List("unusual", f"{words.SPANS} ({len(rows)})", help_, rows[:MOST_ROWS])
    return rows, [unusual, *_alike(name, session, events, seen), *lists]


def event_of(session: Session, what: dict[str, Any]) -> Any | None:
    """The unusual span a request names by its place and start; ``None`` where there is no such one."""
    try:
        events = session.events
    except SessionError:
        return None
    place = what.get("event")
    if not isinstance(place, int) or not 0 <= place < len(events) or events["start"].iloc[place] != what.get("start"):
        return None
    return next(events.iloc[[place]].itertuples())


def ask_for_similar(name: str, place: int) -> None:
    """Look for moments like an unusual span (its place in the table) when the page is drawn."""
    st.session_state[_SIMILAR] = {name: place}


def tell(sentence: str) -> None:
    """Say a failure when the page is drawn."""
    st.session_state[_TOLD] = [*st.session_state.get(_TOLD, ()), sentence]


def told() -> list[str]:
    """The failures of the last request, once."""
    return list(st.session_state.pop(_TOLD, ()))


_TOLD, _SIMILAR = "told", "similar to"


def _passes(student: int, given: dict[str, str], wanted: Filter, mine: str) -> bool:
    if wanted.only and student not in wanted.only:
        return False
    if wanted.marks == OPEN:
        return mine not in given
    return wanted.marks == ALL or wanted.marks in given.values()


def _event(place: int, event: Any, given: dict[str, str], seen: tuple[int, ...], mine: str, change: bool) -> Row:
    named = f"{students.label(event.student)}: " if event.student in seen else ""
    ask = {"event": place, "start": float(event.start)}
    alike = Button(words.SIMILAR, {"do": SIMILAR, **ask})
    buttons = [
        Button(words.VERDICTS[one.value], {"do": "review", **ask, "verdict": one.value}, given.get(mine) == one.value)
        for one in Verdict
    ]
    return Row(
        start=float(event.start),
        end=float(event.end),
        text=f"{named}{event.why}",
        more=words.SCORE.format(end=texts.clock(event.end), score=event.score, threshold=event.threshold),
        notes=", ".join(words.VERDICT.format(verdict=verdict, who=who) for who, verdict in given.items()),
        buttons=(*(buttons if change else ()), alike),
        faded=given.get(mine) == Verdict.DISMISSED.value,
    )


def _alike(name: str, session: Session, events: pd.DataFrame, seen: tuple[int, ...]) -> list[List]:
    """The moments like the unusual span asked for, if one was."""
    place = st.session_state.get(_SIMILAR, {}).get(name)
    if place is None or place >= len(events):
        return []
    event = events.iloc[place]
    with st.spinner(words.SIMILAR_WAIT):
        try:
            moments = tables.similar(session, int(event["student"]), float(event["start"]), MOST_SIMILAR)
        except (SessionError, InputError) as error:
            st.error(texts.plain(str(error)))
            return []
    rows = [
        Row(
            start=moment.t,
            end=moment.t + 1,
            text=students.label(moment.student) if moment.student in seen else words.SOMEBODY,
            more=words.SIMILAR_ROW.format(distance=moment.distance),
        )
        for moment in moments.itertuples()
    ]
    title = words.SIMILAR_TITLE.format(moment=texts.clock(event["start"]))
    return [List("similar", title, words.SIMILAR_HELP, rows)]


def _found(session: Session, wanted: Filter, seen: tuple[int, ...]) -> List:
    spans, count = found(
        tables.student_spans(session, wanted.only or seen), wanted.states, *wanted.sure, limit=MOST_ROWS
    )
    rows = [
        Row(
            start=span.start,
            end=span.end,
            text=f"{students.label(span.student)} {span_words(span)}",
            more=words.FOUND_MORE.format(seconds=f"{span.end - span.start:.0f}", seen=texts.percent(span.seen)),
        )
        for span in spans.itertuples()
    ]
    return List("found", words.FOUND.format(shown=len(rows), count=count), words.FOUND_HELP, rows)


def span_words(span: Any) -> str:
    """``attentive: likely (0.72)``."""
    return words.FOUND_ROW.format(state=State(span.state).label, words=in_words(span.sure), sure=span.sure)
