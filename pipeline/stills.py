"""Single frames of the annotated video for the report, with everybody covered unless showing was granted."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np

from consent.policy import Purpose
from pipeline.anonymise import CoverSettings, regions_to_cover
from pipeline.find_faces import FaceFinder, FindSettings
from pipeline.patches import Patches
from pipeline.render import BAR_COLOUR, Annotator, Scale, class_by_second
from pipeline.session import AuditResult, Session
from pipeline.settings import settings_on_record
from pipeline.withdrawal import as_analysed

AROUND_S = 15.0
"""Seconds of the tables read on both sides of a moment: longer than any gap that boxes are carried over."""


@dataclass(frozen=True)
class Still:
    """A frame (h, w, 3) uint8 BGR, shown at ``t`` seconds; ``covered`` tells whether everybody is."""

    t: float
    image_bgr: np.ndarray
    covered: bool


def stills(session: Session, times: Sequence[float], *, always_covered: bool = False) -> list[Still]:
    """Frames at these times (s), see ``Session.stills``.

    Heads are covered where the tables have them and wherever the detectors of the check find a face; then the detectors
    look again, and a frame in which they are sure of one still is left out. A video whose check asks for a review shows
    somebody who said no, so it is covered although showing was granted.

    Args:
        session: whose video.
        times: s.
        always_covered: also where showing was granted.

    Raises:
        SessionError: the video or a table is missing, deleted or damaged.
    """
    manifest = session.manifest
    shown = Purpose.SHOWING.value in manifest.purposes and manifest.audit in (AuditResult.PASSED, AuditResult.NOBODY)
    frames = _frames(session, sorted(times))
    if shown and not always_covered:
        return [Still(t, image, False) for t, image in frames]
    finder = FaceFinder(FindSettings())
    images = [image[: manifest.height, : manifest.width] for _, image in frames]
    with ThreadPoolExecutor(finder.at_once, thread_name_prefix="stills") as threads:
        faces = list(threads.map(finder.find, images))
        drawn = [
            _covered(session, image, t, known.boxes_xyxy)
            for (t, _), image, known in zip(frames, images, faces, strict=True)
        ]
        left = list(threads.map(finder.find, drawn))
    # better no picture than one in which a face still shows
    return [
        Still(t, image, True)
        for (t, _), image, found in zip(frames, drawn, left, strict=True)
        if not len(found.only(found.sure))
    ]


def _frames(session: Session, times: Sequence[float]) -> list[tuple[float, np.ndarray]]:
    """The first frame at or after each time; there may be none at the very end."""
    found = []
    try:
        # sought, not read from the beginning: three hours take minutes to decode
        with av.open(str(session.video)) as container:
            stream = container.streams.video[0]
            tick, start = stream.time_base or Fraction(1, 1000), stream.start_time or 0
            for wanted in times:
                container.seek(start + int(wanted / tick), stream=stream)
                for frame in container.decode(stream):
                    t = float(((frame.pts or 0) - start) * tick)
                    if t >= wanted - 1e-6:
                        found.append((t, frame.to_ndarray(format="bgr24")))
                        break
    except (av.FFmpegError, IndexError):
        return found  # a report without pictures is better than none
    return found


def _covered(session: Session, image_bgr: np.ndarray, t: float, faces_xyxy: np.ndarray) -> np.ndarray:
    """The frame with everybody and these faces covered, and what the video says drawn anew."""
    manifest = session.manifest
    solid = CoverSettings(style="solid")
    settings = settings_on_record(manifest.config, manifest.profile).model_copy(update={"cover": solid})
    rows = session.observed(between=(t - AROUND_S, t + AROUND_S))
    states = session.states
    analysis = replace(
        as_analysed(session, rows, states[(states["t"] - t).abs() <= AROUND_S]), covers=regions_to_cover(rows, solid)
    )
    image = image_bgr.copy()
    image[: Scale.of(manifest.width, manifest.height).bar] = BAR_COLOUR
    Annotator(analysis, class_by_second(session.engagement), settings, Patches([(t, faces_xyxy)])).draw(image, t)
    return image
