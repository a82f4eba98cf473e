"""What lasts: switches per student-hour on long lectures, and the cost per frame at their start and their end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import psutil

from benchmarks import common
from benchmarks.followers import followers
from benchmarks.identities import Scene
from benchmarks.simulated_class import simulate
from benchmarks.tracking_scenes import demo_scene
from benchmarks.tracking_tables import compare, listed, print_switches
from pipeline.settings import Settings

SIZES = (10, 40, 80)
CLASS, CLASS_RATE = 60, 2.0
"""Students of the long class, and its analysed frames per second: the fewest the tracker is made for, for speed."""


def looped(scene: Scene, minutes: float) -> Scene:
    """The scene again and again."""
    length = len(scene.times) * scene.interval_s
    times = round(60 * minutes / length)
    clock = [t + round_ * length for round_ in range(times) for t in scene.times]
    parts = (scene.found * times, scene.looks * times, scene.truth * times)
    return Scene(f"{scene.name}, looped to {minutes:g} min", scene.interval_s, clock, *parts)


def per_hour(args: Any, chosen: Sequence[str]) -> dict[str, Any]:
    """Switches per student-hour on long lectures."""
    scenes = [looped(demo_scene(), args.demo_minutes), simulate(CLASS, args.minutes, CLASS_RATE, common.SEED)]
    made: dict[str, Any] = {}
    for scene in scenes:
        hours = sum(len(who) for who, _ in scene.truth) * scene.interval_s / 3600
        figures, students = compare(scene, chosen)
        rows = [
            [*key, f"{s.switches / hours:.2f}", s.switches, f"{s.ids}/{s.people}", f"{s.idf1:.1f}", f"{s.hota:.1f}"]
            for key, s in figures.items()
        ]
        columns = ["tracker", "step", "switches per student-hour", "switches", "ids/people", "IDF1", "HOTA"]
        common.print_table(f"{scene.name}: {hours:.1f} student-hours", columns, rows)
        print_switches(scene, students)
        made[scene.name] = {"hours": hours, "figures": listed(figures)}
    return made


def cost(args: Any, chosen: Sequence[str]) -> dict[str, Any]:
    """Time per analysed frame by the number of students, and over a long class; memory."""
    classes = {size: simulate(size, 1, Settings().rate, common.SEED) for size in SIZES}
    long = simulate(CLASS, args.minutes, CLASS_RATE, common.SEED)
    part = max(1, len(long.times) // 10)
    rows, made = [], []
    process = psutil.Process()
    for name in chosen:
        short = [1000 * float(np.median(list(_spent(scene, name)))) for scene in classes.values()]
        before = process.memory_info().rss
        spent = _spent(long, name)
        first = list(islice(spent, 2 * part))[part:]  # by then everybody has been seen and caches are warm
        early = process.memory_info().rss
        last = list(spent)[-part:]
        grown = (process.memory_info().rss - early) / 2**20
        ratio = float(np.median(last) / np.median(first))
        rows.append([name, *(f"{ms:.2f}" for ms in short), f"{ratio:.3f}", f"{grown:+.0f}"])
        made.append({"tracker": name, "ms": short, "last_to_first": ratio, "grown_mib": grown, "rss": before / 2**20})
    columns = ["tracker", *(f"{size} students (ms)" for size in SIZES), "last to second tenth", "memory since (MiB)"]
    common.print_table(f"Cost per analysed frame; over {args.minutes:g} minutes of {CLASS}", columns, rows)
    return {"cost": made}


def _spent(scene: Scene, name: str) -> Iterator[float]:
    """s that each frame takes."""
    follower = followers()[name](scene.interval_s)
    for t, found, looks in zip(scene.times, scene.found, scene.looks, strict=True):
        begin = time.perf_counter()
        follower.update(t, found, looks)
        yield time.perf_counter() - begin
