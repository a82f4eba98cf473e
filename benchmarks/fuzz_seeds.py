"""The whole files that ``benchmarks.fuzz`` damages: recordings of many kinds, settings, seat map, course, session."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
from collections.abc import Iterable, Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd

from benchmarks.common import ROOT
from consent.registry import Registry
from consent.zones import Zone
from models.states import UNSEEN, Profile, State
from pipeline.session import (
    AUDIT,
    BOX,
    CORRECTIONS,
    ENGAGEMENT,
    EVENTS,
    FACE_CUES,
    HEAD_BOX,
    HEAD_POSE,
    MANIFEST,
    OBSERVATIONS,
    SEATS,
    STATES,
)
from reports.formula import engagement_table

SIZE = (64, 48)
FRAMES = 12
YEARS_10 = 10 * 365 * 86_400

VIDEOS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "h264.mp4": ("libx264", "yuv420p", "", {}),
    "index_behind.mp4": ("libx264", "yuv420p", "", {"movflags": ""}),
    "fragments.mp4": ("libx264", "yuv420p", "", {"movflags": "frag_keyframe+empty_moov"}),
    "sound.mp4": ("libx264", "yuv420p", "aac", {}),
    "sound.mkv": ("libx264", "yuv420p", "libopus", {}),
    "bframes.mkv": ("libx264", "yuv420p", "", {"encoder": {"bf": "3", "g": "6"}}),
    "interlaced.ts": ("libx264", "yuv420p", "", {"encoder": {"x264-params": "tff=1"}}),
    "mpeg2_interlaced.mpg": ("mpeg2video", "yuv420p", "", {"encoder": {"flags": "+ildct+ilme"}}),
    "hevc_hdr10.mp4": ("libx265", "yuv420p10le", "", {"hdr": True, "encoder": {"x265-params": "log-level=none"}}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", "", {}),
    "av1.mp4": ("libsvtav1", "yuv420p", "", {}),
    "mpeg4.avi": ("mpeg4", "yuv420p", "", {}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", "", {}),
    "prores_422_10.mov": ("prores_ks", "yuv422p10le", "", {}),
    "ffv1_gray16.mkv": ("ffv1", "gray16le", "", {}),
    "ffv1_444_16.mkv": ("ffv1", "yuv444p16le", "", {}),
    "ffv1_alpha.mkv": ("ffv1", "bgra", "", {}),
    "png_rgb48.mov": ("png", "rgb48be", "", {}),
    "qtrle_pal.mov": ("qtrle", "rgb24", "", {}),
    "raw.avi": ("rawvideo", "yuv420p", "", {}),
    "wmv2.asf": ("wmv2", "yuv420p", "", {}),
    "flv.flv": ("flv", "yuv420p", "", {}),
    "bare.h264": ("libx264", "yuv420p", "", {}),
    "animation.gif": ("gif", "rgb8", "", {}),
    "all_zero.mkv": ("ffv1", "yuv420p", "", {"pts": range(FRAMES), "base": Fraction(1, 1_000_000)}),
    "negative.mkv": ("ffv1", "yuv420p", "", {"pts": range(-6, FRAMES - 6)}),
    "ten_years.mkv": ("ffv1", "yuv420p", "", {"pts": [0, 1, 2, *(YEARS_10 * 25 + n for n in range(FRAMES - 3))]}),
    "one_frame_an_hour.mkv": ("ffv1", "yuv420p", "", {"pts": range(0, FRAMES * 90_000, 90_000)}),
    "wide_strip.mkv": ("ffv1", "yuv420p", "", {"size": (16_000, 16)}),
    "one_pixel.mkv": ("ffv1", "yuv444p", "", {"size": (1, 1)}),
    "huge.mp4": ("libx264", "yuv420p", "", {"size": (9_000, 8_000), "frames": 1, "encoder": {"preset": "ultrafast"}}),
    "huge.avi": ("mjpeg", "yuvj420p", "", {"size": (12_000, 12_000), "frames": 1}),
}


def make_all(folder: Path, *, vast: bool = True) -> None:
    """Write every seed below ``folder``: ``video/``, ``text/`` and ``session/``; ``vast`` ones take seconds to make."""
    video, text = folder / "video", folder / "text"
    for one in (video, text):
        one.mkdir(parents=True)
    with _same_priority():
        for name, (codec, pix_fmt, sound, how) in VIDEOS.items():
            if vast or "size" not in how:
                make_video(video / name, codec, pix_fmt, sound, **how)
    _special_videos(video)
    (text / "settings.yaml").write_text(SETTINGS, encoding="utf-8")
    (text / "seats.json").write_text(json.dumps(seat_map()), encoding="utf-8")
    shutil.copyfile(ROOT / "consent/templates/course.yaml", text / "course.yaml")
    make_session(folder / "session")
    make_registry(folder / "registry.sqlite")


@contextlib.contextmanager
def _same_priority() -> Iterator[None]:
    """SVT-AV1, asked by root, gives its caller real-time priority for good: all else on the machine would wait."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def make_registry(path: Path) -> None:
    """A course with an approval, students, decisions and periods."""
    with Registry.open(f"sqlite:///{path}") as registry:
        registry.approve("CS 101", "Prof. Ada Byron", date(2026, 1, 1), date(2027, 1, 1))
        registry.opt_out("CS 101", "s-17", Zone(0.1, 0.4, 0.3, 0.9))
        registry.students.enter("CS 101", "s-18", seat=Zone(0.5, 0.4, 0.7, 0.9))
        registry.close_zone("CS 101", "back-left", Zone(0.0, 0.6, 0.25, 1.0))
        registry.sessions.note("CS 101", "lecture", "2026-03-04T10:15:00Z", path.parent / "session")


