"""``engage train diffusion`` and ``engage augment``: generators of scarce classes, and samples made with them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.choices import Process, Sampler, Schedule

if TYPE_CHECKING:
    from models.augment import Gate
    from models.training.samples import Samples

WORK = Path("runs/diffusion/all")

DataArgument = Annotated[
    Path,
    typer.Argument(
        help="Folder with train.json (COCO format) and images/, or a .npz file of windows.", show_default=False
    ),
]
RoomOption = Annotated[str | None, typer.Option(help="Leave this room out.")]
StartOption = Annotated[str, typer.Option(help="Weights that find people in groups: a name or a path.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda:N.")]


def train_diffusion(
    data: DataArgument,
    out: Annotated[Path, typer.Option(help="Where the generator goes.")] = Path("diffusion.pt"),
    px: Annotated[int, typer.Option(min=16, max=64, help="Side of the pictures, a multiple of 16.")] = 32,
    process: Annotated[Process, typer.Option(help="vp for ddpm, ddim and dpm; ve for sde.")] = Process.PRESERVING,
    schedule: Annotated[Schedule, typer.Option(help="How the noise grows, for vp.")] = Schedule.COSINE,
    latent: Annotated[int, typer.Option(min=0, help="Work on this many latent variables of a VAE; 0 for pixels.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Of the optimiser.")] = 6000,
    batch: Annotated[int, typer.Option(min=1, help="Samples per step.")] = 64,
    width: Annotated[int, typer.Option(min=16, max=96, help="Of the network, a multiple of 16.")] = 48,
    without_room: RoomOption = None,
    start: StartOption = "students",
    seed: Annotated[int, typer.Option(help="Of weights, order and noise.")] = 0,
    device: DeviceOption = "auto",
) -> None:
    """Train a generator of students or of windows. Run again to go on after a stop."""
    from models.diffusion import Noising, Training
    from models.errors import TrainingDataError
    from models.training.diffusion import Plan, run
    from models.training.samples import read_samples

    for name, value in (("--px", px), ("--width", width)):
        if value % 16:
            raise TrainingDataError(f"{name} {value} is not a multiple of 16; give one, such as {value // 16 * 16}")
    if not latent and data.suffix != ".npz" and width < (needed := 3 * (px // 16) ** 2):
        raise TrainingDataError(f"--width {width} is too narrow for --px {px}; give {needed} or more")
    samples = read_samples(data, px, start, WORK, without_room, typer.echo)
    if latent and not samples.pictures:
        raise TrainingDataError(f"--latent {latent} is for pictures, and {data} holds windows; leave it out")
    plan = Plan(Noising(process, schedule), Training(steps=steps, batch=batch, seed=seed), width, latent)
    with _bar("steps") as tell:
        run(samples, plan, out, device=_device(device), tell=lambda done, of: tell("training", done, of), say=_say)


def augment(
    data: DataArgument,
    kind: Annotated[
        str | None, typer.Option("--class", help="Class to add samples to; by default all that are scarce.")
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", min=1, help="Samples of it; by default up to the median class.")
    ] = None,
    sampler: Annotated[Sampler, typer.Option(help="How noise is turned into samples.")] = Sampler.DDIM,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of the sampler (default: ddpm 1000, ddim 50, dpm 20, sde 200).")
    ] = None,
    eta: Annotated[float, typer.Option(min=0, max=1, help="Chance in DDIM's steps.")] = 0.0,
    guidance: Annotated[float, typer.Option(min=0, help="How far to lean towards the class; 1 is plain.")] = 1.0,
    model: Annotated[Path, typer.Option(help="Generator made by engage train diffusion.")] = Path("diffusion.pt"),
    out: Annotated[Path, typer.Option(help="Folder of the samples.")] = Path("synthetic"),
    max_ratio: Annotated[float, typer.Option(min=0, help="Most synthetic samples of a class, in real ones.")] = 1.0,
    classifier: Annotated[
        Path | None, typer.Option(help="Behaviour weights that must agree; the shipped ones by default.")
    ] = None,
    without_room: RoomOption = None,
    start: StartOption = "students",
    seed: Annotated[int, typer.Option(help="Of all chance.")] = 0,
    device: DeviceOption = "auto",
) -> None:
    """Make samples of a scarce class, keep the good ones, and list what was made. Run again to go on after a stop."""
    from models.augment import check_class, plan
    from models.errors import TrainingDataError
    from models.generator import load
    from models.registry import find_weights
    from models.samplers import Sampling
    from models.training.samples import read_samples
    from models.training.synthetic import Order, make

    if n is not None and kind is None:
        raise TrainingDataError(f"--n {n} needs a class; name it with --class")
    generator = load(model)
    if sampler.process is not generator.model.noising.process:
        raise TrainingDataError(
            f"{model}: --sampler {sampler.value} needs a generator trained with --process {sampler.process.value}"
        )
    generator.model.network.to(_device(device))
    samples = read_samples(data, generator.codec.shape[-1], start, WORK, without_room, _say)
    counts = samples.counts
    if kind is None:
        wanted = {name: count for name, count in plan(counts, max_ratio).items() if count}
        if not wanted:
            raise TrainingDataError(f"{data}: no class is scarce; name one with --class")
    else:
        check_class(kind, counts)
        most = int(max_ratio * counts[kind])
        wanted = {kind: min(n or plan(counts, max_ratio)[kind] or most, most)}
        if n is not None and n > most:
            _say(f"{kind}: {most} instead of {n}, as there are {counts[kind]} real ones; --max-ratio allows more")
    gate, judge = _gate(samples, classifier)
    made_with = {"generator": find_weights(str(model)).sha256, "classifier": judge, "samples": samples.sha256}
    order = Order(wanted, Sampling(sampler, steps, eta, guidance), seed, made_with)
    with _bar("samples") as tell:
        manifest = make(samples, generator, gate, order, out, tell, _say)
    _say(f"{len(manifest['samples'])} samples in {out}, listed in manifest.json; look at the .png grids")


def _gate(samples: Samples, classifier: Path | None) -> tuple[Gate, str]:
    """The gate for these samples, and the sha256 of the classifier in it."""
    import torch
    from torch.nn import functional

    from models.augment import Gate, neighbours_say
    from models.behaviour import INPUT_PX, WEIGHTS, BehaviourModel
    from models.behaviour_net import as_crops
    from models.registry import find_weights

    if not samples.pictures:
        return Gate(samples.x, neighbours_say(samples.x, samples.labels)), "nearest real windows"
    weights = find_weights(str(classifier or WEIGHTS))
    reader = BehaviourModel(weights)

    def likeliest(x: torch.Tensor) -> torch.Tensor:
        larger = functional.interpolate(x, size=INPUT_PX, mode="bilinear", align_corners=False)
        return torch.from_numpy(reader.probabilities(as_crops(larger))[:, : len(samples.names)].argmax(axis=1))

    return Gate(samples.x, likeliest), weights.sha256


def _device(name: str) -> str:
    import torch

    if name != "auto":
        return name
    return "cuda:0" if torch.cuda.is_available() else "cpu"


def _say(line: str) -> None:
    from rich.console import Console

    Console(highlight=False).print(line, markup=False, soft_wrap=True)


@contextlib.contextmanager
def _bar(unit: str) -> Iterator[Callable[[str, int, int], None]]:
    """A line of progress per task; call the result with the task's name, how much is done, and of how much."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("[bold]{task.description}"), BarColumn(bar_width=None))
    more = (TextColumn("{task.completed:.0f}/{task.total:.0f} " + unit), TimeRemainingColumn(compact=True))
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, *more) as bars:

        def tell(name: str, done: int, of: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=of)
            bars.update(tasks[name], completed=done)

        yield tell
