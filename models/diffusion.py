"""Diffusion models: noise is added to data step by step, and a network learns to take it away.

Both kinds of adding noise are of the form x_t = α_t x + σ_t ε with ε ~ N(0, I):

- variance preserving, α² + σ² = 1: Ho et al. 2020 (DDPM), equation 4, with their linear schedule of β, a quadratic one
  (Song et al. 2021, DDIM, appendix D.2) or the cosine of Nichol & Dhariwal 2021, equation 17;
- variance exploding, α = 1, σ growing geometrically: the score-based SDE of Song et al. 2021, appendix C.

The network predicts v = (α ε − σ x) / √(α² + σ²) (Salimans & Ho 2022, section 4; Karras et al. 2022, table 1), from
which ε follows. (Ho et al. 2020, equation 14, predict ε itself: a small network then spends itself on passing noise
through.) The score ∇ log p(x_t) is −ε / σ_t. A class is given to the network, and withheld at times, so that sampling
can lean towards the class (classifier-free guidance, Ho & Salimans 2022).
Networks are in ``models.denoiser``, ways to sample in ``models.samplers``, what x is in ``models.latent``; schedules,
U-Nets and averaging of weights are those of ``diffusers``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from models.choices import Process, Schedule
from models.denoiser import GRID, Denoiser

BETA_START, BETA_END = 1e-4, 0.02
"""Ends of the linear and quadratic schedules (Ho et al. 2020, section 4)."""


THEIR_NAMES = {
    Schedule.LINEAR: "linear",
    Schedule.QUADRATIC: "scaled_linear",  # √β is linear
    Schedule.COSINE: "squaredcos_cap_v2",
}


@dataclass(frozen=True)
class Noising:
    """How noise is added.

    Attributes:
        process: see there.
        schedule: of the variance preserving process.
        steps: noise levels T.
        sigma_min, sigma_max: least and largest σ of the variance exploding process; the largest is to be about the
            largest distance between two samples (Song & Ermon 2020, technique 1).
    """

    process: Process = Process.PRESERVING
    schedule: Schedule = Schedule.LINEAR
    steps: int = 1000
    sigma_min: float = 0.01
    sigma_max: float = 30.0

    @cached_property
    def scales(self) -> tuple[Tensor, Tensor]:
        """(steps,) α and (steps,) σ of each level, from little noise to much."""
        if self.process is Process.EXPLODING:
            places = torch.linspace(math.log(self.sigma_min), math.log(self.sigma_max), self.steps)
            return torch.ones(self.steps), places.exp()
        from diffusers import DDPMScheduler

        theirs: Any = DDPMScheduler(**self.their_settings())
        kept = theirs.alphas_cumprod
        return kept.sqrt(), (1 - kept).sqrt()

    def their_settings(self) -> dict[str, Any]:
        """What a scheduler of ``diffusers`` is told of the variance preserving process."""
        return {
            "num_train_timesteps": self.steps,
            "beta_start": BETA_START,
            "beta_end": BETA_END,
            "beta_schedule": THEIR_NAMES[self.schedule],
        }

    def levels(self, level: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ at (batch,) levels, in a form that multiplies ``like``."""
        shape = (-1, *[1] * (like.dim() - 1))
        alpha, sigma = (part.to(like.device)[level].view(shape) for part in self.scales)
        return alpha, sigma

    def noised(self, x: Tensor, noise: Tensor, level: Tensor) -> Tensor:
        """x_t in one go: (batch, *shape) from x, ε of the same shape and (batch,) levels."""
        alpha, sigma = self.levels(level, x)
        return alpha * x + sigma * noise

    def seen(self, x: Tensor, level: Tensor) -> Tensor:
        """x_t as the network reads it: with a variance near 1 at every level (Karras et al. 2022, table 1)."""
        alpha, sigma = self.levels(level, x)
        return x / (alpha.square() + sigma.square()).sqrt()


@dataclass(frozen=True)
class Training:
    """How a diffusion model is trained.

    Attributes:
        steps: of the optimiser.
        batch: samples per step.
        rate: highest learning rate of AdamW; it rises over the first 5 % and falls to 0 along half a cosine.
        ema: decay of the averaged weights, which are the ones used.
        withheld: share of samples whose class the network is not told.
        balance: how rare classes are drawn, as a power of their share: 0 as they come, 1 all alike.
        mirror: whether pictures are mirrored at random.
        seed: of weights, order and noise.
    """

    steps: int = 1000
    batch: int = 64
    rate: float = 1e-3
    ema: float = 0.995
    withheld: float = 0.1
    balance: float = 0.5
    mirror: bool = True
    seed: int = 0


