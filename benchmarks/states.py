"""Six states per student and second: how often right, how far to be believed, what each cue is worth, what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from benchmarks import common, state_rooms
from benchmarks.state_figures import auc, macro_f1, named, over_students, print_calibration, print_named
from benchmarks.state_sources import Labelled, demo, lecture
from models.calibration import calibration_error, reliability, temper
from models.evidence import CUE_NAMES
from models.state_model import StateSettings, posterior
from models.states import Profile, State
from pipeline.analyse import Analysis
from pipeline.cues import seconds
from pipeline.settings import Settings

SIX = tuple(state.value for state in State)
OFF_TASK = (State.DISTRACTED, State.DISCUSSING)
"""In the lecture nobody is asked to discuss: heads turned to each other are labelled as looking around."""

TURNED_DEG = 25.0
"""Half way up the ramp of heads turned aside."""

CLASS, RATE, MINUTES = 40, 5, 10
"""What the cost is asked for: students, analysed frames per second, length."""


def on_task(rows: pd.DataFrame) -> pd.Series:
    """Probability that a student is on task."""
    return 1 - rows[[f"p_{state.value}" for state in OFF_TASK]].sum(axis=1, skipna=False)


def judge_demo(labelled: Labelled, settings: StateSettings) -> dict[str, Any]:
    """Six states on the demo clip."""
    figures = named(labelled.states(settings), SIX)
    print_named("Demo clip (rendered; nothing is fitted on it)", figures, SIX)
    print_calibration("Demo clip", figures)
    return figures


def lecture_rows(labelled: Labelled, settings: StateSettings) -> pd.DataFrame:
    """Labelled heads of the lecture with their posterior and ``score``, where they were seen."""
    rows = labelled.states(settings)
    return rows.assign(score=on_task(rows)).dropna(subset=["score"])


def judge_lecture(labelled: Labelled, settings: StateSettings) -> dict[str, Any]:
    """On task or off task in a real lecture; a temperature fitted on its first half is tried on the second."""
    rows = lecture_rows(labelled, settings)
    on, later = rows["on_task"].to_numpy(), (rows["t"] > rows["t"].median()).to_numpy()
    six = rows[[f"p_{name}" for name in SIX]].to_numpy(float)
    temperature = _binary_temperature(six[~later], on[~later])
    before, after = _sure(six, on), _sure(temper(six, temperature), on)
    figures = {
        "heads": len(rows),
        "labelled": len(labelled.truth),
        "turned": _turned(labelled),
        "on_task": int(on.sum()),
        "auc": over_students(rows, lambda part: auc(part, "score", "on_task")),
        "ece": calibration_error(*before),
        "reliability": reliability(*before),
        "first_half_temperature": temperature,
        "second_half_ece": calibration_error(before[0][later], before[1][later]),
        "second_half_ece_tempered": calibration_error(after[0][later], after[1][later]),
        "answers": pd.crosstab(rows["truth"], rows["state"]).to_dict("index"),
    }
    common.say(
        f"\nLecture stills: {figures['heads']} heads, {figures['on_task']} on task; AUC"
        f" {common.with_interval(figures['auc'])}; ECE {figures['ece']:.3f}; temperature of the first half"
        f" {temperature:.2f}, ECE of the second {figures['second_half_ece']:.3f}, with it"
        f" {figures['second_half_ece_tempered']:.3f}"
    )
    for label, (found, read, turned) in figures["turned"].items():
        common.say(f"{label}: {found} heads found, {read:.0%} read, {turned:.0%} read as turned by 25 deg or more")
    common.print_table(
        "Lecture stills: label by row, answer by column",
        ["label", *SIX],
        [[label, *(counts.get(name, 0) for name in SIX)] for label, counts in figures["answers"].items()],
    )
    return figures


def _turned(labelled: Labelled) -> dict[str, tuple[int, float, float]]:
    """Of the heads of each label: how many were found, the share whose direction was read, and the share turned."""
    rows = labelled.truth.merge(labelled.cues, on=["student", "t"])
    return {
        str(label): (len(own), float(own["yaw"].notna().mean()), float((own["yaw"].abs() >= TURNED_DEG).mean()))
        for label, own in rows.groupby("truth")
    }


def _sure(six: np.ndarray, on: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence in on task or off task, and whether that is right."""
    chance = 1 - six[:, [SIX.index(state.value) for state in OFF_TASK]].sum(axis=1)
    return np.maximum(chance, 1 - chance), (chance >= 0.5) == on


def _binary_temperature(six: np.ndarray, on: np.ndarray) -> float:
    """The temperature of the six states under which being on task or off task is told with the least log loss."""

    def loss(log_temperature: float) -> float:
        sure, right = _sure(temper(six, float(np.exp(log_temperature))), on)
        return -float(np.log(np.clip(np.where(right, sure, 1 - sure), 1e-12, None)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-1.5, 3.0), method="bounded").x))


