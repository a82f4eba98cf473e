"""Train the head network on rendered heads with exact labels.

``heads.parquet`` holds square JPEG crops (1.7 head heights) with yaw, pitch and roll (deg). Rendered heads are clean
and few people recur, so everything that must not matter is varied: colour, light, sharpness, resolution, compression,
and where in the crop the head sits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from models.errors import ModelFileError
from models.head import ANGLE_UNIT, CROP_HEADS, INPUT_PX
from models.head_net import HeadNet
from models.training.network import write_weights

STORED_PX = 112
STORED_HEADS = 1.7
"""Head heights across a stored crop."""

ANGLES = ("yaw_view", "pitch_view", "roll")
COLUMNS = ("jpeg", "scene", "person", *ANGLES)

Further = Callable[[Tensor, Tensor], HeadNet]
"""From rendered heads and their labels to a network that was trained further."""

HELD_OUT_SCENES, HELD_OUT_PERSONS = (7, 8), (11, 12)
"""Never trained on; judged on these persons in these scenes, so that neither body nor room is known."""


def load_heads(path: Path) -> tuple[Tensor, Tensor, pd.DataFrame]:
    """Crops (n, 3, 112, 112) uint8 RGB, labels (n, 3) yaw, pitch, roll in deg; and the table.

    Raises:
        ModelFileError: not a Parquet file with these columns, or no rows.
    """
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: cannot be read as Parquet ({error}); give heads.parquet") from None
    missing = [column for column in COLUMNS if column not in table]
    if missing or table.empty:
        raise ModelFileError(f"{path}: {f'column {missing[0]!r} is missing' if missing else 'has no rows'}")
    crops = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in table["jpeg"]]
    images = np.stack([cv2.resize(crop, (STORED_PX, STORED_PX), interpolation=cv2.INTER_AREA) for crop in crops])
    labels = table[list(ANGLES)].to_numpy(np.float32, copy=True)
    rgb = images[..., ::-1].transpose(0, 3, 1, 2).copy()
    return torch.from_numpy(rgb), torch.from_numpy(labels), table


def augment(images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random views of a batch.

    Args:
        images: (b, 3, 112, 112) uint8.
        labels: (b, 3) deg.
        generator: source of randomness.

    Returns:
        (b, 3, 64, 64) in -1..1, and targets (b, 6): labels with mirrored and rolled heads set right, then where the
        head is in the crop (``models.head.HeadReading.moved``).
    """
    count = len(images)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * (high - low) + low

    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    spin_deg = uniform(-12, 12)
    spin = torch.deg2rad(spin_deg)
    zoom = torch.exp(uniform(-0.3, 0.3))  # crop side relative to CROP_HEADS heads
    shift = uniform(-0.25, 0.25, 2)  # of the head from the crop's centre, in head heights
    half = zoom * CROP_HEADS / STORED_HEADS
    cos, sin = torch.cos(spin) * half, torch.sin(spin) * half
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = mirror * cos, mirror * sin
    theta[:, 1, 0], theta[:, 1, 1] = -sin, cos
    centre = torch.einsum("bij,bj->bi", theta[:, :, :2], shift / (CROP_HEADS * zoom[:, None] / 2))
    theta[:, :, 2] = -centre
    grid = functional.affine_grid(theta, [count, 3, INPUT_PX, INPUT_PX], align_corners=False)
    pictures = functional.grid_sample(images.float() / 255, grid, padding_mode="border", align_corners=False)

    targets = torch.cat([labels, shift / zoom[:, None], -torch.log(zoom)[:, None]], dim=1).clone()
    targets[:, 0] *= mirror
    targets[:, 2] = targets[:, 2] * mirror + spin_deg
    return _degrade(pictures, uniform, generator) * 2 - 1, targets


