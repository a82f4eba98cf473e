"""The content of reports over several lectures: a course over weeks, and two lectures beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    signed,
    signed_span,
    span,
    table,
    text,
)
from reports.blocks import words as plain
from reports.errors import ReportError
from reports.formula import class_rows, summary, summary_interval
from reports.intervals import UNKNOWN, Interval, difference_interval, ratio_interval
from reports.lecture import closing_page, weights_table
from reports.measured import Measured
from reports.pictures import lectures_svg
from reports.trend import check_alike, lecture_day, trend

MOST_LECTURES: Final = 60
MOST_ROWS: Final = 24
"""Of the table of lectures; the figure shows all."""


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
    check_alike(sessions)
    measured = [Measured.of(session) for session in sorted(sessions, key=lambda one: (lecture_day(one), one.id))]
    days = [lecture_day(one.session) for one in measured]
    values = [_index(one) for one in measured]
    line = trend(days, [one.mean for one in values])
    means = [one.mean for one in values if one.mean is not None]
    course = measured[0].manifest.course
    first, last = day_in_words(lecture_day(measured[0].session)), day_in_words(lecture_day(measured[-1].session))
    mean = float(np.mean(means)) if means else None
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
                        (signed(line.a_week), "change of the index in a week"),
                        (signed_span(line.interval), "its 95% interval"),
                    ]
                ),
                text(line.sentence),
                heading("The index of each lecture", "with its 95% interval and a straight trend"),
                figure(
                    lectures_svg(
                        [float(day.toordinal()) for day in days],
                        [f"{lecture_day(one.session):%d %b}" for one in measured],
                        [one.mean for one in values],
                        [one.interval for one in values],
                        width_mm,
                        height_mm * 1.3,
                        line.ends,
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
    check_alike([first, second], courses=False)
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
    days = [day_in_words(lecture_day(one.session)) for one in pair]
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
    return [*shown, signed(second.mean - first.mean), signed_span(interval)]


def _difference_in_words(interval: str, values: Sequence[Value]) -> str:
    if any(one.mean is None for one in values):
        return "The index of one of them is withheld or not known, so there is no difference to tell."
    if interval == "–":
        return "At least one of them is too short for an interval, so the difference may be chance."
    low, _, high = interval.partition(" to ")
    if {low[0], high[0]} not in ({"+"}, {"−"}):
        return "The interval of the difference holds 0: chance in time alone would explain it."
    return "The interval of the difference does not hold 0: chance in time alone does not explain it."


def _lecture_rows(measured: Sequence[Measured], values: Sequence[Value]) -> list[Block]:
    rows = [
        [
            f"{lecture_day(one.session):%Y-%m-%d}",
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
