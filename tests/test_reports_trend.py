"""Lectures of a course over weeks: too few, then a line known by hand, then which may be put beside each other."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.session import Session
from reports.errors import ReportError
from reports.trend import check_alike, lecture_day, trend
from reports.weights import WEIGHTS_KEY

FIRST = date(2026, 9, 7)


def weeks(count: int) -> list[date]:
    return [FIRST + timedelta(days=7 * week) for week in range(count)]


@pytest.mark.parametrize(
    ("days", "means", "known"),
    [
        ([], [], 0),
        (weeks(1), [0.5], 1),
        (weeks(2), [0.5, 0.6], 2),
        ([FIRST] * 3, [0.5, 0.6, 0.7], 3),
        (weeks(4), [0.5, None, None, 0.6], 2),
        (weeks(3), [None] * 3, 0),
    ],
)
def test_below_three_days_there_is_no_trend(days: list, means: list, known: int) -> None:
    found = trend(days, means)
    assert found.a_week != found.a_week
    assert found.ends is None
    assert found.lectures == known
    assert "three days" in found.sentence


def test_a_trend_by_hand() -> None:
    found = trend(weeks(4), [0.4, 0.5, None, 0.7])
    assert found.a_week == pytest.approx(0.1)
    assert found.ends == pytest.approx((0.4, 0.7))
    assert found.lectures == 3
    assert "+0.10 a week" in found.sentence
    assert "does not hold 0" in found.sentence


@given(st.lists(st.floats(0, 1), min_size=3, max_size=20))
def test_the_same_lectures_the_other_way_round_turn_the_sign(means: list[float]) -> None:
    there, back = trend(weeks(len(means)), means), trend(weeks(len(means)), means[::-1])
    assert there.a_week == pytest.approx(-back.a_week, abs=1e-9)
    assert there.ends == pytest.approx(back.ends[::-1], abs=1e-9)


def test_the_day_of_a_lecture_is_the_one_on_record_else_that_of_the_analysis(make_session, tmp_path: Path) -> None:
    assert lecture_day(Session.open(make_session(tmp_path, "a"))) == date(2025, 3, 4)
    assert lecture_day(Session.open(make_session(tmp_path, "b", lecture_day="2025-02-01"))) == date(2025, 2, 1)
    with pytest.raises(ReportError, match=r"'yesterday' is not a date"):
        lecture_day(Session.open(make_session(tmp_path, "c", created="yesterday")))


def test_lectures_made_by_other_rules_are_not_put_beside_each_other(make_session, tmp_path: Path) -> None:
    def made(name: str, **fields: object) -> Session:
        return Session.open(make_session(tmp_path, name, students=2, **fields))

    first = made("first")
    check_alike([first])
    check_alike([first, made("second")])
    check_alike([first, made("third", course="SIMULATED  course")])
    check_alike([first, made("other", course="Other")], courses=False)
    for name, fields, reason in (
        ("observable", {"profile": "observable"}, "--profile"),
        ("weights", {"config": {WEIGHTS_KEY: {"confused": 0.4}}}, "other weights"),
        ("course", {"course": "Other"}, "one course"),
    ):
        with pytest.raises(ReportError, match=reason):
            check_alike([first, made(name, **fields)])
    with pytest.raises(ReportError, match="twice"):
        check_alike([first, first])
