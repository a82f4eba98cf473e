"""A session once more, without a student who withdrew: tables, figures and video, all in one step or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd

from consent import retention
from consent.policy import Blur, CoverPolicy
from pipeline.analyse import Analysis
from pipeline.anonymise import regions_to_cover
from pipeline.audit import WHOLE_PICTURE, Audit, audit, read_audit, with_earlier_leaks
from pipeline.corrections import read_corrections
from pipeline.errors import InputError
from pipeline.notes import keep_lines
from pipeline.parts import Parts, Who, parts_of, without
from pipeline.patches import Patches, Tell, write_until_clean
from pipeline.progress import Progress
from pipeline.redraw import redraw
from pipeline.render import class_by_second, covers_over_time, render
from pipeline.reviews import read_reviews
from pipeline.search import Originals
from pipeline.seat_plan import read_plan
from pipeline.session import (
    AUDIT,
    CORRECTIONS,
    ENGAGEMENT,
    EVENTS,
    OBSERVATIONS,
    REVIEWS,
    SEATS,
    STATES,
    VIDEO,
    AuditResult,
    Manifest,
    Session,
    SessionError,
)
from pipeline.settings import Settings, settings_on_record
from pipeline.store import SessionWriter, clear_leftovers, open_session
from pipeline.streaming import interval_s
from pipeline.video import VideoInfo, VideoReader
from pipeline.walk import Score


@dataclass(frozen=True)
class Remake:
    """What is made anew by other rooms: the engagement of a session's states, and the report."""

    score: Callable[[Manifest], Score]
    report: Callable[[Session], object]


class Kind(Enum):
    """What was done to a session."""

    REMOVED = "removed"
    DONE_BEFORE = "nothing left to do"
    NOT_SEEN = "not seen in the seat"
    EVERYBODY = "everybody is covered"


