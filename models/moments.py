"""Moments alike: the windows that lie nearest to one in the autoencoder's latent space, and a map of all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.anomaly import Scores

APART_S = 10
"""s between two moments of a student that count as two."""


def similar(scored: Scores, student: int, t: float, most: int) -> pd.DataFrame:
    """The moments most like one.

    Args:
        scored: a lecture, see ``models.anomaly.score_seconds``.
        student: number.
        t: s, of the moment asked for.
        most: how many to list.

    Returns:
        ``student``, ``t`` (s), ``distance`` (in the latent space, where 1 is the typical deviation of a unit), nearest
        first; moments of a student less than ``APART_S`` apart, and around the one asked for, are one.

    Raises:
        LookupError: the student was not seen then.
    """
    students = scored.made.students[scored.places[:, 0]]
    times = scored.places[:, 1] + scored.made.first
    asked = np.flatnonzero((students == student) & (times == int(t)))
    if not len(asked):
        raise LookupError(f"student {student} was not seen at {t:.0f} s")
    latent = scored.scorer.latent(scored.rows)
    deviation = latent.std(axis=0)
    far = np.sqrt((((latent - latent[asked[0]]) / np.where(deviation > 0, deviation, 1.0)) ** 2).mean(axis=1))
    taken: list[tuple[int, int]] = [(student, int(t))]
    rows = []
    for place in np.argsort(far, kind="stable"):
        who, when = int(students[place]), int(times[place])
        if any(who == other and abs(when - then) < APART_S for other, then in taken):
            continue
        taken.append((who, when))
        rows.append({"student": who, "t": float(when), "distance": float(far[place])})
        if len(rows) == most:
            break
    return pd.DataFrame(rows, columns=["student", "t", "distance"])


def latent_map(scored: Scores) -> pd.DataFrame:
    """A flat picture of a lecture: ``student``, ``t`` (s), ``score`` (nats) and ``x``, ``y`` of each window.

    The two directions in which latent means vary most (principal components; Jolliffe 2002): a picture, not a measure.
    """
    latent = scored.scorer.latent(scored.rows)
    centred = latent - latent.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ directions[:2].T
    flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    who, when = scored.places.T
    return pd.DataFrame(
        {
            "student": scored.made.students[who],
            "t": (when + scored.made.first).astype(float),
            "score": scored.values[who, when],
            "x": flat[:, 0],
            "y": flat[:, 1],
        }
    )
