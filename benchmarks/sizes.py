"""What a larger network input finds and costs: recall against size in the picture, for the default of ``--imgsz``.

Run: ``python -m benchmarks.sizes``.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import common
from benchmarks.finders import KEEP_NESTED, found_heads, lecture_heads
from benchmarks.matching import score
from models.training.annotations import read_coco
from models.yolo import BEHAVIOURS, GROUP
from pipeline.detect import DetectSettings, UltralyticsDetector

SIZES = (640, 800, 960, 1120, 1280, 1600)

HEAD_PX = (0.0, 38.0, 50.0, 1e9)
"""Edges of head heights in the stills, px of 1400 × 900: about a third of the heads lie in each part."""

STUDENT_PX = (0.0, 105.0, 145.0, 1e9)
"""The same for annotated students, px of 1920 × 1080."""


def classroom_students(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """The frames of ``val``, (h, w, 3) BGR, each with its (n, 4) px single students."""
    images = read_coco(folder / "val.json", folder / "images", BEHAVIOURS)
    return [
        (cv2.imread(str(image.path)), image.boxes_xyxy[[name != GROUP for name in image.labels]]) for image in images
    ]


def found_students(students_xyxy: np.ndarray, truth_xyxy: np.ndarray) -> np.ndarray:
    """(n,) whether a true student has a box."""
    return score(truth_xyxy, students_xyxy)[1] > 0


def by_height(found: list[np.ndarray], truth: list[np.ndarray], edges: tuple[float, ...]) -> list[float]:
    """Recall of all, then of those with a height between two edges."""
    hit = np.concatenate(found)
    height = np.concatenate([boxes[:, 3] - boxes[:, 1] for boxes in truth])
    parts = [hit] + [hit[(height >= low) & (height < high)] for low, high in itertools.pairwise(edges)]
    return [float(part.mean()) if len(part) else float("nan") for part in parts]


def main() -> None:
    """Measure every size."""
    parser = common.parser(__doc__)
    parser.add_argument("--imgsz", type=int, nargs="+", default=list(SIZES), help="px")
    parser.add_argument("--weights", nargs="+", default=[DetectSettings().weights], help="detectors")
    parser.add_argument("--backend", nargs="+", default=["auto"], help="torch, openvino")
    args = parser.parse_args()
    common.print_machine()
    sets = {
        "lecture": (lecture_heads(args.data / "lecture"), HEAD_PX, found_heads),
        "classroom": (classroom_students(args.data / "classroom"), STUDENT_PX, found_students),
    }
    figures: list[dict[str, Any]] = []
    for weights, backend, imgsz in itertools.product(args.weights, args.backend, args.imgsz):
        settings = DetectSettings(weights=weights, imgsz=imgsz, nested=KEEP_NESTED, behaviour=False, backend=backend)
        detector = UltralyticsDetector(settings, "cpu")
        row: dict[str, Any] = {"model": Path(weights).stem, "backend": backend, "imgsz": imgsz}
        for name, (images, edges, find) in sets.items():
            detector.detect([images[0][0]])  # the first call sets up
            found, milliseconds = [], []
            for image, truth in images:
                begun = time.perf_counter()
                boxes = detector.detect([image])[0].boxes_xyxy
                milliseconds.append(1000 * (time.perf_counter() - begun))
                found.append(find(boxes, truth))
            row[name] = by_height(found, [truth for _, truth in images], edges)
            row["ms_" + name] = float(np.median(milliseconds))
        figures.append(row)
    columns = ["model", "backend", "imgsz", "all heads", "< 38 px", "38–50 px", "> 50 px"]
    columns += ["all students", "< 105 px", "105–145 px", "> 145 px", "ms/still", "ms/frame"]
    common.print_table(
        "Recall by size in the picture (lecture: heads in a box, stills kept out of training; classroom: IoU 0.5)",
        columns,
        [
            [
                f["model"],
                f["backend"],
                f["imgsz"],
                *(f"{value:.3f}" for value in f["lecture"] + f["classroom"]),
                f"{f['ms_lecture']:.0f}",
                f"{f['ms_classroom']:.0f}",
            ]
            for f in figures
        ],
    )
    common.write_json(args.json, {"sizes": figures})


if __name__ == "__main__":
    main()
