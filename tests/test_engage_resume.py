"""``engage run`` stopped and started again: politely, killed in each pass, and with something changed in between."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from test_engage import (
    COURSE,
    TwoStudents,
    approved,
    assert_one_sentence,
    assert_refused,
    is_empty,
    run,
)
from test_engage import clips as clips
from test_engage import home as home
from typer.testing import CliRunner

import engage
import pipeline.detect
from benchmarks.loops import loop_clip
from benchmarks.resume import Runs, differences
from consent.policy import EVERY_RUN, Zone
from consent.registry import Registry
from dashboard.library import load
from pipeline.detect import Detections
from pipeline.encode import VideoWriter
from pipeline.session import Session, find_sessions
from pipeline.store import LOCK, PARTIAL, READINGS, open_session

pytestmark = pytest.mark.usefixtures("few_steps")

SEED = 11


class Counting(TwoStudents):
    """Counts the pictures that it is shown, and gives up after as many as it is told."""

    shown = 0
    patience = 10**9
    end: type[BaseException] = KeyboardInterrupt

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        if Counting.shown >= Counting.patience:
            raise Counting.end("given up")
        Counting.shown += len(images)
        return super().detect(images)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setattr(pipeline.detect, "UltralyticsDetector", Counting)
    monkeypatch.setattr(Counting, "shown", 0)
    monkeypatch.setattr(Counting, "patience", 10**9)
    monkeypatch.setattr(Counting, "end", KeyboardInterrupt)
    return Counting


@pytest.fixture
def second(tmp_path: Path) -> tuple[str, Path]:
    """Words that make a checkpoint after each second; ``good.mp4`` has three and 15 analysed frames."""
    path = tmp_path / "settings.yaml"
    path.write_text("checkpoint_s: 1\ndetect: {batch: 1}\n")
    return "--config", path


def interrupted(clips: Path, out: Path, *words: object, after: int = 12, more: str = "--approved-by=Prof. Wren"):
    """A run that is stopped when so many pictures have been looked at."""
    Counting.patience = after
    result = run(clips / "good.mp4", "--out", out, *words, more)
    Counting.shown, Counting.patience = 0, 10**9
    return result


# stopped politely


def test_a_stop_before_the_first_checkpoint_leaves_nothing(counting, clips, tmp_path, second):
    result = interrupted(clips, tmp_path / "out", *second, after=3)
    assert result.exit_code == 1
    assert_one_sentence(result.stderr, "nothing half-written is left", kind="stopped")
    assert is_empty(tmp_path / "out")


def test_a_stop_later_keeps_what_was_read_and_says_where(counting, clips, tmp_path, second):
    out = tmp_path / "out"
    result = interrupted(clips, out, *second)
    assert result.exit_code == 1
    kept = out / f"good{PARTIAL}"
    assert_one_sentence(
        result.stderr, "what was analysed is kept; run the same command to go on", f"delete {kept}", kind="stopped"
    )
    assert sorted(path.name for path in kept.iterdir() if path.name != LOCK) == [READINGS]
    assert sorted(path.name for path in (kept / READINGS).iterdir()) == ["00000.npz", "00001.npz"]
    assert list(find_sessions(out)) == []
    assert (load(out).sessions, load(out).broken) == ({}, {})
    assert approved(clips / "good.mp4", "--out", out, *second).exit_code == 0
    assert counting.shown == 4  # 11 of 15 had been read
    assert [path.name for path in out.iterdir()] == ["good"]
    assert READINGS not in [path.name for path in (out / "good").iterdir()]
    assert approved(clips / "good.mp4", "--out", tmp_path / "whole", *second).exit_code == 0
    assert differences(tmp_path / "whole" / "good", out / "good") == []


def test_a_full_disk_keeps_it_too_and_says_so(counting, clips, tmp_path, second, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(VideoWriter, "write", full)
        result = approved(clips / "good.mp4", "--out", tmp_path / "out", *second)
    assert_refused(result, 1, "the disk is full", "what was analysed is kept", str(tmp_path / "out" / f"good{PARTIAL}"))
    counting.shown = 0
    assert approved(clips / "good.mp4", "--out", tmp_path / "out", *second).exit_code == 0
    assert counting.shown == 0
    assert Session.open(tmp_path / "out" / "good").manifest.counts.frames == 30


def test_a_failure_nobody_foresaw_is_as_loud_as_ever(counting, clips, tmp_path, second):
    counting.end = ZeroDivisionError
    result = interrupted(clips, tmp_path / "out", *second)
    assert isinstance(result.exception, ZeroDivisionError)


# something changed in between


def reads_all_again(counting: type[Counting], clips: Path, out: Path, *words: object) -> None:
    result = run(clips / "good.mp4", "--out", out, *words)
    assert result.exit_code == 0, (result.output, result.exception)
    assert counting.shown == 15


@pytest.mark.parametrize("change", [("--rate", 5), ("--profile", "observable"), ("--blur", "everyone")])
def test_with_other_settings_or_another_cover_everything_is_read_again(counting, clips, tmp_path, second, change):
    words = (*second, "--approved-by", "me")
    interrupted(clips, tmp_path / "out", *second, more="--approved-by=me")
    result = run(clips / "good.mp4", "--out", tmp_path / "out", *words, *change)
    assert result.exit_code == 0
    assert counting.shown == (4 if change == ("--rate", 5) else 15)  # 5 is the default


def test_settings_of_what_is_made_of_the_readings_may_change(counting, clips, tmp_path, second):
    interrupted(clips, tmp_path / "out", *second)
    assert approved(clips / "good.mp4", "--out", tmp_path / "out", *second, "--cover", "pixelate").exit_code == 0
    assert counting.shown == 4


def test_readings_of_somebody_who_says_no_afterwards_are_not_used(counting, clips, tmp_path, second):
    with Registry.open() as registry:
        registry.approve(COURSE, "Dean", date.today())
    words = ("--course", COURSE, *second)
    interrupted(clips, tmp_path / "out", *words, more="--blur=opted-out")
    (kept,) = (tmp_path / "out").iterdir()
    before = (kept / READINGS / "00000.npz").read_bytes()
    with Registry.open() as registry:
        registry.students.enter(COURSE, "S1", seat=Zone(0.0, 0.0, 0.5, 1.0))
        registry.students.decide(COURSE, "S1", EVERY_RUN, False)
    reads_all_again(counting, clips, tmp_path / "out", *words)
    assert before
    assert list((tmp_path / "out").glob(f"*{PARTIAL}")) == []


def test_another_recording_of_that_name_is_read_from_its_beginning(counting, clips, tmp_path, second):
    interrupted(clips, tmp_path / "out", *second)
    other = tmp_path / "good.mp4"
    other.write_bytes((clips / "good.mp4").read_bytes() + b"\0" * 8)
    assert approved(other, "--out", tmp_path / "out", *second).exit_code == 0
    assert counting.shown == 15


def test_an_older_session_stays_until_the_new_one_is_whole(counting, clips, tmp_path, second):
    out = tmp_path / "out"
    assert approved(clips / "good.mp4", "--out", out, *second).exit_code == 0
    created = Session.open(out / "good").manifest.created
    counting.shown = 0
    interrupted(clips, out, *second, "--overwrite")
    assert Session.open(out / "good").manifest.created == created
    assert_refused(approved(clips / "good.mp4", "--out", out, *second), 2, "add --overwrite")
    assert (out / f"good{PARTIAL}" / READINGS).exists()  # who forgot a word loses nothing
    assert approved(clips / "good.mp4", "--out", out, *second, "--overwrite").exit_code == 0
    assert counting.shown == 4
    assert [path.name for path in out.iterdir()] == ["good"]


# two at once


def test_two_runs_of_one_lecture_do_not_share_readings(counting, clips, tmp_path, second):
    interrupted(clips, tmp_path, *second)
    with open_session(tmp_path, "good", overwrite=False, resume=True) as other:
        kept = sorted(path.name for path in other.readings.iterdir())
        assert_refused(
            approved(clips / "good.mp4", "--out", tmp_path, *second), 2, "another run is writing this session"
        )
        assert sorted(path.name for path in other.readings.iterdir()) == kept
    assert (tmp_path / f"good{PARTIAL}" / READINGS).exists()


# who withdraws, and what is past its day


def leave_readings(clips: Path, out: Path, second: tuple[str, Path]) -> Path:
    """What an interrupted first lecture of the course leaves."""
    with Registry.open() as registry:
        registry.approve(COURSE, "Dean", date.today())
        registry.students.enter(COURSE, "S1", seat=Zone(0.0, 0.0, 0.5, 1.0))
    interrupted(clips, out, "--course", COURSE, *second, more="--blur=opted-out")
    (kept,) = out.iterdir()
    assert (kept / READINGS).is_dir()
    return kept


def engaged(*words: object):
    return CliRunner().invoke(engage.app, [*map(str, words)])


def test_a_withdrawal_deletes_what_an_interrupted_run_left_wherever_it_is(counting, clips, tmp_path, second):
    kept = leave_readings(clips, tmp_path / "elsewhere", second)
    result = engaged("consent", "withdraw", COURSE, "S1")
    assert result.exit_code == 0, (result.output, result.exception)
    assert not kept.exists()
    assert "not there" not in result.output
    assert engaged("consent", "withdraw", COURSE, "S1").exit_code == 0


def test_so_does_a_purge(counting, clips, tmp_path, second, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sessions").mkdir()
    kept = leave_readings(clips, tmp_path / "elsewhere", second)
    said = engaged("purge", "--dry-run")
    assert kept.exists()
    assert "would be deleted" in said.output
    result = engaged("purge")
    assert result.exit_code == 0, (result.output, result.exception)
    assert not kept.exists()
    assert "not at their place" not in result.output


def test_a_run_that_ends_well_takes_the_place_of_its_beginning_on_record(counting, clips, tmp_path, second):
    leave_readings(clips, tmp_path / "out", second)
    with Registry.open() as registry:
        (begun,) = registry.sessions.of_course(COURSE)
        assert not begun.whole
    assert run(clips / "good.mp4", "--out", tmp_path / "out", "--course", COURSE, *second).exit_code == 0
    with Registry.open() as registry:
        (noted,) = registry.sessions.of_course(COURSE)
        assert noted.whole
        assert noted.folder == begun.folder


# killed


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        pytest.skip("runs are forked, as on POSIX")
    work = tmp_path / "runs"
    work.mkdir()
    clip = loop_clip(engage.DEMO, work / "clip.mp4", 6)
    return Runs(clip, work, 1.0, ("--imgsz", "320", "--rate", "4"))


@pytest.mark.slow
def test_killed_in_each_pass_the_session_is_that_of_an_undisturbed_run(runs: Runs):
    """One run, killed at a drawn moment of pass 1 and again in pass 2, with the real detector and readers."""
    rng = np.random.default_rng(SEED)
    runs.finish("whole")
    assert runs.kill("killed", pieces=1, wait_s=rng.uniform(0, 0.5))
    saved = runs.pieces("killed")
    assert saved
    assert not list(find_sessions(runs.work / "killed"))
    assert runs.kill("killed", pieces=None, wait_s=rng.uniform(0, 0.2))
    assert runs.pieces("killed") >= saved
    runs.finish("killed")
    assert differences(runs.session("whole"), runs.session("killed")) == []
    assert [path.name for path in (runs.work / "killed").iterdir()] == ["clip"]
