"""``engage consent withdraw``: unknown names first, then what it finds and does, then being killed in the middle."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pymupdf
import pytest
from click.testing import Result
from clips import make_clip
from lectures import COURSE, blue, lecture, zone
from test_engage import TwoStudents
from typer.testing import CliRunner

import engage
import pipeline.analyse
import pipeline.detect
from consent.policy import Purpose, Zone
from consent.registry import Registry
from pipeline.analyse import Analysis
from pipeline.session import Session
from pipeline.store import open_session

pytestmark = pytest.mark.usefixtures("few_steps")

ROOT = Path(__file__).parents[1]
STUDENT = "kestrel"
SEAT = Zone(*zone(2))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """An empty home and working folder, and a registry with one student whose seat is known."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{folder / 'consent.sqlite'}")
    monkeypatch.setenv("COLUMNS", "200")
    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", date(2026, 1, 1))
        registry.students.enter(COURSE, STUDENT, seat=SEAT)
    before = signal.getsignal(signal.SIGTERM)
    yield folder
    signal.signal(signal.SIGTERM, before)


def withdraw(*words: object, course: str = COURSE, student: str = STUDENT) -> Result:
    return CliRunner().invoke(engage.app, ["consent", "withdraw", course, student, *map(str, words)])


def done() -> list[bool]:
    """Of each withdrawal on record; the log must be whole."""
    with Registry.open() as registry:
        registry.verify()
        return [one.done for one in registry.withdrawals.of_course(None)]


def forget_the_seat(student: str = "heron") -> str:
    """Another student, whose seat is not known."""
    with Registry.open() as registry:
        registry.students.enter(COURSE, student)
    return student


def note(folder: Path) -> None:
    manifest = Session.open(folder).manifest
    with Registry.open() as registry:
        registry.sessions.note(COURSE, manifest.id, manifest.created, folder)


def students(folder: Path) -> set[int]:
    return set(Session.open(folder).states["student"])


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def sentences(result: Result) -> list[str]:
    """What is left to do, or went wrong: one line each."""
    lines = result.stderr.strip().splitlines()
    assert all(re.match(r"(left to do|error): \S", line) for line in lines), result.stderr
    return lines


# Who and what is not known


@pytest.mark.parametrize(
    ("course", "student", "words"),
    [("Nothing 1", STUDENT, "is not on record"), (COURSE, "dodo", "'dodo' is not on record"), (COURSE, " ", "blank")],
)
def test_unknown_names(course, student, words):
    result = withdraw(course=course, student=student)
    assert result.exit_code == 2
    (line,) = sentences(result)
    assert words in line
    assert done() == []


@pytest.mark.parametrize("words", [("--session", "x"), ("--number", "2")])
def test_half_of_a_pair(words):
    result = withdraw(*words)
    assert result.exit_code == 2
    assert "belong together" in sentences(result)[0]
    assert done() == []


@pytest.mark.parametrize("option", ["--sessions", "--originals"])
def test_a_folder_that_is_not_there(option):
    result = withdraw(option, "nowhere")
    assert result.exit_code == 2
    assert "no such folder" in sentences(result)[0]


def test_without_sessions_it_is_done_at_once_and_twice_is_once():
    for _ in range(2):
        result = withdraw()
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        assert "withdrawal-1" in result.stdout
        assert "On paper" in result.stdout
        assert done() == [True]
    with Registry.open() as registry:
        assert [one.zone for one in registry.opt_outs(COURSE)] == [SEAT]
        (student,) = registry.students.on_record(COURSE)
        assert {one.purpose for one in student.decisions if not one.granted} == set(Purpose)


# What it finds


def test_every_session_of_the_course_is_cleared_and_no_other(home):
    noted, _ = lecture(home / "elsewhere", "noted")
    note(noted)
    found, _ = lecture(home / "sessions", "found", course="birds  101")
    other, _ = lecture(home / "sessions", "other", course="Fish 101")
    nameless, _ = lecture(home / "sessions", "nameless", course=None)
    before = contents(other), contents(nameless)
    result = withdraw()
    assert result.exit_code == 0, result.output
    assert students(noted) == students(found) == {1, 3}
    assert (contents(other), contents(nameless)) == before
    assert f"{nameless.resolve()}: names no course" in result.stdout
    assert "--session" in result.stdout
    assert STUDENT not in "".join(str(path) for path in home.rglob("*"))
    assert done() == [True]
    again = contents(home / "sessions"), contents(home / "elsewhere")
    assert withdraw().exit_code == 0
    assert (contents(home / "sessions"), contents(home / "elsewhere")) == again


def test_the_list_says_who_withdrew_and_whether_it_is_done(home):
    def listed() -> str:
        return CliRunner().invoke(engage.app, ["consent", "list"]).stdout

    assert "Withdrawals" not in listed()
    with Registry.open() as registry:
        registry.withdrawals.begin(COURSE, STUDENT)
    assert "not done" in listed()
    withdraw()
    assert "not done" not in listed()
    assert "withdrawal-1" in listed()


def test_no_pseudonym_in_any_session(home):
    lecture(home / "sessions")
    withdraw()
    assert all(STUDENT.encode() not in content for _, content in contents(home / "sessions").values())


