"""Recordings as our detector and our looks see them, beside their truth."""

from __future__ import annotations

from pathlib import Path

from benchmarks import common, identities
from benchmarks.identities import Known, Scene
from pipeline import appearance
from pipeline.detect import DetectSettings, UltralyticsDetector
from pipeline.settings import Settings
from pipeline.video import VideoReader


def filmed(name: str, video: Path, truth: list[Known], rate: float) -> Scene:
    """What our detector and our looks say of a video, ``rate`` frames per second, beside its truth."""
    detector = UltralyticsDetector(DetectSettings(behaviour=False))
    times, found, looks, people = [], [], [], []
    with VideoReader(video) as reader:
        for frame in reader.frames(rate):
            boxes = detector.detect([frame.image])[0]
            times.append(frame.t)
            found.append(boxes)
            looks.append(appearance.describe(frame.image, boxes.boxes_xyxy))
            people.append(truth[frame.index])
        interval = 1 / min(rate, reader.info.fps)
    return Scene(f"{name}, {rate:g} frames/s", interval, times, found, looks, people)


def demo_scene() -> Scene:
    """The demo clip at the pipeline's rate."""
    return filmed("demo", common.DEMO_CLIP, identities.demo_truth(), Settings().rate)
