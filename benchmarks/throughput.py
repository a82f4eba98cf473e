"""How fast the whole walk is, beside Ultralytics' own tracking with a saved video, on the same clip and weights.

A is ``YOLO(weights).track(source=clip, tracker="botsort.yaml", save=True)``, B is ``engage run clip``: each a process
of its own, one at a time, in turn, so that a ratio compares neighbours in time on a machine that others may use too.
A looks at every frame; B analyses 5 per second at its defaults and writes every frame, and also reads faces, states
and the report. At the end B runs once more on every frame (``--rate``). Run: ``python -m benchmarks.throughput``.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import common
from pipeline.video import VideoReader

IMPORTS = "import av, cv2, mediapipe, pandas, torch, torchvision, ultralytics, deep_sort_realtime, typst"
"""Read once before the first pair, so that the disk's cache is warm for both."""


def ultralytics_child(clip: str, weights: str, imgsz: int, out: Path) -> None:
    """A: track and save with Ultralytics; write what was measured to ``out/marks.json``."""
    from ultralytics import YOLO

    model = YOLO(weights)
    begin = time.perf_counter()
    options: dict[str, Any] = {"project": str(out), "name": "tracked", "save": True, "verbose": False, "device": "cpu"}
    results = model.track(source=clip, tracker="botsort.yaml", imgsz=imgsz, stream=True, **options)
    frames = sum(1 for _ in results)
    _write_marks(out, {"work": time.perf_counter() - begin, "frames": frames})


def engage_child(clip: str, weights: str, imgsz: int, out: Path, *more: str) -> None:
    """B: the command ``engage run``, with clocks around its parts; write what was measured to ``out/marks.json``."""
    import engage
    import pipeline.retention

    seconds: dict[str, float] = {}

    def clocked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            result = function(*args, **kwargs)
            seconds[name] = time.perf_counter() - begin
            return result

        return call

    process, promise = engage.process, pipeline.retention.promise

    def promised(*args: Any, **kwargs: Any) -> Any:
        import reports.report  # not before: the command loads it beside its networks

        reports.report.write_report = clocked("report", reports.report.write_report)
        return promise(*args, **kwargs)

    pipeline.retention.promise = promised  # the last thing before the report
    engage.process = clocked("work", process)
    options = ["--out", str(out), "--approved-by", "benchmark", "--detector", weights, "--imgsz", str(imgsz), *more]
    sys.argv = ["engage", "run", clip, "--device", "cpu", *options]  # of two the last one counts
    atexit.register(_write_session_marks, out, seconds)  # the command ends its process
    engage.main()


def _write_session_marks(out: Path, seconds: dict[str, float]) -> None:
    (manifest,) = out.glob("*/session.json")
    session = json.loads(manifest.read_text(encoding="utf-8"))
    stages = {"stages": session["stage_seconds"], "frames": session["counts"]["frames"]}
    counts = {"analysed": session["counts"]["analysed_frames"], "students": session["counts"]["students"]}
    _write_marks(out, seconds | stages | counts)


def every_frame_child(clip: str, weights: str, imgsz: int, out: Path) -> None:
    """B, but it analyses every frame."""
    with VideoReader(clip) as reader:
        rate = str(reader.info.fps)
    engage_child(clip, weights, imgsz, out, "--rate", rate)


CHILDREN = {"ultralytics": ultralytics_child, "engage": engage_child, "every": every_frame_child}


def _write_marks(out: Path, marks: dict[str, Any]) -> None:
    (out / "marks.json").write_text(json.dumps(marks | {"peak_gib": common.peak_gib()}), encoding="utf-8")