def make_video(
    path: Path,
    codec: str,
    pix_fmt: str,
    sound: str,
    *,
    pts: Iterable[int] | None = None,
    base: Fraction = Fraction(1, 25),
    size: tuple[int, int] = SIZE,
    frames: int = FRAMES,
    movflags: str = "+faststart",
    hdr: bool = False,
    streams: int = 1,
    encoder: dict[str, str] | None = None,
) -> None:
    """A small clip of moving noise; ``encoder`` are its options."""
    rng = np.random.default_rng(0)
    width, height = size
    still = rng.integers(0, 255, (-(-height // 16), -(-width // 16), 3), dtype=np.uint8)
    still = still.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    options = {"movflags": movflags} if path.suffix in (".mp4", ".mov") and movflags else {}
    if path.suffix == ".mkv":
        options |= {"avoid_negative_ts": "disabled"}
    with av.open(str(path), "w", options=options) as out:
        made = [out.add_stream(codec, rate=25, options=dict(encoder or {})) for _ in range(streams)]
        for stream in made:
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
            stream.codec_context.time_base = base
            stream.codec_context.thread_count = 1
            if hdr:  # BT.2020 with the PQ curve
                context = stream.codec_context
                context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9
        tone = out.add_stream(sound, rate=48_000) if sound else None
        if tone is not None:
            tone.codec_context.layout = "mono"
        for index, tick in enumerate(list(range(frames) if pts is None else pts)[:frames]):
            image = still if width * height > 10**6 else np.roll(still, index, axis=1)
            for stream in made:
                frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pix_fmt)
                frame.pts, frame.time_base = tick, base
                out.mux(stream.encode(frame))
        for stream in made:
            out.mux(stream.encode(None))
        if tone is not None:
            for start in range(0, 24_000, 960):
                wave = (np.sin(np.arange(start, start + 960) / 20) * 8000).astype(np.int16)[None]
                block = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
                block.sample_rate, block.pts, block.time_base = 48_000, start, Fraction(1, 48_000)
                out.mux(tone.encode(block))
            out.mux(tone.encode(None))


def _special_videos(folder: Path) -> None:
    """What an encoder does not write by itself: turned, many streams, two sizes in one, playlists, no video."""
    data = bytearray((folder / "h264.mp4").read_bytes())
    at = data.index(b"tkhd") + 44  # the display matrix of ISO/IEC 14496-12, 8.3.2, in version 0
    for name, turn in {
        "turned.mp4": (0, 1, -1, 0),
        "no_matrix.mp4": (0, 0, 0, 0),
        "mirrored.mp4": (-1, 0, 0, 1),
    }.items():
        a, b, c, d = (value << 16 for value in turn)
        data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        (folder / name).write_bytes(data)
    make_video(folder / "two_sizes_a.h264", "libx264", "yuv420p", "", size=(320, 240))
    small = (folder / "bare.h264").read_bytes()
    (folder / "two_sizes.h264").write_bytes(small + (folder / "two_sizes_a.h264").read_bytes() + small)
    make_video(folder / "two_streams.mkv", "ffv1", "yuv420p", "", streams=2)
    make_video(folder / "many_streams.mkv", "rawvideo", "yuv420p", "", streams=1000, size=(2, 2), frames=1)
    make_video(folder / "many_streams.mp4", "mpeg4", "yuv420p", "", streams=300, size=(16, 16), frames=1)
    secret = folder / "h264.mp4"
    (folder / "playlist.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{secret}\n#EXT-X-ENDLIST\n")
    (folder / "concat.mp4").write_text(f"ffconcat version 1.0\nfile '{secret.name}'\n")
    (folder / "session.sdp").write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    )
    (folder / "subtitles.mp4").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    (folder / "frame%03d.png").write_bytes(b"\x89PNG\r\n\x1a\n")


SETTINGS = """\
profile: observable
blur: everyone
rate: 4
students: 24
device: cpu
keep_audio: false
detect: {imgsz: 640, batch: 4}
track: {}
cover: {style: solid}
state_weights: {attentive: 1.0}
staff: {zones: ["0,0,0.2,0.2"]}
max_fill_s: 1.5
video_quality: 23
video_preset: superfast
"""


def seat_map() -> dict[str, Any]:
    """Four seats as the file has them."""
    corners = [[0.1, 0.4], [0.3, 0.4], [0.3, 0.9], [0.1, 0.9]]
    return {
        "seats": [
            {"name": f"A{n}", "polygon": [[x + 0.1 * n, y] for x, y in corners], "student": n} for n in range(1, 5)
        ]
    }


def make_session(folder: Path, students: int = 2, seconds: int = 6) -> None:
    """A small whole session without a video."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    second, student = np.meshgrid(np.arange(seconds), np.arange(1, students + 1), indexing="ij")
    at = pd.DataFrame({"t": second.ravel() * 1.0, "student": student.ravel()})
    numbers = (*BOX, "score", *HEAD_BOX, *HEAD_POSE, *FACE_CUES, "motion")
    seen = at.assign(frame=(at["t"] * 10).astype(int), observed=True)
    seen.assign(**{name: rng.uniform(1, 50, len(at)) for name in numbers}).to_parquet(folder / OBSERVATIONS)
    names = [state.value for state in State]
    chance = rng.dirichlet(np.ones(len(names)), len(at))
    states = at.assign(state=np.array(names)[chance.argmax(axis=1)], coverage=0.9, why="")
    states = states.assign(**{f"p_{name}": chance[:, place] for place, name in enumerate(names)})
    states.loc[0, "state"] = UNSEEN
    states.to_parquet(folder / STATES)
    event = {"start": [1.0], "end": [3.0], "student": [1], "score": [4.0], "threshold": [3.0], "why": [""]}
    pd.DataFrame(event).to_parquet(folder / EVENTS)
    engagement_table(states, Profile.FULL, withhold_below=1).to_csv(folder / ENGAGEMENT, index=False)
    (folder / SEATS).write_text(json.dumps(seat_map()), encoding="utf-8")
    (folder / CORRECTIONS).write_text(f"start,end,student,state\n1,3,1,{names[0]}\n2,4.5,2,{names[1]}\n")
    (folder / AUDIT).write_text(json.dumps({"result": "passed", "looked_at": "the whole picture", "frames": 60}))
    manifest = {
        "id": folder.name,
        "created": "2026-03-04T10:15:00Z",
        "source": {"name": "lecture.mp4", "sha256": "0" * 64},
        "fps": 10.0,
        "width": 640,
        "height": 480,
        "duration": float(seconds),
        "software_version": "0.1.0",
        "models": {},
        "config": {"rate": 5},
        "profile": "full",
        "course": "CS 101",
        "approval": "made up",
        "blur": "everyone",
        "counts": {"students": students, "frames": 60, "analysed_frames": seconds, "events": 1},
        "engagement": {"mean": 0.5, "coverage": 0.9},
        "lecture_day": date(2026, 3, 4).isoformat(),
        "delete_after": {"tables": "2026-12-01"},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
