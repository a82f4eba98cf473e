"""The whole walk on real recordings: does it complete, and has the annotated video the source's frames and length?

All clips of the data folder, the tracking sequence, and the lecture's stills joined to a slow video (one every 5 s).
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image

from benchmarks import common
from pipeline.session import Session
from pipeline.store import session_id
from pipeline.video import VideoReader

STILLS_PER_SECOND = Fraction(1, 5)


def join_stills(folder: Path, out: Path) -> Path:
    """An H.264 video of ``folder/images`` in the order of ``heads.csv``, each shown for 5 s."""
    with (folder / "heads.csv").open(encoding="utf-8") as file:
        order = {row["image"]: int(row["index"]) for row in csv.DictReader(file)}
    pictures = [Image.open(folder / "images" / name).convert("RGB") for name in sorted(order, key=order.__getitem__)]
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=STILLS_PER_SECOND, options={"crf": "15", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = *pictures[0].size, "yuv420p"
        stream.codec_context.time_base = 1 / STILLS_PER_SECOND
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = index, 1 / STILLS_PER_SECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out


def counted(path: Path) -> tuple[int, float]:
    """Decoded frames and duration (s)."""
    with VideoReader(path) as reader:
        for _ in reader.frames():
            pass
        return reader.decoded, reader.duration


def walk(video: Path, out: Path) -> dict[str, Any]:
    """Run ``engage run`` on one recording and compare what went in with what came out."""
    command = [sys.executable, "-m", "engage", "run", str(video), "--out", str(out), "--approved-by", "benchmark"]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=common.ROOT)
    seconds = time.perf_counter() - begun
    if done.returncode:
        return {"video": video.name, "exit": done.returncode, "said": done.stderr.strip()}
    session = Session.open(out / session_id(video, None))
    frames_in, length_in = counted(video)
    frames_out, length_out = counted(session.video)
    return {
        "video": video.name,
        "exit": 0,
        "frames in": frames_in,
        "frames out": frames_out,
        "length in (s)": round(length_in, 3),
        "length out (s)": round(length_out, 3),
        "students": session.manifest.counts.students,
        "coverage": f"{session.manifest.engagement.coverage:.0%}",
        "wall (s)": round(seconds),
    }


def main() -> None:
    """Walk through what is there and print the table."""
    args = common.parser(__doc__).parse_args()
    common.print_machine()
    with tempfile.TemporaryDirectory() as temporary:
        videos = [common.DEMO_CLIP, *sorted((args.data / "clips").glob("*.mp4"))]
        videos += sorted((args.data / "tracking").glob("*.avi"))
        if (args.data / "lecture" / "heads.csv").is_file():
            videos.append(join_stills(args.data / "lecture", Path(temporary) / "lecture-stills.mp4"))
        rows = [walk(video, Path(temporary) / "sessions") for video in videos]
    columns = list(max(rows, key=len))
    common.print_table("engage run, defaults", columns, [[row.get(column, "") for column in columns] for row in rows])
    for row in rows:
        if row["exit"]:
            common.say(f"{row['video']}: {row['said']}")
    common.write_json(args.json, {"walk": rows})


if __name__ == "__main__":
    main()
