"""Write frames as an MP4 that plays everywhere and keeps the timing of its source."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from pipeline.decode import open_file, sound_of
from pipeline.errors import VideoError
from pipeline.video import Frame, VideoInfo

KEYFRAME_S = 2.0  # a player can seek to within this
LOOK_AHEAD = "mbtree=1:rc-lookahead=5"
BT709 = 1  # primaries, transfer and matrix have the same number in ISO/IEC 23091-2
COPIED_AUDIO = ("aac", "mp3", "mp3float", "opus", "libopus")  # fit MP4 and play in browsers
AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
AAC_BITS_PER_CHANNEL = 64_000


def new_file(path: Path) -> OutputContainer:
    """An MP4 to be written, with its index in front."""
    return av.open(str(path.absolute()), "w", format="mp4", options={"movflags": "+faststart"})


class VideoWriter:
    """An H.264 (High, yuv420p, BT.709 limited range) MP4 with its index in front.

    Each frame keeps its presentation time; the last is shown as long as ``Frame.duration`` says, or 1 / fps.
    A width or height that is odd gets one more column or row, a copy of the edge, because 4:2:0 needs even
    sizes. Keyframes are at most ``KEYFRAME_S`` apart (but for gaps between frames). When the block ends with
    an exception the unfinished file is removed.

    Args:
        path: the file to write; an existing one is replaced.
        info: of the source: size, rate, time base, start.
        audio_from: the source file, to add its sound, aligned with the video and cut at its end: copied if
            MP4 can hold it, else as AAC. ``None``, or a file without sound, gives a silent video.
        crf: quality, 0 (lossless) to 51; 6 more is about half the size.
        preset: x264's trade of time for size. "superfast" looks a few frames ahead here, which it does not by itself:
            files of the size of "veryfast" in half of its time, 0.4 to 0.9 dB further from the picture.

    Raises:
        OSError: the file cannot be written (errno says why, e.g. ENOSPC); from any method.
        VideoError: the encoder refuses the frames, or none was written.
    """

    def __init__(
        self,
        path: Path | str,
        info: VideoInfo,
        *,
        audio_from: Path | None = None,
        crf: int = 23,
        preset: str = "superfast",
    ) -> None:
        self.path = Path(path)
        self._info = info
        self._fps = Fraction(info.fps).limit_denominator(100_000)
        self._reformatter = VideoReformatter()
        self._last_pts: int | None = None
        self._last_key_s = -math.inf
        self._shown: dict[int, int] = {}  # pts -> ticks, of the frames in the encoder
        self._end = Fraction(0)
        self._audio: _Audio | None = None
        self.path.open("wb").close()  # the library opens it only with the first packet
        with plain_errors(self.path):
            self._output: OutputContainer = new_file(self.path)
        try:
            with plain_errors(self.path):
                # Keyframes are placed by time (see write), not by counting, so that variable rates are served
                # too. Without B-frames: a quarter less time for some 20 % more bytes, and decoding order is
                # display order, so that the last packet's duration ends the file.
                options = {"crf": str(crf), "preset": preset, "g": str(math.ceil(self._fps * 10)), "bf": "0"}
                if preset == "superfast":
                    options["x264-params"] = LOOK_AHEAD
                stream = self._output.add_stream("libx264", rate=self._fps, options=options)
                stream.width = info.width + info.width % 2
                stream.height = info.height + info.height % 2
                stream.pix_fmt = "yuv420p"
                codec = stream.codec_context
                codec.time_base = info.time_base
                codec.thread_type = "AUTO"
                codec.color_range = ColorRange.MPEG
                codec.colorspace = codec.color_primaries = codec.color_trc = BT709
                if info.sample_aspect_ratio != 1:
                    codec.sample_aspect_ratio = info.sample_aspect_ratio
                self._stream = stream
                if audio_from is not None and info.has_audio:
                    self._audio = _Audio(audio_from, self._output, info.start)
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self.close()
        except BaseException:
            self._discard()
            raise

    def write(self, frame: Frame, image: NDArray[np.uint8]) -> None:
        """Add ``image``, (h, w, 3) uint8 BGR of the source's size, at the time of ``frame``.

        Raises:
            ValueError: another size, or frames out of order.
        """
        if image.shape != (self._info.height, self._info.width, 3):
            raise ValueError(
                f"image must be ({self._info.height}, {self._info.width}, 3) as the source, got {image.shape}"
            )
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise ValueError(f"frames must be in order: pts {frame.pts} after {self._last_pts}")
        picture = self._picture(image)
        picture.pts, picture.time_base = frame.pts, self._info.time_base
        if frame.t + 1 / self._fps > self._last_key_s + KEYFRAME_S:
            picture.pict_type = PictureType.I
            self._last_key_s = frame.t
        self._last_pts = frame.pts
        self._shown[frame.pts] = frame.duration or max(1, round(1 / (self._fps * self._info.time_base)))
        self._end = (frame.pts + self._shown[frame.pts]) * self._info.time_base
        with plain_errors(self.path):
            self._mux(self._stream.encode(picture))
            if self._audio is not None:
                self._audio.mux_until(frame.pts * self._info.time_base)

    def close(self) -> None:
        """Finish the file; called at the end of the block."""
        if self._last_pts is None:
            raise VideoError(f"{self.path.name}: no frame was written; check that the recording has pictures")
        with plain_errors(self.path):
            self._mux(self._stream.encode(None))
            if self._audio is not None:
                self._audio.mux_until(self._end)
                self._audio.close()
            self._output.close()

    def _picture(self, image: NDArray[np.uint8]) -> VideoFrame:
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        return self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24"),
            format="yuv420p",
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )

    def _mux(self, packets: list[Packet]) -> None:
        for packet in packets:
            assert packet.pts is not None
            packet.duration = self._shown.pop(packet.pts)  # MP4 keeps only the last: the others follow from pts
            self._output.mux(packet)

    def _discard(self) -> None:
        """Close and remove the unfinished file; what fails here must not hide why."""
        with contextlib.suppress(Exception):
            if self._audio is not None:
                self._audio.close()
        with contextlib.suppress(Exception):
            self._output.close()
        with contextlib.suppress(OSError):
            if self.path.is_file():  # never a device such as /dev/full
                self.path.unlink()


class _Audio:
    """The first readable sound track of a file as packets of ``output``, in time order, with 0 s at ``start``."""

    def __init__(self, source: Path, output: OutputContainer, start: Fraction) -> None:
        self._output = output
        self._start = start
        self._input: InputContainer = open_file(source)
        sound = sound_of(self._input)
        if sound is None:
            raise VideoError(f"{source.name}: its sound cannot be read; leave --keep-audio out")
        self._from: AudioStream = sound
        codec = self._from.codec_context
        if codec.name in COPIED_AUDIO:
            self._to: AudioStream = output.add_stream_from_template(self._from)
            self._packets = self._copied()
        else:
            rate = codec.sample_rate if codec.sample_rate in AAC_RATES_HZ else 48_000
            self._to = output.add_stream("aac", rate=rate)
            channels = min(codec.channels, 2)
            self._to.codec_context.layout = "mono" if channels == 1 else "stereo"
            self._to.codec_context.bit_rate = channels * AAC_BITS_PER_CHANNEL
            self._packets = self._transcoded()
        self._next: tuple[Fraction, Packet] | None = None
        self._started = False

    def mux_until(self, end: Fraction) -> None:
        """Write all sound that begins before ``end`` seconds and has not been written."""
        if not self._started:
            self._started, self._next = True, next(self._packets, None)
        while self._next is not None and self._next[0] < end:
            self._output.mux(self._next[1])
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Let go of the source."""
        self._packets.close()
        self._input.close()

    def _source_packets(self) -> Iterator[Packet[AudioStream]]:
        packets = self._input.demux(self._from)
        with contextlib.suppress(FFmpegError):  # a damaged end: the sound ends there, as the picture does
            yield from packets

    def _copied(self) -> Generator[tuple[Fraction, Packet], None, None]:
        for packet in self._source_packets():
            if packet.pts is None or packet.dts is None or packet.is_corrupt:
                continue
            shift = round(self._start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            time = packet.pts * packet.time_base
            packet.stream = self._to
            if time >= 0:  # sound from before the first picture has nothing to go with
                yield time, packet

    def _transcoded(self) -> Generator[tuple[Fraction, Packet], None, None]:
        for packet in self._source_packets():
            try:
                frames = packet.decode()
            except FFmpegError:
                continue
            for frame in frames:
                if frame.pts is None:
                    continue
                assert frame.time_base is not None
                frame.pts -= round(self._start / frame.time_base)
                if frame.pts >= 0:
                    yield from self._timed(self._to.encode(frame))
        yield from self._timed(self._to.encode(None))

    @staticmethod
    def _timed(packets: list[Packet]) -> Iterator[tuple[Fraction, Packet]]:
        for packet in packets:
            yield (packet.pts or 0) * packet.time_base, packet


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Failures of the encoder library as the system's own ``OSError`` (with errno), or in words."""
    try:
        yield
    except FFmpegError as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise VideoError(
            f"{path.name}: the video cannot be encoded ({error.strerror}); try another source or size"
        ) from error
