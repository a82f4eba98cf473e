"""Ways to help scarce classes, each training the last layer of the behaviour classifier on the same seeds and steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.drawing import WAYS
from benchmarks.synthesis import PX, Fold, features
from models.augment import LEAST
from models.behaviour import INPUT_PX
from models.yolo import BEHAVIOURS

TAIL = ("stand", "discuss", "write")
MOST = 40
"""Samples added to a class at most, and never more than there are real ones."""


EPOCHS, BATCH, RATE, DECAY, SMOOTHING = 6, 256, 1e-3, 1e-2, 0.1
FOCUS, MIX, NEAR, BLUR = 2.0, 0.2, 5, 0.3
"""γ of the focal loss (Lin et al. 2017), α of mixup (Zhang et al. 2018), neighbours of SMOTE (Chawla et al. 2002), and
the kernel's width in deviations of the class."""

CHEAP = (
    "none",
    "oversampling",
    "balanced drawing (as shipped)",
    "class weights",
    "focal loss",
    "mixup",
    "SMOTE",
    "kernel density",
)
MADE = ("cVAE", *WAYS)
BOTH = "class weights and "
"""Before a way to draw: its samples beside the best of the cheap rivals."""
WITH_WEIGHTS = tuple(BOTH + way for way in MADE)


@dataclass(frozen=True)
class Ready:
    """A room left out, in features of the classifier that never saw it.

    Attributes:
        x: (2n, 1280) of the training pictures, as they are and then coarse.
        labels: (2n,).
        wanted: samples to add, by class.
        test, coarse: (t, 1280) of the room.
        truth, frames: (t,) classes, and numbers of frames.
    """

    x: Tensor
    labels: Tensor
    wanted: dict[int, int]
    test: Tensor
    coarse: Tensor
    truth: Tensor
    frames: Tensor


def wanted_samples(counts: dict[str, int]) -> dict[int, int]:
    """How many samples each scarce class gets."""
    return {BEHAVIOURS.index(name): min(counts[name], MOST) for name in TAIL if counts[name] >= LEAST}


def ready(fold: Fold) -> Ready:
    """All real pictures as features, kept in ``fold.work``."""
    file = fold.work / f"features-without-{fold.room}.pt"
    if not file.is_file():
        network, train, (test, frames) = fold.classifier(), fold.train(INPUT_PX), fold.test()
        parts = (train.x, fold.train(PX).x, test.x, coarse(test.x))
        kept = [*(features(network, part) for part in parts), train.labels, test.labels, torch.from_numpy(frames)]
        torch.save(kept, file)
    own, small, test_x, far, labels, truth, frames_of = torch.load(file, weights_only=True)
    wanted = wanted_samples(fold.train(PX).counts)
    return Ready(torch.cat([own, small]), labels.repeat(2), wanted, test_x, far, truth, frames_of)


def coarse(pictures: Tensor) -> Tensor:
    """As coarse as what the generators draw."""
    return functional.interpolate(pictures, size=PX, mode="area")


Pool = tuple[Tensor, Tensor]
"""(m, 1280) of synthetic samples that the gate let through, and their (m,) classes."""


def added(ready: Ready, rival: str, pool: Pool | None, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows that the rival adds, two for each sample, and their classes."""
    rows, labels = [ready.x[:0]], [ready.labels[:0]]
    half = len(ready.x) // 2
    for label, count in ready.wanted.items():
        if pool is not None:
            x, kind = pool
            own = x[kind == label]
            chosen = own[torch.randperm(len(own), generator=random)[:count]]
            new = torch.cat([chosen, chosen])
        else:
            new = torch.cat(
                [
                    _more(view[ready.labels[:half] == label], count, rival, random)
                    for view in (ready.x[:half], ready.x[half:])
                ]
            )
        rows.append(new)
        labels.append(torch.full((len(new),), label))
    return torch.cat(rows), torch.cat(labels)


def _more(own: Tensor, count: int, rival: str, random: torch.Generator) -> Tensor:
    picked = torch.randint(len(own), (count,), generator=random)
    if rival == "SMOTE":
        apart = torch.cdist(own, own).fill_diagonal_(float("inf"))
        near = apart.topk(min(NEAR, len(own) - 1), largest=False).indices[picked]
        other = near[torch.arange(count), torch.randint(near.shape[1], (count,), generator=random)]
        return torch.lerp(own[picked], own[other], torch.rand(count, 1, generator=random))
    if rival == "kernel density":
        return own[picked] + BLUR * own.std(dim=0) * torch.randn(count, own.shape[1], generator=random)
    return own[picked]


def train_head(ready: Ready, rival: str, pool: Pool | None, seed: int) -> nn.Linear:
    """The last layer, trained anew."""
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    x, labels = ready.x, ready.labels
    if pool is not None or rival in ("oversampling", "SMOTE", "kernel density"):
        new, kinds = added(ready, rival, pool, random)
        x, labels = torch.cat([x, new]), torch.cat([labels, kinds])
    share = torch.bincount(labels, minlength=len(BEHAVIOURS)).float().clamp(min=1)
    weight = share.reciprocal() / share.reciprocal()[labels].mean() if rival.startswith("class weights") else None
    draw = share.rsqrt()[labels] if rival.startswith("balanced") else torch.ones(len(labels))
    head = nn.Linear(x.shape[1], len(BEHAVIOURS))
    optimiser = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * (len(ready.x) // BATCH)  # the same for all
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.multinomial(draw, BATCH, replacement=True, generator=random)
        loss = _loss(head, x[chosen], labels[chosen], rival, weight)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return head


def _loss(head: nn.Linear, x: Tensor, labels: Tensor, rival: str, weight: Tensor | None) -> Tensor:
    if rival == "mixup":
        part = float(np.random.default_rng(int(labels.sum())).beta(MIX, MIX))
        mixed = head(part * x + (1 - part) * x.flip(0))
        ours, theirs = (functional.cross_entropy(mixed, y, label_smoothing=SMOOTHING) for y in (labels, labels.flip(0)))
        return part * ours + (1 - part) * theirs
    each = functional.cross_entropy(head(x), labels, label_smoothing=SMOOTHING, reduction="none")
    if rival == "focal loss":
        right = head(x).softmax(dim=1)[torch.arange(len(x)), labels]
        return ((1 - right) ** FOCUS * each).mean()
    if weight is not None:  # of the sample; torch's own would weigh the smoothing too, and absent classes most
        return (weight[labels] * each).mean()
    return each.mean()
