"""The family of variational autoencoders, from the plain autoencoder to two levels of latent variables.

An encoder q(z|x) and a decoder p(x|z) are trained together on the evidence lower bound

    ELBO = E_q[log p(x|z)] − KL(q(z|x) ‖ p(z)) ≤ log p(x)            (Kingma & Welling 2014, equation 3).

Every model here reads a ``Batch``, x of shape (batch, *shape) with a mask of the same shape, and answers with a
``Draw``: one sample of the latent variables and all terms of the bound. What was not measured is fed in as 0 beside its
mask and left out of the likelihood, so the bound is one on the measured values alone (Nazábal et al. 2020, section 3).
Shapes are (features,), (time, features) or, for small images, (channels, height, width) with sides that are multiples
of 4. Training is in ``models.fitting``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers import decoder_network, dense, encoder_network

LOG_2PI = math.log(2 * math.pi)
ACTIVE = 0.01
"""Variance of a latent unit's posterior mean over the data above which it is in use (Burda et al. 2016)."""


class Likelihood(str, Enum):
    """How the decoder's output is read."""

    GAUSSIAN = "gaussian"  # any numbers; a variance per output is learned with the rest
    BERNOULLI = "bernoulli"  # numbers from 0 to 1


@dataclass(frozen=True)
class Batch:
    """What a model reads.

    Attributes:
        x: (batch, *shape); what the mask leaves out may be anything, NaN too.
        mask: (batch, *shape), 1 where measured.
        condition: (batch,) class indices, for a model with classes.
        shown: (batch, *shape), 1 where the encoder may look, when that is less than what was measured (denoising).
    """

    x: Tensor
    mask: Tensor
    condition: Tensor | None = None
    shown: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def rows(self, chosen: Tensor) -> Batch:
        """Those of the given indices."""
        parts = (self.x, self.mask, self.condition, self.shown)
        return Batch(*(None if part is None else part[chosen] for part in parts))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Draw:
    """What a model makes of a batch with one sample of its latent variables.

    Attributes:
        each_log_likelihood: (batch, *shape) log p(x|z) of each measured value, nats; 0 where not measured.
        kl: (batch, units) each latent unit's KL(q‖p), nats; no units for a plain autoencoder.
        log_ratio: (batch,) log p(z) − log q(z|x) at the sample, nats.
        reconstruction: (batch, *shape) mean of p(x|z).
        latent: (batch, units) means of the first level's q(z|x).
    """

    each_log_likelihood: Tensor
    kl: Tensor
    log_ratio: Tensor
    reconstruction: Tensor
    latent: Tensor

    @property
    def log_likelihood(self) -> Tensor:
        """(batch,) log p(x|z) of the measured values, nats."""
        return self.each_log_likelihood.flatten(1).sum(dim=1)


# terms of the bound


def kl_per_unit(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, exp(log_variance)) from N(0, 1) for each unit, nats.

    Closed form ½ (σ² + μ² − 1 − log σ²), Kingma & Welling 2014, appendix B.

    Args:
        mean: (batch, units).
        log_variance: (batch, units) log σ².

    Returns:
        (batch, units), never negative.
    """
    return 0.5 * (log_variance.exp() + mean.square() - 1.0 - log_variance)


def kl_between(mean: Tensor, log_variance: Tensor, prior_mean: Tensor, prior_log_variance: Tensor) -> Tensor:
    """KL divergence of one normal distribution from another for each unit, nats: (batch, units).

    ½ (log σp² − log σ² + (σ² + (μ − μp)²) / σp² − 1), needed where the prior is learned (Sønderby et al. 2016, eq. 5).
    """
    apart = log_variance.exp() + (mean - prior_mean).square()
    return 0.5 * (prior_log_variance - log_variance + apart / prior_log_variance.exp() - 1.0)


def reparameterised(mean: Tensor, log_variance: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A sample z = μ + σ·ε with ε ~ N(0, I), differentiable in μ and σ (Kingma & Welling 2014, section 2.4)."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + (0.5 * log_variance).exp() * noise


def log_normal(value: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(value; mean, exp(log_variance)), element by element, nats."""
    return -0.5 * (LOG_2PI + log_variance + (value - mean).square() / log_variance.exp())


def elbo(draw: Draw) -> Tensor:
    """(batch,) estimate of the evidence lower bound, the KL in closed form (Kingma & Welling 2014, equation 7)."""
    return draw.log_likelihood - draw.kl.sum(dim=1)


def loss(draw: Draw, beta: float = 1.0, free_bits: float = 0.0) -> Tensor:
    """What training makes small: −E[log p(x|z)] + β Σ max(free_bits, KL), mean over the batch, nats.

    β is that of the β-VAE (Higgins et al. 2017) and rises from 0 in a warm-up (Sønderby et al. 2016, section 2.3). A
    unit that costs less than ``free_bits`` on the mean of the batch pays no less by being given up, so it is not
    (Kingma et al. 2016, appendix C.8).
    """
    paid = draw.kl.mean(dim=0).clamp(min=free_bits).sum() if draw.kl.shape[1] else 0.0
    return beta * paid - draw.log_likelihood.mean()


