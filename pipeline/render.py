"""Pass 2: every frame of the source again, covered where asked, with boxes, numbers, states and a slim bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from models.states import PALETTE, UNSEEN, State
from pipeline.analyse import Analysis
from pipeline.anonymise import cover
from pipeline.beside import Beside
from pipeline.encode import VideoWriter
from pipeline.labels import WHITE, Box, Colour, Tags, from_hex, put_text, text_mask
from pipeline.mend import mend, to_mend
from pipeline.patches import Patches
from pipeline.progress import Progress
from pipeline.settings import Settings
from pipeline.timeline import Timeline
from pipeline.video import Frame, Spans, VideoReader, prefetch

BAR_COLOUR: Colour = (40, 34, 30)
SHORTEST_TEXT_PX, TEXT_SHARE = 11, 1 / 46
"""Text height: a share of the frame's shorter side, never below what can be read at 480 lines."""

COVER_GAP_S = 10.0
"""Gaps in a covered person's sightings up to which the cover moves between them; at most ``hold_s`` beyond."""

COVER_SPAN_S = 1.0
"""Between sightings no further apart a cover spans both places: a tracker may have jumped from one head to another."""


STAFF = "staff"
"""The tag of people who are no students."""

UNUSUAL = "▲"
"""Before the number of a student in an unusual span; the report's chart has the same sign."""


@dataclass(frozen=True)
class Scale:
    """Sizes in px that follow the frame's shorter side, so that the bar fits upright recordings too."""

    text: int
    line: int
    bar: int

    @classmethod
    def of(cls, width: int, height: int) -> Scale:
        """For a frame of ``width`` × ``height`` px."""
        text = max(SHORTEST_TEXT_PX, round(min(width, height) * TEXT_SHARE))
        return cls(text, max(1, round(text / 7)), round(1.8 * text))


def render(
    video: Path,
    out: Path,
    analysis: Analysis,
    class_engagement: pd.Series,
    settings: Settings,
    progress: Progress,
    patches: Patches | None = None,
) -> None:
    """Write the annotated video.

    Args:
        video: the source.
        out: MP4 to write, with the source's frames and timing.
        analysis: of pass 1.
        class_engagement: engagement of the class (0 to 1, NaN where nobody is seen) by second.
        settings: of the run.
        progress: told of every frame.
        patches: what to cover besides, where the check of an earlier rendering found faces.

    Raises:
        VideoError: the source cannot be read.
        OSError: the video cannot be stored.
    """
    annotator = Annotator(analysis, class_engagement, settings, patches)
    with (
        VideoReader(video, settings.decoder) as reader,
        VideoWriter(
            out,
            reader.info,
            audio_from=video if settings.keep_audio else None,
            crf=settings.video_quality,
            preset=settings.video_preset,
        ) as writer,
        progress.stage("Render", analysis.frames) as advance,
        closing(prefetch(reader.frames(), depth=8)) as frames,
        Beside(depth=8) as beside,  # decoding, drawing and encoding go on at once
    ):
        for frame in frames:
            annotator.draw(frame.image, frame.t)
            beside(writer.write, frame, frame.image)
            advance(1)


def render_anew(
    video: Path,
    out: Path,
    analysis: Analysis,
    class_engagement: pd.Series,
    settings: Settings,
    progress: Progress,
    patches: Patches,
    new: Patches,
) -> Spans | None:
    """Write anew only those stretches of the annotated video in which there are new patches.

    Args:
        video, out, analysis, class_engagement, settings, progress: as of ``render``, which wrote ``out``.
        patches: all of them.
        new: those that are not in ``out`` yet.

    Returns:
        (from, to) s of what was written; ``None`` where it has to be the whole video, and nothing was done.

    Raises:
        VideoError: the source cannot be read.
        OSError: the video cannot be stored.
    """
    spans = to_mend(out, new.between)
    if not spans:
        return None
    annotator = Annotator(analysis, class_engagement, settings, patches)
    share = sum(end - start for start, end in spans) / max(analysis.duration_s, 1e-9)
    with (
        VideoReader(video, settings.decoder) as reader,
        progress.stage("Cover", round(share * analysis.frames)) as advance,
        closing(prefetch(reader.frames_within(spans, analysis.frames), depth=8)) as frames,
    ):

        def drawn() -> Iterator[Frame]:
            for frame in frames:
                annotator.draw(frame.image, frame.t)
                yield frame
                advance(1)

        with closing(prefetch(drawn(), depth=8)) as ready:  # decoding, drawing and encoding go on at once
            fits = mend(out, spans, reader.info, ready, crf=settings.video_quality, preset=settings.video_preset)
    return spans if fits else None


