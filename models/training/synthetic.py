"""Synthetic samples of scarce classes: drawing them, keeping what the gate lets through, and saying what was made."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from models.augment import Gate, check_class
from models.errors import TrainingDataError
from models.generator import Generator, write
from models.grids import to_bgr, write_grid
from models.samplers import Sampling
from models.training.samples import Samples

FORMAT = 1
BATCH = 32
TRIES = 6
"""Samples drawn at most, for each one wanted."""

MANIFEST, PARTS, WINDOWS = "manifest.json", "parts", "windows.npz"

Tell = Callable[[str, int, int], None]
"""Told of a class, samples kept and samples wanted."""


@dataclass(frozen=True)
class Order:
    """What shall be made.

    Attributes:
        wanted: how many samples of each class.
        how: see ``models.samplers``.
        seed: of all chance.
        made_with: facts for the manifest (files and their sha256) that also decide whether a stopped work goes on.
    """

    wanted: Mapping[str, int]
    how: Sampling
    seed: int
    made_with: Mapping[str, str]

    def describe(self) -> dict[str, Any]:
        """As plain values."""
        how = {**dataclasses.asdict(self.how), "sampler": self.how.sampler.value}
        return {"wanted": dict(self.wanted), "how": how, "seed": self.seed, "made_with": dict(self.made_with)}


def make(
    samples: Samples, generator: Generator, gate: Gate, order: Order, out: Path, tell: Tell, say: Callable[[str], None]
) -> dict[str, Any]:
    """Draw, judge, and write pictures (or windows), a grid per class and the manifest.

    What was interrupted goes on when the same is asked for again.

    Args:
        samples: what the generator learned from.
        generator: draws.
        gate: judges.
        order: what shall be made.
        out: folder.
        tell: see ``Tell``.
        say: told of what is worth a line.

    Returns:
        the manifest.

    Raises:
        TrainingDataError: the generator learned from something else, a class cannot be made, or ``out`` holds samples
            of another order.
    """
    if generator.trained_on != samples.sha256:
        raise TrainingDataError(
            "the generator learned from other samples than these; give the data (and --without-room) that it was"
            " trained on, or train it anew"
        )
    for name in order.wanted:
        check_class(name, samples.counts)
    told = json.loads(json.dumps(order.describe()))
    finished = _finished(out, told)
    if finished:
        say(f"{out}: is there already")
        return finished
    parts = out / PARTS
    parts.mkdir(parents=True, exist_ok=True)
    _check_parts(parts, told)
    classes, rows, kept = dict[str, Any](), list[dict[str, Any]](), dict[str, Tensor]()
    for name, count in order.wanted.items():
        made = _class(samples, generator, gate, order, parts, name, count, tell)
        kept[name] = made["x"][:count]
        classes[name] = {"real": samples.counts[name], "wanted": count, "kept": len(kept[name]), **made["told"]}
        if len(kept[name]) < count:
            say(
                f"{name}: {len(kept[name])} of {count} wanted; of {made['told']['drawn']} drawn"
                f" {made['told']['refused_class']} look like another class and {made['told']['refused_copy']} too much"
                " like a real one"
            )
        for place in range(len(kept[name])):
            file = f"{name}/{place:04d}.png" if samples.pictures else f"{WINDOWS}#{len(rows)}"
            nearest = samples.sources[int(made["nearest"][place])]
            apart = round(float(made["distance"][place]), 5)
            rows.append({"file": file, "class": name, "nearest": nearest, "distance": apart})
    _write_samples(out, kept, samples)
    manifest = {
        "format": FORMAT,
        "made": date.today().isoformat(),
        "order": told,
        "generator": generator.describe(),
        "copy_limit": gate.limit,
        "classes": classes,
        "samples": rows,
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    write(out / MANIFEST, lambda partial: partial.write_text(text, encoding="utf-8"))
    shutil.rmtree(parts)
    return manifest


def _class(
    samples: Samples, generator: Generator, gate: Gate, order: Order, parts: Path, name: str, count: int, tell: Tell
) -> dict[str, Any]:
    """Samples of one class that passed, from parts that are there and new ones."""
    label = samples.names.index(name)
    kept, distance, nearest = [samples.x[:0]], [torch.zeros(0)], [torch.zeros(0, dtype=torch.long)]
    told = {"drawn": 0, "refused_class": 0, "refused_copy": 0}
    batch, have = 0, 0
    while have < count and told["drawn"] < TRIES * count:
        file = parts / f"{name}-{batch}.pt"
        if not file.is_file():
            labels = torch.full((BATCH,), label)
            x = generator.sample(labels, order.how, (order.seed, label, batch))
            verdict = gate.judge(x, labels)
            passed = verdict.passed
            part = {
                "x": x[passed],
                "distance": verdict.distance[passed],
                "nearest": verdict.nearest[passed],
                "refused_class": int((~verdict.agreed).sum()),
                "refused_copy": int((verdict.agreed & verdict.copied).sum()),
            }
            write(file, lambda partial, part=part: torch.save(part, partial))  # type: ignore[misc]
        part = torch.load(file, weights_only=True)
        kept.append(part["x"])
        distance.append(part["distance"])
        nearest.append(part["nearest"])
        told["drawn"] += BATCH
        told["refused_class"] += part["refused_class"]
        told["refused_copy"] += part["refused_copy"]
        have += len(part["x"])
        batch += 1
        tell(name, min(have, count), count)
    return {"x": torch.cat(kept), "distance": torch.cat(distance), "nearest": torch.cat(nearest), "told": told}


def _write_samples(out: Path, kept: Mapping[str, Tensor], samples: Samples) -> None:
    for name, x in kept.items():
        if len(x):
            write_grid(out / f"{name}.png", x)
        if samples.pictures:
            shutil.rmtree(out / name, ignore_errors=True)
            (out / name).mkdir()
            for place, picture in enumerate(to_bgr(x)):
                cv2.imwrite(str(out / name / f"{place:04d}.png"), picture)
    if not samples.pictures:
        rows = torch.cat(list(kept.values())).numpy()
        labels = np.concatenate([np.full(len(x), samples.names.index(name)) for name, x in kept.items()])
        names = np.array(samples.names)
        write(out / WINDOWS, lambda partial: np.savez(partial, windows=rows, labels=labels, names=names))


def _finished(out: Path, told: Mapping[str, Any]) -> dict[str, Any] | None:
    if not (out / MANIFEST).is_file():
        return None
    manifest = read_manifest(out)
    if manifest["order"] != told:
        raise TrainingDataError(f"{out}: holds samples of another order; give another --out, or delete it")
    return manifest


def _check_parts(parts: Path, told: Mapping[str, Any]) -> None:
    file = parts / "order.json"
    if file.is_file():
        if json.loads(file.read_text(encoding="utf-8")) != told:
            raise TrainingDataError(f"{parts.parent}: holds samples of another order; give another --out, or delete it")
        return
    write(file, lambda partial: partial.write_text(json.dumps(told), encoding="utf-8"))


# reading


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest that ``make`` wrote.

    Raises:
        TrainingDataError: there is none, or it is damaged.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise ValueError(f"format {manifest['format']}")
        return manifest
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingDataError(
            f"{folder / MANIFEST}: is no list of synthetic samples ({type(error).__name__}); make them with: engage"
            " augment DATA"
        ) from None


def read_pictures(folder: Path) -> tuple[list[np.ndarray], list[str]]:
    """The pictures of a folder that ``make`` wrote, each (px, px, 3) uint8 BGR, and their classes.

    Raises:
        TrainingDataError: the manifest or a picture is missing or damaged.
    """
    pictures, names = [], []
    for row in read_manifest(folder)["samples"]:
        picture = cv2.imread(str(folder / row["file"]))
        if picture is None:
            raise TrainingDataError(f"{folder / row['file']}: cannot be read as an image; make the samples again")
        pictures.append(picture)
        names.append(row["class"])
    return pictures, names
