"""Small sessions with a real annotated video and the recording it was made from, made on the spot."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from clips import make_clip

from consent.policy import CoverPolicy
from models.states import Profile, State
from pipeline.analyse import Analysis
from pipeline.anonymise import regions_to_cover
from pipeline.encode import VideoWriter
from pipeline.progress import Silent
from pipeline.render import class_by_second, render
from pipeline.session import (
    BOX,
    ENGAGEMENT,
    EVENTS,
    FACE_CUES,
    HEAD_BOX,
    HEAD_POSE,
    OBSERVATIONS,
    STATES,
    VIDEO,
    EngagementSummary,
    Manifest,
    Session,
)
from pipeline.settings import Settings
from pipeline.store import open_session
from pipeline.video import VideoReader
from reports.formula import engagement_table, summary_fields
from reports.report import write_report

WIDTH, HEIGHT, FPS = 320, 240, 10
COURSE = "Birds 101"
HEAD = (255, 90, 10)
"""Of the made-up people, BGR; nothing else in the picture is so blue."""

SETTINGS = Settings.model_validate(
    {"rate": 5, "withhold_below": 1, "audit": {"rate": 1}, "video_preset": "ultrafast", "video_quality": 12}
)


def place(student: int, second: float = 0.0) -> tuple[int, int, int, int]:
    """The body box of a student, px: 1 and 2 sit still, 3 drifts to the right."""
    left = 20 + 100 * (student - 1) + (round(4 * second) if student == 3 else 0)
    return left, 70, left + 70, 220


def head(student: int, second: float = 0.0) -> tuple[int, int, int, int]:
    """The head box of a student, px."""
    x1, y1, x2, _ = place(student, second)
    return x1 + 20, y1 + 2, x2 - 20, y1 + 36


def zone(student: int) -> tuple[float, float, float, float]:
    """The seat of a student, shares of the picture."""
    x1, _, x2, _ = place(student)
    return (x1 - 10) / WIDTH, 0.2, (x2 + 15) / WIDTH, 1.0


def recording(path: Path, seconds: int = 3, students: int = 3, sound: bool = False) -> Path:
    """A recording of people with blue heads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = ("aac", 0.0, float(seconds)) if sound else None
    ticks = range(0, seconds * 1000, 1000 // FPS)
    blank = make_clip(
        path.with_suffix(".blank.mp4"), ticks, Fraction(1, 1000), rate=FPS, size=(WIDTH, HEIGHT), audio=audio
    )
    with (
        VideoReader(blank) as reader,
        VideoWriter(path, reader.info, audio_from=blank if sound else None, crf=10, preset="ultrafast") as writer,
    ):
        for frame in reader.frames():
            image = np.full((HEIGHT, WIDTH, 3), (150, 170, 160), np.uint8)
            for student in range(1, students + 1):
                x1, y1, x2, y2 = place(student, frame.t)
                cv2.rectangle(image, (x1 + 5, y1 + 30), (x2 - 5, y2), (90, 110, 100), cv2.FILLED)
                x1, y1, x2, y2 = head(student, frame.t)
                cv2.rectangle(image, (x1, y1), (x2, y2), HEAD, cv2.FILLED)
            writer.write(frame, image)
    blank.unlink()
    return path


def observations(seconds: int, students: int) -> pd.DataFrame:
    """What pass 1 would have found, 5 times a second."""
    rows = []
    for index in range(0, seconds * FPS, 2):
        t = index / FPS
        for student in range(1, students + 1):
            boxes = dict(zip((*BOX, *HEAD_BOX), (*place(student, t), *head(student, t)), strict=True))
            rows.append(
                {"frame": index, "t": t, "student": student, "score": 0.9, "observed": True, "motion": 0.1} | boxes
            )
    table = pd.DataFrame(rows, columns=["frame", "t", "student", *BOX, *HEAD_BOX])
    table = table.assign(**dict.fromkeys((*HEAD_POSE, *FACE_CUES), np.nan))
    return table.assign(score=0.9, observed=True, motion=0.1, eye_open=0.8).astype(
        {"student": np.int32, "frame": np.int32}
    )


def states(seconds: int, students: int) -> pd.DataFrame:
    """Every student in another state, which gives the class an index that changes when one is gone."""
    names = [state.value for state in State]
    rows = []
    for t in range(seconds):
        for student in range(1, students + 1):
            sure = {f"p_{name}": 0.02 for name in names} | {f"p_{names[student % 6]}": 0.9}
            rows.append(
                {"t": t, "student": student, "state": names[student % 6], "coverage": 0.8, "why": "made up"} | sure
            )
    return pd.DataFrame(rows, columns=["t", "student", "state", "coverage", "why", *(f"p_{name}" for name in names)])


def score(table: pd.DataFrame, profile: Profile) -> tuple[pd.DataFrame, EngagementSummary]:
    """The engagement formula with the weights it ships with."""
    engagement = engagement_table(table, profile, withhold_below=SETTINGS.withhold_below)
    return engagement, EngagementSummary.model_validate(summary_fields(engagement))


def lecture(
    out: Path,
    name: str = "birds",
    *,
    seconds: int = 3,
    students: int = 3,
    sound: bool = False,
    covered: tuple[int, ...] = (),
    size: tuple[int, int] = (WIDTH, HEIGHT),
    **manifest: Any,
) -> tuple[Path, Path]:
    """Write session ``out/name`` and its recording ``out/../recordings/name.mp4``; returns both.

    ``covered`` students said no before: their heads are covered and they have no rows. Further keywords replace
    fields of the manifest.
    """
    source = recording(out.parent / "recordings" / f"{name}.mp4", seconds, students, sound)
    everybody = observations(seconds, students)
    spoken = states(seconds, students)
    hidden = everybody["student"].isin(covered)
    spoken = spoken[~spoken["student"].isin(covered)].reset_index(drop=True)
    left = [student for student in range(1, students + 1) if student not in covered]
    events = pd.DataFrame(
        [(0.5, 2.0, student, 4.0, 3.0, "motion") for student in left],
        columns=["start", "end", "student", "score", "threshold", "why"],
    )
    with VideoReader(source) as reader:
        info = reader.info
    analysis = Analysis(
        info=info, frames=seconds * FPS, duration_s=float(seconds), interval_s=0.2, analysed_frames=seconds * 5,
        observations=everybody[~hidden].reset_index(drop=True), states=spoken, events=events,
        covers=regions_to_cover(everybody[hidden], SETTINGS.cover), students=len(left), warnings=[],
        policy=CoverPolicy(False, (), ""),
    )  # fmt: skip
    engagement, mean = score(spoken, Profile.FULL)
    fields: dict[str, Any] = {
        "id": name,
        "created": "2026-03-14T09:26:53+00:00",
        "source": {"name": source.name, "sha256": hashlib.sha256(source.read_bytes()).hexdigest()},
        "fps": float(FPS), "width": WIDTH, "height": HEIGHT, "duration": float(seconds),
        "software_version": "0.1.0", "models": {}, "config": SETTINGS.model_dump(mode="json"), "profile": "full",
        "course": COURSE, "approval": "approval-1", "blur": "opted-out",
        "audit": "passed" if covered else "not covered: nobody had to be",
        "counts": {
            "students": len(left), "frames": seconds * FPS, "analysed_frames": seconds * 5, "events": len(events)
        },
        "engagement": mean.model_dump(),
    }  # fmt: skip
    with open_session(out, name, overwrite=False) as writer:
        kept = SETTINGS.model_copy(update={"keep_audio": sound})
        render(source, writer.folder / VIDEO, analysis, class_by_second(engagement), kept, Silent())
        writer.write_table(OBSERVATIONS, analysis.observations)
        writer.write_table(STATES, spoken)
        writer.write_table(EVENTS, events)
        writer.write_table(ENGAGEMENT, engagement)
        writer.write_manifest(Manifest.model_validate(fields | manifest))
        write_report(Session.open(writer.folder))
        return writer.commit(), source


def blue(video: Path, student: int) -> list[float]:
    """Share of a student's head that shows in each frame of a video, by its colour."""
    shares = []
    with VideoReader(video) as reader:
        for frame in reader.frames():
            x1, y1, x2, y2 = head(student, frame.t)
            area = frame.image[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].astype(int)
            shares.append(float((np.abs(area - HEAD).max(axis=2) < 60).mean()))
    return shares
