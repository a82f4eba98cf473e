"""Labelled samples for generators: pictures of annotated students, or windows of cues."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from models.behaviour import CROP_SIDE, OUTPUTS, cut_crops
from models.behaviour_net import as_input
from models.errors import TrainingDataError
from models.registry import find_weights
from models.training.annotations import AnnotatedImage, read_coco
from models.training.behaviour import students_of
from models.training.detection import DetectorRun, found_people
from models.yolo import BEHAVIOURS, GROUP

NOBODY = np.zeros((0, 4), np.float32)


@dataclass(frozen=True)
class Samples:
    """n labelled samples.

    Attributes:
        x: (n, 3, px, px) pictures in 0..1, RGB; or (n, time, features) windows, NaN where not measured.
        labels: (n,) index into ``names``.
        names: of the classes.
        sources: n short names of where each is from, for the manifest of what is made from them.
    """

    x: Tensor
    labels: Tensor
    names: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def pictures(self) -> bool:
        """Whether they are pictures, else windows."""
        return self.x.dim() == 4

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each class."""
        found = torch.bincount(self.labels, minlength=len(self.names)).tolist()
        return dict(zip(self.names, found, strict=True))

    @property
    def sha256(self) -> str:
        """Digest of samples and labels."""
        digest = hashlib.sha256(self.x.numpy().tobytes())
        digest.update(self.labels.numpy().tobytes())
        digest.update("\n".join(self.names).encode())
        return digest.hexdigest()


def read_samples(
    data: Path, px: int, start: str, work: Path, without_room: str | None, say: Callable[[str], None]
) -> Samples:
    """Read a folder of annotated classrooms, or a ``.npz`` file of windows.

    Args:
        data: a folder with ``train.json`` (COCO format) and ``images/``, or a file; see ``read_windows``.
        px: side of the pictures.
        start: name or path of a detector of people, for who is in a group; not used where no group is annotated.
        work: folder beside which the people it finds are kept.
        without_room: room left out.
        say: told of progress.

    Raises:
        TrainingDataError: the data cannot be used.
    """
    if data.suffix == ".npz":
        return read_windows(data)
    images = read_coco(data / "train.json", data / "images", BEHAVIOURS)
    if without_room is not None:
        rooms = sorted({image.room for image in images})
        images = [image for image in images if image.room != without_room]
        if without_room not in rooms or not images:
            raise TrainingDataError(f"room {without_room!r} cannot be left out of the rooms {rooms}")
    groups = [image.path for image in images if GROUP in image.labels]
    found = found_people(groups, find_weights(start), DetectorRun(), work, "train", say) if groups else {}
    return crops_of(images, found, px)


def crops_of(images: Sequence[AnnotatedImage], found_xyxy: dict[str, np.ndarray], px: int) -> Samples:
    """Pictures of the annotated students, and of the people found in annotated groups.

    Args:
        images: annotated images.
        found_xyxy: by image name, (m, 4) px: people a detector finds.
        px: side of the pictures.

    Raises:
        TrainingDataError: an image cannot be read, or no student is annotated.
    """
    crops, labels, sources = [np.zeros((0, px, px, 3), np.uint8)], [np.zeros(0, int)], list[str]()
    for image in images:
        pixels = cv2.imread(str(image.path))
        if pixels is None:
            raise TrainingDataError(f"{image.path}: cannot be read as an image; replace it")
        boxes, numbers = students_of(image, found_xyxy.get(image.path.name, NOBODY))
        known = numbers < len(BEHAVIOURS)
        crops.append(cut_crops(pixels, boxes[known], side=CROP_SIDE, px=px))
        labels.append(numbers[known])
        sources += [f"{image.path.name}#{' '.join(str(round(v)) for v in box)}" for box in boxes[known].tolist()]
    if not sources:
        raise TrainingDataError("no annotated students to learn from; annotate some, or give another folder")
    assert OUTPUTS[: len(BEHAVIOURS)] == BEHAVIOURS
    pictures = as_input(torch.from_numpy(np.concatenate(crops))).contiguous()
    return Samples(pictures, torch.from_numpy(np.concatenate(labels)), BEHAVIOURS, tuple(sources))


def read_windows(file: Path) -> Samples:
    """Read windows of cues.

    Args:
        file: ``windows`` (n, time, features), NaN where not measured (rows of ``models.windows.windows``, reshaped);
            and, where there are classes, ``labels`` (n,) and their ``names``.

    Raises:
        TrainingDataError: the file holds something else.
    """
    try:
        with np.load(file, allow_pickle=False) as content:
            x = np.asarray(content["windows"], np.float32)
            labels = np.asarray(content["labels"] if "labels" in content else np.zeros(len(x)), np.int64)
            names = tuple(str(name) for name in content["names"]) if "names" in content else ("ordinary",)
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise TrainingDataError(
            f"{file}: holds no windows ({type(error).__name__}); write windows (n, time, features), labels (n,) and"
            " names with numpy.savez"
        ) from None
    if x.ndim != 3 or not len(x) or labels.shape != x.shape[:1]:
        raise TrainingDataError(
            f"{file}: windows have the shape {x.shape} and labels {labels.shape}; give (n, time, features) and (n,)"
            " with n of 1 or more"
        )
    if np.isinf(x).any() or not (labels.min() >= 0 and labels.max() < len(names)):
        raise TrainingDataError(f"{file}: holds infinite numbers or labels beyond its {len(names)} names; mend them")
    sources = tuple(f"{file.name}#{row}" for row in range(len(x)))
    return Samples(torch.from_numpy(x), torch.from_numpy(labels), names, sources)
