"""Pass 1: stream a lecture once and return everything the tables and the second pass need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from consent.policy import CoverPolicy
from consent.zones import Zone
from models.anomaly import unusual_spans
from models.state_model import posterior
from pipeline.camera_path import CameraPath
from pipeline.cues import add_motion, seconds
from pipeline.detect import Detector
from pipeline.errors import VideoError
from pipeline.head_count import too_few, with_head_count
from pipeline.heads import complete_head_boxes, usual_place
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
from pipeline.observations import fill_gaps, float_columns, in_contract_order, of_students
from pipeline.passers_by import seated
from pipeline.places import places_by_second
from pipeline.progress import Progress
from pipeline.readings import ReadingLog
from pipeline.seat_plan import SeatPlan, by_seat, plan_of
from pipeline.session import BOX
from pipeline.settings import Settings
from pipeline.smoothing import smooth_boxes
from pipeline.staff import staff_of
from pipeline.streaming import Followed, Stopwatch, go_through, interval_s
from pipeline.video import VideoInfo, VideoReader


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


def analyse(
    reader: VideoReader,
    detector: Detector,
    policy: CoverPolicy,
    settings: Settings,
    progress: Progress,
    seat_map: Mapping[str, Zone] | None = None,
    log: ReadingLog | None = None,
) -> Analysis:
    """Run pass 1.

    Numbers are by seat: those of the map's seats where one is given, else front row first, from left to right.

    People in a zone of somebody who opted out are followed, so that they can be covered, and nothing else: neither
    their faces nor their behaviour are read, and no row is made for them. Where nobody is found in the seat of a
    student who said no, everybody is covered. People who only pass through are covered, without a row.

    What ``log`` holds of an earlier run is not read again; what is read is saved there.

    Raises:
        VideoError: no frame could be decoded.
    """
    watch = Stopwatch()
    if log is None:
        log = ReadingLog(None, "", float_columns(detector.behaviour_names))
    followed = go_through(reader, detector, policy, settings, progress, log, watch)
    return conclude(reader, followed, log, policy, settings, watch, seat_map)


def conclude(
    reader: VideoReader,
    followed: Followed,
    log: ReadingLog,
    policy: CoverPolicy,
    settings: Settings,
    watch: Stopwatch,
    seat_map: Mapping[str, Zone] | None = None,
) -> Analysis:
    """The second half of pass 1, with the lecture known: from what was read to who is who, the tables and the covers.

    Args:
        reader: has gone through the lecture.
        followed: whom ``go_through`` found.
        log: what was read of them.
        policy, settings, seat_map: as in ``analyse``.
        watch: told of the time.

    Raises:
        VideoError: nothing was read, because no frame could be decoded.
    """
    info, interval = reader.info, interval_s(settings, reader.info.fps)
    if not len(log):
        raise VideoError(f"{info.name}: no frame could be decoded; export the recording again as MP4")
    path = followed.path
    people = people_of(followed.pieces, path, settings, interval)
    everybody = people.person_of
    frames_seen, times, rows = log.frames, log.times, log.table()
    limits = settings.seats.for_clip(len(times), interval)
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
    to_cover, glimpses = rows_to_cover(rows, hidden, sitting | teaching, everybody, policy)
    class_place = usual_place(rows[rows["track"].isin(list(student_of))])
    covers = covers_of(to_cover, people.parts(), settings, glimpses, class_place)
    del to_cover
    staff_boxes = _boxes_of(rows[~hidden], teaching)
    observations = of_students(in_room[~hidden], people.parts(student_of))
    del rows, in_room, hidden  # each is as large as the table in the end
    observations = fill_gaps(observations, frames_seen, times, settings.max_fill_s)
    observations = complete_head_boxes(in_own_scene(observations, path))
    observations["motion"] = add_motion(observations)
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
    seats = plan_of(in_first, (info.width, info.height), seat_map, policy.zones)
    del in_first
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
        seats=seats,
        staff=staff_boxes,
        camera=path,
        stage_seconds=watch.seconds,
    )


def _boxes_of(rows: pd.DataFrame, person_of: dict[int, int]) -> pd.DataFrame:
    """The boxes of these people alone: nothing that was read of them is kept."""
    own = rows[rows["track"].isin(list(person_of))]
    return own.assign(student=own["track"].map(person_of))[["t", "student", *BOX]]