@dataclass(frozen=True)
class Outcome:
    """What came of one session, in words."""

    folder: Path
    kind: Kind
    words: str
    needs_review: bool = False

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do here."""
        return self.kind is not Kind.EVERYBODY


def take_out(folder: Path, who: Who, originals: Originals, remake: Remake, progress: Progress) -> Outcome:
    """Write a session anew without a student; the old one stays until the new one is whole.

    Where it is not known who the student is, everybody in the video is covered and the tables stay as they are.

    Raises:
        SessionError: the session is damaged, being written, or has no student of that number.
        VideoError: its video cannot be decoded.
        OutputError: the disk is full.
    """
    folder = folder.resolve()
    if (settled := standing(Session.open(folder), who)) is not None:
        return settled
    with open_session(folder.parent, folder.name, overwrite=True) as writer:
        session = Session.open(folder)  # now nobody else writes it
        who = placed(session, who)
        if retention.Kind.TABLES in session.manifest.purged:
            outcome = _without_anybody(session, who, writer)
        else:
            outcome = _write(session, who, originals, remake, writer, progress)
            remake.report(Session.open(writer.folder))
        writer.commit()
    clear_leftovers(folder.parent, folder.name)  # says so if the old one could not be deleted
    return outcome


def placed(session: Session, who: Who) -> Who:
    """``who`` as far as it is known in this session: where its camera moved, a seat on record is no place in it."""
    camera = session.manifest.camera
    if who.zone is None or who.number is not None or camera is None or not camera.moved:
        return who
    return replace(who, zone=None)


def standing(session: Session, who: Who) -> Outcome | None:
    """Why there is nothing to do in a session, ``None`` where there is.

    Raises:
        SessionError: the session is damaged, or has no student of that number.
    """
    who = placed(session, who)
    listed = who.withdrawal in session.manifest.withdrawals
    if retention.Kind.TABLES in (purged := session.manifest.purged):
        if retention.Kind.ANNOTATED_VIDEO not in purged:
            return None
        return Outcome(session.folder, Kind.DONE_BEFORE, "its video and tables had been deleted before")
    if who.number is not None and not listed and not parts_of(session, who).rows.any():
        numbers = ", ".join(map(str, sorted(set(session.states["student"])))) or "none"
        raise SessionError(f"{session.folder}: there is no student {who.number}; the numbers are: {numbers}")
    if who.number is None and listed:
        return Outcome(session.folder, Kind.DONE_BEFORE, Kind.DONE_BEFORE.value)
    if who.number is None and who.zone is None:
        if session.manifest.blur != Blur.EVERYONE.value:
            return None
        return Outcome(session.folder, Kind.EVERYBODY, "everybody was covered before; the tables are as they were")
    if parts_of(session, who).rows.any():
        return None
    kind = Kind.DONE_BEFORE if listed else Kind.NOT_SEEN
    return Outcome(session.folder, kind, kind.value)


def _write(
    session: Session, who: Who, originals: Originals, remake: Remake, writer: SessionWriter, progress: Progress
) -> Outcome:
    manifest = session.manifest
    settings = settings_on_record(manifest.config, manifest.profile)
    known = who.zone is not None or who.number is not None
    before = as_analysed(session)
    if known:
        parts = parts_of(session, who)
        after, words = without(before, parts)
    else:
        parts = Parts(frozenset(), np.ones(len(before.observations), bool))
        after, words = before, "the video covers everybody; the tables are as they were"
    after = replace(after, covers=regions_to_cover(before.observations[parts.rows], settings.cover))
    engagement, summary = remake.score(manifest)(after.states, manifest.profile)
    by_second = class_by_second(engagement)
    video, source = writer.folder / VIDEO, None
    sound = settings.model_copy(update={"keep_audio": before.info.has_audio})
    checked: Audit | None = None
    if retention.Kind.ANNOTATED_VIDEO in manifest.purged:
        words += "; the video had been deleted before"
    else:
        source = originals.find(manifest.source) if known and nobody_was_covered(manifest) else None

        def write(patches: Patches, new: Patches | None) -> None:
            if source is None:
                redraw(session.video, video, before, after, by_second, settings, progress, patches)
            else:
                render(source, video, after, by_second, sound, progress, patches)

        checked = write_until_clean(write, lambda tell, _: _check(session, who, after, settings, video, progress, tell))
        writer.write_json(AUDIT, checked)
        if source is not None:
            words += f"; the video was made anew from {source.name}"
        elif known:
            words += "; covered on the annotated video"
    if (seats := read_plan(session)) is not None:
        writer.write_json(SEATS, seats.without(parts.students))
    writer.write_table(OBSERVATIONS, after.observations)
    writer.write_table(STATES, after.states)
    writer.write_table(EVENTS, after.events)
    writer.write_table(ENGAGEMENT, engagement)
    still = set(after.observations["student"])
    with contextlib.suppress(InputError):  # lines nobody can read may be the student's: they are not kept
        read_corrections(session)
        keep_lines(session.part(CORRECTIONS), writer.folder / CORRECTIONS, still)
    with contextlib.suppress(InputError):
        read_reviews(session)
        keep_lines(session.part(REVIEWS), writer.folder / REVIEWS, still)
    counts = {"students": after.students, "events": len(after.events)}
    warning = (
        f"everybody is covered since {who.withdrawal}, in which it is not known who the student is;"
        " the tables still hold the student"
    )
    warnings = [one for one in manifest.warnings if one != warning] + [warning] * (not known)
    writer.write_manifest(
        manifest.model_copy(
            update={
                "audit": manifest.audit if checked is None else checked.result,
                "blur": manifest.blur if known else Blur.EVERYONE.value,
                "counts": manifest.counts.model_copy(update=counts),
                "engagement": summary,
                "warnings": warnings,
                "withdrawals": list(dict.fromkeys([*manifest.withdrawals, *[who.withdrawal] * known])),
            }
        )
    )
    sound_kept = "; the sound was kept, in which the student may be heard" if before.info.has_audio else ""
    return Outcome(
        session.folder,
        Kind.REMOVED if known else Kind.EVERYBODY,
        f"{words}{sound_kept}" + (f"; check for faces: {checked.sentence()}" if checked else ""),
        checked is not None and checked.result is AuditResult.NEEDS_REVIEW,
    )


def _without_anybody(session: Session, who: Who, writer: SessionWriter) -> Outcome:
    """Delete the video of a session whose tables are gone: nobody can tell any more where in it the student is."""
    manifest = session.manifest
    writer.write_manifest(
        manifest.model_copy(
            update={
                "purged": {**manifest.purged, retention.Kind.ANNOTATED_VIDEO: date.today()},
                "withdrawals": list(dict.fromkeys([*manifest.withdrawals, who.withdrawal])),
            }
        )
    )
    return Outcome(
        session.folder,
        Kind.REMOVED,
        "its tables had been deleted before, so nobody can tell who in the video is the student: the video was deleted",
    )


def nobody_was_covered(manifest: Manifest) -> bool:
    """Whether the recording shows nobody who is covered in the session: covers of others are not stored."""
    return manifest.audit is AuditResult.NOBODY and not manifest.withdrawals and manifest.blur != Blur.EVERYONE.value


def as_analysed(
    session: Session, observations: pd.DataFrame | None = None, states: pd.DataFrame | None = None
) -> Analysis:
    """A session as pass 1 left it, but for the covers, which are in the picture; or with these tables only."""
    observations = session.observations if observations is None else observations
    manifest = session.manifest
    settings = settings_on_record(manifest.config, manifest.profile)
    info = VideoInfo(
        manifest.source.name, manifest.width, manifest.height, 0, manifest.fps, Fraction(1, 1000), None, None, False
    )
    if retention.Kind.ANNOTATED_VIDEO not in manifest.purged:
        with VideoReader(session.video) as reader:
            info = replace(reader.info, width=manifest.width, height=manifest.height)
    return Analysis(
        info=info,
        frames=manifest.counts.frames,
        duration_s=manifest.duration,
        interval_s=interval_s(settings, manifest.fps),
        analysed_frames=manifest.counts.analysed_frames,
        observations=observations,
        states=session.states if states is None else states,
        events=session.events,
        covers=observations.iloc[:0],
        students=manifest.counts.students,
        warnings=list(manifest.warnings),
        policy=CoverPolicy(False, (), ""),
    )


def _check(
    session: Session, who: Who, after: Analysis, settings: Settings, video: Path, progress: Progress, tell: Tell
) -> Audit:
    """The check of the new video: as much as that of the old one, and where the student was."""
    earlier = read_audit(session)
    everyone = (
        (who.zone is None and who.number is None)
        or session.manifest.blur == Blur.EVERYONE.value
        or (earlier is not None and earlier.looked_at == WHOLE_PICTURE)
    )
    policy = CoverPolicy(everyone, () if who.zone is None or who.number is not None else (who.zone,), "")
    covers = covers_over_time(after, settings)
    now = audit(video, policy, covers, settings.audit, progress, expected_frames=after.frames, tell=tell)
    return with_earlier_leaks(earlier, now, covers)
