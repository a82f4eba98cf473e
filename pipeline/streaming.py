"""The part of pass 1 that goes through the video: who is there in each analysed frame, and what is read of them.

What was read is saved on the way. A run that was stopped reads nothing twice: it only follows camera and people again
through the pictures, which takes a small part of the time, and goes on reading where the other one ended.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from consent.policy import CoverPolicy
from models.evidence import INNER_READINGS
from models.states import Profile
from pipeline import appearance
from pipeline.camera import Camera, View
from pipeline.camera_path import CameraPath
from pipeline.detect import Detections, Detector, choose_device
from pipeline.faces import Faces
from pipeline.observations import ObservationBuffer, Readings
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


@dataclass(frozen=True)
class Sight:
    """What is known of an analysed frame before it is known who is who.

    Attributes:
        frame: the frame.
        found: its people, with what those do who may be read.
        view: where the camera looks.
        allowed: (n,) who may be read.
        known: what an earlier run read of it.
        looks: (n, d) appearance vectors.
        faces: of those who may be read, where no earlier run did.
    """

    frame: Frame
    found: Detections
    view: View
    allowed: np.ndarray
    known: Readings | None
    looks: np.ndarray = field(default_factory=lambda: np.zeros((0, appearance.DIMENSIONS), np.float32))
    faces: Faces | None = None


Batch = tuple[list[Frame], list[Detections]]


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

    def looked_at(
        people: PersonReader,
        threads: ThreadPoolExecutor,
        batches: Iterator[Batch],
        known: Iterator[Readings],
        left: int,
    ) -> Generator[list[Sight], None, None]:
        """All about the frames that does not hang on who is who."""

        def look(one: Sight) -> Sight:
            """Read one frame; several are at once."""
            image = one.frame.image
            looks = appearance.describe(image, one.found.boxes_xyxy)
            if one.known is not None:
                return replace(one, looks=looks)
            faces = people.read_faces(image, one.found.boxes_xyxy, one.allowed)
            found = detector.read_behaviours(image, one.found, one.allowed)
            return replace(one, found=found, looks=looks, faces=faces)

        for batch, found_in in batches:
            before = list(islice(known, len(batch))) if left else []
            if left and len(before) < len(batch):  # pieces end with a batch
                raise _Misfit
            left -= len(before)
            sights = []
            for row, frame in enumerate(batch):
                found = before[row].people if before else found_in[row]
                view = camera.look(frame.image)
                path.add(frame.t, view)
                to_first = view.to_scene if view.scene == 0 else None
                allowed = ~heads_in_seats(found.boxes_xyxy, to_first, policy, info.width, info.height)
                sights.append(Sight(frame, found, view, allowed, before[row] if before else None))
            yield list(threads.map(look, sights))

    with (
        PersonReader(*readers, device=device, backend=settings.detect.backend) as people,
        ThreadPoolExecutor(min(settings.faces.at_once, together), thread_name_prefix="look") as threads,
        # closed at the end: the reader cannot be while the threads ahead are in it
        closing(prefetch(reader.frames(settings.rate), depth=2 * together)) as frames,
        # the next students are looked for, and what they do, while these are followed and read
        closing(prefetch(_detected(frames, together, detector, len(log)), depth=1)) as batches,
        closing(prefetch(looked_at(people, threads, batches, log.one_by_one(), len(log)), depth=1)) as sights,
        progress.stage("Analyse", info.frames) as advance,
    ):
        watch.lap("start")
        left, last_index = len(log), -1
        if left:
            people.restore(log.state)
        for batch in sights:
            watch.lap("decode" if left else "detect")  # as far as all that is read ahead was waited for
            for sight in batch:
                frame, view = sight.frame, sight.view
                tracks = followed.follow(frame.t, view, sight.found, sight.looks)
                watch.lap("track")
                if sight.known is not None:
                    left -= 1
                    when = sight.known.frames[0], sight.known.times[0]
                    if when != (frame.index, frame.t) or (tracks != sight.known.tracks).any():
                        raise _Misfit
                    people.pass_by(frame.image, view)
                    continue
                faces, around = people.read(
                    frame.image, sight.found.boxes_xyxy, tracks, sight.allowed, view, sight.faces
                )
                buffer.add(frame.index, frame.t, tracks, sight.found, faces, around)
                watch.lap("faces")  # heads, hands and desks: faces themselves are read ahead
            if batch[-1].known is None and log.due(batch[-1].frame.t):
                log.save(buffer.take(), people.state())
                watch.lap("save")
            advance(batch[-1].frame.index - last_index)
            last_index = batch[-1].frame.index
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


def _detected(frames: Iterator[Frame], size: int, detector: Detector, known: int) -> Generator[Batch, None, None]:
    """``size`` frames at a time with the people of each; nobody is looked for in the first ``known`` frames."""
    while batch := list(islice(frames, size)):
        known -= len(batch)
        yield batch, [] if known > -len(batch) else detector.detect([frame.image for frame in batch])
