"""What Ultralytics' trainer lacks: cheap cameras as augmentation, half the time on a CPU, clean files."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.torch_utils import unwrap_model

from models.registry import WeightsFile
from models.training.detection import Augmentation
from models.training.network import fast_bfloat16
from models.yolo import GROUP, PEOPLE, load_yolo

UNSURE_LOGIT = -7.0
"""Score of a class before it is learned: about one in a thousand places."""


class CameraFaults:
    """Blur, low light and compression of real classroom cameras, at random; a transform of Ultralytics' kind."""

    def __init__(self, augmentation: Augmentation) -> None:
        self.augmentation = augmentation

    def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Change ``labels["img"]``, (h, w, 3) uint8."""
        image, shares = labels["img"], self.augmentation
        rng = np.random.default_rng(random.getrandbits(64))  # Ultralytics seeds ``random`` in every worker
        if rng.random() < shares.blur:
            image = _blurred(image, rng)
        if rng.random() < shares.low_light:
            grain = rng.normal(0, rng.uniform(2, 10), (*image.shape[:2], 1)).astype(np.float32)
            image = (image * rng.uniform(0.3, 0.7) + grain).clip(0, 255).astype(np.uint8)
        if rng.random() < shares.compression:
            quality = int(rng.integers(15, 60))
            coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            image = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        labels["img"] = image
        return labels


def _blurred(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Out of focus, or moved sideways."""
    if rng.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.0))
    return cv2.blur(image, (int(rng.integers(2, 7)), 1))


class ClassroomTrainer(DetectionTrainer):
    """Ultralytics' detection trainer with ``CameraFaults`` and, on a CPU, network passes in bfloat16.

    The loss stays in single precision: boxes decoded in bfloat16 are off by up to half a pixel.
    """

    def __init__(
        self, *, overrides: dict[str, Any], augmentation: Augmentation, say: Callable[[str], None] = print
    ) -> None:
        super().__init__(overrides=overrides)
        self._faults = CameraFaults(augmentation)
        self._say = say
        self._begun = time.perf_counter()
        self.add_callback("on_train_start", _prepare)
        self.add_callback("on_fit_epoch_end", _report)

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        """The start with this run's classes, or a checkpoint's network as it is."""
        if weights is None or not isinstance(weights, nn.Module):
            return super().get_model(cfg, weights, verbose)
        names = [str(name) for name in self.data["names"].values()]
        return with_classes(weights, names)

    def get_dataset(self) -> Any:
        """See Ultralytics; without asking its server for a font that only its plots need."""
        from unittest.mock import patch

        with patch("ultralytics.data.utils.check_font"):
            return super().get_dataset()

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """See Ultralytics; training images also get ``CameraFaults``."""
        dataset = super().build_dataset(img_path, mode, batch)
        if mode == "train":
            self._add_faults(dataset)
        return dataset

    def save_model(self) -> bool:
        """Write the checkpoint beside and rename it, so that an interrupted run can go on."""
        target = self.last
        self.last = target.with_name("last.pt.partial")
        try:
            saved = super().save_model()
            self.last.replace(target)
        finally:
            self.last = target
        return saved

    def _close_dataloader_mosaic(self) -> None:
        super()._close_dataloader_mosaic()  # builds the transforms anew
        self._add_faults(self.train_loader.dataset)

    def _add_faults(self, dataset: Any) -> None:
        dataset.transforms.insert(len(dataset.transforms.transforms) - 1, self._faults)  # before they become a tensor

    def final_eval(self) -> None:
        """Nothing: the weights are measured by ``benchmarks/detection.py``."""


def _prepare(trainer: ClassroomTrainer) -> None:
    if trainer.device.type != "cpu":
        return
    torch.set_num_threads(max(torch.get_num_threads(), _cores()))  # Ultralytics leaves one core idle
    model: Any = trainer.model
    network: Any = unwrap_model(model)
    network.to(memory_format=torch.channels_last)
    plain = network.predict

    def predict(images: Tensor, *args: Any, **settings: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16()):
            outputs = plain(images.contiguous(memory_format=torch.channels_last), *args, **settings)
        return _single(outputs)

    network.predict = predict


def _single(outputs: Any) -> Any:
    if isinstance(outputs, Tensor):
        return outputs.float()
    if isinstance(outputs, dict):
        return {key: _single(value) for key, value in outputs.items()}
    return type(outputs)(_single(value) for value in outputs) if isinstance(outputs, (list, tuple)) else outputs


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _report(trainer: ClassroomTrainer) -> None:
    means: dict[str, Any] = trainer.tloss or {}
    losses = ", ".join(f"{name.split('_')[0]} {float(value):.3f}" for name, value in means.items())
    now = time.perf_counter()
    trainer._say(f"epoch {trainer.epoch + 1}/{trainer.epochs}: {losses}, {now - trainer._begun:.0f} s")
    trainer._begun = now


def with_classes(network: Any, names: Sequence[str]) -> Any:
    """A copy of a detector whose classes are ``names``, each starting as what the network takes for a person.

    Ultralytics would make the classifying branch anew, and what it knew of people in other rooms would be gone with it.
    A group is no person: its class starts unsure.

    Args:
        network: an Ultralytics ``DetectionModel`` that knows ``person`` or ``student``; others lose their classes.
        names: the new classes.
    """
    known = list(network.names.values())
    network = deepcopy(network).float()
    if known == list(names):
        return network
    person = next((known.index(name) for name in PEOPLE if name in known), None)
    head = network.model[-1]
    for branch in head.cv3:
        old: Any = branch[-1]
        new: Any = nn.Conv2d(old.in_channels, len(names), 1)
        with torch.no_grad():
            new.weight.zero_()
            new.bias.fill_(UNSURE_LOGIT)
            for row, name in enumerate(names):
                if person is not None and name != GROUP:
                    new.weight[row], new.bias[row] = old.weight[person], old.bias[person]
        branch[-1] = new
    head.nc, head.no = len(names), len(names) + 4 * head.reg_max
    network.nc, network.yaml = len(names), {**network.yaml, "nc": len(names)}
    network.names, network.criterion = dict(enumerate(names)), None
    return network


def epochs_done(checkpoint: Path) -> int:
    """How many epochs a checkpoint has behind it."""
    return int(torch.load(checkpoint, map_location="cpu", weights_only=False)["epoch"]) + 1


def finished_weights(checkpoint: Path, out: Path, start: WeightsFile, blend: float) -> None:
    """Write a checkpoint's averaged weights in half precision, without optimiser or paths of this machine.

    Args:
        checkpoint: of a run.
        out: weights file.
        start: what the run started from.
        blend: share of the trained weights; the rest stays with the start, which knows more rooms (Wortsman et al.
            2022, CVPR: robust fine-tuning by averaging weights).
    """
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    network: Any = (content.get("ema") or content["model"]).float()
    if blend < 1:
        before = with_classes(load_yolo(start).model, list(network.names.values())).state_dict()
        network.load_state_dict(
            {
                name: torch.lerp(before[name], value, blend) if value.is_floating_point() else value
                for name, value in network.state_dict().items()
            }
        )
    network.criterion = None
    network.pt_path = None  # where the start lay
    for parameter in network.parameters():
        parameter.requires_grad = False
    places = ("model", "data", "project", "save_dir", "pretrained", "resume")
    arguments = {
        key: Path(str(value)).name if key in places and isinstance(value, str) else value
        for key, value in content["train_args"].items()
    }
    network.args = arguments
    keep = {key: content[key] for key in ("version", "license", "date")}
    torch.save({"model": network.half(), "train_args": arguments, "epoch": -1, **keep}, out)
