"""Which recordings are offered, and what is kept of a file sent with the browser."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from dashboard import recordings
from pipeline.errors import InputError, VideoError

DEMO = Path(__file__).parents[1] / "demo" / "classroom.mp4"
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    where = tmp_path / "recordings"
    monkeypatch.setenv(recordings.FOLDER_VARIABLE, str(where))
    return where


# Nothing there


def test_without_a_folder_nothing_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(recordings.FOLDER_VARIABLE, raising=False)
    assert recordings.folder() is None
    assert recordings.offered("CS 101", True) == {}


def test_a_missing_or_empty_folder_offers_nothing(folder: Path) -> None:
    assert recordings.offered("CS 101", True) == {}
    folder.mkdir()
    assert recordings.offered("CS 101", True) == {}


# What is there


def test_a_course_is_offered_its_own_subfolder_and_only_videos(folder: Path) -> None:
    for name in ("top.mp4", "cs  101/a.MKV", "cs  101/.hidden.mp4", "cs  101/notes.txt", "Maths/b.mp4", ".trash/c.mp4"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert list(recordings.offered("CS 101", False)) == ["cs  101/a.MKV"]
    assert recordings.offered("Physics", False) == {}
    everything = recordings.offered("CS 101", True)
    assert sorted(everything) == ["Maths/b.mp4", "cs  101/a.MKV", "top.mp4"]
    assert everything["Maths/b.mp4"] == folder / "Maths" / "b.mp4"


# What is sent


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lecture.mp4", b""),
        ("lecture.mp4", b"hello"),
        ("lecture.mp4", PLAYLIST),
        ("lecture.ts", PLAYLIST),
        ("list.m3u8", PLAYLIST),
        ("lecture.mp4", DEMO.read_bytes()[:4000]),
        ("lecture", DEMO.read_bytes()),
        ("lecture.exe", DEMO.read_bytes()),
        ("lecture.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n"),
    ],
)
def test_what_is_no_video_is_not_kept(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(VideoError, match=name.split(".")[0]):
        recordings.receive(name, io.BytesIO(content), tmp_path / "uploads")
    assert list((tmp_path / "uploads").glob("*")) == []


def test_what_is_too_large_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "LARGEST_MB", 0)
    with pytest.raises(InputError, match="--recordings"):
        recordings.receive("lecture.mp4", io.BytesIO(DEMO.read_bytes()), tmp_path)
    assert list(tmp_path.glob("*")) == []


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("lecture.mp4", "lecture.mp4"),
        ("../../../etc/cron.d/x.mp4", "x.mp4"),
        ("C:\\Users\\me\\Lecture 1.MP4", "Lecture-1.mp4"),
        ("--overwrite.mp4", "overwrite.mp4"),
        ("<b>$(id)</b>.mp4", "b.mp4"),
    ],
)
def test_what_is_sent_is_kept_under_a_random_name(tmp_path: Path, name: str, kept: str) -> None:
    uploads = tmp_path / "uploads"
    place, file = recordings.receive(name, io.BytesIO(DEMO.read_bytes()), uploads)
    other, _ = recordings.receive(name, io.BytesIO(DEMO.read_bytes()), uploads)
    assert len(place) == 32
    assert other != place
    assert file.parent == uploads / place
    assert file.read_bytes() == DEMO.read_bytes()
    assert file.name == kept
    assert sorted(path.name for path in uploads.iterdir()) == sorted([place, other])


def test_a_long_name_is_shortened(tmp_path: Path) -> None:
    _, file = recordings.receive("x" * 10_000 + ".mp4", io.BytesIO(DEMO.read_bytes()), tmp_path)
    assert len(file.name) < 100
