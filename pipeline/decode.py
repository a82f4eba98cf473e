"""The demuxer and the decoder: opening a file or saying why not, and pictures as upright BGR arrays."""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.errors import VideoError

PLAUSIBLE_FPS = 240.0  # browsers' recorders write no rate, and the demuxer then guesses 1000 fps
FALLBACK_FPS = 25.0
ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC, libavformat/avformat.h
SWS_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""ISO/IEC 23091-2 matrix coefficients, as a frame is tagged -> SWS_CS_* of libswscale/swscale.h."""


@dataclass
class Damage:
    """How many packets could not be decoded or only in part."""

    places: int = 0


class Picture:
    """How decoded frames become upright BGR arrays, fixed by the first one (later sizes are scaled to it)."""

    def __init__(self, first: VideoFrame) -> None:
        self._stored = first.width, first.height
        self.rotation, self._mirrored = _orientation(first)
        self._reformatter = VideoReformatter()

    @property
    def size(self) -> tuple[int, int]:
        """Upright width and height in px."""
        width, height = self._stored
        return (height, width) if self.rotation in (90, 270) else (width, height)

    def bgr(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 BGR, upright, contiguous."""
        # Untagged video is BT.709 from 720 lines up and BT.601 below, as players assume.
        untagged = Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith(("yuvj", "gray", "pal"))
        picture = self._reformatter.reformat(
            frame,
            width=self._stored[0],
            height=self._stored[1],
            format="bgr24",
            src_colorspace=SWS_MATRIX.get(int(frame.colorspace), untagged),
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG if full or frame.format.is_rgb else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        )
        image: NDArray[Any] = picture.to_ndarray()
        if self._mirrored:
            image = image[:, ::-1]
        return np.ascontiguousarray(np.rot90(image, -self.rotation // 90))


def _orientation(frame: VideoFrame) -> tuple[int, bool]:
    """(degrees clockwise to the nearest 90, mirrored left to right before that) from the display matrix.

    ISO/IEC 14496-12 (8.3.2): the matrix {a b u c d v x y w} takes a stored pixel to (a·x + c·y, b·x + d·y).
    """
    side_data: Any = frame.side_data  # its stubs ask for a name, all versions take the type
    data = side_data.get(SideDataType.DISPLAYMATRIX)
    if data is None:
        return 0, False
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data))
    mirrored = a * d - b * c < 0
    turn = math.degrees(math.atan2(-b, -a) if mirrored else math.atan2(b, a))
    return round(turn / 90) % 4 * 90, mirrored


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file and its largest video stream; cover pictures of sound files do not count.

    Raises:
        VideoError: with the reason in words.
    """
    if path.is_dir():
        raise VideoError(f"{path}: is a folder; give one video file")
    if not path.exists():
        raise VideoError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise VideoError(f"{path.name}: the file is empty (0 bytes); export or copy the recording again")
    try:
        container = av.open(str(path.absolute()))  # absolute: a colon in the name is not a protocol
    except FFmpegError as error:
        if isinstance(error, InvalidDataError) and _mp4_without_index(path):
            raise VideoError(
                f"{path.name}: the file is incomplete (its index is missing); export or copy the recording again"
            ) from error
        reason = (error.strerror or "unknown").lower()
        raise VideoError(f"{path.name}: not a readable video ({reason}); export the recording as MP4 or MKV") from error
    with container:
        streams = [stream for stream in container.streams.video if stream.codec_context and not _is_cover(stream)]
        if not streams:
            kinds = ", ".join(sorted({_kind(stream) for stream in container.streams})) or "nothing"
            raise VideoError(f"{path.name}: no video stream (found: {kinds}); export the recording as MP4 or MKV")
        stream = max(streams, key=lambda stream: stream.width * stream.height)
        stream.thread_type = "AUTO"
        yield container, stream


def _is_cover(stream: Any) -> bool:
    """Whether the stream is one still picture attached to sound."""
    disposition = getattr(stream, "disposition", None)
    if disposition is None:  # before PyAV 14.1
        return stream.codec_context.name in ("mjpeg", "png") and stream.frames == 0
    return bool(disposition & ATTACHED_PICTURE)


def _kind(stream: Any) -> str:
    if stream.type != "video":
        return str(stream.type)
    return "cover picture" if stream.codec_context else "video in an unknown format"


def _mp4_without_index(path: Path) -> bool:
    """Whether the file is made of MP4/MOV boxes but has no whole ``moov`` box."""
    size = path.stat().st_size
    with path.open("rb") as file:
        position, seen = 0, False
        while position + 8 <= size:
            file.seek(position)
            length, kind = struct.unpack(">I4s", file.read(8))
            if length == 1 and position + 16 <= size:
                (length,) = struct.unpack(">Q", file.read(8))
            if not seen and kind not in (b"ftyp", b"mdat", b"moov", b"wide", b"free", b"skip"):
                return False
            seen = True
            if kind == b"moov":
                return position + length > size
            if length < 8:  # 0: up to the end of the file
                break
            position += length
    return seen


def decoded(container: InputContainer, stream: VideoStream, damage: Damage) -> Iterator[VideoFrame]:
    """All frames that can be decoded, in presentation order; what cannot is counted and left out."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:  # the file ends amid its own structure: what is in the decoder is still good
            damage.places += 1
            with contextlib.suppress(FFmpegError):
                yield from stream.decode(None)
            return
        if packet is None:
            return
        if packet.is_corrupt:
            damage.places += 1
            continue
        try:
            frames = packet.decode()
        except (InvalidDataError, EOFError):
            damage.places += 1
            continue
        for frame in frames:
            damage.places += frame.is_corrupt
            yield frame


def timestamp(container: InputContainer, frame: VideoFrame) -> int | None:
    """Presentation time of ``frame`` in ticks of its stream, as far as the file tells.

    AVI stores none and what the demuxer guesses is out of order with B-frames; there the frames come out of
    the decoder one for one in the order of the decoding times.
    """
    if container.format.name == "avi" or frame.pts is None:
        return frame.dts
    return frame.pts


def mean_fps(path: Path, stream: VideoStream, duration: float | None) -> float:
    """Frames per second as declared, or else as the first timestamps of the file tell.

    ``duration`` is that of the whole stream in seconds, if known.
    """
    rate = stream.average_rate or stream.guessed_rate
    if rate and rate <= PLAUSIBLE_FPS:
        return float(rate)
    if stream.frames > 1 and duration:
        return stream.frames / duration
    with opened(path) as (container, fresh):
        times = [p.pts * p.time_base for p in islice(container.demux(fresh), 300) if p.pts is not None]
    span = float(max(times) - min(times)) if times else 0.0
    return (len(times) - 1) / span if span > 0 else FALLBACK_FPS
