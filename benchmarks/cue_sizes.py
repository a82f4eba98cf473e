"""From which head size a face is read: rendered heads scaled down, and what is still told of eyes, mouth and brow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from benchmarks import common
from benchmarks.cue_demo import auc
from models.training.head import STORED_HEADS
from pipeline.cue_windows import BOWED_DEG
from pipeline.faces import FaceReader, FaceSettings

SIZES = (20, 28, 36, 48, 64, 90)
"""Head heights, px."""
MOST = 350
"""Heads of each size."""
LARGEST_TURN_DEG = 35.0
LEAST_VISIBLE = 0.8
SHUT, OPEN = 0.8, 0.1
"""Eye closure of shut eyes, at least, and of open ones, at most."""
WIDE, CLOSED = 0.5, 0.05
"""Mouth opening of open mouths, at least, and of shut ones, at most."""


def on_sizes(data: Path) -> list[dict[str, Any]]:
    """Print and return, by head size, the share of faces found and the AUC of eyes, mouth and brow among these."""
    heads = pd.read_parquet(data / "heads" / "heads.parquet")
    heads = heads[(heads["yaw_view"].abs() < LARGEST_TURN_DEG) & (heads["pitch_view"] > -BOWED_DEG)]
    heads = heads[heads["visible"] >= LEAST_VISIBLE]
    figures = []
    with FaceReader(FaceSettings(workers=1)) as reader:
        for size in SIZES:
            large = heads[heads["head_px"] >= size]  # never scaled up
            drawn = large.sample(min(MOST, len(large)), random_state=common.SEED)
            read = np.array([_read(reader, one.jpeg, size) for one in drawn.itertuples()])
            closure, mouth, pose = (drawn[name] for name in ("eye_closure", "mouth_open", "pose"))
            asks = {
                "eyes": (closure >= SHUT, closure <= OPEN, -read[:, 0]),
                "mouth": (mouth >= WIDE, mouth <= CLOSED, read[:, 1]),
                "brow": (pose == "confused", pose == "attentive", read[:, 2]),
            }
            row: dict[str, Any] = {"head (px)": size, "heads": len(drawn)}
            row["found"] = f"{np.isfinite(read[:, 0]).mean():.0%}"
            for name, (yes, no, score) in asks.items():
                known = (yes | no).to_numpy() & np.isfinite(score)
                row[name] = round(auc(yes.to_numpy()[known], score[known]), 2)
            figures.append(row)
    title = (
        "Rendered heads scaled down: AUC of shut against open eyes, open against shut mouth, furrowed against relaxed"
    )
    common.print_table(title, list(figures[0]), [row.values() for row in figures])
    return figures


def _read(reader: FaceReader, jpeg: bytes, size: int) -> np.ndarray:
    """(3,) eye opening, mouth opening, brow furrow of a stored crop at this head height; NaN where no face is found."""
    crop = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    side = round(STORED_HEADS * size)
    picture = np.full((2 * side, side, 3), 128, np.uint8)
    picture[:side] = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    above = (STORED_HEADS - 1) / 2 * size
    return reader.read(picture, np.array([[0, above, side, 2 * side]], np.float32)).cues[0]
