"""What each part of reading a frame costs by itself, one after the other: time by the clock and of all cores together.

``engage run`` does several of these at once; here none waits for another, so that it is seen where time goes. Where the
time of all cores is more than that by the clock, several worked, or waited by spinning.
Run: ``python -m benchmarks.parts``.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common
from pipeline import appearance
from pipeline.camera import Camera
from pipeline.detect import UltralyticsDetector
from pipeline.people import PersonReader
from pipeline.scene_tracks import SceneTracks
from pipeline.settings import Settings
from pipeline.streaming import interval_s
from pipeline.video import VideoReader

READERS = {"_faces": "faces", "_heads": "heads", "_hands": "hands", "_desk": "desk"}


class Clocks:
    """Seconds by the clock and of all cores, per part."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)

    def timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """``work``, timed as ``part``."""

        def call(*args: Any, **kwargs: Any) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            made = work(*args, **kwargs)
            self.wall[part] += time.perf_counter() - wall
            self.cpu[part] += time.process_time() - cpu
            return made

        return call


def main() -> None:
    """Read, and print the parts."""
    parser = common.parser(__doc__)
    parser.add_argument("--clip", type=Path, default=common.DEMO_CLIP, help="video (default: the demo clip)")
    parser.add_argument("--frames", type=int, default=100, help="analysed frames (default: 100)")
    args = parser.parse_args()
    common.print_machine()
    chosen, clocks = Settings(device="cpu"), Clocks()
    detector = UltralyticsDetector(chosen.detect, "cpu")
    readers = (chosen.faces, chosen.heads, chosen.hands, chosen.desk, chosen.objects)
    seen = people = 0
    with VideoReader(args.clip) as video, PersonReader(*readers) as person:
        for name, part in READERS.items():
            one = getattr(person, name)
            one.read = clocks.timed(part, one.read)
        together = chosen.detect.frames_at_once("cpu", video.info.width, video.info.height)
        camera, tracks = Camera(chosen.camera), SceneTracks(chosen.track, interval_s(chosen, video.info.fps))
        stream = video.frames(chosen.rate)
        decode = clocks.timed("decode", lambda: list(islice(stream, together)))
        while seen < args.frames and (batch := decode()):
            found_in = clocks.timed("detect", detector.detect)([frame.image for frame in batch])
            for frame, found in zip(batch, found_in, strict=True):
                looks = clocks.timed("looks", appearance.describe)(frame.image, found.boxes_xyxy)
                view = clocks.timed("camera", camera.look)(frame.image)
                ids = clocks.timed("track", tracks.follow)(frame.t, view, found, looks)
                everybody = np.ones(len(found), bool)
                clocks.timed("behaviours", detector.read_behaviours)(frame.image, found, everybody)
                person.read(frame.image, found.boxes_xyxy, ids, everybody, view)
                people += len(found)
            seen += len(batch)
    rows = {part: (1000 * clocks.wall[part] / seen, 1000 * clocks.cpu[part] / seen) for part in clocks.wall}
    rows["sum"] = (sum(one[0] for one in rows.values()), sum(one[1] for one in rows.values()))
    common.print_table(
        f"{args.clip.name}: {seen} analysed frames with {people / max(seen, 1):.1f} people",
        ["part", "clock (ms per frame)", "all cores (ms per frame)"],
        [[part, f"{wall:.1f}", f"{cpu:.1f}"] for part, (wall, cpu) in rows.items()],
    )
    common.write_json(args.json, {"ms": rows, "frames": seen, "people": people})


if __name__ == "__main__":
    main()
