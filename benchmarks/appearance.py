"""How well appearance vectors tell people apart, on true boxes and identities of the demo clip and of PETS09-S2L1.

Compared: the colour bands that the tracker uses, features pooled from the finest map inside the detector, those of the
behaviour network, OSNet where its weights are, and each with colour.
The figure is the AUC of the scalar product for "same person" against "different people" over pairs of boxes from
different frames: over all of them, and over those at most 1 s apart, which is what a tracker must decide. Intervals
come from resampling people, the unit that would differ in another room. Run: ``python -m benchmarks.appearance``.
"""

from __future__ import annotations

import csv
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision.ops import roi_align
from ultralytics import YOLO

from benchmarks import common
from benchmarks.descriptors import OSNET_FILE, BehaviourFeatures, OsNet
from models.registry import find_weights
from pipeline import appearance
from pipeline.detect import DetectSettings
from pipeline.video import VideoReader

NEAR_S = 1.0
STRIDE_PX = 8
"""Network-input pixels per cell of the finest map of YOLOv8, 11 and 26."""

PEOPLE_RESAMPLES = 200


class DetectorMap:
    """Appearance from the finest map that enters the detector's last layer, read while it predicts."""

    def __init__(self, imgsz: int) -> None:
        self._imgsz = imgsz
        self._map = torch.empty(0)
        self._hooked = False
        self._model = YOLO(str(find_weights(DetectSettings().weights).path))
        self._model.add_callback("on_predict_start", self._hook)

    def _hook(self, predictor: Any) -> None:
        # Ultralytics predicts with a copy of the model, which exists only from here on
        if not self._hooked:
            predictor.model.model.model[-1].register_forward_pre_hook(self._keep)
            self._hooked = True

    def _keep(self, layer: torch.nn.Module, inputs: tuple[list[torch.Tensor]]) -> None:
        self._map = inputs[0][0].float()

    def read(self, image_bgr: np.ndarray) -> None:
        """Predict on an image, which detection pays for anyway, and keep the map."""
        self._model.predict(image_bgr, imgsz=self._imgsz, device="cpu", verbose=False)
        self._size = image_bgr.shape[:2]

    def pool(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """(n, 3 · channels) unit vectors of boxes in px of the image last read: means over head, chest and lap."""
        height, width = (side * STRIDE_PX for side in self._map.shape[-2:])
        scale = min(height / self._size[0], width / self._size[1])
        pad = np.array([width - scale * self._size[1], height - scale * self._size[0]] * 2) / 2
        rois = torch.from_numpy((boxes_xyxy * scale + pad).astype(np.float32))
        cells = roi_align(self._map, [rois], (appearance.BANDS, 1), 1 / STRIDE_PX, aligned=True)
        return torch.nn.functional.normalize(cells.flatten(1), dim=1).numpy()


@dataclass(frozen=True)
class People:
    """True boxes by frame of one video: ``boxes[index]`` is ((n,) person numbers, (n, 4) px)."""

    name: str
    video: Path
    boxes: dict[int, tuple[np.ndarray, np.ndarray]]


def demo() -> People:
    """The demo clip, with what is visible of each person."""
    frames = enumerate(common.demo_truth())
    boxes = {
        index: (np.array([p["id"] for p in people]), np.array([p["visible_bbox"] for p in people], float))
        for index, people in frames
        if people
    }
    return People("demo", common.DEMO_CLIP, boxes)


def pets(folder: Path) -> People:
    """PETS09-S2L1 with ground truth in MOT format (frames from 1; left, top, width, height)."""
    rows: dict[int, list[list[float]]] = defaultdict(list)
    with (folder / "PETS09-S2L1_gt.txt").open(encoding="utf-8", newline="") as file:
        for frame, person, x, y, w, h, *_ in csv.reader(file):
            left, top = float(x), float(y)
            rows[int(frame) - 1].append([float(person), left, top, left + float(w), top + float(h)])
    boxes = {index: (np.array(r)[:, 0].astype(int), np.array(r)[:, 1:]) for index, r in rows.items()}
    return People("PETS09-S2L1", folder / "PETS09-S2L1.avi", boxes)


class Auc:
    """AUC of scores of positive against negative pairs, for any weights of the pairs; ties count half."""

    def __init__(self, score: np.ndarray, positive: np.ndarray) -> None:
        self._positive = positive
        self._order = np.argsort(score[~positive])
        negatives = score[~positive][self._order]
        self._below = np.searchsorted(negatives, score[positive], "left")
        self._not_above = np.searchsorted(negatives, score[positive], "right")

    def __call__(self, weight: np.ndarray) -> float:
        """Weighted Mann-Whitney statistic; NaN without positives or negatives."""
        mine, theirs = weight[self._positive], weight[~self._positive][self._order]
        cumulative = np.concatenate([[0.0], np.cumsum(theirs)])
        won = (cumulative[self._below] + cumulative[self._not_above]) / 2
        total = mine.sum() * cumulative[-1]
        return float((mine * won).sum() / total) if total else float("nan")


def auc_interval(vectors: np.ndarray, person: np.ndarray, t: np.ndarray, near_s: float) -> tuple[float, float, float]:
    """AUC over pairs of different frames at most ``near_s`` apart, with its 95 % interval over people."""
    first, second = np.triu_indices(len(person), 1)
    apart = np.abs(t[first] - t[second])
    used = (apart > 0) & (apart <= near_s)
    first, second = first[used], second[used]
    same = person[first] == person[second]
    auc = Auc(np.einsum("ij,ij->i", vectors[first], vectors[second]), same)
    number = np.unique(person, return_inverse=True)[1]
    random = np.random.default_rng(common.SEED)
    samples = []
    for _ in range(PEOPLE_RESAMPLES):
        times = np.bincount(random.integers(number.max() + 1, size=number.max() + 1), minlength=number.max() + 1)
        one, other = times[number[first]], times[number[second]]
        samples.append(auc(np.where(same, one, one * other).astype(float)))
    low, high = np.nanpercentile(samples, [2.5, 97.5])
    return auc(np.ones(len(same))), float(low), float(high)


Source = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Image (h, w, 3) BGR and boxes (n, 4) px -> (n, d) unit vectors."""


def sources(network: DetectorMap, weights: Path) -> dict[str, Source]:
    """What is compared; OSNet only where its weights are."""
    made: dict[str, Source] = {
        "colour bands (ours)": appearance.describe,
        "detector's finest map": lambda _, boxes: network.pool(boxes),
        "behaviour network": BehaviourFeatures(),
    }
    if (weights / OSNET_FILE).is_file():
        made["OSNet x0.25"] = OsNet(weights / OSNET_FILE).describe
    else:
        common.say(f"{OSNET_FILE} is not beside the data folder: left out")
    return made


def measure(people: People, every: int, imgsz: int, weights: Path) -> list[dict[str, Any]]:
    """Figures of each source on one video."""
    network = DetectorMap(imgsz)
    compared = sources(network, weights)
    vectors: dict[str, list[np.ndarray]] = defaultdict(list)
    spent: dict[str, list[float]] = defaultdict(list)
    who, when = [], []
    with VideoReader(people.video) as reader:
        for frame in reader.frames():
            if frame.index % every or frame.index not in people.boxes:
                continue
            person, boxes = people.boxes[frame.index]
            network.read(frame.image)
            for name, source in compared.items():
                begin = time.perf_counter()
                vectors[name].append(source(frame.image, boxes))
                spent[name].append((time.perf_counter() - begin) / len(person))
            who.append(person)
            when.append(np.full(len(person), frame.t))
    person, t = np.concatenate(who), np.concatenate(when)
    every_vector = {name: np.concatenate(own) for name, own in vectors.items()}
    first, *others = every_vector
    for name in others:
        every_vector[f"colour + {name}"] = np.concatenate([every_vector[first], every_vector[name]], axis=1) / 2**0.5
        spent[f"colour + {name}"] = [sum(both) for both in zip(spent[first], spent[name], strict=True)]
    return [
        {"video": people.name, "source": name, "dimensions": own.shape[1], "ms": 1000 * float(np.median(spent[name]))}
        | {"people": len(set(person.tolist())), "boxes": len(person)}
        | {"all": auc_interval(own, person, t, np.inf), "near": auc_interval(own, person, t, NEAR_S)}
        for name, own in every_vector.items()
    ]


def main() -> None:
    """Measure on what is there and print the table."""
    parser = common.parser(__doc__)
    parser.add_argument("--every", type=int, default=5, help="use every k-th frame (default: 5)")
    args = parser.parse_args()
    common.print_machine()
    imgsz = DetectSettings().imgsz
    weights = args.data.parent / "weights"
    figures = measure(demo(), args.every, imgsz, weights)
    if (args.data / "tracking" / "PETS09-S2L1.avi").is_file():
        figures += measure(pets(args.data / "tracking"), args.every, imgsz, weights)
    else:
        common.say("tracking/PETS09-S2L1.avi is not in the data folder: left out")
    columns = ["video", "source", "dimensions", "AUC, all pairs", f"AUC, ≤ {NEAR_S:g} s apart", "ms/person"]
    rows = []
    for f in figures:
        rates = [common.with_interval(f[pairs]) for pairs in ("all", "near")]
        rows.append([f["video"], f["source"], f["dimensions"], *rates, f"{f['ms']:.2f}"])
    common.print_table("Same person against different people, true boxes", columns, rows)
    common.write_json(args.json, {"every": args.every, "appearance": figures})


if __name__ == "__main__":
    main()
