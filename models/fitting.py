"""Fits a model of ``models.vae``: some seconds on a processor for the sizes used here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch.optim.adam import adam

from models.vae import Batch, Model, active_units, loss


@dataclass(frozen=True)
class FitSettings:
    """How a model is trained.

    Attributes:
        steps: of the optimiser.
        batch: samples per step.
        rate: highest learning rate of Adam; it falls to 0 along half a cosine.
        beta: weight of the KL term.
        warm_up: share of the steps in which that weight rises from 0 (Sønderby et al. 2016).
        free_bits: nats per latent unit that cost nothing (Kingma et al. 2016).
        drop: share of the measured values hidden from the encoder, which has to fill them in (denoising, Vincent et
            al. 2008); the likelihood still judges them.
        seed: of weights, order and samples.
    """

    steps: int = 400
    batch: int = 128
    rate: float = 3e-3
    beta: float = 1.0
    warm_up: float = 0.3
    free_bits: float = 0.05
    drop: float = 0.0
    seed: int = 0


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes in one thread: the networks here are so small that waking others takes longer than the work, and
    on a busy machine many times as long. Results are then the same on any number of cores, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def build(make: type[Model], seed: int, *arguments: object, **more: object) -> Model:
    """A model whose first weights depend on the seed alone, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(*arguments, **more)  # type: ignore[arg-type]


def fit(model: Model, data: Batch, settings: FitSettings | None = None) -> list[float]:
    """Train in place.

    Args:
        model: any of ``models.vae``.
        data: n ≥ 1 samples, finite where measured.
        settings: see there.

    Returns:
        the loss of each step, nats.
    """
    settings = settings or FitSettings()
    random = torch.Generator().manual_seed(settings.seed)
    optimiser = _Adam(model)
    losses = []
    model.train()
    for step in range(settings.steps):
        batch = data.rows(torch.randint(len(data), (min(settings.batch, len(data)),), generator=random))
        if settings.drop:
            shown = batch.mask * (torch.rand(batch.mask.shape, generator=random) >= settings.drop)
            batch = replace(batch, shown=shown)
        draw = model(batch, random)
        beta = settings.beta * min(1.0, (step + 1) / max(1.0, settings.warm_up * settings.steps))
        cost = loss(draw, beta, settings.free_bits)
        optimiser.forget()
        cost.backward()
        torch.nn.utils.clip_grad_norm_(optimiser.parameters, 10.0)
        optimiser.step(settings.rate * (1 + math.cos(math.pi * step / settings.steps)) / 2)
        losses.append(float(cost.detach()))
    model.eval()
    return losses


class _Adam:
    """Adam (Kingma & Ba 2015) by PyTorch's function; its class loads the compiler first, longer than a fit takes."""

    def __init__(self, model: Model) -> None:
        self.parameters: list[torch.Tensor] = [one for one in model.parameters() if one.requires_grad]
        self._means = [torch.zeros_like(one) for one in self.parameters]
        self._squares = [torch.zeros_like(one) for one in self.parameters]
        self._steps = [torch.zeros(()) for _ in self.parameters]

    def forget(self) -> None:
        """Begin with new gradients."""
        for one in self.parameters:
            one.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move the parameters along their gradients."""
        adam(
            self.parameters,
            [torch.zeros_like(one) if one.grad is None else one.grad for one in self.parameters],
            self._means,
            self._squares,
            [],
            self._steps,
            foreach=False,
            fused=True,  # the networks are so small that one call for each tensor takes longer than what it computes
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


@torch.no_grad()
def used_units(model: Model, data: Batch) -> int:
    """How many units of the first level are in use on these samples; 0 means that the posterior has collapsed."""
    return active_units(model(data, torch.Generator().manual_seed(0)).latent)
