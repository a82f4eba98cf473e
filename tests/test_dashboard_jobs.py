"""The queue of background work: nothing to do, then laws of the queue, then real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from dashboard import jobs, library, runner
from dashboard.jobs import Job, JobState, Queue
from pipeline.progress_file import Reached
from pipeline.said import unforeseen

WAIT_S = 120

FAKE = """
import os, pathlib, signal, sys, time
path = pathlib.Path(os.environ["ENGAGE_PROGRESS_FILE"])
kind, *words = sys.argv[1:]
if kind == "say":
    print(words[0], flush=True)
    sys.exit(int(words[1]))
if kind == "mark":
    with open(words[0], "a") as file:
        file.write(f"begin {words[1]}\\n")
        file.flush()
        time.sleep(0.3)
        file.write(f"end {words[1]}\\n")
if kind == "wait":
    path.write_text('{"stage": "Analyse", "done": 3, "total": 12, "seconds": 1.5}')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: never shown"))
    pathlib.Path(words[0]).touch()
    time.sleep(600)
"""
"""Stands in for ``engage``: does what its first argument says, as quickly as it can."""


@pytest.fixture
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A sessions folder in which a quick program is run instead of ``engage``; nothing is left running."""
    folder = tmp_path / "sessions"
    monkeypatch.setenv(library.FOLDER_VARIABLE, str(folder))
    yield folder
    queue = Queue(folder)
    for job in queue.jobs():
        queue.stop(job.id)
    until(lambda: all(job.state.ended for job in queue.jobs()) or queue.idle())
    until(queue.idle)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "fake.py"
    program.write_text(FAKE)
    monkeypatch.setattr(runner, "ENGAGE", program)
    return program


