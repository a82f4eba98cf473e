"""Generators that never saw a room, what they draw, and what the behaviour classifier of that room makes of pictures.

Shared by ``benchmarks.augmentation`` and ``benchmarks.generators``. Trains and draws what is not yet in ``--work``.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import common
from models.behaviour import INPUT_PX, build_network
from models.choices import Process, Sampler, Schedule
from models.diffusion import Diffusion, Noising, Trainer, Training
from models.fitting import FitSettings, build, fit
from models.generator import Generator, load
from models.latent import Latent, Pixels
from models.registry import find_weights
from models.samplers import Sampling
from models.training.annotations import AnnotatedImage, read_coco
from models.training.detection import DetectorRun, found_people
from models.training.samples import Samples, crops_of
from models.vae import Autoencoder, Batch, ConditionalVAE, Likelihood, Model
from models.yolo import BEHAVIOURS

PX = 32
UNITS, HIDDEN = 64, (128,)
WIDTH = 32
VAE_STEPS = 800
COSINE = Noising(Process.PRESERVING, Schedule.COSINE)
PIXEL_STEPS = {"preserving": 1000, "exploding": 400}
LATENT_STEPS = 2000

LEAN = 2.0
"""Guidance of the one way to draw that leans towards the class."""


@dataclass(frozen=True)
class Fold:
    """What may be learned from, and the room it is judged on.

    Attributes:
        room: left out of everything that learns.
        train, train_small: real students of the other rooms, from ``train.json``, 128 and 32 px.
        near: students of the same rooms as ``train`` in ``val.json``, 32 px.
        test: all students of the room, 128 px.
        frames: (n,) number of the frame that each of ``test`` is from.
        classifier: the behaviour network that never saw the room.
    """

    room: str
    train: Samples
    train_small: Samples
    near: Samples
    test: Samples
    frames: np.ndarray
    classifier: Any


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The arguments of both benchmarks."""
    parser = common.parser(description)
    parser.add_argument("--work", type=Path, default=Path("runs/synthesis"), help="folder of generators and samples")
    parser.add_argument(
        "--classifiers", type=Path, default=Path("runs/rooms"), help="folder of what benchmarks.rooms has trained"
    )
    return parser


def read_fold(data: Path, classifiers: Path, work: Path, room: str) -> Fold:
    """Cut out everybody (kept in ``work``), and load the room's classifier."""
    work.mkdir(parents=True, exist_ok=True)
    classroom = data / "classroom"
    teacher = find_weights(str(data.parent / "weights" / "yolov8n_coco.pt"))

    def part(split: str, chosen: Callable[[AnnotatedImage], bool]) -> list[AnnotatedImage]:
        images = read_coco(classroom / f"{split}.json", classroom / "images", BEHAVIOURS)
        return [image for image in images if chosen(image)]

    def cut(images: list[AnnotatedImage], px: int) -> Samples:
        paths = [image.path for image in images]
        kept = work / f"students-{px}-{hashlib.sha256(repr(paths).encode()).hexdigest()[:12]}.pt"
        if kept.is_file():
            return Samples(**torch.load(kept, weights_only=True))
        made = crops_of(images, found_people(paths, teacher, DetectorRun(), classifiers / "x", "train", common.say), px)
        torch.save(vars(made), kept)
        return made

    others = part("train", lambda image: image.room != room)
    here = [image for split in ("train", "val") for image in part(split, lambda image: image.room == room)]
    test = cut(here, INPUT_PX)
    places = {image.path.name: number for number, image in enumerate(here)}
    frames = np.array([places[source.rpartition("#")[0]] for source in test.sources])
    network = build_network()
    state = torch.load(classifiers / f"behaviour-without-{room}.pt", map_location="cpu", weights_only=True)
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    near = cut(part("val", lambda image: image.room != room), PX)
    return Fold(room, cut(others, INPUT_PX), cut(others, PX), near, test, frames, network.eval())


@torch.no_grad()
def features(network: Any, pictures: Tensor) -> Tensor:
    """(n, 1280) what the classifier's last layer reads of (n, 3, px, px) pictures in 0..1."""
    kept: list[Tensor] = []
    head: nn.Module = network.model[-1].linear
    hook = head.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0].flatten(1)))
    try:
        for part in pictures.split(128):
            network(resized(part))
    finally:
        hook.remove()
    return torch.cat(kept) if kept else torch.zeros(0, head.in_features)  # type: ignore[arg-type]


@torch.no_grad()
def likeliest(network: Any, pictures: Tensor) -> Tensor:
    """(n,) behaviour that the classifier takes (n, 3, px, px) pictures for."""
    told = [network(resized(part))[0][:, : len(BEHAVIOURS)].argmax(dim=1) for part in pictures.split(128)]
    return torch.cat(told) if told else torch.zeros(0, dtype=torch.long)


