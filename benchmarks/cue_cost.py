"""What detecting, tracking and reading many students costs per analysed frame."""

from __future__ import annotations

import time
from typing import Any

import av
import numpy as np
import pandas as pd

from benchmarks import common
from pipeline import appearance
from pipeline.cues import CueSettings, seconds
from pipeline.desk import DeskSettings
from pipeline.detect import Detections, DetectSettings, UltralyticsDetector
from pipeline.faces import FaceSettings
from pipeline.hands import HandSettings
from pipeline.heads import HeadSettings
from pipeline.objects import ObjectSettings
from pipeline.people import PersonReader
from pipeline.track import Tracker, TrackSettings


def on_cost(students: int, frames: int) -> dict[str, Any]:
    """Print and return ms per analysed frame with ``students`` people in it: the demo's room twice by twice.

    By the clock, and as computing time of all cores: the latter hardly changes when others use the machine too.
    """
    detector = UltralyticsDetector(DetectSettings(), "cpu")
    tracker = Tracker(TrackSettings(), 0.2)
    people = PersonReader(FaceSettings(), HeadSettings(), HandSettings(), DeskSettings(), ObjectSettings())
    spent: dict[str, list[np.ndarray]] = {}
    truth = common.demo_truth()

    def both_clocks() -> np.ndarray:
        return np.array([time.perf_counter(), time.process_time()])

    def clock(name: str, begin: np.ndarray) -> np.ndarray:
        now = both_clocks()
        spent.setdefault(name, []).append(now - begin)
        return now

    with people, av.open(str(common.DEMO_CLIP)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % 2 or len(spent.get("whole", [])) >= frames:
                continue
            image = np.tile(frame.to_ndarray(format="bgr24"), (2, 2, 1))
            one = np.array([p["visible_bbox"] for p in truth[index]], np.float32)
            shifts = [(x, y) for x in (0, 1280) for y in (0, 720)]
            boxes = np.concatenate([one + np.array([x, y, x, y], np.float32) for x, y in shifts])[:students]
            allowed = np.ones(len(boxes), bool)
            found = Detections(boxes, np.full(len(boxes), 0.9, np.float32), np.zeros((len(boxes), 7), np.float32))
            begin = now = both_clocks()
            detector.detect([image])
            now = clock("detect", now)
            tracks = tracker.update(index / 10, found, appearance.describe(image, boxes))
            now = clock("appearance, track", now)
            detector.read_behaviours(image, found, allowed)
            now = clock("behaviours", now)
            faces = people._faces.read(image, boxes)
            now = clock("faces", now)
            heads = people._heads.read(image, boxes, tracks, faces.head_xyxy, faces.pose_deg)
            now = clock("head network", now)
            people._hands.read(image, heads.head_xyxy, tracks)
            now = clock("hands (2 read per frame)", now)
            people._desk.read(image, heads.head_xyxy)
            now = clock("desk motion", now)
            clock("whole", begin)
    ms = {name: np.median(values[1:], axis=0) * 1e3 for name, values in spent.items()}
    rng = np.random.default_rng(0)
    count, columns = students * 3000, ("yaw", "pitch", "roll", "eye_open", "mouth_open", "brow_furrow")
    table = pd.DataFrame(rng.normal(0, 1, (count, len(columns))), columns=list(columns)).assign(
        student=np.repeat(np.arange(students), 3000), t=np.tile(np.arange(3000) / 5, students), observed=True, x1=0.0,
        y1=0.0, x2=80.0, y2=160.0, hx1=20.0, hy1=0.0, hx2=60.0, hy2=50.0, motion=0.0,
    )  # fmt: skip
    begin = both_clocks()
    seconds(table, 600.0, 0.2, CueSettings())
    ms["table of cues"] = (both_clocks() - begin) / 3000 * 1e3
    ms["whole"] += ms["table of cues"]
    rows = [[name, *(f"{v:.1f}" for v in each), f"{each[1] / students:.2f}"] for name, each in ms.items()]
    title = f"{students} students in a frame of 2560 × 1440; real time at 5 frames per second is 200 ms"
    common.print_table(title, ["step", "ms per frame", "CPU ms per frame", "CPU ms per student-frame"], rows)
    return {"students": students, "ms_per_frame_wall_cpu": {name: each.tolist() for name, each in ms.items()}}
