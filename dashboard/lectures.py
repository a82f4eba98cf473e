"""The page of all lectures: find one and open it, see a course over the weeks, start an analysis and watch it go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, cast

import pandas as pd
import streamlit as st

from consent.errors import ConsentError
from consent.policy import course_key
from dashboard import access, analysis, choice, course_charts, door, library, overview, pages, standing, texts, waiting
from dashboard.access import Visitor
from dashboard.overview import Lecture
from dashboard.standing import Standing
from dashboard.texts import lectures as words
from models.states import PALETTE, State
from reports.errors import FormulaError, ReportError
from reports.trend import check_alike, trend

ROW_PX: Final = 35
MOST_ROWS: Final = 9
MOST_STATES: Final = 2
OPENED: Final = ("review", "correct", "report")


def page() -> None:
    """List the lectures that the visitor sees."""
    visitor = access.visitor()
    found = library.load(library.folder()).seen_by(visitor.sees)
    waiting.show()
    if found.sessions:
        _lectures(found, visitor)
    else:
        choice.nothing(found)
        if visitor.may_change and visitor.sees(analysis.DEMO_COURSE):
            analysis.demo()
    if visitor.may_change:
        with st.expander(words.START, expanded=not found.sessions, icon=":material/add_circle:"):
            analysis.form()
    waiting.earlier()
    if found.sessions:
        choice.broken(found.broken)


def _lectures(found: library.Library, visitor: Visitor) -> None:
    made = overview.lectures(found)
    named = overview.courses(made)
    shown, course = _filtered(made, named)
    if not shown:
        st.info(words.NOTHING_FOUND, icon=":material/search_off:")
        return
    _table(shown, _standings(), visitor, several=len(named) > 1, all=len(made))
    _weeks(shown, named, course)


def _filtered(made: list[Lecture], named: Mapping[str, str]) -> tuple[list[Lecture], str | None]:
    """The lectures that fit the boxes above the table, and the key of the course chosen."""
    search, courses, days = st.columns([3, 3, 2], vertical_alignment="bottom")
    asked = search.text_input(words.SEARCH, placeholder=words.SEARCH_HINT, key="search", max_chars=200)
    course = courses.selectbox(
        words.COURSE,
        [None, *named],
        format_func=lambda key: words.ALL_COURSES if key is None else texts.shortened(named[key]),
        key="course",
    )
    # Empty at first: a range that ends with the last lecture would hide the one that is being analysed.
    picked = days.date_input(words.DAYS, [], format="YYYY-MM-DD", help=words.DAYS_HELP, key="days")
    between = cast("tuple[date, ...]", picked)
    shown = overview.wanted(made, asked or "", course, (between[0], (*between, date.max)[1]) if between else None)
    return shown, course


def _standings() -> Mapping[str, Standing]:
    try:
        return standing.standings(date.today())
    except ConsentError as error:
        st.error(texts.plain(str(error)))
        return {}


def _table(shown: list[Lecture], standings: Mapping[str, Standing], visitor: Visitor, several: bool, all: int) -> None:
    rows = [_row(one, standings, visitor) for one in shown]
    chosen = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=ROW_PX * (min(len(rows), MOST_ROWS) + 1) + 3,
        key="lectures",
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
        column_order=[column for column in rows[0] if several or column != words.COURSE],
        column_config={
            words.LECTURE: st.column_config.TextColumn(width=145),
            words.COURSE: st.column_config.TextColumn(width=140),
            words.DAY: st.column_config.DateColumn(format="YYYY-MM-DD", width=85),
            words.LENGTH: st.column_config.TextColumn(width=55),
            words.STUDENTS: st.column_config.NumberColumn(width=62),
            words.ENGAGEMENT: _bar(texts.ENGAGEMENT_HELP, PALETTE[State.ATTENTIVE], "%.2f"),
            words.COVERAGE: _bar(texts.COVERAGE_HELP, "gray", "percent"),
            words.SHARES: st.column_config.TextColumn(width=190, help=words.SHARES_HELP),
            words.SPANS: st.column_config.NumberColumn(width=62),
            words.CHECK: st.column_config.TextColumn(width=90, help=words.CHECK_HELP),
            words.CONSENT: st.column_config.TextColumn(width=170, help=words.CONSENT_HELP),
        },
    )
    selection = cast(Any, chosen)["selection"]
    rows_chosen = [*selection["rows"], *(cell[0] for cell in selection["cells"])]
    opened = shown[rows_chosen[0]] if rows_chosen and rows_chosen[0] < len(shown) else None
    with st.container(horizontal=True, vertical_alignment="center"):
        if opened is None:
            st.caption(words.COUNT.format(shown=len(shown), all=all))
            return
        st.markdown(words.CHOSEN.format(lecture=texts.plain(opened.title, texts.LONGEST_NAME)), width="content")
        for name in door.pages(visitor, OPENED):
            query = {choice.QUERY: opened.name}
            st.page_link(pages.entry(name), label=words.OPEN[name], icon=":material/arrow_forward:", query_params=query)


def _row(one: Lecture, standings: Mapping[str, Standing], visitor: Visitor) -> dict[str, Any]:
    made = one.session.manifest
    return {
        words.LECTURE: texts.shortened(one.title),
        words.COURSE: texts.shortened(one.course or ""),
        words.DAY: one.day,
        words.LENGTH: texts.clock(made.duration),
        words.STUDENTS: made.counts.students,
        words.ENGAGEMENT: made.engagement.mean,
        words.COVERAGE: round(made.engagement.coverage, 2),
        words.SHARES: _shares(one),
        words.SPANS: made.counts.events,
        words.CHECK: words.CHECKS[made.audit and made.audit.value],
        words.CONSENT: _consent(one, standings, visitor),
    }


def _shares(one: Lecture) -> str:
    """The states seen most; or why there are none."""
    if one.shares is None:
        return words.DAMAGED
    if not one.shares:
        made = one.session.manifest
        if made.purged:
            return words.DELETED
        return texts.WITHHELD if made.engagement.withheld else texts.NOT_SEEN
    most = sorted(one.shares.items(), key=lambda pair: -pair[1])[:MOST_STATES]
    return " · ".join(f"{state.label} {texts.percent(share)}" for state, share in most)


def _consent(one: Lecture, standings: Mapping[str, Standing], visitor: Visitor) -> str:
    """What the record says of the course today."""
    found = None if one.course is None else standings.get(course_key(one.course))
    if found is None:
        return words.ONE_RUN
    if found.approval is None:
        said = [words.NOT_APPROVED]
    elif found.approval.valid_until is None:
        said = [words.APPROVED_FOR_GOOD]
    else:
        said = [words.APPROVED.format(day=found.approval.valid_until)]
    if found.unfinished - set(one.session.manifest.withdrawals):
        said.insert(0, words.TO_APPLY)
    if found.said_no and visitor.sees_students:
        said.append(words.SAID_NO.format(count=found.said_no))
    return " · ".join(said)


def _weeks(shown: Sequence[Lecture], named: Mapping[str, str], course: str | None) -> None:
    """The course over the weeks, where one is chosen or there is only one."""
    if course is None and len(named) != 1:
        if len(shown) > 1:
            st.caption(words.WEEKS_CHOOSE)
        return
    key = course if course is not None else next(iter(named))
    made = [one for one in shown if one.course is not None and course_key(one.course) == key]
    if len(made) < 2:
        st.caption(words.WEEKS_TWO)
        return
    st.markdown(f"**{words.WEEKS}**")
    in_order = sorted(made, key=lambda one: one.day)
    line = None
    try:
        check_alike([one.session for one in in_order])
        line = trend([one.day for one in in_order], [one.session.manifest.engagement.mean for one in in_order])
        sentence = line.sentence
    except (ReportError, FormulaError) as error:
        sentence = str(error)
    left, right = st.columns(2, gap="medium")
    with left:
        st.altair_chart(course_charts.index_chart(in_order, line), key="index over weeks")
        st.caption(f"{words.INDEX_CAPTION} {texts.plain(sentence)}")
    with right:
        states = [state for state in State if any(state in (one.shares or {}) for one in made)]
        st.altair_chart(course_charts.shares_chart(in_order, states), key="states over weeks")
        st.caption(words.SHARES_CAPTION)


def _bar(help: str, colour: str, form: str) -> Any:
    return st.column_config.ProgressColumn(width=100, format=form, min_value=0, max_value=1, color=colour, help=help)
