"""Background work: a queue of ``engage`` commands for each sessions folder, kept on disk.

A page only writes into the queue and reads it, so a reload, a second tab or a restart of the server changes nothing.
``dashboard.runner`` does the work, in a process of its own, one job at a time.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from dashboard import library
from pipeline.progress_file import Reached, read

FOLDER: Final = ".jobs"
"""Folder of the queue in the sessions folder; no session is ever called so."""

KEPT: Final = 50
"""Finished jobs on record, the newest ones."""

LEFT_S: Final = 24 * 3600.0
"""Age at which an uploaded file that no job reads is deleted."""

INTERRUPTED: Final = "it was interrupted from outside; start it again"

_TABLE: Final = """CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL, command TEXT NOT NULL, course TEXT, session TEXT, account TEXT, upload TEXT,
    state TEXT NOT NULL, stop INTEGER NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '',
    created TEXT NOT NULL, ended TEXT
)"""


class JobState(str, Enum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REVIEW = "review"
    """Finished, and it said that somebody has to look at something."""
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class Job:
    """One ``engage`` command of the queue.

    Attributes:
        id: number, ascending in the order of the queue.
        title: what people call it; words from outside may be in it.
        command: the arguments after ``engage``.
        course: whose job it is; only who sees the course sees the job.
        session: name of the session it makes or changes, if one.
        account: who asked for it; ``None`` for the person at this computer.
        upload: name of the folder with the uploaded file it reads, deleted when it ends.
        state: see ``JobState``.
        stopping: whether somebody cancelled it and it is about to end.
        message: one sentence: why it failed, or what is left to do.
        created: ISO 8601, UTC; so ``ended``, ``None`` before.
        progress: of the stage under way, ``None`` where nothing is known.
    """

    id: int
    title: str
    command: tuple[str, ...]
    course: str | None
    session: str | None
    account: str | None
    upload: str | None
    state: JobState
    stopping: bool
    message: str
    created: str
    ended: str | None
    progress: Reached | None = None


class Queue:
    """The queue of a sessions folder."""

    def __init__(self, sessions: Path) -> None:
        self.folder = sessions / FOLDER
        self.uploads = self.folder / "uploads"

    @property
    def lock(self) -> FileLock:
        """Held by whoever does the work, as long as it lives."""
        return FileLock(self.folder / "runner.lock", timeout=0)

    def log(self, job: int) -> Path:
        """What the job printed."""
        return self.folder / f"{job}.log"

    def progress(self, job: int) -> Path:
        """How far the job is, see ``pipeline.progress_file``."""
        return self.folder / f"{job}.progress"

    def add(
        self,
        command: Sequence[str],
        title: str,
        course: str | None = None,
        session: str | None = None,
        account: str | None = None,
        upload: str | None = None,
    ) -> Job:
        """Put a job at the end of the queue; see ``Job`` for the arguments."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        values = title, json.dumps(list(command)), course, session, account, upload, JobState.QUEUED.value, _now()
        with self._open(write=True) as database:
            columns = "title, command, course, session, account, upload, state, created"
            added = database.execute(f"INSERT INTO jobs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            row = database.execute("SELECT * FROM jobs WHERE id = ?", (added.lastrowid,)).fetchone()
        return self._job(row)

    def jobs(self) -> list[Job]:
        """All on record: what is under way and queued first, in order, then what ended, newest first."""
        if not self.folder.is_dir():
            return []
        with self._open() as database:
            found = [self._job(row) for row in database.execute("SELECT * FROM jobs ORDER BY id")]
        return [job for job in found if not job.state.ended] + [job for job in found[::-1] if job.state.ended]

    def take(self) -> Job | None:
        """Begin the next job, if one waits; only for whoever holds the lock."""
        with self._open(write=True) as database:
            wanted = "SELECT id FROM jobs WHERE state = ? ORDER BY id LIMIT 1"
            found = database.execute(wanted, (JobState.QUEUED.value,)).fetchone()
            if found is None:
                return None
            database.execute("UPDATE jobs SET state = ? WHERE id = ?", (JobState.RUNNING.value, found["id"]))
            return self._job(database.execute("SELECT * FROM jobs WHERE id = ?", (found["id"],)).fetchone())

    def stopping(self, job: int) -> bool:
        """Whether somebody wants the job to stop."""
        with self._open() as database:
            found = database.execute("SELECT stop FROM jobs WHERE id = ?", (job,)).fetchone()
        return found is None or bool(found["stop"])

    def stop(self, job: int) -> None:
        """Ask for a job to stop; one that waits is cancelled at once, one that ended stays as it is."""
        with self._open(write=True) as database:
            found = database.execute("SELECT state FROM jobs WHERE id = ?", (job,)).fetchone()
            waits = found is not None and found["state"] == JobState.QUEUED.value
            if waits:
                self._end(database, job, JobState.CANCELLED, "")
            else:
                database.execute("UPDATE jobs SET stop = 1 WHERE id = ?", (job,))

    def end(self, job: int, state: JobState, message: str = "") -> None:
        """Note how a job ended, delete what was uploaded for it, and forget the oldest ones."""
        with self._open(write=True) as database:
            self._end(database, job, state, message)
            over = "SELECT id FROM jobs WHERE ended IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?"
            old = [row["id"] for row in database.execute(over, (KEPT,))]
            database.executemany("DELETE FROM jobs WHERE id = ?", [(one,) for one in old])
        self.progress(job).unlink(missing_ok=True)
        for one in old:
            self.log(one).unlink(missing_ok=True)

    def _end(self, database: sqlite3.Connection, job: int, state: JobState, message: str) -> None:
        found = database.execute("SELECT upload FROM jobs WHERE id = ?", (job,)).fetchone()
        values = state.value, message, _now(), job
        database.execute("UPDATE jobs SET state = ?, message = ?, ended = ? WHERE id = ?", values)
        if found is not None and found["upload"] is not None:
            shutil.rmtree(self.uploads / found["upload"], ignore_errors=True)

    def clear_uploads(self) -> None:
        """Delete uploaded files that belong to no job and are a day old: whoever sent them went away."""
        needed = {job.upload for job in self.jobs() if not job.state.ended}
        for folder in self.uploads.glob("*"):
            if folder.name not in needed and time.time() - folder.stat().st_mtime > LEFT_S:
                shutil.rmtree(folder, ignore_errors=True)

    def end_abandoned(self) -> None:
        """Note that what was under way will not go on; only for whoever holds the lock."""
        for job in self.jobs():
            if job.state is JobState.RUNNING:
                self.end(job.id, JobState.FAILED, INTERRUPTED)

    def idle(self) -> bool:
        """Whether nobody does the work."""
        try:
            with self.lock:
                return True
        except Timeout:
            return False

    def _job(self, row: sqlite3.Row) -> Job:
        state = JobState(row["state"])
        return Job(
            id=row["id"],
            title=row["title"],
            command=tuple(json.loads(row["command"])),
            course=row["course"],
            session=row["session"],
            account=row["account"],
            upload=row["upload"],
            state=state,
            stopping=bool(row["stop"]) and not state.ended,
            message=row["message"],
            created=row["created"],
            ended=row["ended"],
            progress=read(self.progress(row["id"])) if state is JobState.RUNNING else None,
        )

    @contextlib.contextmanager
    def _open(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self.folder / "jobs.sqlite", timeout=30, isolation_level=None)
        try:
            database.row_factory = sqlite3.Row
            database.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                database.execute(_TABLE)
                yield database
                database.execute("COMMIT")
            except BaseException:
                database.execute("ROLLBACK")
                raise
        finally:
            database.close()


def submit(command: Sequence[str], title: str, **more: Any) -> Job:
    """Queue ``engage`` with these arguments; it begins as soon as what was queued before has ended.

    Args:
        command: the arguments after ``engage``, never a line for a shell. Words from outside must not be taken for
            options: write ``--course=WORDS``, and ``--`` before arguments that are words from outside.
        title: what people call it.
        more: ``course``, ``session``, ``account``, ``upload``, see ``Job``.
    """
    from dashboard.runner import start

    queue = Queue(library.folder())
    job = queue.add(command, title, **more)
    start(library.folder())
    return job


def listed() -> list[Job]:
    """All jobs: those to be done first, in order, then those that ended, newest first.

    Where nobody works although something is to be done (the computer was switched off), the work goes on.
    """
    from dashboard.runner import start

    queue = Queue(library.folder())
    found = queue.jobs()
    if any(not job.state.ended for job in found) and queue.idle():
        start(library.folder())
    return found


def cancel(job: int) -> None:
    """Ask for a job to stop; it ends cleanly within seconds."""
    Queue(library.folder()).stop(job)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
