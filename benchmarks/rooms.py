"""Students and behaviours in rooms never seen in training: train on all rooms but one, test on that one, in turn.

Trains what is not there yet (``--folds``): six to ten minutes per room on two CPU cores. A shorter schedule than that
of the shipped weights, the same for all rooms. Run: ``python -m benchmarks.rooms``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import common
from benchmarks.average_precision import precision
from benchmarks.behaviours import macro_f1
from benchmarks.classes import CONFIDENCE, Network, judged, student_then_crop
from benchmarks.matching import MATCH_IOU, score
from models.training import behaviour, detection
from models.training.annotations import AnnotatedImage, read_coco
from models.training.detection import STUDENT
from models.yolo import BEHAVIOURS, GROUP
from pipeline.detect import DetectSettings

EPOCHS, BEHAVIOUR_EPOCHS = 6, 8


def train_fold(data: Path, room: str, start: Path, folder: Path) -> tuple[Path, Path]:
    """Detector and classifier that never saw ``room``; from ``folder`` where they are there already."""
    students, crops = folder / f"students-without-{room}.pt", folder / f"behaviour-without-{room}.pt"
    run = detection.DetectorRun(start=str(start), without_room=room, epochs=EPOCHS)
    work = folder / f"without-{room}"
    if not students.is_file():
        views = data / "lecture" if (data / "lecture").is_dir() else None
        detection.run_training(data / "classroom", views, run, work, students, device="cpu", say=common.say)
    if not crops.is_file():
        behaviour.run(
            data / "classroom",
            str(start),
            work,
            crops,
            without_room=room,
            epochs=BEHAVIOUR_EPOCHS,
            batch=64,
            seed=0,
            say=common.say,
        )
    return students, crops


def student_curve(network: Network, images: Sequence[AnnotatedImage]) -> tuple[np.ndarray, np.ndarray, int]:
    """Scores of all boxes, whether each finds an annotated student, and how many students there are."""
    scores, hits, there = [], [], 0
    wanted = [number for number, name in network.names.items() if name in (STUDENT, "person")]
    for image in images:
        truth = image.boxes_xyxy[[name != GROUP for name in image.labels]]
        found = network.find(cv2.imread(str(image.path)))
        people = np.isin(found.classes, wanted) & (found.scores > 0.05)
        overlap, _ = score(found.boxes_xyxy[people], truth)
        free = np.ones(len(truth), bool)
        for row in np.argsort(-found.scores[people], kind="stable"):  # the surest box first, as AP counts
            near = np.where(free, overlap[row], 0)
            hit = near.max(initial=0) >= MATCH_IOU
            if hit:
                free[near.argmax()] = False
            scores.append(found.scores[people][row])
            hits.append(hit)
        there += len(truth)
    return np.array(scores), np.array(hits, bool), there


def recall_at(curve: tuple[np.ndarray, np.ndarray, int], least_precision: float) -> float:
    """Highest recall among the thresholds whose precision is ``least_precision`` or better."""
    scores, hits, there = curve
    found = hits[np.argsort(-scores, kind="stable")].cumsum()
    good = found / np.arange(1, len(found) + 1) >= least_precision
    return float(found[good].max(initial=0) / max(there, 1))


def rates_at(curve: tuple[np.ndarray, np.ndarray, int], confidence: float) -> tuple[float, float]:
    """Recall and precision of the boxes with ``confidence`` or more."""
    scores, hits, there = curve
    kept = scores >= confidence
    return float(hits[kept].sum() / max(there, 1)), float(hits[kept].mean()) if kept.any() else float("nan")


def measure(data: Path, start: Path, folder: Path, rooms: Sequence[str]) -> list[dict[str, Any]]:
    """One row of figures per room."""
    classroom, imgsz, confidence = data / "classroom", DetectSettings().imgsz, DetectSettings().confidence
    every = [
        image
        for split in ("train", "val")
        for image in read_coco(classroom / f"{split}.json", classroom / "images", BEHAVIOURS)
    ]
    stock = Network(str(start), imgsz)
    figures = []
    for room in rooms:
        students, crops = train_fold(data, room, start, folder)
        images = [image for image in every if image.room == room]
        ours, theirs = student_curve(Network(str(students), imgsz), images), student_curve(stock, images)
        recall, own_precision = rates_at(theirs, confidence)
        reader = student_then_crop(str(students), crops, imgsz)
        average = precision(judged(reader, images), BEHAVIOURS)
        figures.append(
            {
                "room": room,
                "images": len(images),
                "recall": rates_at(ours, confidence)[0],
                "precision": rates_at(ours, confidence)[1],
                "coco_recall": recall,
                "coco_precision": own_precision,
                "recall_at_coco_precision": recall_at(ours, own_precision),
                "map50": average.map50,
                "map50_95": average.map50_95,
                "ap50": average.ap50,
                "counts": average.counts,
                **macro_f1(reader, images, confidence),
            }
        )
    return figures


def main() -> None:
    """Train what is missing, then print both tables."""
    parser = common.parser(__doc__)
    parser.add_argument("--folds", type=Path, default=Path("runs/rooms"), help="folder of the folds' weights")
    parser.add_argument("--rooms", nargs="+", default=["A", "B", "C"], help="rooms to leave out in turn")
    args = parser.parse_args()
    common.print_machine()
    args.folds.mkdir(parents=True, exist_ok=True)
    start = args.data.parent / "weights" / "yolov8n_coco.pt"
    figures = measure(args.data, start, args.folds, args.rooms)
    common.print_table(
        f"Students in a room never seen, IoU {MATCH_IOU} (precision is a lower bound: annotation is incomplete)",
        ["room", "images", "recall", "precision", "COCO recall", "COCO precision", "recall at COCO's precision"],
        [
            [f["room"], f["images"]]
            + [
                f"{f[key]:.3f}"
                for key in (
                    "recall",
                    "precision",
                    "coco_recall",
                    "coco_precision",
                    "recall_at_coco_precision",
                )
            ]
            for f in figures
        ],
    )
    common.print_table(
        f"Behaviours in a room never seen (weak boxes down to {CONFIDENCE} count for AP)",
        ["room", "mAP50", "mAP50-95", "macro-F1", "named right", "AP50 by behaviour (boxes)"],
        [
            [
                f["room"],
                common.with_interval(f["map50"]),
                common.with_interval(f["map50_95"]),
                f"{f['macro_f1']:.3f}",
                f"{f['right']:.3f}",
                ", ".join(f"{name} {f['ap50'][name][0]:.2f} ({f['counts'][name]})" for name in BEHAVIOURS),
            ]
            for f in figures
        ],
    )
    common.write_json(args.json, {"rooms": figures})


if __name__ == "__main__":
    main()
