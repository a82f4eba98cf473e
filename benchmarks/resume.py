"""Killed anywhere, and the same session in the end: ``engage run`` under ``kill -9`` at random moments of both passes.

One run is left alone. Each of the others is killed once, at a moment drawn at random from one of the two passes, and
started again with the same command; the session must equal the undisturbed one. Also how long going on takes beside
reading. Run: ``python -m benchmarks.resume``.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import tempfile
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import common
from benchmarks.loops import loop_clip
from pipeline.session import AUDIT, ENGAGEMENT, EVENTS, OBSERVATIONS, SEATS, STATES, VIDEO, Session
from pipeline.store import PARTIAL, READINGS, session_id
from pipeline.video import VideoReader

CHANGING = {"created", "stage_seconds"}
"""Fields of the manifest that tell of the run and not of the lecture."""

LIBRARIES = ("av", "openvino", "deep_sort_realtime", "typst", "models.scorer", "pipeline.walk", "reports.report")
"""Imported once, before any run is forked."""

READ_STAGES = ("detect", "faces")
"""What a run that goes on need not do again."""


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two sessions of one recording, in words; nothing where they are equal."""
    found = []
    for name in (OBSERVATIONS, STATES, EVENTS):
        if not pd.read_parquet(one / name).equals(pd.read_parquet(other / name)):
            found.append(name)
    found += [name for name in (ENGAGEMENT, SEATS, AUDIT) if (one / name).read_bytes() != (other / name).read_bytes()]
    mine, its = (Session.open(folder).manifest.model_dump(exclude=CHANGING) for folder in (one, other))
    found += [f"session.json: {name}" for name in mine if mine[name] != its[name]]
    if sorted(path.name for path in one.iterdir()) != sorted(path.name for path in other.iterdir()):
        found.append("files")
    if _frames(one / VIDEO) != _frames(other / VIDEO):
        found.append("frames of the video")
    return found


def _frames(video: Path) -> list[float]:
    """The time (s) of each frame of a video."""
    with VideoReader(video) as reader:
        return [frame.t for frame in reader.frames()]


class Runs:
    """``engage run`` of one clip as processes of their own, each into its own folder.

    They are forked from a process that has imported the libraries, which would take most of the time of a short clip.
    """

    def __init__(self, clip: Path, work: Path, checkpoint_s: float, words: tuple[str, ...] = ()) -> None:
        self.clip, self.work = clip, work
        settings = work / "settings.yaml"
        settings.write_text(f"checkpoint_s: {checkpoint_s}\n", encoding="utf-8")
        self._words = ("--config", str(settings), "--approved-by", "benchmark", *words)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["engage", *LIBRARIES])

    def start(self, name: str) -> ForkServerProcess:
        """Begin a run, or go on with it."""
        words = ["run", str(self.clip), "--out", str(self.work / name), *self._words]
        process = self._context.Process(target=_engage, args=(words, self.work, self._said(name)))
        process.start()
        return process

    def finish(self, name: str) -> None:
        """Begin a run or go on with it, and wait for its end.

        Raises:
            RuntimeError: it failed.
        """
        process = self.start(name)
        process.join()
        if process.exitcode:
            raise RuntimeError(f"exit code {process.exitcode}: {self._said(name).read_text(encoding='utf-8')}")

    def _said(self, name: str) -> Path:
        return self.work / f"{name}.log"

    def session(self, name: str) -> Path:
        """The folder of a whole session."""
        return self.work / name / session_id(self.clip, None)

    def half(self, name: str) -> Path:
        """The folder of one that is not."""
        whole = self.session(name)
        return whole.with_name(whole.name + PARTIAL)

    def pieces(self, name: str) -> int:
        """How many pieces of readings it has saved."""
        return len(list((self.half(name) / READINGS).glob("*.npz")))

    def rendering(self, name: str) -> bool:
        """Whether pass 2 has begun."""
        return (self.half(name) / VIDEO).exists()

    def kill(self, name: str, pieces: int | None, wait_s: float) -> bool:
        """Start a run and kill it ``wait_s`` after it has saved so many pieces, ``None``: after it began pass 2.

        Returns:
            whether it was still at work then.
        """
        process = self.start(name)
        while process.is_alive() and not (self.rendering(name) if pieces is None else self.pieces(name) >= pieces):
            time.sleep(0.01)
        process.join(wait_s)
        alive = process.is_alive()
        process.kill()
        process.join()
        return alive


