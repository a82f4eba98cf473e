"""A room left out: pictures of all students, and what a behaviour classifier that never saw it makes of them."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import common
from models.behaviour import INPUT_PX
from models.behaviour_net import build_network
from models.registry import find_weights
from models.training.annotations import AnnotatedImage, read_coco
from models.training.detection import DetectorRun, found_people
from models.training.samples import Samples, crops_of
from models.yolo import BEHAVIOURS

PX = 32


@dataclass(frozen=True)
class Fold:
    """What may be learned from, and the room it is judged on; pictures are cut out when first asked for, and kept.

    Attributes:
        data: folder of evaluation data.
        classifiers: what ``benchmarks.rooms`` has trained.
        work: where all is kept.
        room: left out of everything that learns.
    """

    data: Path
    classifiers: Path
    work: Path
    room: str

    def _images(self, split: str, here: bool) -> list[AnnotatedImage]:
        classroom = self.data / "classroom"
        images = read_coco(classroom / f"{split}.json", classroom / "images", BEHAVIOURS)
        return [image for image in images if (image.room == self.room) == here]

    def _cut(self, images: list[AnnotatedImage], px: int) -> Samples:
        paths = [image.path for image in images]
        kept = self.work / f"students-{px}-{hashlib.sha256(repr(paths).encode()).hexdigest()[:12]}.pt"
        if kept.is_file():
            return Samples(**torch.load(kept, weights_only=True, mmap=True))
        teacher = find_weights(str(self.data.parent / "weights" / "yolov8n_coco.pt"))
        found = found_people(paths, teacher, DetectorRun(), self.classifiers / "x", "train", common.say)
        made = crops_of(images, found, px)
        torch.save(vars(made), kept)
        return made

    def train(self, px: int) -> Samples:
        """Real students of the other rooms, from ``train.json``."""
        return self._cut(self._images("train", False), px)

    def near(self, px: int) -> Samples:
        """Students of the same rooms as ``train`` in ``val.json``, moments apart."""
        return self._cut(self._images("val", False), px)

    def test(self) -> tuple[Samples, np.ndarray]:
        """All students of the room, 128 px, and the (n,) number of the frame that each is from."""
        here = self._images("train", True) + self._images("val", True)
        made = self._cut(here, INPUT_PX)
        places = {image.path.name: number for number, image in enumerate(here)}
        return made, np.array([places[source.rpartition("#")[0]] for source in made.sources])

    def classifier(self) -> Any:
        """The behaviour network that never saw the room."""
        network = build_network()
        file = self.classifiers / f"behaviour-without-{self.room}.pt"
        state = torch.load(file, map_location="cpu", weights_only=True)
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
        return network.eval()


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The arguments of both benchmarks."""
    parser = common.parser(description)
    parser.add_argument("--work", type=Path, default=Path("runs/synthesis"), help="folder of generators and samples")
    parser.add_argument(
        "--classifiers", type=Path, default=Path("runs/rooms"), help="folder of what benchmarks.rooms has trained"
    )
    return parser


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
