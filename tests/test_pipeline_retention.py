"""Deleting parts of a session: nothing to delete first, then laws, then a crash between any two steps."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from small_sessions import COURSE, FILES, LECTURE, contents, small_manifest, small_session

from consent.registry import Registry
from consent.retention import Kind
from pipeline import retention
from pipeline.errors import InputError
from pipeline.purge import Purge
from pipeline.session import (
    AUDIT,
    CORRECTIONS,
    ENGAGEMENT,
    EVENTS,
    MANIFEST,
    OBSERVATIONS,
    PARTS,
    REPORT,
    REVIEWS,
    SEATS,
    STATES,
    VIDEO,
    DataDeleted,
    Manifest,
    Session,
    SessionError,
    find_sessions,
)
from pipeline.store import LOCK, hold, open_session

TODAY = date(2025, 9, 1)
DAY = date.fromisoformat(LECTURE)


class Killed(BaseException):
    """The process is no more."""


@contextmanager
def killed_at(step: int) -> Iterator[list[str]]:
    """From the ``step``-th change of the file system on (from 0) nothing is done any more; yields what was done."""
    done: list[str] = []

    def mortal(name, real):
        def call(*args, **kwargs):
            if len(done) >= step:
                raise Killed
            done.append(f"{name} {Path(args[0]).name}")
            return real(*args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("unlink", "rename", "replace", "rmdir", "mkdir"):
            patch.setattr(os, name, mortal(name, getattr(os, name)))
        yield done


def manifest_of(folder: Path) -> Manifest:
    return Session.open(folder).manifest


# Degenerate


def test_a_session_without_end_dates_has_none(tmp_path):
    manifest = manifest_of(small_session(tmp_path))
    assert retention.ends(manifest, {}) == {}
    assert retention.lecture_day(manifest) == DAY
    assert "no end date on record; set one with: engage consent retain 'CS 101'" in retention.end_dates_in_words(
        manifest
    )


def test_deleting_nothing_changes_nothing(tmp_path):
    folder = small_session(tmp_path)
    before = contents(tmp_path)
    retention.delete_parts(folder, [], TODAY)
    retention.delete_parts(folder, [Kind.RECORDING, Kind.FORMS], TODAY)  # not ours, and not in a session
    assert contents(tmp_path) == before


def test_no_folder_no_leftovers(tmp_path):
    assert retention.leftovers(tmp_path / "missing") == retention.leftovers(tmp_path) == []


def test_a_day_that_is_none_is_said(tmp_path):
    with pytest.raises(SessionError, match=r"created is not a day \('yesterday'\)"):
        retention.lecture_day(manifest_of(small_session(tmp_path, created="yesterday")))


def test_a_lecture_to_come_is_refused():
    assert retention.checked_lecture_day(None, TODAY) is None
    assert retention.checked_lecture_day(datetime(2025, 9, 1), TODAY) == TODAY
    with pytest.raises(InputError, match="--lecture-day 2025-09-02"):
        retention.checked_lecture_day(datetime(2025, 9, 2), TODAY)


def test_every_file_of_a_session_but_the_manifest_has_a_kind():
    named = [name for names in PARTS.values() for name in names]
    assert sorted(named) == sorted(
        {VIDEO, AUDIT, OBSERVATIONS, STATES, EVENTS, ENGAGEMENT, REPORT, SEATS, CORRECTIONS, REVIEWS}
    )


# What is promised


def promised(out: Path, name: str = "demo", days=None, held_on=None, today=TODAY, **fields) -> Manifest:
    with open_session(out, name, overwrite=True) as writer:
        writer.write_manifest(Manifest.model_validate(small_manifest(name, **fields)))
        retention.promise(writer, days or {}, held_on, today)
        return manifest_of(writer.commit())


def test_end_dates_count_from_the_lecture_where_its_day_is_given(tmp_path):
    days = {Kind.TABLES: 10, Kind.FORMS: 20}
    assert promised(tmp_path, days=days).delete_after == {Kind.TABLES: date(2025, 9, 11)}
    other = promised(tmp_path, "other", days, DAY)
    assert (other.lecture_day, other.delete_after) == (DAY, {Kind.TABLES: date(2025, 3, 14)})


def test_the_same_recording_analysed_once_more_is_not_kept_for_longer(tmp_path):
    first = promised(tmp_path, days={Kind.TABLES: 10, Kind.RECORDING: 5}, today=DAY)
    later = promised(tmp_path, days={Kind.TABLES: 20, Kind.ANNOTATED_VIDEO: 3})
    assert later.lecture_day == DAY
    assert later.delete_after == {**first.delete_after, Kind.ANNOTATED_VIDEO: DAY + timedelta(3)}
    another = promised(tmp_path, days={Kind.TABLES: 20}, source={"name": "new.mov", "sha256": "1" * 64})
    assert another.delete_after == {Kind.TABLES: TODAY + timedelta(20)}


def test_a_replaced_session_that_cannot_be_read_promises_nothing(tmp_path):
    small_session(tmp_path, created="yesterday")
    assert promised(tmp_path, days={Kind.TABLES: 0}).delete_after == {Kind.TABLES: TODAY - timedelta(1)}


def test_only_a_sooner_period_changes_what_was_promised(tmp_path):
    manifest = promised(tmp_path, days={Kind.TABLES: 10}, today=DAY)
    assert retention.ends(manifest, {Kind.TABLES: 20}) == manifest.delete_after
    assert retention.ends(manifest, {Kind.TABLES: 5}) == {Kind.TABLES: DAY + timedelta(5)}
    assert retention.ends(manifest, {Kind.ANNOTATED_VIDEO: 1})[Kind.ANNOTATED_VIDEO] == DAY + timedelta(1)


# Deleting


@given(st.lists(st.sampled_from(list(PARTS)), unique=True), st.lists(st.sampled_from(list(PARTS)), unique=True))
def test_deleting_twice_is_deleting_once_and_only_what_was_named_goes(first, second):
    with tempfile.TemporaryDirectory() as name:
        folder = small_session(Path(name))
        (folder / f"{REPORT}.partial").touch()
        retention.delete_parts(folder, first, TODAY)
        retention.delete_parts(folder, second, TODAY + timedelta(1))
        after = contents(folder)
        retention.delete_parts(folder, [*first, *second], TODAY + timedelta(2))
        assert contents(folder) == after
        gone = {*first, *second}
        expected = {one for kind, names in PARTS.items() if kind not in gone for one in names}
        half = {f"{REPORT}.partial"} - ({f"{REPORT}.partial"} if Kind.TABLES in gone else set())
        assert set(after) == {MANIFEST, *expected, *half}
        purged = manifest_of(folder).purged
        assert purged == {**dict.fromkeys(second, TODAY + timedelta(1)), **dict.fromkeys(first, TODAY)}


@pytest.mark.parametrize("kind", list(PARTS))
def test_what_is_named_as_deleted_is_not_read_even_where_it_is_still_there(tmp_path, kind):
    session = Session.open(small_session(tmp_path, purged={kind.value: "2025-08-01"}))
    readers = {
        Kind.ANNOTATED_VIDEO: [lambda: session.video],
        Kind.TABLES: [
            lambda: session.observations,
            lambda: session.states,
            lambda: session.events,
            lambda: session.engagement,
        ],
    }
    for read in readers[kind]:
        with pytest.raises(DataDeleted, match=r"was deleted on 2025-08-01, as promised to the students$"):
            read()


def test_a_file_that_is_missing_without_a_promise_is_still_an_error(tmp_path):
    folder = small_session(tmp_path)
    (folder / VIDEO).unlink()
    with pytest.raises(SessionError, match="run the lecture again") as caught:
        _ = Session.open(folder).video
    assert not isinstance(caught.value, DataDeleted)


def test_what_cannot_be_deleted_is_said_in_one_sentence(tmp_path, monkeypatch):
    folder = small_session(tmp_path)

    def refused(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", refused)
    for act in (lambda: retention.delete_parts(folder, PARTS, TODAY), lambda: retention.empty(folder)):
        with pytest.raises(SessionError, match=r"demo: cannot be deleted as promised \(Permission denied\)"):
            act()


# Leftovers


def leave(folder: Path, name: str, *files: str) -> Path:
    """What a killed run leaves."""
    left = folder / name
    left.mkdir(parents=True)
    for file in files:
        (left / file).touch()
    return left


def test_other_programs_partial_folders_are_not_ours(tmp_path):
    leave(tmp_path, "film.partial", "film.mkv")
    (tmp_path / "file.partial").touch()
    (tmp_path / "link.partial").symlink_to(small_session(tmp_path), target_is_directory=True)
    assert retention.leftovers(tmp_path) == []


@pytest.mark.parametrize("files", [(), (LOCK,), (VIDEO,), (STATES, "frames"), (f"{MANIFEST}.partial",)])
def test_what_a_killed_run_left_goes_unless_it_is_held(tmp_path, files):
    left = leave(tmp_path, "demo.partial", *files)
    session = small_session(tmp_path)
    before = contents(session)
    with hold(tmp_path / "other"):
        assert retention.leftovers(tmp_path) == [left]
    with FileLock(left / LOCK):  # as a run does
        assert retention.leftovers(tmp_path) == []
        with pytest.raises(SessionError, match="another run is writing"):
            retention.clear(left)
    retention.clear(left)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert contents(session) == before


def test_looking_for_leftovers_changes_nothing(tmp_path):
    leave(tmp_path, "a.partial", LOCK, VIDEO)
    leave(tmp_path, "b.partial", VIDEO)
    before = contents(tmp_path)
    assert len(retention.leftovers(tmp_path)) == 2
    assert contents(tmp_path) == before


def test_a_session_moved_aside_for_one_that_never_came_gets_its_name_back(tmp_path):
    session = small_session(tmp_path)
    whole = contents(session)
    session.rename(tmp_path / "demo.replaced.partial")
    leave(tmp_path, "demo.partial", LOCK, VIDEO)
    for left in retention.leftovers(tmp_path):
        retention.clear(left)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert contents(session) == whole


def test_a_session_moved_aside_for_one_that_came_goes(tmp_path):
    session = small_session(tmp_path)
    leave(tmp_path, "demo.replaced.partial", MANIFEST, VIDEO)
    (left,) = retention.leftovers(tmp_path)
    retention.clear(left)
    assert [path.name for path in tmp_path.iterdir()] == [session.name]


# Never beside a run


def test_a_session_being_written_anew_is_not_purged_and_the_run_is_not_disturbed(tmp_path):
    folder = small_session(tmp_path)
    with open_session(tmp_path, "demo", overwrite=True) as writer:
        with pytest.raises(SessionError, match="another run is writing"), hold(folder):
            raise AssertionError
        assert retention.leftovers(tmp_path) == []
        writer.write_manifest(Manifest.model_validate(small_manifest(duration=4.0)))
        writer.commit()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["demo"]
    assert manifest_of(folder).duration == 4.0
    assert {path.name for path in folder.iterdir()} == {MANIFEST}


def test_a_run_waits_for_no_purge(tmp_path):
    folder = small_session(tmp_path)
    with hold(folder):
        refused = pytest.raises(SessionError, match="another run is writing")
        with refused, open_session(tmp_path, "demo", overwrite=True):
            raise AssertionError
        assert (folder / VIDEO).is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_session_written_anew_before_it_could_be_held_keeps_its_own_end_date(tmp_path, monkeypatch):
    folder = small_session(tmp_path, delete_after={"tables": "2025-08-01"})

    def late(final):
        (final / MANIFEST).write_text(json.dumps(small_manifest(created="2025-09-01", delete_after={})))
        return hold(final)

    monkeypatch.setattr("pipeline.purge.hold", late)
    with Registry.open(f"sqlite:///{tmp_path / 'consent.sqlite'}") as registry:
        (problem,) = purge(registry, tmp_path).problems
    assert "was written anew" in problem
    assert {path.name for path in folder.iterdir()} == {MANIFEST, *FILES}


# A crash between any two steps


ENDS = {
    "the video": {"annotated_video": "2025-08-01", "tables": "2026-08-01", "recording": "2025-03-05"},
    "all": {"annotated_video": "2025-08-01", "tables": "2025-08-01"},
}


def purge(registry: Registry, folder: Path) -> Purge:
    done = Purge(registry, TODAY, TODAY, dry_run=False)
    done.courses()
    done.folders([folder])
    return done


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_a_purge_killed_between_any_two_steps_is_finished_by_the_next(tmp_path, ends):
    step = 0
    while True:
        home = tmp_path / str(step)
        home.mkdir()
        sessions = home / "sessions"
        folder = small_session(sessions, delete_after=ends)
        other = small_session(sessions, "other", delete_after=dict.fromkeys(ends, "2025-09-01"))
        (folder / "something unknown").touch()
        leave(sessions, "gone.partial", LOCK, STATES)
        whole = contents(other)
        with Registry.open(f"sqlite:///{home / 'consent.sqlite'}") as registry:
            registry.sessions.note(COURSE, "demo", f"{LECTURE}T10:15:00Z", folder)
            try:
                with killed_at(step) as done:
                    purge(registry, sessions)
            except Killed:
                assert len(done) == step
            else:
                break
            again = purge(registry, sessions)
            assert not again.problems
            if len(ends) == 3:
                assert {path.name for path in folder.iterdir()} == {
                    MANIFEST, "something unknown", *(set(FILES) - {VIDEO, AUDIT}),
                }  # fmt: skip
                assert set(manifest_of(folder).purged) == {Kind.ANNOTATED_VIDEO}
                assert len(registry.sessions.of_course(COURSE)) == 1
            else:
                assert not folder.exists()
                assert registry.sessions.of_course(COURSE) == ()
            assert {path.name for path in sessions.iterdir()} <= {"demo", "other"}
            assert contents(other) == whole
            registry.verify()
            third = contents(sessions)
            assert [row.data for row in purge(registry, sessions).rows] == ["recording"] * (len(ends) == 3)
            assert contents(sessions) == third
        step += 1
    assert step >= (6 if len(ends) == 3 else 15), done


def test_a_manifest_is_whole_or_the_older_one_when_its_writing_is_cut(tmp_path):
    folder = small_session(tmp_path)
    with pytest.raises(Killed), killed_at(0):
        retention.delete_parts(folder, PARTS, TODAY)
    assert manifest_of(folder).purged == {}
    assert json.loads((folder / f"{MANIFEST}.partial").read_text())["purged"]
    assert [path.name for path in find_sessions(tmp_path)] == ["demo"]
