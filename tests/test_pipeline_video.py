from __future__ import annotations

import itertools
import os
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import MILLISECOND, make_clip, make_sound, picture, turn
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import VideoError
from pipeline.timing import Clock, Sampler
from pipeline.video import VideoReader, lies_in, prefetch

NTSC_FILM, NTSC = Fraction(24000, 1001), Fraction(30000, 1001)
B_FRAMES = {"bf": "3", "x264-params": "b-adapt=0"}


def cfr(path: Path, rate: Fraction, count: int, **more) -> Path:
    return make_clip(path, range(count), 1 / rate, rate=rate, **more)


def refusal(path: Path) -> str:
    with pytest.raises(VideoError) as caught:
        VideoReader(path)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


# what is not a video


def test_no_such_file(tmp_path):
    assert "no such file" in refusal(tmp_path / "gone.mp4")


def test_a_folder(tmp_path):
    assert "is a folder" in refusal(tmp_path)


def test_an_empty_file(tmp_path):
    (tmp_path / "empty.mp4").touch()
    assert "empty (0 bytes)" in refusal(tmp_path / "empty.mp4")


@pytest.mark.parametrize("text", ["Lecture 4\n" * 50, "x", "#EXTM3U\nhttp://example.invalid/a.ts\n"])
def test_text_named_mp4(tmp_path, text):
    path = tmp_path / "notes.mp4"
    path.write_text(text)
    assert refusal(path).startswith("notes.mp4: not a readable video")


def test_sound_without_picture(tmp_path):
    message = refusal(make_sound(tmp_path / "voice.mp4"))
    assert message == "voice.mp4: no video stream (found: audio); export the recording as MP4 or MKV"


