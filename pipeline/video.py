"""Read a recording as upright frames with their presentation times, in constant memory.

The container's presentation timestamps are the clock: nothing here counts frames to tell the time, so
29.97 fps, variable rates, B-frames and recordings that begin late keep their timing.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.decode import Damage, Decoder, Picture, check_size, decoded, mean_fps, opened, sound_of, timestamp
from pipeline.errors import VideoError
from pipeline.frame_index import Astray, FrameIndex
from pipeline.timing import Clock, Sampler

T = TypeVar("T")

LONGEST_S = 24 * 3600.0
"""A recording that goes on for longer by its own clock is no lecture; tables by the second would fill the memory."""


Spans = Sequence[tuple[float, float]]
"""Stretches of a recording: from, up to before, s; in order, without overlap."""

SAME_S = 1e-6
"""Times closer than this are the same: they are ticks of different clocks, as fractions or rounded."""


def lies_in(t: float, spans: Spans) -> bool:
    """Whether a time (s) is in one of the spans."""
    place = bisect_right(spans, t + SAME_S, key=lambda span: span[0]) - 1
    return place >= 0 and t < spans[place][1] - SAME_S


@dataclass(frozen=True)
class VideoInfo:
    """What a recording declares about itself, with the size as it is seen: upright."""

    name: str
    width: int = field(metadata={"unit": "px"})
    height: int = field(metadata={"unit": "px"})
    rotation: int
    """Degrees clockwise (0, 90, 180, 270) the stored picture is turned by to stand upright."""
    fps: float
    """Mean frames per second."""
    time_base: Fraction
    """Seconds per tick of ``Frame.pts``."""
    frames: int | None
    """Declared number of frames; the file may hold fewer."""
    duration: float | None
    """Declared seconds; the file may hold less."""
    has_audio: bool
    start: Fraction = Fraction(0)
    """Time of the first frame on the file's own clock (s); sound is aligned by it."""
    sample_aspect_ratio: Fraction = Fraction(1)
    """Width of a pixel over its height, upright; not 1 in some camcorder recordings."""


@dataclass(frozen=True)
class Frame:
    """One picture of the recording.

    ``index`` counts from 0 over all frames of the source, ``t`` is in seconds and ``pts`` in ticks of
    ``VideoInfo.time_base``, both from the first frame; ``image`` is (h, w, 3) uint8 BGR, upright;
    ``duration`` is how long it is shown, in ticks (0: unknown).
    """

    index: int
    t: float
    pts: int
    image: NDArray[np.uint8]
    duration: int = 0


