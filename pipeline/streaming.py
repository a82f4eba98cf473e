"""The part of pass 1 that goes through the video: who is there in each analysed frame, and what is read of them.

What was read is saved on the way. A run that was stopped reads nothing twice: it only follows camera and people again
through the pictures, which takes a small part of the time, and goes on reading where the other one ended.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np

from consent.policy import CoverPolicy
from models.evidence import INNER_READINGS
from models.states import Profile
from pipeline import appearance
from pipeline.camera import Camera, View
from pipeline.camera_path import CameraPath
from pipeline.detect import Detections, Detector, choose_device
from pipeline.observations import ObservationBuffer
from pipeline.people import PersonReader
from pipeline.progress import Progress
from pipeline.readings import ReadingLog
from pipeline.scene_tracks import SceneTracks
from pipeline.settings import Settings
from pipeline.tracklets import Tracklet
from pipeline.video import Frame, VideoReader, prefetch
from pipeline.zones import heads_in_seats


class Stopwatch:
    """Wall time per stage; ``lap`` books the time since the last lap.

    What goes on beside in threads is booked only as far as it is waited for.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Book the time since the last lap on ``stage``."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


@dataclass(frozen=True)
class Followed:
    """Who was where.

    Attributes:
        pieces: what the tracks of each scene left.
        path: the camera's.
    """

    pieces: dict[int, list[Tracklet]]
    path: CameraPath


class _Misfit(Exception):
    """What was read by an earlier run is not of these pictures."""


def go_through(
    reader: VideoReader,
    detector: Detector,
    policy: CoverPolicy,
    settings: Settings,
    progress: Progress,
    log: ReadingLog,
    watch: Stopwatch,
) -> Followed:
    """Fill ``log`` with the readings of the whole lecture; those it holds already are not read again."""
    try:
        return _go_through(reader, detector, policy, settings, progress, log, watch)
    except _Misfit:
        log.forget()
        return _go_through(reader, detector, policy, settings, progress, log, watch)


def _go_through(
    reader: VideoReader,
    detector: Detector,
    policy: CoverPolicy,
    settings: Settings,
    progress: Progress,
    log: ReadingLog,
    watch: Stopwatch,
) -> Followed:
    info, names = reader.info, detector.behaviour_names
    interval = interval_s(settings, info.fps)
    camera, path = Camera(settings.camera), CameraPath(info.width, info.height)
    followed = SceneTracks(settings.track, interval)
    buffer = ObservationBuffer(names, never_kept(settings.profile))
    device = choose_device(settings.device)
    together = settings.detect.frames_at_once(device, info.width, info.height)
    readers = (settings.faces, settings.heads, settings.hands, settings.desk, settings.objects)

    def follow(frame: Frame, found: Detections) -> tuple[View, np.ndarray]:
        """Where the camera looks, and the (n,) track numbers."""
        looks = appearance.describe(frame.image, found.boxes_xyxy)
        view = camera.look(frame.image)
        path.add(frame.t, view)
        return view, followed.follow(frame.t, view, found, looks)

    with (
        PersonReader(*readers, device=device, backend=settings.detect.backend) as people,
        # closed at the end: the reader cannot be while the threads ahead are in it
        closing(prefetch(reader.frames(settings.rate), depth=2 * together)) as frames,
        # the next students are looked for while these are read
        closing(prefetch(_detected(frames, together, detector, len(log)), depth=1)) as batches,
        progress.stage("Analyse", info.frames) as advance,
    ):
        watch.lap("start")
        known, left, last_index = log.one_by_one(), len(log), -1
        if left:
            people.restore(log.state)
        for batch, found_in in batches:
            watch.lap("decode" if left else "detect")
            if left:
                before = list(islice(known, len(batch)))
                left -= len(before)
                if len(before) < len(batch):  # pieces end with a batch
                    raise _Misfit
                for frame, one in zip(batch, before, strict=True):
                    view, tracks = follow(frame, one.people)
                    if (one.frames[0], one.times[0]) != (frame.index, frame.t) or (tracks != one.tracks).any():
                        raise _Misfit
                    people.pass_by(frame.image, view)
                    watch.lap("track")
            else:
                for frame, found in zip(batch, found_in, strict=True):
                    view, tracks = follow(frame, found)
                    watch.lap("track")
                    to_first = view.to_scene if view.scene == 0 else None
                    allowed = ~heads_in_seats(found.boxes_xyxy, to_first, policy, info.width, info.height)
                    read = detector.read_behaviours(frame.image, found, allowed)
                    watch.lap("behaviours")
                    faces, around = people.read(frame.image, found.boxes_xyxy, tracks, allowed, view)
                    buffer.add(frame.index, frame.t, tracks, read, faces, around)
                    watch.lap("faces")
                if log.due(batch[-1].t):
                    log.save(buffer.take(), people.state())
                    watch.lap("save")
            advance(batch[-1].index - last_index)
            last_index = batch[-1].index
        advance(reader.decoded - 1 - last_index)
        if left:
            raise _Misfit
        log.end(buffer.take(), people.state())
    watch.lap("decode")
    path.join(camera.links)
    return Followed(followed.by_scene(camera.links), path)


def interval_s(settings: Settings, fps: float) -> float:
    """Nominal time between analysed frames, s, of a source of ``fps`` frames per second."""
    return 1 / min(settings.rate, fps) if fps > 0 else 1 / settings.rate


def never_kept(profile: Profile) -> tuple[str, ...]:
    """Columns that are not kept under a profile, let alone judged: what tells of inner states only."""
    return INNER_READINGS if profile is Profile.OBSERVABLE else ()


def _detected(
    frames: Iterator[Frame], size: int, detector: Detector, known: int
) -> Generator[tuple[list[Frame], list[Detections]], None, None]:
    """``size`` frames at a time with the people of each; nobody is looked for in the first ``known`` frames."""
    while batch := list(islice(frames, size)):
        known -= len(batch)
        yield batch, [] if known > -len(batch) else detector.detect([frame.image for frame in batch])
