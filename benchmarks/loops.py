"""Long recordings made from a short clip: its packets again and again, so that no picture is encoded twice."""

from __future__ import annotations

from pathlib import Path

import av

from pipeline.video import VideoReader


def loop_clip(clip: Path, out: Path, seconds: float) -> Path:
    """The clip in a loop, cut after ``seconds`` (to the frame, in order of decoding).

    Args:
        clip: a recording with one video stream; its sound is left out.
        out: MP4 to write.
        seconds: length of ``out``.
    """
    with VideoReader(clip) as reader:
        for _ in reader.frames():
            pass
        length = reader.duration
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        assert stream.time_base is not None
        ticks = round(length / stream.time_base)
        begin = 0
        while begin * stream.time_base < seconds:
            source.seek(0)
            for packet in source.demux(stream):
                if packet.dts is None or packet.pts is None:
                    continue
                if (packet.pts + begin) * stream.time_base >= seconds:
                    continue
                packet.pts, packet.dts, packet.stream = packet.pts + begin, packet.dts + begin, copy
                target.mux(packet)
            begin += ticks
    return out
