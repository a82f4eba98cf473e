"""How long data may be kept: the pure decisions, their record, and ``engage consent retain``."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from consent.commands import app
from consent.course import EXAMPLE
from consent.errors import ConsentError, RegistryError
from consent.policy import Approval
from consent.registry import Registry
from consent.retention import (
    MOST_DAYS,
    OF_A_LECTURE,
    Kind,
    checked_days,
    end_dates,
    end_of_names,
    past,
    sooner,
)

LECTURE = date(2025, 3, 4)
PROMISED = {Kind.RECORDING: 14, Kind.ANNOTATED_VIDEO: 90, Kind.TABLES: 365, Kind.FORMS: 365}
"""Of the example of a course file."""

days_of_kinds = st.dictionaries(st.sampled_from(Kind), st.integers(0, MOST_DAYS))
lecture_days = st.dates(date(2000, 1, 1), date(2100, 1, 1))


def approval(until):
    return Approval("approval-1", "CS 101", "Dean", LECTURE, until)


@pytest.fixture
def engage(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def course(registry_url):
    with Registry.open(registry_url) as registry:
        registry.approve("CS 101", "Dean", LECTURE)
        yield registry


# Degenerate


def test_without_a_period_nothing_ends():
    assert end_dates(LECTURE, {}) == {}
    assert sooner({}, {}) == {}
    assert past({}, date.max) == ()
    assert end_of_names([approval(LECTURE)], {}) is None


@pytest.mark.parametrize("approvals", [[], [approval(None)], [approval(LECTURE), approval(None)]])
def test_names_stay_while_there_is_no_last_day(approvals):
    assert end_of_names(approvals, {Kind.FORMS: 0}) is None


@pytest.mark.parametrize(
    "days", [{}, {Kind.TABLES: -1}, {Kind.TABLES: MOST_DAYS + 1}, {Kind.TABLES: 1, Kind.FORMS: -5}]
)
def test_periods_that_are_none(course, days):
    with pytest.raises(ConsentError) as caught:
        checked_days(days)
    assert "\n" not in str(caught.value)
    before = course.verify()
    with pytest.raises(ConsentError):
        course.retention.set("CS 101", days)
    assert course.verify() == before


def test_a_course_nobody_knows_has_no_period_and_gets_none(course):
    assert course.retention.of_course("Art") == course.retention.of_course(None) == {}
    with pytest.raises(RegistryError, match="'Art' is not on record"):
        course.retention.set("Art", PROMISED)


def test_zero_days_end_before_the_lecture_so_that_it_goes_at_once():
    assert past(end_dates(LECTURE, {Kind.TABLES: 0}), LECTURE) == (Kind.TABLES,)


def test_zero_days_of_forms_are_until_the_end_of_the_course():
    assert end_of_names([approval(LECTURE)], {Kind.FORMS: 0}) == LECTURE


def test_the_last_day_there_is_does_not_overflow():
    assert end_of_names([approval(date.max)], {Kind.FORMS: MOST_DAYS}) == date.max


# Laws


@given(lecture_days, days_of_kinds)
def test_data_is_kept_exactly_its_days_and_the_forms_are_not_the_lectures(day, days):
    ends = end_dates(day, days)
    assert set(ends) == set(days) & set(OF_A_LECTURE)
    for kind, end in ends.items():
        assert (past(ends, day + timedelta(days=days[kind] + 1)).count(kind)) == 1
        assert (kind in past(ends, day + timedelta(days=days[kind]))) == (days[kind] == 0)
        assert past({kind: end}, end) == ()


@given(lecture_days, days_of_kinds, days_of_kinds)
def test_a_shorter_period_never_keeps_longer_and_a_longer_one_extends_nothing(day, before, now):
    promised, current = end_dates(day, before), end_dates(day, now)
    counts = sooner(promised, current)
    assert set(counts) == set(promised) | set(current)
    for kind, end in counts.items():
        assert end <= promised.get(kind, date.max)
        assert end <= current.get(kind, date.max)
    assert sooner(counts, promised) == sooner(counts, current) == sooner(counts, counts) == counts


@given(st.lists(lecture_days, min_size=1), st.integers(0, MOST_DAYS))
def test_names_count_from_the_last_day_of_the_last_approval(untils, days):
    end = end_of_names([approval(until) for until in untils], {Kind.FORMS: days})
    assert end == max(untils) + timedelta(days=days)


# The record


def test_the_newest_period_of_a_kind_counts_and_others_stay(course):
    assert course.retention.set("CS 101", PROMISED)
    assert course.retention.of_course("cs  101") == PROMISED
    assert course.retention.set("cs 101", {Kind.TABLES: 30})
    assert course.retention.of_course("CS 101") == {**PROMISED, Kind.TABLES: 30}
    assert course.retention.set("CS 101", PROMISED)
    assert course.retention.of_course("CS 101") == PROMISED
    assert course.verify().entries == 4


def test_the_same_again_writes_nothing(course):
    course.retention.set("CS 101", PROMISED)
    before = course.verify()
    assert not course.retention.set("CS 101", {Kind.FORMS: 365, Kind.RECORDING: 14})
    assert course.verify() == before


def test_periods_are_those_of_their_course(course):
    course.approve("Art", "Dean", LECTURE)
    course.retention.set("Art", {Kind.TABLES: 1})
    assert course.retention.of_course("CS 101") == {}


# The command


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("retain", "CS 101"), "no period is given"),
        (("retain", "Art", "--tables", "1"), "not on record"),
        (("retain", "CS 101", "--course-file", "missing.yaml"), "cannot be read"),
        (("retain", "CS 101", "--course-file", str(EXAMPLE), "--tables", "1"), "give the file alone"),
        (("retain", "Art", "--course-file", str(EXAMPLE)), "is of course 'CS 101', not 'Art'"),
    ],
)
def test_what_cannot_be_retained_is_said_and_not_recorded(engage, words, error):
    engage("approve", "CS 101", "--by", "Dean")
    result = engage(*words)
    assert isinstance(result.exception, ConsentError)
    assert error in str(result.exception)
    with Registry.open() as registry:
        assert registry.retention.of_course("CS 101") == {}


@pytest.mark.parametrize("days", ["-1", "36501", "1.5", "many"])
def test_days_out_of_range_are_refused_at_the_door(engage, days):
    engage("approve", "CS 101", "--by", "Dean")
    assert engage("retain", "CS 101", "--tables", days).exit_code == 2


def test_what_the_forms_promise_is_what_is_kept(engage):
    engage("approve", "CS 101", "--by", "Dean")
    result = engage("retain", "cs 101", "--course-file", str(EXAMPLE))
    assert result.exit_code == 0
    assert "CS 101: recording 14 days after the lecture; annotated video 90 days" in result.output
    with Registry.open() as registry:
        assert registry.retention.of_course("CS 101") == PROMISED
    assert engage("retain", "CS 101", "--annotated-video", "0", "--forms", "1").exit_code == 0
    listed = engage("list", "CS 101").output
    for words in ("deleted at once", "365 days after the lecture", "1 day after the last day of approval"):
        assert words in listed


def test_without_periods_the_list_has_no_table_of_them(engage):
    engage("approve", "CS 101", "--by", "Dean")
    assert "Periods" not in engage("list").output
