"""Where each student looks when looking ahead, and who faces whom: head angles of the class set in relation.

A camera sees every seat from another side, so an angle means little by itself. The class's own consensus, over the
lecture and from moment to moment, says where ahead is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.cue_settings import CueSettings

AGREE_DEG = 20.0
"""Deg off the median within which heads count as turned the same way: neighbouring seats and the readings' error."""
AGREE_SHARE = 0.6
"""Share of the heads that must agree."""
NOISE_DEG = 8.0
"""What is left of a common turn is at least this large: half of the class can be this far off by readings alone."""


def forward_directions(
    seen: pd.DataFrame, settings: CueSettings, enough_faces: float
) -> tuple[pd.DataFrame, pd.Series]:
    """Head angles (yaw, pitch, roll in deg) of each student when looking ahead, and of the class.

    Heads bow to desks, phones and notebooks but are rarely raised above the board, so the forward pitch is a high
    quantile of a student's pitch; turns go to both sides, so the forward yaw and roll are medians. A student who looks
    aside or down for the whole lecture must not become the measure of ahead: no seat differs from the class's own
    forward direction by more than the limits. A direction given for a seat is taken as it is.
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
    for student, angles in settings.seat_forward_deg.items():
        if student in forward.index:
            forward.loc[student, ["yaw", "pitch"]] = angles
    return forward, class_forward


def common_turn(table: pd.DataFrame, settings: CueSettings) -> pd.Series:
    """Deg of yaw by which the whole class is turned together off its usual direction, by second; 0 where it is not.

    A class whose heads follow the teacher to a side board has not looked away. Only yaw: a class that bows together
    takes notes. Seconds with fewer heads than needed, or heads that do not agree, have none.

    Args:
        table: ``second`` and ``yaw`` relative to each student's own forward direction.
        settings: how many heads, and for how long.
    """
    by_second = table.groupby("second")["yaw"]
    median, count = by_second.median(), by_second.count()
    near = (table["yaw"] - table["second"].map(median)).abs() <= AGREE_DEG
    agree = near.groupby(table["second"]).sum() / count.clip(lower=1)
    turn = median.where((count >= settings.consensus_students) & (agree >= AGREE_SHARE), 0.0).fillna(0.0)
    window = max(1, round(settings.consensus_s))
    lasting = turn.rolling(window, center=True, min_periods=1).median()
    left = np.sign(lasting) * (lasting.abs() - NOISE_DEG).clip(lower=0)
    return left.clip(-settings.seat_yaw_deg, settings.seat_yaw_deg)


def mutual_facing(table: pd.DataFrame, settings: CueSettings) -> np.ndarray:
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
