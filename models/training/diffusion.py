"""One training of a diffusion model: reading, going on after a stop, the file and a picture of what it draws."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.augment import LEAST
from models.choices import Sampler
from models.denoiser import GRID
from models.diffusion import Diffusion, Noising, Trainer, Training
from models.errors import TrainingDataError
from models.fitting import FitSettings
from models.generator import Generator, write
from models.grids import write_grid
from models.latent import Codec, Latent, Pixels, Standardised, read_codec
from models.samplers import Sampling
from models.training.samples import Samples

KEEP_EVERY = 50
"""Steps after which all that going on needs is written."""

SHOWN_PER_CLASS = 8

Tell = Callable[[int, int], None]
"""Told of steps done and steps in all."""


@dataclass(frozen=True)
class Plan:
    """What is trained.

    Attributes:
        noising: see ``models.diffusion``.
        training: see there.
        width, grid: of the network.
        latent: units of the VAE in whose latent space the model works; 0 for pixels.
        vae_steps: of the VAE's training.
    """

    noising: Noising
    training: Training
    width: int = 48
    latent: int = 0
    vae_steps: int = 1500
    grid: int = GRID


def run(samples: Samples, plan: Plan, out: Path, *, device: str, tell: Tell, say: Callable[[str], None]) -> Generator:
    """Train, write the generator to ``out`` and samples of every class to a PNG beside it.

    An interrupted training goes on when the same is asked for again.

    Args:
        samples: what to learn from.
        plan: see there.
        out: file of the generator.
        device: torch's name of it.
        tell: see ``Tell``.
        say: told of what is worth a line.

    Raises:
        TrainingDataError: no class has enough samples, or another training was interrupted at ``out``.
    """
    known = learnable(samples, say)
    state_file, key = out.with_name(f"{out.name}.state"), _key(samples, plan)
    state = _read_state(state_file, key)
    codec = read_codec(state["codec"]) if state else _codec(known.x, plan)
    model = Diffusion(codec.inner_shape, len(samples.names), plan.noising, plan.width, plan.training.seed, plan.grid)
    model.network.to(device)
    x, labels = known.x, known.labels
    if isinstance(codec, Latent) and plan.training.mirror:  # codes cannot be mirrored later
        x, labels = torch.cat([x, x.flip(3)]), labels.repeat(2)
    mask = Standardised.measured(x) if isinstance(codec, Standardised) else None
    trainer = Trainer(model, codec.encode(x), labels, plan.training, mask)
    if state:
        trainer.load(state["trainer"])
        say(f"goes on at step {trainer.done} of {plan.training.steps}")
    while trainer.done < plan.training.steps:
        trainer.run(trainer.done + KEEP_EVERY, lambda step, _: tell(step, plan.training.steps))
        content = {"key": key, "codec": codec.state(), "trainer": trainer.state()}
        write(state_file, lambda partial, content=content: torch.save(content, partial))  # type: ignore[misc]
    trainer.finish()
    recent = trainer.losses[-KEEP_EVERY:]
    made = Generator(codec, model, samples.names, samples.sha256)
    made.save(out)
    say(f"{made.parameters() / 1e6:.2f} million parameters, loss {sum(recent) / max(1, len(recent)):.3f}")
    say(f"written to {out}")
    shown = _show(made, known.labels, plan)
    write_grid(out.with_suffix(".png"), shown, SHOWN_PER_CLASS)
    say(f"what it draws, a row per class: {out.with_suffix('.png')}")
    state_file.unlink(missing_ok=True)
    return made


def learnable(samples: Samples, say: Callable[[str], None]) -> Samples:
    """Those of classes with enough samples.

    Raises:
        TrainingDataError: there is no such class.
    """
    good = [name for name, count in samples.counts.items() if count >= LEAST]
    for name, count in samples.counts.items():
        if 0 < count < LEAST:
            say(f"{name}: {count} samples are too few to learn from; left out")
    if not good:
        raise TrainingDataError(f"no class has {LEAST} samples or more; annotate more before a generator is trained")
    kept = torch.tensor([samples.names[label] in good for label in samples.labels.tolist()])
    sources = tuple(source for source, keep in zip(samples.sources, kept.tolist(), strict=True) if keep)
    return dataclasses.replace(samples, x=samples.x[kept], labels=samples.labels[kept], sources=sources)


def _codec(x: Tensor, plan: Plan) -> Codec:
    if x.dim() < 4:
        return Standardised.of(x)
    if not plan.latent:
        return Pixels(x.shape[1:])
    both = torch.cat([x, x.flip(3)]) if plan.training.mirror else x
    return Latent.of(both, plan.latent, FitSettings(steps=plan.vae_steps, seed=plan.training.seed))


def _show(made: Generator, labels: Tensor, plan: Plan) -> Tensor:
    there = sorted(set(labels.tolist()))
    wanted = torch.tensor([label for label in there for _ in range(SHOWN_PER_CLASS)])
    sampler = next(s for s in (Sampler.DDIM, Sampler.SDE) if s.process is plan.noising.process)
    return made.sample(wanted, Sampling(sampler), plan.training.seed)


def _key(samples: Samples, plan: Plan) -> str:
    """Digest of all that a training depends on."""
    told = json.dumps(dataclasses.asdict(plan), default=str, sort_keys=True)
    return hashlib.sha256(f"{samples.sha256} {told}".encode()).hexdigest()


def _read_state(file: Path, key: str) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    remedy = "delete it, or give another --out"
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        found = state["key"]
    except Exception as error:  # damage surfaces as any exception of pickle, zip or torch
        raise TrainingDataError(f"{file}: is no interrupted training ({type(error).__name__}); {remedy}") from error
    if found != key:
        raise TrainingDataError(f"{file}: a training with other data or settings was interrupted here; {remedy}")
    return state
