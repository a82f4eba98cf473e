"""Where sessions lie: nothing noted, noted twice, moved, replaced, deleted."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent.errors import ConsentError
from consent.registry import Registry
from consent.sessions import NotedSession

DAY = "2026-03-14T09:26:53+00:00"
LATER = "2026-03-15T09:26:53+00:00"


@pytest.fixture
def registry(registry_url):
    with Registry.open(registry_url) as opened:
        opened.approve("CS 101", "Dean", date(2026, 1, 1))
        yield opened


# Degenerate


def test_nothing_noted(registry):
    assert registry.sessions.of_course("CS 101") == registry.sessions.of_course(None) == ()
    assert not registry.sessions.deleted(NotedSession("CS 101", "one", DAY, Path("/x/one")))
    assert not registry.sessions.deleted(NotedSession("never heard of", "one", DAY, Path("/x/one")))


def test_a_blank_course(registry):
    with pytest.raises(ConsentError, match="blank"):
        registry.sessions.note(" ", "one", DAY, Path("/x/one"))


def test_a_course_approved_for_one_run_only_is_added(registry):
    assert registry.sessions.note("Art", "one", DAY, Path("/x/one"))
    assert registry.courses() == ("Art", "CS 101")
    registry.verify()


# What works


def test_noted_twice_is_noted_once(registry):
    assert registry.sessions.note("CS 101", "one", DAY, Path("/x/one"))
    entries = registry.verify().entries
    assert not registry.sessions.note("cs  101", "one", DAY, Path("/x/one"))
    assert registry.sessions.of_course("cs 101") == (NotedSession("CS 101", "one", DAY, Path("/x/one")),)
    assert registry.verify().entries == entries


def test_a_relative_folder_is_kept_as_a_whole_path(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    registry.sessions.note("CS 101", "one", DAY, Path("sessions/one"))
    assert registry.sessions.of_course(None)[0].folder == tmp_path / "sessions" / "one"


def test_found_elsewhere_it_is_moved(registry):
    registry.sessions.note("CS 101", "one", DAY, Path("/x/one"))
    (noted,) = registry.sessions.of_course("CS 101")
    assert registry.sessions.moved(noted, Path("/y/one"))
    assert not registry.sessions.moved(noted, Path("/y/one"))
    assert [one.folder for one in registry.sessions.of_course("CS 101")] == [Path("/y/one")]
    registry.verify()


def test_a_session_written_in_the_place_of_another_replaces_it(registry):
    registry.sessions.note("CS 101", "one", DAY, Path("/x/one"))
    registry.sessions.note("CS 101", "one", LATER, Path("/x/one"))
    assert registry.sessions.of_course(None) == (NotedSession("CS 101", "one", LATER, Path("/x/one")),)
    registry.verify()


def test_courses_are_kept_apart_and_what_is_deleted_is_gone(registry):
    registry.sessions.note("CS 101", "one", DAY, Path("/x/one"))
    registry.sessions.note("Art", "two", DAY, Path("/x/two"))
    (one,) = registry.sessions.of_course("CS 101")
    assert registry.sessions.deleted(one)
    assert not registry.sessions.deleted(one)
    assert [noted.name for noted in registry.sessions.of_course(None)] == ["two"]
    assert registry.sessions.note("CS 101", "one", DAY, Path("/x/one")), "it was put back"
    assert len(registry.sessions.of_course("CS 101")) == 1
    registry.verify()


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([DAY, LATER]), st.sampled_from("xyz")), max_size=12)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_one_session_to_a_folder_and_one_folder_to_a_session(tmp_path_factory, steps):
    file = tmp_path_factory.mktemp("law") / "consent.sqlite"
    lies: dict[str, tuple[str, str]] = {}
    with Registry.open(f"sqlite:///{file}") as registry:
        for name, created, place in steps:
            registry.sessions.note("CS 101", name, created, Path("/", place))
            lies = {where: one for where, one in lies.items() if one != (name, created)} | {place: (name, created)}
        noted = registry.sessions.of_course(None)
        assert {one.folder.name: (one.name, one.created) for one in noted} == lies
        assert len(noted) == len(lies)
        registry.verify()


# One that was begun, and may never end


def test_one_that_was_begun_is_on_record_until_it_is_whole(registry):
    assert registry.sessions.begin("CS 101", "one", Path("/x/one"))
    assert not registry.sessions.begin("CS 101", "one", Path("/x/one"))  # once more, after a stop
    (begun,) = registry.sessions.of_course("CS 101")
    assert not begun.whole
    registry.sessions.note("CS 101", "one", DAY, Path("/x/one"))
    assert registry.sessions.of_course("CS 101") == (NotedSession("CS 101", "one", DAY, Path("/x/one")),)
    registry.verify()


def test_beginning_anew_takes_nothing_off_the_record(registry):
    registry.sessions.note("CS 101", "one", DAY, Path("/x/one"))
    assert not registry.sessions.begin("CS 101", "one", Path("/x/one"))
    assert [one.whole for one in registry.sessions.of_course("CS 101")] == [True]


def test_one_name_begun_in_two_places_is_two(registry):
    for place in ("/x/one", "/y/one"):
        assert registry.sessions.begin("CS 101", "one", Path(place))
    assert [one.folder for one in registry.sessions.of_course("CS 101")] == [Path("/x/one"), Path("/y/one")]
    registry.sessions.note("CS 101", "one", DAY, Path("/y/one"))
    assert [one.whole for one in registry.sessions.of_course("CS 101")] == [False, True]
