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
from pipeline.labels import Tags
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

    Raises:
        VideoError: the video cannot be read.
        OSError: the new one cannot be stored.
    """
    eraser = Eraser(before, after, class_engagement, settings)
    # An odd size was made even by the encoder: what was drawn is placed by the size before.
    width, height = before.info.width, before.info.height
    with (
        VideoReader(video) as reader,
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

    def __init__(self, before: Analysis, after: Analysis, class_engagement: pd.Series, settings: Settings) -> None:
        self._before = Annotator(before, class_engagement, settings)  # only asked what it drew where
        self._after = Annotator(after, class_engagement, settings)
        self._fill = CoverSettings(style="solid", colour=settings.cover.colour)

    def draw(self, image_bgr: np.ndarray, t: float) -> None:
        """Change one annotated frame (h, w, 3) uint8 in place; ``t`` in seconds from the first frame."""
        height, width = image_bgr.shape[:2]
        scale = Scale.of(width, height)
        tags = Tags(image_bgr, scale.text, top=scale.bar)
        places = {mark: tags.find_place(mark.label, mark.box) for mark in self._before.marks(t, scale)}
        left = set(self._after.marks(t, scale))
        gone = [area for mark, tag in places.items() if mark not in left for area in _drawn(mark, tag, scale)]
        cover(image_bgr, np.array(gone, float).reshape(-1, 4), self._fill, np.random.default_rng(0))
        image_bgr[: scale.bar] = BAR_COLOUR  # the engagement of the class was that with them
        self._after.draw(image_bgr, t, places)


def _drawn(mark: Mark, tag: tuple[int, int, int, int], scale: Scale) -> list[tuple[int, int, int, int]]:
    """The areas (x1, y1, x2, y2, px) that a mark took: the four sides of its box, and its tag."""
    x1, y1, x2, y2 = mark.box
    reach = scale.line + SPARE_PX
    left, top, right, bottom = x1 - reach, y1 - reach, x2 + reach, y2 + reach
    return [
        (left, top, right, y1 + reach),
        (left, y2 - reach, right, bottom),
        (left, top, x1 + reach, bottom),
        (x2 - reach, top, right, bottom),
        (tag[0] - SPARE_PX, tag[1] - SPARE_PX, tag[2] + SPARE_PX, tag[3] + SPARE_PX),
    ]
