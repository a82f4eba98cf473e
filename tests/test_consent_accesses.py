"""Who looked at a student: reasons that are none first, then what is kept and forgotten."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.accesses import LONGEST, AccessKind
from consent.errors import ConsentError
from consent.registry import Registry
from consent.retention import MOST_DAYS, Kind, first_day_of_accesses
from pipeline.purge import Purge

TODAY = datetime.now(timezone.utc).date()
EVE = "eve@example.org"


@pytest.fixture
def registry(registry_url):
    with Registry.open(registry_url) as opened:
        opened.approve("CS 101", "Dean", date(2026, 1, 1))
        yield opened


def look(registry, words="she asked me to", course="cs 101", **more):
    registry.accesses.note(AccessKind.STUDENT, EVE, words, course, "lecture", 7, **more)


# Degenerate


def test_nobody_looked(registry):
    assert registry.accesses.on_record() == registry.accesses.on_record("CS 101") == ()
    assert registry.accesses.forget(None, date.max) == 0
    assert registry.accesses.forget("CS 101", date.max) == 0


@pytest.mark.parametrize("words", ["", "  \n", "\x00", "\u202e\u200b"])
@pytest.mark.parametrize("kind", list(AccessKind))
def test_a_look_without_a_reason_is_refused(registry, words, kind):
    before = registry.verify()
    with pytest.raises(ConsentError, match="in a few words") as caught:
        registry.accesses.note(kind, EVE, words)
    assert "\n" not in str(caught.value)
    assert registry.verify() == before


def test_an_unknown_course_makes_no_course(registry):
    look(registry, course="Music")
    (one,) = registry.accesses.on_record()
    assert one.course is None
    assert registry.courses() == ("CS 101",)


# Laws


@given(st.text(min_size=1).map(lambda text: "x" + text))
def test_any_words_are_kept_on_one_line_that_prints(words):
    with Registry.open("sqlite://") as registry:
        registry.accesses.note(AccessKind.STUDENT, words, words, None, words, 1)
        (one,) = registry.accesses.on_record()
        registry.verify()
    for kept in (one.words, one.account, one.session):
        assert kept.isprintable()
        assert 1 <= len(kept) <= LONGEST


@given(st.dates(), st.integers(0, MOST_DAYS))
def test_a_longer_period_forgets_no_earlier(today, days):
    first = first_day_of_accesses(today, {Kind.ACCESSES: days})
    if days:
        assert first == date.min or first == today - timedelta(days=days)
        assert first_day_of_accesses(today, {Kind.ACCESSES: days - 1}) >= first
    else:
        assert first == date.max
    assert first_day_of_accesses(today, {Kind.TABLES: days}) is None


# What is kept


def test_who_when_what_and_why_is_kept(registry):
    look(registry)
    registry.accesses.note(AccessKind.REFUSED, None, "the video", None, "other")
    seen, refused = registry.accesses.on_record()
    assert (seen.kind, seen.account, seen.course, seen.session, seen.student, seen.words) == (
        AccessKind.STUDENT,
        EVE,
        "CS 101",
        "lecture",
        7,
        "she asked me to",
    )
    assert abs(datetime.now(timezone.utc) - seen.at) < timedelta(minutes=5)
    assert (refused.kind, refused.account, refused.student) == (AccessKind.REFUSED, None, None)
    assert registry.accesses.on_record("CS 101") == (seen,)


def test_what_is_forgotten_is_who_and_why(registry):
    look(registry)
    look(registry, course=None)
    assert registry.accesses.forget("CS 101", TODAY) == 0  # of today
    assert registry.accesses.older("CS 101", TODAY + timedelta(1)) == 1
    assert registry.accesses.forget("CS 101", TODAY + timedelta(1)) == 1
    forgotten, kept = registry.accesses.on_record()
    assert (forgotten.account, forgotten.words) == (None, None)
    assert (forgotten.session, forgotten.student) == ("lecture", 7)
    assert (kept.account, kept.words) == (EVE, "she asked me to")
    registry.verify()


@pytest.mark.parametrize(("days", "after", "left"), [(None, 4000, 2), (30, 30, 2), (30, 31, 0), (0, 0, 0)])
def test_the_purge_forgets_what_is_past_its_period(registry, days, after, left):
    look(registry)
    look(registry, course=None)  # as long as those of any course
    if days is not None:
        registry.retention.set("CS 101", {Kind.ACCESSES: days})
    for dry_run in (True, False, False):
        purge = Purge(registry, TODAY + timedelta(after), TODAY, dry_run=dry_run)
        purge.courses()
        assert not purge.problems
        still = sum(one.words is not None for one in registry.accesses.on_record())
        assert still == (2 if dry_run else left)
        if dry_run:
            assert len(purge.rows) == 2 - left
    assert purge.rows == []
    registry.verify()
