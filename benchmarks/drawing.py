"""Generators trained without a room, and what they draw; trains and draws what is not yet in the folder it is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks import common
from benchmarks.synthesis import PX, Fold
from models.choices import Process, Sampler, Schedule
from models.diffusion import Noising, Training
from models.fitting import FitSettings, build, fit
from models.generator import Generator, load
from models.samplers import Sampling
from models.training.diffusion import Plan, run
from models.vae import Autoencoder, Batch, ConditionalVAE, Likelihood, Model

UNITS, HIDDEN, VAE_STEPS = 64, (128,), 500
COSINE = Noising(schedule=Schedule.COSINE)
PLANS = {
    "preserving": Plan(COSINE, Training(steps=6000, batch=32), width=32),
    "exploding": Plan(Noising(Process.EXPLODING), Training(steps=3000, batch=32), width=32),
    "latent": Plan(COSINE, Training(steps=1500, batch=256), width=128, latent=UNITS, vae_steps=VAE_STEPS),
}
"""Short trainings of small networks, for a CPU."""

LEAN = 2.0
"""Guidance of the one way to draw that leans towards the class."""


def diffusion(fold: Fold, kind: str) -> Generator:
    """``preserving``, ``exploding`` or ``latent``, from ``work`` where it is there."""
    file = fold.work / f"{kind}-without-{fold.room}.pt"
    if not file.is_file():
        begun = time.perf_counter()

        def tell(done: int, of: int) -> None:
            if done % 500 == 0 or done == of:
                common.say(f"without {fold.room}, {kind}: step {done} of {of}, {time.perf_counter() - begun:.0f} s")

        run(fold.train(PX), PLANS[kind], file, device="cpu", tell=tell, say=common.say)
    return load(file)


def autoencoder(fold: Fold, kind: str) -> Model:
    """``autoencoder`` or ``conditional``, from ``work`` where it is there."""
    file, small = fold.work / f"{kind}-without-{fold.room}.pt", fold.train(PX)
    more: dict[str, Any] = {"hidden": HIDDEN, "likelihood": Likelihood.BERNOULLI}
    shape = tuple(small.x.shape[1:])
    if kind == "conditional":
        model = build(ConditionalVAE, 0, shape, UNITS, len(small.names), **more)
    else:
        model = build(Autoencoder, 0, shape, UNITS, **more)
    if file.is_file():
        model.load_state_dict(torch.load(file, weights_only=True))
        return model.eval()
    begun, x = time.perf_counter(), mirrored(small.x)
    labels = small.labels.repeat(2) if kind == "conditional" else None
    fit(model, Batch(x, torch.ones_like(x), labels), FitSettings(steps=VAE_STEPS))
    torch.save(model.state_dict(), file)
    common.say(f"without {fold.room}, {kind}: {time.perf_counter() - begun:.0f} s")
    return model.eval()


def mirrored(pictures: Tensor) -> Tensor:
    """The pictures, and their mirror images after them."""
    return torch.cat([pictures, pictures.flip(3)])


# drawing

WAYS: dict[str, tuple[str, Sampling]] = {
    "DDPM-1000": ("preserving", Sampling(Sampler.DDPM)),
    "DDIM-50": ("preserving", Sampling(Sampler.DDIM)),
    f"DDIM-50, guidance {LEAN:g}": ("preserving", Sampling(Sampler.DDIM, guidance=LEAN)),
    "DPM-Solver-20": ("preserving", Sampling(Sampler.DPM)),
    "score SDE": ("exploding", Sampling(Sampler.SDE, 100)),
    "latent diffusion": ("latent", Sampling(Sampler.DDIM)),
}
"""Ways to draw with diffusion models: which model, and how."""


def drawn(fold: Fold, way: str, labels: Tensor, purpose: str) -> tuple[Tensor, float]:
    """(n, 3, 32, 32) pictures of (n,) classes, and the seconds of processor time they took; kept in ``work``.

    Args:
        fold: see there.
        way: one of ``WAYS``, ``cVAE``, ``VAE`` or ``autoencoder``; the last two do not know classes.
        labels: what to draw.
        purpose: names the file, and is part of the seed.
    """
    file = fold.work / f"drawn-{purpose}-{way.replace(' ', '_').replace(',', '')}-without-{fold.room}.pt"
    if file.is_file():
        kept = torch.load(file, weights_only=True)
        if torch.equal(kept["labels"], labels):
            return kept["x"], kept["seconds"]
    seed = sum(map(ord, purpose))
    random = torch.Generator().manual_seed(seed)
    draw: Callable[[Tensor], Tensor]
    if way in WAYS:
        kind, how = WAYS[way]
        generator = diffusion(fold, kind)
        places = iter(range(len(labels)))
        draw = lambda part: generator.sample(part, how, (seed, next(places)))  # noqa: E731
    elif way == "cVAE":
        conditional = autoencoder(fold, "conditional")
        draw = lambda part: conditional.sample(len(part), part, random)  # type: ignore[operator]  # noqa: E731
    elif way == "VAE":
        codec = diffusion(fold, "latent").codec
        draw = lambda part: codec.vae.sample(len(part), None, random)  # type: ignore[union-attr]  # noqa: E731
    else:
        draw = _from_codes(fold, autoencoder(fold, "autoencoder"), random)
    begun = time.process_time()
    x = torch.cat([draw(part) for part in labels.split(64)])
    seconds = time.process_time() - begun
    common.say(f"without {fold.room}, {purpose}: {len(labels)} by {way}, {seconds:.0f} s")
    torch.save({"x": x, "labels": labels, "seconds": seconds}, file)
    return x, seconds


def _from_codes(fold: Fold, model: Model, random: torch.Generator) -> Callable[[Tensor], Tensor]:
    """An autoencoder has no prior: codes are drawn from the normal distribution fitted to those of the data."""
    small = fold.train(PX).x
    with torch.no_grad():
        codes = torch.cat([model(Batch(part, torch.ones_like(part))).latent for part in small.split(512)])
    mean, root = codes.mean(dim=0), torch.linalg.cholesky(codes.T.cov() + 1e-4 * torch.eye(codes.shape[1]))

    def draw(part: Tensor) -> Tensor:
        z = mean + torch.randn(len(part), len(mean), generator=random) @ root.T
        with torch.no_grad():
            return model.decoder(z).sigmoid().unflatten(1, model.shape)  # type: ignore[operator]

    return draw