def test_a_session_on_record_that_is_gone_keeps_it_open_until_it_is_found(home):
    folder, _ = lecture(home / "elsewhere")
    note(folder)
    moved = home / "attic"
    folder.parent.rename(moved)
    result = withdraw()
    assert result.exit_code == 1
    (line,) = sentences(result)
    assert str(folder) in line
    assert "--sessions" in line
    assert done() == [False]
    assert withdraw("--sessions", moved).exit_code == 0
    assert students(moved / "birds") == {1, 3}
    assert done() == [True]
    with Registry.open() as registry:
        assert [one.folder for one in registry.sessions.of_course(COURSE)] == [moved / "birds"]


def test_a_session_that_was_deleted_by_hand(home):
    folder, _ = lecture(home / "elsewhere")
    note(folder)
    shutil.rmtree(folder)
    assert withdraw().exit_code == 1
    assert withdraw("--deleted").exit_code == 0
    assert done() == [True]
    assert withdraw().exit_code == 0


def test_one_that_is_being_written_or_damaged_does_not_stop_the_others(home):
    free, _ = lecture(home / "sessions", "free")
    busy, _ = lecture(home / "sessions", "busy")
    broken, _ = lecture(home / "sessions", "broken")
    (broken / "observations.parquet").write_bytes(b"no table")
    before = contents(busy)
    with open_session(busy.parent, busy.name, overwrite=True):
        result = withdraw()
    assert result.exit_code == 1
    lines = sentences(result)
    assert len(lines) == 2
    assert any("another run is writing" in line for line in lines)
    assert any("observations.parquet: cannot be read" in line for line in lines)
    assert students(free) == {1, 3}
    assert contents(busy) == before
    assert done() == [False]
    shutil.rmtree(broken)
    assert withdraw().exit_code == 0
    assert students(busy) == {1, 3}
    assert done() == [True]


# It is not known who


def test_without_a_seat_everybody_is_covered_and_it_stays_open(home):
    student = forget_the_seat()
    folder, _ = lecture(home / "sessions")
    for _ in range(2):
        result = withdraw(student=student)
        assert result.exit_code == 1
        (line,) = sentences(result)
        assert "engage consent student 'Birds 101' heron --seat" in line
        assert "--session FOLDER --number N" in line
        assert all(max(blue(folder / "annotated.mp4", one)) == 0 for one in (1, 2, 3))
        assert students(folder) == {1, 2, 3}
        assert done() == [False]
    with Registry.open() as registry:
        registry.students.enter(COURSE, student, seat=SEAT)
    assert withdraw(student=student).exit_code == 0
    assert students(folder) == {1, 3}
    assert done() == [True]


def test_one_number_after_another(home):
    student = forget_the_seat()
    first, _ = lecture(home / "sessions", "first")
    second, _ = lecture(home / "sessions", "second", course=None)
    third, _ = lecture(home / "sessions", "third")
    for folder, number, code in ((first, 3, 1), (second, 1, 1), (third, 2, 0), (third, 2, 0)):
        before = contents(third)
        result = withdraw("--session", folder, "--number", number, student=student)
        assert result.exit_code == code, result.output
        assert folder == third or contents(third) == before, "the others are left as they are"
    assert (students(first), students(second), students(third)) == ({1, 2}, {2, 3}, {1, 3})
    assert done() == [True]


def test_a_picked_session_must_be_of_the_course(home):
    folder, _ = lecture(home / "sessions", course="Fish 101")
    before = contents(folder)
    result = withdraw("--session", folder, "--number", 1)
    assert result.exit_code == 2
    assert "'Fish 101'" in sentences(result)[0]
    assert contents(folder) == before


# From run to withdrawal


def test_a_run_notes_its_session_and_the_withdrawal_finds_it(home, monkeypatch):
    monkeypatch.setattr(pipeline.detect, "UltralyticsDetector", TwoStudents)
    clip = make_clip(home / "lecture.mp4", range(20), Fraction(1, 10), rate=10, size=(160, 120), noise=True)
    run = ["run", str(clip), "--out", str(home / "far away"), "--course", "birds 101"]
    assert CliRunner().invoke(engage.app, run).exit_code == 0
    with Registry.open() as registry:
        registry.students.enter(COURSE, "finch", seat=Zone(0, 0, 0.5, 1))
        (noted,) = registry.sessions.of_course(COURSE)
    assert students(noted.folder) == {1, 2}
    original = contents(home / "far away")
    result = withdraw("--originals", home, student="finch")
    assert result.exit_code in (0, 1)  # noise may pass for a face
    assert "made anew from lecture.mp4" in result.stdout
    assert len(students(noted.folder)) == 1
    assert contents(home / "far away").keys() == original.keys()
    assert done() == [True]
    assert CliRunner().invoke(engage.app, [*run, "--overwrite"]).exit_code in (0, 1)
    assert Session.open(noted.folder).manifest.counts.students == 1, "from now on the student is not counted"
    with Registry.open() as registry:
        assert len(registry.sessions.of_course(COURSE)) == 1


