"""Ordinary windows for ``models.anomaly``: from your own lectures, or simulated ones where there are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from models.anomaly import LEAST_LEVEL, AnomalySettings, Prior, save_prior, score_seconds
from models.errors import TrainingDataError
from models.extremes import Tail, fit_tail
from models.ordinary import simulated
from models.scorer import Scorer
from models.windows import departures, windows

KEPT_ROWS = 2000
SIMULATED_STUDENTS, SIMULATED_S = 60, 1800
UNKNOWN_TAIL = Tail(level=LEAST_LEVEL, scale=0.8, shape=0.0, per_hour=10.0)
"""Before anything was measured; worth little beside a lecture's peaks."""


def make_prior(lectures: Sequence[pd.DataFrame], settings: AnomalySettings) -> Prior:
    """Ordinary windows drawn from lectures, and the tail of ordinary scores.

    Args:
        lectures: tables as ``models.windows.departures`` reads them; none for simulated ones.
        settings: length of the windows and the seed.

    Raises:
        TrainingDataError: nobody was seen in them.
    """
    random = np.random.default_rng(settings.seed)
    tables = list(lectures) or [simulated(SIMULATED_STUDENTS, SIMULATED_S, settings.seed)]
    rows = np.concatenate([windows(departures(table), settings.window_s | 1)[0] for table in tables])
    if not len(rows):
        raise TrainingDataError("the sessions hold no student who was seen; give sessions of a lecture")
    kept = rows[np.sort(random.permutation(len(rows))[:KEPT_ROWS])]
    series = [
        scores
        for table in tables
        if (scored := score_seconds(table, settings, Prior(kept, UNKNOWN_TAIL))) is not None
        for scores in scored.values
    ]
    return Prior(kept, fit_tail(series, settings.join_s, UNKNOWN_TAIL, LEAST_LEVEL))


def run(lectures: Sequence[pd.DataFrame], settings: AnomalySettings, out: Path, say: Callable[[str], None]) -> None:
    """Make and write the file."""
    prior = make_prior(lectures, settings)
    save_prior(prior, out)
    units = Scorer(seed=settings.seed).fit(prior.rows).units
    used = " and ".join(f"{active} of {there}" for active, there in units)
    once = prior.tail.threshold(1.0)
    source = f"{len(lectures)} lectures" if lectures else "simulated students"
    say(f"{len(prior.rows)} ordinary windows of {source}; scores above {once:.1f} nats come once per student-hour")
    say(f"latent units in use: {used}")
    say(f"written to {out}")