def test_a_cover_picture_is_not_a_video(tmp_path):
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as output:
        sound = output.add_stream("libmp3lame", rate=44100)
        cover = output.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.codec_context.time_base = Fraction(1, 25)
        frame = av.VideoFrame.from_ndarray(picture(0), format="bgr24").reformat(format="yuvj420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        output.mux(cover.encode(frame))
        samples = av.AudioFrame.from_ndarray(np.zeros((2, 44100), np.float32), "fltp", "stereo")
        samples.sample_rate, samples.pts, samples.time_base = 44100, 0, Fraction(1, 44100)
        output.mux(sound.encode(samples))
        output.mux(sound.encode(None))
    assert "no video stream (found: audio, cover picture)" in refusal(path)


def test_a_video_without_frames(tmp_path):
    path = tmp_path / "nothing.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        output.start_encoding()
    assert refusal(path)


def test_a_stream_that_holds_only_noise(tmp_path):
    path = cfr(tmp_path / "noise.mp4", Fraction(10), 5)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = np.random.default_rng(0).bytes(len(data) - start)
    path.write_bytes(data)
    assert "no frame can be decoded" in refusal(path)


def test_truncated_without_index(tmp_path):
    path = cfr(tmp_path / "cut.mp4", Fraction(10), 40, movflags="", noise=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    message = "cut.mp4: the file is incomplete (its index is missing); export or copy the recording again"
    assert refusal(path) == message


# what is damaged in part


def test_truncated_with_index_in_front_yields_what_is_there(tmp_path):
    path = cfr(tmp_path / "cut.mp4", Fraction(10), 40, noise=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = VideoReader(path)
    indices = [frame.index for frame in reader.frames()]
    assert indices == list(range(reader.decoded))
    assert 15 <= reader.decoded <= 21
    assert reader.warnings == [
        f"cut.mp4: decoded {reader.decoded} of 40 frames ({reader.duration:.1f} of 4.0 s); the rest is damaged"
    ]


def test_damage_in_the_middle_is_skipped_with_one_warning(tmp_path):
    path = cfr(tmp_path / "scratched.mp4", Fraction(10), 60, noise=True, options={"g": "10", "bf": "0"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 12000] = bytes(12000)
    path.write_bytes(data)
    reader = VideoReader(path)
    times = [frame.t for frame in reader.frames()]
    assert 40 <= len(times) <= 60
    assert times[-1] == pytest.approx(5.9)  # what follows the damage keeps its time
    assert len(reader.warnings) == 1
    assert "damaged in" in reader.warnings[0]


def test_a_whole_file_has_no_warning(tmp_path):
    reader = VideoReader(cfr(tmp_path / "a.mp4", Fraction(10), 12))
    assert sum(1 for _ in reader.frames()) == 12
    assert reader.warnings == []


# timing


@pytest.mark.parametrize("rate", [NTSC_FILM, NTSC, Fraction(60), Fraction(10), Fraction(1)])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi"])
def test_constant_rates_in_every_container(tmp_path, rate, ending):
    reader = VideoReader(cfr(tmp_path / f"a.{ending}", rate, 37, options=B_FRAMES))
    frames = list(reader.frames())
    resolution = float(reader.info.time_base)
    assert reader.info.fps == pytest.approx(float(rate), rel=0.02)
    assert [frame.index for frame in frames] == list(range(37))
    assert [frame.t for frame in frames] == pytest.approx([float(k / rate) for k in range(37)], abs=resolution)
    assert reader.duration == pytest.approx(float(37 / rate), abs=2 * resolution)
    assert reader.warnings == []


def test_variable_rate_keeps_every_timestamp_and_the_last_duration(tmp_path):
    pts = [0, 33, 70, 71, 500, 533, 3000]
    path = make_clip(tmp_path / "vfr.mp4", pts, MILLISECOND, rate=30, last=900, options={"bf": "0"})
    reader = VideoReader(path)
    assert [round(frame.t * 1000) for frame in reader.frames()] == pts
    assert reader.duration == pytest.approx(3.9)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_a_recording_that_begins_late_begins_at_zero(tmp_path, ending):
    path = make_clip(tmp_path / f"late.{ending}", range(5000, 5400, 40), MILLISECOND, audio=("aac", 0.0, 5.4))
    reader = VideoReader(path)
    assert [round(frame.t * 1000) for frame in reader.frames()] == list(range(0, 400, 40))
    assert float(reader.info.start) >= 4.9


def test_timestamps_missing_in_a_bare_stream_come_from_the_rate(tmp_path):
    reader = VideoReader(cfr(tmp_path / "a.h264", Fraction(25), 30, options=B_FRAMES))
    assert [frame.t for frame in reader.frames()] == pytest.approx([k / 25 for k in range(30)])


def test_a_reader_can_be_read_twice(tmp_path):
    with VideoReader(cfr(tmp_path / "a.mp4", Fraction(10), 9)) as reader:
        assert sum(1 for _ in reader.frames()) == 9
        assert sum(1 for _ in reader.frames(5)) == 5
        assert reader.decoded == 9


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([5, 6, 7], [0, 1, 2]),
        ([0, 10, 10, 10, 20], [0, 10, 11, 12, 20]),  # repeated
        ([0, 10, 8, 20], [0, 10, 11, 20]),  # back a little
        ([None, None, None], [0, 4, 8]),  # none at all, 25 fps in 10 ms ticks
        ([None, 7, 11], [0, 4, 8]),  # the first is missing
        ([3, None, None, 15], [0, 4, 8, 12]),
        ([500, 504, 0, 4, 8], [0, 4, 8, 12, 16]),  # the recorder began anew
        ([0, 4, 900], [0, 4, 900]),  # a gap is a gap
    ],
)
def test_clock(stamps, expected):
    clock = Clock(Fraction(1, 100), 25.0)
    assert [clock.ticks(pts) for pts in stamps] == expected


@given(st.lists(st.none() | st.integers(-(10**7), 10**7), min_size=1, max_size=60))
def test_the_clock_only_goes_forward(stamps):
    clock = Clock(Fraction(1, 90_000), 29.97)
    ticks = [clock.ticks(pts) for pts in stamps]
    assert ticks[0] == 0
    assert all(a < b for a, b in itertools.pairwise(ticks))


def test_missing_timestamps_do_not_drift():
    clock = Clock(MILLISECOND, float(NTSC))
    ticks = [clock.ticks(None) for _ in range(30001)]
    assert ticks[-1] == 1_001_000


# choosing frames


def chosen(times: list[Fraction], rate: float, slack: Fraction = Fraction(0)) -> list[int]:
    sampler = Sampler(rate, slack)
    return [index for index, t in enumerate(times) if sampler.takes(t)]


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_sampler_refuses_impossible_rates(rate):
    with pytest.raises(ValueError, match="rate"):
        Sampler(rate)


def test_half_the_rate_is_exactly_every_second_frame():
    assert chosen([Fraction(k, 10) for k in range(400)], 5) == list(range(0, 400, 2))


def test_no_drift_in_an_hour_of_ntsc():
    times = [k / NTSC for k in range(108_000)]
    kept = chosen(times, 5.0)
    assert len(kept) == 18_018  # 3603.6 s
    assert times[kept[-1]] - Fraction(len(kept) - 1, 5) < 1 / NTSC


def test_a_gap_skips_its_ticks():
    assert chosen([Fraction(t, 10) for t in (0, 1, 2, 40, 41, 42)], 5) == [0, 2, 3, 5]


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=80),
    st.floats(0.05, 60),
)
def test_laws_of_the_sampler(gaps_ms, rate):
    times = [Fraction(ms, 1000) for ms in itertools.accumulate(gaps_ms, initial=0)]
    kept = chosen(times, rate)
    exact = Fraction(rate).limit_denominator(1_000_000)
    ticks = [int(times[index] * exact) for index in kept]
    assert kept[0] == 0
    assert all(a < b for a, b in itertools.pairwise(ticks))  # one frame for one tick
    for index, tick in zip(kept[1:], ticks[1:], strict=True):
        assert times[index - 1] < tick / exact <= times[index]  # and it is the first


