"""Write only those stretches of an annotated video anew in which something changes; what lies between is copied.

A stretch goes from one keyframe to another. The encoder makes no frame that refers to one beyond a keyframe, so that
the packets of old and new stretches can follow each other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Final

from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from pipeline.decode import open_file
from pipeline.encode import VideoWriter, new_file, plain_errors
from pipeline.video import SAME_S, Frame, Spans, VideoInfo

NAME: Final = "mended.mp4"
"""Of what is being written, beside the video."""


@dataclass(frozen=True)
class Stretch:
    """Frames between two keyframes: from ``start`` up to before ``end``, s; ``packets`` of them."""

    start: Fraction
    end: Fraction
    packets: int


def stretches(video: Path) -> list[Stretch]:
    """Those of a video that ``VideoWriter`` wrote.

    Raises:
        VideoError: it cannot be read.
    """
    keys: list[Fraction] = []
    counts: list[int] = []
    end = Fraction(0)
    with open_file(video) as container:
        stream = container.streams.video[0]
        for packet in _packets(container, stream):
            begin, end = _time(packet), _time(packet) + (packet.duration or 0) * _base(packet)
            if packet.is_keyframe or not keys:
                keys.append(begin)
                counts.append(0)
            counts[-1] += 1
    return [Stretch(*ends, count) for ends, count in zip(pairwise([*keys, end]), counts, strict=True)]


def to_mend(video: Path, changes: Callable[[float, float], bool]) -> Spans | None:
    """(from, to) s of the stretches to write anew, neighbours joined; ``None`` where that is all of them.

    Where two keyframes follow each other they have to differ in a number that the encoder counts (ITU-T H.264, 7.4.3,
    ``idr_pic_id``): so a stretch of one frame and the next one are written together.

    Args:
        video: as it is.
        changes: whether anything is to change between two times (s).
    """
    every = stretches(video)
    chosen = [changes(float(one.start), float(one.end)) for one in every]
    begin = 0
    for index, one in enumerate(every):
        if one.packets > 1 or index == len(every) - 1:
            if any(chosen[begin : index + 1]):
                chosen[begin : index + 1] = [True] * (index + 1 - begin)
            begin = index + 1
    if all(chosen):
        return None
    spans: list[tuple[float, float]] = []
    for one, is_chosen in zip(every, chosen, strict=True):
        if not is_chosen:
            continue
        if spans and spans[-1][1] == float(one.start):
            spans[-1] = spans[-1][0], float(one.end)
        else:
            spans.append((float(one.start), float(one.end)))
    return spans


def mend(video: Path, spans: Spans, info: VideoInfo, frames: Iterable[Frame], *, crf: int, preset: str) -> bool:
    """Replace the stretches ``spans`` of a video by new ones; False, and nothing is changed, where they do not fit it.

    Args:
        video: written by ``VideoWriter`` with the same ``info``, quality and preset.
        spans: of ``to_mend``, s.
        info: of the source.
        frames: the new pictures of all frames of these stretches, with the source's times, in order.
        crf, preset: as for ``VideoWriter``.

    Raises:
        VideoError: the video cannot be read, or the encoder refuses the frames.
        OSError: the new one cannot be stored.
    """
    with tempfile.TemporaryDirectory(dir=video.parent, prefix=".mend-") as place:
        out = Path(place) / NAME
        pieces = _Pieces(Path(place) / "piece.mp4", info, iter(frames), crf, preset)
        with plain_errors(out), open_file(video) as old, new_file(out) as new:
            if not _spliced(old, new, spans, pieces):
                return False
        out.replace(video)
    return True


class _Pieces:
    """Stretches written as files of their own, each from its first frame on."""

    def __init__(self, path: Path, info: VideoInfo, frames: Iterator[Frame], crf: int, preset: str) -> None:
        self._path, self._info, self._frames = path, info, frames
        self._quality = {"crf": crf, "preset": preset}
        self._next = next(frames, None)

    def write(self, end: float) -> tuple[Path, Fraction]:
        """The file with the frames up to before ``end`` (s), and when its first one is shown."""
        first = self._next
        assert first is not None
        with VideoWriter(self._path, self._info, **self._quality) as writer:  # type: ignore[arg-type]
            while self._next is not None and self._next.t < end - SAME_S:
                frame = self._next
                writer.write(replace(frame, pts=frame.pts - first.pts, t=frame.t - first.t), frame.image)
                self._next = next(self._frames, None)
        return self._path, first.pts * self._info.time_base


def _spliced(old: InputContainer, new: OutputContainer, spans: Spans, pieces: _Pieces) -> bool:
    kept: dict[int, Stream] = {
        stream.index: new.add_stream_from_template(stream)
        for stream in old.streams
        if stream.type in ("video", "audio") and stream.codec_context
    }
    picture = old.streams.video[0]
    left = list(spans)
    for packet in old.demux([one for one in old.streams if one.index in kept]):
        if packet.dts is None:
            continue
        if packet.stream.index == picture.index and left and _time(packet) >= left[0][0] - SAME_S:
            if _time(packet) < left[0][1] - SAME_S:
                if (
                    packet.is_keyframe
                    and abs(_time(packet) - left[0][0]) < SAME_S
                    and not _put(new, kept[picture.index], picture, *pieces.write(left[0][1]))
                ):
                    return False
                continue
            left.pop(0)
        packet.stream = kept[packet.stream.index]
        new.mux(packet)
    return True


def _put(new: OutputContainer, into: Stream, beside: Stream, piece: Path, start: Fraction) -> bool:
    """Add the packets of a piece; False where its parameter sets are others."""
    with open_file(piece) as container:
        stream = container.streams.video[0]
        if stream.codec_context.extradata != beside.codec_context.extradata:
            return False
        for packet in _packets(container, stream):
            moved = round(start / _base(packet))
            packet.pts, packet.dts = (packet.pts or 0) + moved, (packet.dts or 0) + moved
            packet.stream = into
            new.mux(packet)
    return True


def _packets(container: InputContainer, stream: Stream) -> Iterator[Packet]:
    return (packet for packet in container.demux(stream) if packet.dts is not None)


def _base(packet: Packet) -> Fraction:
    assert packet.time_base is not None
    return packet.time_base


def _time(packet: Packet) -> Fraction:
    return (packet.pts or 0) * _base(packet)