def importance_bound(model: Model, batch: Batch, samples: int, generator: torch.Generator | None = None) -> Tensor:
    """(batch,) log 1/k Σ p(x, z_i) / q(z_i|x): between the ELBO and log p(x) (Burda et al. 2016)."""
    logs = []
    for _ in range(samples):
        draw = model(batch, generator)
        logs.append(draw.log_likelihood + draw.log_ratio)
    return torch.logsumexp(torch.stack(logs), dim=0) - math.log(samples)


def active_units(latent: Tensor) -> int:
    """How many latent units are in use: those whose posterior mean varies over the data (Burda et al. 2016).

    Args:
        latent: (n, units) posterior means of n samples.
    """
    return int((latent.var(dim=0, unbiased=False) > ACTIVE).sum()) if len(latent) else 0


# models


class Model(nn.Module):
    """What all four share: the input, and the likelihood of the output.

    Args:
        shape: of one x.
        latent: number of latent units.
        hidden: sizes of the hidden layers from x to z; the decoder has them in reverse.
        likelihood: of the decoder. The Gaussian's variance is one number per output, learned by maximum likelihood
            (Rybkin et al. 2021), and at least that of a deviation of 0.05, so that a constant feature cannot make the
            bound infinite.
        classes: of the condition; 0 for none.
    """

    LEAST_LOG_VARIANCE = 2 * math.log(0.05)

    def __init__(
        self,
        shape: Sequence[int],
        latent: int,
        hidden: Sequence[int] = (64,),
        likelihood: Likelihood = Likelihood.GAUSSIAN,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.shape, self.units, self.classes, self.likelihood = tuple(shape), latent, classes, likelihood
        self.log_variance = nn.Parameter(torch.zeros(math.prod(shape)))
        self._build(latent, tuple(hidden))

    def _build(self, latent: int, hidden: tuple[int, ...]) -> None:
        raise NotImplementedError

    def _input(self, batch: Batch) -> Tensor:
        known = (batch.mask if batch.shown is None else batch.shown) > 0
        seen = torch.where(known, batch.x, torch.zeros_like(batch.x))
        return self._with(torch.cat([seen.flatten(1), known.to(seen.dtype).flatten(1)], dim=1), batch.condition)

    def _with(self, numbers: Tensor, condition: Tensor | None) -> Tensor:
        """The numbers with the condition, (batch,) class indices, as one-hot beside them."""
        if not self.classes:
            return numbers
        if condition is None:
            raise ValueError(f"a model of {self.classes} classes needs the class of each sample")
        return torch.cat([numbers, F.one_hot(condition, self.classes).to(numbers.dtype)], dim=1)

    def _values_log_likelihood(self, batch: Batch, output: Tensor) -> Tensor:
        """(batch, *shape) log p of each measured value, nats; 0 where not measured.

        ``output``: (batch, values) of the decoder: means, or logits for Bernoulli.
        """
        known = batch.mask.flatten(1) > 0
        value = torch.where(known, batch.x.flatten(1), torch.zeros_like(output))
        if self.likelihood is Likelihood.BERNOULLI:
            each = -F.binary_cross_entropy_with_logits(output, value, reduction="none")
        else:
            each = log_normal(value, output, self.log_variance.clamp(min=self.LEAST_LOG_VARIANCE))
        return torch.where(known, each, torch.zeros_like(each)).unflatten(1, self.shape)

    def _draw(self, batch: Batch, output: Tensor, kl: Tensor, ratio: Tensor, latent: Tensor) -> Draw:
        mean = output.sigmoid() if self.likelihood is Likelihood.BERNOULLI else output
        return Draw(self._values_log_likelihood(batch, output), kl, ratio, mean.unflatten(1, self.shape), latent)

    def forward(self, batch: Batch, generator: torch.Generator | None = None) -> Draw:
        """One draw of the latent variables for each x; ``generator``: of the draw, torch's own where none is given."""
        raise NotImplementedError


class Autoencoder(Model):
    """The baseline: z = f(x) without chance, and no prior to keep it in place (Hinton & Salakhutdinov 2006)."""

    def _build(self, latent: int, hidden: tuple[int, ...]) -> None:
        self.encoder = encoder_network(self.shape, self.classes, hidden, latent)
        self.decoder = decoder_network(self.shape, latent + self.classes, hidden[::-1])

    def forward(self, batch: Batch, generator: torch.Generator | None = None) -> Draw:
        """See ``Model``; the terms of the latent variables are empty."""
        z = self.encoder(self._input(batch))
        nothing = z.new_zeros(len(z))
        return self._draw(batch, self.decoder(self._with(z, batch.condition)), z.new_zeros(len(z), 0), nothing, z)


class VAE(Model):
    """q(z|x) = N(μ(x), σ²(x)), p(z) = N(0, I) (Kingma & Welling 2014)."""

    def _build(self, latent: int, hidden: tuple[int, ...]) -> None:
        self.encoder = encoder_network(self.shape, self.classes, hidden, 2 * latent)
        self.decoder = decoder_network(self.shape, latent + self.classes, hidden[::-1])

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), (batch, units) each."""
        mean, log_variance = self.encoder(self._input(batch)).chunk(2, dim=1)
        return mean, log_variance.clamp(-10.0, 10.0)

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """(batch, values) of the decoder: means, or logits for Bernoulli."""
        return self.decoder(self._with(z, condition))

    def forward(self, batch: Batch, generator: torch.Generator | None = None) -> Draw:
        """See ``Model``."""
        mean, log_variance = self.encode(batch)
        z = reparameterised(mean, log_variance, generator)
        ratio = (log_normal(z, torch.zeros_like(z), torch.zeros_like(z)) - log_normal(z, mean, log_variance)).sum(dim=1)
        return self._draw(batch, self.decode(z, batch.condition), kl_per_unit(mean, log_variance), ratio, mean)

    @torch.no_grad()
    def sample(self, count: int, condition: Tensor | None, generator: torch.Generator) -> Tensor:
        """(count, *shape) new x: z from the prior, then the decoder's mean with its noise (Gaussian) or without."""
        z = torch.randn(count, self.units, generator=generator)
        output = self.decode(z, condition)
        if self.likelihood is Likelihood.BERNOULLI:
            return output.sigmoid().unflatten(1, self.shape)
        wide = self.log_variance.clamp(min=self.LEAST_LOG_VARIANCE).expand_as(output)
        return reparameterised(output, wide, generator).unflatten(1, self.shape)


