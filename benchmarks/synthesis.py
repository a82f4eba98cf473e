"""A room left out: pictures of all students, and what a behaviour classifier that never saw it makes of them."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import common
from models.behaviour import INPUT_PX, build_network
from models.registry import find_weights
from models.training.annotations import AnnotatedImage, read_coco
from models.training.detection import DetectorRun, found_people
from models.training.samples import Samples, crops_of
from models.yolo import BEHAVIOURS

PX = 32


@dataclass(frozen=True)
class Fold:
    """What may be learned from, and the room it is judged on.

    Attributes:
        room: left out of everything that learns.
        train, train_small: real students of the other rooms, from ``train.json``, 128 and 32 px.
        near: students of the same rooms as ``train`` in ``val.json``, 32 px.
        test: all students of the room, 128 px.
        frames: (n,) number of the frame that each of ``test`` is from.
        classifier: the behaviour network that never saw the room.
    """

    room: str
    train: Samples
    train_small: Samples
    near: Samples
    test: Samples
    frames: np.ndarray
    classifier: Any


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The arguments of both benchmarks."""
    parser = common.parser(description)
    parser.add_argument("--work", type=Path, default=Path("runs/synthesis"), help="folder of generators and samples")
    parser.add_argument(
        "--classifiers", type=Path, default=Path("runs/rooms"), help="folder of what benchmarks.rooms has trained"
    )
    return parser


def read_fold(data: Path, classifiers: Path, work: Path, room: str) -> Fold:
    """Cut out everybody (kept in ``work``), and load the room's classifier."""
    work.mkdir(parents=True, exist_ok=True)
    classroom = data / "classroom"
    teacher = find_weights(str(data.parent / "weights" / "yolov8n_coco.pt"))

    def part(split: str, chosen: Callable[[AnnotatedImage], bool]) -> list[AnnotatedImage]:
        images = read_coco(classroom / f"{split}.json", classroom / "images", BEHAVIOURS)
        return [image for image in images if chosen(image)]

    def cut(images: list[AnnotatedImage], px: int) -> Samples:
        paths = [image.path for image in images]
        kept = work / f"students-{px}-{hashlib.sha256(repr(paths).encode()).hexdigest()[:12]}.pt"
        if kept.is_file():
            return Samples(**torch.load(kept, weights_only=True))
        made = crops_of(images, found_people(paths, teacher, DetectorRun(), classifiers / "x", "train", common.say), px)
        torch.save(vars(made), kept)
        return made

    others = part("train", lambda image: image.room != room)
    here = [image for split in ("train", "val") for image in part(split, lambda image: image.room == room)]
    test = cut(here, INPUT_PX)
    places = {image.path.name: number for number, image in enumerate(here)}
    frames = np.array([places[source.rpartition("#")[0]] for source in test.sources])
    network = build_network()
    state = torch.load(classifiers / f"behaviour-without-{room}.pt", map_location="cpu", weights_only=True)
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    near = cut(part("val", lambda image: image.room != room), PX)
    return Fold(room, cut(others, INPUT_PX), cut(others, PX), near, test, frames, network.eval())


@torch.no_grad()
def features(network: Any, pictures: Tensor) -> Tensor:
    """(n, 1280) what the classifier's last layer reads of (n, 3, px, px) pictures in 0..1."""
    kept: list[Tensor] = []
    head: nn.Module = network.model[-1].linear
    hook = head.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0].flatten(1)))
    try:
        for part in pictures.split(128):
            network(resized(part))
    finally:
        hook.remove()
    return torch.cat(kept) if kept else torch.zeros(0, head.in_features)  # type: ignore[arg-type]


@torch.no_grad()
def likeliest(network: Any, pictures: Tensor) -> Tensor:
    """(n,) behaviour that the classifier takes (n, 3, px, px) pictures for."""
    told = [network(resized(part))[0][:, : len(BEHAVIOURS)].argmax(dim=1) for part in pictures.split(128)]
    return torch.cat(told) if told else torch.zeros(0, dtype=torch.long)


def resized(pictures: Tensor) -> Tensor:
    """As the classifier takes them."""
    if pictures.shape[-1] == INPUT_PX:
        return pictures
    return functional.interpolate(pictures, size=INPUT_PX, mode="bilinear", align_corners=False).clamp(0, 1)
