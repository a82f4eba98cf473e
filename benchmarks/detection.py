"""How well students are found: the shipped detector, as the pipeline uses it and raw, beside stock COCO YOLOv8n.

Demo clip: recall and precision at IoU 0.5 against what is visible of each person, and where the misses are. With the
evaluation data: heads of a university lecture inside student boxes, and annotated students of three classrooms (their
annotation is incomplete, so no precision). Run: ``python -m benchmarks.detection``.
"""

from __future__ import annotations

import csv
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import common
from benchmarks.matching import MATCH_IOU, boxes, score
from pipeline.detect import DetectSettings, UltralyticsDetector
from pipeline.video import VideoReader

KEEP_NESTED = 1.0
"""Value of ``DetectSettings.nested`` that drops no box: what the network says, called raw in the tables."""

QUICK = 8
"""Images per set with ``--quick``."""

Figures = list[dict[str, Any]]


def find(detector: UltralyticsDetector, image: Path | np.ndarray) -> np.ndarray:
    """(m, 4) px boxes of one image or image file."""
    pixels = image if isinstance(image, np.ndarray) else cv2.imread(str(image))
    if pixels is None:
        raise FileNotFoundError(f"{image}: cannot be read as an image")
    return detector.detect([pixels])[0].boxes_xyxy


def on_demo(detectors: Sequence[UltralyticsDetector], every: int) -> Figures:
    """Recall, precision, fit, student count and misses on every ``every``-th frame of the demo clip."""
    truth = common.demo_truth()
    with VideoReader(common.DEMO_CLIP) as reader:
        frames = [(frame.t, truth[frame.index], frame.image) for frame in reader.frames() if frame.index % every == 0]
    figures: Figures = []
    for detector in detectors:
        find(detector, frames[0][2])  # the first call sets up
        counts, overlaps, milliseconds = [], [], []
        misses: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for t, people, image in frames:
            begin = time.perf_counter()
            found = find(detector, image)
            milliseconds.append(1000 * (time.perf_counter() - begin))
            iou, own = score(boxes(person["visible_bbox"] for person in people), found)
            counts.append((int((own > 0).sum()), *iou.shape))
            overlaps += own[own > 0].tolist()
            for row in np.flatnonzero(own == 0):
                misses[people[row]["seat"]].append((t, float(iou[row].max(initial=0))))
        hits, there, boxes_in = zip(*counts, strict=True)
        off = np.abs(np.subtract(boxes_in, there))
        figures.append(
            _about(detector)
            | {"recall": common.ratio_interval(hits, there), "precision": common.ratio_interval(hits, boxes_in)}
            | {"mean_iou": float(np.mean(overlaps)), "ms": float(np.median(milliseconds))}
            | {"people": sum(there), "boxes": sum(boxes_in)}
            | {"count_off": float(off.mean()), "count_right": float((off == 0).mean()), "misses": misses}
        )
    rows, lost_rows = [], []
    for f in figures:
        name = [f["model"], f["imgsz"]]
        rates = [common.with_interval(f["recall"]), common.with_interval(f["precision"])]
        tally = [f"{f['boxes']}/{f['people']}", f"{f['count_off']:.2f}", f"{f['count_right']:.0%}"]
        rows.append([*name, *rates, f"{f['mean_iou']:.2f}", f"{f['ms']:.0f}", *tally])
        for seat, lost in sorted(f["misses"].items()):
            times, best = zip(*lost, strict=True)
            when = common.spans(times, every / reader.info.fps)
            lost_rows.append([*name, seat, len(lost), f"{np.median(best):.2f}", when])
    common.print_table(
        f"Demo clip: {len(frames)} frames, IoU {MATCH_IOU}, confidence {DetectSettings().confidence}",
        [
            "model",
            "imgsz",
            "recall",
            "precision",
            "mean IoU",
            "ms/frame",
            "boxes/people",
            "count off by",
            "count right",
        ],
        rows,
    )
    columns = ["model", "imgsz", "seat", "frames missed", "best IoU", "when (s)"]
    common.print_table("Misses by seat (best IoU: of any box with the person, median)", columns, lost_rows)
    return figures


