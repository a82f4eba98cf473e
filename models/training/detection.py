"""Fine-tune an Ultralytics detector on annotated classrooms without forgetting people elsewhere.

A run is described by a small YAML file (``runs/*.yaml`` beside this module) that is committed with its result. What
the annotation leaves out is filled by pseudo-labels, stills of other rooms join with pseudo-labels only, and the first
layers stay as the general model learned them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import TrainingDataError
from models.registry import WeightsFile, find_weights
from models.training.annotations import AnnotatedImage, read_coco
from models.training.pseudo_labels import bodies_of_heads, find_people, not_annotated
from models.yolo import BEHAVIOURS, GROUP, keep_quiet

STUDENT = "student"

CLASSES: dict[str, tuple[str, ...]] = {
    "students": (STUDENT, GROUP),
    "behaviours": (*BEHAVIOURS, STUDENT),
}
"""Classes of a run: either every student alike, or by behaviour (``student`` then is one without annotation)."""

RUNS_FOLDER = Path(__file__).parent / "runs"


class Augmentation(BaseModel):
    """How training images are varied; names and meanings are those of Ultralytics, but for the last three."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mosaic: float = Field(1.0, ge=0, le=1, description="share of images put together from four")
    close_mosaic: int = Field(5, ge=0, description="last epochs without mosaic")
    scale: float = Field(0.5, ge=0, lt=1, description="gain, 1 - s to 1 + s: back rows and front rows")
    translate: float = Field(0.1, ge=0, le=1)
    degrees: float = Field(2.0, ge=0, le=45, description="cameras hang askew")
    fliplr: float = Field(0.5, ge=0, le=1)
    hsv_h: float = Field(0.02, ge=0, le=1)
    hsv_s: float = Field(0.6, ge=0, le=1)
    hsv_v: float = Field(0.4, ge=0, le=1)
    blur: float = Field(0.15, ge=0, le=1, description="share out of focus or moved")
    low_light: float = Field(0.15, ge=0, le=1, description="share dark and noisy")
    compression: float = Field(0.3, ge=0, le=1, description="share with the blocks of cheap cameras")


