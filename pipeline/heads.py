"""Where a person's head is: a prior from the body box, and what the person's own seen faces teach about the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.session import BOX, HEAD_BOX

REGION_MARGIN = 1.15
HEADROOM = 0.1
"""Share of the region above the box: detectors cut hair."""

ENOUGH_FACES = 5
"""Seen faces after which a student's own head place is trusted over the prior."""

PRIOR = (-0.25, 0.25, -0.03, 0.45)
"""Head left, right as shares of the box's width from its middle; top, bottom as shares of its height from its top.
Between the medians of a room where seated neighbours hide all but head and shoulders and one where desks hide only
the legs."""


def head_region(box_xyxy: np.ndarray) -> tuple[float, float, float]:
    """A square (left, top, side) in px that surely holds the head of a standing, seated or half-hidden person."""
    x1, y1, x2, y2 = (float(value) for value in box_xyxy)
    width, height = x2 - x1, y2 - y1
    side = REGION_MARGIN * min(max(width, 0.6 * height), 1.2 * width)
    return (x1 + x2 - side) / 2, y1 - HEADROOM * side, side


def complete_head_boxes(observations: pd.DataFrame) -> pd.DataFrame:
    """Fill the head box where no face was seen, from the body box and that student's seen heads.

    A head's place within its body box is close to constant for one seated student, and differs between rooms. So the
    medians of the student's own seen faces are used, else the class's, else ``PRIOR``.

    Args:
        observations: rows with ``student``, the body box and the head box (NaN where not seen).

    Returns:
        a copy without NaN in the head box wherever there is a body box.
    """
    table = observations.copy()
    x1, y1, x2, y2 = (table[column].to_numpy(float) for column in BOX)
    width, height, middle = x2 - x1, y2 - y1, (x1 + x2) / 2
    heads = table[list(HEAD_BOX)].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.stack(
            [
                (heads[:, 0] - middle) / width,
                (heads[:, 2] - middle) / width,
                (heads[:, 1] - y1) / height,
                (heads[:, 3] - y1) / height,
            ],
            axis=1,
        )
    place = pd.DataFrame(shares, index=table.index, columns=range(4))
    seen = place.notna().all(axis=1)
    class_place = place[seen].median().to_numpy() if seen.sum() >= ENOUGH_FACES else np.array(PRIOR)
    own = place[seen].groupby(table.loc[seen, "student"])
    own_place = own.median()[own.size() >= ENOUGH_FACES]
    wanted = own_place.reindex(table["student"]).to_numpy(float)
    wanted = np.where(np.isnan(wanted), class_place, wanted)
    guess = np.stack(
        [
            middle + wanted[:, 0] * width,
            y1 + wanted[:, 2] * height,
            middle + wanted[:, 1] * width,
            y1 + wanted[:, 3] * height,
        ],
        axis=1,
    )
    table[list(HEAD_BOX)] = np.where(np.isnan(heads), guess, heads)
    return table
