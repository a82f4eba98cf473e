"""The content of reports over several lectures: a course over weeks, and two lectures beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from models.states import State
from pipeline.session import Session
from reports import words
from reports.beri import session_share
from reports.blocks import (
    Block,
    day_in_words,
    duration_in_words,
    facts,
    figure,
    heading,
    number,
    numbers,
    percent,
    span,
    table,
    text,
)
from reports.blocks import words as plain
from reports.errors import ReportError
from reports.formula import class_rows, summary, summary_interval
from reports.intervals import UNKNOWN, Interval, difference_interval, ratio_interval, slope_interval
from reports.lecture import closing_page, weights_table
from reports.measured import Measured
from reports.pictures import lectures_svg

MOST_LECTURES: Final = 60
MOST_ROWS: Final = 24
"""Of the table of lectures; the figure shows all."""

DAYS_A_WEEK: Final = 7.0


@dataclass(frozen=True)
class Value:
    """A number of one lecture and its interval; ``None`` where withheld or nothing was seen."""

    mean: float | None
    interval: Interval


def course_content(sessions: Sequence[Session], width_mm: float, height_mm: float) -> dict[str, Any]:
    """The lectures of one course over time, with a straight trend.

    Raises:
        ReportError: fewer than two lectures, too many, one twice, of several courses or made by different rules.
        FormulaError, SessionError: as ``Measured.of``.
    """
    if not 2 <= len(sessions) <= MOST_LECTURES:
        raise ReportError(f"{len(sessions)} session(s): a report over a course takes 2 to {MOST_LECTURES}")
    _check_alike(sessions)
    measured = [Measured.of(session) for session in sorted(sessions, key=lambda one: (_day(one), one.id))]
    days = np.array([_day(one.session).toordinal() for one in measured], float)
    values = [_index(one) for one in measured]
    known = np.array([one.mean is not None for one in values])
    means = np.array([np.nan if one.mean is None else one.mean for one in values])
    slope, of_slope = slope_interval(days[known], means[known])
    line = None
    if slope == slope:
        middle, level = days[known].mean(), means[known].mean()
        line = level + slope * (days[0] - middle), level + slope * (days[-1] - middle)
    course = measured[0].manifest.course
    first, last = day_in_words(_day(measured[0].session)), day_in_words(_day(measured[-1].session))
    mean = float(means[known].mean()) if known.any() else None
    return {
        "kicker": "Engagement report of a course",
        "title": plain(course, 90) or "Lectures",
        "subtitle": [f"{first} to {last}", f"profile: {measured[0].manifest.profile.value}"],
        "pages": [
            [
                numbers(
                    [
                        (str(len(measured)), "lectures"),
                        (duration_in_words(sum(one.manifest.duration for one in measured)), "in all"),
                        (number(mean, True), "mean of the lectures’ index"),
                        (_signed(slope * DAYS_A_WEEK), "change of the index in a week"),
                        (_signed_span(of_slope, DAYS_A_WEEK), "its 95% interval"),
                    ]
                ),
                text(_trend_in_words(slope, of_slope, int(known.sum()))),
                heading("The index of each lecture", "with its 95% interval and a straight trend"),
                figure(
                    lectures_svg(
                        list(days),
                        [f"{_day(one.session):%d %b}" for one in measured],
                        [one.mean for one in values],
                        [one.interval for one in values],
                        width_mm,
                        height_mm * 1.3,
                        line,
                    ),
                    f"Index of each of {len(measured)} lectures from {first} to {last}.",
                ),
                heading("Lectures"),
                *_lecture_rows(measured, values),
            ],
            _pooled_page([measured[0], measured[-1]], [one.manifest.source.name for one in measured]),
            _closing(measured),
        ],
    }


def comparison_content(first: Session, second: Session, width_mm: float, height_mm: float) -> dict[str, Any]:
    """What differs between two lectures, second minus first, each number with its interval.

    Raises:
        ReportError: it is the same session twice, or they were made by different rules.
        FormulaError, SessionError: as ``Measured.of``.
    """
    _check_alike([first, second], courses=False)
    pair = [Measured.of(first), Measured.of(second)]
    index = [_index(one) for one in pair]
    rows = [["class index", *_difference(*index)]]
    shares = [session_share(one.windows) for one in pair]
    rows.append(["share engaged in 2-minute windows", *_difference(*(Value(*one) for one in shares))])
    for state in pair[0].manifest.profile.states:
        rows.append([f"share {state.label}", *_difference(*(_share(one, state) for one in pair))])
    covered = [summary(one.table).coverage for one in pair]
    rows.append(["coverage", *map(percent, covered), "", ""])
    names = [plain(PurePath(one.manifest.source.name).stem, 40) for one in pair]
    days = [day_in_words(_day(one.session)) for one in pair]
    other = plain(pair[0].manifest.course, 60) != plain(pair[1].manifest.course, 60)
    warning = (
        " They are of different courses: rooms and cameras differ too, and that alone changes the numbers." * other
    )
    return {
        "kicker": "Two lectures compared",
        "title": f"{names[0]} and {names[1]}",
        "subtitle": [f"A: {days[0]}", f"B: {days[1]}", f"profile: {pair[0].manifest.profile.value}"],
        "pages": [
            [
                numbers(
                    [
                        (number(index[0].mean, True), "index of A"),
                        (number(index[1].mean, True), "index of B"),
                        (rows[0][3] or "–", "B minus A"),
                        (rows[0][4] or "–", "its 95% interval"),
                    ]
                ),
                text(_difference_in_words(rows[0][4], index) + warning),
                heading("The index", "with its 95% interval"),
                figure(
                    lectures_svg(
                        [0.0, 1.0],
                        ["A", "B"],
                        [one.mean for one in index],
                        [one.interval for one in index],
                        width_mm,
                        height_mm,
                    ),
                    f"Index of A {number(index[0].mean, True)}, of B {number(index[1].mean, True)}.",
                ),
                heading("Differences"),
                table(["", "A", "B", "B minus A", "95% interval"], rows),
                text(words.SPREAD, quiet=True),
                heading("Lectures"),
                *_lecture_rows(pair, index),
            ],
            _pooled_page(pair, [one.manifest.source.name for one in pair]),
            _closing(pair),
        ],
    }


def _check_alike(sessions: Sequence[Session], courses: bool = True) -> None:
    """Refuse sessions whose numbers can not be put beside each other."""
    first, *others = sessions
    seen = {first.folder.resolve()}
    for other in others:
        if other.folder.resolve() in seen:
            raise ReportError(f"{other.folder}: is given twice; name each session once")
        seen.add(other.folder.resolve())
        mine, its = first.manifest, other.manifest
        if mine.profile is not its.profile:
            raise ReportError(
                f"{other.id}: has the profile {its.profile.value}, {first.id} has {mine.profile.value}; their indices"
                " are not comparable, analyse both with the same --profile"
            )
        if Measured.rules_of(first) != Measured.rules_of(other):
            raise ReportError(f"{other.id}: has other weights than {first.id}; analyse both with the same settings")
        if courses and _course_key(mine.course) != _course_key(its.course):
            raise ReportError(
                f"{other.id}: is of course {its.course!r}, {first.id} of {mine.course!r}; give sessions of one course"
            )


def _course_key(course: str | None) -> str:
    return " ".join((course or "").split()).casefold()


def _index(measured: Measured) -> Value:
    return Value(summary(measured.table).mean, summary_interval(measured.table))


def _share(measured: Measured, state: State) -> Value:
    rows = class_rows(measured.table)
    weight = rows["weight"].to_numpy(float)
    if not weight.sum() > 0:
        return Value(None, UNKNOWN)
    part = np.nan_to_num(rows[f"share_{state.value}"].to_numpy(float)) * weight
    return Value(float(part.sum() / weight.sum()), ratio_interval(part, weight))


def _difference(first: Value, second: Value) -> list[str]:
    """Both values, their difference and its interval."""
    shown = [number(first.mean, True), number(second.mean, True)]
    if first.mean is None or second.mean is None:
        return [*shown, "", ""]
    interval = difference_interval(first.mean, first.interval, second.mean, second.interval)
    return [*shown, _signed(second.mean - first.mean), _signed_span(interval, 1.0)]


def _difference_in_words(interval: str, values: Sequence[Value]) -> str:
    if any(one.mean is None for one in values):
        return "The index of one of them is withheld or not known, so there is no difference to tell."
    if interval == "–":
        return "At least one of them is too short for an interval, so the difference may be chance."
    low, _, high = interval.partition(" to ")
    if {low[0], high[0]} not in ({"+"}, {"−"}):
        return "The interval of the difference holds 0: chance in time alone would explain it."
    return "The interval of the difference does not hold 0: chance in time alone does not explain it."


def _trend_in_words(slope: float, interval: Interval, lectures: int) -> str:
    if slope != slope:
        return "A trend needs lectures with a class value on three days or more."
    sure = "holds 0: there may be no trend" if interval.low <= 0 <= interval.high else "does not hold 0"
    return (
        f"A straight line through {lectures} lectures changes by {_signed(slope * DAYS_A_WEEK)} a week; its interval"
        f" {sure}. Topics, rooms and seats change over weeks too, and a trend has no cause in it."
    )


def _lecture_rows(measured: Sequence[Measured], values: Sequence[Value]) -> list[Block]:
    rows = [
        [
            f"{_day(one.session):%Y-%m-%d}",
            plain(PurePath(one.manifest.source.name).stem, 44),
            str(one.manifest.counts.students),
            number(value.mean, True),
            span(*value.interval),
            percent(session_share(one.windows)[0]),
            percent(summary(one.table).coverage),
        ]
        for one, value in zip(measured, values, strict=True)
    ]
    head = ["day", "lecture", "students", "index", "95% interval", "engaged", "seen"]
    blocks = [table(head, rows[:MOST_ROWS], left=2)]
    if len(rows) > MOST_ROWS:
        blocks.append(text(f"and {len(rows) - MOST_ROWS} more, which the figure shows.", quiet=True))
    return blocks


def _pooled_page(measured: Sequence[Measured], recordings: Sequence[str]) -> list[Block]:
    newest = measured[-1]
    return [
        heading("How it was made", "each lecture in the same way; models of the last one"),
        text(words.approach(newest.manifest)),
        table(["model", "what it is for, and why it", "measured"], words.models(newest.session), left=3),
        heading("The engagement index", "weights of all lectures; shares of the last one"),
        weights_table(newest),
        text(words.FORMULA, quiet=True),
        text(words.SHARE, quiet=True),
        text(words.SPREAD, quiet=True),
        heading("Each lecture on its own"),
        text(
            f"Examples, seats, segments and unusual spans of the {len(recordings)} lectures are in the report of each:"
            " engage report SESSION. Students’ numbers are of one lecture only, so no student is followed over weeks."
        ),
    ]


def _closing(measured: Sequence[Measured]) -> list[Block]:
    """As of the last lecture; and what holds for all of them."""
    ends = [day for one in measured for day in one.manifest.delete_after.values()]
    page = closing_page(measured[-1].manifest, measured[-1].rules, measured[-1].session)
    approvals = list(dict.fromkeys(plain(one.manifest.approval, 60) for one in measured))
    more = f" and {len(approvals) - 3} more" if len(approvals) > 3 else ""
    about = facts(
        [
            ("this report", "lies outside the sessions, so engage purge does not find it: delete it yourself"),
            ("first end date of its data", day_in_words(min(ends)) if ends else "none is on record"),
            ("approvals", "; ".join(approvals[:3]) + more),
        ]
    )
    return [*page[:4], heading("This report"), about, *_of_the_last(page[4:])]


def _of_the_last(blocks: list[Block]) -> list[Block]:
    return [{**one, "note": "of the last lecture"} if one["kind"] == "heading" and at < 3 else one
            for at, one in enumerate(blocks)]  # fmt: skip


def _day(session: Session) -> date:
    manifest = session.manifest
    if manifest.lecture_day is not None:
        return manifest.lecture_day
    try:
        return datetime.fromisoformat(manifest.created.replace("Z", "+00:00")).date()
    except ValueError:
        raise ReportError(f"{session.id}: its day {manifest.created!r} is not a date; run the lecture again") from None


def _signed(value: float) -> str:
    if value != value:
        return "–"
    shown = f"{value:+.2f}"
    return "0.00" if float(shown) == 0 else shown.replace("-", "−")


def _signed_span(interval: Interval, factor: float) -> str:
    if interval.low != interval.low or interval.high != interval.high:
        return "–"
    return f"{_signed(interval.low * factor)} to {_signed(interval.high * factor)}"
