"""Per student and second, what the scorer of unusual behaviour reads; from the observations of a lecture."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.windows import OPTIONAL_COLUMNS


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
