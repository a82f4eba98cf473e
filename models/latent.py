"""What a diffusion model works on: pixels, standardised windows, or the latent variables of an autoencoder.

A codec turns samples into numbers of about unit size and back. In the latent space of a VAE the diffusion is over few
numbers, which is what makes it quick (Rombach et al. 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from models.fitting import FitSettings, build, fit
from models.vae import VAE, Batch, Likelihood

HIDDEN = (128,)
ENCODE_ROWS = 512


class Pixels:
    """Pictures (channels, height, width) in 0..1, as −1..1."""

    kind = "pixels"
    bound = True

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = self.inner_shape = tuple(shape)

    def encode(self, x: Tensor) -> Tensor:
        """(n, *shape) -> (n, *inner_shape)."""
        return x * 2 - 1

    def decode(self, z: Tensor) -> Tensor:
        """(n, *inner_shape) -> (n, *shape)."""
        return (z / 2 + 0.5).clamp(0, 1)

    def state(self) -> dict[str, Any]:
        """What ``read_codec`` makes it from."""
        return {"kind": self.kind, "shape": self.shape}


class Standardised:
    """Windows (time, features) or vectors (features,), each feature with mean 0 and deviation 1.

    What was not measured (NaN) is encoded as the mean; leave it out of the loss with ``measured``.
    """

    kind = "standardised"
    bound = False

    def __init__(self, shape: Sequence[int], mean: Tensor, deviation: Tensor) -> None:
        self.shape = self.inner_shape = tuple(shape)
        self.mean, self.deviation = mean, deviation

    @classmethod
    def of(cls, x: Tensor) -> Standardised:
        """The one for (n, *shape) samples; a feature that never varies keeps its size."""
        rows = x.reshape(-1, x.shape[-1]).double()
        known = ~rows.isnan()
        count = known.sum(dim=0).clamp(min=1)
        mean = rows.nan_to_num().sum(dim=0) / count
        wide = (((rows.nan_to_num() - mean) * known).square().sum(dim=0) / count).sqrt()
        return cls(x.shape[1:], mean.float(), torch.where(wide > 1e-6, wide, 1.0).float())

    @staticmethod
    def measured(x: Tensor) -> Tensor:
        """(n, *shape), 1 where measured."""
        return (~x.isnan()).float()

    def encode(self, x: Tensor) -> Tensor:
        """See ``Pixels``."""
        return ((x - self.mean) / self.deviation).nan_to_num()

    def decode(self, z: Tensor) -> Tensor:
        """See ``Pixels``."""
        return z * self.deviation + self.mean

    def state(self) -> dict[str, Any]:
        """See ``Pixels``."""
        return {"kind": self.kind, "shape": self.shape, "mean": self.mean, "deviation": self.deviation}


class Latent:
    """The latent variables of a VAE over pictures in 0..1, each unit with mean 0 and deviation 1."""

    kind = "latent"
    bound = False

    def __init__(self, vae: VAE, mean: Tensor, deviation: Tensor) -> None:
        self.vae, self.mean, self.deviation = vae.eval(), mean, deviation
        self.shape, self.inner_shape = tuple(vae.shape), (vae.units,)

    @classmethod
    def of(cls, x: Tensor, units: int, settings: FitSettings) -> Latent:
        """Fit a VAE on (n, channels, height, width) pictures in 0..1."""
        vae = build(VAE, settings.seed, tuple(x.shape[1:]), units, hidden=HIDDEN, likelihood=Likelihood.BERNOULLI)
        assert isinstance(vae, VAE)
        fit(vae, Batch(x, torch.ones_like(x)), settings)
        made = cls(vae, torch.zeros(units), torch.ones(units))
        z = made.encode(x)
        made.mean, made.deviation = z.mean(dim=0), z.std(dim=0, unbiased=False).clamp(min=1e-3)
        return made

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """See ``Pixels``; the means of q(z|x)."""
        rows = [self.vae.encode(Batch(part, torch.ones_like(part)))[0] for part in x.split(ENCODE_ROWS)]
        z = torch.cat(rows) if rows else x.new_zeros(0, self.vae.units)
        return (z - self.mean) / self.deviation

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """See ``Pixels``."""
        means = self.vae.decode(z * self.deviation + self.mean).sigmoid()
        return means.unflatten(1, self.shape)

    def state(self) -> dict[str, Any]:
        """See ``Pixels``."""
        return {
            "kind": self.kind,
            "shape": self.shape,
            "units": self.vae.units,
            "vae": self.vae.state_dict(),
            "mean": self.mean,
            "deviation": self.deviation,
        }


Codec = Pixels | Standardised | Latent


def read_codec(state: dict[str, Any]) -> Codec:
    """The codec that gave this ``state()``."""
    if state["kind"] == Pixels.kind:
        return Pixels(state["shape"])
    if state["kind"] == Standardised.kind:
        return Standardised(state["shape"], state["mean"], state["deviation"])
    vae = VAE(state["shape"], state["units"], hidden=HIDDEN, likelihood=Likelihood.BERNOULLI)
    vae.load_state_dict(state["vae"])
    return Latent(vae, state["mean"], state["deviation"])
