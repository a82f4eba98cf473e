"""Networks between a sample and its latent variables: dense for windows and tables, convolutions for small images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


def dense(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers of these sizes with SiLU between them; two sizes make one linear map."""
    layers: list[nn.Module] = []
    for place, (wide, next_wide) in enumerate(pairwise(sizes)):
        layers += [nn.SiLU()] * (place > 0) + [nn.Linear(wide, next_wide)]
    return nn.Sequential(*layers)


def encoder_network(shape: Sequence[int], extra: int, hidden: Sequence[int], out: int) -> nn.Module:
    """From x beside its mask, and ``extra`` numbers, to ``out`` numbers."""
    if len(shape) < 3:
        return dense([2 * math.prod(shape) + extra, *hidden, out])
    return _ImageEncoder(shape, extra, hidden, out)


def decoder_network(shape: Sequence[int], wide: int, hidden: Sequence[int]) -> nn.Module:
    """From ``wide`` numbers to those of one x, flat."""
    if len(shape) < 3:
        return dense([wide, *hidden, math.prod(shape)])
    channels, height, width = shape
    return nn.Sequential(
        dense([wide, *hidden, 32 * (height // 4) * (width // 4)]),
        nn.Unflatten(1, (32, height // 4, width // 4)),
        nn.SiLU(),
        nn.ConvTranspose2d(32, 16, 4, 2, 1),
        nn.SiLU(),
        nn.ConvTranspose2d(16, channels, 4, 2, 1),
        nn.Flatten(),
    )


class _ImageEncoder(nn.Module):
    def __init__(self, shape: Sequence[int], extra: int, hidden: Sequence[int], out: int) -> None:
        super().__init__()
        self.shape = (2 * shape[0], *shape[1:])
        self.pixels = 2 * math.prod(shape)
        self.look = nn.Sequential(
            nn.Conv2d(2 * shape[0], 16, 4, 2, 1), nn.SiLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.SiLU(), nn.Flatten()
        )
        self.read = dense([32 * (shape[1] // 4) * (shape[2] // 4) + extra, *hidden, out])

    def forward(self, flat: Tensor) -> Tensor:
        image, extra = flat[:, : self.pixels], flat[:, self.pixels :]
        return self.read(torch.cat([self.look(image.unflatten(1, self.shape)), extra], dim=1))
