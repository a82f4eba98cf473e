"""Events of the scorer of unusual behaviour where they are known: false alarms on ordinary material, and the demo.

Ordinary material: simulated classes of other seeds than the shipped windows; real lessons (FineEdu) without the
students who have a rare label, boxes linked by overlap, each sampled frame taken as a second. Nobody looked at these
lessons for events, so what is flagged there may be worth a look after all: the rate is an upper bound of false alarms.
Sessions made by ``engage run`` or ``engage demo`` are listed with ``--sessions``. Takes a quarter of an hour;
``--only`` a part of it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import SEED, demo_truth, parser, print_machine, print_table, say, write_json
from benchmarks.lessons import RARE_ACTIONS, RARE_POSES, linked
from models.anomaly import FROM_LECTURE, PRIOR, AnomalySettings, Prior, load_prior, score_seconds, spans_of
from models.ordinary import simulated
from models.scorer import Scorer
from models.training.anomaly import make_prior
from models.windows import departures, windows
from pipeline.places import places_by_second
from pipeline.session import Session

ASKED = (1.0, 4.0)
"""False alarms per student-hour: the default, and one that short lessons can show better."""

CLASSES = ((12, 600, 8), (12, 3600, 2), (40, 3600, 1), (12, 40, 30))
"""Students, seconds and how many of each simulated class."""

PARTS = ("sessions", "simulated", "lessons", "training")
FIRST_SEED = 1000
LEAST_FRAMES, LEARNED_LESSONS = 20, 10
SEAT, CLIMBS = "C3", ("standing_up", "climbing_on_chair", "waving_both_arms", "getting_down", "sitting_down")


def alarms(lectures: Iterable[pd.DataFrame], prior: Prior) -> tuple[float, np.ndarray]:
    """Student-hours seen, and the spans flagged at each rate of ``ASKED``."""
    hours, found = 0.0, np.zeros(len(ASKED), int)
    for places in lectures:
        scored = score_seconds(places, AnomalySettings(), prior)
        if scored is None:
            continue
        hours += float(scored.made.seen.sum()) / 3600
        found += [len(spans_of(scored, AnomalySettings(false_alarms_per_hour=rate), prior.tail)) for rate in ASKED]
    return hours, found


def lessons(students: pd.DataFrame) -> list[pd.DataFrame]:
    """What ``models.windows.departures`` reads, of each lesson; a frame is a second, a box's top the head."""
    rows = students.rename(columns={"x1": "a", "y1": "b", "x2": "c", "y2": "d"}).reset_index(drop=True)
    rows["student"] = linked(rows) + 1
    rare = rows["pose"].isin(RARE_POSES) | rows["action"].isin(RARE_ACTIONS)
    by_student = rows.groupby("student")["student"]
    ordinary = ~rare.groupby(rows["student"]).transform("any") & (by_student.transform("size") >= LEAST_FRAMES)
    rows = rows[ordinary].sort_values(["student", "frame"])
    places = pd.DataFrame(
        {
            "student": rows["student"],
            "t": rows["frame"].astype(float),
            "x": (rows["a"] + rows["c"]) / 2,
            "y": rows["b"],
            "height": rows["d"] - rows["b"],
            "width": rows["c"] - rows["a"],
        }
    )
    step = places.groupby("student")[["t", "x", "y"]].diff()
    places["motion"] = np.hypot(step["x"], step["y"]) / places["height"] / step["t"]
    return [table for _, table in places.groupby(rows["video"])]


def real_lessons(path: Path, most: int) -> list[list[Any]]:
    """Rows of the table: lessons drawn at random, judged with the shipped windows and with windows of other lessons."""
    tables = lessons(pd.read_parquet(path))
    order = np.random.default_rng(SEED).permutation(len(tables))
    judged, others = ([tables[place] for place in part] for part in np.split(order, [most]))
    own = make_prior(others[:LEARNED_LESSONS], AnomalySettings())
    return [
        _row(f"{len(judged)} real lessons, shipped windows", *alarms(judged, load_prior(PRIOR))),
        _row(f"the same, windows of {len(others[:LEARNED_LESSONS])} others", *alarms(judged, own)),
    ]


def simulated_classes() -> list[list[Any]]:
    """Rows of the table."""
    rows, seed = [], FIRST_SEED
    for students, seconds, count in CLASSES:
        classes = [simulated(students, seconds, seed + place) for place in range(count)]
        seed += count
        rows.append(_row(f"{count} × {students} simulated students, {seconds} s", *alarms(classes, load_prior(PRIOR))))
    return rows