@given(st.fractions(1, 120, max_denominator=1001), st.floats(0.1, 60), st.integers(1, 300))
def test_constant_rate_gives_rate_times_duration(fps, rate, count):
    kept = chosen([k / fps for k in range(count)], rate)
    assert abs(len(kept) - min(count, float(count / fps) * rate)) <= 1


@pytest.mark.parametrize(("ending", "rate"), [("mp4", 29.97), ("mkv", 29.97), ("mkv", 30), ("mp4", 60)])
def test_every_frame_when_the_source_is_not_faster(tmp_path, ending, rate):
    reader = VideoReader(cfr(tmp_path / f"a.{ending}", NTSC, 40))
    assert [frame.index for frame in reader.frames(rate)] == list(range(40))


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi"])
def test_every_third_frame_whatever_the_timestamps_resolution(tmp_path, ending):
    reader = VideoReader(cfr(tmp_path / f"a.{ending}", Fraction(30), 60))
    assert [frame.index for frame in reader.frames(10)] == list(range(0, 60, 3))
    assert reader.decoded == 60


# pictures


SPANS = st.lists(st.floats(0, 10), max_size=6, unique=True).map(
    lambda ends: list(zip(sorted(ends)[::2], sorted(ends)[1::2], strict=False))
)


@given(SPANS, st.floats(-1, 11))
def test_a_time_lies_in_one_of_the_spans_or_in_none(spans, t):
    near = any(abs(t - end) < 2e-6 for span in spans for end in span)
    assert near or lies_in(t, spans) == any(start <= t < end for start, end in spans)


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        ([], []),
        ([(0.0, 0.1)], [0]),
        ([(0.1, 0.3), (0.7, 9.0)], [1, 2, 7, 8, 9]),
        ([(5.0, 6.0)], []),
        (None, list(range(10))),
    ],
)
def test_only_frames_of_some_stretches(tmp_path, within, expected):
    reader = VideoReader(cfr(tmp_path / "a.mp4", Fraction(10), 10))
    frames = reader.frames() if within is None else reader.frames_within(within, None)
    assert [frame.index for frame in frames] == expected
    assert reader.decoded == 10  # all are counted
    assert reader.duration == pytest.approx(1.0)


