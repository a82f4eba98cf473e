"""Read annotated frames (COCO format) and check them, so that training never starts on wrong data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import TrainingDataError

TOLERANCE_PX = 2.0
"""How far a box may reach over the edge of its image: annotation tools round."""


@dataclass(frozen=True)
class AnnotatedImage:
    """One image and what is annotated in it.

    Attributes:
        path: the image file.
        size: (width, height) px.
        room: name of the room, or "" where the file does not tell.
        boxes_xyxy: (n, 4) px.
        labels: n category names.
    """

    path: Path
    size: tuple[int, int]
    room: str
    boxes_xyxy: np.ndarray
    labels: tuple[str, ...]


def read_coco(file: Path, images: Path, known: Sequence[str]) -> list[AnnotatedImage]:
    """Read a COCO annotation file; images keep its order.

    Args:
        file: the JSON file. Beyond COCO, an image may carry ``room``.
        images: folder of the image files.
        known: category names that may occur.

    Raises:
        TrainingDataError: the file is no COCO annotation or annotates nothing, an image file is missing, a category
            is unknown, or a box lies outside its image.
    """
    content = _content(file)
    try:
        names = {int(entry["id"]): str(entry["name"]) for entry in content["categories"]}
        entries = {entry["id"]: entry for entry in content["images"]}
        shared, times = Counter(entry["id"] for entry in content["images"]).most_common(1)[0] if entries else (None, 0)
        if times > 1:
            raise TrainingDataError(f"{file}: {times} images have the id {shared!r}; give every image one of its own")
        stems = Counter(Path(str(entry["file_name"])).stem for entry in content["images"])
        if stems and stems.most_common(1)[0][1] > 1:
            raise TrainingDataError(
                f"{file}: {stems.most_common(1)[0][1]} images are named {stems.most_common(1)[0][0]!r} but for folder"
                " and ending; give each a name of its own"
            )
        notes: dict[int, list[tuple[list[float], str]]] = {key: [] for key in entries}
        for note in content["annotations"]:
            if note["image_id"] not in entries:
                raise TrainingDataError(
                    f"{file}: annotation {note['id']} is of image {note['image_id']}, which is not listed; list it"
                    " under images, or drop the annotation"
                )
            if note["category_id"] not in names:
                raise TrainingDataError(
                    f"{file}: annotation {note['id']} has category {note['category_id']}, which is not listed; list it"
                    " under categories, or drop the annotation"
                )
            name, entry = names[note["category_id"]], entries[note["image_id"]]
            if name not in known:
                raise TrainingDataError(
                    f"{file}: category {name!r} is not known; rename it to one of {', '.join(known)}, or leave it out"
                )
            box = _box(note["bbox"], (int(entry["width"]), int(entry["height"])))
            if box is None:
                raise TrainingDataError(
                    f"{file}: box {note['bbox']} of annotation {note['id']} does not lie inside {entry['file_name']}"
                    f" ({entry['width']}x{entry['height']} px); boxes are x, y, width, height in px"
                )
            notes[note["image_id"]].append((box, name))
        if not any(notes.values()):
            raise TrainingDataError(f"{file}: annotates no boxes; nothing can be learned from it")
        made = []
        for key, entry in entries.items():
            path = images / str(entry["file_name"])
            if not path.is_file():
                raise TrainingDataError(f"{path}: is missing, and {file.name} lists it; put it there or drop its entry")
            boxes = np.array([box for box, _ in notes[key]], np.float32).reshape(-1, 4)
            size = (int(entry["width"]), int(entry["height"]))
            made.append(
                AnnotatedImage(path, size, str(entry.get("room") or ""), boxes, tuple(name for _, name in notes[key]))
            )
        return made
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        if isinstance(error, TrainingDataError):
            raise
        raise TrainingDataError(
            f"{file}: is not a COCO annotation file ({type(error).__name__}: {error}); it needs images, annotations and"
            " categories as cocodataset.org defines them"
        ) from None


def _content(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingDataError(f"{file}: cannot be read ({error.strerror}); give a folder with train.json") from None
    except ValueError as error:
        raise TrainingDataError(f"{file}: is not JSON ({error}); write it again with the annotation tool") from None


def _box(bbox: Sequence[float], size: tuple[int, int]) -> list[float] | None:
    """x1, y1, x2, y2 clipped to the image; None where the box is empty or reaches outside."""
    x, y, width, height = (float(value) for value in bbox)
    inside = x >= -TOLERANCE_PX and y >= -TOLERANCE_PX
    inside &= x + width <= size[0] + TOLERANCE_PX and y + height <= size[1] + TOLERANCE_PX
    if not inside:  # NaN is not
        return None
    x1, y1, x2, y2 = max(x, 0.0), max(y, 0.0), min(x + width, size[0]), min(y + height, size[1])
    return [x1, y1, x2, y2] if x1 < x2 and y1 < y2 else None