def resized(pictures: Tensor) -> Tensor:
    """As the classifier takes them."""
    if pictures.shape[-1] == INPUT_PX:
        return pictures
    return functional.interpolate(pictures, size=INPUT_PX, mode="bilinear", align_corners=False).clamp(0, 1)


# generators


def diffusion(fold: Fold, work: Path, kind: str) -> Generator:
    """``preserving``, ``exploding`` or ``latent``, from ``work`` where it is there."""
    file, small = work / f"{kind}-without-{fold.room}.pt", fold.train_small
    if file.is_file():
        return load(file)
    begun = time.perf_counter()
    codec: Latent | Pixels
    if kind == "latent":
        codec = Latent.of(mirrored(small.x), UNITS, FitSettings(steps=VAE_STEPS))
        settings = Training(steps=LATENT_STEPS, batch=256, mirror=False)
    else:
        codec, settings = Pixels(small.x.shape[1:]), Training(steps=PIXEL_STEPS[kind])
    x = codec.encode(mirrored(small.x) if kind == "latent" else small.x)
    labels = small.labels.repeat(2) if kind == "latent" else small.labels
    noising = Noising(Process.EXPLODING) if kind == "exploding" else COSINE
    model = Diffusion(codec.inner_shape, len(small.names), noising, WIDTH if kind != "latent" else 128)
    trainer = Trainer(model, x, labels, settings)
    trainer.run(tell=lambda step, loss: _tell(fold.room, kind, step, settings.steps, trainer.losses, begun))
    trainer.finish()
    made = Generator(codec, model, small.names, small.sha256)
    made.save(file)
    return load(file)


def _tell(room: str, kind: str, step: int, steps: int, losses: list[float], begun: float) -> None:
    if step % 200 == 0 or step == steps:
        seconds = time.perf_counter() - begun
        common.say(f"without {room}, {kind}: step {step}/{steps}, loss {np.mean(losses[-200:]):.4f}, {seconds:.0f} s")


def autoencoder(fold: Fold, work: Path, kind: str) -> Model:
    """``autoencoder`` or ``conditional``, from ``work`` where it is there."""
    file, small = work / f"{kind}-without-{fold.room}.pt", fold.train_small
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


def drawn(fold: Fold, work: Path, way: str, labels: Tensor, purpose: str) -> tuple[Tensor, float]:
    """(n, 3, 32, 32) pictures of (n,) classes, and the seconds of processor time they took; kept in ``work``.

    Args:
        fold: see there.
        work: folder.
        way: one of ``WAYS``, ``cVAE``, ``VAE`` or ``autoencoder``; the last two do not know classes.
        labels: what to draw.
        purpose: names the file, and is part of the seed.
    """
    file = work / f"drawn-{purpose}-{way.replace(' ', '_').replace(',', '')}-without-{fold.room}.pt"
    if file.is_file():
        kept = torch.load(file, weights_only=True)
        if torch.equal(kept["labels"], labels):
            return kept["x"], kept["seconds"]
    seed = sum(map(ord, purpose))
    random = torch.Generator().manual_seed(seed)
    draw: Callable[[Tensor], Tensor]
    if way in WAYS:
        kind, how = WAYS[way]
        generator = diffusion(fold, work, kind)
        places = iter(range(len(labels)))
        draw = lambda part: generator.sample(part, how, (seed, next(places)))  # noqa: E731
    elif way == "cVAE":
        conditional = autoencoder(fold, work, "conditional")
        draw = lambda part: conditional.sample(len(part), part, random)  # type: ignore[operator]  # noqa: E731
    elif way == "VAE":
        codec = diffusion(fold, work, "latent").codec
        draw = lambda part: codec.vae.sample(len(part), None, random)  # type: ignore[union-attr]  # noqa: E731
    else:
        draw = _from_codes(fold, autoencoder(fold, work, "autoencoder"), random)
    begun = time.process_time()
    x = torch.cat([draw(part) for part in labels.split(64)])
    seconds = time.process_time() - begun
    common.say(f"without {fold.room}, {purpose}: {len(labels)} by {way}, {seconds:.0f} s")
    torch.save({"x": x, "labels": labels, "seconds": seconds}, file)
    return x, seconds


def _from_codes(fold: Fold, model: Model, random: torch.Generator) -> Callable[[Tensor], Tensor]:
    """An autoencoder has no prior: codes are drawn from the normal distribution fitted to those of the data."""
    small = fold.train_small.x
    with torch.no_grad():
        codes = torch.cat([model(Batch(part, torch.ones_like(part))).latent for part in small.split(512)])
    mean, root = codes.mean(dim=0), torch.linalg.cholesky(codes.T.cov() + 1e-4 * torch.eye(codes.shape[1]))

    def draw(part: Tensor) -> Tensor:
        z = mean + torch.randn(len(part), len(mean), generator=random) @ root.T
        with torch.no_grad():
            return model.decoder(z).sigmoid().unflatten(1, model.shape)  # type: ignore[operator]

    return draw
