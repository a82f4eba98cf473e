"""Mending: what cannot be mended, then what is copied and what is new, then a real clip."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import make_sound

from pipeline.encode import VideoWriter
from pipeline.mend import mend, stretches, to_mend
from pipeline.video import Frame, VideoInfo, VideoReader

FPS, SECONDS = 10, 9
QUALITY = {"crf": 23, "preset": "veryfast"}
INFO = VideoInfo("made.mp4", 64, 48, 0, float(FPS), Fraction(1, 1000), None, None, False)


def pictures(level: int, fps: float = FPS, seconds: float = SECONDS, uneven: bool = False) -> list[Frame]:
    """Frames of one grey with a moving spot; ``uneven``: not all as long."""
    step = 1000 / fps
    times = [round(index * step + (7 * (index % 3) if uneven else 0)) for index in range(round(seconds * fps))]
    frames = []
    for index, pts in enumerate(times):
        image = np.full((48, 64, 3), level, np.uint8)
        image[:4, index % 60 : index % 60 + 4] += 20
        frames.append(Frame(index, pts / 1000, pts, image, round(step)))
    return frames


def written(path: Path, frames: list[Frame], info: VideoInfo = INFO, **quality: object) -> Path:
    with VideoWriter(path, info, **(QUALITY | quality)) as writer:
        for frame in frames:
            writer.write(frame, frame.image)
    return path


def within(frames: list[Frame], spans: list[tuple[float, float]]) -> list[Frame]:
    return [one for one in frames if any(start <= one.t < end for start, end in spans)]


def levels(path: Path) -> list[float]:
    with VideoReader(path) as reader:
        return [float(np.median(frame.image)) for frame in reader.frames()]


def packets(path: Path) -> list[tuple[int, int, int, bytes]]:
    with av.open(str(path)) as container:
        return [(one.pts, one.dts, one.duration, bytes(one)) for one in container.demux(video=0) if one.dts is not None]


def test_a_video_of_one_frame_is_written_whole(tmp_path):
    assert to_mend(written(tmp_path / "a.mp4", pictures(80, seconds=0.1)), lambda start, end: True) is None


def test_where_all_changes_it_is_written_whole(tmp_path):
    assert to_mend(written(tmp_path / "a.mp4", pictures(80)), lambda start, end: True) is None


def test_stills_seconds_apart_are_written_whole(tmp_path):
    video = written(tmp_path / "a.mp4", pictures(80, fps=0.2, seconds=30), replace(INFO, fps=0.2))
    assert {one.packets for one in stretches(video)} == {1}
    assert to_mend(video, lambda start, end: start == 0) is None


def test_where_nothing_changes_there_is_nothing_to_mend(tmp_path):
    assert to_mend(written(tmp_path / "a.mp4", pictures(80)), lambda start, end: False) == []


def test_neighbouring_stretches_are_one(tmp_path):
    video = written(tmp_path / "a.mp4", pictures(80))
    every = [(float(one.start), float(one.end)) for one in stretches(video)]
    assert len(every) >= 4
    assert every[-1][1] == pytest.approx(SECONDS)
    assert sum(one.packets for one in stretches(video)) == FPS * SECONDS
    chosen = {every[1][0], every[2][0], every[-1][0]}
    assert to_mend(video, lambda start, end: start in chosen) == [(every[1][0], every[2][1]), every[-1]]


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("places", [[0], [1], [-1], [0, 2], [1, 2], [0, 1, 3, -1]])
def test_old_stretches_are_the_old_packets_and_new_ones_show_what_is_new(tmp_path, places, uneven):
    old = pictures(80, uneven=uneven)
    video = written(tmp_path / "a.mp4", old)
    before, first = packets(video), levels(video)
    every = [(float(one.start), float(one.end)) for one in stretches(video)]
    chosen = [every[place] for place in places]
    spans = to_mend(video, lambda start, end: (start, end) in chosen)
    assert spans
    new = within(pictures(180, uneven=uneven), spans)
    assert mend(video, spans, INFO, new, **QUALITY)
    after = packets(video)
    assert [one[:3] for one in after] == [one[:3] for one in before]  # times to the tick
    touched = [bool(within([frame], spans)) for frame in old]
    assert [one for one, is_new in zip(after, touched, strict=True) if not is_new] == [
        one for one, is_new in zip(before, touched, strict=True) if not is_new
    ]
    for level, was, is_new in zip(levels(video), first, touched, strict=True):
        assert level == pytest.approx(180 if is_new else was, abs=3 if is_new else 0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_keyframes_in_a_row_are_written_together(tmp_path):
    frames = pictures(80)
    for frame in frames[25:30]:  # each another scene to the encoder
        frame.image[:] = np.random.default_rng(frame.index).integers(0, 255, frame.image.shape)
    video = written(tmp_path / "a.mp4", frames)
    every = stretches(video)
    single = [index for index, one in enumerate(every) if one.packets == 1]
    assert single
    start, end = float(every[single[0]].start), float(every[single[-1] + 1].end)
    ((first, last),) = to_mend(video, lambda start, end: start == float(every[single[0]].start)) or [(0, 0)]
    assert first <= start
    assert last >= end


def test_another_size_or_quality_does_not_fit_and_changes_nothing(tmp_path):
    video = written(tmp_path / "a.mp4", pictures(80), preset="ultrafast")
    kept = video.read_bytes()
    first = stretches(video)[0]
    spans = [(float(first.start), float(first.end))]
    assert not mend(video, spans, INFO, within(pictures(180), spans), **QUALITY)
    assert video.read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_failure_leaves_the_video_as_it_was(tmp_path):
    video = written(tmp_path / "a.mp4", pictures(80))
    kept = video.read_bytes()

    def broken():
        yield from pictures(180)[:3]
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        mend(video, [(0.0, float(stretches(video)[0].end))], INFO, broken(), **QUALITY)
    assert video.read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_sound_stays(tmp_path):
    source, video = make_sound(tmp_path / "sound.mp4", seconds=SECONDS), tmp_path / "a.mp4"
    info, frames = replace(INFO, has_audio=True), pictures(80)
    with VideoWriter(video, info, audio_from=source) as writer:
        for frame in frames:
            writer.write(frame, frame.image)

    def sound() -> list[tuple[int, bytes]]:
        with av.open(str(video)) as container:
            return [(one.pts, bytes(one)) for one in container.demux(audio=0) if one.dts is not None]

    before = sound()
    spans = [(float(stretches(video)[1].start), float(stretches(video)[1].end))]
    assert mend(video, spans, info, within(frames, spans), **QUALITY)
    assert sound() == before
    assert len(before) > 100
