"""The walk of one lecture: both passes, and the session they fill."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from consent.policy import Approval, CoverPolicy, Purpose
from consent.zones import Zone
from models.head import WEIGHTS as HEAD_WEIGHTS
from models.registry import file_sha256
from models.states import Profile
from pipeline.analyse import Analysis, analyse
from pipeline.audit import Audit, audit
from pipeline.detect import Detector, choose_device
from pipeline.observations import float_columns
from pipeline.origin import asked_for, origin_of
from pipeline.patches import Patches, Tell, write_until_clean
from pipeline.progress import Progress
from pipeline.readings import ReadingLog
from pipeline.render import class_by_second, covers_over_time, render, render_anew
from pipeline.session import (
    AUDIT,
    ENGAGEMENT,
    EVENTS,
    OBSERVATIONS,
    SEATS,
    STATES,
    VIDEO,
    Counts,
    EngagementSummary,
    Manifest,
    Source,
)
from pipeline.settings import Settings
from pipeline.store import SessionWriter
from pipeline.video import Spans, VideoReader

Score = Callable[[pd.DataFrame, Profile], tuple[pd.DataFrame, EngagementSummary]]
"""Turns the states table into the engagement table and its summary. The formula lives in ``reports``, which this room
may not import, so the front door hands it in."""


def walk(
    reader: VideoReader,
    writer: SessionWriter,
    *,
    detector: Detector,
    settings: Settings,
    policy: CoverPolicy,
    approval: Approval,
    course: str | None,
    score: Score,
    progress: Progress,
    seat_map: Mapping[str, Zone] | None = None,
    purposes: Sequence[Purpose] = (),
    answers: str = "",
) -> None:
    """Analyse, render and check one lecture into ``writer``'s folder; the report and the commit are the caller's.

    Readings that an earlier run left in that folder are used where they are of the same origin, else deleted.
    ``purposes`` are noted in the session; whether they are permitted is decided before. ``answers`` is the hash of what
    students answered (``pipeline.origin``).

    Raises:
        VideoError: the lecture cannot be decoded.
        OSError: the results cannot be stored.
    """
    source_sha256, models, device = file_sha256(reader.path), model_files(detector), choose_device(settings.device)
    origin = origin_of(source_sha256, models, settings, policy, device)
    columns = float_columns(detector.behaviour_names)
    log = ReadingLog(writer.readings, origin, columns, settings.checkpoint_s)
    analysis = analyse(reader, detector, policy, settings, progress, seat_map, log)
    engagement, summary = score(analysis.states, settings.profile)
    by_second = class_by_second(engagement)
    checked = _written_and_checked(reader, writer, analysis, by_second, settings, progress)
    writer.write_json(AUDIT, checked)
    if analysis.seats is not None:
        writer.write_json(SEATS, analysis.seats)
    writer.write_table(OBSERVATIONS, analysis.observations)
    writer.write_table(STATES, analysis.states)
    writer.write_table(EVENTS, analysis.events)
    writer.write_table(ENGAGEMENT, engagement)
    source = Source(name=reader.info.name, sha256=source_sha256)
    manifest = _manifest(source, writer, analysis, detector, settings, approval, course, summary, checked)
    asked = asked_for(source_sha256, settings, seat_map, course, purposes, answers)
    writer.write_manifest(manifest.model_copy(update={"purposes": [one.value for one in purposes], "asked": asked}))


def _written_and_checked(
    reader: VideoReader,
    writer: SessionWriter,
    analysis: Analysis,
    by_second: pd.Series,
    settings: Settings,
    progress: Progress,
) -> Audit:
    """Write the annotated video so that the check finds no face, if that can be had; books the time of both."""
    out, covers, seconds = writer.folder / VIDEO, covers_over_time(analysis, settings), analysis.stage_seconds
    seconds |= {"render": 0.0, "audit": 0.0}

    def write(patches: Patches, new: Patches | None) -> Spans | None:
        begun = time.perf_counter()
        drawn = reader.path, out, analysis, by_second, settings, progress, patches
        spans = None if new is None else render_anew(*drawn, new)
        if spans is None:
            render(*drawn)
        seconds["render"] += time.perf_counter() - begun
        return spans

    def check(tell: Tell, within: Spans | None) -> Audit:
        begun = time.perf_counter()
        checked = audit(
            out,
            analysis.policy,
            covers,
            settings.audit,
            progress,
            expected_frames=analysis.frames,
            tell=tell,
            camera=analysis.camera,
            within=within,
        )
        seconds["audit"] += time.perf_counter() - begun
        return checked

    return write_until_clean(write, check)


def _manifest(
    source: Source,
    writer: SessionWriter,
    analysis: Analysis,
    detector: Detector,
    settings: Settings,
    approval: Approval,
    course: str | None,
    summary: EngagementSummary,
    checked: Audit,
) -> Manifest:
    info = analysis.info
    return Manifest(
        id=writer.final.name,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        source=source,
        fps=info.fps,
        width=info.width,
        height=info.height,
        duration=analysis.duration_s,
        software_version=software_version(),
        models=model_files(detector),
        config=_config(settings, detector),
        profile=settings.profile,
        course=course,
        approval=approval.id,
        blur=settings.blur.value,
        everyone_covered=analysis.policy.everyone,
        audit=checked.result,
        counts=Counts(
            students=analysis.students,
            staff=analysis.staff["student"].nunique(),
            frames=analysis.frames,
            analysed_frames=analysis.analysed_frames,
            events=len(analysis.events),
        ),
        camera=None if analysis.camera is None else analysis.camera.summary(analysis.duration_s),
        engagement=summary,
        stage_seconds={stage: round(seconds, 3) for stage, seconds in analysis.stage_seconds.items()},
        warnings=analysis.warnings,
    )


def model_files(detector: Detector) -> dict[str, str]:
    """sha256 of each model file of a run, by its name."""
    used = [detector.weights, *([detector.behaviour_weights] if detector.behaviour_weights else [])]
    return {file.path.name: file.sha256 for file in used} | {HEAD_WEIGHTS.name: file_sha256(HEAD_WEIGHTS)}


def _config(settings: Settings, detector: Detector) -> dict[str, Any]:
    """All settings; of a weights path only the file's name, because paths name people and machines."""
    config = settings.model_dump(mode="json")
    config["detect"]["weights"] = detector.weights.path.name
    return config


def software_version() -> str:
    """The installed version, or ``unknown`` when run without installation."""
    try:
        return version("classroom-engagement")
    except PackageNotFoundError:
        return "unknown"
