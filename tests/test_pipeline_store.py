from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import OutputError, kept_by
from pipeline.session import ENGAGEMENT, MANIFEST, STATES, Session, SessionError, find_sessions
from pipeline.store import LOCK, PARTIAL, READINGS, clear_leftovers, open_session, session_id

BIG = pd.DataFrame({"t": np.random.default_rng(0).random(200_000)})
"""About 1.6 MB that no compression makes small."""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under ``folder`` with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def begin(out: Path, name: str = "demo", overwrite: bool = False) -> None:
    """Open a session and leave it without writing anything."""
    with open_session(out, name, overwrite=overwrite):
        pass


def write_and_end(out: Path, end: BaseException) -> None:
    """Write a table and something else, then end with that exception."""
    with open_session(out, "demo", overwrite=True) as writer:
        writer.write_table(STATES, BIG)
        (writer.folder / "frames").mkdir()
        raise end


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


# names


@pytest.mark.parametrize(
    ("video", "course", "name"),
    [
        ("lecture.mp4", None, "lecture"),
        ("lecture.mp4", "", "lecture"),
        ("lecture.mp4", "CS 101", "CS-101_lecture"),
        ("Vorlesung Ästhetik – 3.mkv", None, "Vorlesung-Asthetik-3"),
        ("a/b/../../etc/passwd", "../..", "passwd"),
        ("week 1: intro?.mp4", "R&D / lab\\2", "R-D-lab-2_week-1-intro"),
        ("🎓 lecture 🎓.mp4", None, "lecture"),
        ("--help.mp4", None, "help"),
    ],
)
def test_names_are_readable(video, course, name):
    assert session_id(Path(video), course) == name


@pytest.mark.parametrize("video", ["", ".", "..", "...", "🎓.mp4", "???.mp4", "---", " .mp4", "语.mp4", ".mp4"])
@pytest.mark.parametrize("course", [None, "", "/", "🎓", "."])
def test_a_name_is_never_empty(video, course):
    name = session_id(Path(video), course)
    assert name.strip(".-_")
    assert "/" not in name


@settings(deadline=None)
@given(st.text(max_size=300), st.none() | st.text(max_size=300))
@example("x" * 5000, "语" * 5000)
@example("a" * 79 + ".mp4.mp4", None)
@example("lecture.partial.mp4", None)
@example("lecture.replaced.mp4", None)
def test_a_name_is_safe_on_every_file_system(video, course):
    name = session_id(Path(video.replace("\0", "")), course)
    assert len(f"{name}.replaced.partial") < 255
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    assert not name.startswith((".", "-"))
    assert not name.endswith((".", ".partial", ".replaced"))


@pytest.mark.parametrize(
    ("one", "other"),
    [("第一讲.mp4", "第二讲.mp4"), ("Лекция 1.mp4", "Семинар 1.mp4"), ("a" * 90 + "1.mp4", "a" * 90 + "2.mp4")],
    ids=["Chinese", "Russian", "very long"],
)
def test_two_lectures_do_not_share_a_name(one, other):
    assert session_id(Path(one), None) != session_id(Path(other), None)
    assert session_id(Path("lecture.mp4"), one) != session_id(Path("lecture.mp4"), other)
    assert session_id(Path(one), None) == session_id(Path(one), None)


@pytest.mark.parametrize("video", ["🎓 lecture.mp4", "a / b.mp4", "x" * 5000 + ".mp4", "", "lecture.partial.mp4"])
def test_a_session_of_such_a_name_is_found(tmp_path, make_session, video):
    folder = make_session(tmp_path, name=session_id(Path(video), None), students=1, seconds=2)
    assert list(find_sessions(tmp_path)) == [folder]


# what ends before it is whole leaves nothing


@pytest.mark.parametrize("end", [ValueError("broken"), KeyboardInterrupt(), SystemExit(1), OSError(errno.EIO, "worn")])
def test_an_error_leaves_nothing(tmp_path, end):
    with pytest.raises(type(end)) as caught:
        write_and_end(tmp_path / "out", end)
    assert caught.value is end
    assert list((tmp_path / "out").iterdir()) == []


