"""Twelve mixed lectures, three of them broken, on a Ray cluster of which a worker is killed in the middle.

``engage batch --ray`` on a cluster of node processes of this computer: nine whole sessions, three failures with their
names and reasons, and an exit code that says so. Then the same command again, which has nothing left to do. Also how
long the same lectures take with one and with two local workers. Run: ``python -m benchmarks.batch``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import psutil

from benchmarks import common
from pipeline.encode import VideoWriter
from pipeline.session import Session, find_sessions
from pipeline.video import VideoReader

CLIPS = ("college_class.mp4", "crowd_faces.mp4", "seminar.mp4", "canteen.mp4")
GOOD = 9


def cut(source: Path, first: int, seconds: float, out: Path) -> Path:
    """A part of a recording, from a frame on."""
    with VideoReader(source) as reader, VideoWriter(out, reader.info, preset="ultrafast") as writer:
        last = first + max(1, round(seconds * reader.info.fps))
        for frame in islice(reader.frames(), first, last):
            writer.write(frame, frame.image)
    return out


def make_lectures(folder: Path, data: Path, seconds: float) -> None:
    """Nine parts of the demo clip and of other clips, and three files that are no lectures."""
    folder.mkdir()
    sources = [data / "clips" / name for name in CLIPS if (data / "clips" / name).is_file()]
    parts = [(source, 0) for source in sources]
    parts += [(common.DEMO_CLIP, 40 * n) for n in range(GOOD - len(parts))]
    for n, (source, first) in enumerate(parts):
        made = cut(source, first, seconds, folder / f"{n + 1:02}_{source.stem}.mp4")
    whole = made.read_bytes()
    (folder / "10_second_half.mp4").write_bytes(whole[len(whole) // 2 :])
    (folder / "11_empty.mp4").touch()
    (folder / "12_text.mp4").write_text("The lecture of today is about birds.\n" * 100, encoding="utf-8")


def engage(*words: str) -> subprocess.Popen[str]:
    """``engage batch`` as a process of its own."""
    command = [sys.executable, str(common.ROOT / "engage.py"), "batch", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def workers_at_work() -> list[tuple[psutil.Process, psutil.Process]]:
    """Each Ray worker of ours that has a lecture under way, and the process of the lecture."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.environ().get("ENGAGE_BENCHMARK") == os.environ["ENGAGE_BENCHMARK"]
            parent = process.parent() if ours and "--parent" in process.cmdline() else None
            if parent is not None and any("ray::" in word for word in parent.cmdline()):
                found.append((parent, process))
    return found


def run_and_kill(words: tuple[str, ...], after_s: float) -> dict[str, Any]:
    """Run a batch on the cluster; kill -9 one Ray worker that has had a lecture under way for so long."""
    begun = time.perf_counter()
    process = engage(*words)
    killed = ""
    first: dict[int, float] = {}
    while process.poll() is None and not killed:
        for worker, lecture in workers_at_work():
            if time.perf_counter() - first.setdefault(lecture.pid, time.perf_counter()) >= after_s:
                killed = Path(lecture.cmdline()[-1]).name
                worker.kill()
                break
        time.sleep(0.2)
    printed, _ = process.communicate()
    return {"seconds": time.perf_counter() - begun, "code": process.returncode, "killed": killed, "printed": printed}


def lectures_of(out: Path) -> list[dict[str, Any]]:
    """What ``batch.json`` says."""
    return json.loads((out / "batch.json").read_text(encoding="utf-8"))["lectures"]


def main() -> None:
    """Make the lectures, do them in each way, and print what came of them."""
    parser = common.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="length of each lecture, s (default: 3)")
    parser.add_argument("--imgsz", type=int, default=480, help="of the detector, px (default: 480, for speed)")
    parser.add_argument("--kill-after", type=float, default=5, help="s under way when it is killed (default: 5)")
    args = parser.parse_args()
    common.print_machine()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["ENGAGE_BENCHMARK"] = str(os.getpid())
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.environ["ENGAGE_DATABASE_URL"] = f"sqlite:///{work}/consent.sqlite"
        os.environ["PYTHONPATH"] = str(common.ROOT)
        make_lectures(work / "in", args.data, args.seconds)
        words = (str(work / "in"), "--approved-by", "benchmark", "--imgsz", str(args.imgsz), "--work", str(work / "w"))
        figures: dict[str, Any] = {"local": {}}
        for workers in (1, 2):
            begun, out = time.perf_counter(), work / f"local{workers}"
            engage(*words, "--out", str(out), "--workers", str(workers)).communicate()
            whole = sum(one["session"] is not None for one in lectures_of(out))
            figures["local"][workers] = {"seconds": time.perf_counter() - begun, "whole": whole}
        figures |= on_ray(work, words, args.kill_after)
    rows = [
        [f"local, --workers {n}", one["whole"], 12 - one["whole"], f"{one['seconds']:.0f}"]
        for n, one in figures["local"].items()
    ]
    ray, again = figures["ray"], figures["again"]
    rows.append(["Ray, two nodes, a worker killed", ray["whole"], 12 - ray["whole"], f"{ray['seconds']:.0f}"])
    rows.append(["the same again", again["whole"], 12 - again["whole"], f"{again['seconds']:.0f}"])
    common.print_table("12 lectures, 3 of them broken", ["how", "whole sessions", "failures", "s"], rows)
    common.say(f"killed: the Ray worker of {ray['killed']}; exit codes {ray['code']} and {again['code']}")
    columns = ["lecture", "outcome", "tries", "took_s", "reason"]
    common.print_table("On Ray", columns, [[str(one[name]) for name in columns] for one in ray["lectures"]])
    skipped = sum(one["outcome"] == "skipped" for one in again["lectures"])
    common.say(f"again: {skipped} of {GOOD} whole ones skipped")
    common.write_json(args.json, figures)


def on_ray(work: Path, words: tuple[str, ...], kill_after: float) -> dict[str, Any]:
    """The batch on a cluster of two nodes with a processor each, and once more."""
    from ray.cluster_utils import Cluster

    size = {"object_store_memory": 80 * 2**20, "memory": 4 * 2**30}
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **size})
    for _ in range(2):
        nodes.add_node(num_cpus=1, **size)
    out = work / "cluster"
    words = (*words, "--out", str(out), "--ray", nodes.address, "--cpus-per-lecture", "1", "--memory-per-lecture", "2")
    try:
        figures = {}
        for name, after in (("ray", kill_after), ("again", float("inf"))):
            done = run_and_kill(words, after)
            there = [Session.open(session) for session in find_sessions(out)]
            figures[name] = done | {"whole": len(there), "lectures": lectures_of(out)}
    finally:
        nodes.shutdown()
    return figures


if __name__ == "__main__":
    main()
