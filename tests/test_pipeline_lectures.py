"""Which lectures a batch is of: nothing, what is not there, folders, lists, and names that clash."""

from __future__ import annotations

import uuid
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.lectures import Lecture, lectures_in, listed, name_clashes


def touched(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_without_a_recording_is_said(tmp_path: Path) -> None:
    touched(tmp_path, "notes.txt", ".hidden.mp4", ".trash/a.mp4", "b.partial/a.mp4", "done/session.json", "done/v.mp4")
    with pytest.raises(InputError, match=r"no recording is in it"):
        lectures_in([str(tmp_path)])


def test_a_file_is_taken_whatever_it_is() -> None:
    assert [one.video for one in lectures_in(["/nowhere/a.xyz"])] == ["/nowhere/a.xyz"]


def test_a_folder_gives_its_recordings_in_order_with_the_maps_beside_them(tmp_path: Path) -> None:
    touched(tmp_path, "b/two.MOV", "a/one.mp4", "a/one.seats.json", "a/one.txt")
    found = lectures_in([str(tmp_path)])
    assert [one.label for one in found] == ["a/one.mp4", "b/two.MOV"]
    assert [one.seat_map for one in found] == [str(tmp_path / "a/one.seats.json"), None]


def test_a_folder_at_an_address() -> None:
    root = f"memory://{uuid.uuid4().hex}"
    for name in ("a/one.mp4", "a/one.seats.json", "two.mkv", "text.txt", "old/session.json", "old/annotated.mp4"):
        fsspec.filesystem("memory").pipe(f"{root}/{name}", b"x")
    found = lectures_in([root])
    assert [(one.label, one.video) for one in found] == [
        ("a/one.mp4", f"{root}/a/one.mp4"),
        ("two.mkv", f"{root}/two.mkv"),
    ]
    assert [one.seat_map for one in found] == [f"{root}/a/one.seats.json", None]
    assert lectures_in([f"{root}/two.mkv"]) == [Lecture(f"{root}/two.mkv", "two.mkv")]
    with pytest.raises(InputError, match="no recording"):
        lectures_in([f"{root}/old"])


# lists


def list_of(folder: Path, text: str) -> Path:
    path = folder / "lectures.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no lecture"),
        ("video\n", "names no lecture"),
        ("course\nCS 101\n", "a row without a video"),
        ("video,course\n,CS 101\n", "a row without a video"),
        ("video,cuorse\na.mp4,CS 101\n", "column 'cuorse'"),
        ("video\na.mp4,b\n", "a column without a name"),
        ('video\n"a.mp4\n', "is no CSV file"),
    ],
)
def test_a_wrong_list_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        listed(list_of(tmp_path, text))
    assert "\n" not in str(error.value)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        listed(tmp_path / "none.csv")


def test_a_list_gives_each_lecture_its_own_options(tmp_path: Path) -> None:
    touched(tmp_path, "a.seats.json")
    text = (
        "video,course,absent,lecture_day,seat_map\n"
        "a.mp4,CS 101,s-1; s-2,2026-11-20,\n"
        "b/c.mp4,,,,room.json\n"
        "s3://lectures/d.mp4,,,,\n"
    )
    a, c, d = listed(list_of(tmp_path, text.replace("s3://", "memory://")))
    own = ("--course", "CS 101", "--lecture-day", "2026-11-20", "--absent", "s-1", "--absent", "s-2")
    assert a == Lecture(str(tmp_path / "a.mp4"), "a.mp4", own, str(tmp_path / "a.seats.json"))
    assert c == Lecture(str(tmp_path / "b/c.mp4"), "b/c.mp4", (), str(tmp_path / "room.json"))
    assert d.video == "memory://lectures/d.mp4"
    assert a.name("other") == "CS-101_a"
    assert c.name("other") == "other_c"


# names


def test_two_that_would_have_one_name_are_named_both() -> None:
    one, two, three = (Lecture(video, video) for video in ("a/x.mp4", "b/x.mkv", "c/y.mp4"))
    clashes = name_clashes([one, two, three], None)
    assert set(clashes) == {"a/x.mp4", "b/x.mkv"}
    assert "name x," in clashes["a/x.mp4"]


def test_one_that_is_named_twice_is_no_clash() -> None:
    assert name_clashes([Lecture("a/x.mp4", "x.mp4"), Lecture("a/x.mp4", "x.mp4")], "C") == {}


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=3), max_size=8, unique=True))
def test_without_a_clash_every_name_is_its_own(stems: list[str]) -> None:
    lectures = [Lecture(f"{n}/{stem}.mp4", stem) for n, stem in enumerate(stems)]
    assert name_clashes(lectures, "C") == {}
    assert len({one.name("C") for one in lectures}) == len(stems)
