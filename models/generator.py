"""A trained generator as a file and as a source of samples: codec, diffusion model and the names of its classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.choices import Process, Schedule
from models.diffusion import Diffusion, Noising
from models.errors import ModelFileError
from models.latent import Codec, read_codec
from models.samplers import Sampling, draw, guided

FORMAT = 1


@dataclass(frozen=True)
class Generator:
    """Draws samples of a class.

    Attributes:
        codec: from what is drawn to samples.
        model: draws.
        names: of the classes.
        trained_on: sha256 of the training samples, to tell whether a data set is the one it learned from.
    """

    codec: Codec
    model: Diffusion
    names: tuple[str, ...]
    trained_on: str = ""

    def sample(self, labels: Tensor, how: Sampling, seed: int | Sequence[int]) -> Tensor:
        """(n, *shape) new samples of (n,) classes, the same for the same seed.

        Raises:
            ValueError: the sampler undoes another kind of noising.
        """
        random = torch.Generator().manual_seed(_one(seed))
        device = self.model.device
        z = draw(
            guided(self.model, labels.to(device), how.guidance),
            self.model.noising,
            (len(labels), *self.model.shape),
            how,
            random,
            bound=self.codec.bound,
            device=device,
        )
        return self.codec.decode(z.cpu())

    def parameters(self) -> int:
        """How many numbers were learned, the codec's among them."""
        networks: list[torch.nn.Module] = [self.model.network]
        if hasattr(self.codec, "vae"):
            networks.append(self.codec.vae)
        return sum(parameter.numel() for network in networks for parameter in network.parameters())

    def describe(self) -> dict[str, Any]:
        """What the network is, without its weights: enough to build it again."""
        noising = dataclasses.asdict(self.model.noising)
        noising |= {"process": self.model.noising.process.value, "schedule": self.model.noising.schedule.value}
        return {
            "format": FORMAT,
            "names": list(self.names),
            "shape": list(self.model.shape),
            "width": self.model.network.width,
            "grid": self.model.network.grid,
            "noising": noising,
            "trained_on": self.trained_on,
        }

    def save(self, path: Path) -> None:
        """Write beside and rename."""
        content = {**self.describe(), "codec": self.codec.state(), "network": self.model.network.state_dict()}
        write(path, lambda partial: torch.save(content, partial))


def write(path: Path, do: Callable[[Path], Any]) -> None:
    """Let ``do`` write a file beside ``path``, then rename it, so that nobody finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    do(partial)
    partial.replace(path)


def load(path: Path) -> Generator:
    """Read what ``Generator.save`` wrote.

    Raises:
        ModelFileError: the file is missing or something else.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: no such generator; make one with: engage train diffusion DATA --out {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        told = dict(content["noising"])
        told |= {"process": Process(told["process"]), "schedule": Schedule(told["schedule"])}
        names = tuple(content["names"])
        model = Diffusion(content["shape"], len(names), Noising(**told), content["width"], grid=content["grid"])
        model.network.load_state_dict(content["network"])
        model.network.eval()
        return Generator(read_codec(content["codec"]), model, names, content["trained_on"])
    except Exception as error:  # damage surfaces as any exception of pickle, zip or torch
        raise ModelFileError(
            f"{path}: is not a generator ({type(error).__name__}); make one with: engage train diffusion DATA"
        ) from error


def _one(seed: int | Sequence[int]) -> int:
    """One seed from several numbers, as ``numpy.random.SeedSequence`` mixes them."""
    if isinstance(seed, int):
        return seed
    import numpy as np

    return int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0]) >> 1
