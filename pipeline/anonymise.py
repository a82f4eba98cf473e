"""Which head regions of each frame to cover, and covering them so that nothing of the face is left.

Positions are known for analysed frames only; between them they are interpolated, and over gaps and beyond the ends of
a track they are held, because a face that shows for one frame has been shown. When in doubt more is covered.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from pipeline.session import BOX, HEAD_BOX

LARGEST_HEAD = 0.7
"""Head height over the width of the body box, for somebody seen from the side; from the front it is near a half."""

MOSAIC_SEED = 20
"""Of the cells' colours. They hide nothing, so anybody may know it."""


class CoverSettings(BaseModel):
    """How heads are covered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: Literal["solid", "pixelate"] = Field(
        "solid", description="solid fill, or coarse cells of random colours; neither holds anything of the face"
    )
    margin: float = Field(0.25, ge=0, le=2, description="head sizes added on each side")
    hold_s: float = Field(2.0, ge=0, description="s a cover stays before the first and after the last sighting")
    cells: int = Field(6, ge=2, le=8, description="cells across a pixelated head")
    noise: float = Field(24.0, ge=0, description="standard deviation of the cells' colours, 8-bit levels")
    colour: tuple[int, int, int] = Field(
        (58, 52, 48), description="of the solid fill, and on average of cells, 8-bit BGR"
    )


def regions_to_cover(people: pd.DataFrame, settings: CoverSettings) -> pd.DataFrame:
    """The cover of each person on each analysed frame, grown by the margin.

    Only a head around a face that was found, at the top of the body, is taken at its word. Else the cover is the union
    of the head box and the top of the body: no face may mean a bowed one, and a face elsewhere may be a neighbour's.

    Args:
        people: observations of those to cover, with completed head boxes (``pipeline.heads.complete_head_boxes``).
        settings: margin.

    Returns:
        rows ``t``, ``student``, ``x1 y1 x2 y2`` (px, float), in time order within each student.
    """
    rows = people.sort_values(["student", "t"], kind="stable")
    body = rows[list(BOX)].to_numpy(float)
    head = rows[list(HEAD_BOX)].to_numpy(float)
    width, height = head[:, 2] - head[:, 0], head[:, 3] - head[:, 1]
    grown = head + settings.margin * np.stack([-width, -height, width, height], axis=1)
    body_width, body_height = body[:, 2] - body[:, 0], body[:, 3] - body[:, 1]
    likely_height = np.fmax(1.15 * height, LARGEST_HEAD * body_width)
    top = body.copy()
    # over the whole width: somebody who walks or leans has the head at the box's side
    top[:, 1] = body[:, 1] - 0.1 * np.fmax(height, 0.0)
    top[:, 3] = body[:, 1] + np.fmin(likely_height, 0.7 * body_height)
    union = np.concatenate([np.fmin(grown[:, :2], top[:, :2]), np.fmax(grown[:, 2:], top[:, 2:])], axis=1)
    at_the_top = np.abs(head[:, 1] - body[:, 1]) < 0.5 * height
    sure = rows["eye_open"].notna().to_numpy() & at_the_top
    table = pd.DataFrame(np.where(sure[:, None], grown, union), columns=list(BOX))
    table.insert(0, "student", rows["student"].to_numpy())
    table.insert(0, "t", rows["t"].to_numpy(float))
    return table


def cover(image_bgr: np.ndarray, boxes_xyxy: np.ndarray, settings: CoverSettings) -> None:
    """Cover whole rectangles of the image, in place; nothing of what was there is left, in either style.

    Pixelated heads get the same cells everywhere. Mean colours of the head with noise on them, as pixelation is known
    elsewhere, are not offered, and nor is Gaussian blur: averaged over some frames they are matched to the right face
    nearly always, as the tests show.

    Args:
        image_bgr: (h, w, 3) uint8, changed in place.
        boxes_xyxy: (n, 4) px.
        settings: style.
    """
    height, width = image_bgr.shape[:2]
    frame = np.array([0, 0, width, height], float)
    known = np.where(np.isnan(boxes_xyxy), frame, boxes_xyxy)  # a side that is not known reaches the frame's edge
    known = np.clip(known, 0, frame[[2, 3, 2, 3]])
    corners = np.concatenate([np.floor(known[:, :2]), np.ceil(known[:, 2:])], axis=1).astype(int)
    cells = np.empty((0, 0, 3)) if settings.style == "solid" else mosaic(settings)
    for x1, y1, x2, y2 in corners.tolist():
        if x2 <= x1 or y2 <= y1:
            continue
        if settings.style == "solid":
            cv2.rectangle(image_bgr, (x1, y1), (x2 - 1, y2 - 1), settings.colour, cv2.FILLED)
        else:
            image_bgr[y1:y2, x1:x2] = cv2.resize(cells, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST)


def mosaic(settings: CoverSettings) -> np.ndarray:
    """(cells, cells, 3) uint8 BGR: the colours of a pixelated head, the same each time."""
    rng = np.random.default_rng(MOSAIC_SEED)
    noise = rng.normal(0, settings.noise, (settings.cells, settings.cells, 3))
    return np.clip(np.array(settings.colour) + noise, 0, 255).astype(np.uint8)