def test_who_withdraws_while_a_lecture_is_analysed_is_not_forgotten(home, monkeypatch):
    conclude = pipeline.analyse.conclude

    def meanwhile(*given: Any, **more: Any) -> Analysis:
        assert withdraw().exit_code == 0  # finds no session yet
        return conclude(*given, **more)

    monkeypatch.setattr(pipeline.detect, "UltralyticsDetector", TwoStudents)
    monkeypatch.setattr(pipeline.analyse, "conclude", meanwhile)
    clip = make_clip(home / "lecture.mp4", range(5), Fraction(1, 10), rate=10, size=(160, 120))
    result = CliRunner().invoke(engage.app, ["run", str(clip), "--out", str(home / "far away"), "--course", COURSE])
    assert f"{STUDENT} withdrew while this lecture was analysed" in result.stderr
    assert "engage consent withdraw 'Birds 101' kestrel" in result.stderr
    with Registry.open() as registry:
        (noted,) = registry.sessions.of_course(COURSE)
        registry.students.enter(COURSE, STUDENT, seat=Zone(0, 0, 0.5, 1))
    assert students(noted.folder) == {1, 2}
    withdraw()
    assert len(students(noted.folder)) == 1


def test_without_a_course_and_in_the_demo_nothing_is_noted(home, monkeypatch):
    monkeypatch.setattr(pipeline.detect, "UltralyticsDetector", TwoStudents)
    clip = make_clip(home / "lecture.mp4", range(5), Fraction(1, 10), rate=10, size=(160, 120))
    assert CliRunner().invoke(engage.app, ["run", str(clip), "--approved-by", "Prof. Wren"]).exit_code == 0
    monkeypatch.setattr(engage, "DEMO", clip)
    assert CliRunner().invoke(engage.app, ["demo"]).exit_code == 0
    with Registry.open() as registry:
        assert registry.sessions.of_course(None) == ()
        assert registry.courses() == (COURSE,)


# Killed

AGAIN_AND_AGAIN = """
import os, sys
import cv2, mediapipe, pandas, typst
import engage, pipeline.clearing, reports.report
print("ready", flush=True)
for _ in sys.stdin:
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            engage.app(["consent", "withdraw", *sys.argv[1:]])
        except SystemExit as end:
            os._exit(end.code or 0)
        os._exit(99)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def run_again(home) -> Iterator[Callable[[float | None], int]]:
    """``run_again(seconds)``: the command in a process of its own, killed after that time; returns its exit code.

    Every process begins with all imported, so that the kill falls into the work.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"}
    with subprocess.Popen(
        [sys.executable, "-c", AGAIN_AND_AGAIN, COURSE, STUDENT],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
    ) as parent:  # fmt: skip
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"

        def run(seconds: float | None) -> int:
            parent.stdin.write("\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            if seconds is not None:
                time.sleep(seconds)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            return int(parent.stdout.readline())

        yield run
        parent.stdin.close()


def assert_gone(out: Path, others: dict[str, bytes]) -> None:
    """Nothing below the folder of sessions holds the student, and the rest is whole."""
    assert sorted(path.name for path in out.iterdir()) == ["birds", "fish"]
    session = Session.open(out / "birds")
    for table in (session.observations, session.states, session.events, session.engagement):
        assert 2 not in set(table["student"].dropna())
        assert {1, 3} <= set(table["student"].dropna())
    assert max(blue(session.video, 2)) == 0
    assert min(*blue(session.video, 1), *blue(session.video, 3)) > 0.9
    with pymupdf.open(session.report) as document:
        words = [line.strip() for page in document for line in page.get_text().splitlines()]
    assert "3 students" not in words
    assert {path.name for path in session.folder.iterdir()} == {*others, "audit.json"}
    assert session.manifest.withdrawals == ["withdrawal-1"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_ten_moments_the_second_run_ends_it_right(tmp_path, home, run_again):
    made = tmp_path / "made"
    lecture(made, "birds")
    lecture(made, "fish", course="Fish 101")
    files = {path.name: path.read_bytes() for path in (made / "birds").iterdir()}
    untouched = contents(made / "fish")
    records = home / "consent.sqlite"
    before = records.read_bytes()
    out = home / "sessions"

    def begin_anew() -> None:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(made, out)
        for path in home.glob("consent.sqlite*"):
            path.unlink()
        records.write_bytes(before)

    begin_anew()
    begun = time.monotonic()
    assert run_again(None) == 0
    whole = time.monotonic() - begun
    assert_gone(out, files)

    rng, killed, found = random.Random(2026), 0, set()
    for _ in range(10):
        begin_anew()
        killed += run_again(rng.uniform(0, whole)) == -signal.SIGKILL
        found |= {path.name for path in out.iterdir()}
        result = withdraw()
        assert result.exit_code == 0, result.output
        assert_gone(out, files)
        assert {name: content for name, (_, content) in contents(out / "fish").items()} == {
            name: content for name, (_, content) in untouched.items()
        }
        assert done() == [True]
        settled = contents(out)
        assert withdraw().exit_code == 0
        assert contents(out) == settled
    assert killed >= 5, "the kills came while it worked"
    assert "birds.partial" in found
