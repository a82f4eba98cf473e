"""Per student and second, what the scorer of unusual behaviour reads; from the observations of a lecture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from models.anomaly import PRIOR, Scores, load_prior, score_seconds
from models.windows import OPTIONAL_COLUMNS
from pipeline.session import Session
from pipeline.settings import settings_on_record


def places_by_second(observations: pd.DataFrame) -> pd.DataFrame:
    """The table that ``models.windows.departures`` reads.

    Args:
        observations: see ``pipeline.session.OBSERVATION_COLUMNS``.
    """
    seen = observations[observations["observed"].astype(bool)]
    table = pd.DataFrame(
        {
            "student": seen["student"],
            "t": np.floor(seen["t"]),
            "motion": seen["motion"],
            "x": (seen["hx1"] + seen["hx2"]) / 2,  # the head: a raised arm moves the top of the box
            "y": (seen["hy1"] + seen["hy2"]) / 2,
            "height": seen["y2"] - seen["y1"],
            "width": seen["x2"] - seen["x1"],
        }
    )
    more = [column for column in OPTIONAL_COLUMNS if column in seen and column not in table]
    table[more] = seen[more]
    return table.groupby(["student", "t"], as_index=False).mean()


def scored_again(session: Session) -> Scores | None:
    """The scores of a lecture with its session's settings, for what is not kept in it; ``None`` if nobody is in it.

    Raises:
        SessionError: its tables cannot be read.
        ModelFileError: the file of ordinary windows cannot be used.
    """
    settings = settings_on_record(session.manifest.config, session.manifest.profile).anomaly
    prior = load_prior(Path(settings.prior) if settings.prior else PRIOR)
    return score_seconds(places_by_second(session.observations), settings, prior)