class ConditionalVAE(VAE):
    """q(z|x, y) and p(x|z, y) for a class y, with the prior p(z) of its own (Sohn et al. 2015, section 4.1).

    Of the two priors of that paper it is the one that does not depend on y: z is what the class does not tell.
    """

    def __init__(self, shape: Sequence[int], latent: int, classes: int, **more: object) -> None:
        if classes < 1:
            raise ValueError(f"a conditional model needs at least one class, not {classes}")
        super().__init__(shape, latent, classes=classes, **more)  # type: ignore[arg-type]


class LadderVAE(Model):
    """Two levels, x ← z1 ← z2, whose q(z1|x, z2) joins what x says with what z2 expects (Sønderby et al. 2016).

    The precision-weighted merge of equations 17 to 19: σ² = 1 / (σ̂⁻² + σp⁻²), μ = σ² (μ̂ σ̂⁻² + μp σp⁻²). The second
    level has half as many units as the first.
    """

    def _build(self, latent: int, hidden: tuple[int, ...]) -> None:
        self.upper = max(1, latent // 2)
        middle = hidden[-1] if hidden else latent
        self.up = encoder_network(self.shape, self.classes, hidden[:-1], middle)
        self.from_x = nn.Linear(middle, 2 * latent)
        self.up_again = dense([middle, middle, 2 * self.upper])
        self.prior = dense([self.upper + self.classes, middle, 2 * latent])
        self.decoder = decoder_network(self.shape, latent + self.classes, hidden[::-1])

    def forward(self, batch: Batch, generator: torch.Generator | None = None) -> Draw:
        """See ``Model``; ``kl`` has the units of the first level, then those of the second."""
        raised = F.silu(self.up(self._input(batch)))
        mean2, log2 = self.up_again(raised).chunk(2, dim=1)
        log2 = log2.clamp(-10.0, 10.0)
        z2 = reparameterised(mean2, log2, generator)
        prior_mean, prior_log = self.prior(self._with(z2, batch.condition)).chunk(2, dim=1)
        prior_log = prior_log.clamp(-10.0, 10.0)
        seen_mean, seen_log = self.from_x(raised).chunk(2, dim=1)
        seen_precision, prior_precision = (-seen_log.clamp(-10.0, 10.0)).exp(), (-prior_log).exp()
        log1 = -(seen_precision + prior_precision).log()
        mean1 = (seen_mean * seen_precision + prior_mean * prior_precision) * log1.exp()
        z1 = reparameterised(mean1, log1, generator)
        kl = torch.cat([kl_between(mean1, log1, prior_mean, prior_log), kl_per_unit(mean2, log2)], dim=1)
        top = log_normal(z2, torch.zeros_like(z2), torch.zeros_like(z2)) - log_normal(z2, mean2, log2)
        low = log_normal(z1, prior_mean, prior_log) - log_normal(z1, mean1, log1)
        ratio = top.sum(dim=1) + low.sum(dim=1)
        return self._draw(batch, self.decoder(self._with(z1, batch.condition)), kl, ratio, mean1)
