"""Found boxes against true ones, one to one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torchvision.ops import box_iou

MATCH_IOU = 0.5
"""Overlap at which a found box counts as the true one's."""


def boxes(rows: Iterable[Sequence[float]]) -> np.ndarray:
    """(n, 4) float array, also of nothing."""
    return np.array(list(rows), np.float32).reshape(-1, 4)


def score(truth_xyxy: np.ndarray, found_xyxy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match one to one so that the overlap of the pairs at ``MATCH_IOU`` or more is largest in sum.

    Returns:
        (n, m) IoU of the n true with the m found boxes; (n,) IoU of each true box with its match, 0 without one.
    """
    iou = box_iou(torch.from_numpy(truth_xyxy).float(), torch.from_numpy(found_xyxy).float()).numpy()
    good = np.where(iou >= MATCH_IOU, iou, 0.0)
    rows, columns = linear_sum_assignment(good, maximize=True)
    own = np.zeros(len(truth_xyxy))
    own[rows] = good[rows, columns]
    return iou, own