def _engage(words: list[str], work: Path, said: Path) -> None:
    """The command line in this process, what it says in a file."""
    os.environ["ENGAGE_DATABASE_URL"] = f"sqlite:///{work}/consent.sqlite"
    with said.open("w", encoding="utf-8") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        import engage

        engage.app(words)


def measured(runs: Runs, name: str, pieces: int | None, wait_s: float, whole: Path) -> dict[str, Any]:
    """Kill a run, go on, and compare; one that ended before its moment came is run again with an earlier moment."""
    while not runs.kill(name, pieces, wait_s):
        shutil.rmtree(runs.work / name)
        wait_s /= 2
    saved, half = runs.pieces(name), sorted(path.name for path in runs.half(name).glob("*"))
    runs.finish(name)
    stages = Session.open(runs.session(name)).manifest.stage_seconds
    unlike = differences(whole, runs.session(name))
    shutil.rmtree(runs.work / name)
    row = {"pass": 1 if VIDEO not in half else 2, "killed after (s)": round(wait_s, 2), "pieces": saved}
    return row | {"left": half, "differences": unlike, "stages": stages}


def main() -> None:
    """Kill and compare, print each and the sum."""
    parser = common.parser(__doc__)
    parser.add_argument("--kills", type=int, default=20, help="every other one in pass 2 (default: 20)")
    parser.add_argument("--seconds", type=float, default=20, help="length of the looped demo clip, s (default: 20)")
    parser.add_argument("--checkpoint", type=float, default=2, help="s of a piece (default: 2, so that there are many)")
    parser.add_argument("--imgsz", type=int, default=480, help="of the detector, px (default: 480, for speed)")
    parser.add_argument("--blur", default="opted-out", help="as of engage run; with everyone the check takes its time")
    args = parser.parse_args()
    common.print_machine()
    rng = random.Random(common.SEED)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        clip = loop_clip(common.DEMO_CLIP, work / "clip.mp4", args.seconds)
        runs = Runs(clip, work, args.checkpoint, ("--imgsz", str(args.imgsz), "--blur", args.blur))
        begun, marks = time.perf_counter(), {}
        process, last = runs.start("whole"), 0
        while process.is_alive():
            last = max(last, runs.pieces("whole"))
            if last:
                marks.setdefault("reading", time.perf_counter())
            if runs.rendering("whole"):
                marks.setdefault("rendering", time.perf_counter())
            time.sleep(0.01)
        if process.exitcode:
            raise RuntimeError(f"exit code {process.exitcode} of the undisturbed run")
        ended = time.perf_counter()
        spans = marks["rendering"] - marks["reading"], ended - marks["rendering"]
        whole = runs.session("whole")
        common.say(
            f"undisturbed: {ended - begun:.0f} s, of which {spans[0]:.0f} s in pass 1 after the first piece,"
            f" {spans[1]:.0f} s in pass 2 and after"
        )
        rows = []
        for number in range(args.kills):
            pieces = None if number % 2 else rng.randrange(1, last)
            wait_s = rng.uniform(0, spans[1] if pieces is None else spans[0] / last)
            rows.append(measured(runs, str(number), pieces, wait_s, whole))
            common.say(json.dumps(rows[-1] | {"stages": None}))
        stages = Session.open(whole).manifest.stage_seconds
        again = [row["stages"] for row in rows if row["pass"] == 2]
        first = sum(row["pass"] == 1 for row in rows)
    equal = sum(not row["differences"] for row in rows)
    columns = ["pass", "killed after (s)", "pieces", "left", "differences"]
    common.print_table("kill -9 at random moments", columns, [[row[column] for column in columns] for row in rows])
    common.say(f"{equal} of {len(rows)} sessions equal the undisturbed one; {first} of them were killed in pass 1")
    names = ("start", "decode", *READ_STAGES, "track", "save", "tables")
    mean = {name: sum(one.get(name, 0.0) for one in again) / max(len(again), 1) for name in names}
    table = [[name, f"{stages.get(name, 0.0):.1f}", f"{mean[name]:.1f}"] for name in names]
    common.print_table("Pass 1 (s)", ["stage", "reading", "going on after a kill in pass 2, mean"], table)
    share = sum(mean[name] for name in ("decode", "track")) / sum(
        stages[name] for name in ("decode", "track", *READ_STAGES)
    )
    common.say(f"following camera and people again takes {share:.0%} of the time of reading")
    common.write_json(args.json, {"kills": rows, "stages": stages, "again": mean, "share": share})


if __name__ == "__main__":
    main()
