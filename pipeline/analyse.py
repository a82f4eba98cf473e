"""Pass 1: stream a lecture once and return everything the tables and the second pass need."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pandas as pd

from consent.policy import CoverPolicy
from consent.zones import Zone
from models.anomaly import unusual_spans
from models.evidence import INNER_READINGS
from models.state_model import posterior
from models.states import Profile
from pipeline import appearance
from pipeline.camera import Camera
from pipeline.camera_path import CameraPath
from pipeline.cues import add_motion, seconds
from pipeline.detect import Detector, choose_device
from pipeline.errors import VideoError
from pipeline.head_count import too_few, with_head_count
from pipeline.heads import complete_head_boxes
from pipeline.hiding import covers_of, doubts, empty_seats, mostly_in_seats, rows_to_cover, split_opted_out
from pipeline.identity import (
    camera_warnings,
    in_own_scene,
    people_of,
    renumbered,
    swap_warnings,
    whole_people,
    with_doubts,
)
from pipeline.observations import ObservationBuffer, fill_gaps, in_contract_order, of_students
from pipeline.passers_by import seated
from pipeline.people import PersonReader
from pipeline.places import places_by_second
from pipeline.progress import Progress
from pipeline.scene_tracks import SceneTracks
from pipeline.seat_plan import SeatPlan, by_seat, plan_of
from pipeline.session import BOX
from pipeline.settings import Settings
from pipeline.smoothing import smooth_boxes
from pipeline.staff import staff_of
from pipeline.video import Frame, VideoInfo, VideoReader, prefetch
from pipeline.zones import heads_in_seats


@dataclass
class Analysis:
    """What pass 1 found; tables as in ``pipeline.session``.

    Attributes:
        info: of the source.
        frames: decoded frames.
        duration_s: from the first frame's start to the last frame's end.
        interval_s: nominal time between analysed frames.
        analysed_frames: how many were analysed.
        observations, states, events: tables.
        covers: regions to cover on analysed frames: ``t``, ``student`` (a key per person, not the tables' number),
            ``x1 y1 x2 y2``, ``hold_s``.
        students: number of students.
        warnings: what the user should know about the video.
        policy: whom the render has to cover, now that the lecture is known.
        seats: where each student sits; ``None`` where that is not known.
        staff: people who are no students, as they are drawn: ``t``, ``student`` (a key per person), ``x1 y1 x2 y2``.
        camera: how it moved; ``None`` where that is not known.
        stage_seconds: wall time of detection, tracking, faces and tables.
    """

    info: VideoInfo
    frames: int
    duration_s: float
    interval_s: float
    analysed_frames: int
    observations: pd.DataFrame
    states: pd.DataFrame
    events: pd.DataFrame
    covers: pd.DataFrame
    students: int
    warnings: list[str]
    policy: CoverPolicy
    seats: SeatPlan | None = None
    staff: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["t", "student", *BOX], dtype=float))
    camera: CameraPath | None = None
    stage_seconds: dict[str, float] = field(default_factory=dict)


class _Stopwatch:
    """Wall time per stage; ``lap`` books the time since the last lap."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


def analyse(
    reader: VideoReader,
    detector: Detector,
    policy: CoverPolicy,
    settings: Settings,
    progress: Progress,
    seat_map: Mapping[str, Zone] | None = None,
) -> Analysis:
    """Run pass 1.

    Numbers are by seat: those of the map's seats where one is given, else front row first, from left to right.

    People in a zone of somebody who opted out are followed, so that they can be covered, and nothing else: neither
    their faces nor their behaviour are read, and no row is made for them. Where nobody is found in the seat of a
    student who said no, everybody is covered. People who only pass through are covered, without a row.

    Raises:
        VideoError: no frame could be decoded.
    """
    info = reader.info
    interval = interval_s(settings, info.fps)
    camera, path = Camera(settings.camera), CameraPath(info.width, info.height)
    followed = SceneTracks(settings.track, interval)
    buffer = ObservationBuffer(detector.behaviour_names)
    watch = _Stopwatch()
    readers = (settings.faces, settings.heads, settings.hands, settings.desk, settings.objects)
    with (
        # closed at the end: the reader cannot be while the thread ahead is in it
        closing(prefetch(reader.frames(settings.rate), depth=2 * settings.detect.batch)) as frames,
        PersonReader(*readers, device=choose_device(settings.device)) as reading,
        progress.stage("Analyse", info.frames) as advance,
    ):
        watch.lap("start")
        last_index = -1
        for batch in _batches(frames, settings.detect.batch):
            watch.lap("decode")
            found_in = detector.detect([frame.image for frame in batch])
            watch.lap("detect")
            for frame, found in zip(batch, found_in, strict=True):
                looks = appearance.describe(frame.image, found.boxes_xyxy)
                view = camera.look(frame.image)
                path.add(frame.t, view)
                tracks = followed.follow(frame.t, view, found, looks)
                watch.lap("track")
                to_first = view.to_scene if view.scene == 0 else None
                allowed = ~heads_in_seats(found.boxes_xyxy, to_first, policy, info.width, info.height)
                read = detector.read_behaviours(frame.image, found, allowed)
                watch.lap("behaviours")
                faces, around = reading.read(frame.image, found.boxes_xyxy, tracks, allowed, view)
                buffer.add(frame.index, frame.t, tracks, read, faces, around)
                watch.lap("faces")
                advance(frame.index - last_index)
                last_index = frame.index
        advance(reader.decoded - 1 - last_index)
    if not buffer.frames:
        raise VideoError(f"{info.name}: no frame could be decoded; export the recording again as MP4")
    watch.lap("decode")

    path.join(camera.links)
    people = people_of(followed.by_scene(camera.links), path, settings, interval)
    everybody = people.person_of
    frames_seen, times = list(buffer.frames), list(buffer.times)
    limits = settings.seats.for_clip(len(times), interval)
    rows = buffer.table()
    in_room = path.in_room(rows)
    staff = staff_of(in_room, everybody, people.scene_of, (info.width, info.height), interval, settings.staff)
    staff -= mostly_in_seats(rows, everybody, policy, path)  # when in doubt it is who said no
    teaching = {track: one for track, one in everybody.items() if one in staff}
    students = {track: one for track, one in everybody.items() if one not in staff}
    sitting = seated(in_room, students, interval, people.scene_of)
    if settings.students is not None:
        sitting = with_head_count(sitting, people.pieces, people.scene_of, settings.students)
    policy = policy.with_empty_seats(
        empty_seats(rows[rows["track"].isin(list(sitting))], policy, path, limits, interval)
    )
    hidden, student_of = split_opted_out(rows, sitting, policy, path)
    observations = fill_gaps(
        of_students(in_room[~hidden], people.parts(student_of)), frames_seen, times, settings.max_fill_s
    )
    observations = complete_head_boxes(in_own_scene(observations, path))
    observations["motion"] = add_motion(observations)
    if settings.profile is Profile.OBSERVABLE:  # what tells of inner states only is not kept, let alone judged
        observations[list(INNER_READINGS)] = np.nan
    observations = smooth_boxes(observations, settings.smooth_s)
    events = unusual_spans(places_by_second(observations), settings.anomaly)
    observations, events = whole_people(observations), whole_people(events)
    person_of = {number: everybody[track] for track, number in student_of.items()}
    observations = with_doubts(observations, observations["student"].map(person_of), people.doubtful)
    in_first = observations[path.known_at(observations["t"].to_numpy(float)) & observations["observed"]]
    if seat_map:
        number = by_seat(in_first, (info.width, info.height), seat_map)
        for one in sorted(set(student_of.values()) - set(number)):  # never seen in the first picture
            number[one] = max(number.values(), default=0) + 1
        observations, events, in_first = (renumbered(one, number) for one in (observations, events, in_first))
    to_cover, glimpses = rows_to_cover(rows, hidden, sitting | teaching, everybody, policy)
    covers = covers_of(to_cover, people.parts(), settings, glimpses)
    cues = seconds(observations, reader.duration, interval, settings.cues)
    states = posterior(cues, settings.profile, settings.states, interval)
    warnings = [*reader.warnings, *doubts(policy), *too_few(len(set(sitting.values())), settings.students)]
    warnings += swap_warnings(observations)
    warnings += camera_warnings(path, people.strangers, policy, reader.duration)
    watch.lap("tables")
    return Analysis(
        info=info,
        frames=reader.decoded,
        duration_s=reader.duration,
        interval_s=interval,
        analysed_frames=len(frames_seen),
        observations=in_contract_order(path.in_picture(observations)),
        states=states,
        events=events,
        covers=covers,
        students=len(set(student_of.values())),
        warnings=warnings,
        policy=policy,
        seats=plan_of(in_first, (info.width, info.height), seat_map, policy.zones),
        staff=_boxes_of(rows[~hidden], teaching),
        camera=path,
        stage_seconds=watch.seconds,
    )


def interval_s(settings: Settings, fps: float) -> float:
    """Nominal time between analysed frames, s, of a source of ``fps`` frames per second."""
    return 1 / min(settings.rate, fps) if fps > 0 else 1 / settings.rate


def _batches(frames: Iterator[Frame], size: int) -> Iterator[list[Frame]]:
    while batch := list(islice(frames, size)):
        yield batch


def _boxes_of(rows: pd.DataFrame, person_of: dict[int, int]) -> pd.DataFrame:
    """The boxes of these people alone: nothing that was read of them is kept."""
    own = rows[rows["track"].isin(list(person_of))]
    return own.assign(student=own["track"].map(person_of))[["t", "student", *BOX]]
