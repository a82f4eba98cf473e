"""Ways to draw samples from a diffusion model, each a few lines around a scheduler of ``diffusers``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.choices import Sampler, Schedule
from models.diffusion import Diffusion, Noising

Predict = Callable[[Tensor, Tensor], Tensor]
"""From x (batch, *shape) and (batch,) noise levels to the noise in x."""


@dataclass(frozen=True)
class Sampling:
    """How samples are drawn.

    Attributes:
        sampler: see there.
        steps: of the sampler; None for its usual number. Each costs one run of the network, ``sde`` two.
        eta: share of DDPM's chance in DDIM's steps, 0 to 1.
        guidance: how far to lean towards the class: 0 ignores it, 1 is the plain conditional model, more exaggerates
            (the w of Ho & Salimans 2022 plus one). Other values than 0 and 1 cost twice the time.
        snr: signal-to-noise ratio of the Langevin corrector (Song et al. 2021, appendix G).
    """

    sampler: Sampler = Sampler.DDIM
    steps: int | None = None
    eta: float = 0.0
    guidance: float = 1.0
    snr: float = 0.16


def guided(model: Diffusion, labels: Tensor, guidance: float) -> Predict:
    """Noise for (batch,) ``labels``: ε_any + guidance · (ε_class − ε_any), Ho & Salimans 2022, equation 6."""
    anything = torch.full_like(labels, model.anything)

    def predict(x: Tensor, level: Tensor) -> Tensor:
        if guidance in (0.0, 1.0):
            return model.noise(x, level, labels if guidance else anything)
        both = model.noise(torch.cat([x, x]), torch.cat([level, level]), torch.cat([anything, labels]))
        free, told = both.chunk(2)
        return free + guidance * (told - free)

    return predict


def draw(
    predict: Predict,
    noising: Noising,
    shape: Sequence[int],
    how: Sampling,
    generator: torch.Generator,
    *,
    bound: bool = False,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Draw samples.

    Args:
        predict: the noise in x.
        noising: what is undone.
        shape: (batch, *shape) of the result.
        how: see there.
        generator: of all chance, on the CPU, so that a seed gives the same start on every device.
        bound: whether data lie in −1..1, as pictures do; guesses on the way are then kept there.
        device: where ``predict`` works.

    Raises:
        ValueError: the sampler undoes another kind of noising.
    """
    if how.sampler.process is not noising.process:
        raise ValueError(f"sampler {how.sampler.value} cannot undo the noising {noising.process.value}")
    steps = min(how.steps or how.sampler.usual_steps, noising.steps)
    if 0 in shape:
        return torch.zeros(*shape)
    with torch.no_grad():
        last = torch.randn(*shape, generator=generator).to(device)
        walk = _exploding if how.sampler is Sampler.SDE else _preserving
        for x in walk(predict, noising, last, how, steps, generator, bound):
            last = x
    return last.clamp(-1, 1) if bound else last


def _preserving(
    predict: Predict, noising: Noising, x: Tensor, how: Sampling, steps: int, generator: torch.Generator, bound: bool
) -> Iterator[Tensor]:
    import diffusers

    settings = noising.their_settings()
    more: dict[str, Any] = {}
    scheduler: Any
    if how.sampler is Sampler.DPM:
        # the cosine's last levels hold no signal, and the solver works on log(signal / noise) (Lu et al. 2022)
        lowest = -5.1 if noising.schedule is Schedule.COSINE else -float("inf")
        # steps even in that logarithm (Lu et al. 2022, section 3.4): even in time, 20 steps draw far too narrow
        scheduler = diffusers.DPMSolverMultistepScheduler(
            **settings, thresholding=bound, lambda_min_clipped=lowest, use_lu_lambdas=True
        )
    elif how.sampler is Sampler.DDIM:
        # begin at the last level, where x is noise; the default begins below it (Lin et al. 2024, section 3.3)
        scheduler = diffusers.DDIMScheduler(**settings, clip_sample=bound, timestep_spacing="trailing")
        more = {"eta": how.eta, "generator": generator}
    else:
        scheduler = diffusers.DDPMScheduler(**settings, clip_sample=bound, timestep_spacing="trailing")
        more = {"generator": generator}
    scheduler.set_timesteps(steps)
    for level in scheduler.timesteps:
        noise = predict(x, level.expand(len(x)).to(x.device))
        x = scheduler.step(noise, level, x, **more).prev_sample
        yield x


def _exploding(
    predict: Predict, noising: Noising, x: Tensor, how: Sampling, steps: int, generator: torch.Generator, bound: bool
) -> Iterator[Tensor]:
    from diffusers import ScoreSdeVeScheduler

    scheduler: Any = ScoreSdeVeScheduler(
        num_train_timesteps=steps, snr=how.snr, sigma_min=noising.sigma_min, sigma_max=noising.sigma_max
    )
    x = x * noising.sigma_max
    nearest = torch.linspace(0, noising.steps - 1, steps).round().long()  # σ is geometric in both
    for place in reversed(range(steps)):
        level = nearest[place].expand(len(x)).to(x.device)
        _, sigma = noising.levels(level, x)
        x = scheduler.step_correct(-predict(x, level) / sigma, x, generator=generator).prev_sample
        noise = predict(x, level)
        # the scheduler finds the place again as the floor of t · (steps − 1): rounding must not lead below it
        t = (place + 0.25) / max(steps - 1, 1)
        done = scheduler.step_pred(-noise / sigma, t, x, generator=generator)
        x = done.prev_sample
        yield done.prev_sample_mean  # the last step's noise only blurs
