"""One lecture of a batch from its recording to its session at the target, wherever that is done.

The work itself is a process of its own, the command ``engage run``: whatever holds there of consent, settings, stops
and going on holds here, and a lecture that exhausts its process takes no other with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pipeline import progress_file
from pipeline.errors import InputError, OutputError
from pipeline.progress_file import STANDSTILL_S, Reached
from pipeline.remote import Place, is_url
from pipeline.said import ERROR, LEFT_TO_DO, LONGEST, NEEDS_REVIEW, SKIPPED, STOPPED, said, unforeseen
from pipeline.session import MANIFEST, Session, SessionError
from pipeline.store import held

ENGAGE: Final = Path(__file__).parents[1] / "engage.py"

POLL_S: Final = 0.3
GRACE_S: Final = 60.0
"""Time for a run to end cleanly once it is asked to."""
FREE_S: Final = 10.0
"""How long to wait until a process that died has let go of its session."""

SOURCE, KNOWN, GIVEN = "source", "known", "given"
"""Folders of the work folder: recordings that were fetched, manifests at the target, seat maps and settings."""


class End(str, Enum):
    """How a lecture ended."""

    DONE = "done"
    SKIPPED = "skipped"
    REVIEW = "needs review"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def whole(self) -> bool:
        """Whether there is a session now."""
        return self in (End.DONE, End.SKIPPED, End.REVIEW)


@dataclass(frozen=True)
class Job:
    """What is to be done with one recording; plain values, so that it can be sent to another machine.

    Attributes:
        video: a path or address.
        label: how it is called in tables.
        name: of its session.
        out: folder or address where sessions go.
        work: folder for what is under way, where ``out`` is an address.
        words: options of ``engage run``.
        given: option -> (file name, content), written beside the work and given as a file.
        overwrite: make it again.
        retries: how often to try again when the process died.
        threads: of each library in the process; ``None``: as they choose.
        stretches: (from, to) s of the segments in which it is searched ahead; none: it is not.
    """

    video: str
    label: str
    name: str
    out: str
    work: str
    words: tuple[str, ...] = ()
    given: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    overwrite: bool = False
    retries: int = 2
    threads: int | None = None
    stretches: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of a lecture.

    Attributes:
        video: its label.
        end: how it ended.
        reason: one sentence, where it did not simply end well.
        minutes: length of the lecture, where a session is there.
        took_s: wall time.
        session: folder or address of the session, where there is one.
        code: exit code that it alone would have given.
        tries: how often its process was started.
    """

    video: str
    end: End
    reason: str = ""
    minutes: float | None = None
    took_s: float = 0.0
    session: str | None = None
    code: int = 0
    tries: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"lecture": self.video, "outcome": self.end.value} | {
            name: value for name, value in asdict(self).items() if name not in ("video", "end")
        }


Tell = Callable[[Reached], None]


def do(job: Job, tell: Tell, stop: threading.Event, ahead: Sequence[bytes | None] = ()) -> Outcome:
    """Do one lecture; raises nothing that is about this lecture alone.

    Args:
        job: what to do.
        tell: told how far it is, now and then.
        stop: set to end it politely.
        ahead: what was found in its segments.
    """
    begun = time.monotonic()
    try:
        outcome = _Run(job, tell, stop, job.name).whole([one for one in ahead if one is not None])
    except (InputError, OutputError, SessionError) as error:
        outcome = Outcome(job.label, End.FAILED, str(error)[:LONGEST], code=error.exit_code)
    except OSError as error:
        reason = (
            f"{error.filename or job.out}: cannot be used ({error.strerror or error}); choose another --out or --work"
        )
        outcome = Outcome(job.label, End.FAILED, reason[:LONGEST], code=1)
    return replace(outcome, took_s=round(time.monotonic() - begun, 1))


def do_segment(job: Job, number: int, stop: threading.Event) -> bytes | None:
    """Search one segment of a lecture (``pipeline.ahead``); ``None`` where that failed, for whatever reason.

    Then the analysis searches it, and says what is wrong.
    """
    try:
        return _Run(job, lambda reached: None, stop, f"{job.name}.{number}").segment(job.stretches[number])
    except (InputError, OutputError, SessionError, OSError):
        return None


