"""Writing into finished sessions: alone, whole, and nothing of it lost."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from small_sessions import small_session

from pipeline import notes
from pipeline.errors import InputError
from pipeline.notes import change, keep_lines, read_lines, reviewer_name, seconds, span_of, write_lines
from pipeline.session import MANIFEST, DataDeleted, Session, SessionError
from pipeline.store import SessionBusy, hold

NAME, COLUMNS = "words.csv", ("who", "what")
ROOT = Path(__file__).parents[1]


def lines_of(path: Path) -> list[dict[str, str]]:
    return [line for _, line in read_lines(path, ())]


def add(folder: Path, who: str, what: str) -> None:
    change(Session.open(folder), NAME, COLUMNS, lambda lines: lines.append({"who": who, "what": what}))


# Names


@pytest.mark.parametrize("name", ["", "  ", "\n", "=", "=+-@", "\x00"])
def test_no_name(name: str) -> None:
    with pytest.raises(InputError, match="no name"):
        reviewer_name(name)


def test_a_name_as_long_as_a_page() -> None:
    with pytest.raises(InputError, match="10000 characters"):
        reviewer_name("x" * 10_000)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("AB", "AB"),
        (" a\nb ", "a b"),
        ("=cmd()", "cmd()"),
        ("a@b.example", "a@b.example"),
        ("‏عبد\u202e", "عبد"),
        ("🎓", "🎓"),
    ],
)
def test_names_are_one_line_and_no_formula(given: str, kept: str) -> None:
    assert reviewer_name(given) == kept


# The file


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert lines_of(tmp_path / NAME) == []


def test_words_come_back_as_they_were_written(tmp_path: Path) -> None:
    odd = ["<b>\"x\"</b>, 'y'", "a\nb", "🎓", "שלום", "x" * 10_000, ""]
    write_lines(tmp_path / NAME, COLUMNS, [{"who": one, "what": "w"} for one in odd])
    assert [line["who"] for line in lines_of(tmp_path / NAME)] == odd


def test_columns_of_somebodys_own_are_kept_and_new_ones_added(tmp_path: Path) -> None:
    folder = small_session(tmp_path)
    (folder / NAME).write_text("who,note\nann,hers\n", encoding="utf-8-sig")
    add(folder, "bob", "x")
    assert lines_of(folder / NAME) == [
        {"who": "ann", "what": "", "note": "hers"},
        {"who": "bob", "what": "x", "note": ""},
    ]


def test_a_file_that_cannot_be_read_stays_as_it_is(tmp_path: Path) -> None:
    folder = small_session(tmp_path)
    (folder / NAME).write_bytes(b"who,what\n\xff\xfe\x00\n")
    with pytest.raises(InputError, match="cannot be read"):
        add(folder, "bob", "x")
    assert (folder / NAME).read_bytes() == b"who,what\n\xff\xfe\x00\n"


def test_a_failure_while_writing_leaves_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small_session(tmp_path)
    add(folder, "ann", "x")

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(notes.os, "fsync", full)
    with pytest.raises(SessionError, match="No space left"):
        add(folder, "bob", "y")
    assert [line["who"] for line in lines_of(folder / NAME)] == ["ann"]
    assert not list(folder.glob("*.partial"))


@pytest.mark.parametrize(
    "line", [{"start": "2", "end": "1", "student": "1"}, {"start": "a", "end": "1", "student": "1"}]
)
def test_what_is_no_span_is_named_by_its_line(tmp_path: Path, line: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"words\.csv line 7"):
        span_of(tmp_path / NAME, 7, line)


@pytest.mark.parametrize(("t", "kept"), [(0, "0.0"), (10234.5, "10234.5"), (1 / 3, "0.333")])
def test_times_keep_milliseconds(t: float, kept: str) -> None:
    assert seconds(t) == kept


# Sessions that are not there to be written


def test_a_session_whose_tables_were_deleted_takes_nothing(tmp_path: Path) -> None:
    folder = small_session(tmp_path, purged={"tables": "2025-06-03"})
    with pytest.raises(DataDeleted):
        add(folder, "bob", "x")
    assert not (folder / NAME).exists()


def test_a_session_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    folder = small_session(tmp_path)
    opened = Session.open(folder)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    with pytest.raises(SessionError, match="no session here"):
        change(opened, NAME, COLUMNS, lambda lines: lines.append({"who": "bob"}))
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_is_being_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small_session(tmp_path)
    monkeypatch.setattr(notes, "WAIT_S", 0.2)
    code = (
        "from pipeline.store import hold; from pathlib import Path\n"
        f"with hold(Path({str(folder)!r})): print('held', flush=True); input()"
    )
    other = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"held"
        with pytest.raises(SessionBusy, match="nothing was saved; try again"):
            add(folder, "bob", "x")
    finally:
        other.communicate(b"\n", timeout=30)
    add(folder, "bob", "x")
    assert len(lines_of(folder / NAME)) == 1


# Several at once

WRITER = """
    import sys
    from pathlib import Path
    from pipeline import notes
    from pipeline.session import Session
    notes.WAIT_S = 300
    folder, who, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    for number in range(count):
        line = {"who": who, "what": str(number)}
        notes.change(Session.open(folder), "words.csv", ("who", "what"), lambda lines: lines.append(line))
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    folder = small_session(tmp_path)
    before = sorted(path.name for path in folder.iterdir())
    count, names = 25, ["ann", "bob", "eve", "joe"]
    writers = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER), str(folder), who, str(count)], cwd=ROOT)
        for who in names
    ]
    assert [writer.wait(300) for writer in writers] == [0] * len(names)
    lines = lines_of(folder / NAME)
    for who in names:
        assert [line["what"] for line in lines if line["who"] == who] == [str(number) for number in range(count)]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*before, NAME])  # no lock is left
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def _reader(folder: Path, stop: multiprocessing.synchronize.Event, seen: multiprocessing.Queue) -> None:
    counts = []
    while not stop.is_set():
        counts.append(len(lines_of(folder / NAME)))
    seen.put(counts)


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    folder = small_session(tmp_path)
    context = multiprocessing.get_context("spawn")
    stop, seen = context.Event(), context.Queue()
    reader = context.Process(target=_reader, args=(folder, stop, seen))
    reader.start()
    for number in range(40):
        add(folder, "ann", "x" * 2000 + str(number))
    stop.set()
    counts = seen.get(timeout=60)
    reader.join(60)
    assert counts == sorted(counts)
    assert set(counts) <= set(range(41))


# What a withdrawal keeps


def test_lines_of_others_are_kept(tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_text("start,student,mine\n1,1,a\n2,2,b\n3,1,c\n")
    keep_lines(source, tmp_path / "kept.csv", {1})
    assert (tmp_path / "kept.csv").read_text() == "start,student,mine\n1,1,a\n3,1,c\n"
    keep_lines(source, tmp_path / "none.csv", set())
    assert not (tmp_path / "none.csv").exists()


def test_the_manifest_is_read_anew(tmp_path: Path) -> None:
    """A purge between the opening of a page and the click."""
    folder = small_session(tmp_path)
    opened = Session.open(folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "purged": {"tables": "2025-06-03"}}))
    with pytest.raises(DataDeleted):
        change(opened, NAME, COLUMNS, lambda lines: lines.append({"who": "bob"}))


def test_holding_twice_in_one_process_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small_session(tmp_path)
    monkeypatch.setattr(notes, "WAIT_S", 0.1)
    with hold(folder), pytest.raises(SessionBusy):
        add(folder, "bob", "x")
