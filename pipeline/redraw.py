"""The annotated video once more, without some of the students, when the recording itself is not there.

What was drawn is known from the session's tables, so it can be drawn again: whatever was said of a student who is to be
gone (the box's outline, the tag) is filled, the heads are covered, and what was said of the others is drawn anew.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.analyse import Analysis
from pipeline.anonymise import CoverSettings, cover
from pipeline.encode import VideoWriter
from pipeline.labels import Box, Tags
from pipeline.patches import Patches
from pipeline.progress import Progress
from pipeline.render import BAR_COLOUR, Annotator, Mark, Scale
from pipeline.settings import Settings
from pipeline.video import VideoReader, prefetch

SPARE_PX = 3
"""Filled around lines and tags: what the encoder smeared of their edges."""


def redraw(
    video: Path,
    out: Path,
    before: Analysis,
    after: Analysis,
    class_engagement: pd.Series,
    settings: Settings,
    progress: Progress,
    patches: Patches | None = None,
) -> None:
    """Write the annotated video of ``before`` as that of ``after``.

    Args:
        video: the annotated video; its sound is kept.
        out: MP4 to write, with the same frames and timing.
        before: what the video shows now.
        after: what it is to show; its ``covers`` are those that are not in the video yet.
        class_engagement: of those left (0 to 1, NaN where nobody is seen) by second.
        settings: of the run.
        progress: told of every frame.
        patches: what to cover besides, where the check of an earlier version found faces.

    Raises:
        VideoError: the video cannot be read.
        OSError: the new one cannot be stored.
    """
    eraser = Eraser(before, after, class_engagement, settings, patches)
    # An odd size was made even by the encoder: what was drawn is placed by the size before.
    width, height = before.info.width, before.info.height
    with (
        VideoReader(video, settings.decoder) as reader,
        VideoWriter(
            out,
            replace(reader.info, width=width, height=height),
            audio_from=video,
            crf=settings.video_quality,
            preset=settings.video_preset,
        ) as writer,
        progress.stage("Cover", before.frames) as advance,
        closing(prefetch(reader.frames(), depth=8)) as frames,
    ):
        for frame in frames:
            image = np.ascontiguousarray(frame.image[:height, :width])
            eraser.draw(image, frame.t)
            writer.write(frame, image)
            advance(1)


class Eraser:
    """Turns a frame as it was annotated into one that says nothing of those who are gone."""

    def __init__(
        self,
        before: Analysis,
        after: Analysis,
        class_engagement: pd.Series,
        settings: Settings,
        patches: Patches | None = None,
    ) -> None:
        self._before = Annotator(before, class_engagement, settings)  # only asked what it drew where
        self._after = Annotator(after, class_engagement, settings, patches)
        self._fill = CoverSettings(style="solid", colour=settings.cover.colour)

    def draw(self, image_bgr: np.ndarray, t: float) -> None:
        """Change one annotated frame (h, w, 3) uint8 in place; ``t`` in seconds from the first frame."""
        height, width = image_bgr.shape[:2]
        scale = Scale.of(width, height)
        drawn, left = (_places(one.marks(t, scale), image_bgr, scale) for one in (self._before, self._after))
        gone: list[Box] = []
        for mark, tag in drawn.items():
            gone += _sides(mark.box, scale) * (mark not in left)
            gone += [_grown(tag, SPARE_PX)] * (left.get(mark) != tag)  # also of those left, where there is room now
        cover(image_bgr, np.array(gone, float).reshape(-1, 4), self._fill)
        image_bgr[: scale.bar] = BAR_COLOUR  # the engagement of the class was that with them
        self._after.draw(image_bgr, t)


def _places(marks: list[Mark], image_bgr: np.ndarray, scale: Scale) -> dict[Mark, Box]:
    """Where the tag of each mark is put when these are drawn together."""
    tags = Tags(image_bgr, scale.text, top=scale.bar)
    return {mark: tags.find_place(mark.label, mark.box) for mark in marks}


def _sides(box: Box, scale: Scale) -> list[Box]:
    """The areas that the outline of a box takes."""
    x1, y1, x2, y2 = box
    return [
        _grown(side, scale.line + SPARE_PX)
        for side in ((x1, y1, x2, y1), (x1, y2, x2, y2), (x1, y1, x1, y2), (x2, y1, x2, y2))
    ]


def _grown(area: Box, by: int) -> Box:
    return area[0] - by, area[1] - by, area[2] + by, area[3] + by
