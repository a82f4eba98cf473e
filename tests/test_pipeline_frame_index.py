"""Stretches without the rest: files that tell nothing or lie, then that nothing differs, then what it saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from clips import MILLISECOND, make_clip
from hypothesis import given
from hypothesis import strategies as st

from pipeline import frame_index
from pipeline.decode import decoded
from pipeline.frame_index import FrameIndex
from pipeline.video import Frame, VideoReader

RATE, COUNT = Fraction(10), 120
LATE = [(4.05, 4.95), (9.0, 10.0)]
EVERY_HALF_SECOND = {"g": "5", "bf": "2", "x264-params": "b-adapt=0:open-gop=1"}


def clip(path: Path, count: int = COUNT, **more) -> Path:
    return make_clip(path, range(count), 1 / RATE, rate=RATE, **{"options": EVERY_HALF_SECOND} | more)


def index_of(path: Path) -> FrameIndex | None:
    info = VideoReader(path).info
    return FrameIndex.of(path, info.time_base, info.fps)


def seen(frames: Sequence[Frame]) -> list[tuple[object, ...]]:
    return [(one.index, one.t, one.pts, one.duration, one.image.tobytes()) for one in frames]


def same(path: Path, spans: list[tuple[float, float]], rate: float | None = None) -> VideoReader:
    """A reader that has read these stretches, which were the same as when all is decoded."""
    plain, reader = VideoReader(path), VideoReader(path)
    wanted = seen(list(plain.frames_within(spans, None, rate)))
    assert seen(list(reader.frames_within(spans, plain.decoded, rate))) == wanted
    assert reader.decoded == plain.decoded
    return reader


@pytest.fixture
def came_out(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each frame that is decoded for stretches."""
    out: list[int] = []

    def counted(*args):
        for frame in decoded(*args):
            out.append(1)
            yield frame

    monkeypatch.setattr(frame_index, "decoded", counted)
    return out


@pytest.mark.parametrize("ending", ["ts", "avi", "h264"])
def test_files_that_do_not_tell_where_frames_are(tmp_path, ending):
    path = clip(tmp_path / f"a.{ending}")
    assert index_of(path) is None
    same(path, LATE)


def test_one_frame(tmp_path):
    path = clip(tmp_path / "a.mp4", 1)
    index = index_of(path)
    assert index is not None
    assert (index.ticks, index.keys) == ([0], [0])
    assert len(seen(list(same(path, [(0.0, 1.0)]).frames()))) == 1


@pytest.mark.parametrize("spans", [[], [(50.0, 60.0)], [(0.0, 99.0)], [(0.0, 0.05)], [(11.85, 12.0)]])
def test_no_stretch_beyond_the_end_all_first_and_last(tmp_path, spans):
    same(clip(tmp_path / "a.mp4"), spans)


def test_a_clock_that_starts_anew_is_none(tmp_path):
    pts = [*range(0, 4000, 100), *range(0, 4000, 100)]
    path = make_clip(tmp_path / "a.mkv", [one + 9000 * (at >= 40) for at, one in enumerate(pts)], MILLISECOND, rate=10)
    assert index_of(path) is not None  # a pause is none
    same(path, LATE)
    leap = [one + 9 * 3600_000 * (at >= 40) for at, one in enumerate(pts)]
    path = make_clip(tmp_path / "b.mkv", leap, MILLISECOND, rate=10)
    assert index_of(path) is None
    same(path, LATE)


def test_a_truncated_file(tmp_path):
    path = clip(tmp_path / "a.mp4", noise=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    plain, reader = VideoReader(path), VideoReader(path)
    wanted = seen(list(plain.frames_within(LATE, None)))
    assert seen(list(reader.frames_within(LATE, plain.decoded))) == wanted


@pytest.mark.parametrize("expected", [None, COUNT - 1, COUNT + 1])
def test_another_number_of_frames_than_there_was(tmp_path, came_out, expected):
    reader = VideoReader(clip(tmp_path / "a.mp4"))
    assert [one.index for one in reader.frames_within([(1.0, 1.2)], expected)] == [10, 11]
    assert reader.decoded == COUNT  # all are decoded
    assert not came_out


@pytest.mark.parametrize(
    "lie",
    [
        lambda index: replace(index, ticks=[one + (one > 50) for one in index.ticks]),
        lambda index: replace(index, first=index.first + 1),
        lambda index: replace(index, starts=[10**9] * len(index.starts)),
        lambda index: replace(index, starts=[-(2**62)] * len(index.starts)),
        lambda index: replace(index, starts=index.starts[1:] + index.starts[-1:]),
    ],
)
def test_what_is_not_where_it_should_be_is_looked_for_from_the_start(tmp_path, monkeypatch, lie):
    path = clip(tmp_path / "a.mp4")
    index = index_of(path)
    assert index is not None
    reader = VideoReader(path)
    wanted = seen(list(reader.frames_within(LATE, None)))
    monkeypatch.setattr(FrameIndex, "of", lambda *_: lie(index))
    assert seen(list(reader.frames_within(LATE, COUNT))) == wanted
    assert reader.decoded == COUNT


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("begin", [0, 7])
def test_only_what_is_needed_is_decoded(tmp_path, came_out, ending, begin):
    pts = range(begin, begin + 800)
    path = make_clip(tmp_path / f"a.{ending}", pts, 1 / RATE, rate=RATE, options=EVERY_HALF_SECOND)
    same(path, [(30.0, 31.0), (60.3, 60.5), (60.9, 61.0)])
    assert 0 < len(came_out) < 60


def test_neighbouring_stretches_are_decoded_in_one_go(tmp_path, came_out):
    same(clip(tmp_path / "a.mp4"), [(at / 10, (at + 1) / 10) for at in range(0, 110, 2)])
    assert 0 < len(came_out) < COUNT


def test_frames_that_are_no_keyframes_for_minutes(tmp_path):
    same(clip(tmp_path / "a.mp4", options={"g": "1000"}), LATE)


SPANS = st.lists(st.floats(0, 13), max_size=8, unique=True).map(
    lambda ends: list(zip(sorted(ends)[::2], sorted(ends)[1::2], strict=False))
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    uneven = [100 * at + 13 * (at % 4) + 700 * (at > 60) for at in range(COUNT)]
    return [
        clip(folder / "a.mp4"),
        clip(folder / "b.mkv"),
        clip(folder / "c.webm", codec="libvpx", options={"g": "7", "deadline": "realtime"}),
        make_clip(folder / "d.mp4", uneven, MILLISECOND, rate=10, options=EVERY_HALF_SECOND, last=300),
        clip(folder / "e.mp4", codec="mpeg4", options={"g": "12", "bf": "2"}),
    ]


@given(which=st.integers(0, 4), spans=SPANS, rate=st.none() | st.floats(0.3, 12))
def test_stretches_are_those_of_the_whole(clips, which, spans, rate):
    same(clips[which], spans, rate)