class Diffusion:
    """A network with its way of adding noise.

    Args:
        shape: of one x; see ``models.denoiser.Denoiser``.
        classes: how many.
        noising: see there.
        width: of the network.
        seed: of its first weights.
        grid: of the network, for pictures.
    """

    def __init__(
        self,
        shape: Sequence[int],
        classes: int,
        noising: Noising | None = None,
        width: int = 64,
        seed: int = 0,
        grid: int = GRID,
    ) -> None:
        self.noising = noising or Noising()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = Denoiser(shape, classes, width, grid)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one x."""
        return self.network.shape

    @property
    def anything(self) -> int:
        """The class number that means "any"."""
        return self.network.classes

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def noise(self, x: Tensor, level: Tensor, label: Tensor) -> Tensor:
        """(batch, *shape) the noise in x, at (batch,) levels, for (batch,) classes."""
        alpha, sigma = self.noising.levels(level, x)
        total = alpha.square() + sigma.square()
        return (sigma * x + alpha * total.sqrt() * self._told(x, level, label)) / total

    def _told(self, x: Tensor, level: Tensor, label: Tensor) -> Tensor:
        """v, as the network sees it."""
        return self.network(self.noising.seen(x, level), level, label)

    def loss(self, x: Tensor, label: Tensor, mask: Tensor | None, generator: torch.Generator) -> Tensor:
        """Mean squared error of the network at random levels, over what the mask says was measured."""
        level = torch.randint(self.noising.steps, (len(x),), generator=generator).to(x.device)
        noise = torch.randn(x.shape, generator=generator).to(x.device)
        alpha, sigma = self.noising.levels(level, x)
        right = (alpha * noise - sigma * x) / (alpha.square() + sigma.square()).sqrt()
        error = (self._told(self.noising.noised(x, noise, level), level, label) - right).square()
        return error.mean() if mask is None else (error * mask).sum() / mask.sum().clamp(min=1)


class Trainer:
    """Trains a diffusion model, and can go on where it stopped.

    Args:
        model: trained in place.
        x: (n, *shape) with n ≥ 1.
        labels: (n,) classes.
        settings: see there.
        mask: (n, *shape), 1 where measured.
    """

    def __init__(
        self, model: Diffusion, x: Tensor, labels: Tensor, settings: Training | None = None, mask: Tensor | None = None
    ) -> None:
        from diffusers.training_utils import EMAModel

        self.model, self.x, self.labels, self.mask = model, x, labels, mask
        self.settings = settings = settings or Training()
        self.done, self.losses = 0, list[float]()
        self._random = torch.Generator().manual_seed(settings.seed)
        self._optimiser = torch.optim.AdamW(model.network.parameters(), lr=settings.rate)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimiser, self._rate)
        self._average = EMAModel(model.network.parameters(), decay=settings.ema)
        share = torch.bincount(labels).double().clamp(min=1)
        self._weights = share.pow(-settings.balance)[labels]

    def _rate(self, step: int) -> float:
        rising = max(1, self.settings.steps // 20)
        falling = 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, self.settings.steps))))
        return min(1.0, (step + 1) / rising) * falling

    def run(self, until: int | None = None, tell: Callable[[int, float], None] = lambda step, loss: None) -> None:
        """Train up to step ``until`` (all by default); ``tell`` hears of every step."""
        settings, network = self.settings, self.model.network
        network.train()
        while self.done < min(settings.steps, until if until is not None else settings.steps):
            chosen = torch.multinomial(
                self._weights, min(settings.batch, len(self.x)), replacement=True, generator=self._random
            )
            x, label = self.x[chosen].to(self.model.device), self.labels[chosen]
            if settings.mirror and len(self.model.shape) == 3:
                turned = torch.rand(len(x), generator=self._random) < 0.5
                x = torch.where(turned.view(-1, 1, 1, 1).to(x.device), x.flip(3), x)
            withheld = torch.rand(len(x), generator=self._random) < settings.withheld
            label = torch.where(withheld, self.model.anything, label).to(x.device)
            mask = None if self.mask is None else self.mask[chosen].to(x.device)
            loss = self.model.loss(x, label, mask, self._random)
            self._optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            self._optimiser.step()
            self._schedule.step()
            self._average.step(network.parameters())
            self.done += 1
            self.losses.append(float(loss.detach()))
            tell(self.done, self.losses[-1])

    def finish(self) -> None:
        """Put the averaged weights in place."""
        self._average.copy_to(self.model.network.parameters())
        self.model.network.eval()

    def state(self) -> dict[str, Any]:
        """All that going on needs."""
        return {
            "done": self.done,
            "network": self.model.network.state_dict(),
            "average": self._average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "random": self._random.get_state(),
            "losses": self.losses,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from ``state``: what follows is as if there had been no stop."""
        self.done, self.losses = state["done"], list(state["losses"])
        self.model.network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._average.to(self.model.device)
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        self._random.set_state(state["random"])