def on_lecture(detectors: Sequence[UltralyticsDetector], folder: Path, limit: int | None) -> Figures:
    """Share of labelled heads whose centre lies inside a student box, in stills of a university lecture."""
    heads: dict[str, list[list[float]]] = defaultdict(list)
    with (folder / "heads.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            heads[row["image"]].append([float(row[side]) for side in ("x1", "y1", "x2", "y2")])
    names = common.spread(sorted(heads), limit)
    figures: Figures = []
    for detector in detectors:
        inside, found = [], 0
        for name in names:
            students = find(detector, folder / "images" / name)
            head = boxes(heads[name])
            centre = (head[:, None, :2] + head[:, None, 2:]) / 2
            within = (centre >= students[:, :2]) & (centre <= students[:, 2:])
            inside.append(int(within.all(axis=2).any(axis=1).sum()))
            found += len(students)
        recall = common.ratio_interval(inside, [len(heads[name]) for name in names])
        figures.append(
            _about(detector) | {"stills": len(names), "recall": recall, "boxes_per_still": found / len(names)}
        )
    common.print_table(
        f"Lecture: heads inside a student box, {len(names)} stills, {sum(len(heads[n]) for n in names)} heads",
        ["model", "imgsz", "recall", "boxes per still"],
        [[f["model"], f["imgsz"], common.with_interval(f["recall"]), f"{f['boxes_per_still']:.1f}"] for f in figures],
    )
    return figures


def on_classrooms(detectors: Sequence[UltralyticsDetector], folder: Path, limit: int | None) -> Figures:
    """Share of annotated students found at ``MATCH_IOU``, by room; a ``discuss`` box holds a group and is left out."""
    content = json.loads((folder / "val.json").read_text(encoding="utf-8"))
    groups = {category["id"] for category in content["categories"] if category["name"] == "discuss"}
    students: dict[int, list[list[float]]] = defaultdict(list)
    for note in content["annotations"]:
        if note["category_id"] not in groups:
            x, y, width, height = note["bbox"]
            students[note["image_id"]].append([x, y, x + width, y + height])
    images = common.spread(sorted(content["images"], key=lambda image: (image["room"], image["id"])), limit)
    figures: Figures = []
    for detector in detectors:
        rooms: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for image in images:
            truth = boxes(students[image["id"]])
            _, own = score(truth, find(detector, folder / "images" / image["file_name"]))
            for room in (image["room"], "all"):
                rooms[room].append((int((own > 0).sum()), len(truth)))
        for room, counts in sorted(rooms.items()):
            recall = common.ratio_interval(*zip(*counts, strict=True))
            figures.append(_about(detector) | {"room": room, "images": len(counts), "recall": recall})
    common.print_table(
        f"Classrooms: annotated students found at IoU {MATCH_IOU} (val, same cameras as train)",
        ["model", "imgsz", "room", "images", "recall"],
        [[f["model"], f["imgsz"], f["room"], f["images"], common.with_interval(f["recall"])] for f in figures],
    )
    return figures


def _about(detector: UltralyticsDetector) -> dict[str, Any]:
    raw = " (raw)" if detector.settings.nested == KEEP_NESTED else ""
    return {"model": detector.weights.path.stem + raw, "imgsz": detector.settings.imgsz}


def main() -> None:
    """Measure what the arguments ask for and the data allow."""
    parser = common.parser(__doc__)
    parser.add_argument("--every", type=int, default=8, help="use every k-th frame of the demo (default: 8)")
    parser.add_argument("--imgsz", type=int, nargs="+", help="px (default: that of engage run)")
    parser.add_argument("--quick", action="store_true", help=f"at most {QUICK} images per set of the data folder")
    args = parser.parse_args()
    limit = QUICK if args.quick else None
    common.print_machine()
    stock = args.data.parent / "weights" / "yolov8n_coco.pt"
    shipped = DetectSettings()
    sizes = args.imgsz or [shipped.imgsz]
    models = [(shipped.weights, shipped.nested), (shipped.weights, KEEP_NESTED)]
    models += [(str(stock), KEEP_NESTED)] if stock.is_file() else []
    settings = [DetectSettings(weights=w, nested=n, imgsz=imgsz) for w, n in models for imgsz in sizes]
    detectors = [UltralyticsDetector(one, "cpu") for one in settings]
    figures = {"demo": on_demo(detectors, args.every)}
    for name, measure in (("lecture", on_lecture), ("classroom", on_classrooms)):
        if (args.data / name).is_dir():
            figures[name] = measure(detectors, args.data / name, limit)
        else:
            common.say(f"{name}/ is not in the data folder: left out")
    common.write_json(args.json, figures)


if __name__ == "__main__":
    main()
