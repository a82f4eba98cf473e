"""Train the head network further on filmed heads, of which only labels are known: looking up, down or around.

Rendered heads have exact angles but little hair and few faces. Filmed heads have no angles; their labels say in which
range the angles lie. Both are learned from together, so that the angles stay what they are.

``real_heads.parquet`` (``python -m benchmarks.real_heads``) holds crops as ``models.training.head`` stores them. Per
head: ``room``, ``look`` (``up``, ``down``, ``around``), ``x y`` (px in the picture), ``yaw pitch`` (deg) as the network
read them before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from models.errors import ModelFileError
from models.head import ANGLE_UNIT
from models.head_net import HeadNet
from models.training.head import augment, loss

COLUMNS = ("jpeg", "room", "look", "x", "y", "yaw", "pitch")
LOOKS = ("up", "down", "around")

UP_YAW, DOWN_YAW, AROUND_YAW = 12.0, 25.0, 42.0
"""Deg off where the seat looks when looking ahead: at most, for heads up and down (a board is as wide), and at least,
for heads turned around (a neighbour sits at 45 and more)."""
UP_PITCH, DOWN_PITCH = -12.0, -18.0
"""Deg off the class's usual pitch of heads that are up: at least, and at most for heads that are down."""
STEADIEST_DEG = 5.0
"""Readings nearer than this to where their seat looks count alike in finding it."""
MOST_FORWARD = 45.0

SHARES = (16, 14, 18)
"""Filmed heads of each look in a step, and rendered ones beside them."""
RENDERED = 48
MAX_RATE = 8e-4


@dataclass(frozen=True)
class RealHeads:
    """Filmed heads to learn from.

    Attributes:
        images: (n, 3, 112, 112) uint8 RGB.
        look: (n,) index into ``LOOKS``.
        ahead: (n, 2) deg of yaw and pitch where the seat looks when looking ahead.
    """

    images: Tensor
    look: np.ndarray
    ahead: np.ndarray


def load_real_heads(path: Path, without: Sequence[str] = ()) -> RealHeads:
    """Heads of all rooms but those left out; these have no part in finding out where ahead is either.

    Raises:
        ModelFileError: not such a file, a room that is not in it, or a look of which no head is left.
    """
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: cannot be read as Parquet ({error}); give real_heads.parquet") from None
    if missing := [column for column in COLUMNS if column not in table]:
        raise ModelFileError(f"{path}: column {missing[0]!r} is missing; make it by benchmarks.real_heads")
    if unknown := sorted(set(without) - set(table["room"])):
        raise ModelFileError(
            f"{path}: has no room {unknown[0]!r} to leave out; it has {', '.join(sorted(set(table['room'])))}"
        )
    kept = table[~table["room"].isin(without) & table["look"].isin(LOOKS)].reset_index(drop=True)
    for look in LOOKS:
        if not (kept["look"] == look).any():
            raise ModelFileError(f"{path}: no head that looks {look} is left; leave out fewer rooms")
    crops = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in kept["jpeg"]]
    rgb = np.stack(crops)[..., ::-1].transpose(0, 3, 1, 2).copy()
    return RealHeads(torch.from_numpy(rgb), kept["look"].map(LOOKS.index).to_numpy(int), ahead_of(kept))


def ahead_of(heads: pd.DataFrame) -> np.ndarray:
    """(n, 2) yaw and pitch in deg where each head's seat looks when looking ahead.

    The yaw of heads that are up, as a plane over the picture, fitted with the least absolute errors by weighting anew
    (Schlossmacher 1973, JASA 68(344)); the pitch is their median.
    """
    ahead = np.zeros((len(heads), 2))
    for _, rows in heads.groupby("room"):
        up = rows[rows["look"] == "up"]
        if up.empty:
            continue
        places, yaw, weight = _plane(up), up["yaw"].to_numpy(float), np.ones(len(up))
        for _ in range(10):
            fitted = np.linalg.lstsq(places * weight[:, None], yaw * weight, rcond=None)[0]
            weight = 1 / np.sqrt(np.maximum(np.abs(yaw - places @ fitted), STEADIEST_DEG))
        ahead[rows.index, 0] = (_plane(rows) @ fitted).clip(-MOST_FORWARD, MOST_FORWARD)
        ahead[rows.index, 1] = up["pitch"].median()
    return ahead


