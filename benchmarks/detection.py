"""How well students are found and what they do is named, beside stock COCO YOLOv8n.

Demo clip: recall and precision at IoU 0.5 against what is visible of each person, and where the misses are. With the
evaluation data: heads of a university lecture inside student boxes, annotated students of three classrooms, and average
precision of their behaviours. Run: ``python -m benchmarks.detection``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks import common
from benchmarks.behaviours import on_behaviours
from benchmarks.classes import AnyStudent, one_network, student_then_crop
from benchmarks.finders import KEEP_NESTED, Figures, Finder, about, find, found_heads, lecture_heads, on_demo
from benchmarks.matching import MATCH_IOU, score
from models.behaviour import WEIGHTS
from models.training.annotations import AnnotatedImage, read_coco
from models.yolo import BEHAVIOURS, GROUP
from pipeline.detect import DetectSettings, UltralyticsDetector

QUICK = 8
"""Images per set with ``--quick``."""


def on_lecture(detectors: Sequence[Finder], folder: Path, limit: int | None) -> Figures:
    """Share of labelled heads whose centre lies inside a student box, in stills of a university lecture that no
    training saw: the last ones of the lecture.
    """
    stills = common.spread(lecture_heads(folder), limit)
    figures: Figures = []
    for detector in detectors:
        found = [find(detector, image) for image, _ in stills]
        inside = [int(found_heads(students, heads).sum()) for students, (_, heads) in zip(found, stills, strict=True)]
        recall = common.ratio_interval(inside, [len(heads) for _, heads in stills])
        boxes_per_still = sum(map(len, found)) / len(stills)
        figures.append(about(detector) | {"stills": len(stills), "recall": recall, "boxes_per_still": boxes_per_still})
    common.print_table(
        f"Lecture: heads inside a student box, {len(stills)} stills kept out of training,"
        f" {sum(len(heads) for _, heads in stills)} heads",
        ["model", "imgsz", "confidence", "recall", "boxes per still"],
        [
            [f["model"], f["imgsz"], f["confidence"], common.with_interval(f["recall"]), f"{f['boxes_per_still']:.1f}"]
            for f in figures
        ],
    )
    return figures


def on_classrooms(detectors: Sequence[Finder], folder: Path, limit: int | None) -> Figures:
    """Annotated students found at ``MATCH_IOU`` and boxes that are one, by room; a group's box is left out.

    Students nobody annotated make every precision here a lower bound.
    """
    images = common.spread(sorted(read_coco(folder / "val.json", folder / "images", BEHAVIOURS), key=_by_room), limit)
    figures: Figures = []
    for detector in detectors:
        rooms: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for image in images:
            truth = image.boxes_xyxy[[name != GROUP for name in image.labels]]
            found = find(detector, image.path)
            _, own = score(truth, found)
            for room in (image.room, "all"):
                rooms[room].append((int((own > 0).sum()), len(truth), len(found)))
        for room, counts in sorted(rooms.items()):
            hits, there, boxes_in = zip(*counts, strict=True)
            rates = {
                "recall": common.ratio_interval(hits, there),
                "precision": common.ratio_interval(hits, boxes_in),
            }
            figures.append(about(detector) | {"room": room, "images": len(counts)} | rates)
    common.print_table(
        f"Classrooms: annotated students at IoU {MATCH_IOU} (val, same cameras as train)",
        ["model", "imgsz", "room", "images", "recall", "precision (at least)"],
        [
            [f["model"], f["imgsz"], f["room"], f["images"]]
            + [common.with_interval(f[rate]) for rate in ("recall", "precision")]
            for f in figures
        ],
    )
    return figures


def _by_room(image: AnnotatedImage) -> tuple[str, str]:
    return image.room, image.path.name


def main() -> None:
    """Measure what the arguments ask for and the data allow."""
    parser = common.parser(__doc__)
    parser.add_argument("--every", type=int, default=8, help="use every k-th frame of the demo (default: 8)")
    parser.add_argument("--imgsz", type=int, nargs="+", help="px (default: that of engage run)")
    parser.add_argument("--rival", type=Path, help="weights of one network with behaviour classes, to compare with")
    parser.add_argument("--quick", action="store_true", help=f"at most {QUICK} images per set of the data folder")
    parser.add_argument("--backend", default="auto", help="torch, openvino; auto: as engage run")
    args = parser.parse_args()
    limit = QUICK if args.quick else None
    common.print_machine()
    stock = args.data.parent / "weights" / "yolov8n_coco.pt"
    shipped = DetectSettings()
    sizes = args.imgsz or [shipped.imgsz]
    models = [(shipped.weights, shipped.nested), (shipped.weights, KEEP_NESTED)]
    models += [(str(stock), KEEP_NESTED)] if stock.is_file() else []
    fixed = {"behaviour": False, "backend": args.backend}
    settings = [DetectSettings(weights=w, nested=n, imgsz=imgsz, **fixed) for w, n in models for imgsz in sizes]
    detectors: list[Finder] = [UltralyticsDetector(one, "cpu") for one in settings]
    if args.rival is not None:
        detectors += [AnyStudent(DetectSettings(weights=str(args.rival), imgsz=imgsz)) for imgsz in sizes]
    figures: dict[str, Figures] = {"demo": on_demo(detectors, args.every)}
    for name, measure in (("lecture", on_lecture), ("classroom", on_classrooms)):
        if (args.data / name).is_dir():
            figures[name] = measure(detectors, args.data / name, limit)
        else:
            common.say(f"{name}/ is not in the data folder: left out")
    if (args.data / "classroom").is_dir():
        designs = {"student, then crop": student_then_crop(shipped.weights, WEIGHTS, shipped.imgsz)}
        if args.rival is not None:
            designs["one network"] = one_network(str(args.rival), shipped.imgsz)
        figures["behaviours"] = on_behaviours(designs, args.data / "classroom", limit)
    common.write_json(args.json, figures)


if __name__ == "__main__":
    main()
