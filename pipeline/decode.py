"""The demuxer and the decoder: opening a file or saying why not, and pictures as upright BGR arrays."""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.error import ArgumentError, ExitError, FFmpegError, InvalidDataError
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.errors import VideoError

PLAUSIBLE_FPS = 240.0  # browsers' recorders write no rate, and the demuxer then guesses 1000 fps
LEAST_FPS, MOST_FPS = 1e-3, 1000.0  # what timestamps may tell: a picture every quarter of an hour, a slow-motion camera
FALLBACK_FPS = 25.0
MOST_SIDE_PX, MOST_PIXELS = 8192, 8192 * 4320
"""Of one picture: 8K and DCI 8K pass. A file of a few bytes can declare any size, and memory is taken for it."""
MOST_STREAMS = 64
READ_TIMEOUT_S = 25.0
"""For opening a file, and for each read from it: a broken index can send a demuxer in circles."""
FORMATS = (
    "3gp,aac,ac3,aiff,apng,asf,av1,avi,caf,dirac,dnxhd,dv,flac,flv,gif,gxf,h261,h263,h264,hevc,ivf,live_flv,m4a,m4v,"
    "matroska,mjpeg,mov,mp3,mp4,mpeg,mpegts,mpegvideo,mxf,nsv,nut,obu,ogg,rm,vc1,vvc,wav,webm,wtv,yuv4mpegpipe"
)
"""Kinds of files that are read. The library knows many more, among them lists and scripts that make it open other
files and addresses (HLS, DASH, concat, SDP, numbered pictures): a lecture is one file, whatever its name ends in."""
ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC, libavformat/avformat.h
SWS_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""ISO/IEC 23091-2 matrix coefficients, as a frame is tagged -> SWS_CS_* of libswscale/swscale.h."""

Decoder = Literal["cpu", "cuda"]
"""What decodes a recording. ``cuda``: NVIDIA's decoder where there is one that knows the format, else the CPU."""

PLANAR: Final = {"nv12": "yuv420p", "nv16": "yuv422p", "p010le": "yuv420p10le", "p016le": "yuv420p16le"}
"""How GPUs lay pictures out -> how the CPU's decoders do: only these become BGR alike, to the last bit."""


@dataclass
class Damage:
    """How many packets could not be decoded or only in part."""

    places: int = 0


class Picture:
    """How decoded frames become upright BGR arrays, fixed by the first one (later sizes are scaled to it)."""

    def __init__(self, first: VideoFrame) -> None:
        self._stored = first.width, first.height
        self.rotation, self._mirrored = _orientation(first)
        self._reformatter, self._spreader = VideoReformatter(), VideoReformatter()  # each is set up for one change

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
        try:
            if frame.format.name in PLANAR:
                frame = self._spreader.reformat(frame, format=PLANAR[frame.format.name])
            image: NDArray[Any] = self._reformatted(frame, untagged, full).to_ndarray()
        except (FFmpegError, ValueError) as error:
            raise VideoError(
                f"its pictures of {frame.width} × {frame.height} px in the format {frame.format.name} cannot be"
                " converted; export the recording as MP4 or MKV"
            ) from error
        if self._mirrored:
            image = image[:, ::-1]
        return np.ascontiguousarray(np.rot90(image, -self.rotation // 90))

    def _reformatted(self, frame: VideoFrame, untagged: int, full: bool) -> VideoFrame:
        return self._reformatter.reformat(
            frame,
            width=self._stored[0],
            height=self._stored[1],
            format="bgr24",
            src_colorspace=SWS_MATRIX.get(int(frame.colorspace), untagged),
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG if full or frame.format.is_rgb else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        )


def _orientation(frame: VideoFrame) -> tuple[int, bool]:
    """(degrees clockwise to the nearest 90, mirrored left to right before that) from the display matrix.

    ISO/IEC 14496-12 (8.3.2): the matrix {a b u c d v x y w} takes a stored pixel to (a·x + c·y, b·x + d·y).
    """
    side_data: Any = frame.side_data  # its stubs ask for a name, all versions take the type
    data = side_data.get(SideDataType.DISPLAYMATRIX)
    if data is None or len(bytes(data)) != 36:
        return 0, False
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data))
    mirrored = a * d - b * c < 0
    turn = math.degrees(math.atan2(-b, -a) if mirrored else math.atan2(b, a))
    return round(turn / 90) % 4 * 90, mirrored