def test_leaving_without_commit_leaves_nothing(tmp_path):
    begin(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", [ValueError("broken"), KeyboardInterrupt()])
def test_an_error_keeps_the_older_session(tmp_path, make_session, end):
    folder = make_session(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(type(end)):
        write_and_end(tmp_path, end)
    assert contents(tmp_path) == before
    assert Session.open(folder).manifest.counts.students == 6


@pytest.mark.parametrize("end", [OSError(errno.EACCES, "refused"), KeyboardInterrupt()])
def test_a_rename_that_fails_keeps_the_older_session(tmp_path, make_session, monkeypatch, end):
    make_session(tmp_path)
    before = contents(tmp_path)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "demo.partial":
            raise end
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(type(end)), open_session(tmp_path, "demo", overwrite=True) as writer:
        writer.commit()
    assert contents(tmp_path) == before


# what was read stays


def read_and_end(out: Path, end: BaseException) -> None:
    """Read something, write a table, then end with that exception."""
    with open_session(out, "demo", overwrite=True, resume=True) as writer:
        writer.readings.mkdir(exist_ok=True)
        (writer.readings / "00000.npz").write_bytes(b"numbers")
        writer.write_table(STATES, BIG)
        raise end


@pytest.mark.parametrize("end", [ValueError("broken"), KeyboardInterrupt(), OSError(errno.EIO, "worn")])
def test_what_was_read_stays_and_the_failure_tells_where(tmp_path, end):
    with pytest.raises(type(end)) as caught:
        read_and_end(tmp_path, end)
    partial = tmp_path / "demo.partial"
    assert caught.value is end
    assert kept_by(end) == partial
    assert set(contents(tmp_path)) - {f"demo.partial/{LOCK}"} == {f"demo.partial/{READINGS}/00000.npz"}
    with open_session(tmp_path, "demo", overwrite=True, resume=True) as writer:
        assert (writer.readings / "00000.npz").read_bytes() == b"numbers"
        writer.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert contents(tmp_path) == {}


def test_a_full_disk_tells_where_too(tmp_path):
    with pytest.raises(OutputError) as caught:
        read_and_end(tmp_path, OSError(errno.ENOSPC, "full"))
    assert kept_by(caught.value) == tmp_path / "demo.partial"


def test_where_nothing_was_read_nothing_is_told(tmp_path):
    end = ValueError("broken")
    with pytest.raises(ValueError, match="broken"):
        write_and_end(tmp_path, end)
    assert kept_by(end) is None


@pytest.mark.parametrize("clear", [lambda out: begin(out, overwrite=True), clear_leftovers], ids=["write", "clear"])
def test_who_does_not_go_on_deletes_what_was_read(tmp_path, clear):
    """As a withdrawal does: it writes a session anew, or mends a folder."""
    with pytest.raises(ValueError, match="broken"):
        read_and_end(tmp_path, ValueError("broken"))
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_of_a_run_is_known_by_its_readings_alone(tmp_path):
    (tmp_path / "demo.partial" / READINGS).mkdir(parents=True)
    clear_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


# overwriting


def test_an_older_session_is_kept_unless_asked(tmp_path, make_session):
    make_session(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(SessionError, match="exists already; add --overwrite") as caught:
        begin(tmp_path)
    assert caught.value.exit_code == 2
    assert contents(tmp_path) == before


def test_overwriting_replaces_the_whole_folder_at_once(tmp_path, make_session):
    folder = make_session(tmp_path)
    (folder / "report.pdf").write_bytes(b"of the older one")
    manifest = Session.open(folder).manifest
    with open_session(tmp_path, "demo", overwrite=True) as writer:
        writer.write_table(ENGAGEMENT, pd.DataFrame({"t": [1 / 3]}))
        writer.write_manifest(manifest.model_copy(update={"course": "another"}))
        assert Session.open(folder).manifest.course == "Simulated course"  # untouched up to here
        assert writer.commit() == folder
        assert writer.committed
    assert set(contents(tmp_path)) == {f"demo/{ENGAGEMENT}", f"demo/{MANIFEST}"}
    assert Session.open(folder).manifest.course == "another"
    assert (folder / ENGAGEMENT).read_text() == "t\n0.33333\n"


@pytest.mark.parametrize("error", [FileExistsError, FileNotFoundError])
@pytest.mark.parametrize("times", [1, 5, 10_000])
def test_a_folder_that_another_deletes_at_that_moment_is_made_again(tmp_path, monkeypatch, error, times):
    left = [times]
    make = Path.mkdir

    def mkdir(self, *args, **kwargs):
        if self.name == f"demo{PARTIAL}" and left[0]:
            left[0] -= 1
            raise error(errno.EEXIST, "gone again")
        make(self, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    if times > 1000:
        with pytest.raises(SessionError, match="gone again"):
            begin(tmp_path)
    else:
        begin(tmp_path)
        assert left == [0]


def test_overwriting_what_is_not_there(tmp_path):
    with open_session(tmp_path / "new" / "er", "demo", overwrite=True) as writer:
        writer.commit()
    assert [path.name for path in (tmp_path / "new" / "er").iterdir()] == ["demo"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_session_is_never_replaced(tmp_path, overwrite):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.tex").write_text("years of work")
    with pytest.raises(SessionError, match="is not a session"):
        begin(tmp_path, overwrite=overwrite)
    assert contents(tmp_path) == {"demo/thesis.tex": b"years of work"}


def test_what_a_killed_run_left_is_cleared(tmp_path, make_session):
    partial = tmp_path / "demo.partial"
    (partial / "frames").mkdir(parents=True)
    (partial / "frames" / "face.png").write_bytes(b"private")
    (partial / "annotated.mp4").write_bytes(b"half")
    (partial / ".lock").touch()
    folder = make_session(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert not (folder / "frames").exists()
    assert not (folder / ".lock").exists()


def test_what_a_run_killed_while_replacing_left_is_cleared(tmp_path, make_session):
    make_session(tmp_path)
    (tmp_path / "demo.replaced.partial").mkdir()
    (tmp_path / "demo.replaced.partial" / "old.csv").touch()
    with open_session(tmp_path, "demo", overwrite=True) as writer:
        writer.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


# two at once


def test_of_two_writers_the_second_is_refused_and_the_first_goes_on(tmp_path):
    with open_session(tmp_path, "demo", overwrite=False) as first:
        first.write_table(STATES, BIG)
        with pytest.raises(SessionError, match="another run is writing this session"):
            begin(tmp_path, overwrite=True)
        assert (first.folder / STATES).exists()
        with open_session(tmp_path, "other", overwrite=False) as other:
            other.commit()
        first.commit()
    assert {path.name for path in tmp_path.iterdir()} == {"demo", "other"}


def test_after_a_refusal_or_an_error_the_name_is_free(tmp_path):
    with pytest.raises(ValueError, match="broken"), open_session(tmp_path, "demo", overwrite=False):
        raise ValueError("broken")
    begin(tmp_path)
    begin(tmp_path)


# places that cannot be written


@pytest.mark.parametrize("out", ["file", "file/below", "file/below/it"])
def test_a_file_in_the_way_of_the_folder(tmp_path, out):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SessionError, match=r"cannot be written \(.+\); choose another folder with --out"):
        begin(tmp_path / out)
    assert contents(tmp_path) == {"file": b"in the way"}


def test_a_file_in_the_way_of_the_session(tmp_path):
    (tmp_path / "demo").write_text("in the way")
    with pytest.raises(SessionError, match="is not a session"):
        begin(tmp_path, overwrite=True)
    (tmp_path / "other.partial").write_text("in the way")
    with pytest.raises(SessionError, match="cannot be written"):
        begin(tmp_path, "other")
    assert len(contents(tmp_path)) == 2


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SessionError, match="Permission denied"):
        begin(tmp_path)
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_in_words(tmp_path, make_session, monkeypatch, number):
    make_session(tmp_path)
    before = contents(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with (
        pytest.raises(OutputError, match="the disk is full; free some space") as caught,
        open_session(tmp_path, "demo", overwrite=True) as writer,
    ):
        writer.write_table(STATES, BIG)
    assert caught.value.exit_code == 1
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", [STATES, ENGAGEMENT])
def test_a_disk_that_is_full(tiny_disk, name):
    with (
        pytest.raises(OutputError, match="the disk is full"),
        open_session(tiny_disk / "out", "demo", overwrite=False) as writer,
    ):
        writer.write_table(name, BIG)
    assert list((tiny_disk / "out").iterdir()) == []


def test_a_disk_that_was_full_before(tiny_disk):
    with (tiny_disk / "ballast").open("wb", buffering=0) as file:
        file.write(bytes(1 << 20))  # as much as there is room for
    with (
        pytest.raises(OutputError, match="the disk is full"),
        open_session(tiny_disk / "out", "demo", overwrite=False) as writer,
    ):
        writer.write_table(STATES, pd.DataFrame({"t": [0.0]}))


# after a kill


def test_nothing_left_nothing_done(tmp_path, make_session):
    make_session(tmp_path, students=1, seconds=2)
    before = contents(tmp_path)
    assert clear_leftovers(tmp_path) == clear_leftovers(tmp_path / "nowhere") == ()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("mend", [lambda out: begin(out, overwrite=True), clear_leftovers], ids=["run", "clear"])
def test_killed_between_the_renames_the_older_session_gets_its_name_back(tmp_path, make_session, mend):
    folder = make_session(tmp_path, students=1, seconds=2)
    before = contents(tmp_path)
    folder.rename(tmp_path / "demo.replaced.partial")
    shutil.copytree(tmp_path / "demo.replaced.partial", tmp_path / "demo.partial")
    mend(tmp_path)
    assert contents(tmp_path) == before


def test_killed_after_the_renames_the_older_session_is_deleted(tmp_path, make_session):
    folder = make_session(tmp_path, students=1, seconds=2)
    before = contents(tmp_path)
    shutil.copytree(folder, tmp_path / "demo.replaced.partial")
    clear_leftovers(tmp_path, "other")
    assert len(list(tmp_path.iterdir())) == 2
    clear_leftovers(tmp_path, "demo")
    assert contents(tmp_path) == before


def test_what_is_being_written_is_left_alone(tmp_path, make_session):
    folder = make_session(tmp_path, students=1, seconds=2)
    shutil.copytree(folder, tmp_path / "demo.replaced.partial")
    with open_session(tmp_path, "demo", overwrite=True) as writer:
        writer.write_table(STATES, BIG)
        shutil.copytree(folder, tmp_path / "demo.replaced.partial")
        assert clear_leftovers(tmp_path) == ("demo",)
        assert (writer.folder / STATES).exists()
        assert (tmp_path / "demo.replaced.partial").exists()
    clear_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
