"""From what was seen in single frames to one row of cues per student and second."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from models.state_model import CUE_COLUMNS
from pipeline.session import BEHAVIOUR_PREFIX


class CueSettings(BaseModel):
    """How cues are read from observations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    baseline_s: float = Field(
        10.0,
        ge=0,
        description="s of seen face after which a student's own forward direction replaces the class's",
    )
    forward_quantile: float = Field(
        0.75,
        ge=0.5,
        le=1,
        description="quantile of a student's pitch taken as looking ahead; heads bow more than they rise",
    )
    seat_yaw_deg: float = Field(
        25.0, ge=0, description="deg a seat's forward yaw may differ from the class's; side seats turn to the board"
    )
    seat_pitch_deg: float = Field(10.0, ge=0, description="deg a seat's forward pitch may differ from the class's")
    seat_roll_deg: float = Field(10.0, ge=0, description="deg a seat's usual roll may differ from the class's")
    mutual_deg: float = Field(
        25.0,
        ge=0,
        description="deg of yaw towards each other from which two neighbours face each other; talking to the next seat"
        " turns a head by 45 and more, and a reading may be 15 off",
    )
    neighbour_heights: float = Field(1.6, gt=0, description="body heights within which another student is a neighbour")


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
        observations: see ``pipeline.session.OBSERVATION_COLUMNS``.
        duration_s: of the lecture; every student has a row for each of its seconds.
        interval_s: time between analysed frames, s.
        settings: how cues are read.

    Returns:
        rows of ``models.state_model.CUE_COLUMNS`` plus the detector's ``behaviour_<name>``.
    """
    students = np.sort(observations["student"].unique())
    count = max(1, int(np.ceil(duration_s - 1e-6)))
    grid = pd.MultiIndex.from_product([students, np.arange(count)], names=["student", "second"])
    seen = _by_second(observations[observations["observed"]], interval_s, count)
    behaviours = [column for column in seen if column.startswith(BEHAVIOUR_PREFIX)]
    groups = seen.groupby(["student", "second"])
    mean = groups[["yaw", "pitch", "roll", "eye_open", "mouth_open", "brow_furrow", "motion", *behaviours]].mean()
    mean["mouth_motion"] = groups["mouth_open"].std(ddof=0).where(groups["mouth_open"].count() >= 3)
    length_s = np.minimum(1.0, duration_s - mean.index.get_level_values("second"))  # the last second may be a part
    expected = np.maximum(1.0, length_s / interval_s)
    mean["body"] = (groups.size() / expected).clip(upper=1)
    mean["face"] = (groups["yaw"].count() / expected).clip(upper=1)
    places = seen.assign(middle=(seen["x1"] + seen["x2"]) / 2, height=seen["y2"] - seen["y1"])
    mean[["middle", "top", "height"]] = places.groupby(["student", "second"])[["middle", "y1", "height"]].mean()
    table = mean.reindex(grid).reset_index()
    table[["body", "face"]] = table[["body", "face"]].fillna(0.0)
    usually = seen.groupby("student")["yaw"].apply(lambda yaw: yaw.notna().mean()).astype(float)
    table["usually_seen"] = table["student"].map(usually)
    enough_s = min(settings.baseline_s, duration_s / 2)  # in a short clip even half of it has to do
    forward = _forward(seen, settings, enough_s / interval_s)
    for column in ("yaw", "pitch", "roll"):
        table[column] = table[column] - table["student"].map(forward[column])
    table["brow"] = table["brow_furrow"] - table["student"].map(seen.groupby("student")["brow_furrow"].median())
    table["mutual"] = _mutual(table, settings)
    table["t"] = table["second"].astype(float)
    return table[[*CUE_COLUMNS, *behaviours]]


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


def _forward(seen: pd.DataFrame, settings: CueSettings, enough_faces: float) -> pd.DataFrame:
    """Head angles of each student when looking ahead, to the board or the teacher.

    Heads bow to desks, phones and notebooks but are rarely raised above the board, so the forward pitch is a high
    quantile of a student's pitch; turns go to both sides, so the forward yaw and roll are medians. A student who looks
    aside or down for the whole lecture must not become the measure of ahead: no seat differs from the class's own
    forward direction by more than the limits.
    """
    by_student = seen.groupby("student")
    own = by_student[["yaw", "roll"]].median()
    own["pitch"] = by_student["pitch"].quantile(settings.forward_quantile)
    trusted = own[by_student["yaw"].count() >= enough_faces]
    known = trusted if len(trusted) else own
    class_forward = known.median().fillna(0.0)
    limits = pd.Series({"yaw": settings.seat_yaw_deg, "roll": settings.seat_roll_deg, "pitch": settings.seat_pitch_deg})
    forward = own.clip(class_forward - limits, class_forward + limits, axis=1)
    forward.loc[~forward.index.isin(trusted.index)] = class_forward[forward.columns].to_numpy()
    return forward


def _mutual(table: pd.DataFrame, settings: CueSettings) -> np.ndarray:
    """1 where a neighbour on the side a student turns to turns back, 0 where not, NaN where the face is not seen."""
    mutual = np.where(table["yaw"].notna(), 0.0, np.nan)
    turned = table[table["yaw"].abs() > settings.mutual_deg]
    for _, rows in turned.groupby("second"):
        if len(rows) < 2:
            continue
        yaw, x, top, height = (rows[name].to_numpy() for name in ("yaw", "middle", "top", "height"))
        near = np.hypot(x - x[:, None], top - top[:, None]) < settings.neighbour_heights * np.maximum(
            height, height[:, None]
        )
        towards = (yaw[:, None] > 0) == (x - x[:, None] > 0)  # row turns to the side where column sits
        faces = near & towards & towards.T & (yaw[:, None] * yaw < 0)
        np.fill_diagonal(faces, False)
        mutual[rows.index[faces.any(axis=1)]] = 1.0
    return mutual
