"""Train the behaviour classifier on crops of annotated students.

A student in a group annotated as discussing counts as discussing; people a general detector finds where nothing is
annotated count as ``unlabelled``. Crops are varied as a detector's boxes and cheap cameras vary them.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.behaviour import CROP_SIDE, INPUT_PX, NOTHING, OUTPUTS, cut_crops
from models.behaviour_net import as_input, build_network
from models.errors import TrainingDataError
from models.registry import WeightsFile, find_weights
from models.training.annotations import AnnotatedImage, read_coco
from models.training.detection import DetectorRun, found_people
from models.training.network import fast_bfloat16, write_weights
from models.training.pseudo_labels import inside, not_annotated
from models.yolo import BEHAVIOURS, GROUP, GROUP_SHARE, load_yolo

STORED_PX, STORED_SIDE = 176, 1.9
"""Crops are kept this large and this wide, so that views can be shifted, zoomed and turned."""


@dataclass(frozen=True)
class Crops:
    """n students to learn from.

    Attributes:
        images: (n, 176, 176, 3) uint8 BGR, ``STORED_SIDE`` box sides wide.
        labels: (n,) index into ``OUTPUTS``.
    """

    images: Tensor
    labels: Tensor


def collect_crops(images: Sequence[AnnotatedImage], found_xyxy: dict[str, np.ndarray]) -> Crops:
    """Cut every student out of annotated images.

    Args:
        images: annotated images.
        found_xyxy: by image name, (m, 4) px: people a general detector finds.

    Raises:
        TrainingDataError: an image cannot be read, or no students are annotated.
    """
    crops, labels = [], []
    for image in images:
        pixels = cv2.imread(str(image.path))
        if pixels is None:
            raise TrainingDataError(f"{image.path}: cannot be read as an image; replace it")
        boxes, numbers = students_of(image, found_xyxy.get(image.path.name, np.zeros((0, 4), np.float32)))
        crops.append(cut_crops(pixels, boxes, side=STORED_SIDE, px=STORED_PX))
        labels.append(numbers)
    if not labels or not (np.concatenate(labels) != OUTPUTS.index(NOTHING)).any():
        raise TrainingDataError("no annotated students to learn behaviours from")
    return Crops(torch.from_numpy(np.concatenate(crops)), torch.from_numpy(np.concatenate(labels)))


def with_synthetic(crops: Crops, pictures: Sequence[np.ndarray], names: Sequence[str]) -> Crops:
    """The crops, and synthetic pictures (px, px, 3) uint8 BGR of the named behaviours, their edges repeated.

    Raises:
        TrainingDataError: a name is no behaviour.
    """
    unknown = sorted(set(names) - set(BEHAVIOURS))
    if unknown:
        raise TrainingDataError(f"synthetic pictures of {unknown[0]!r}; make them with: engage augment DATA")
    inner = round(STORED_PX * CROP_SIDE / STORED_SIDE)
    before = (STORED_PX - inner) // 2
    edges = (before, STORED_PX - inner - before) * 2
    made = [
        cv2.copyMakeBorder(cv2.resize(picture, (inner, inner)), *edges, cv2.BORDER_REPLICATE) for picture in pictures
    ]
    if not made:
        return crops
    labels = torch.tensor([OUTPUTS.index(name) for name in names])
    return Crops(torch.cat([crops.images, torch.from_numpy(np.stack(made))]), torch.cat([crops.labels, labels]))


def students_of(image: AnnotatedImage, found_xyxy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Single students of an image, (n, 4) px, and their (n,) classes in ``OUTPUTS``."""
    group = np.array([name == GROUP for name in image.labels], bool)
    single = image.boxes_xyxy[~group]
    numbers = [OUTPUTS.index(name) for name in image.labels if name != GROUP]
    more = not_annotated(found_xyxy, single)
    groups = torch.from_numpy(image.boxes_xyxy[group]).float()
    member = (inside(torch.from_numpy(more).float(), groups) > GROUP_SHARE).any(dim=1).numpy()
    numbers += [OUTPUTS.index(GROUP if belongs else NOTHING) for belongs in member]
    return np.concatenate([single, more]).astype(np.float32), np.array(numbers, int)


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Random views of a batch: box jitter, mirror, tilt, colour, light, sharpness, covered patches.

    Args:
        images: (b, 176, 176, 3) uint8 BGR.
        generator: source of randomness.

    Returns:
        (b, 3, 128, 128) float RGB in 0..1.
    """
    count = len(images)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * (high - low) + low

    half = CROP_SIDE / STORED_SIDE * torch.exp(uniform(-0.22, 0.22))
    angle = torch.deg2rad(uniform(-8, 8))
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    stretch = torch.exp(uniform(-0.1, 0.1))
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = mirror * torch.cos(angle) * half * stretch, torch.sin(angle) * half
    theta[:, 1, 0], theta[:, 1, 1] = -mirror * torch.sin(angle) * half * stretch, torch.cos(angle) * half
    theta[:, :, 2] = uniform(-0.09, 0.09, 2)
    grid = functional.affine_grid(theta, [count, 3, INPUT_PX, INPUT_PX], align_corners=False)
    views = functional.grid_sample(as_input(images), grid, padding_mode="border", align_corners=False)
    grey = views.mean(dim=1, keepdim=True)
    views = grey + (views - grey) * uniform(0.0, 1.6, 1, 1, 1)
    views = views * uniform(0.8, 1.2, 3, 1, 1)
    mean = views.mean(dim=(1, 2, 3), keepdim=True)
    views = (mean + (views - mean) * uniform(0.6, 1.4, 1, 1, 1)) * uniform(0.5, 1.4, 1, 1, 1)
    if float(torch.rand(1, generator=generator)) < 0.5:  # one resolution per batch: back rows are small
        side = int(torch.randint(28, INPUT_PX, (1,), generator=generator))
        coarse = functional.interpolate(views, size=side, mode="area")
        views = functional.interpolate(coarse, size=INPUT_PX, mode="bilinear", align_corners=False)
    for index in torch.nonzero(uniform(0, 1) < 0.25).flatten().tolist():
        x, y, w, h = (int(v) for v in torch.randint(12, 56, (4,), generator=generator))
        views[index, :, y * 2 - 24 : y * 2 - 24 + h, x * 2 - 24 : x * 2 - 24 + w] = 0.5
    return views.clamp(0, 1)


def start_from_detector(network: Any, weights: WeightsFile) -> int:
    """Copy the backbone of a YOLOv8n detector into the classifier; returns how many tensors fitted."""
    theirs, ours = load_yolo(weights).model.state_dict(), network.state_dict()
    head = f"model.{len(network.model) - 1}."
    fitting = {
        name: value.float()
        for name, value in theirs.items()
        if name in ours and value.shape == ours[name].shape and not name.startswith(head)
    }
    network.load_state_dict(fitting, strict=False)
    return len(fitting)


def train(
    crops: Crops,
    start: WeightsFile,
    *,
    epochs: int,
    batch: int,
    seed: int,
    say: Callable[[str], None],
) -> Any:
    """Train from a detector's backbone: AdamW, one-cycle learning rate, averaged weights, label smoothing.

    Rare behaviours are drawn more often, by the inverse square root of their share.

    Args:
        crops: what to learn from.
        start: a YOLOv8n detector.
        epochs: passes over as many crops as there are.
        batch: crops per step.
        seed: of weights, order and views.
        say: told of every epoch.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = build_network().to(memory_format=torch.channels_last)
    say(f"{start_from_detector(network, start)} tensors from {start.path.name}; {len(crops.labels)} crops")
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    counts = torch.bincount(crops.labels, minlength=len(OUTPUTS)).float()
    weights = counts.clamp(min=1).rsqrt()[crops.labels]
    steps = len(crops.labels) // batch
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1e-3, total_steps=epochs * steps, pct_start=0.1)
    for epoch in range(epochs):
        begun, total = time.perf_counter(), 0.0
        network.train()
        order = torch.multinomial(weights, steps * batch, replacement=True, generator=generator)
        for chosen in order.split(batch):
            views = augment(crops.images[chosen], generator).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16()):
                logits = network(views)
            loss = functional.cross_entropy(logits.float(), crops.labels[chosen], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(network)
            total += float(loss.detach())
        say(f"epoch {epoch + 1}/{epochs}: loss {total / steps:.3f}, {time.perf_counter() - begun:.0f} s")
    return average.module


def run(
    data: Path,
    start: str,
    work: Path,
    out: Path,
    *,
    without_room: str | None,
    epochs: int,
    batch: int,
    seed: int,
    say: Callable[[str], None],
    synthetic: Path | None = None,
) -> None:
    """Train on a folder of annotated classrooms, judge on its ``val.json``, and write the weights to ``out``.

    Args:
        data: folder with ``train.json``, ``val.json`` (COCO format) and ``images/``.
        start: name or path of a YOLOv8n detector of people.
        work: folder whose ``pseudo/`` keeps the people found where nothing is annotated.
        out: weights file.
        without_room: room left out of training and judged on instead.
        epochs: see ``train``.
        batch: see ``train``.
        seed: see ``train``.
        say: told of progress.
        synthetic: folder of pictures made by ``engage augment``, to learn from besides.

    Raises:
        TrainingDataError: the data cannot be used.
    """
    images = read_coco(data / "train.json", data / "images", BEHAVIOURS)
    judged = read_coco(data / "val.json", data / "images", BEHAVIOURS)
    if without_room is not None:
        every = images + judged
        judged = [image for image in every if image.room == without_room]
        images = [image for image in images if image.room != without_room]
        if not judged or not images:
            rooms = sorted({image.room for image in every})
            raise TrainingDataError(f"room {without_room!r} cannot be left out of the rooms {rooms}")
    weights, defaults = find_weights(start), DetectorRun()
    found = found_people([image.path for image in images], weights, defaults, work, "train", say)
    crops = collect_crops(images, found)
    if synthetic is not None:
        from models.training.synthetic import read_pictures

        pictures, names = read_pictures(synthetic)
        crops = with_synthetic(crops, pictures, names)
        say(f"{len(names)} synthetic pictures besides")
    if len(crops.labels) < batch:
        raise TrainingDataError(
            f"{data}: {len(crops.labels)} students are too few for steps of {batch}; give more, or a smaller --batch"
        )
    for image in judged:
        if cv2.imread(str(image.path)) is None:
            raise TrainingDataError(f"{image.path}: cannot be read as an image; replace it")
    network = train(crops, weights, epochs=epochs, batch=batch, seed=seed, say=say)
    single = [dataclasses.replace(image, **_singles(image)) for image in judged]
    say(f"named right of {sum(len(i.labels) for i in single)} students: {share_right(network, single):.3f}")
    write_weights(network, out)
    say(f"written to {out}")


def _singles(image: AnnotatedImage) -> dict[str, Any]:
    keep = [name != GROUP for name in image.labels]
    return {"boxes_xyxy": image.boxes_xyxy[keep], "labels": tuple(name for name in image.labels if name != GROUP)}


def share_right(network: Any, images: Sequence[AnnotatedImage]) -> float:
    """Share of annotated single students whose likeliest behaviour is the annotated one."""
    network.eval()
    right = total = 0
    for image in images:
        if not len(image.labels):
            continue
        crops = torch.from_numpy(cut_crops(cv2.imread(str(image.path)), image.boxes_xyxy))
        with torch.inference_mode():
            best = network(as_input(crops))[0][:, : len(BEHAVIOURS)].argmax(dim=1)
        truth = torch.tensor([OUTPUTS.index(name) for name in image.labels])
        right += int((best == truth).sum())
        total += len(truth)
    return right / max(total, 1)
