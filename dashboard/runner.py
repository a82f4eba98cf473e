"""Does the work of the queue, in a process that outlives the server: one ``engage`` command after another."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from enum import Enum
from pathlib import Path
from typing import Final

from filelock import Timeout

from dashboard.jobs import INTERRUPTED, Job, JobState, Queue
from pipeline import progress_file
from pipeline.progress_file import STANDSTILL_S
from pipeline.said import ERROR, LEFT_TO_DO, LONGEST, NEEDS_REVIEW, said, unforeseen

ENGAGE: Final = Path(__file__).parents[1] / "engage.py"

WAIT_S: Final = 10.0
"""How long a new worker waits for the one before it to let go."""
POLL_S: Final = 0.2
GRACE_S: Final = 60.0
"""Time for a job to end cleanly once it is asked to."""
STOOD_STILL: Final = (
    f"nothing came of it any more for {STANDSTILL_S / 60:.0f} minutes, and it was ended; start it again, an analysis"
    " goes on where it was"
)


def start(sessions: Path) -> None:
    """Begin to work in the background; where somebody works already this does nothing."""
    subprocess.Popen(
        [sys.executable, str(ENGAGE), "work", str(sessions.absolute())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the server's Ctrl-C is not meant for it
    )


def work(sessions: Path) -> None:
    """Do what is queued, then return; at once where another process does it."""
    queue = Queue(sessions)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with contextlib.suppress(Timeout), queue.lock.acquire(timeout=WAIT_S):
        queue.end_abandoned()
        queue.clear_uploads()
        while not stop.is_set() and (job := queue.take()) is not None:
            queue.end(job.id, *_done(queue, job, stop))


def _done(queue: Queue, job: Job, stop: threading.Event) -> tuple[JobState, str]:
    """Run a job to its end; how it ended, and its sentence."""
    environment = {**os.environ, progress_file.VARIABLE: str(queue.progress(job.id))}
    log = queue.log(job.id)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, str(ENGAGE), *job.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        why = _wait(child, queue, job.id, stop)
    if child.returncode == 0:
        return JobState.DONE, ""
    if why is _Why.STOOD_STILL:
        return JobState.FAILED, STOOD_STILL
    if why is _Why.ASKED:
        return (JobState.FAILED, INTERRUPTED) if stop.is_set() else (JobState.CANCELLED, "")
    return outcome(child.returncode, log.read_text(encoding="utf-8", errors="replace"))


class _Why(Enum):
    """Why a child ended."""

    BY_ITSELF = "by itself"
    ASKED = "asked"
    STOOD_STILL = "stood still"


def _wait(child: subprocess.Popen[bytes], queue: Queue, job: int, stop: threading.Event) -> _Why:
    """Wait for the end, or make it."""
    why, asked_at = _Why.BY_ITSELF, 0.0
    stands_still = progress_file.Standstill(STANDSTILL_S)
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(POLL_S)
            return why
        if why is _Why.BY_ITSELF and (stop.is_set() or queue.stopping(job)):
            child.terminate()
            why, asked_at = _Why.ASKED, time.monotonic()
        elif why is _Why.ASKED and time.monotonic() - asked_at > GRACE_S:
            child.kill()
        elif why is _Why.BY_ITSELF and stands_still(progress_file.read(queue.progress(job))):
            child.kill()
            why = _Why.STOOD_STILL


def outcome(code: int, printed: str) -> tuple[JobState, str]:
    """What an ``engage`` that ended with a code other than 0 came to: its state and sentence."""
    sentences = said(printed)
    if wrong := [sentence for kind, sentence in sentences if kind == ERROR]:
        return JobState.FAILED, wrong[-1][:LONGEST]
    if (look := [one for kind, one in sentences if kind in (NEEDS_REVIEW, LEFT_TO_DO)]) and code == 1:
        return JobState.REVIEW, " ".join(look)[:LONGEST]  # what was asked for is there; somebody has to look
    return JobState.FAILED, unforeseen(code, printed)
