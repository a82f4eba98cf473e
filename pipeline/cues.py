"""From what was seen in single frames to one row of cues per student and second; docs/cues.md tells of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.state_model import CUE_COLUMNS
from pipeline.cue_settings import MIN_HEAD_PX, CueSettings
from pipeline.cue_windows import eye_windows, mouth_windows, still_seconds
from pipeline.forward import common_turn, forward_directions, mutual_facing
from pipeline.session import BEHAVIOUR_PREFIX, EXTRA_COLUMNS, FACE_CUES, HEAD_BOX, HEAD_POSE

BROW_DOWN = (0.0, 0.3)
"""``brow`` taken as no and as full frown: two standard deviations of the reading on one face at rest."""
BOWED = (0.0, 20.0)
"""Deg below ahead: not bowed, and bowed to something held in the hands."""
OVER_DESK = (10.0, 25.0)
"""Deg below ahead: not bowed, and bowed over the desk; a notebook lies 35 to 50 deg down, the eyes take 5 to 10."""
WRITES = (0.01, 0.06)
"""Share of the desk region that moves: noise, and a hand that writes (a hand is a tenth of the region)."""

ROWS_AT_ONCE = 100_000
"""Rows of which cues are made at once: a student of three hours has half as many; more would only take memory."""

__all__ = ["CueSettings", "add_motion", "seconds"]


def add_motion(observations: pd.DataFrame) -> pd.Series:
    """Speed of each student's head end of the box, in body heights per second; NaN in a student's first row.

    Args:
        observations: rows with ``student``, ``t`` and the body box, in time order within each student.

    Returns:
        aligned with ``observations``; a median of five steps, because a single box that jumps makes two large ones.
    """
    height = (observations["y2"] - observations["y1"]).clip(lower=1.0)
    by_student = observations.assign(middle=(observations["x1"] + observations["x2"]) / 2).groupby(
        "student", sort=False
    )
    step = by_student[["t", "middle", "y1"]].diff()
    speed = np.hypot(step["middle"], step["y1"]) / height / step["t"].where(step["t"] > 0)
    smooth = speed.groupby(observations["student"], sort=False).rolling(5, center=True, min_periods=1).median()
    return smooth.droplevel(0).reindex(observations.index).where(speed.notna()).astype(np.float32)


def seconds(observations: pd.DataFrame, duration_s: float, interval_s: float, settings: CueSettings) -> pd.DataFrame:
    """Cues per student and second.

    Args:
        observations: see ``pipeline.session.OBSERVATION_COLUMNS``; those of ``EXTRA_COLUMNS`` that are there.
        duration_s: of the lecture; every student has a row for each of its seconds.
        interval_s: time between analysed frames, s.
        settings: how cues are read.

    Returns:
        rows of ``models.state_model.CUE_COLUMNS`` plus the detector's ``behaviour_<name>``.
    """
    count = max(1, int(np.ceil(duration_s - 1e-6)))
    enough = min(settings.baseline_s, duration_s / 2) / interval_s  # in a short clip even half of it has to do
    parts = [_Part.of(rows, count, duration_s, interval_s, enough) for rows in _some_students(observations)]
    table = pd.concat([part.mean for part in parts], ignore_index=True)
    usual = pd.concat([part.usual for part in parts])
    behaviours = [column for column in table if column.startswith(BEHAVIOUR_PREFIX)]
    table["usually_seen"] = table["student"].map(usual["seen"])
    angles = pd.concat([part.angles for part in parts], ignore_index=True)
    forward, class_forward = forward_directions(angles, settings, enough)
    for column in HEAD_POSE:
        table[f"{column}_class"] = table[column] - class_forward[column]
        table[column] = table[column] - table["student"].map(forward[column])
    table["yaw"] = table["yaw"] - table["second"].map(common_turn(table, settings))
    for column, own in (("eye_open", "eye_own"), ("mouth_open", "mouth_own"), ("brow_furrow", "brow")):
        table[own] = table[column] - table["student"].map(usual[column])
    table["slump"] = (table["head_y"] - table["student"].map(usual["head_y"])) / table["head_px"]
    windows = [part.windows(forward["pitch"], interval_s, settings.perclos_s) for part in parts]
    table = pd.concat([table, pd.concat(windows, ignore_index=True)], axis=1)
    del parts, windows, angles
    table["still_s"] = still_seconds(table["motion"], table["student"], settings.still_motion)
    table["mutual"] = mutual_facing(table, settings)
    table = table.assign(**_joint(table), t=table["second"].astype(float))
    return table[[*CUE_COLUMNS, *behaviours]]


def _some_students(observations: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The rows of a few students at a time, about ``ROWS_AT_ONCE``; at least one part, which may be empty."""
    students, rows = np.unique(observations["student"].to_numpy(), return_counts=True)
    part = (np.cumsum(rows) - rows) // ROWS_AT_ONCE
    for number in np.unique(part) if len(part) else [0]:
        yield observations[observations["student"].isin(students[part == number])]