def test_stretches_and_a_rate_together_take_frames_that_the_rate_alone_takes(tmp_path):
    reader = VideoReader(cfr(tmp_path / "a.mp4", Fraction(10), 20))
    alone = [frame.index for frame in reader.frames(5.0)]
    assert [frame.index for frame in reader.frames_within([(0.55, 1.5)], None, 5.0)] == [
        i for i in alone if 6 <= i < 15
    ]


@pytest.mark.parametrize(
    ("abcd", "rotation", "upright"),
    [
        ((1, 0, 0, 1), 0, lambda image: image),
        ((0, 1, -1, 0), 90, lambda image: np.rot90(image, -1)),
        ((-1, 0, 0, -1), 180, lambda image: np.rot90(image, 2)),
        ((0, -1, 1, 0), 270, lambda image: np.rot90(image)),
        ((-1, 0, 0, 1), 0, lambda image: image[:, ::-1]),
        ((1, 0, 0, -1), 180, lambda image: image[::-1]),
    ],
)
def test_rotated_recordings_stand_upright(tmp_path, abcd, rotation, upright):
    path = turn(cfr(tmp_path / "phone.mp4", Fraction(10), 3, options={"crf": "5"}), abcd)
    reader = VideoReader(path)
    expected = upright(picture(0))
    image = next(reader.frames()).image
    assert reader.info.rotation == rotation
    assert (reader.info.height, reader.info.width) == expected.shape[:2]
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - expected).mean() < 8


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "ending"),
    [
        ("libx264", "yuv420p", "mp4"),
        ("libx264", "yuvj420p", "mp4"),
        ("libx264", "yuv420p10le", "mp4"),
        ("libx264", "yuv444p", "mp4"),
        ("mjpeg", "yuvj422p", "avi"),
        ("ffv1", "yuv422p", "mkv"),
        ("png", "rgb24", "mov"),
        ("rawvideo", "bgr24", "avi"),
    ],
)
def test_pixel_formats(tmp_path, codec, pix_fmt, ending):
    path = cfr(tmp_path / f"a.{ending}", Fraction(10), 3, codec=codec, pix_fmt=pix_fmt)
    image = next(VideoReader(path).frames()).image
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - picture(0)).mean() < 8


def test_odd_sizes_are_read_as_they_are(tmp_path):
    path = cfr(tmp_path / "odd.mkv", Fraction(10), 3, size=(51, 37), codec="ffv1", pix_fmt="bgr0")
    reader = VideoReader(path)
    assert next(reader.frames()).image.shape == (37, 51, 3)
    assert (reader.info.width, reader.info.height) == (51, 37)


# reading ahead


def test_prefetch_keeps_order_and_none():
    assert list(prefetch(iter([3, None, 1]), depth=1)) == [3, None, 1]
    assert list(prefetch(iter([]))) == []


def test_prefetch_raises_in_place():
    def broken():
        yield 1
        raise KeyError("disk")

    ahead = prefetch(broken())
    assert next(ahead) == 1
    with pytest.raises(KeyError, match="disk"):
        next(ahead)


def test_prefetch_is_bounded_and_ends_with_its_consumer():
    made, closed = [], threading.Event()

    def endless():
        try:
            for number in itertools.count():
                made.append(number)
                yield number
        finally:
            closed.set()

    ahead = prefetch(endless(), depth=3)
    assert [next(ahead), next(ahead)] == [0, 1]
    ahead.close()
    assert closed.is_set()
    assert len(made) <= 7
    assert not any(thread.name == "prefetch" for thread in threading.enumerate())


def test_leaving_the_reader_amid_a_prefetch(tmp_path):
    with VideoReader(cfr(tmp_path / "a.mp4", Fraction(10), 50)) as reader:
        ahead = prefetch(reader.frames(), depth=2)
        assert next(ahead).index == 0
        ahead.close()


# one real case


def test_the_demo_clip():
    reader = VideoReader("demo/classroom.mp4")
    info = reader.info
    assert (info.width, info.height, info.fps, info.frames, info.has_audio) == (1280, 720, 10.0, 400, False)
    frames = [(frame.index, frame.t) for frame in reader.frames(0.5)]
    assert frames == [(20 * k, 2.0 * k) for k in range(20)]
    assert (reader.decoded, reader.duration, reader.warnings) == (400, 40.0, [])


