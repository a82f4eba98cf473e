"""Who sits in a seat on record: one rule for the analysis and for a later withdrawal."""

from __future__ import annotations

import numpy as np
import pandas as pd

from consent.policy import CoverPolicy
from pipeline.heads import head_region


def heads_in_zones(boxes_xyxy: np.ndarray, policy: CoverPolicy, width: int, height: int) -> np.ndarray:
    """Which people (n,) have the middle of their head region in the seat of somebody who said no.

    Args:
        boxes_xyxy: (n, 4) px, of whole persons.
        policy: with the seats.
        width, height: of the picture, px.
    """
    if not policy.zones:
        return np.zeros(len(boxes_xyxy), bool)
    regions = (head_region(box) for box in boxes_xyxy)
    return np.array([policy.opted_out((x + side / 2) / width, (y + side / 2) / height) for x, y, side in regions], bool)


def mostly(in_zone: np.ndarray, person: pd.Series) -> set[int]:
    """The people of whose rows more than half lie in a seat.

    Args:
        in_zone: (n,) mask of rows.
        person: (n,) whose row it is, NaN for nobody's.
    """
    share = pd.Series(in_zone).groupby(person.to_numpy()).mean()
    return set(share.index[share > 0.5].astype(int))
