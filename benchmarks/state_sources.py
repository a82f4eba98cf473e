"""Labelled seconds to judge states by: the demo clip's truth, and the lecture's stills as a slow video.

Each recording is analysed once; states are then computed from its cues as often as settings are tried.
"""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from benchmarks import common
from benchmarks.matching import score
from benchmarks.walk import join_stills
from consent.policy import Blur, cover_policy
from models.state_model import StateSettings, posterior
from models.states import Profile, State
from pipeline.analyse import Analysis, analyse
from pipeline.cues import seconds
from pipeline.detect import UltralyticsDetector
from pipeline.progress import Silent
from pipeline.session import BOX, HEAD_BOX
from pipeline.settings import Settings
from pipeline.video import VideoReader

LEAST_OVERLAP = 0.3
FPS = 10
"""Of the demo clip."""

ON_TASK = ("up", "down")


@dataclass(frozen=True)
class Labelled:
    """Cues of a recording, and what is true in some of its seconds: ``student``, ``t`` (s), ``truth``, ``person``."""

    cues: pd.DataFrame
    truth: pd.DataFrame
    analysis: Analysis

    def states(self, settings: StateSettings, profile: Profile = Profile.FULL) -> pd.DataFrame:
        """The labelled seconds with their posterior; one without a row is left out."""
        found = posterior(self.cues, profile, settings, self.analysis.interval_s)
        return self.truth.merge(found, on=["student", "t"])


def read(video: Path, settings: Settings) -> Analysis:
    """Pass 1 over a recording in which nobody said no."""
    detector = UltralyticsDetector(settings.detect, settings.device)
    with VideoReader(video) as reader:
        return analyse(reader, detector, cover_policy(Blur.NOBODY, []), settings, Silent())


def cues_of(analysis: Analysis, settings: Settings) -> pd.DataFrame:
    """The cue table that pass 1 gave to the state model."""
    return seconds(analysis.observations, analysis.duration_s, analysis.interval_s, settings.cues)


def demo(settings: Settings) -> Labelled:
    """The demo clip: whole seconds of one state, without transitions and without absent, walking, unusual spans."""
    analysis = read(common.DEMO_CLIP, settings)
    frames = common.demo_truth()
    rows = [
        (index // FPS, person["id"], person["state"], person["transition"])
        for index, people in enumerate(frames)
        for person in people
    ]
    table = pd.DataFrame(rows, columns=["t", "person", "truth", "moving"])
    groups = table.groupby(["person", "t"])
    whole = groups.agg(kinds=("truth", "nunique"), moving=("moving", "any"), truth=("truth", "first"), n=("t", "size"))
    known = whole["truth"].isin([state.value for state in State])
    whole = whole[(whole["kinds"] == 1) & ~whole["moving"] & known & (whole["n"] == FPS)].reset_index()
    number = _numbers(analysis.observations, frames)
    whole["student"] = whole["person"].map(number)
    missing = whole["student"].isna()
    if missing.any():
        common.say(f"{int(missing.sum())} labelled seconds are of people who got no number; they are left out")
    truth = whole[~missing].astype({"student": int, "t": float})[["student", "t", "truth", "person"]]
    return Labelled(cues_of(analysis, settings), truth, analysis)


def _numbers(observations: pd.DataFrame, frames: list) -> dict[int, int]:
    """Person of the truth -> the student number that covers that person most often."""
    votes: dict[tuple[int, int], int] = {}
    for frame, rows in observations[observations["observed"]].groupby("frame"):
        people = frames[int(frame)]
        overlap = score(
            np.array([person["visible_bbox"] for person in people], np.float32).reshape(-1, 4),
            rows[list(BOX)].to_numpy(np.float32),
        )[0]
        for a, b in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
            if overlap[a, b] > LEAST_OVERLAP:
                key = (people[a]["id"], int(rows["student"].iloc[b]))
                votes[key] = votes.get(key, 0) + 1
    return {person: student for (person, student), _ in sorted(votes.items(), key=lambda item: item[1])}


def lecture(data: Path, settings: Settings) -> Labelled:
    """The lecture's stills joined to a video of one every 5 s; ``truth`` is the label of the head."""
    with (data / "lecture" / "heads.csv").open(encoding="utf-8") as file:
        heads = pd.DataFrame(list(csv.DictReader(file)))
    heads = heads.astype({"index": int} | dict.fromkeys(("x1", "y1", "x2", "y2"), float))
    with tempfile.TemporaryDirectory() as folder:
        analysis = read(join_stills(data / "lecture", Path(folder) / "stills.mp4"), settings)
    heads["frame"] = heads["index"].rank(method="dense").astype(int) - 1
    parts = []
    for frame, rows in analysis.observations[analysis.observations["observed"]].groupby("frame"):
        true = heads[heads["frame"] == frame]
        overlap = score(true[["x1", "y1", "x2", "y2"]].to_numpy(np.float32), rows[list(HEAD_BOX)].to_numpy(np.float32))[
            0
        ]
        a, b = linear_sum_assignment(overlap, maximize=True)
        good = overlap[a, b] > LEAST_OVERLAP
        student = rows["student"].to_numpy()[b[good]]
        middle = np.floor(rows["t"].to_numpy()[b[good]] + analysis.interval_s / 2)
        parts.append(pd.DataFrame({"student": student, "t": middle, "truth": true["label"].to_numpy()[a[good]]}))
    truth = pd.concat(parts, ignore_index=True)
    common.say(f"{len(truth)} of {len(heads)} labelled heads are of students found there")
    truth = truth.assign(person=truth["student"], on_task=truth["truth"].isin(ON_TASK))
    return Labelled(cues_of(analysis, settings), truth, analysis)
