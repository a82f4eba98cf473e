"""Many samples in one picture, to look at."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from models.generator import write

GAP_PX = 2
TARGET_PX = 96
"""Side that small samples are enlarged to, at least half of it."""


def grid(x: Tensor, columns: int = 10) -> np.ndarray:
    """(h, w, 3) uint8 BGR of (n, 3, px, px) pictures in 0..1, or (n, time, features) windows with time to the right.

    A window is drawn from blue (−3 deviations of all that is shown) over white to red (+3).
    """
    tiles = _pictures(x) if x.dim() == 4 else _windows(x)
    larger = max(1, TARGET_PX // max(tiles.shape[1:3]))
    tiles = tiles.repeat(larger, axis=1).repeat(larger, axis=2)
    rows = math.ceil(len(tiles) / columns)
    high, wide = tiles.shape[1] + GAP_PX, tiles.shape[2] + GAP_PX
    sheet = np.full((rows * high + GAP_PX, min(columns, len(tiles)) * wide + GAP_PX, 3), 255, np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * high + GAP_PX, place % columns * wide + GAP_PX
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet


def write_grid(path: Path, x: Tensor, columns: int = 10) -> None:
    """Write ``grid`` as PNG, beside and renamed."""
    sheet = grid(x, columns)
    write(path, lambda partial: cv2.imwrite(str(partial), sheet))


def to_bgr(x: Tensor) -> np.ndarray:
    """(n, 3, px, px) RGB in 0..1 -> (n, px, px, 3) uint8 BGR."""
    return (x.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).flip(3).numpy()


_pictures = to_bgr


def _windows(x: Tensor) -> np.ndarray:
    values = x.nan_to_num().transpose(1, 2)
    wide = float(values.std()) or 1.0
    away = ((values - values.mean()) / (3 * wide)).clamp(-1, 1).numpy()
    red, blue = np.clip(1 + away, 0, 1), np.clip(1 - away, 0, 1)
    tiles = np.stack([blue, np.minimum(red, blue), red], axis=-1)
    return (tiles * 255).round().astype(np.uint8)