class VideoReader:
    """Frames of one recording, decoded as a stream; can be read several times.

    After an iteration has ended ``decoded`` is the number of frames in it, ``duration`` the seconds up to the
    end of the last one, and ``warnings`` says in one sentence each what could not be read.

    Args:
        path: the recording.
        decoder: what decodes it; the CPU, with a warning, where the other is not to be had.

    Raises:
        VideoError: the file cannot be read as video.
    """

    def __init__(self, path: Path | str, decoder: Decoder = "cpu") -> None:
        self.path = Path(path)
        self._decoder: Decoder = decoder
        self.decoded = 0
        self.duration = 0.0
        self.warnings: list[str] = []
        self._running: Generator[Frame, None, None] | None = None
        with opened(self.path, decoder) as (container, stream):
            self._fell_back = decoder != "cpu" and not stream.codec_context.is_hwaccel
            first = next(decoded(container, stream, Damage()), None)
            if first is None:
                raise VideoError(f"{self.path.name}: no frame can be decoded; export or copy the recording again")
            check_size(self.path, first.width, first.height)
            self._picture = Picture(first)
            self._exact_ticks = stream.duration
            self.info = self._describe(container, stream, first)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.close()

    def frames(self, rate: float | None = None) -> Iterator[Frame]:
        """All frames, or about ``rate`` of them per second (see ``Sampler``).

        All are decoded and counted, only the chosen ones become arrays. Every frame is chosen when the
        recording has no more than ``rate`` per second on average.

        Args:
            rate: frames per second; ``None``: all.

        Raises:
            ValueError: ``rate`` is not a positive number.
        """
        self._running = self._iterate(self._sampler(rate))
        return self._running

    def frames_within(self, spans: Spans, expected: int | None, rate: float | None = None) -> Iterator[Frame]:
        """The ``frames(rate)`` of some spans, of a recording decoded before; the rest is decoded only if it must be.

        ``decoded`` is the number of all frames all the same: outside the spans, and before them back to a keyframe,
        they are counted by their packets. ``duration`` is told only where all is decoded: where a file does not tell
        where its frames are, or tells something else than what is found there.

        Args:
            spans: which frames; in order.
            expected: how many frames the recording has; ``None``: not known, and all is decoded.
            rate: as of ``frames``.
        """
        self._running = self._jump(spans, expected, rate)
        return self._running

    def _sampler(self, rate: float | None) -> Sampler | None:
        if rate is None:
            return None
        # Timestamps in whole milliseconds (Matroska, WebM) are up to one tick early; where a tick is as
        # long as a frame (AVI) they are exact.
        tick = self.info.time_base
        sampler = Sampler(rate, tick if tick * self.info.fps <= 0.1 else Fraction(0))
        # 29.97 asked of 30000/1001: jitter must not drop frames
        return None if rate >= self.info.fps * 0.999 else sampler

    def _jump(self, spans: Spans, expected: int | None, rate: float | None) -> Generator[Frame, None, None]:
        tick, last, sampler = self.info.time_base, -1, self._sampler(rate)
        index = None if expected is None else FrameIndex.of(self.path, tick, self.info.fps)
        if index is not None and len(index.ticks) == expected:
            taken = [sampler is None or sampler.takes(one * tick) for one in index.ticks]
            wanted = [at for at, one in enumerate(index.ticks) if taken[at] and lies_in(float(one * tick), spans)]
            interval = Clock(tick, self.info.fps).interval
            with contextlib.suppress(Astray), opened(self.path, self._decoder) as (container, stream):
                for last, picture in index.decode(container, stream, wanted):
                    pts = index.ticks[last]
                    shown = self._shown(pts, picture, interval, last)
                    yield Frame(last, float(pts * tick), pts, self._image(picture), shown)
                self.decoded, self.warnings = expected, []
                return
        for frame in self._iterate(self._sampler(rate), spans):
            if frame.index > last:
                yield frame

    def _iterate(self, sampler: Sampler | None, within: Spans | None = None) -> Generator[Frame, None, None]:
        self.decoded, self.duration, self.warnings = 0, 0.0, []
        damage = Damage()
        tick = self.info.time_base
        clock = Clock(tick, self.info.fps)
        with opened(self.path, self._decoder) as (container, stream):
            for frame in decoded(container, stream, damage):
                pts = clock.ticks(timestamp(container, frame))
                t = float(pts * tick)
                shown = self._shown(pts, frame, clock.interval, self.decoded)
                index, self.decoded = self.decoded, self.decoded + 1
                self.duration = float((pts + shown) * tick)
                if pts * tick > LONGEST_S:
                    raise VideoError(f"{self.path.name}: goes on for more than 24 hours; cut it into its lectures")
                if (sampler is None or sampler.takes(pts * tick)) and (within is None or lies_in(t, within)):
                    yield Frame(index, t, pts, self._image(frame), shown)
        self.warnings = self._judge(damage)
        if self._fell_back:
            self.warnings.append(f"{self.info.name}: the decoder cuda is not to be had here; the CPU decoded it")

    def _image(self, frame: VideoFrame) -> NDArray[np.uint8]:
        try:
            return self._picture.bgr(frame)
        except VideoError as error:
            raise VideoError(f"{self.path.name}: {error}") from error

    def _shown(self, pts: int, frame: VideoFrame, interval: Fraction, index: int) -> int:
        """Ticks the frame at ``pts`` stays on screen; ``interval``: ticks between frames as a rule.

        The last one ends where the file says the track ends: with B-frames its own duration is another
        frame's.
        """
        if self._exact_ticks and index + 1 == self.info.frames and pts < self._exact_ticks:
            return self._exact_ticks - pts
        return getattr(frame, "duration", 0) or max(1, round(interval))  # older PyAV has no duration

    def _judge(self, damage: Damage) -> list[str]:
        info = self.info
        if info.duration is not None:
            # Only a declared track is exact; the container's duration may be that of longer sound.
            tolerance = 2 / info.fps if self._exact_ticks else max(1.0, 0.02 * info.duration)
            if info.duration - self.duration > tolerance:
                frames = f"{self.decoded} of {info.frames} frames" if info.frames else f"{self.decoded} frames"
                seconds = f"{self.duration:.1f} of {info.duration:.1f} s"
                return [f"{info.name}: decoded {frames} ({seconds}); the rest is damaged"]
        if damage.places:
            return [
                f"{info.name}: damaged in {damage.places} places, which were skipped or repaired; "
                f"{self.decoded} frames were decoded"
            ]
        return []

    def _describe(self, container: InputContainer, stream: VideoStream, first: VideoFrame) -> VideoInfo:
        time_base = stream.time_base or Fraction(1, 90_000)
        duration = None
        if stream.duration:
            duration = float(stream.duration * time_base)
        elif container.duration:
            duration = container.duration / av.time_base
        width, height = self._picture.size
        aspect = Fraction(stream.codec_context.sample_aspect_ratio or 1)
        start = stream.start_time if container.format.name == "avi" else timestamp(container, first)
        return VideoInfo(
            name=self.path.name.encode("utf-8", "replace").decode(),  # a session could not be written with other bytes
            width=width,
            height=height,
            rotation=self._picture.rotation,
            fps=mean_fps(self.path, stream, duration),
            time_base=time_base,
            frames=stream.frames or None,
            duration=duration,
            has_audio=sound_of(container) is not None,
            start=(start or 0) * time_base,
            sample_aspect_ratio=1 / aspect if self._picture.rotation in (90, 270) else aspect,
        )


def prefetch(items: Iterator[T], depth: int = 8) -> Generator[T, None, None]:
    """The same items, made ahead of time in a thread: at most ``depth`` wait at once.

    An exception of ``items`` is raised here in its place. When the consumer stops early, the thread ends and
    closes ``items``.
    """
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(maxsize=depth)
    stop = threading.Event()
    end = StopIteration()

    def offer(item: T | None, error: BaseException | None) -> bool:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((item, error), timeout=0.1)
                return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not offer(item, None):
                    break
            offer(None, end)
        except BaseException as error:  # handed to the consumer, whatever it is
            offer(None, error)
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is end:
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]  # an item that is None is one of T
    finally:
        stop.set()
        with contextlib.suppress(queue.Empty):
            ready.get_nowait()  # wakes a waiting thread at once
        thread.join()
