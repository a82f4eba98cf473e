"""Small recordings made on the spot, for the tests of reading and writing video."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

MILLISECOND = Fraction(1, 1000)


def picture(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    """(h, w, 3) uint8 BGR: a red-green-blue-white quadrant card, a little darker with each frame."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (0, 0, 220)
    image[: height // 2, width // 2 :] = (0, 220, 0)
    image[height // 2 :, : width // 2] = (220, 0, 0)
    image[height // 2 :, width // 2 :] = (220, 220, 220)
    return (image * (1 - 0.002 * (index % 100))).astype(np.uint8)


def make_clip(
    path: Path,
    pts: Iterable[int],
    time_base: Fraction,
    *,
    rate: Fraction | int = 25,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    movflags: str = "+faststart",
    last: int | None = None,
    noise: bool = False,
    audio: tuple[str, float, float] | None = None,
) -> Path:
    """Write a clip whose frames have these ``pts``; the last lasts ``last`` ticks.

    ``audio`` is (codec, begin in s, seconds) of a 440 Hz tone; ``noise`` makes the packets large.
    """
    width, height = size
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 155, (height // 12 + 1, width // 12 + 1, 3), dtype=np.uint8)
    blocks = cells.repeat(12, axis=0).repeat(12, axis=1)[:height, :width]  # a room that stays the same under the noise
    container_options = {"movflags": movflags} if movflags and path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=container_options) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = time_base
        sound = output.add_stream(audio[0], rate=16000) if audio else None
        if sound is not None:
            sound.codec_context.layout = "mono"
        last_pts = None
        for index, tick in enumerate(pts):
            image = picture(index, width, height)
            if noise:
                image = blocks + rng.integers(0, 100, image.shape, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = tick, time_base
            output.mux(stream.encode(frame))
            last_pts = tick
        for packet in stream.encode(None):
            if last is not None and packet.pts == last_pts:
                packet.duration = last
            output.mux(packet)
        if sound is not None and audio is not None:
            for block in _tone(audio[1], audio[2]):
                output.mux(sound.encode(block))
            output.mux(sound.encode(None))
    return path


def make_sound(path: Path, codec: str = "aac", seconds: float = 1.0) -> Path:
    """A file with sound and no picture."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=16000)
        stream.codec_context.layout = "mono"
        for block in _tone(0.0, seconds):
            output.mux(stream.encode(block))
        output.mux(stream.encode(None))
    return path


def _tone(begin_s: float, seconds: float) -> Iterable[av.AudioFrame]:
    for start in range(0, round(16000 * seconds), 1024):
        samples = np.sin(2 * np.pi * 440 * np.arange(start, start + 1024) / 16000) * 8000
        block = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], format="s16", layout="mono")
        block.sample_rate, block.time_base = 16000, Fraction(1, 16000)
        block.pts = start + round(begin_s * 16000)
        yield block


def turn(path: Path, abcd: Sequence[int]) -> Path:
    """Set the display matrix of the first track of an MP4: (a, b, c, d) of ISO/IEC 14496-12, 8.3.2."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44  # box kind, version and flags, then 40 bytes of version 0
    a, b, c, d = (value << 16 for value in abcd)
    data[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def boxes(path: Path) -> list[str]:
    """Kinds of the top-level boxes of an MP4, in order."""
    data, position, kinds = path.read_bytes(), 0, []
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        kinds.append(kind.decode())
        position += length
    return kinds
