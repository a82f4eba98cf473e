"""How long one hour of a full class takes: five minutes of it are run whole, and its stages are told.

``clips/college_class.mp4`` (about 25 people) is brought to 720 lines and 25 frames per second and played forth and
back again and again: a lecture does not start anew every 13 s, with all people elsewhere at once. The whole ``engage
run`` at its defaults is timed. An hour is its start-up and twelve times the rest: nothing in it grows faster than the
lecture (``benchmarks.flat``). Run: ``python -m benchmarks.hour``. The memory of three hours run whole, in small
pictures so that they fit into one: ``--clip demo/classroom.mp4 --minutes 180 --lines 360 --imgsz 640``.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import cv2

from benchmarks import common
from benchmarks.loops import loop_clip
from benchmarks.throughput import measure
from models.registry import find_weights
from pipeline.detect import DetectSettings
from pipeline.encode import VideoWriter
from pipeline.video import VideoReader

LINES, RATE = 720, 25.0
CLIP = "clips/college_class.mp4"


def resized(clip: Path, out: Path, lines: int = LINES) -> Path:
    """The clip with so many lines and about ``RATE`` frames per second, forth and back."""
    with VideoReader(clip) as reader:
        width = 2 * round(reader.info.width * lines / reader.info.height / 2)
        info = replace(reader.info, width=width, height=lines, fps=min(RATE, reader.info.fps))
        frames = list(reader.frames(RATE))
        step = round(1 / (info.fps * info.time_base))
        with VideoWriter(out, info, crf=18) as writer:
            for number, frame in enumerate([*frames, *frames[-2:0:-1]]):
                at = replace(frame, pts=number * step, t=float(number * step * info.time_base), duration=0)
                writer.write(at, cv2.resize(frame.image, (width, lines)))
    return out


def main() -> None:
    """Run, and print the stages of five minutes and of an hour."""
    parser = common.parser(__doc__)
    parser.add_argument("--clip", type=Path, help=f"video to put in a loop (default: {CLIP} of --data)")
    parser.add_argument("--minutes", type=float, default=5, help="length that is run (default: 5)")
    parser.add_argument("--lines", type=int, default=LINES, help=f"of its pictures, px (default: {LINES})")
    parser.add_argument("--imgsz", type=int, default=DetectSettings().imgsz, help="of the detector, px")
    for name, usual in (("device", "cpu"), ("backend", "auto"), ("decoder", "cpu")):
        parser.add_argument(f"--{name}", default=usual, help=f"of engage run (default: {usual})")
    args = parser.parse_args()
    common.print_machine()
    clip = args.clip or args.data / CLIP
    weights = find_weights(DetectSettings().weights).path
    where = ["--device", args.device, "--backend", args.backend, "--decoder", args.decoder]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        lecture = loop_clip(resized(clip, work / "once.mp4", args.lines), work / "lecture.mp4", 60 * args.minutes)
        with VideoReader(lecture) as reader:
            size = f"{reader.info.width} x {reader.info.height}"
        run = measure("engage", lecture, weights.resolve(), args.imgsz, *where)
    times = 60 / args.minutes
    start_up = run["wall"] - run["work"]
    parts = {"start-up": start_up, **run["stages"], "report": run["report"]}
    parts["store and the rest"] = run["work"] - run["report"] - sum(run["stages"].values())
    fixed = ("start-up", "start", "report")
    hours = {name: spent if name in fixed else spent * times for name, spent in parts.items()}
    common.print_table(
        f"{clip.name}, {size}, {run['frames']} frames ({run['analysed']} analysed), {run['students']} students",
        ["stage", f"{args.minutes:g} minutes (s)", "frames/s", "one hour (min)"],
        [
            [name, f"{spent:.1f}", f"{run['frames'] / spent:.0f}" if spent >= 0.05 else "", f"{hours[name] / 60:.1f}"]
            for name, spent in parts.items()
        ],
    )
    common.say(
        f"one hour takes {sum(hours.values()) / 60:.0f} minutes; {args.minutes:g} took {run['wall'] / 60:.1f}, with"
        f" {run['peak_gib']:.2f} GiB of memory at most"
    )
    common.write_json(args.json, {"run": run, "hour_s": hours})


if __name__ == "__main__":
    main()
