"""Boxes of people nobody annotated, found by a general detector.

Public classroom sets leave students out. A detector trained on them as they are learns that such students are
background; boxes of a general model fill the gaps (pseudo-labels; Lee 2013, ICML workshop).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torchvision.ops import box_iou, nms

from models.errors import TrainingDataError
from models.registry import WeightsFile
from models.yolo import PEOPLE, load_yolo

SAME_IOU = 0.55
"""Overlap above which boxes of several passes are one person."""

ANNOTATED_IOU, ANNOTATED_SHARE = 0.35, 0.6
"""A found box that overlaps an annotated one this much, or lies in it to this share, is of an annotated person."""


def find_people(
    images: Sequence[Path],
    weights: WeightsFile,
    cache: Path,
    *,
    sizes: Sequence[int],
    confidence: float,
    say: Callable[[str], None],
) -> dict[str, np.ndarray]:
    """Boxes of people in each image, from several image sizes and the mirrored image together.

    Args:
        images: image files with names of their own.
        weights: an Ultralytics detector with a class ``person`` or ``student``.
        cache: JSON file of earlier answers; what is missing is added.
        sizes: longer sides of the network's input, px.
        confidence: lowest score kept.
        say: told of progress.

    Returns:
        by image name, (n, 4) px.

    Raises:
        TrainingDataError: an image cannot be read.
    """
    found: dict[str, list[list[float]]] = json.loads(cache.read_text()) if cache.is_file() else {}
    missing = [path for path in images if path.name not in found]
    if missing:
        say(f"looking for people that are not annotated in {len(missing)} images")
        model = load_yolo(weights)
        wanted = [i for i, name in model.names.items() if name in PEOPLE]
        for count, path in enumerate(missing, 1):
            image = cv2.imread(str(path))
            if image is None:
                raise TrainingDataError(f"{path}: cannot be read as an image; replace it")
            passes = []
            for size in sizes:
                for mirrored in (False, True):
                    result = model.predict(
                        np.ascontiguousarray(image[:, ::-1]) if mirrored else image,
                        imgsz=size,
                        conf=confidence,
                        classes=wanted,
                        verbose=False,
                        max_det=300,
                    )[0].boxes
                    boxes = result.xyxy.float().cpu().clone()
                    if mirrored:
                        boxes[:, [0, 2]] = image.shape[1] - boxes[:, [2, 0]]
                    passes.append((boxes, result.conf.float().cpu().clone()))
            boxes, scores = (torch.cat(parts) for parts in zip(*passes, strict=True))
            found[path.name] = boxes[nms(boxes, scores, SAME_IOU)].round(decimals=1).tolist()
            if count % 100 == 0 or count == len(missing):
                _keep(found, cache)
            if count % 100 == 0:
                say(f"  {count} of {len(missing)}")
    return {path.name: np.array(found[path.name], np.float32).reshape(-1, 4) for path in images}


def _keep(found: dict[str, list[list[float]]], cache: Path) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_name(cache.name + ".partial")
    partial.write_text(json.dumps(found), encoding="utf-8")
    partial.replace(cache)


def not_annotated(found_xyxy: np.ndarray, annotated_xyxy: np.ndarray) -> np.ndarray:
    """The (m, 4) found boxes of people that no annotated box (n, 4) is about; no box lies in another one kept."""
    found, annotated = torch.from_numpy(found_xyxy).float(), torch.from_numpy(annotated_xyxy).float()
    if len(annotated) and len(found):
        known = (box_iou(found, annotated) > ANNOTATED_IOU) | (inside(found, annotated) > ANNOTATED_SHARE)
        # an annotated upper body in a whole body that was found
        known |= inside(annotated, found).T > ANNOTATED_SHARE
        found = found[~known.any(dim=1)]
    if len(found) > 1:
        area = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
        within = inside(found, found) > 0.85
        within &= area[:, None] < area[None, :]
        found = found[~within.any(dim=1)]
    return found.numpy()


def inside(inner: torch.Tensor, outer: torch.Tensor) -> torch.Tensor:
    """(n, m) share of each inner box (n, 4) that lies in each outer box (m, 4)."""
    low = torch.maximum(inner[:, None, :2], outer[None, :, :2])
    high = torch.minimum(inner[:, None, 2:], outer[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    return shared / (inner[:, 2:] - inner[:, :2]).prod(dim=1).clamp(min=1e-6)[:, None]


def bodies_of_heads(heads_xyxy: Iterable[np.ndarray], people_xyxy: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Complete found people by annotated heads: a head without a person gets the body that heads here usually have.

    Args:
        heads_xyxy: by image, (n, 4) px.
        people_xyxy: by image, (m, 4) px.

    Returns:
        by image, (m + k, 4) px: the people, then k bodies of the heads that lie in none of them.
    """
    heads, people = [np.asarray(h, float) for h in heads_xyxy], [np.asarray(p, float) for p in people_xyxy]
    shapes, lonely = [], []
    for head, body in zip(heads, people, strict=True):
        centre = (head[:, None, :2] + head[:, None, 2:]) / 2
        holds = ((centre >= body[None, :, :2]) & (centre <= body[None, :, 2:])).all(axis=2)
        lonely.append(~holds.any(axis=1))
        for row, column in zip(*np.nonzero(holds), strict=True):
            if holds[row].sum() == 1 and holds[:, column].sum() == 1:
                height = head[row, 3] - head[row, 1]
                shapes.append((body[column] - np.tile(centre[row, 0], 2)) / height)
    if not shapes:
        return people
    shape = np.median(shapes, axis=0)
    made = []
    for head, body, alone in zip(heads, people, lonely, strict=True):
        centre = np.tile((head[alone, :2] + head[alone, 2:]) / 2, 2)
        bodies = centre + shape * (head[alone, 3] - head[alone, 1])[:, None]
        made.append(np.concatenate([body, bodies]).astype(np.float32))
    return made
