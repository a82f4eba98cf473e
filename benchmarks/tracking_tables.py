"""All figures of all trackers on one scene, and the tables that tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks import common, identities
from benchmarks.followers import OURS, Ours, filled, follow, followers, numbered, stitched
from benchmarks.identities import Known, Scene, Scores

ONLINE, OWN, OFFLINE, FILLED = "online", "own boxes", "offline", "filled"
BRIDGED = "online, filled"
Figures = dict[tuple[str, str], Scores]
"""By tracker and step."""

COLUMNS = ["tracker", "step", "HOTA", "DetA", "AssA", "IDF1", "MOTA", "switches", "ids/people"]


def compare(scene: Scene, chosen: Sequence[str]) -> tuple[Figures, list[Known]]:
    """All figures on one scene, and the students that our offline step makes of our tracks."""
    best = numbered(scene, identities.perfect(scene))
    figures: Figures = {("perfect linking", ""): identities.score(scene.truth, best)}
    students: list[Known] = []
    for name in chosen:
        tracks, own = follow(scene, followers()[name](scene.interval_s))
        figures[name, ONLINE] = identities.score(scene.truth, numbered(scene, tracks))
        figures[name, BRIDGED] = identities.score(scene.truth, filled(scene, tracks))
        if own:
            figures[name, OWN] = identities.score(scene.truth, own)
        if name == OURS:  # the pipeline also hands the offline step tracks that are not confirmed
            tracks, _ = follow(scene, Ours(scene.interval_s, confirmed_only=False))
        joined = stitched(scene, tracks)
        figures[name, OFFLINE] = identities.score(scene.truth, numbered(scene, joined))
        figures[name, FILLED] = identities.score(scene.truth, filled(scene, joined))
        if name == OURS:
            students = numbered(scene, joined)
    return figures, students


def mean(figures: Sequence[Figures]) -> dict[tuple[str, str], dict[str, float]]:
    """Means over scenes; counts are summed."""
    made = {}
    for key in figures[0]:
        values = {field: [asdict(scene[key])[field] for scene in figures] for field in asdict(figures[0][key])}
        counts = ("switches", "ids", "people")
        made[key] = {field: sum(each) if field in counts else float(np.mean(each)) for field, each in values.items()}
    return made


def print_scores(title: str, figures: dict[tuple[str, str], dict[str, float]]) -> None:
    """The table of one case."""
    rows = []
    for key, f in figures.items():
        shares = [f"{f[part]:.1f}" for part in ("hota", "det_a", "ass_a", "idf1", "mota")]
        rows.append([*key, *shares, f["switches"], f"{f['ids']}/{f['people']}"])
    common.print_table(title, COLUMNS, rows)


def print_switches(scene: Scene, students: list[Known]) -> None:
    """When whose number changes after our offline step."""
    said = [
        f"{scene.times[s.frame]:.1f} s: person {s.person}, {s.before} → {s.after}"
        for s in identities.switches(scene.truth, students)
    ]
    more = f"; {len(said) - 30} more" if len(said) > 30 else ""
    common.say(f"our offline switches: {'; '.join(said[:30]) or 'none'}{more}")


def on_scenes(scenes: Sequence[Scene], chosen: Sequence[str], title: str = "") -> dict[str, Any]:
    """Compare on each, print the mean (with a title) and the scenes apart, and give the figures for ``--json``."""
    each = {}
    for scene in scenes:
        each[scene.name], students = compare(scene, chosen)
        print_scores(f"{scene.name}: {len(scene.times)} frames", mean([each[scene.name]]))
        print_switches(scene, students)
    if title:
        print_scores(f"{title}: mean of {len(scenes)}, switches and ids in sum", mean(list(each.values())))
    return {name: listed(f) for name, f in each.items()}


def listed(figures: Figures) -> list[dict[str, Any]]:
    """The figures of one scene for ``--json``."""
    return [{"tracker": name, "step": step, **asdict(scores)} for (name, step), scores in figures.items()]
