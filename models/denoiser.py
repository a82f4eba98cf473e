"""The networks of ``models.diffusion``: what noise is in x, at which noise level, for which class.

All are U-shaped with skip connections, and add an embedding of the noise level (sinusoids, Vaswani et al. 2017, as in
Ho et al. 2020, appendix B) to one of the class. Pictures and windows use ``diffusers.UNet2DModel``: its one-dimensional
sister is known to lose the noise level on the way, so a window (time, features) is a picture one pixel wide with a
channel per feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID = 16
"""Pictures are folded to this many cells a side (several pixels become channels): convolutions on twice as many a side
take four times as long (Hoogeboom et al. 2023, section 2.3)."""

PER_GROUP = 8
"""Channels normalised together. Noise level and class are added as a constant per channel, and a group of one channel
would take them away again."""


class Denoiser(nn.Module):
    """Predicts v, see ``models.diffusion``.

    Args:
        shape: of one x: (channels, height, width); (time, features); or (features,).
        classes: how many; class number ``classes`` means "any" (Ho & Salimans 2022, section 3.2).
        width: channels of the first level, a multiple of 16.
        grid: cells a side that pictures are folded to; see ``GRID``.
    """

    def __init__(self, shape: Sequence[int], classes: int, width: int = 64, grid: int = GRID) -> None:
        super().__init__()
        self.shape, self.classes, self.width, self.grid = tuple(shape), classes, width, grid
        self.fold = 1
        self.network: Any
        if len(shape) == 3:
            channels, height, side = shape
            self.fold = max(1, min(height, side) // grid)
            if height % (2 * self.fold) or side % (2 * self.fold):
                raise ValueError(f"sides of pictures must be multiples of {2 * self.fold}, not {height} x {side}")
            if width < channels * self.fold**2:  # noise in all of them would not fit through
                raise ValueError(
                    f"width {width} is less than the {channels * self.fold**2} channels of a folded picture"
                )
            cells = (height // self.fold, side // self.fold)
            self.network = _u_net(channels * self.fold**2, cells, (width, 2 * width), classes)
        elif len(shape) == 2:
            self.network = _u_net(shape[1], (shape[0], 1), (width,), classes)
        else:
            self.network = _DenseU(shape[0], classes, 2 * width)

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        """(batch, *shape) noise, from x of that shape, (batch,) noise levels and (batch,) classes."""
        if not len(x):
            return x
        if len(self.shape) == 1:
            return self.network(x, time, label)
        if len(self.shape) == 2:
            return self.network(x.transpose(1, 2)[..., None], time, class_labels=label).sample[..., 0].transpose(1, 2)
        folded = functional.pixel_unshuffle(x, self.fold)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=_bfloat16(x.device)):
            noise = self.network(folded, time, class_labels=label).sample
        return functional.pixel_shuffle(noise.float(), self.fold)


def _bfloat16(device: torch.device) -> bool:
    from models.training.network import fast_bfloat16

    return device.type == "cuda" or fast_bfloat16()


def _u_net(channels: int, cells: tuple[int, int], widths: tuple[int, ...], classes: int) -> Any:
    """A U-Net with one block per level and attention in its middle; one level keeps the size, whatever it is."""
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=cells,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=1,
        block_out_channels=widths,
        down_block_types=("DownBlock2D",) * len(widths),
        up_block_types=("UpBlock2D",) * len(widths),
        norm_num_groups=widths[0] // PER_GROUP,
        num_class_embeds=classes + 1,
    )


class _DenseU(nn.Module):
    """For vectors: three levels of dense layers, each joined with its counterpart on the way up."""

    def __init__(self, features: int, classes: int, width: int) -> None:
        super().__init__()
        from diffusers.models.embeddings import TimestepEmbedding, Timesteps

        self.waves = Timesteps(64, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.level = TimestepEmbedding(64, width)
        self.kind = nn.Embedding(classes + 1, width)
        self.enter = nn.Linear(features, width)
        half = width // 2
        sizes = [(width, width), (width, half), (half, half), (half + half, half), (half + width, width)]
        self.blocks = nn.ModuleList(_DenseBlock(wide, next_wide, width) for wide, next_wide in sizes)
        self.leave = nn.Linear(2 * width, features)

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        told = self.level(self.waves(time)) + self.kind(label)
        first = self.enter(x)
        second = self.blocks[0](first, told)
        third = self.blocks[1](second, told)
        up = self.blocks[2](third, told)
        up = self.blocks[3](torch.cat([up, third], dim=1), told)
        up = self.blocks[4](torch.cat([up, second], dim=1), told)
        return self.leave(torch.cat([up, first], dim=1))


class _DenseBlock(nn.Module):
    def __init__(self, wide: int, out: int, told: int) -> None:
        super().__init__()
        self.norm, self.main, self.told = nn.LayerNorm(wide), nn.Linear(wide, out), nn.Linear(told, out)
        self.last = nn.Linear(out, out)
        self.skip = nn.Linear(wide, out) if wide != out else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        inner = functional.silu(self.main(functional.silu(self.norm(x))) + self.told(told))
        return self.skip(x) + self.last(inner)