class DetectorRun(BaseModel):
    """One training run, whole: the same file and data give the same weights on the same machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: Literal["students", "behaviours"] = Field("students", description="what the classes are; see CLASSES")
    start: str = Field("yolov8n.pt", description="weights to start from: a name or a path")
    teacher: str | None = Field(None, description="detector that finds people nobody annotated; the start by default")
    without_room: str | None = Field(None, description="room left out, to be tested on")
    views_kept_out: int = Field(30, ge=0, description="last stills of the other room left out, to be tested on")
    pseudo_sizes: tuple[int, ...] = Field(
        (1280, 1600), min_length=1, description="image sizes at which people are looked for, px"
    )
    pseudo_confidence: float = Field(0.3, gt=0, lt=1, description="lowest score of a pseudo-label")
    imgsz: int = Field(960, ge=320, le=2048, multiple_of=32, description="px")
    epochs: int = Field(12, ge=1)
    batch: int = Field(8, ge=1)
    freeze: int = Field(5, ge=0, le=22, description="first layers that stay as they are")
    lr: float = Field(6e-4, gt=0, description="highest learning rate (AdamW), falling on a cosine")
    weight_decay: float = Field(5e-4, ge=0)
    blend: float = Field(1.0, gt=0, le=1, description="share of the trained weights beside those of the start")
    seed: int = 0
    augment: Augmentation = Augmentation()


def read_run(file: Path) -> DetectorRun:
    """Read a run's YAML file.

    Raises:
        TrainingDataError: it cannot be read, or a field is unknown or out of range.
    """
    try:
        return DetectorRun.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise TrainingDataError(f"{file}: cannot be read as YAML ({why}); see the runs beside the trainer") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise TrainingDataError(f"{file}: {field}: {first['msg']} (given: {first['input']!r})") from None


def training_boxes(image: AnnotatedImage, found_xyxy: np.ndarray, labels: str) -> tuple[np.ndarray, np.ndarray]:
    """What a run learns from one image: (n, 4) px and (n,) class numbers.

    Args:
        image: what is annotated.
        found_xyxy: (m, 4) px, people a general model finds; those without annotation become students.
        labels: key of ``CLASSES``.
    """
    classes = CLASSES[labels]
    numbers = [classes.index(name if name in classes else STUDENT) for name in image.labels]
    single = image.boxes_xyxy[[name != GROUP for name in image.labels]]
    more = not_annotated(found_xyxy, single)
    boxes = np.concatenate([image.boxes_xyxy, more])
    return boxes, np.array(numbers + [classes.index(STUDENT)] * len(more), int)


def build_dataset(data: Path, views: Path | None, run: DetectorRun, work: Path, say: Callable[[str], None]) -> Path:
    """Lay images and labels out as Ultralytics reads them; returns its ``data.yaml``.

    Args:
        data: folder with ``train.json``, ``val.json`` (COCO format) and ``images/``.
        views: folder of another room: ``images/`` and, if there, ``heads.csv`` with annotated heads; or None.
        run: what to learn.
        work: folder to write to.
        say: told of progress.

    Raises:
        TrainingDataError: see ``read_coco``; or nothing is left to train on.
    """
    train = read_coco(data / "train.json", data / "images", BEHAVIOURS)
    val = read_coco(data / "val.json", data / "images", BEHAVIOURS)
    if run.without_room is not None:
        rooms = sorted({image.room for image in train})
        if run.without_room not in rooms:
            raise TrainingDataError(f"without_room {run.without_room!r} is not one of the rooms {rooms}")
        train = [image for image in train if image.room != run.without_room]
    if not any(len(image.labels) for image in train):
        raise TrainingDataError(f"{data}: nothing is left to train on without room {run.without_room}")
    find_weights(run.start)  # missing, it is better known before the search than after it
    teacher = find_weights(run.teacher or run.start)
    folder = work / "data"
    more = _views(views, teacher, run, work, say)
    found = found_people([image.path for image in train], teacher, run, work, "train", say)
    shutil.rmtree(folder, ignore_errors=True)
    for image in train:
        boxes, numbers = training_boxes(image, found[image.path.name], run.labels)
        _write(folder, "train", image.path, image.size, boxes, numbers)
    for path, size, boxes in more:
        _write(folder, "train", path, size, boxes, np.full(len(boxes), CLASSES[run.labels].index(STUDENT)))
    for image in val:
        boxes, numbers = training_boxes(image, np.zeros((0, 4), np.float32), run.labels)
        _write(folder, "val", image.path, image.size, boxes, numbers)
    description = {"path": str(folder.resolve()), "train": "images/train", "val": "images/val"}
    file = folder / "data.yaml"
    file.write_text(yaml.safe_dump(description | {"names": dict(enumerate(CLASSES[run.labels]))}), encoding="utf-8")
    return file


def found_people(
    images: Sequence[Path], teacher: WeightsFile, run: DetectorRun, work: Path, name: str, say: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """``find_people`` with a run's settings; the answers are kept beside all runs' folders."""
    sizes = "-".join(map(str, run.pseudo_sizes))
    where = hashlib.sha256(str(images[0].resolve().parent).encode()).hexdigest()[:8] if images else "none"
    cache = work.parent / "pseudo" / f"{teacher.sha256[:12]}-{sizes}-{run.pseudo_confidence}-{name}-{where}.json"
    return find_people(images, teacher, cache, sizes=run.pseudo_sizes, confidence=run.pseudo_confidence, say=say)


def _views(
    views: Path | None, teacher: WeightsFile, run: DetectorRun, work: Path, say: Callable[[str], None]
) -> list[tuple[Path, tuple[int, int], np.ndarray]]:
    if views is None:
        return []
    import cv2
    import pandas as pd

    images = sorted(path for path in (views / "images").glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    images = images[: max(len(images) - run.views_kept_out, 0)]
    if not images:
        raise TrainingDataError(f"{views}: images/ leaves no stills when the last {run.views_kept_out} are kept out")
    found = found_people(images, teacher, run, work, "views", say)
    boxes = [not_annotated(found[path.name], np.zeros((0, 4), np.float32)) for path in images]
    if (views / "heads.csv").is_file():
        heads = dict(list(pd.read_csv(views / "heads.csv").groupby("image")[["x1", "y1", "x2", "y2"]]))
        none = np.zeros((0, 4))
        boxes = bodies_of_heads([heads[p.name].to_numpy(float) if p.name in heads else none for p in images], boxes)
    made = []
    for path, people in zip(images, boxes, strict=True):
        height, width = cv2.imread(str(path)).shape[:2]
        made.append((path, (width, height), people.clip(0, [width, height, width, height])))
    return made


def _write(
    folder: Path, split: str, image: Path, size: tuple[int, int], boxes_xyxy: np.ndarray, numbers: np.ndarray
) -> None:
    """One image (a link) and its labels: class, centre and size as shares of the image."""
    (folder / "images" / split).mkdir(parents=True, exist_ok=True)
    (folder / "labels" / split).mkdir(parents=True, exist_ok=True)
    name = f"{image.parent.parent.name}_{image.name}"
    (folder / "images" / split / name).symlink_to(image.resolve())
    scale = np.tile(size, 2)
    lines = []
    for box, number in zip(boxes_xyxy / scale, numbers, strict=True):
        centre, side = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        lines.append(" ".join([str(int(number)), *(f"{value:.6f}" for value in (*centre, *side))]))
    (folder / "labels" / split / name).with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run_training(
    data: Path, views: Path | None, run: DetectorRun, work: Path, out: Path, *, device: str, say: Callable[[str], None]
) -> None:
    """Train, or go on where an interrupted training of the same run stopped, and write the weights to ``out``.

    Args:
        data: see ``build_dataset``.
        views: see ``build_dataset``.
        run: what to learn.
        work: folder of this run: dataset, checkpoints, curves.
        out: weights file (half precision, without paths of this machine).
        device: ``cpu`` or a CUDA device number.
        say: told of progress.

    Raises:
        TrainingDataError: see ``build_dataset``; or ``work`` holds another run.
    """
    keep_quiet()
    from models.training.trainer import ClassroomTrainer, epochs_done, finished_weights

    described = run.model_dump(mode="json")
    note, last = work / "run.json", work / "train" / "weights" / "last.pt"
    going_on = last.is_file() and note.is_file()
    if going_on and json.loads(note.read_text(encoding="utf-8")) != described:
        raise TrainingDataError(f"{work}: holds another run; give a fresh folder with --work, or delete it")
    out.parent.mkdir(parents=True, exist_ok=True)
    if going_on:
        say(f"going on with {last}")
        overrides: dict[str, Any] = {"model": str(last), "resume": str(last), "device": device}
    else:
        file = build_dataset(data, views, run, work, say)
        note.write_text(json.dumps(described, indent=1), encoding="utf-8")
        overrides = _ultralytics_arguments(run, file, work, device)
    if not (going_on and epochs_done(last) >= run.epochs):
        ClassroomTrainer(overrides=overrides, augmentation=run.augment, say=say).train()
    partial = out.with_name(out.name + ".partial")
    finished_weights(last, partial, find_weights(run.start), run.blend)
    partial.replace(out)
    say(f"written to {out}")


def _ultralytics_arguments(run: DetectorRun, data: Path, work: Path, device: str) -> dict[str, Any]:
    ours = {"blur", "low_light", "compression"}
    return {
        "model": str(find_weights(run.start).path),
        "data": str(data),
        "project": str(work.resolve()),
        "name": "train",
        "exist_ok": True,
        "device": device,
        "imgsz": run.imgsz,
        "epochs": run.epochs,
        "batch": run.batch,
        "nbs": run.batch,  # a step per batch
        "freeze": run.freeze,
        "optimizer": "AdamW",
        "lr0": run.lr,
        "lrf": 0.02,
        "cos_lr": True,
        "warmup_epochs": 1.0,
        "warmup_bias_lr": 0.0,
        "weight_decay": run.weight_decay,
        "seed": run.seed,
        "deterministic": True,
        "workers": 2,
        "val": False,  # the last weights are taken, whatever they reach: choosing by val would flatter
        "plots": False,
        "verbose": False,
        **run.augment.model_dump(exclude=ours),
    }
