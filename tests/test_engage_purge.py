"""``engage purge`` and what ``engage run`` promises: nothing to do and refusals first, then laws, then sessions."""

from __future__ import annotations

import re
import signal
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import Result
from clips import make_clip
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st
from small_sessions import COURSE, FILES, LECTURE, contents, small_session
from test_engage import TwoStudents
from typer.testing import CliRunner

import engage
import pipeline.detect
from consent.policy import EVERY_RUN
from consent.registry import Registry
from consent.retention import Kind
from pipeline.purge import Purge
from pipeline.session import CORRECTIONS, MANIFEST, PARTS, REPORT, REVIEWS, VIDEO, Session
from pipeline.store import open_session

pytestmark = pytest.mark.usefixtures("few_steps")

DAY = date.fromisoformat(LECTURE)
TODAY = date.today()


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch) -> None:
    """A consent registry of its own, and a folder to work in that is not the project's."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{folder / 'consent.sqlite'}")
    monkeypatch.setenv("ENGAGE_CONSENT_KEY", Fernet.generate_key().decode())
    monkeypatch.setattr(engage.console, "width", 1000)  # however long the paths of the tests are, no line is broken
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.chdir(folder)


@pytest.fixture
def course() -> str:
    """On record, with the periods of the example of a course file but for the tables."""
    with Registry.open() as registry:
        registry.approve(COURSE, "Dean", DAY, DAY + timedelta(100))
        registry.retention.set(COURSE, {Kind.RECORDING: 14, Kind.ANNOTATED_VIDEO: 90, Kind.FORMS: 20})
    return COURSE


def purge(*words: object) -> Result:
    return CliRunner().invoke(engage.app, ["purge", *map(str, words)])


def table(result: Result) -> list[list[str]]:
    """The cells of the table printed."""
    rows = [line for line in result.stdout.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]


# Nothing to do, and what is refused


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_where_nothing_is_there_nothing_is_done(words):
    result = purge(*words)
    assert result.exit_code == 0, result.output
    assert "nothing" in result.stdout
    assert not any(Path.cwd().glob("sessions*"))


def test_a_folder_that_is_none_is_refused(tmp_path):
    result = purge("--sessions", tmp_path / "sesions")
    assert result.exit_code == 2
    assert "sesions: is not a folder" in result.stderr


def test_a_day_to_come_is_only_for_looking(tmp_path, course):
    small_session(tmp_path, created=TODAY.isoformat())
    before = contents(tmp_path)
    later = TODAY + timedelta(91)
    result = purge("--sessions", tmp_path, "--on", later)
    assert result.exit_code == 2
    assert f"--on {later}: is a day to come" in result.stderr
    looked = purge("--sessions", tmp_path, "--on", later, "--dry-run")
    assert ["demo", "annotated video", str(TODAY + timedelta(90)), "would be deleted"] in table(looked)
    assert contents(tmp_path) == before


def test_without_an_end_date_nothing_is_deleted_and_that_is_said(tmp_path):
    small_session(tmp_path)
    before = contents(tmp_path)
    result = purge("--sessions", tmp_path)
    assert result.exit_code == 0
    assert "1 session(s) hold data without an end date, such as demo; set one with: engage consent retain" in re.sub(
        r"\s+", " ", result.stdout
    )
    assert contents(tmp_path) == before


def test_one_session_that_cannot_be_purged_stops_no_other(tmp_path, course):
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / MANIFEST).write_text("{")
    small_session(tmp_path, "busy")
    small_session(tmp_path, "whole")
    with open_session(tmp_path, "busy", overwrite=True):
        result = purge("--sessions", tmp_path)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 2
    assert "torn" in result.stderr
    assert "busy: another run is writing this session" in result.stderr
    assert (tmp_path / "busy" / VIDEO).is_file()
    assert not (tmp_path / "whole" / VIDEO).exists()


# Laws


days_kept = st.dictionaries(st.sampled_from(Kind), st.integers(0, 40))


def made(folder: Path, registry: Registry, before: dict, now: dict) -> None:
    """Two sessions: one promised ``before``, one with nothing promised; then the periods of ``now``."""
    ends = {kind.value: str(DAY + timedelta(days)) for kind, days in before.items() if kind is not Kind.FORMS}
    small_session(folder, "promised", delete_after=ends)
    small_session(folder, "older")
    registry.approve(COURSE, "Dean", DAY, DAY)
    registry.students.enter(COURSE, "heron", "Ada Byron")
    if now:
        registry.retention.set(COURSE, now)


@settings(max_examples=25)
@given(days_kept, days_kept, st.integers(0, 45))
def test_nothing_goes_before_its_day_and_a_second_purge_finds_nothing(before, now, after):
    day = DAY + timedelta(after)
    with tempfile.TemporaryDirectory() as name, Registry.open(f"sqlite:///{name}/consent.sqlite") as registry:
        folder = Path(name) / "sessions"
        made(folder, registry, before, now)
        untouched, head = contents(folder), registry.verify()
        dry = Purge(registry, day, TODAY, dry_run=True)
        dry.courses()
        dry.folders([folder])
        assert contents(folder) == untouched
        assert registry.verify() == head
        real = Purge(registry, day, TODAY, dry_run=False)
        real.courses()
        real.folders([folder])
        assert not real.problems
        assert [(row.of, row.data, row.until, row.done.replace("would be ", "")) for row in dry.rows] == [
            (row.of, row.data, row.until, row.done) for row in real.rows
        ]
        for session, promised in (("promised", before), ("older", {})):
            kept = {kind: min(days[kind] for days in (promised, now) if kind in days) for kind in {**promised, **now}}
            over = {
                kind for kind in PARTS if kind in kept and (after > kept[kind] or (now.get(kind) == 0 == kept[kind]))
            }
            gone = {name for kind in over for name in PARTS[kind]}
            left = {MANIFEST, *FILES} - gone if len(over) < len(PARTS) else set()
            found = {path.name for path in (folder / session).glob("*")}
            assert found == left
        (student,) = registry.students.on_record(COURSE)
        assert student.named == (Kind.FORMS not in now or after <= now[Kind.FORMS])
        once, head = contents(folder), registry.verify()
        again = Purge(registry, day, TODAY, dry_run=False)
        again.courses()
        again.folders([folder])
        assert {row.data for row in again.rows} <= {"recording"}
        assert (contents(folder), registry.verify()) == (once, head)


# What is kept where


def test_the_last_day_is_still_kept(tmp_path, course):
    folder = small_session(tmp_path)
    last = DAY + timedelta(90)
    purge("--sessions", tmp_path, "--on", last)
    assert (folder / VIDEO).is_file()
    result = purge("--sessions", tmp_path, "--on", last + timedelta(1))
    assert ["demo", "annotated video", str(last), "deleted"] in table(result)
    assert not (folder / VIDEO).exists()
    assert Session.open(folder).manifest.purged == {Kind.ANNOTATED_VIDEO: TODAY}


def test_the_recording_is_never_deleted_but_its_end_is_said(tmp_path, course):
    small_session(tmp_path)
    recording = tmp_path / "demo.mov"
    recording.write_text("a lecture")
    first = purge("--sessions", tmp_path)
    assert f"delete the recording demo.mov yourself (kept until {DAY + timedelta(14)})" in first.stdout
    with Registry.open() as registry:
        registry.retention.set(COURSE, {Kind.TABLES: 90, Kind.RECORDING: 10_000})
    assert "delete the recording" not in purge("--sessions", tmp_path, "--on", DAY).stdout
    small_session(tmp_path, "other")
    last = purge("--sessions", tmp_path)
    assert "delete the recording other.mov yourself after" in last.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["demo.mov"]
    assert recording.read_text() == "a lecture"


def test_a_session_noted_elsewhere_is_found_and_its_note_ended(tmp_path, course):
    with Registry.open() as registry:
        registry.retention.set(COURSE, {Kind.TABLES: 0})
        for name in ("far", "lost"):
            folder = small_session(tmp_path / "far away", name)
            registry.sessions.note(COURSE, name, f"{LECTURE}T10:15:00Z", folder)
        folder.rename(tmp_path / "moved")
    result = purge()
    assert result.exit_code == 0, result.output
    assert "1 noted session(s) are not at their place" in result.stdout
    assert not (tmp_path / "far away" / "far").exists()
    with Registry.open() as registry:
        assert [one.name for one in registry.sessions.of_course(COURSE)] == ["lost"]
    result = purge("--sessions", tmp_path)
    assert "not at their place" not in result.stdout
    with Registry.open() as registry:
        assert registry.sessions.of_course(COURSE) == ()
        registry.verify()


def test_names_are_forgotten_after_the_forms_end_and_decisions_stay(course):
    with Registry.open() as registry:
        registry.students.decide(COURSE, "heron", EVERY_RUN, True, "3f9a01c2")
        registry.students.enter(COURSE, "heron", "Ada Byron")
    last = DAY + timedelta(120)
    purge("--on", last)
    with Registry.open() as registry:
        assert registry.students.name(COURSE, "heron") == "Ada Byron"
    would = purge("--on", last + timedelta(1), "--dry-run")
    assert [COURSE, "names of 1 student(s)", str(last), "would be forgotten"] in table(would)
    with Registry.open() as registry:
        assert registry.students.name(COURSE, "heron") == "Ada Byron"
    did = purge("--on", last + timedelta(1))
    assert [COURSE, "names of 1 student(s)", str(last), "forgotten"] in table(did)
    assert "Ada" not in did.output
    with Registry.open() as registry:
        assert registry.students.name(COURSE, "heron") is None
        assert len(registry.students.on_record(COURSE)[0].decisions) == len(EVERY_RUN)
        registry.verify()


# Sessions of which something is gone


@pytest.mark.parametrize(
    ("kind", "command", "file"),
    [
        (Kind.TABLES, "report", "states.parquet"),
        (Kind.ANNOTATED_VIDEO, "audit", VIDEO),
    ],
)
def test_what_needs_something_deleted_says_when_it_went(tmp_path, make_session, kind, command, file):
    folder = make_session(tmp_path, delete_after={kind.value: "2025-05-01"})
    assert purge("--sessions", tmp_path).exit_code == 0
    before = contents(folder)
    result = CliRunner().invoke(engage.app, [command, str(folder)])
    assert result.exit_code == 2
    assert result.stderr.strip() == f"error: {folder}: {file} was deleted on {TODAY}, as promised to the students"
    assert contents(folder) == before


def test_the_video_can_be_checked_when_the_tables_are_gone(tmp_path, make_session):
    folder = make_session(tmp_path, blur="opted-out", delete_after={Kind.TABLES.value: "2025-05-01"})
    purge("--sessions", tmp_path)
    result = CliRunner().invoke(engage.app, ["audit", str(folder)])
    assert result.exit_code == 0, result.output
    assert not (folder / REPORT).exists()
    assert (folder / VIDEO).is_file()


# What a run promises


@pytest.fixture
def analyse(tmp_path, monkeypatch) -> Callable[..., Result]:
    """``engage run`` over a clip of 2 s, with a stand-in for the slow detector."""
    monkeypatch.setattr(pipeline.detect, "UltralyticsDetector", TwoStudents)
    clip = make_clip(tmp_path / "birds.mp4", range(20), Fraction(1, 10), rate=10, size=(160, 120), noise=True)
    before = signal.getsignal(signal.SIGTERM)

    def run(*words: object) -> Result:
        asked = ["run", str(clip), "--blur", "everyone", "--out", str(tmp_path / "out"), *map(str, words)]
        return CliRunner().invoke(engage.app, asked)

    yield run
    signal.signal(signal.SIGTERM, before)


def test_a_lecture_to_come_is_not_analysed(analyse, tmp_path):
    result = analyse("--approved-by", "Dean", "--lecture-day", TODAY + timedelta(1))
    assert result.exit_code == 2
    assert "--lecture-day" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_run_without_periods_says_how_to_set_them(analyse, tmp_path):
    with Registry.open() as registry:
        registry.approve("Art", "Dean", TODAY)
    result = analyse("--course", "Art")
    assert result.exit_code == 0, result.output
    assert "no end date on record; set one with: engage consent retain Art" in result.stdout
    manifest = Session.open(tmp_path / "out" / "Art_birds").manifest
    assert (manifest.delete_after, manifest.purged, manifest.lecture_day) == ({}, {}, TODAY)


def test_a_run_promises_and_the_session_holds_nothing_of_the_recording(analyse, tmp_path):
    with Registry.open() as registry:
        registry.approve(COURSE, "Dean", TODAY)
        registry.retention.set(COURSE, {Kind.ANNOTATED_VIDEO: 3, Kind.TABLES: 5, Kind.RECORDING: 0, Kind.FORMS: 9})
    held = TODAY - timedelta(2)
    result = analyse("--course", COURSE, "--lecture-day", held)
    assert result.exit_code == 0, result.output
    assert f"annotated video {held + timedelta(3)}, tables and report {held + timedelta(5)}" in result.stdout
    folder = tmp_path / "out" / "CS-101_birds"
    assert Session.open(folder).manifest.delete_after == {
        Kind.RECORDING: held - timedelta(1),
        Kind.ANNOTATED_VIDEO: held + timedelta(3),
        Kind.TABLES: held + timedelta(5),
    }
    assert sorted(path.name for path in folder.iterdir()) == sorted({MANIFEST, *FILES} - {CORRECTIONS, REVIEWS})
    assert [path.name for path in (tmp_path / "out").iterdir()] == [folder.name]
    raw = (tmp_path / "birds.mp4").read_bytes()
    packets = raw[len(raw) // 2 : len(raw) // 2 + 64]
    assert packets not in b"".join(path.read_bytes() for path in folder.iterdir())
    assert [path.name for path in folder.iterdir() if b"ftyp" in path.read_bytes()[:16]] == [VIDEO]
    again = analyse("--course", COURSE, "--overwrite")
    assert again.exit_code == 0, again.output
    assert Session.open(folder).manifest.lecture_day == held