@dataclass(frozen=True)
class _Part:
    """What is made of some students alone; the rows themselves are not kept.

    Attributes:
        mean: a row per student and second.
        usual: by student, medians of readings, and ``seen``, the share of the rows in which the head was read.
        angles: of the head, a row per frame and second it speaks for.
        readings: of each frame, the little that is needed once more when all students are known.
        grid: (student, second) of ``mean``.
    """

    mean: pd.DataFrame
    usual: pd.DataFrame
    angles: pd.DataFrame
    readings: pd.DataFrame
    grid: pd.MultiIndex

    @classmethod
    def of(cls, rows: pd.DataFrame, count: int, duration_s: float, interval_s: float, enough: float) -> _Part:
        grid = pd.MultiIndex.from_product(
            [np.sort(rows["student"].unique()), np.arange(count)], names=["student", "second"]
        )
        frames = _believed(rows[rows["observed"]].sort_values(["student", "t"], kind="stable"))
        seen = _by_second(frames, interval_s, count)
        behaviours = [column for column in seen if column.startswith(BEHAVIOUR_PREFIX)]
        groups = seen.groupby(["student", "second"])
        mean = groups[[*HEAD_POSE, *FACE_CUES, "motion", "head_px", *EXTRA_COLUMNS, *behaviours]].mean()
        mean["mouth_motion"] = groups["mouth_open"].std(ddof=0).where(groups["mouth_open"].count() >= 3)
        length_s = np.minimum(1.0, duration_s - mean.index.get_level_values("second"))  # the last second may be a part
        expected = np.maximum(1.0, length_s / interval_s)
        mean["body"] = (groups.size() / expected).clip(upper=1)
        mean["face"] = (groups["yaw"].count() / expected).clip(upper=1)
        places = seen.assign(middle=(seen["x1"] + seen["x2"]) / 2, height=seen["y2"] - seen["y1"])
        mean[["middle", "top", "height"]] = places.groupby(["student", "second"])[["middle", "y1", "height"]].mean()
        mean["head_y"] = groups["head_y"].mean()
        table = mean.reindex(grid).reset_index()
        table[["body", "face"]] = table[["body", "face"]].fillna(0.0)
        usual = {name: _usual(seen, name, enough) for name in ("eye_open", "mouth_open", "brow_furrow", "head_y")}
        usual["seen"] = seen.groupby("student")["yaw"].apply(lambda yaw: yaw.notna().mean()).astype(float)
        second = np.minimum(frames["t"].to_numpy().astype(int), count - 1)
        readings = frames[["student", "t", "pitch", "eye_open", "mouth_open"]].assign(second=second)
        return cls(table, pd.DataFrame(usual), seen[["student", *HEAD_POSE]], readings, grid)

    def windows(self, forward_pitch: pd.Series, interval_s: float, perclos_s: float) -> pd.DataFrame:
        """Cues over several seconds, in the order of ``mean``."""
        pitch = self.readings["pitch"] - self.readings["student"].map(forward_pitch)
        relative = self.readings.assign(pitch=pitch)
        eyes = eye_windows(relative, self.grid, interval_s, perclos_s)
        mouth = mouth_windows(relative, self.grid, interval_s)
        return pd.concat([eyes.reset_index(drop=True), mouth.reset_index(drop=True)], axis=1)


def _believed(seen: pd.DataFrame) -> pd.DataFrame:
    """Rows with ``head_px`` and ``head_y``; what a head too small cannot tell is NaN, and so is what was never read."""
    top, bottom = seen[HEAD_BOX[1]], seen[HEAD_BOX[3]]
    read = seen["yaw"].notna() | seen["eye_open"].notna()  # else the head box is a guess
    rows = seen.assign(head_px=bottom - top, head_y=((top + bottom) / 2).where(read))
    for column in EXTRA_COLUMNS:
        if column not in rows:
            rows[column] = np.nan
    for column, least_px in MIN_HEAD_PX.items():
        rows[column] = rows[column].where(rows["head_px"] >= least_px)
    return rows


def _usual(seen: pd.DataFrame, column: str, enough: float) -> pd.Series:
    """Each student's own median of a reading; NaN for those with too few of them."""
    by_student = seen.groupby("student")[column]
    return by_student.median().where(by_student.count() >= enough)


def _joint(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Cues made of several: where one of their parts was not seen they are NaN, unless told otherwise.

    ``yawn`` and ``frown`` join their parts as causes of which each is enough (noisy or; Pearl 1988, section 4.3.2).
    """
    hand = table["hand_face"]
    bowed, over_desk = _ramp(-table["pitch"], *BOWED), _ramp(-table["pitch"], *OVER_DESK)
    pose = (table["hand_front"] + bowed) / 2
    return {
        "yawn": _either(table["mouth_open"], hand * (1 - table["eye_open"])),
        "frown": _either(_ramp(table["brow"], *BROW_DOWN), hand),
        "writing": over_desk * _ramp(table["desk_motion"], *WRITES),
        "phone": pd.concat([pose, table["object"]], axis=1).max(axis=1),
    }


def _either(one: pd.Series, other: pd.Series) -> pd.Series:
    """1 - (1 - one)(1 - other) of those that were seen; NaN where neither was."""
    joined = 1 - (1 - one.fillna(0.0)) * (1 - other.fillna(0.0))
    return joined.where(one.notna() | other.notna())


def _ramp(values: pd.Series, absent: float, present: float) -> pd.Series:
    return ((values - absent) / (present - absent)).clip(0, 1)


def _by_second(seen: pd.DataFrame, interval_s: float, count: int) -> pd.DataFrame:
    """Rows with the ``second`` they speak for; of a slow video each frame speaks for all seconds until the next."""
    first = np.minimum(seen["t"].to_numpy().astype(int), count - 1)
    if interval_s <= 1:
        return seen.assign(second=first)
    last = np.minimum(np.ceil(seen["t"].to_numpy() + interval_s - 1e-6).astype(int) - 1, count - 1)
    repeats = np.maximum(last - first, 0) + 1
    offset = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    rows = seen.loc[seen.index.repeat(repeats)].reset_index(drop=True)
    return rows.assign(second=np.repeat(first, repeats) + offset)
