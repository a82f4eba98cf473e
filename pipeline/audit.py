"""The check after the render: faces are looked for again in the video as it was written.

Nothing of pass 1 is believed here but which places had to be covered: the decoded file is searched anew, so a
cover that was decided but not drawn, drawn too late or too small is found. A face that pass 1 never took for a person
is found too, where everybody or a whole seat had to be covered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consent.given import NotPlain, parse_json, read_text
from consent.policy import CoverPolicy
from pipeline.beside import in_order
from pipeline.camera_path import EYE, CameraPath
from pipeline.find_faces import FaceFinder, FindSettings, Found
from pipeline.progress import Progress
from pipeline.session import AUDIT, MANIFEST, AuditResult, Session, SessionError
from pipeline.store import write_json
from pipeline.timeline import Timeline
from pipeline.video import Frame, Spans, VideoReader, prefetch
from pipeline.zones import boxes_around_seats, points_in_seats

MOST_LISTED = 200
"""Leaks written down one by one; the count tells of the rest."""

WHOLE_PICTURE = "the whole picture"
COVERS_AND_SEATS = "the covers of the render and the seats of those who said no"
SEATS = "the seats of those who said no"
NOTHING = "nothing"


class AuditSettings(FindSettings):
    """The check for faces in the finished video."""

    rate: float | None = Field(
        None,
        gt=0,
        description="frames per second that are checked; none given: every frame where anybody said no, else as below."
        " It cannot be left out",
    )
    passing_rate: float = Field(
        2.0,
        gt=0,
        description="frames per second that are checked where nobody said no, and those who pass through are covered as"
        " a precaution: every frame of an hour would take longer than the hour",
    )

    def rate_for(self, policy: CoverPolicy) -> float | None:
        """Frames per second that are checked; ``None``: all."""
        if self.rate is not None or policy.everyone or policy.zones:
            return self.rate
        return self.passing_rate


class Leak(BaseModel):
    """A face that shows where it should not."""

    frame: int = Field(description="index in the video, from 0")
    t: float = Field(description="s from the first frame")
    box: tuple[int, int, int, int] = Field(description="x1 y1 x2 y2, px")
    score: float = Field(description="of the detector that was surest, 0 to 1")
    detectors: tuple[str, ...]


class Audit(BaseModel):
    """The content of ``audit.json``."""

    model_config = ConfigDict(extra="forbid")

    result: AuditResult
    looked_at: str = Field(description="which part of each frame")
    detectors: dict[str, str] = Field(default_factory=dict, description="name -> sha256 of its weights, or its kind")
    thresholds: dict[str, float] = Field(default_factory=dict)
    frames: int = Field(0, description="frames checked")
    frames_with_leaks: int = 0
    leak_count: int = 0
    leaks: list[Leak] = Field(default_factory=list, description=f"the first {MOST_LISTED}")
    doubtful_count: int = Field(0, description="places that one detector took for a face and no other, close up")
    doubtful: list[Leak] = Field(default_factory=list, description=f"the first {MOST_LISTED}; they are no leaks")
    patched: int = Field(0, description="places covered because an earlier check of this video found them")
    problems: list[str] = Field(default_factory=list, description="why not all of the video could be checked")

    def sentence(self) -> str:
        """What to tell the user, in one line."""
        if self.result is AuditResult.NOBODY:
            return self.result.value
        if self.result is AuditResult.PASSED:
            notes = [f"{self.patched} places covered on top"] if self.patched else []
            notes += [f"{self.doubtful_count} doubtful places are listed in audit.json"] if self.doubtful_count else []
            more = f" ({', '.join(notes)})" if notes else ""
            return f"{self.result.value}: no face found in {self.looked_at}, {self.frames} frames{more}"
        first = f", the first at {self.leaks[0].t:.2f} s" if self.leaks else ""
        found = [f"{self.leak_count} uncovered faces in {self.frames_with_leaks} of {self.frames} frames{first}"]
        return f"{self.result.value}: {'; '.join(found * bool(self.leak_count) + self.problems)}"


class _Listing:
    """Faces found: all counted, the first of them written down."""

    def __init__(self) -> None:
        self.first: list[Leak] = []
        self.count = 0
        self.frames = 0

    def add(self, frame: Frame, found: Found) -> None:
        """Add the faces of one frame."""
        self.count += len(found)
        self.frames += len(found) > 0
        boxes = np.round(found.boxes_xyxy).astype(int).tolist()
        for box, score, names in zip(boxes, found.scores.tolist(), found.detectors, strict=True):
            if len(self.first) < MOST_LISTED:
                self.first.append(
                    Leak(frame=frame.index, t=round(frame.t, 3), box=box, score=round(score, 3), detectors=names)
                )


def audit(
    video: Path,
    policy: CoverPolicy,
    covers: Timeline | None,
    settings: AuditSettings,
    progress: Progress,
    *,
    expected_frames: int | None = None,
    tell: Callable[[float, np.ndarray], None] | None = None,
    open_finder: Callable[[FindSettings], FaceFinder] = FaceFinder,
    camera: CameraPath | None = None,
    within: Spans | None = None,
) -> Audit:
    """Look for faces where ``policy`` says that none may show.

    Args:
        video: the annotated video as it was written.
        policy: whom the render had to cover.
        covers: where it drew covers, as the render knows it; ``None`` when that is not known any more, and then only
            the seats are looked at.
        settings: detectors and rate.
        progress: told of every frame.
        expected_frames: how many frames the video must hold; ``None`` when that is not known.
        tell: given the time (s) and the boxes (n, 4) px of all that is found on a frame, doubtful or not.
        open_finder: makes the detectors.
        camera: how it moved, and the seats with it; where that is not known the whole picture is searched. ``None``
            for a camera that stood still.
        within: look at the frames of these stretches only, because an earlier check looked at the others; all are
            counted.

    Raises:
        VideoError: the video cannot be decoded.
    """
    if not (policy.everyone or policy.zones or covers):
        return Audit(result=AuditResult.NOBODY, looked_at=NOTHING)
    leaks, doubtful = _Listing(), _Listing()
    frames = 0
    finder, rate = open_finder(settings), settings.rate_for(policy)

    def chosen(reader: VideoReader) -> Iterator[Frame]:
        return reader.frames(rate) if within is None else reader.frames_within(within, expected_frames, rate)

    with (
        VideoReader(video) as reader,
        progress.stage("Check covers", reader.info.frames) as advance,
        ThreadPoolExecutor(finder.at_once, thread_name_prefix="check") as threads,
        closing(prefetch(chosen(reader), depth=8)) as stream,
    ):
        size = reader.info.width, reader.info.height

        def look(frame: Frame) -> Found:
            """What shows in a frame and must not."""
            seen_from = [EYE] if camera is None else camera.to_first_around(frame.t)
            if policy.everyone or (policy.zones and any(one is None for one in seen_from)):
                return finder.find(frame.image)
            drawn = np.zeros((0, 4)) if covers is None else covers.at(frame.t)[1]
            seats = [boxes_around_seats(policy, *size, one) for one in seen_from]
            found = finder.find_in(frame.image, np.concatenate([drawn, *seats]))
            return found.only(must_be_covered(found.centres, policy, drawn, *size, seen_from))

        last = -1
        for frame, found in in_order(threads, look, stream, depth=2 * finder.at_once):
            if tell is not None and len(found):
                tell(frame.t, found.boxes_xyxy)
            leaks.add(frame, found.only(found.sure))
            doubtful.add(frame, found.only(~found.sure))
            frames += 1
            advance(frame.index - last)
            last = frame.index
        problems = list(reader.warnings)
        if expected_frames is not None and reader.decoded != expected_frames:
            problems.append(f"{reader.decoded} of {expected_frames} frames of the video could be decoded")
        advance(reader.decoded - 1 - last)
        detectors = finder.detectors
    where = WHOLE_PICTURE if policy.everyone else SEATS if covers is None else COVERS_AND_SEATS
    return Audit(
        result=AuditResult.NEEDS_REVIEW if leaks.count or problems else AuditResult.PASSED,
        looked_at=where,
        detectors=detectors,
        thresholds=settings.model_dump(include=set(FindSettings.model_fields) - {"tile_px"}),
        frames=frames,
        frames_with_leaks=leaks.frames,
        leak_count=leaks.count,
        leaks=leaks.first,
        doubtful_count=doubtful.count,
        doubtful=doubtful.first,
        problems=problems,
    )


def must_be_covered(
    centres: np.ndarray,
    policy: CoverPolicy,
    drawn_xyxy: np.ndarray,
    width: int,
    height: int,
    seen_from: Sequence[np.ndarray | None] = (EYE,),
) -> np.ndarray:
    """Which faces (n,), by their centres (n, 2) px, are in a seat of somebody who said no or where a cover was drawn.

    A seat can be a polygon; in the box around it others may sit. ``seen_from``: as ``CameraPath.to_first_around``.
    """
    x, y = centres[:, :1], centres[:, 1:]
    left, top, right, bottom = drawn_xyxy.T
    in_cover = ((left <= x) & (x <= right) & (top <= y) & (y <= bottom)).any(axis=1)
    in_seat = [points_in_seats(centres, one, policy, width, height) for one in seen_from]
    return in_cover | np.any(in_seat, axis=0)


def standing(before: Audit | None, now: Audit) -> Audit:
    """Which of two checks of a session counts: leaks are not forgotten because a later check looked at less.

    ``before`` stands when it asked for a review and ``now`` did not look at least at the same places, and when it
    passed and ``now`` looked at nothing.
    """
    order = [NOTHING, SEATS, COVERS_AND_SEATS, WHOLE_PICTURE]
    if before is not None and before.result is AuditResult.PASSED and now.result is AuditResult.NOBODY:
        return before
    if before is None or before.result is not AuditResult.NEEDS_REVIEW or now.result is AuditResult.NEEDS_REVIEW:
        return now
    reach = {place: rank for rank, place in enumerate(order)}
    return before if reach.get(now.looked_at, 0) < reach.get(before.looked_at, 0) else now


def with_earlier_leaks(before: Audit | None, now: Audit, covers: Timeline) -> Audit:
    """The check of a video that was covered further: leaks found earlier still count where ``covers`` do not lie.

    Args:
        before: the check of the video as it was.
        now: that of the new one; where it looked at the whole picture it alone counts.
        covers: what was covered in addition.
    """
    if before is None or before.result is not AuditResult.NEEDS_REVIEW or now.looked_at == WHOLE_PICTURE:
        return now
    left = [leak for leak in before.leaks if not _lies_in(leak, covers)]
    if not left:
        return now
    count = before.leak_count - (len(before.leaks) - len(left))
    frames = {leak.frame for leak in [*left, *now.leaks]}
    return now.model_copy(
        update={
            "result": AuditResult.NEEDS_REVIEW,
            "leaks": sorted([*left, *now.leaks], key=lambda leak: leak.frame)[:MOST_LISTED],
            "leak_count": now.leak_count + count,
            "frames_with_leaks": max(len(frames), now.frames_with_leaks),
        }
    )


def _lies_in(leak: Leak, covers: Timeline) -> bool:
    """Whether the middle of a leak is covered by now."""
    boxes = covers.at(leak.t)[1]
    x, y = (leak.box[0] + leak.box[2]) / 2, (leak.box[1] + leak.box[3]) / 2
    return bool(((boxes[:, :2] <= (x, y)) & ((x, y) <= boxes[:, 2:])).all(axis=1).any())


def read_audit(session: Session) -> Audit | None:
    """The check on record, ``None`` where none was made.

    Raises:
        SessionError: ``audit.json`` is damaged.
    """
    path = session.part(AUDIT)
    try:
        return Audit.model_validate(parse_json(read_text(path)))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, NotPlain, ValidationError):
        raise SessionError(f"{path}: cannot be read; delete it and check again with: engage audit") from None


def audit_session(session: Session, policy: CoverPolicy, settings: AuditSettings, progress: Progress) -> Audit:
    """Check a finished session again and write the result into it.

    Covers are not stored, so that a session does not tell where those who said no moved: unless everybody had to be
    covered only the seats on record are looked at.

    Returns:
        the check that counts, see ``standing``.

    Raises:
        VideoError: the video cannot be decoded.
        SessionError: the session is damaged or cannot be written, or only seats could be looked at, and it is not on
            record where in the picture they are.
    """
    camera = session.manifest.camera
    if camera is not None and camera.moved and policy.zones and not policy.everyone:
        raise SessionError(
            f"{session.folder}: the camera moved in this lecture, so it is not known any more where in its video the"
            " seats of those who said no are; run the lecture again with --overwrite to check it"
        )
    before = read_audit(session)
    now = audit(session.video, policy, None, settings, progress, expected_frames=session.manifest.counts.frames)
    counts = standing(before, now)
    try:
        write_json(session.folder / AUDIT, counts)
        manifest = Session.open(session.folder).manifest  # as it is now: the check took minutes
        write_json(session.folder / MANIFEST, manifest.model_copy(update={"audit": counts.result}))
    except OSError as error:
        raise SessionError(
            f"{session.folder}: the result cannot be written ({error.strerror}); make the folder writable"
        ) from error
    return counts