def _plane(rows: pd.DataFrame) -> np.ndarray:
    return np.column_stack([np.ones(len(rows)), rows["x"], rows["y"]]).astype(float)


def off_range(yaw: Tensor, pitch: Tensor, look: Tensor) -> Tensor:
    """(b,) deg by which heads lie outside of what their look allows; 0 within.

    Args:
        yaw: (b,) deg off where the seat looks when looking ahead; a head turned around may be so to either side, and
            is drawn to the side it is on.
        pitch: (b,) the same up and down.
        look: (b,) index into ``LOOKS``.
    """
    side = torch.sign(yaw.detach())
    up = functional.relu(yaw.abs() - UP_YAW) + functional.relu(UP_PITCH - pitch)
    down = functional.relu(yaw.abs() - DOWN_YAW) / 2 + functional.relu(pitch - DOWN_PITCH)
    around = functional.relu(AROUND_YAW - yaw * side)
    return torch.where(look == 0, up, torch.where(look == 1, down, around))


def refine(
    net: HeadNet,
    images: Tensor,
    labels: Tensor,
    real: RealHeads,
    *,
    steps: int,
    seed: int,
    say: Callable[[str], None],
) -> HeadNet:
    """Train a network further, on rendered and filmed heads in each step; returns the moving average of its weights.

    Args:
        net: trained on rendered heads; changed in place.
        images: rendered heads, see ``models.training.head.load_heads``.
        labels: their angles.
        real: filmed heads.
        steps: of training.
        seed: of choice and views.
        say: told of progress.
    """
    torch.manual_seed(seed)
    generator, random = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    optimiser = torch.optim.AdamW(net.parameters(), lr=MAX_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=MAX_RATE, total_steps=steps)
    of_look = [np.flatnonzero(real.look == look) for look in range(len(LOOKS))]
    look, ahead = torch.tensor(real.look), torch.tensor(real.ahead, dtype=torch.float32)
    total = 0.0
    net.train()
    for step in range(1, steps + 1):
        drawn = torch.from_numpy(random.choice(len(images), RENDERED))
        pictures, targets = augment(images[drawn], labels[drawn], generator)
        value = loss(net(pictures), targets)
        chosen = np.concatenate([random.choice(own, count) for own, count in zip(of_look, SHARES, strict=True)])
        pictures, targets = augment(real.images[chosen], _marked(len(chosen)), generator)
        found, mirror = net(pictures), torch.sign(targets[:, 0])
        angles = found[:, :2] * ANGLE_UNIT
        off = off_range(angles[:, 0] * mirror - ahead[chosen, 0], angles[:, 1] - ahead[chosen, 1], look[chosen])
        place = (found[:, 6:9] - targets[:, 3:6]).abs().mean()  # the crops are centred where the network saw the head
        value = value + 2 * off.mean() / ANGLE_UNIT + place
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(net)
        total += float(value.detach())
        if step % 100 == 0 or step == steps:
            say(f"step {step}/{steps}: loss {total / step:.3f}")
    torch.optim.swa_utils.update_bn(_views(images, labels, real, generator, random), average)
    return average.module  # type: ignore[return-value]


def _marked(count: int) -> Tensor:
    """Labels of yaw 1, whose sign after ``augment`` says whether the view was mirrored."""
    return torch.tensor([[1.0, 0.0, 0.0]]).repeat(count, 1)


def _views(
    images: Tensor, labels: Tensor, real: RealHeads, generator: torch.Generator, random: np.random.Generator
) -> list[Tensor]:
    """Batches of both kinds, for the averages that batch norm uses."""
    views = []
    for _ in range(8):
        drawn, chosen = random.choice(len(images), 64), random.choice(len(real.images), 64)
        views.append(augment(images[drawn], labels[drawn], generator)[0])
        views.append(augment(real.images[chosen], _marked(64), generator)[0])
    return views