@pytest.fixture
def worker(sessions: Path, fake: Path) -> Callable[[], subprocess.Popen]:
    """Starts a worker as the server does, but with the quick program."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import pathlib; from dashboard import runner\n"
        "runner.ENGAGE = pathlib.Path(sys.argv[2]); runner.work(pathlib.Path(sys.argv[3]))\n"
    )
    root = str(Path(__file__).parents[1])
    return lambda: subprocess.Popen([sys.executable, "-c", code, root, str(fake), str(sessions)])


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def only(queue: Queue) -> Job:
    (job,) = queue.jobs()
    return job


# Nothing to do


def test_a_folder_without_a_queue_stays_as_it_is(sessions: Path) -> None:
    assert jobs.listed() == []
    assert not sessions.exists()


def test_a_worker_with_nothing_to_do_ends(sessions: Path, fake: Path) -> None:
    queue = Queue(sessions)
    queue.add(["say", "x", "0"], "cancelled before")
    queue.stop(only(queue).id)
    runner.work(sessions)
    assert only(queue).state is JobState.CANCELLED
    assert not queue.log(only(queue).id).exists()


def test_stopping_what_has_ended_or_never_was_changes_nothing(sessions: Path) -> None:
    queue = Queue(sessions)
    job = queue.add(["say"], "a job")
    queue.end(job.id, JobState.DONE)
    queue.stop(job.id)
    queue.stop(99)
    assert only(queue).state is JobState.DONE
    assert not only(queue).stopping


# How a job ends


@pytest.mark.parametrize(
    ("printed", "code", "state", "message"),
    [
        ("", 0, JobState.DONE, ""),
        ("error: a.mp4: no video stream", 0, JobState.DONE, ""),
        ("error: a.mp4: no video stream", 2, JobState.FAILED, "a.mp4: no video stream"),
        ("one\nerror: course 'x': no approval\n", 3, JobState.FAILED, "course 'x': no approval"),
        ("needs review: a face shows", 1, JobState.REVIEW, "a face shows"),
        ("left to do: run again", 1, JobState.REVIEW, "run again"),
        ("needs review: a face\nerror: the disk is full", 1, JobState.FAILED, "the disk is full"),
        ("Traceback\nKeyError: 'x'", 1, JobState.FAILED, unforeseen(1, "KeyError: 'x'")),
        ("", 1, JobState.FAILED, unforeseen(1, "nothing")),
    ],
)
def test_the_sentence_of_a_job_is_what_engage_said(sessions, fake, printed, code, state, message) -> None:
    queue = Queue(sessions)
    queue.add(["say", printed, str(code)], "a job", course="CS 101", session="s")
    runner.work(sessions)
    job = only(queue)
    assert (job.state, job.message) == (state, message)
    assert job.ended is not None
    assert (job.course, job.session) == ("CS 101", "s")


def test_engage_itself_says_why_it_fails(sessions: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video")
    queue = Queue(sessions)
    queue.add(["run", str(tmp_path / "notes.mp4"), "--approved-by=me", "--out", str(sessions)], "notes")
    runner.work(sessions)
    assert only(queue).state is JobState.FAILED
    assert only(queue).message.startswith("notes.mp4: ")
    assert "\n" not in only(queue).message


def test_words_are_arguments_and_no_shell_reads_them(sessions: Path, fake: Path, tmp_path: Path) -> None:
    queue = Queue(sessions)
    words = f"error: $(touch {tmp_path}/injected); `touch {tmp_path}/injected` & \u202e\U0001f600"
    queue.add(["say", words, "1"], words)
    runner.work(sessions)
    assert only(queue).message == words[len("error: ") :]
    assert not (tmp_path / "injected").exists()


# The order of work


def test_jobs_are_done_one_at_a_time_in_order_by_however_many_workers(sessions, worker, tmp_path) -> None:
    queue = Queue(sessions)
    marks = tmp_path / "marks"
    for number in range(4):
        queue.add(["mark", str(marks), str(number)], f"job {number}")
    workers = [worker() for _ in range(3)]
    assert [one.wait(WAIT_S) for one in workers] == [0, 0, 0]
    assert marks.read_text().split("\n")[:-1] == [
        f"{edge} {number}" for number in range(4) for edge in ("begin", "end")
    ]
    assert [job.state for job in queue.jobs()] == [JobState.DONE] * 4


def test_what_is_to_be_done_is_listed_first_and_what_ended_newest_first(sessions: Path) -> None:
    queue = Queue(sessions)
    ids = [queue.add(["say"], str(number)).id for number in range(5)]
    queue.end(ids[0], JobState.DONE)
    queue.end(ids[1], JobState.FAILED, "no")
    assert queue.take().id == ids[2]
    assert [job.id for job in queue.jobs()] == [ids[2], ids[3], ids[4], ids[1], ids[0]]


def test_the_oldest_jobs_are_forgotten_with_what_they_printed(sessions: Path, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "KEPT", 2)
    queue = Queue(sessions)
    for number in range(4):
        job = queue.add(["say"], str(number))
        queue.log(job.id).write_text("printed")
        queue.end(job.id, JobState.DONE)
    assert [job.title for job in queue.jobs()] == ["3", "2"]
    assert sorted(path.stem for path in queue.folder.glob("*.log")) == ["3", "4"]


# Pages that come and go


def test_a_job_goes_on_when_the_server_ends_and_another_tab_cancels_it(sessions, worker, tmp_path) -> None:
    queue = Queue(sessions)
    begun = tmp_path / "begun"
    job = queue.add(["wait", str(begun)], "a long one")
    later = queue.add(["say", "x", "0"], "the next")
    working = worker()
    until(begun.exists)
    # Another tab, or the server after a restart, knows nothing but the folder.
    seen = Queue(sessions).jobs()[0]
    assert (seen.state, seen.progress) == (JobState.RUNNING, Reached("Analyse", 3, 12, 1.5))
    jobs.cancel(job.id)
    assert Queue(sessions).jobs()[0].stopping
    assert working.wait(WAIT_S) == 0
    ended = {one.id: one for one in queue.jobs()}
    assert (ended[job.id].state, ended[job.id].message) == (JobState.CANCELLED, "")
    assert ended[later.id].state is JobState.DONE
    assert not queue.progress(job.id).exists()


def test_the_work_outlives_the_process_that_submitted_it(sessions: Path, tmp_path: Path) -> None:
    """A server that submits and dies at once, with Ctrl-C to its whole group."""
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1])\n"
        "from dashboard import jobs\n"
        "jobs.submit(['info'], 'about this installation')\n"
        "os.killpg(0, signal.SIGINT)\n"
    )
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, library.FOLDER_VARIABLE: str(sessions)}
    server = subprocess.run(
        [sys.executable, "-c", code, root], env=environment, start_new_session=True, check=False, capture_output=True
    )
    assert server.returncode == -signal.SIGINT
    queue = Queue(sessions)
    until(lambda: only(queue).state.ended)
    assert only(queue).state is JobState.DONE
    assert "streamlit" in queue.log(only(queue).id).read_text()


def test_a_worker_told_to_stop_ends_its_job_cleanly(sessions, worker, tmp_path) -> None:
    queue = Queue(sessions)
    begun = tmp_path / "begun"
    queue.add(["wait", str(begun)], "a long one")
    working = worker()
    until(begun.exists)
    working.terminate()
    assert working.wait(WAIT_S) == 0
    assert (only(queue).state, only(queue).message) == (JobState.FAILED, jobs.INTERRUPTED)


def test_a_job_that_stands_still_is_ended_and_the_next_begins(sessions, fake, tmp_path, monkeypatch) -> None:
    queue = Queue(sessions)
    queue.add(["wait", str(tmp_path / "begun")], "a hung one")
    queue.add(["say", "x", "0"], "next")
    monkeypatch.setattr(runner, "STANDSTILL_S", 0.5)
    runner.work(sessions)
    found = {job.title: (job.state, job.message) for job in queue.jobs()}
    assert found == {"a hung one": (JobState.FAILED, runner.STOOD_STILL), "next": (JobState.DONE, "")}
    assert "nothing came of it" in runner.STOOD_STILL


def test_after_a_worker_was_killed_the_queue_goes_on(sessions: Path, fake: Path, monkeypatch) -> None:
    queue = Queue(sessions)
    lost, next_one = (queue.add(["say", "x", "0"], title) for title in ("lost", "next"))
    assert queue.take().id == lost.id  # and then its worker is gone
    started: list[Path] = []
    monkeypatch.setattr(runner, "start", started.append)
    assert [job.state for job in jobs.listed()] == [JobState.RUNNING, JobState.QUEUED]
    assert started == [sessions]
    runner.work(sessions)
    ended = {job.id: job for job in jobs.listed()}
    assert (ended[lost.id].state, ended[lost.id].message) == (JobState.FAILED, jobs.INTERRUPTED)
    assert ended[next_one.id].state is JobState.DONE
    assert started == [sessions]


def test_no_second_worker_is_started_while_one_works(sessions: Path, monkeypatch) -> None:
    queue = Queue(sessions)
    queue.add(["say", "x", "0"], "a job")
    started: list[Path] = []
    monkeypatch.setattr(runner, "start", started.append)
    with FileLock(queue.folder / "runner.lock"):
        jobs.listed()
        assert not queue.idle()
    assert started == []
    assert queue.idle()


# What was uploaded


@pytest.mark.parametrize("code", ["0", "2"])
def test_an_uploaded_file_is_deleted_when_its_job_ends(sessions: Path, fake: Path, code: str) -> None:
    queue = Queue(sessions)
    for name in ("mine", "other"):
        (queue.uploads / name).mkdir(parents=True)
        (queue.uploads / name / "lecture.mp4").touch()
    queue.add(["say", "x", code], "a job", upload="mine")
    runner.work(sessions)
    assert [folder.name for folder in queue.uploads.iterdir()] == ["other"]


def test_an_uploaded_file_is_deleted_when_its_waiting_job_is_cancelled(sessions: Path) -> None:
    queue = Queue(sessions)
    (queue.uploads / "mine").mkdir(parents=True)
    job = queue.add(["say", "x", "0"], "a job", upload="mine")
    queue.stop(job.id)
    assert not (queue.uploads / "mine").exists()


def test_a_file_left_by_somebody_who_went_away_is_deleted_a_day_later(sessions: Path, fake: Path) -> None:
    queue = Queue(sessions)
    for name in ("fresh", "old", "needed"):
        (queue.uploads / name).mkdir(parents=True)
        if name != "fresh":
            os.utime(queue.uploads / name, (0, 0))
    queue.add(["say"], "a job", upload="needed")
    queue.clear_uploads()
    assert sorted(folder.name for folder in queue.uploads.iterdir()) == ["fresh", "needed"]