def open_file(path: Path, decoder: Decoder = "cpu") -> InputContainer:
    """The file, of a kind that is read here, with limits on what it may ask for; nothing else is opened for it.

    Args:
        path: the file.
        decoder: of its pictures; the CPU where the other is not to be had.

    Raises:
        VideoError: with the reason in words.
    """
    most_looked_at = 4 * MOST_PIXELS  # larger than what is read, so that the size can be told
    limits = {"format_whitelist": FORMATS, "protocol_whitelist": "file", "max_pixels": str(most_looked_at)}

    def open_with(accelerator: HWAccel | None) -> InputContainer:
        # absolute: a colon in the name is not a protocol; titles and the like need not be UTF-8
        return av.open(
            str(path.absolute()),
            options=dict(limits),
            metadata_errors="replace",
            timeout=(READ_TIMEOUT_S, READ_TIMEOUT_S),
            hwaccel=accelerator,
        )

    if decoder == "cuda":
        with contextlib.suppress(FFmpegError, ValueError, NotImplementedError):  # no such device, or a bad file
            return open_with(HWAccel("cuda", allow_software_fallback=True))
    try:
        return open_with(None)
    except (FFmpegError, ValueError) as error:
        if isinstance(error, InvalidDataError) and _mp4_without_index(path):
            raise VideoError(
                f"{path.name}: the file is incomplete (its index is missing); export or copy the recording again"
            ) from error
        raise VideoError(
            f"{path.name}: not a readable video ({_reason(error)}); export the recording as MP4 or MKV"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ExitError):
        return f"nothing came of it for {READ_TIMEOUT_S:g} s"
    if isinstance(error, ArgumentError):  # also what is not in FORMATS
        return "a kind of file that is not read here"
    if isinstance(error, MemoryError):
        return "it asks for too much memory"
    return str(getattr(error, "strerror", None) or "its description is damaged").lower()


@contextlib.contextmanager
def opened(path: Path, decoder: Decoder = "cpu") -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file and its largest video stream; cover pictures of sound files do not count.

    Args:
        path: the file.
        decoder: see ``open_file``.

    Raises:
        VideoError: with the reason in words.
    """
    if path.is_dir():
        raise VideoError(f"{path}: is a folder; give one video file")
    if not path.exists():
        raise VideoError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise VideoError(f"{path.name}: the file is empty (0 bytes); export or copy the recording again")
    container = open_file(path, decoder)
    with container:
        if len(container.streams) > MOST_STREAMS:
            raise VideoError(
                f"{path.name}: holds {len(container.streams)} streams, more than {MOST_STREAMS}; export the one with"
                " the room as MP4 or MKV"
            )
        streams = [stream for stream in container.streams.video if stream.codec_context and not _is_cover(stream)]
        if not streams:
            kinds = ", ".join(sorted({_kind(stream) for stream in container.streams})) or "nothing"
            raise VideoError(f"{path.name}: no video stream (found: {kinds}); export the recording as MP4 or MKV")
        stream = max(streams, key=lambda stream: stream.width * stream.height)
        check_size(path, stream.width, stream.height)
        stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}  # the pictures may be others than declared
        if not stream.codec_context.is_hwaccel:
            stream.thread_type = "AUTO"
        yield container, stream


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse pictures for which a frame would take hundreds of megabytes.

    Raises:
        VideoError: they are.
    """
    if max(width, height) > MOST_SIDE_PX or width * height > MOST_PIXELS:
        raise VideoError(
            f"{path.name}: its pictures of {width} × {height} px are too large; export it with at most 8192 × 4320 px"
        )


def sound_of(container: InputContainer) -> AudioStream | None:
    """The first sound track in a format that is known here, if there is one."""
    return next((stream for stream in container.streams.audio if stream.codec_context), None)


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
        except FFmpegError:  # whatever one packet holds: unknown features, impossible sizes, noise
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
    if rate and LEAST_FPS <= rate <= PLAUSIBLE_FPS:
        return float(rate)
    if stream.frames > 1 and duration and LEAST_FPS <= stream.frames / duration <= MOST_FPS:
        return stream.frames / duration
    with opened(path) as (container, fresh):
        times = _first_times(container, fresh)
    span = float(max(times) - min(times)) if times else 0.0
    told = (len(times) - 1) / span if span > 0 else 0.0
    return told if LEAST_FPS <= told <= MOST_FPS else FALLBACK_FPS


def _first_times(container: InputContainer, stream: VideoStream) -> list[Fraction]:
    """Presentation times (s) of the first packets, as far as the file can be read."""
    times = []
    with contextlib.suppress(FFmpegError):
        for packet in islice(container.demux(stream), 300):
            if packet.pts is not None:
                times.append(packet.pts * packet.time_base)
    return times
