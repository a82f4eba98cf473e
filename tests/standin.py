"""Stands in for ``engage run`` where many lectures are done: does at once what the name of the recording says."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pipeline.lecture_run
from pipeline.lecture_run import Job, Outcome, Tell, do, do_segment

TEMPLATE = "STANDIN_TEMPLATE"
"""Environment variable that names the session that every good lecture becomes."""

PROGRAM = """
import json, os, pathlib, shutil, signal, sys, time
words = sys.argv[1:]
video = pathlib.Path(words[-1])
options = words[:-2]
out = pathlib.Path(options[options.index("--out") + 1])
parent = int(options[options.index("--parent") + 1])
name = video.stem
with open(video.with_suffix(".calls"), "a") as calls:
    calls.write(json.dumps(words) + "\\n")
tries = len(video.with_suffix(".calls").read_text().splitlines())
if not video.exists():
    print(f"error: {video.name}: no such file")
    sys.exit(2)
known = [pathlib.Path(words[n + 1]) for n, word in enumerate(words) if word == "--known"]
if any(json.loads(one.read_text())["asked"] == video.read_text() for one in known):
    print("skipped: it is there")
    sys.exit(0)
if known and "--overwrite" not in options:
    print("error: there is another")
    sys.exit(2)
if "--ahead" in options:
    at = options.index("--stretch")
    pathlib.Path(options[options.index("--ahead") + 1]).write_text("-".join(options[at + 1 : at + 3]))
    sys.exit(0)
found = [pathlib.Path(words[n + 1]).read_text() for n, word in enumerate(words) if word == "--read-ahead"]
video.with_suffix(".found").write_text(" ".join(found))
progress = pathlib.Path(os.environ["ENGAGE_PROGRESS_FILE"])
progress.write_text(json.dumps({"stage": "Analyse", "done": 3, "total": 12, "seconds": 1.5}))
if name.startswith("broken"):
    print(f"error: {video.name}: not a readable video")
    sys.exit(2)
if name.startswith("forbidden"):
    print("error: nobody approved this")
    sys.exit(3)
if name.startswith("crash"):
    print("Traceback: oh no")
    sys.exit(1)
if name.startswith("dies") and (tries == 1 or "always" in name):
    os.kill(os.getpid(), signal.SIGKILL)
if name.startswith("slow"):
    def end(*_):
        print("stopped: what was analysed is kept")
        sys.exit(1)
    signal.signal(signal.SIGTERM, end)
    video.with_suffix(".at_work").write_text(str(os.getpid()))
    while not video.with_suffix(".go").exists():
        if os.getppid() != parent:
            os._exit(1)
        time.sleep(0.05)
session = out / name
shutil.rmtree(session, ignore_errors=True)
shutil.copytree(os.environ["STANDIN_TEMPLATE"], session)
manifest = json.loads((session / "session.json").read_text())
manifest |= {"id": name, "asked": video.read_text(), "created": f"try {tries}"}
(session / "session.json").write_text(json.dumps(manifest))
if name.startswith("review"):
    print("needs review: a face shows")
    sys.exit(1)
print("Next: engage dashboard")
"""


def recording(folder: Path, name: str, content: str = "") -> Path:
    """A "recording"; what it holds decides whether a session is of it."""
    path = folder / f"{name}.mp4"
    path.write_text(content or name)
    return path


def calls(video: Path) -> int:
    """How often the stand-in was started for a recording."""
    path = video.with_suffix(".calls")
    return len(path.read_text().splitlines()) if path.exists() else 0


def by_standin(job: Job, tell: Tell, stop: threading.Event, ahead: Sequence[bytes | None] = ()) -> Outcome:
    """``do`` in a process that was not told of the stand-in, such as a Ray worker."""
    pipeline.lecture_run.ENGAGE = Path(os.environ[TEMPLATE]).with_name("standin_engage.py")
    return do(job, tell, stop, ahead)


def segment_by_standin(job: Job, number: int, stop: threading.Event) -> bytes | None:
    """The same for ``do_segment``."""
    pipeline.lecture_run.ENGAGE = Path(os.environ[TEMPLATE]).with_name("standin_engage.py")
    return do_segment(job, number, stop)


def prepared(folder: Path, session: Path) -> Path:
    """The program, beside a copy of the session that it makes; returns the latter."""
    (folder / "standin_engage.py").write_text(PROGRAM)
    return shutil.copytree(session, folder / "template")
