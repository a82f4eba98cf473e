"""One process of ``benchmarks.fuzz``: gives inputs to the doors and says after each what came of it, one line of JSON.

It limits its own memory. Whoever started it watches the time, because a decoder that hangs cannot stop itself.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks.fuzz_inputs import Input, make_input

MEMORY = 3 * 2**30
"""Bytes that a door may take on top of the libraries."""

MOST_WRITTEN = 8
"""Frames of a recording that are written again."""

LONGEST_SENTENCE = 600
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "socket.getaddrinfo")


LOADED_FIRST = (
    "consent.course", "consent.registry", "consent.seat_map", "pipeline.audit", "pipeline.corrections",
    "pipeline.encode", "pipeline.settings", "reports.tables",
)  # fmt: skip
"""What the doors import: libraries look for programs and shared objects while they load."""


class Guard:
    """Notes each change of a file outside ``out``, each program started and each connection, while it is on."""

    def __init__(self, out: Path) -> None:
        self.out = str(out)
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[object, ...]) -> None:
        if not self.on:
            return
        if (event == "open" and isinstance(args[2], int) and args[2] & WRITES) or event in CHANGES:
            self._check(event, args[0])
        elif event in FORBIDDEN:
            self.seen.append(f"{event} {args!r}"[:200])

    def _check(self, event: str, path: object) -> None:
        if not isinstance(path, (str, bytes)):
            return
        real = os.path.realpath(os.fsdecode(path))
        if real != os.devnull and not f"{real}/".startswith(f"{self.out}/"):
            self.seen.append(f"{event} {real}")


def video_door(given: Input, out: Path) -> str:
    """What ``engage run`` does with a recording besides looking at it."""
    from pipeline.encode import VideoWriter
    from pipeline.video import VideoReader, prefetch

    with VideoReader(given.path) as reader:
        with closing(prefetch(reader.frames(5.0), depth=4)) as frames:
            chosen = sum(1 for _ in frames)
        seconds = reader.duration
        with VideoWriter(out / "annotated.mp4", reader.info, audio_from=given.path, preset="ultrafast") as writer:
            for frame in reader.frames():
                writer.write(frame, frame.image)
                if frame.index + 1 >= (MOST_WRITTEN if frame.image.size < 10**7 else 1):
                    break
    return f"{reader.decoded} frames, {chosen} chosen, {seconds:.1f} s"


def session_door(given: Input, out: Path) -> str:
    """All that is read of a session without its video, and the tables of ``engage export``."""
    from pipeline.audit import read_audit
    from pipeline.corrections import read_corrections
    from pipeline.seat_plan import read_plan
    from pipeline.session import Session, find_sessions
    from reports.tables import tables

    assert list(find_sessions(given.path.parent)) == [given.path]
    session = Session.open(given.path)
    rows = len(session.observations) + len(session.observed("t", "student", between=(0.0, 2.0)))
    rows += len(session.states) + len(session.events) + len(session.engagement)
    read_plan(session), read_audit(session), read_corrections(session)
    rows += sum(len(table) for table in tables(session).values())
    return f"{rows} rows"


def registry_door(given: Input, out: Path) -> str:
    """A registry of which the file is damaged; it is written to, so it lies in the output folder."""
    from consent.registry import Registry

    place = out / "consent.sqlite"
    shutil.copyfile(given.path, place)
    with Registry.open(f"sqlite:///{place}") as registry:
        found = [*registry.approvals(), *registry.opt_outs("CS 101"), *registry.students.on_record("CS 101")]
        registry.retention.of_course("CS 101"), registry.sessions.of_course(None), registry.verify()
    return f"{len(found)} records"


def names_door(given: Input, out: Path) -> str:
    """Hostile names: a session's folder is one plain part, whatever the recording and the course are called."""
    from consent.courses import checked_name
    from consent.zones import Zone
    from pipeline.store import session_id

    name = session_id(Path(given.text), given.text)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,200}", name), f"session name {name!r}"
    checked_name("course", given.text)
    Zone.parse(given.text)
    return name


def text_door(given: Input, out: Path) -> str:
    """Seat map, settings or course file."""
    from consent.course import read_course
    from consent.seat_map import read_seat_map
    from pipeline.settings import read_settings

    read: dict[str, Callable[[Path], object]] = {
        "seat map": read_seat_map,
        "settings": lambda path: read_settings(path, rate=None, cover__style="solid"),
        "course": read_course,
    }
    return type(read[given.door](given.path)).__name__


DOORS: dict[str, Callable[[Input, Path], str]] = {
    "video": video_door,
    "manifest": session_door,
    "tables": session_door,
    "small files": session_door,
    "registry": registry_door,
    "names": names_door,
    "seat map": text_door,
    "settings": text_door,
    "course": text_door,
}


def attempt(given: Input, out: Path, guard: Guard) -> tuple[str, str]:
    """(``read``, ``refused`` or the kind of finding; what came of it)."""
    from engage import foreseen

    guard.on, guard.seen = True, []
    try:
        result = "read", DOORS[given.door](given, out)
    except Exception as error:
        text = str(error)
        if foreseen(error) is None:
            where = traceback.extract_tb(error.__traceback__)
            ours = [one for one in where if re.search(r"/(pipeline|consent|models|reports)/", one.filename)]
            place = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
            result = "crash", f"{type(error).__name__}{place}: {text[:200]}"
        elif not text or "\n" in text or len(text) > LONGEST_SENTENCE or ";" not in text:
            result = "no sentence", f"{len(text)} characters: {text[:200]!r}"
        else:
            result = "refused", text
    finally:
        guard.on = False
    return ("outside", "; ".join(guard.seen)) if guard.seen else result


def contents(folder: Path) -> dict[str, str]:
    """Everything under a folder, files with their sha256."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


def highest_memory() -> int:
    """Bytes of memory this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """``python -m benchmarks.fuzz_child SEEDS BOX SEED FROM TO``."""
    seeds, box, seed, first, end = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6])
    say = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print is no answer
    given_to, out = box / "in", box / "out"
    guard = Guard(out)
    out.mkdir(parents=True, exist_ok=True)
    os.chdir(out)
    import av.logging

    for module in LOADED_FIRST:
        importlib.import_module(module)
    av.logging.set_level(None)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in range(first, end):
        for folder in (given_to, out):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        os.chdir(out)
        given = make_input(seed, number, seeds, given_to)
        before = contents(given_to)
        print(json.dumps({"begin": number, "door": given.door, "about": given.about}), file=say, flush=True)
        begun = time.monotonic()
        kind, words = attempt(given, out, guard)
        if kind in ("read", "refused") and contents(given_to) != before:
            kind, words = "outside", f"the input was changed: {words}"
        took = round(time.monotonic() - begun, 3)
        answer = {"end": number, "kind": kind, "words": words, "seconds": took, "memory": highest_memory()}
        print(json.dumps(answer), file=say, flush=True)


if __name__ == "__main__":
    main()
