"""Finding sessions of a course and their recordings: nothing there first."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from consent.sessions import NotedSession
from pipeline.errors import InputError
from pipeline.search import Found, Originals, search
from pipeline.session import Session, Source
from pipeline.store import LOCK, open_session

COURSE = "Simulated course"


def noted(folder: Path) -> NotedSession:
    manifest = Session.open(folder).manifest
    return NotedSession(COURSE, manifest.id, manifest.created, folder)


# Sessions


def test_nothing_anywhere(tmp_path):
    assert search(COURSE, [], []) == search(COURSE, [], [tmp_path]) == Found()


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        search(COURSE, [], [tmp_path / "nowhere"])


def test_only_the_course_asked_for(tmp_path, make_session):
    mine = make_session(tmp_path, "mine", students=1, seconds=2, course="SIMULATED  course")
    make_session(tmp_path, "other", students=1, seconds=2, course="Another")
    nameless = make_session(tmp_path, "nameless", students=1, seconds=2, course=None)
    assert search(COURSE, [], [tmp_path]) == Found(sessions=[mine], courseless=[nameless])
    assert search("Nothing", [], [tmp_path]).sessions == []


def test_found_twice_it_counts_once(tmp_path, make_session):
    mine = make_session(tmp_path, "mine", students=1, seconds=2)
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    assert search(COURSE, [noted(mine)], [tmp_path, tmp_path / "link", mine]) == Found(sessions=[mine])


def test_one_on_record_is_found_without_its_folder_being_named(tmp_path, make_session):
    mine = make_session(tmp_path, "mine", students=1, seconds=2)
    assert search(COURSE, [noted(mine)], []) == Found(sessions=[mine])


def test_one_that_is_gone_and_one_that_was_moved_and_renamed(tmp_path, make_session):
    mine = make_session(tmp_path / "old", "mine", students=1, seconds=2)
    record = noted(mine)
    shutil.rmtree(shutil.copytree(mine, tmp_path / "spare"))
    moved = mine.rename(tmp_path / "renamed")
    assert search(COURSE, [record], []) == Found(lost=[record])
    assert search(COURSE, [record], [tmp_path]) == Found(sessions=[moved], moved=[(record, moved)])


def test_another_session_in_its_place_is_not_it(tmp_path, make_session):
    record = noted(make_session(tmp_path, "mine", students=1, seconds=2))
    shutil.rmtree(tmp_path / "mine")
    mine = make_session(tmp_path, "mine", students=1, seconds=2, created="2026-01-01T00:00:00+00:00")
    assert search(COURSE, [record], []) == Found(sessions=[mine], lost=[record])


def test_a_damaged_one_is_said_once_and_is_not_lost(tmp_path, make_session):
    mine = make_session(tmp_path, "mine", students=1, seconds=2)
    record = noted(mine)
    (mine / "session.json").write_text("{")
    found = search(COURSE, [record], [tmp_path])
    assert (found.sessions, found.lost, len(found.problems)) == ([], [], 1)


def test_one_being_written_is_left_alone_and_said(tmp_path, make_session):
    mine = make_session(tmp_path, "mine", students=1, seconds=2)
    with open_session(tmp_path, "mine", overwrite=True) as writer:
        (writer.folder / "annotated.mp4").touch()
        found = search(COURSE, [noted(mine)], [tmp_path])
        assert (writer.folder / "annotated.mp4").exists()
        assert found.sessions == []
        assert found.problems == [f"{mine}: another run is writing this session; wait for it to end"]
    with open_session(tmp_path, "new", overwrite=False):
        assert "new: another run is writing" in search(COURSE, [], [tmp_path]).problems[0]


def test_what_a_killed_run_left_is_cleared_but_nothing_of_the_user(tmp_path):
    for name, file in (("a.partial", LOCK), ("b.partial", "annotated.mp4"), ("c.partial", None)):
        (tmp_path / name).mkdir()
        if file:
            (tmp_path / name / file).touch()
    (tmp_path / "thesis.partial").mkdir()
    (tmp_path / "thesis.partial" / "thesis.txt").write_text("mine")
    (tmp_path / "film.mp4.partial").touch()
    search(COURSE, [], [tmp_path])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4.partial", "thesis.partial"]


# Recordings


def test_no_recordings(tmp_path):
    source = Source(name="a.mp4", sha256="0" * 64)
    assert Originals().find(source) is Originals([tmp_path]).find(source) is None
    with pytest.raises(InputError, match="no such folder"):
        Originals([tmp_path / "nowhere"])


def test_a_recording_is_known_by_its_content_whatever_it_is_called(tmp_path):
    content = b"not really a film"
    source = Source(name="a.mp4", sha256=hashlib.sha256(content).hexdigest())
    (tmp_path / "a.mp4").write_bytes(b"another one of that name")
    (tmp_path / "a.txt").write_bytes(content)
    originals = Originals([tmp_path])
    assert originals.find(source) is None
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "renamed.MP4").write_bytes(content)
    assert originals.find(source) == tmp_path / "deep" / "renamed.MP4"