class _Run:
    """The steps of one lecture, or of a segment of it; ``tag`` is its own part of the work folder."""

    def __init__(self, job: Job, tell: Tell, stop: threading.Event, tag: str) -> None:
        self.job, self.tell, self.stop = job, tell, stop
        self.target = Place(job.out) if is_url(job.out) else None
        self.work = Path(job.work) / tag
        self.here = Path(job.work) if self.target else Path(job.out)  # where the process makes the session
        self.session = self.here / job.name
        self.tries = 0
        self.stood_still = False
        """Whether the last try was ended because nothing came of it any more."""

    def segment(self, stretch: tuple[float, float]) -> bytes | None:
        """What the networks find in a stretch (from, to) s."""
        with self._scratch():
            into = self._part(GIVEN) / "ahead.npz"
            self._tried(
                self._words(self._fetched(), [*self._known(), "--ahead", str(into), "--stretch", *map(str, stretch)])
            )
            return into.read_bytes() if into.exists() else None

    def whole(self, ahead: Sequence[bytes]) -> Outcome:
        """From the recording to the target."""
        with self._scratch():
            known = self._known()
            for number, content in enumerate(ahead):
                path = self._part(GIVEN) / f"{number}.npz"
                path.write_bytes(content)
                known += ["--read-ahead", str(path)]
            code, log = self._tried(self._words(self._fetched(), known))
            outcome = self._outcome(code, log)
            if self.target is not None and outcome.end.whole and self.session.exists():
                self._send()
        return replace(outcome, tries=self.tries)

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[None]:
        """Folders of this lecture's own, with what a killed one left cleared before and after."""
        parts = [self.work.with_name(f"{self.work.name}.{part}") for part in (SOURCE, KNOWN, GIVEN)]
        for part in parts:
            shutil.rmtree(part, ignore_errors=True)
        Path(self.job.work).mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.target is not None and self.session.is_dir() and not (self.session / MANIFEST).exists():
            shutil.rmtree(self.session)  # it was sent, and its deletion interrupted
        try:
            yield
        finally:
            for part in parts:
                shutil.rmtree(part, ignore_errors=True)

    def _part(self, part: str) -> Path:
        folder = self.work.with_name(f"{self.work.name}.{part}")
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _known(self) -> list[str]:
        """Options that let the process find that there is nothing to do."""
        there: list[Path] = []
        if self.target is None:
            there = [self.session / MANIFEST]
        else:
            at_target = self.target.read(f"{self.job.name}/{MANIFEST}")
            if at_target is not None:
                kept = self._part(KNOWN) / self.job.name
                kept.mkdir(exist_ok=True)
                (kept / MANIFEST).write_bytes(at_target)
                there.append(kept / MANIFEST)
            if not there and (self.session / MANIFEST).is_file():  # made, but not sent any more
                return ["--known", str(self.session / MANIFEST), "--overwrite"]
        there = [one for one in there if one.is_file()]
        if self.job.overwrite or not there:
            return ["--overwrite"] if self.job.overwrite else []
        return [word for one in there for word in ("--known", str(one))]

    def _fetched(self) -> Path:
        if not is_url(self.job.video):
            return Path(self.job.video)
        place = self._part(SOURCE) / PurePosixPath(self.job.video).name
        Place(self.job.video).fetch(place)
        return place

    def _words(self, video: Path, known: list[str]) -> list[str]:
        words = ["run", "--out", str(self.here), *self.job.words, *known]
        for option, (name, content) in self.job.given.items():
            path = self._part(GIVEN) / name
            path.write_bytes(content)
            words += [option, str(path)]
        return [*words, "--parent", str(os.getpid()), "--", str(video)]

    def _tried(self, words: list[str]) -> tuple[int, str]:
        """Run the process until it ends by itself; the exit code, and what it printed."""
        while True:
            self._await_free()
            self.tries += 1
            code, log = self._once(words)
            died = code < 0 or any(kind == STOPPED for kind, _ in said(log))  # by somebody else
            if not died or self.stop.is_set() or self.tries > self.job.retries:
                return code, log

    def _await_free(self) -> None:
        until = time.monotonic() + FREE_S
        while held(self.session) and time.monotonic() < until and not self.stop.is_set():
            time.sleep(POLL_S)

    def _once(self, words: list[str]) -> tuple[int, str]:
        at = self._part(GIVEN) / "progress.json"
        log = self._part(GIVEN) / "log.txt"
        environment = {**os.environ, progress_file.VARIABLE: str(at)}
        if self.job.threads is not None:
            environment.setdefault("OMP_NUM_THREADS", str(self.job.threads))
        with log.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, str(ENGAGE), *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C is ours to pass on
            )
            try:
                self._wait(child, at)
            finally:  # a task that is cancelled must not leave it behind
                if child.poll() is None:
                    child.kill()
                    child.wait()
        return child.returncode, log.read_text(encoding="utf-8", errors="replace")

    def _wait(self, child: subprocess.Popen[bytes], at: Path) -> None:
        asked_at: float | None = None
        stands_still = progress_file.Standstill(STANDSTILL_S)
        self.stood_still = False
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(POLL_S)
                return
            if (reached := progress_file.read(at)) is not None:
                self.tell(reached)
            if not self.stood_still and stands_still(reached):
                self.stood_still = True
                child.kill()
            if asked_at is None and self.stop.is_set():
                child.terminate()
                asked_at = time.monotonic()
            elif asked_at is not None and time.monotonic() - asked_at > GRACE_S:
                child.kill()

    def _outcome(self, code: int, log: str) -> Outcome:
        sentences = said(log)
        if code and self.stop.is_set():
            kept = next((one for kind, one in sentences if kind == STOPPED), "")
            return Outcome(self.job.label, End.STOPPED, kept or "it was stopped; run the same command to go on", code=1)
        wrong = [sentence for kind, sentence in sentences if kind == ERROR]
        look = " ".join(sentence for kind, sentence in sentences if kind in (NEEDS_REVIEW, LEFT_TO_DO))
        if code < 0 and self.stood_still:
            reason = (
                f"nothing came of it any more for {STANDSTILL_S / 60:.0f} minutes, {self.tries} time(s), and it was"
                " ended; run the same command to go on, and tell its makers if it happens again"
            )
            return Outcome(self.job.label, End.FAILED, reason, code=1)
        if code < 0:
            reason = (
                f"its process was killed {self.tries} time(s) (signal {-code}); if the memory was full use fewer"
                " --workers, then run the same command to go on"
            )
            return Outcome(self.job.label, End.FAILED, reason, code=1)
        if wrong:
            return Outcome(self.job.label, End.FAILED, wrong[-1][:LONGEST], code=code or 1)
        if code and not (look and code == 1):
            return Outcome(self.job.label, End.FAILED, self._unforeseen(code, log), code=code)
        skipped = next((sentence for kind, sentence in sentences if kind == SKIPPED), None)
        if skipped is not None:
            return self._whole(End.SKIPPED, skipped, 0)
        return self._whole(End.REVIEW if code else End.DONE, look[:LONGEST], code)

    def _unforeseen(self, code: int, log: str) -> str:
        kept = self.work.with_name(f"{self.job.name}.log")
        kept.write_text(log, encoding="utf-8")
        return f"{unforeseen(code, log)}; all of it is in {kept}"

    def _whole(self, end: End, reason: str, code: int) -> Outcome:
        known = self.work.with_name(f"{self.job.name}.{KNOWN}") / self.job.name
        manifest = Session.open(self.session if self.session.exists() else known).manifest
        place = str(self.session) if self.target is None else self.target.address(self.job.name)
        return Outcome(self.job.label, end, reason, round(manifest.duration / 60, 2), session=place, code=code)

    def _send(self) -> None:
        """Bring the session to the target; here it is no more then."""
        from consent.registry import Registry
        from pipeline.store import hold

        assert self.target is not None
        with hold(self.session):  # no withdrawal may change it meanwhile
            manifest = Session.open(self.session).manifest
            self.target.send(self.session)
            if manifest.course is not None:
                with Registry.open() as registry:
                    folder = self.target.folder
                    place = folder / self.job.name if folder else self.target.address(self.job.name)
                    registry.sessions.note(manifest.course, manifest.id, manifest.created, place)
            (self.session / MANIFEST).unlink()  # first: what is being deleted is no session
            shutil.rmtree(self.session)
