"""Flat in length: the last minute of a long lecture is as fast as its first, and memory does not grow with it.

``walk``: the demo clip looped; the real detector and readers go through all of it, and what each minute took is told
beside the memory at its end. ``tables``: made-up readings of three hours become tables in a process of its own, whose
peak memory is told. ``lookups``: what a frame of the annotated video asks, where everybody is, in lectures of some
lengths through which people pass. ``joining``: to find who is who where tracks break all the time, and whom a head
count joins.
Run: ``python -m benchmarks.flat``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from benchmarks import common
from benchmarks.loops import loop_clip
from consent.policy import CoverPolicy
from pipeline.appearance import DIMENSIONS
from pipeline.camera_path import CameraPath
from pipeline.desk import STILL
from pipeline.head_count import with_head_count
from pipeline.identity import people_of
from pipeline.observations import float_columns
from pipeline.progress import Advance
from pipeline.readings import ReadingLog
from pipeline.session import BOX
from pipeline.settings import Settings
from pipeline.streaming import Stopwatch, go_through
from pipeline.timeline import Timeline
from pipeline.tracklets import Tracklet

GIB = 2**30
NOBODY = CoverPolicy(False, (), "")


class Minutes:
    """A progress that notes, for each minute of the lecture, wall and CPU time since the last and memory now."""

    def __init__(self, frames_per_minute: float) -> None:
        self.rows: list[dict[str, float]] = []
        self._each = frames_per_minute
        self._done = 0
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Advance]:
        """See ``pipeline.progress.Progress``."""
        yield self._advance

    def _advance(self, count: int) -> None:
        self._done += count
        if self._done < self._each * (len(self.rows) + 1):
            return
        wall, cpu = time.perf_counter(), time.process_time()
        memory = psutil.Process().memory_info().rss
        self.rows.append({"wall": wall - self._wall, "cpu": cpu - self._cpu, "rss": memory / GIB})
        self._wall, self._cpu = wall, cpu


def walk(minutes: float, clip: Path, imgsz: int) -> list[dict[str, float]]:
    """Pass 1 up to the tables over the looped clip: what each minute took."""
    from pipeline.detect import DetectSettings, UltralyticsDetector
    from pipeline.video import VideoReader

    settings = Settings(detect=DetectSettings(imgsz=imgsz))
    with tempfile.TemporaryDirectory() as folder:
        video = loop_clip(clip, Path(folder) / "long.mp4", 60 * minutes)
        detector = UltralyticsDetector(settings.detect, settings.device)
        log = ReadingLog(Path(folder) / "readings", "flat", float_columns(detector.behaviour_names))
        with VideoReader(video) as reader:
            progress = Minutes(60 * reader.info.fps)
            go_through(reader, detector, NOBODY, settings, progress, log, Stopwatch())
    return progress.rows


def tables_child(students: int, hours: float) -> None:
    """Make the tables of a made-up class, and print what that took as JSON."""
    from benchmarks.long_class import make_class
    from pipeline.analyse import conclude

    with tempfile.TemporaryDirectory() as folder:
        lecture, followed, log = make_class(Path(folder), students, hours, common.SEED)
        before = psutil.Process().memory_info().rss
        watch = Stopwatch()
        made = conclude(lecture, followed, log, NOBODY, Settings(), watch)  # type: ignore[arg-type]
    figures = {
        "rows": len(made.observations),
        "found": made.students,
        "before": before / GIB,
        "peak": common.peak_gib(),
    }
    print(json.dumps(figures | {"table": made.observations.memory_usage().sum() / GIB, **watch.seconds}))


def tables(students: int, hours: float) -> dict[str, Any]:
    """One such child."""
    words = ["--child", str(students), "--hours", str(hours)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.flat", *words], cwd=common.ROOT, capture_output=True, text=True, check=True
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"students": students, "hours": hours, **figures}


def lookup_ms(minutes: float, students: int = 25, passers_per_minute: int = 10) -> float:
    """Time (ms) to tell where everybody is at a moment of a made-up lecture through which people pass for 5 s each."""
    rng = np.random.default_rng(common.SEED)
    seated = pd.MultiIndex.from_product([range(students), np.arange(0, 60 * minutes, 0.2)], names=["student", "t"])
    begins = rng.uniform(0, 60 * minutes, round(passers_per_minute * minutes))
    walk = np.add.outer(begins, np.arange(0, 5, 0.2))
    passing = pd.DataFrame({"student": students + np.arange(len(begins)).repeat(walk.shape[1]), "t": walk.ravel()})
    table = pd.concat([seated.to_frame(index=False), passing], ignore_index=True)
    table[list(BOX)] = rng.uniform(0, 700, (len(table), len(BOX)))
    timeline = Timeline(table, "student", longest_gap_s=2.0, hold_s=2.0)
    moments = rng.uniform(0, 60 * minutes, 2000)
    begun = time.perf_counter()
    for moment in moments:
        timeline.at(moment)
    return 1000 * (time.perf_counter() - begun) / len(moments)


def joining(minutes: float, students: int = 25, track_s: float = 6.0, gap_s: float = 2.0) -> dict[str, float]:
    """Time (s) to find who is who in a made-up lecture in which nobody is tracked for long, and how many tracks it has.

    Tracks and the gaps between them last as given in the mean, some much longer. ``counted_s``: to make of them as
    many as were counted, were each of them taken for three, one after the other.
    """
    rng = np.random.default_rng(common.SEED)
    looks = rng.random((students, DIMENSIONS)).astype(np.float32)
    rows, columns = np.divmod(np.arange(students), 8)
    path = CameraPath(1280, 720)
    for t in np.arange(0, 60 * minutes, 5.0):
        path.add(float(t), STILL)
    pieces: list[Tracklet] = []
    for student in range(students):
        t = rng.exponential(gap_s)
        while t < 60 * minutes:
            end = min(t + rng.exponential(track_s), 60 * minutes)
            piece = Tracklet(len(pieces) + 1, t, t)
            for moment in np.arange(t, end, 0.4):
                left, top = 150 * columns[student], 60 + 150 * rows[student]
                box = np.array([left, top, left + 90, top + 140]) + rng.normal(0, 6, 4)
                look = looks[student] + rng.normal(0, 0.1, DIMENSIONS).astype(np.float32)
                piece.add(float(moment), box, 0.8, look / np.linalg.norm(look), unbroken=moment > t)
            pieces += [piece] * (piece.seen > 0)
            t = end + 0.4 + rng.exponential(gap_s)
    begun = time.perf_counter()
    people = people_of({0: pieces}, path, Settings(), 0.2)
    taken = time.perf_counter() - begun
    as_three = {one.number: 3 * people.person_of[one.number] + int(one.first_t // (20 * minutes)) for one in pieces}
    begun = time.perf_counter()
    left = with_head_count(as_three, pieces, people.scene_of, students)
    counted = time.perf_counter() - begun
    return {
        "tracks": len(pieces),
        "people": len(set(people.person_of.values())),
        "s": taken,
        "counted": len(set(left.values())),
        "counted_s": counted,
    }


def main() -> None:
    """Measure all, or be one of the processes."""
    parser = common.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="length of the looped clip; 0: not run (default: 60)")
    parser.add_argument("--imgsz", type=int, default=Settings().detect.imgsz, help="of the detector, px")
    parser.add_argument("--students", type=int, nargs="*", default=[25, 80], help="of the made-up classes")
    parser.add_argument("--hours", type=float, default=3, help="of the made-up classes (default: 3)")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        tables_child(args.child, args.hours)
        return
    common.print_machine()
    found: dict[str, Any] = {}
    if args.minutes:
        rows = found["walk"] = walk(args.minutes, common.DEMO_CLIP, args.imgsz)
        columns = ["minute", "wall (s)", "CPU (s)", "memory (GiB)"]
        shown = [[n, f"{row['wall']:.1f}", f"{row['cpu']:.1f}", f"{row['rss']:.3f}"] for n, row in enumerate(rows, 1)]
        common.print_table(f"Pass 1 over {args.minutes:g} minutes of the demo clip in a loop", columns, shown)
        first, last = rows[0], rows[-1]
        found["speed"] = {kind: first[kind] / last[kind] for kind in ("wall", "cpu")}
        found["memory"] = last["rss"] / first["rss"]
        common.say(
            f"last minute against first: {found['speed']['wall']:.0%} of the speed by the clock,"
            f" {found['speed']['cpu']:.0%} by CPU time; memory {found['memory']:.0%}"
        )
    made = found["tables"] = [tables(students, args.hours) for students in args.students]
    columns = ["students", "hours", "rows", "table (GiB)", "memory before (GiB)", "peak (GiB)", "tables (s)"]
    told = ("table", "before", "peak", "tables")
    shown = [[one["students"], one["hours"], one["rows"], *(f"{one[key]:.2f}" for key in told)] for one in made]
    common.print_table("From readings to tables", columns, shown)
    found["lookups"] = {minutes: lookup_ms(minutes) for minutes in (5, 60, 180)}
    shown = [[minutes, f"{spent:.2f}"] for minutes, spent in found["lookups"].items()]
    common.print_table("Where everybody is at a moment, 10 a minute passing through", ["minutes", "ms"], shown)
    found["joining"] = {minutes: joining(minutes) for minutes in (5, 60, 180)}
    shown = [
        [
            *(minutes, one["tracks"], one["people"], f"{one['s']:.1f}", f"{1000 * one['s'] / minutes:.0f}"),
            *(one["counted"], f"{one['counted_s']:.1f}", f"{1000 * one['counted_s'] / minutes:.0f}"),
        ]
        for minutes, one in found["joining"].items()
    ]
    columns = ["minutes", "tracks", "people", "s", "ms per minute", "of three times as many", "s", "ms per minute"]
    common.print_table("Who is who, 25 students whose tracks break every few seconds", columns, shown)
    common.write_json(args.json, found)


if __name__ == "__main__":
    main()