def _row(name: str, hours: float, found: np.ndarray) -> list[Any]:
    row = [name, f"{hours:.1f}", *(f"{count} ({count / hours:.2f})" for count in found)]
    say(", ".join(row))  # the table comes late
    return row


def demo_overlap(events: pd.DataFrame) -> float:
    """Intersection over union of the first event's span with the truth of who climbs on the chair."""
    times = [
        index / 10
        for index, people in enumerate(demo_truth())
        for one in people
        if one["seat"] == SEAT and one["action"] in CLIMBS
    ]
    start, end = min(times), max(times) + 0.1
    first = events.iloc[0]
    shared = max(0.0, min(end, first["end"]) - max(start, first["start"]))
    return shared / (max(end, first["end"]) - min(start, first["start"]))


def sessions(folder: Path) -> list[dict[str, Any]]:
    """Every event of every session, with its student-hours."""
    found = []
    for path in sorted(path.parent for path in folder.rglob("session.json")):
        session = Session.open(path)
        places = places_by_second(session.observations)
        prior = load_prior(PRIOR)
        scored = score_seconds(places, AnomalySettings(), prior)
        if scored is None:
            say(f"{path.name}: nobody was seen")
            continue
        events, hours = spans_of(scored, AnomalySettings(), prior.tail), len(places) / 3600
        students = int(scored.made.seen.any(axis=1).sum())
        say(f"{path.name}: {students} students, {hours:.2f} student-hours, {len(events)} events")
        for event in events.itertuples():
            say(
                f"  student {event.student}, {event.start:.0f} to {event.end:.0f} s, score {event.score:.1f}"
                f" (threshold {event.threshold:.1f}): {event.why}"
            )
        highest = np.sort(np.nanmax(scored.values, axis=1, initial=-np.inf))[::-1][:2]
        say(f"  highest scores of two students: {', '.join(f'{value:.1f}' for value in highest)}")
        if len(events) and session.manifest.source.name == "classroom.mp4":
            say(f"  first event and the truth of {SEAT}: intersection over union {demo_overlap(events):.2f}")
        found.append({"session": path.name, "hours": hours, "events": events.to_dict("records")})
    return found


def seconds_of_training(repeats: int = 3) -> dict[str, float]:
    """To learn from an hour of 40 students: mean seconds on the clock, and of computing on all cores together."""
    places = simulated(40, 3600, FIRST_SEED - 1)
    prior = load_prior(PRIOR)
    clock, computing = time.perf_counter(), time.process_time()
    for repeat in range(repeats):
        rows, _ = windows(departures(places), AnomalySettings().window_s)
        chosen = np.random.default_rng(repeat).permutation(len(rows))[:FROM_LECTURE]
        Scorer(seed=repeat).fit(np.concatenate([rows[chosen], prior.rows]))
    return {
        "clock_s": (time.perf_counter() - clock) / repeats,
        "computing_s": (time.process_time() - computing) / repeats,
    }


def main() -> None:
    """Print the tables."""
    made = parser(__doc__)
    made.add_argument("--sessions", type=Path, metavar="DIR", help="also list the events of the sessions in it")
    made.add_argument("--only", choices=PARTS, help="one part of it")
    made.add_argument("--lessons", type=int, default=50, help="real lessons to judge (default: 50)")
    given = made.parse_args()
    warnings.filterwarnings("ignore")
    print_machine()
    chosen = PARTS if given.only is None else (given.only,)
    figures: dict[str, Any] = {}
    if "sessions" in chosen and given.sessions is not None:
        figures["sessions"] = sessions(given.sessions)
    rows = simulated_classes() if "simulated" in chosen else []
    path = given.data / "fineedu" / "students.parquet"
    if "lessons" in chosen and path.is_file():
        rows += real_lessons(path, given.lessons)
    if rows:
        columns = ["material", "student-hours", *(f"{rate:.0f} per hour asked for" for rate in ASKED)]
        print_table("Alarms on ordinary material: spans flagged (per student-hour)", columns, rows)
        figures["alarms"] = rows
    if "training" in chosen:
        taken = seconds_of_training()
        say(
            f"\nLearning from an hour of 40 students: {taken['clock_s']:.1f} s on the clock,"
            f" {taken['computing_s']:.1f} s of computing (means of 3)"
        )
        figures["training"] = taken
    write_json(given.json, figures)


if __name__ == "__main__":
    main()
