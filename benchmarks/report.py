"""How long does the report of a long lecture take? Simulated students on the demo clip's picture.

The session has everything a run leaves: 5 observations per student and second, states, unusual spans and a video.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import common
from benchmarks.intervals import lecture
from models.states import Profile, State
from pipeline.session import (
    BOX,
    ENGAGEMENT,
    EVENT_COLUMNS,
    EVENTS,
    FACE_CUES,
    HEAD_BOX,
    HEAD_POSE,
    OBSERVATIONS,
    STATES,
    VIDEO,
    Counts,
    Manifest,
    Session,
    Source,
)
from pipeline.store import open_session
from reports.formula import engagement_table, summary_fields
from reports.report import write_report

RATE = 5


def observations(students: int, seconds: int) -> pd.DataFrame:
    """Still students in rows of ten."""
    step, student = np.meshgrid(np.arange(seconds * RATE), np.arange(1, students + 1), indexing="ij")
    table = pd.DataFrame({"frame": step.ravel() * 2, "t": step.ravel() / RATE, "student": student.ravel()})
    left, top = 20.0 + 125 * ((table["student"] - 1) % 10), 60.0 + 80 * ((table["student"] - 1) // 10)
    for names, wide, high in ((BOX, 60, 90), (HEAD_BOX, 30, 40)):
        table = table.assign(**dict(zip(names, (left, top, left + wide, top + high), strict=True)))
    return table.assign(score=0.9, observed=True, motion=0.05, **dict.fromkeys((*HEAD_POSE, *FACE_CUES), np.nan))


def session(folder: Path, students: int, seconds: int) -> Path:
    """Write a session of simulated students."""
    rng = np.random.default_rng(0)
    states = lecture(rng, rng.normal(0.5, 0.5, students), seconds, 60.0)
    names = [state.value for state in State]
    best = states[[f"p_{name}" for name in names]].to_numpy().argmax(axis=1)
    seen = states["coverage"] > 0
    states = states.assign(state=np.where(seen, np.array(names)[best], "unseen"), why="")
    engagement = engagement_table(states, Profile.FULL)
    with open_session(folder, "long", overwrite=False) as writer:
        writer.write_table(OBSERVATIONS, observations(students, seconds))
        writer.write_table(STATES, states)
        writer.write_table(EVENTS, pd.DataFrame(columns=list(EVENT_COLUMNS)))
        writer.write_table(ENGAGEMENT, engagement)
        shutil.copyfile(common.DEMO_CLIP, writer.folder / VIDEO)
        counts = Counts(students=students, frames=seconds * 10, analysed_frames=seconds * RATE, events=0)
        writer.write_manifest(
            Manifest(
                id="long",
                created="2026-01-01T00:00:00+00:00",
                source=Source(name="long.mp4", sha256="0" * 64),
                fps=10.0,
                width=1280,
                height=720,
                duration=float(seconds),
                software_version="benchmark",
                models={},
                config={},
                profile=Profile.FULL,
                approval="benchmark",
                blur="everyone",
                counts=counts,
                engagement=summary_fields(engagement),
            )
        )
        return writer.commit()


def main() -> None:
    """Time the report, from opening the session to the written PDF."""
    parser = common.parser(__doc__)
    parser.add_argument("--hours", type=float, default=3.0, help="length of the lecture (default: 3)")
    parser.add_argument("--students", type=int, default=80, help="students in it (default: 80)")
    args = parser.parse_args()
    common.print_machine()
    with tempfile.TemporaryDirectory() as folder:
        made = session(Path(folder), args.students, round(args.hours * 3600))
        wall, processor = time.perf_counter(), time.process_time()
        write_report(Session.open(made))
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    common.say(
        f"{args.hours:g} h, {args.students} students: the report took {wall:.1f} s, {processor:.1f} s of processor time"
    )
    common.write_json(args.json, {"wall_s": wall, "processor_s": processor})


if __name__ == "__main__":
    main()