# what asks for too much, or for something else


@pytest.mark.parametrize("size", [(8448, 16), (16, 8448), (8192, 4336)])
def test_pictures_too_large_are_refused_before_memory_is_taken(tmp_path, size):
    path = make_clip(tmp_path / "vast.mkv", [0], Fraction(1, 25), size=size, codec="ffv1")
    width, height = size
    assert f"{width} × {height} px are too large; export it" in refusal(path)


def test_pictures_larger_than_the_file_declares_are_not_decoded(tmp_path):
    path = make_clip(tmp_path / "liar.avi", [0], Fraction(1, 25), size=(8448, 64), codec="mjpeg", pix_fmt="yuvj420p")
    data = bytearray(path.read_bytes())
    for name in (b"avih", b"strf"):  # the main header's and the stream's width
        at = data.index(name) + (8 + 32 if name == b"avih" else 8 + 4)
        data[at : at + 4] = (64).to_bytes(4, "little")
    path.write_bytes(data)
    assert "too large" in refusal(path)


def test_too_many_streams(tmp_path):
    path = tmp_path / "many.mkv"
    with av.open(str(path), "w") as output:
        streams = [output.add_stream("rawvideo", rate=25) for _ in range(65)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 2, 2, "yuv420p"
        for stream in streams:
            frame = av.VideoFrame(2, 2, "yuv420p")
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            output.mux(stream.encode(frame))
    assert "holds 65 streams, more than 64" in refusal(path)


@pytest.mark.parametrize(
    "text",
    ["ffconcat version 1.0\nfile 'other.mp4'\n",
     "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n"],
    ids=["concat", "hls"],
)  # fmt: skip
def test_a_list_of_other_files_opens_none_of_them(tmp_path, text):
    cfr(tmp_path / "other.mp4", Fraction(25), 5)
    (tmp_path / "lecture.mp4").write_text(text)
    assert "not a readable video" in refusal(tmp_path / "lecture.mp4")


def test_a_name_that_numbers_files_is_one_name(tmp_path):
    (tmp_path / "frame%d.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "not a readable video" in refusal(tmp_path / "frame%d.png")


def test_titles_need_not_be_text(tmp_path):
    path = tmp_path / "titled.mkv"
    cfr(path, Fraction(25), 3)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"Lavf", b"\xff\xfe\xfd\xfc"))
    assert data.count(b"Lavf")
    assert len(list(VideoReader(path).frames())) == 3


def test_sound_in_an_unknown_format_is_no_sound(tmp_path):
    path = cfr(tmp_path / "strange.mkv", Fraction(25), 5, audio=("aac", 0.0, 0.2))
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_QQQ"))
    assert not VideoReader(path).info.has_audio


def test_a_clock_that_leaps_by_years_goes_on_without_them(tmp_path):
    year = 365 * 86_400 * 1000
    path = make_clip(tmp_path / "leap.mkv", [0, 40, 80, year, year + 40], Fraction(1, 1000), codec="ffv1")
    times = [frame.t for frame in VideoReader(path).frames()]
    assert times[:3] == pytest.approx([0, 0.04, 0.08], abs=0.002)
    assert len(times) == 5
    assert times[3] < 60 < 6 * 3600
    assert times[4] - times[3] == pytest.approx(0.04, abs=0.002)


def test_more_than_a_day_is_no_lecture(tmp_path):
    hours = [hour * 3_600_000 * 5 for hour in range(6)]
    path = make_clip(tmp_path / "week.mkv", hours, Fraction(1, 1000), codec="ffv1")
    with pytest.raises(VideoError, match="more than 24 hours; cut it") as caught:
        list(VideoReader(path).frames())
    assert str(caught.value).startswith("week.mkv: ")


def test_a_name_that_is_no_text_can_be_written_into_a_session(tmp_path):
    path = cfr(tmp_path / "plain.mp4", Fraction(25), 3)
    path = path.rename(tmp_path / os.fsdecode(b"v\xff.mp4"))
    assert VideoReader(path).info.name == "v?.mp4"