def class_by_second(engagement: pd.DataFrame) -> pd.Series:
    """The class's engagement by second, as ``render`` takes it, from the engagement table."""
    return engagement[engagement["scope"] == "class"].set_index("t")["engagement"]


def covers_over_time(analysis: Analysis, settings: Settings) -> Timeline:
    """Which regions are covered at any moment: what is drawn, and what the check afterwards looks at."""
    return Timeline(
        analysis.covers,
        "student",
        longest_gap_s=COVER_GAP_S,
        hold_s=settings.cover.hold_s,
        span_s=COVER_SPAN_S,
    )


@dataclass(frozen=True)
class Mark:
    """What is drawn about one student at one moment: the tag's words, the box (px), the colour of both."""

    label: str
    box: Box
    colour: Colour


class Annotator:
    """Draws what is known of one moment onto its frame."""

    def __init__(
        self, analysis: Analysis, class_engagement: pd.Series, settings: Settings, patches: Patches | None = None
    ) -> None:
        self._settings = settings
        self._students = Timeline(
            analysis.observations,
            "student",
            longest_gap_s=max(settings.max_fill_s, 1.5 * analysis.interval_s),
            hold_s=analysis.interval_s / 2,
        )
        self._staff = Timeline(
            analysis.staff, "student", longest_gap_s=1.5 * analysis.interval_s, hold_s=analysis.interval_s / 2
        )
        self._covers = covers_over_time(analysis, settings)
        self._patches = patches or Patches()
        self._state = {
            (int(student), int(t)): state
            for student, t, state in analysis.states[["student", "t", "state"]].itertuples(index=False)
        }
        self._unusual = {
            (int(student), second)
            for student, start, end in analysis.events[["student", "start", "end"]].itertuples(index=False)
            for second in range(int(start), int(np.ceil(end)))
        }
        self._engagement = class_engagement
        self._last_second = max(1, int(np.ceil(analysis.duration_s))) - 1
        self._duration = analysis.duration_s
        self._last_bar: tuple[tuple[int, int, int, Scale], np.ndarray] | None = None

    def draw(self, image_bgr: np.ndarray, t: float) -> None:
        """Annotate one frame (h, w, 3) uint8 in place; ``t`` in seconds from the first frame."""
        height, width = image_bgr.shape[:2]
        scale = Scale.of(width, height)
        _, covered = self._covers.at(t)
        cover(image_bgr, np.concatenate([covered, self._patches.at(t)]), self._settings.cover)
        marks = self.marks(t, scale)
        for mark in marks:
            x1, y1, x2, y2 = mark.box
            cv2.rectangle(image_bgr, (x1, y1), (x2, y2), mark.colour, scale.line)
        # tags after all boxes, so that a neighbour's frame never strikes through a number
        tags = Tags(image_bgr, scale.text, top=scale.bar)
        for mark in marks:
            tags.put(mark.label, mark.box, mark.colour)
        image_bgr[: scale.bar] = self._bar(self._second(t), int(t), width, scale)[:height]

    def marks(self, t: float, scale: Scale) -> list[Mark]:
        """What is drawn about each student seen at ``t`` (s), in the order of their numbers, then of staff."""
        students, boxes = self._students.at(t)
        marks = []
        for student, (x1, y1, x2, y2) in zip(students.tolist(), np.round(boxes).astype(int).tolist(), strict=True):
            state = self._state.get((student, self._second(t)), UNSEEN)
            number = f"{UNUSUAL} {student}" if (student, self._second(t)) in self._unusual else str(student)
            label = _label(number, state, x2 - x1, scale)
            marks.append(Mark(label, (x1, y1, x2, y2), from_hex(PALETTE[state])))
        _, boxes = self._staff.at(t)
        plain = from_hex(PALETTE[UNSEEN])
        marks += [Mark(STAFF, (x1, y1, x2, y2), plain) for x1, y1, x2, y2 in np.round(boxes).astype(int).tolist()]
        return marks

    def _second(self, t: float) -> int:
        return min(int(t), self._last_second)

    def _bar(self, second: int, clock_s: int, width: int, scale: Scale) -> np.ndarray:
        """The bar (h, w, 3) uint8 of a second; the last one is remembered, as it is that of the next frame too."""
        asked = second, clock_s, width, scale
        if self._last_bar is None or self._last_bar[0] != asked:
            bar = np.full((scale.bar, width, 3), BAR_COLOUR, np.uint8)
            self._draw_bar(bar, clock_s, second, scale)
            self._last_bar = asked, bar
        return self._last_bar[1]

    def _draw_bar(self, bar: np.ndarray, clock_s: int, second: int, scale: Scale) -> None:
        """Profile, time, engagement, its meter and the legend: in this order, each only where there is room left."""
        gap = scale.text
        y = (scale.bar - text_mask("0", scale.text).shape[0]) // 2
        profile = f"profile: {self._settings.profile.value}"
        end = max(bar.shape[1] - gap - text_mask(profile, scale.text).shape[1], 0)
        put_text(bar, profile, end, y, scale.text, WHITE)
        value = self._engagement.get(second, np.nan)
        words = "engagement –" if np.isnan(value) else f"engagement {value:.2f}"
        x = gap
        for text, bold in ((f"{_clock(clock_s)} / {_clock(self._duration)}", False), (words, True)):
            if x + text_mask(text, scale.text, bold).shape[1] + gap > end:
                return
            x += put_text(bar, text, x, y, scale.text, WHITE, bold) + gap
        x -= gap // 2
        meter = 5 * scale.text
        if x + meter + gap > end:
            return
        top, bottom = scale.bar // 3, scale.bar - scale.bar // 3
        cv2.rectangle(bar, (x, top), (x + meter, bottom), (110, 104, 100), cv2.FILLED)
        if not np.isnan(value):
            cv2.rectangle(bar, (x, top), (x + round(meter * value), bottom), WHITE, cv2.FILLED)
        self._draw_legend(bar, x + meter + 2 * gap, end - gap, y, scale)

    def _draw_legend(self, bar: np.ndarray, x: int, end: int, y: int, scale: Scale) -> None:
        """Colour and name of each state, as many words as fit: all names or none."""
        names: list[State | str] = [*self._settings.profile.states, UNSEEN]
        words = [f"{name.letter} {name.label}" if isinstance(name, State) else name for name in names]
        dot, gap = scale.text // 2, scale.text // 2
        widths = [dot + gap // 2 + text_mask(word, scale.text).shape[1] + gap for word in words]
        if x + sum(widths) > end:
            return
        for name, word, width in zip(names, words, widths, strict=True):
            middle = scale.bar // 2
            cv2.rectangle(
                bar, (x, middle - dot // 2), (x + dot, middle + dot // 2), from_hex(PALETTE[name]), cv2.FILLED
            )
            put_text(bar, word, x + dot + gap // 2, y, scale.text, WHITE)
            x += width
        sign = f"{UNUSUAL} unusual"
        if x + text_mask(sign, scale.text).shape[1] <= end:
            put_text(bar, sign, x, y, scale.text, WHITE)


def _label(number: str, state: str, width: int, scale: Scale) -> str:
    """Number and state where the box is wide enough, else number and the state's letter; unseen is the number alone."""
    if state == UNSEEN:
        return number
    full = f"{number} {State(state).label}"
    return full if text_mask(full, scale.text, True).shape[1] <= width else f"{number} {State(state).letter}"


def _clock(t: float) -> str:
    hours, rest = divmod(int(t), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