def _degrade(pictures: Tensor, uniform: Callable[..., Tensor], generator: torch.Generator) -> Tensor:
    """Colour, light, resolution, blur, compression blocks and noise of cheap cameras; (b, 3, 64, 64) in 0..1."""
    grey = pictures.mean(dim=1, keepdim=True)
    pictures = grey + (pictures - grey) * uniform(0.0, 1.5, 1, 1, 1)
    pictures = pictures * uniform(0.7, 1.3, 3, 1, 1)
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    pictures = (mean + (pictures - mean) * uniform(0.5, 1.4, 1, 1, 1)) * uniform(0.4, 1.5, 1, 1, 1)
    pictures = pictures.clamp(0, 1) ** uniform(0.6, 1.6, 1, 1, 1)
    side = int(torch.randint(14, INPUT_PX + 1, (1,), generator=generator))  # one resolution per batch
    mode = "bilinear" if float(torch.rand(1, generator=generator)) < 0.7 else "nearest"
    coarse = functional.interpolate(pictures, size=side, mode="area")
    pictures = functional.interpolate(coarse, size=INPUT_PX, mode=mode)
    if float(torch.rand(1, generator=generator)) < 0.3:  # blocks of 8 px, as JPEG and H.264 leave them
        blocks = functional.interpolate(functional.avg_pool2d(pictures, 8), size=INPUT_PX, mode="nearest")
        pictures = torch.lerp(pictures, blocks, uniform(0.0, 0.35, 1, 1, 1))
    noise = torch.randn(pictures.shape, generator=generator) * uniform(0.0, 0.06, 1, 1, 1)
    covered = uniform(0, 1) < 0.15  # hands, neighbours and laptop lids in front of the lower half
    for index in torch.nonzero(covered).flatten().tolist():
        x, y = (int(v) for v in torch.randint(0, INPUT_PX - 16, (2,), generator=generator))
        pictures[index, :, max(y, 28) : max(y, 28) + 20, x : x + 16] = float(torch.rand(1, generator=generator))
    return (pictures + noise).clamp(0, 1)


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean loss: Laplace likelihood of the angles with learned scale (Kendall & Gal 2017, section 3), and absolute
    error of the head's place.
    """
    angles = targets[:, :3] / ANGLE_UNIT
    log_scale = outputs[:, 3:6].clamp(-4, 2)
    laplace = ((outputs[:, :3] - angles).abs() * torch.exp(-log_scale) + log_scale).mean()
    return laplace + 2 * (outputs[:, 6:9] - targets[:, 3:6]).abs().mean()


def train(images: Tensor, labels: Tensor, *, epochs: int, batch: int, seed: int, say: Callable[[str], None]) -> HeadNet:
    """Train from scratch: AdamW, one-cycle learning rate (Smith & Topin 2018), and a
    moving average of the weights over about 200 steps.

    Args:
        images: see ``load_heads``.
        labels: see ``load_heads``.
        epochs: passes over the heads.
        batch: heads per step.
        seed: of weights, order and views.
        say: told of every epoch.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = HeadNet()
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995))
    steps = epochs * (len(images) // batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, total_steps=steps)
    for epoch in range(epochs):
        begun, total = time.perf_counter(), 0.0
        order = torch.randperm(len(images), generator=generator)
        for first in range(0, len(order) - batch + 1, batch):
            chosen = order[first : first + batch]
            pictures, targets = augment(images[chosen], labels[chosen], generator)
            value = loss(net(pictures), targets)
            optimiser.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(net)
            total += float(value.detach())
        seconds = time.perf_counter() - begun
        say(f"epoch {epoch + 1}/{epochs}: loss {total / (len(order) // batch):.3f}, {seconds:.1f} s")
    torch.optim.swa_utils.update_bn(_views(images, labels, batch, generator), average)
    return average.module  # type: ignore[return-value]


def _views(images: Tensor, labels: Tensor, batch: int, generator: torch.Generator) -> list[Tensor]:
    chosen = torch.randperm(len(images), generator=generator)[: 16 * batch].split(batch)
    return [augment(images[index], labels[index], generator)[0] for index in chosen]


def held_out_error(net: HeadNet, images: Tensor, labels: Tensor) -> np.ndarray:
    """Mean absolute error (3,) of yaw, pitch, roll in degrees on undisturbed, centred heads."""
    share = CROP_HEADS / STORED_HEADS
    theta = torch.tensor([[share, 0, 0], [0, share, 0]]).repeat(len(images), 1, 1)
    grid = functional.affine_grid(theta, [len(images), 3, INPUT_PX, INPUT_PX], align_corners=False)
    views = functional.grid_sample(images.float() / 255, grid, padding_mode="border", align_corners=False) * 2 - 1
    with torch.inference_mode():
        angles = net.eval()(views)[:, :3] * ANGLE_UNIT
    return (angles - labels).abs().mean(dim=0).numpy()


def run(
    data: Path,
    out: Path,
    *,
    epochs: int,
    batch: int,
    seed: int,
    say: Callable[[str], None],
    further: Further | None = None,
) -> None:
    """Train, judge on held-out persons in held-out scenes, and write the weights (half precision) to ``out``.

    With ``further`` nothing is trained from scratch: it says how a network is trained on.

    Raises:
        ModelFileError: the data cannot be used, or leaves nothing to train or judge on.
    """
    images, labels, table = load_heads(data)
    scene, person = table["scene"].isin(HELD_OUT_SCENES), table["person"].isin(HELD_OUT_PERSONS)
    kept = torch.from_numpy(np.flatnonzero(~(scene | person)))
    judged = torch.from_numpy(np.flatnonzero(scene & person))
    if len(kept) < batch or not len(judged):
        raise ModelFileError(f"{data}: {len(kept)} heads to train on and {len(judged)} to judge on are too few")
    if further is not None:
        net = further(images[kept], labels[kept])
    else:
        net = train(images[kept], labels[kept], epochs=epochs, batch=batch, seed=seed, say=say)
    yaw, pitch, roll = held_out_error(net, images[judged], labels[judged])
    say(f"{len(judged)} held-out heads: mean error yaw {yaw:.1f}, pitch {pitch:.1f}, roll {roll:.1f} deg")
    write_weights(net, out)
    say(f"written to {out}")
