"""One lecture of a batch: what cannot begin, processes that fail, die or are stopped, then sessions here and elsewhere.

A stand-in takes the place of ``engage run`` (``tests/standin.py``); the real one is in ``tests/test_engage_batch.py``.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from standin import TEMPLATE, calls, prepared, recording

import pipeline.lecture_run
from consent.registry import Registry
from pipeline.lecture_run import End, Job, Outcome, do
from pipeline.progress_file import Reached
from pipeline.remote import Place
from pipeline.session import MANIFEST, Session

WAIT_S = 60
COURSE = "Simulated course"


@pytest.fixture
def job(tmp_path: Path, make_session: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Job]:
    """``job("good", out=…)``: of a recording with this name, by the stand-in."""
    template = prepared(tmp_path, make_session(tmp_path / "made", students=2, seconds=6))
    monkeypatch.setattr(pipeline.lecture_run, "ENGAGE", template.with_name("standin_engage.py"))
    monkeypatch.setattr(pipeline.lecture_run, "POLL_S", 0.02)
    monkeypatch.setenv(TEMPLATE, str(template))
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")

    def make(name: str, content: str = "", **fields: object) -> Job:
        video = recording(tmp_path, name, content)
        whole = {"out": str(tmp_path / "out"), "work": str(tmp_path / "work")} | fields
        return Job(video=str(video), label=video.name, name=name, **whole)

    return make


def done(job: Job) -> Outcome:
    return do(job, lambda reached: None, threading.Event())


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def left(job: Job) -> list[str]:
    """What is left of a job in its work folder."""
    return sorted(path.name for path in Path(job.work).iterdir())


# what does not come to a session


def test_no_recording(job) -> None:
    gone = job("gone")
    Path(gone.video).unlink()
    outcome = done(gone)
    assert (outcome.end, outcome.code, outcome.session, outcome.minutes) == (End.FAILED, 2, None, None)
    assert "no such file" in outcome.reason


@pytest.mark.parametrize(
    ("name", "code", "words"), [("broken", 2, "not a readable video"), ("forbidden", 3, "approved")]
)
def test_what_the_process_refuses_is_not_tried_again(job, name: str, code: int, words: str) -> None:
    refused = job(name)
    outcome = done(refused)
    assert (outcome.end, outcome.code, outcome.tries) == (End.FAILED, code, 1)
    assert words in outcome.reason
    assert calls(Path(refused.video)) == 1
    assert left(refused) == []


def test_a_crash_is_said_and_its_words_are_kept(job) -> None:
    crash = job("crash")
    outcome = done(crash)
    assert (outcome.end, outcome.code, outcome.tries) == (End.FAILED, 1, 1)
    assert "ended unexpectedly (code 1)" in outcome.reason
    assert left(crash) == ["crash.log"]
    assert "Traceback: oh no" in (Path(crash.work) / "crash.log").read_text()


def test_one_that_always_dies_is_given_up(job) -> None:
    dies = job("dies_always", retries=1)
    outcome = done(dies)
    assert (outcome.end, outcome.code, outcome.tries) == (End.FAILED, 1, 2)
    assert "killed 2 time(s) (signal 9)" in outcome.reason
    assert calls(Path(dies.video)) == 2


def test_one_that_stands_still_is_ended_and_given_up(job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.lecture_run, "STANDSTILL_S", 1.0)
    slow = job("slow", retries=1)
    outcome = done(slow)
    assert (outcome.end, outcome.code, outcome.tries) == (End.FAILED, 1, 2)
    assert "nothing came of it" in outcome.reason
    assert "2 time(s)" in outcome.reason
    assert left(slow) == []


def test_a_target_that_cannot_be_written_is_one_sentence(job, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = done(job("good", out=f"file://{tmp_path}/file/below"))
    assert (outcome.end, outcome.code) == (End.FAILED, 1)
    assert "cannot be" in outcome.reason


def test_an_address_without_the_recording(job) -> None:
    outcome = done(replace(job("good"), video=f"memory://{uuid.uuid4().hex}/good.mp4"))
    assert (outcome.end, outcome.code, outcome.tries) == (End.FAILED, 2, 0)
    assert "no such file" in outcome.reason


# stopped and killed


def test_a_stop_ends_the_process_politely(job) -> None:
    slow, stop, heard = job("slow"), threading.Event(), []
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(do(slow, heard.append, stop)))
    thread.start()
    until(lambda: heard and Path(slow.video).with_suffix(".at_work").exists())
    stop.set()
    thread.join(WAIT_S)
    assert [(one.end, one.reason, one.code) for one in outcomes] == [(End.STOPPED, "what was analysed is kept", 1)]
    assert heard[0] == Reached("Analyse", 3, 12, 1.5)
    assert calls(Path(slow.video)) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_is_killed_by_somebody_else_is_done_again(job, number: int) -> None:
    slow, stop = job("slow"), threading.Event()
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(do(slow, lambda reached: None, stop)))
    thread.start()
    at_work = Path(slow.video).with_suffix(".at_work")
    until(lambda: at_work.exists() and at_work.read_text())
    os.kill(int(at_work.read_text()), number)
    Path(slow.video).with_suffix(".go").touch()
    thread.join(WAIT_S)
    assert [one.end for one in outcomes] == [End.DONE]


# sessions


def test_a_good_one(job, tmp_path: Path) -> None:
    outcome = done(job("good", words=("--imgsz", "320"), given={"--seat-map": ("seats.json", b"{}")}))
    assert (outcome.end, outcome.code, outcome.reason, outcome.tries) == (End.DONE, 0, "", 1)
    assert (outcome.session, outcome.minutes) == (str(tmp_path / "out/good"), 0.1)
    assert Session.open(tmp_path / "out/good").manifest.id == "good"
    (words,) = map(json.loads, (tmp_path / "good.calls").read_text().splitlines())
    assert words[words.index("--imgsz") + 1] == "320"
    assert words[words.index("--seat-map") + 1].endswith("seats.json")
    assert not {"--known", "--overwrite"} & set(words)
    assert left(job("good")) == []


def test_one_that_dies_once_is_done_again(job) -> None:
    outcome = done(job("dies"))
    assert (outcome.end, outcome.tries) == (End.DONE, 2)


def test_one_to_look_at_is_whole_but_has_a_code(job) -> None:
    outcome = done(job("review"))
    assert (outcome.end, outcome.code, outcome.reason) == (End.REVIEW, 1, "a face shows")
    assert outcome.end.whole


@pytest.mark.parametrize("kind", ["folder", "memory", "file"])
def test_whole_ones_are_skipped_others_are_not_replaced_unless_asked(job, kind: str, tmp_path: Path) -> None:
    place = {"memory": f"memory://{uuid.uuid4().hex}", "file": f"file://{tmp_path}/far", "folder": f"{tmp_path}/out"}
    one = job("good", out=place[kind])
    assert [done(one).end for _ in range(3)] == [End.DONE, End.SKIPPED, End.SKIPPED]
    outcome = done(one)
    assert (outcome.code, outcome.session, outcome.minutes) == (0, f"{place[kind]}/good", 0.1)
    other = job("good", "another recording", out=place[kind])
    assert done(other).end is End.FAILED
    assert done(replace(other, overwrite=True)).end is End.DONE
    assert [done(other).end, done(replace(other, overwrite=True)).end] == [End.SKIPPED, End.DONE]
    if kind != "folder":
        assert left(one) == []
        stored = json.loads(Place(place[kind]).read(f"good/{MANIFEST}") or b"")
        assert stored["asked"] == "another recording"


def test_a_session_that_was_made_but_not_sent_is_sent(job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = job("good", out=f"memory://{uuid.uuid4().hex}")
    with monkeypatch.context() as patch:
        patch.setattr(Place, "send", lambda *_: (_ for _ in ()).throw(OSError(5, "the line is down")))
        outcome = done(one)
    assert (outcome.end, outcome.code) == (End.FAILED, 1)
    assert "the line is down" in outcome.reason
    assert left(one) == ["good"]
    made = Session.open(Path(one.work) / "good").manifest.created
    assert done(one).end is End.SKIPPED  # nothing was analysed
    assert json.loads(Place(one.out).read(f"good/{MANIFEST}") or b"")["created"] == made
    assert left(one) == []


def test_what_is_left_of_one_that_was_sent_does_not_stop_the_next(job) -> None:
    one = job("good", out=f"memory://{uuid.uuid4().hex}")
    half = Path(one.work) / "good"
    half.mkdir(parents=True)
    (half / "states.parquet").touch()
    assert done(one).end is End.DONE


def test_the_registry_knows_where_a_sent_session_lies(job, tmp_path: Path) -> None:
    far = f"memory://{uuid.uuid4().hex}"
    for root, place in ((far, f"{far}/good"), (f"file://{tmp_path}/far", f"{tmp_path}/far/good")):
        assert done(job("good", out=root)).end is End.DONE
        with Registry.open() as registry:
            noted = registry.sessions.of_course(COURSE)[-1]
        assert noted.place == place
        assert (noted.name, noted.whole) == ("good", True)


def test_a_recording_at_an_address_is_fetched_and_goes_again(job) -> None:
    one = job("good")
    root = f"memory://{uuid.uuid4().hex}"
    fsspec.filesystem("memory").pipe(f"{root}/good.mp4", b"good")
    outcome = done(replace(one, video=f"{root}/good.mp4", given={}))
    assert (outcome.end, outcome.reason) == (End.DONE, "")
    assert left(one) == []