def ablate(demo_clip: Labelled, stills: Labelled | None, settings: StateSettings) -> list[dict[str, Any]]:
    """Each cue left out once; smoothing and the personal baseline off."""
    tried: dict[str, dict[str, Any]] = {"all": {}, "smoothing off": {"smoothing": False}}
    tried |= {"personal baseline off": {"personal": False}} | {
        f"without {name}": {"without": (name,)} for name in CUE_NAMES
    }
    table = []
    for name, change in tried.items():
        changed, row = settings.model_copy(update=change), {"what": name}
        row["demo macro-F1"] = over_students(demo_clip.states(changed), lambda part: macro_f1(part, SIX))
        if stills is not None:
            row["lecture AUC"] = over_students(
                lecture_rows(stills, changed), lambda part: auc(part, "score", "on_task")
            )
        table.append(row)
    columns = list(table[0])
    cells = [[row["what"], *(common.with_interval(row[name], 2) for name in columns[1:])] for row in table]
    common.print_table("What each part is worth", columns, cells)
    return table


def cost(analysis: Analysis, settings: Settings) -> dict[str, float]:
    """Time of cues and states for a class of 40, made by repeating the demo's students side by side and in time."""
    source, students = analysis.observations, analysis.students
    parts = []
    for copy in range(-(-CLASS // students)):
        for lap in range(-(-MINUTES * 60 // int(analysis.duration_s))):
            moved = source.assign(
                student=source["student"] + copy * students, t=source["t"] + lap * analysis.duration_s
            )
            parts.append(moved.assign(x1=moved["x1"] + 5000 * copy, x2=moved["x2"] + 5000 * copy))
    rows = pd.concat(parts).sort_values(["student", "t"], ignore_index=True)
    rows = rows[rows["student"] <= CLASS]
    length = float(np.ceil(rows["t"].max()))
    begun = time.perf_counter()
    table = seconds(rows, length, analysis.interval_s, settings.cues)
    between = time.perf_counter()
    posterior(table, Profile.FULL, settings.states, analysis.interval_s)
    spent = time.perf_counter()
    # faces are read ahead, while detection is waited for, so the two cannot be told apart any more
    reading = analysis.stage_seconds["detect"] + analysis.stage_seconds["faces"]
    per_look = reading / max(int(source["observed"].sum()), 1)
    figures = {
        "student_frames": len(rows),
        "cues_us": 1e6 * (between - begun) / len(rows),
        "states_us": 1e6 * (spent - between) / len(rows),
        "reading_ms": 1e3 * per_look,
        "share_of_real_time": (spent - begun) / length + per_look * CLASS * RATE,
    }
    common.say(
        f"\nCost: {len(rows)} student-frames ({CLASS} students, {length / 60:.0f} min): cues"
        f" {figures['cues_us']:.0f} µs,"
        f" states {figures['states_us']:.0f} µs per student-frame; finding and reading people in pass 1"
        f" {figures['reading_ms']:.1f} ms; {CLASS} students at {RATE} frames/s take"
        f" {figures['share_of_real_time']:.2f} of real time"
    )
    return figures


def main() -> None:
    """Measure what is there and print the tables."""
    parser = common.parser(__doc__)
    parser.add_argument(
        "--folds", type=Path, default=Path("runs/rooms"), help="weights of benchmarks.rooms, and head networks"
    )
    parser.add_argument(
        "--only", nargs="+", choices=["demo", "lecture", "rooms", "ablation", "cost"], help="parts to run"
    )
    args = parser.parse_args()
    common.print_machine()
    wanted = set(args.only or ["demo", "lecture", "rooms", "ablation", "cost"])
    settings, figures, sources = Settings(), {}, {}
    if wanted & {"demo", "ablation", "cost"}:
        sources["demo"] = demo(settings)
    if wanted & {"lecture", "ablation"}:
        if (args.data / "lecture" / "heads.csv").is_file():
            sources["lecture"] = lecture(args.data, settings)
        else:
            common.say(f"{args.data / 'lecture'}: not there, left out")
    steps: dict[str, Callable[[], Any]] = {
        "demo": lambda: judge_demo(sources["demo"], settings.states),
        "lecture": lambda: judge_lecture(sources["lecture"], settings.states) if "lecture" in sources else None,
        "rooms": lambda: state_rooms.judge(args.data, args.folds, settings),
        "ablation": lambda: ablate(sources["demo"], sources.get("lecture"), settings.states),
        "cost": lambda: cost(sources["demo"].analysis, settings),
    }
    for name, step in steps.items():
        if name in wanted:
            figures[name] = step()
    common.write_json(args.json, figures)


if __name__ == "__main__":
    main()
