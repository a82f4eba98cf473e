"""Where the frames of a recording are, read off its packets: so that some stretches can be decoded without the rest."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.decode import Damage, decoded, opened, timestamp
from pipeline.timing import Clock

INDEXED: Final = ("mov,mp4", "matroska")
"""Beginnings of the demuxers' names whose files tell where keyframes are and carry the times of all frames."""

AHEAD: Final = 50
"""Frames up to which decoding goes on rather than to begin anew further on, which throws away what threads hold."""


class Astray(Exception):
    """Not the frames that the index promised came out of the decoder."""


@dataclass(frozen=True)
class FrameIndex:
    """All frames of a recording in the order in which they are shown.

    Attributes:
        ticks: (n,) of each frame from the first one.
        keys: indices of those at which decoding can begin.
        starts: the decoding time of each key, as the file has it.
        first: presentation time of the first frame, as the file has it.
    """

    ticks: list[int]
    keys: list[int]
    starts: list[int]
    first: int

    @classmethod
    def of(cls, path: Path, time_base: Fraction, fps: float) -> FrameIndex | None:
        """Of a file; ``None`` where packets do not tell surely when each frame is shown.

        Args:
            path: the file.
            time_base, fps: of its ``VideoInfo``; the times are those that ``VideoReader`` would give.

        Raises:
            VideoError: it cannot be opened.
        """
        times: list[int] = []
        keys: dict[int, int] = {}
        with opened(path) as (container, stream):
            if not container.format.name.startswith(INDEXED):
                return None
            latest = None  # the keyframe before the last one: nothing after a keyframe is shown before it
            newest = None
            try:
                for packet in container.demux(stream):
                    if not packet.size:
                        continue  # the end
                    if packet.pts is None or packet.is_corrupt:
                        return None
                    if packet.is_keyframe:
                        latest, newest = newest, packet.pts
                        keys[packet.pts] = packet.pts if packet.dts is None else packet.dts
                    if newest is None or (latest is not None and packet.pts <= latest):
                        return None
                    times.append(packet.pts)
            except FFmpegError:
                return None
        times.sort()
        clock = Clock(time_base, fps)
        ticks = [one - times[0] for one in times]
        if not times or [clock.ticks(one) for one in times] != ticks:
            return None
        places = [bisect_left(times, one) for one in keys]
        return cls(ticks, places, list(keys.values()), times[0])

    def decode(
        self, container: InputContainer, stream: VideoStream, wanted: list[int]
    ) -> Iterator[tuple[int, VideoFrame]]:
        """The frames of these indices, in this order, which rises, each with its index.

        Raises:
            Astray: the file does not hold them where it says.
        """
        at = -1  # the last frame that came out
        frame: VideoFrame | None = None
        running: Iterator[VideoFrame] = iter(())
        for index in wanted:
            key = bisect_right(self.keys, index) - 1
            if at < 0 or self.keys[key] > at + AHEAD:
                try:
                    container.seek(self.starts[key], stream=stream)
                except FFmpegError:  # a damaged index of its own
                    raise Astray from None
                running = decoded(container, stream, Damage())
            while at != index:
                frame = next(running, None)
                pts = None if frame is None else timestamp(container, frame)
                if frame is None or pts is None:
                    raise Astray
                at = bisect_left(self.ticks, pts - self.first)
                # what is shown before the keyframe may refer to frames that were not decoded
                broken = frame.is_corrupt and at >= self.keys[key]
                if broken or at > index or self.ticks[at] != pts - self.first:
                    raise Astray
            assert frame is not None
            yield index, frame
