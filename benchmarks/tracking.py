"""Does everybody keep one number? Our tracker and its peers on the same boxes, before and after the offline step.

Cases (``--only``): MOT15 with public detections; PETS09-S2L1 and the demo clip with our detector; the demo clip looped
and a simulated class, by switches per student-hour; the cost per analysed frame. Rows: *online* as the tracker says it,
*own boxes* where it also smooths them, *offline* our joining of tracks, *filled* with short gaps filled.
Run: ``python -m benchmarks.tracking``; ``trackers`` and ``supervision`` are compared with where they are installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import common, identities
from benchmarks.followers import OURS, Ours, filled, follow, followers, numbered, stitched
from benchmarks.identities import Known, Scene, Scores
from benchmarks.simulated_class import simulate
from pipeline import appearance
from pipeline.detect import DetectSettings, UltralyticsDetector
from pipeline.settings import Settings
from pipeline.video import VideoReader

ONLINE, OWN, OFFLINE, FILLED = "online", "own boxes", "offline", "filled"
Figures = dict[tuple[str, str], Scores]
"""By tracker and step."""

SIZES = (10, 40, 80)
TRUTH_MISSED, TRUTH_NOISE = 0.1, 0.04
"""What is done to true boxes: share taken away; standard deviation of each side."""

CLASS, CLASS_RATE = 60, 2.0
"""Students of the long class, and its analysed frames per second: the fewest the tracker is made for, for speed."""

COLUMNS = ["tracker", "step", "HOTA", "DetA", "AssA", "IDF1", "MOTA", "switches", "ids/people"]


def filmed(name: str, video: Path, truth: list[Known], rate: float) -> Scene:
    """What our detector and our looks say of a video, ``rate`` frames per second, beside its truth."""
    detector = UltralyticsDetector(DetectSettings(behaviour=False))
    times, found, looks, people = [], [], [], []
    with VideoReader(video) as reader:
        for frame in reader.frames(rate):
            boxes = detector.detect([frame.image])[0]
            times.append(frame.t)
            found.append(boxes)
            looks.append(appearance.describe(frame.image, boxes.boxes_xyxy))
            people.append(truth[frame.index])
        interval = 1 / min(rate, reader.info.fps)
    return Scene(f"{name}, {rate:g} frames/s", interval, times, found, looks, people)


def looped(scene: Scene, minutes: float) -> Scene:
    """The scene again and again."""
    length = len(scene.times) * scene.interval_s
    times = round(60 * minutes / length)
    clock = [t + round_ * length for round_ in range(times) for t in scene.times]
    parts = (scene.found * times, scene.looks * times, scene.truth * times)
    return Scene(f"{scene.name}, looped to {minutes:g} min", scene.interval_s, clock, *parts)


def compare(scene: Scene, chosen: Sequence[str]) -> tuple[Figures, list[Known]]:
    """All figures on one scene, and the students that our offline step makes of our tracks."""
    best = numbered(scene, identities.perfect(scene))
    figures: Figures = {("perfect linking", ""): identities.score(scene.truth, best)}
    students: list[Known] = []
    for name in chosen:
        tracks, own = follow(scene, followers()[name](scene.interval_s))
        figures[name, ONLINE] = identities.score(scene.truth, numbered(scene, tracks))
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


def mot15(args: Any, chosen: Sequence[str]) -> dict[str, Any] | None:
    """The five sequences with public detections."""
    folders = sorted((args.data / "tracking" / "MOT15").glob("*/seqinfo.ini"))
    return on_scenes([identities.mot15(path.parent) for path in folders], chosen, "MOT15") if folders else None


def pets(args: Any, chosen: Sequence[str]) -> dict[str, Any] | None:
    """PETS09-S2L1 with our detector, at its own rate and at the pipeline's."""
    video = args.data / "tracking" / "PETS09-S2L1.avi"
    if not video.is_file():
        return None
    truth = identities.read_mot(video.with_name("PETS09-S2L1_gt.txt"), 795)
    rates = (10.0, Settings().rate)
    return on_scenes([filmed(video.stem, video, truth, rate) for rate in rates], chosen)


def demo(args: Any, chosen: Sequence[str]) -> dict[str, Any]:
    """The demo clip: with our detector, with the true boxes, and with those moved a little and partly missed."""
    scene = _demo()
    true = _with_boxes(scene, "true boxes", lambda boxes: boxes)
    random = np.random.default_rng(common.SEED)

    def worse(boxes: np.ndarray) -> np.ndarray:
        kept = boxes[random.random(len(boxes)) >= TRUTH_MISSED]
        return kept + TRUTH_NOISE * (kept[:, 3:] - kept[:, 1:2]) * random.standard_normal(kept.shape)

    noise = f"true boxes, {TRUTH_MISSED:.0%} missed, sides off by {TRUTH_NOISE:.0%} of the height"
    return on_scenes([scene, true, _with_boxes(scene, noise, worse)], chosen)


def _with_boxes(scene: Scene, name: str, change: Callable[[np.ndarray], np.ndarray]) -> Scene:
    """The demo clip's scene with boxes made from the true ones instead of found ones."""
    found = [change(boxes) for _, boxes in scene.truth]
    with VideoReader(common.DEMO_CLIP) as reader:
        frames = reader.frames(1 / scene.interval_s)
        looks = [appearance.describe(frame.image, boxes) for frame, boxes in zip(frames, found, strict=True)]
    given = [identities.detections(boxes, np.ones(len(boxes))) for boxes in found]
    return replace(scene, name=f"{scene.name}, {name}", found=given, looks=looks)


def _demo() -> Scene:
    return filmed("demo", common.DEMO_CLIP, identities.demo_truth(), Settings().rate)


def per_hour(args: Any, chosen: Sequence[str]) -> dict[str, Any]:
    """Switches per student-hour on long lectures."""
    scenes = [looped(_demo(), args.demo_minutes), simulate(CLASS, args.minutes, CLASS_RATE, common.SEED)]
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


CASES: dict[str, Callable[[Any, Sequence[str]], dict[str, Any] | None]] = {
    "mot15": mot15,
    "pets": pets,
    "demo": demo,
    "hours": per_hour,
    "cost": cost,
}


def main() -> None:
    """Compare on what is there and print the tables."""
    parser = common.parser(__doc__)
    parser.add_argument("--only", action="append", choices=list(CASES), help="only this case (may be repeated)")
    parser.add_argument("--trackers", nargs="+", choices=list(followers()), help="only these trackers (default: all)")
    parser.add_argument("--minutes", type=float, default=90, help="length of the simulated class (default: 90)")
    parser.add_argument("--demo-minutes", type=float, default=20, help="length of the looped demo clip (default: 20)")
    args = parser.parse_args()
    common.print_machine()
    figures: dict[str, Any] = {}
    for name in args.only or CASES:
        made = CASES[name](args, args.trackers or list(followers()))
        if made is None:
            common.say(f"{name}: its recordings are not in the data folder: left out")
        else:
            figures[name] = made
    common.write_json(args.json, {"minutes": args.minutes, **figures})


if __name__ == "__main__":
    main()