def measure(child: str, clip: Path, weights: Path, imgsz: int, *more: str) -> dict[str, Any]:
    """Run one whole process and return its marks, with ``wall`` and ``cpu`` seconds and ``peak_gib`` memory of it.

    Args:
        child: which of ``CHILDREN``.
        clip, weights, imgsz: of both sides.
        more: options of ``engage run``, of that child; on the CPU where they name no other device.

    Raises:
        RuntimeError: the process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = {"YOLO_AUTOINSTALL": "false", "ENGAGE_DATABASE_URL": f"sqlite:///{folder}/consent.sqlite"}
        if child != "ultralytics":
            settings["OPENBLAS_NUM_THREADS"] = "1"  # as the command does by itself, but NumPy is loaded before it here
        command = [sys.executable, "-m", "benchmarks.throughput", "--child", child, "--clip", str(clip)]
        command += ["--weights", str(weights), "--imgsz", str(imgsz), "--out", folder, "--", *more]
        cpu_before, begin = _cpu_of_children(), time.perf_counter()
        done = subprocess.run(
            command, cwd=common.ROOT, env=os.environ | settings, capture_output=True, text=True, check=False
        )
        wall = time.perf_counter() - begin
        if done.returncode:
            raise RuntimeError(f"{child} failed with exit code {done.returncode}: {done.stderr[-2000:]}")
        marks: dict[str, Any] = json.loads((Path(folder) / "marks.json").read_text(encoding="utf-8"))
    return marks | {"wall": wall, "cpu": _cpu_of_children() - cpu_before}


def _cpu_of_children() -> float:
    spent = os.times()
    return spent.children_user + spent.children_system


def report(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, float]:
    """Print both sides of every pair, the ratios, and where B's time goes; return the median ratios."""
    rows, ratios = [], []
    for number, pair in enumerate(pairs, 1):
        for name, run in zip(("A ultralytics", "B engage run"), pair, strict=True):
            rates = [f"{run['frames'] / run[kind]:.2f}" for kind in ("wall", "work")]
            rows.append([number, name, run["frames"], f"{run['wall']:.1f}", *rates, f"{run['cpu']:.0f}"])
        a, b = pair
        ratios.append({kind: a[kind] / b[kind] for kind in ("wall", "work", "cpu")})
        rows.append(["", "B / A", "", "", *(f"{ratios[-1][kind]:.2f}" for kind in ("wall", "work", "cpu"))])
    columns = ["pair", "process", "frames", "wall (s)", "frames/s, whole", "frames/s, after start-up", "CPU (s)"]
    common.print_table("Whole processes; B / A is how many times faster B is", columns, rows)
    median = {kind: statistics.median(ratio[kind] for ratio in ratios) for kind in ratios[0]}
    common.say(
        f"median B / A: {median['wall']:.2f} whole, {median['work']:.2f} after start-up, {median['cpu']:.2f} by CPU"
    )
    runs = [b for _, b in pairs]
    parts = {name: [run["stages"][name] for run in runs] for name in runs[0]["stages"]}
    parts["report"] = [run["report"] for run in runs]
    parts["store and the rest"] = [run["work"] - run["report"] - sum(run["stages"].values()) for run in runs]
    parts["start-up"] = [run["wall"] - run["work"] for run in runs]
    wall = statistics.median(run["wall"] for run in runs)
    table = [(name, statistics.median(spent)) for name, spent in parts.items()]
    title = f"B's stages, median ({runs[0]['analysed']} of {runs[0]['frames']} frames analysed)"
    common.print_table(
        title, ["stage", "s", "share"], [[name, f"{spent:.1f}", f"{spent / wall:.0%}"] for name, spent in table]
    )
    return median


def main() -> None:
    """Measure pairs, or be one of the two processes (``--child``)."""
    parser = common.parser(__doc__)
    parser.add_argument("--clip", type=Path, default=common.DEMO_CLIP, help="video (default: the demo clip)")
    parser.add_argument("--weights", type=Path, help="of both (default: the shipped detector)")
    parser.add_argument("--imgsz", type=int, help="of both, px (default: that of engage run)")
    parser.add_argument("--repeats", type=int, default=2, help="pairs (default: 2)")
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("more", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        CHILDREN[args.child](str(args.clip), str(args.weights), args.imgsz, args.out, *args.more)
        return
    from models.registry import find_weights
    from pipeline.detect import DetectSettings

    common.print_machine()
    weights = find_weights(str(args.weights or DetectSettings().weights)).path
    setup = (args.clip.resolve(), weights.resolve(), args.imgsz or DetectSettings().imgsz)
    common.say(f"{setup[0].name}, {setup[1].name}, image size {setup[2]} px")
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, capture_output=True)
    pairs = [(measure("ultralytics", *setup), measure("engage", *setup)) for _ in range(args.repeats)]
    ratios = report(pairs)
    every = measure("every", *setup)
    last, peer = pairs[-1][1], pairs[-1][0]
    common.say(
        f"every frame analysed ({every['analysed']} instead of {last['analysed']}): {every['wall']:.1f} s,"
        f" {every['wall'] / last['wall']:.2f} times the {last['wall']:.1f} s at the default rate;"
        f" {peer['wall'] / every['wall']:.2f} times as fast as A"
    )
    common.write_json(args.json, {"median_ratio": ratios, "pairs": pairs, "every_frame": every})


if __name__ == "__main__":
    main()
