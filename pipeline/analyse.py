"""Pass 1: stream a lecture once and return everything the tables and the second pass need."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import pandas as pd

from consent.policy import CoverPolicy
from models.anomaly import unusual_spans
from models.state_model import posterior
from pipeline import appearance
from pipeline.anonymise import regions_to_cover
from pipeline.cues import add_motion, seconds
from pipeline.detect import Detections, Detector, choose_device
from pipeline.errors import VideoError
from pipeline.faces import FaceReader, Faces
from pipeline.heads import HeadReader, complete_head_boxes
from pipeline.observations import ObservationBuffer, fill_gaps, in_contract_order, of_students
from pipeline.passers_by import GLIMPSE_HOLD_S, passing, seated
from pipeline.places import places_by_second
from pipeline.progress import Progress
from pipeline.seats import SeatSettings, TrackletBook, assign_students
from pipeline.session import BOX
from pipeline.settings import Settings
from pipeline.track import Tracker
from pipeline.video import Frame, VideoInfo, VideoReader, prefetch
from pipeline.zones import heads_in_zones, mostly


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
    reader: VideoReader, detector: Detector, policy: CoverPolicy, settings: Settings, progress: Progress
) -> Analysis:
    """Run pass 1.

    People in a zone of somebody who opted out are followed, so that they can be covered, and nothing else: neither
    their faces nor their behaviour are read, and no row is made for them. Where nobody is found in the seat of a
    student who said no, everybody is covered. People who only pass through are covered, without a row.

    Raises:
        VideoError: no frame could be decoded.
    """
    info = reader.info
    interval = interval_s(settings, info.fps)
    tracker = Tracker(settings.track, interval)
    book = TrackletBook()
    buffer = ObservationBuffer(detector.behaviour_names)
    watch = _Stopwatch()
    head_reader = HeadReader(settings.heads, choose_device(settings.device))
    with (
        # closed at the end: the reader cannot be while the thread ahead is in it
        closing(prefetch(reader.frames(settings.rate), depth=2 * settings.detect.batch)) as frames,
        FaceReader(settings.faces) as face_reader,
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
                tracks = tracker.update(frame.t, found, looks)
                book.add(frame.t, tracks, found.boxes_xyxy, found.scores, looks)
                watch.lap("track")
                allowed = ~heads_in_zones(found.boxes_xyxy, policy, info.width, info.height)
                read = detector.read_behaviours(frame.image, found, allowed)
                watch.lap("behaviours")
                faces = _read_faces(face_reader, head_reader, frame, found, tracks, allowed)
                buffer.add(frame.index, frame.t, tracks, read, faces)
                watch.lap("faces")
                advance(frame.index - last_index)
                last_index = frame.index
        advance(reader.decoded - 1 - last_index)
    if not buffer.frames:
        raise VideoError(f"{info.name}: no frame could be decoded; export the recording again as MP4")
    watch.lap("decode")

    frames_seen, times = list(buffer.frames), list(buffer.times)
    limits = settings.seats.for_clip(len(times), interval)
    everybody = assign_students(book, limits, interval)
    rows = buffer.table()
    sitting = seated(rows, everybody, interval)
    policy = policy.with_empty_seats(
        _empty_seats(rows[rows["track"].isin(list(sitting))], policy, info, limits, interval)
    )
    hidden, student_of = _split_opted_out(rows, sitting, policy, info)
    observations = complete_head_boxes(
        fill_gaps(of_students(rows[~hidden], student_of), frames_seen, times, settings.max_fill_s)
    )
    observations["motion"] = add_motion(observations)
    to_cover, glimpses = _to_cover(rows, hidden, sitting, everybody, policy)
    covers = _covers(to_cover, everybody, settings, glimpses)
    cues = seconds(observations, reader.duration, interval, settings.cues)
    states = posterior(cues, settings.profile, settings.states)
    events = unusual_spans(places_by_second(observations), settings.anomaly)
    watch.lap("tables")
    return Analysis(
        info=info,
        frames=reader.decoded,
        duration_s=reader.duration,
        interval_s=interval,
        analysed_frames=len(frames_seen),
        observations=in_contract_order(observations),
        states=states,
        events=events,
        covers=covers,
        students=len(set(student_of.values())),
        warnings=[*reader.warnings, *_doubts(policy)],
        policy=policy,
        stage_seconds=watch.seconds,
    )


def interval_s(settings: Settings, fps: float) -> float:
    """Nominal time between analysed frames, s, of a source of ``fps`` frames per second."""
    return 1 / min(settings.rate, fps) if fps > 0 else 1 / settings.rate


def _batches(frames: Iterator[Frame], size: int) -> Iterator[list[Frame]]:
    while batch := list(islice(frames, size)):
        yield batch


def _read_faces(
    face_reader: FaceReader,
    head_reader: HeadReader,
    frame: Frame,
    found: Detections,
    tracks: np.ndarray,
    allowed: np.ndarray,
) -> Faces:
    """Faces and heads of the allowed (mask (n,)); the rows of the others stay NaN."""
    boxes = found.boxes_xyxy[allowed]
    read = face_reader.read(frame.image, boxes)
    heads = head_reader.read(frame.image, boxes, tracks[allowed], read.head_xyxy, read.pose_deg)
    faces = Faces.unseen(len(found))
    faces.head_xyxy[allowed], faces.pose_deg[allowed], faces.cues[allowed] = heads.head_xyxy, heads.pose_deg, read.cues
    return faces


def _split_opted_out(
    rows: pd.DataFrame, student_of: dict[int, int], policy: CoverPolicy, info: VideoInfo
) -> tuple[np.ndarray, dict[int, int]]:
    """Rows (mask) of people who opted out, and the other students renumbered without gaps.

    A student counts as opted out when most of the rows lie in an opted-out zone; rows of others within a zone are
    hidden one by one, because whoever it is may be the one who said no.
    """
    in_zone = heads_in_zones(rows[list(BOX)].to_numpy(float), policy, info.width, info.height)
    student = rows["track"].map(student_of)
    gone = mostly(in_zone, student)
    hidden = in_zone | student.isin(gone).to_numpy()
    left = sorted(set(student_of.values()) - gone)
    number = {old: new for new, old in enumerate(left, start=1)}
    return hidden, {track: number[old] for track, old in student_of.items() if old in number}


def _empty_seats(
    students: pd.DataFrame, policy: CoverPolicy, info: VideoInfo, limits: SeatSettings, interval_s: float
) -> int:
    """In how many of the zones where a student who said no is expected nobody was found, or too briefly to be somebody.

    ``students``: rows of tracks of students. The camera may have moved, or the student may not have been there.
    """
    boxes = students[list(BOX)].to_numpy(float)
    found = [
        int(heads_in_zones(boxes, replace(policy, zones=(zone,)), info.width, info.height).sum())
        for zone in policy.expected
    ]
    return sum(count < limits.min_sightings or count * interval_s < limits.min_seen_s for count in found)


def _doubts(policy: CoverPolicy) -> list[str]:
    """What to say when it is not known who said no."""
    if not policy.unplaced:
        return []
    who = "1 student" if policy.unplaced == 1 else f"{policy.unplaced} students"
    return [
        f"it is not known which of the people are {who} who said no (no seat on record, or nobody found in it), so"
        " everybody is covered in the video and the tables may hold their rows; correct the seat, or if they were not"
        " there add --absent STUDENT, and run again with --overwrite"
    ]


def _to_cover(
    rows: pd.DataFrame, hidden: np.ndarray, sitting: dict[int, int], everybody: dict[int, int], policy: CoverPolicy
) -> tuple[pd.DataFrame, set[int]]:
    """The rows of those to cover, and those of their tracks that are covered for the moment of their sighting only."""
    if policy.everyone:
        return rows, set()
    if not policy.passers_by:
        return rows[hidden], set()
    strangers = passing(rows, sitting)
    glimpses = set(rows.loc[strangers, "track"]) - set(everybody) - set(rows.loc[hidden, "track"])
    return rows[hidden | strangers], glimpses


def _covers(
    people: pd.DataFrame, student_of: dict[int, int], settings: Settings, glimpses: Collection[int] = ()
) -> pd.DataFrame:
    """Regions to cover of these rows of tracks, one key per person.

    Tracks of one student share a key, so that the cover also bridges the gaps between them; a track that is no
    student's has a key of its own. The covers of ``glimpses`` (track numbers) are held for a moment only.
    """
    owner = people["track"].map(student_of).fillna(-people["track"])
    key = pd.Series(pd.factorize(owner)[0], index=people.index)
    brief = set(key[people["track"].isin(list(glimpses))])
    covers = regions_to_cover(complete_head_boxes(people.assign(student=key)), settings.cover)
    hold = min(GLIMPSE_HOLD_S, settings.cover.hold_s)
    return covers.assign(hold_s=np.where(covers["student"].isin(brief), hold, settings.cover.hold_s))
