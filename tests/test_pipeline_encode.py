from __future__ import annotations

import errno
import itertools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import MILLISECOND, boxes, make_clip, picture

from pipeline.encode import VideoWriter
from pipeline.errors import VideoError
from pipeline.video import Frame, VideoInfo, VideoReader

NTSC = Fraction(30000, 1001)


def info(width: int = 64, height: int = 48, fps: float = 10.0, time_base: Fraction = MILLISECOND) -> VideoInfo:
    return VideoInfo("made.mp4", width, height, 0, fps, time_base, None, None, False)


def frame(pts: int, image: np.ndarray, time_base: Fraction = MILLISECOND, duration: int = 0) -> Frame:
    return Frame(pts, float(pts * time_base), pts, image, duration)


def write_all(path: Path, images: Iterable[np.ndarray]) -> None:
    with VideoWriter(path, info()) as writer:
        for k, image in enumerate(images):
            writer.write(frame(100 * k, image), image)


def copy(source: Path, target: Path, **more) -> VideoReader:
    """Pass every frame of ``source`` through the writer; the reader that was used."""
    with VideoReader(source) as reader, VideoWriter(target, reader.info, **more) as writer:
        for one in reader.frames():
            writer.write(one, one.image)
    return reader


# what cannot be written


def test_no_frame_leaves_no_file(tmp_path):
    path = tmp_path / "none.mp4"
    with pytest.raises(VideoError, match="no frame was written"), VideoWriter(path, info()):
        pass
    assert not path.exists()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        VideoWriter(tmp_path / "gone" / "a.mp4", info())
    assert caught.value.errno == errno.ENOENT


def test_a_folder_in_the_place_of_the_file(tmp_path):
    with pytest.raises(IsADirectoryError):
        VideoWriter(tmp_path, info())
    assert tmp_path.is_dir()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("count", [1, 300])  # noticed at the end, noticed amid
def test_a_full_disk(count):
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    with pytest.raises(OSError, match=r"No space left") as caught:
        write_all(Path("/dev/full"), [noise] * count)
    assert caught.value.errno == errno.ENOSPC
    assert not isinstance(caught.value, av.FFmpegError)
    assert Path("/dev/full").exists()


def test_a_disk_that_fills_at_the_very_end(tmp_path):
    """The index is written last, and then everything is moved behind it."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "big.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = VideoWriter(path, info(320, 240), crf=10)
    for k in range(40):
        writer.write(frame(100 * k, noise), noise)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
        with pytest.raises(OSError, match=r"big\.mp4") as caught, writer:
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert not path.exists()


def test_an_error_in_the_block_is_not_hidden_and_leaves_no_file(tmp_path):
    path = tmp_path / "a.mp4"

    def pictures():
        yield from map(picture, range(30))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_all(path, pictures())
    assert not path.exists()


def test_a_picture_of_another_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\(48, 64, 3\)"), VideoWriter(tmp_path / "a.mp4", info()) as writer:
        writer.write(frame(0, picture(0)), np.zeros((48, 66, 3), np.uint8))


def test_frames_out_of_order_are_refused(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", info()) as writer:
        writer.write(frame(5, picture(0)), picture(0))
        with pytest.raises(ValueError, match="in order"):
            writer.write(frame(5, picture(0)), picture(0))


# timing


def test_one_frame(tmp_path):
    with VideoWriter(tmp_path / "one.mp4", info()) as writer:
        writer.write(frame(0, picture(0)), picture(0))
    reader = VideoReader(tmp_path / "one.mp4")
    assert sum(1 for _ in reader.frames()) == 1
    assert reader.duration == pytest.approx(0.1)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), NTSC, Fraction(60), Fraction(10), Fraction(1, 2)])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi"])
def test_constant_rates_come_out_as_they_went_in(tmp_path, rate, ending):
    source = make_clip(tmp_path / f"in.{ending}", range(31), 1 / rate, rate=rate, options={"bf": "2"})
    before = copy(source, tmp_path / "out.mp4")
    after = VideoReader(tmp_path / "out.mp4")
    times = [one.pts * after.info.time_base for one in after.frames()]
    assert times == [one.pts * before.info.time_base for one in before.frames()]
    assert len(times) == 31
    assert after.duration == pytest.approx(before.duration, abs=1e-3)
    assert after.info.duration == pytest.approx(float(31 / rate), abs=float(1 / rate))
    assert after.warnings == []


@pytest.mark.parametrize("bf", ["0", "3"])
def test_variable_rate_and_a_long_last_frame(tmp_path, bf):
    pts = [0, 33, 70, 71, 500, 533, 3000, 3040, 3100]
    source = make_clip(tmp_path / "in.mp4", pts, MILLISECOND, rate=30, last=900, options={"bf": bf})
    before = copy(source, tmp_path / "out.mp4")
    after = VideoReader(tmp_path / "out.mp4")
    assert [round(one.t * 1000) for one in after.frames()] == pts
    assert after.duration == pytest.approx(before.duration, abs=1e-3)
    assert after.info.duration == pytest.approx(before.duration, abs=1e-3)


@pytest.mark.parametrize("gaps_ms", [[33] * 200, [17] * 300, [1000] * 8, [3000] * 4, [40, 400, 10, 900] * 12])
def test_a_keyframe_at_least_every_two_seconds(tmp_path, gaps_ms):
    pts = np.cumsum([0, *gaps_ms]).tolist()
    fps = 1000 / float(np.mean(gaps_ms))
    with VideoWriter(tmp_path / "a.mp4", info(fps=fps)) as writer:
        for k, tick in enumerate(pts):
            writer.write(frame(tick, picture(k)), picture(k))
    with av.open(str(tmp_path / "a.mp4")) as container:
        keys = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.size and p.is_keyframe]
    for begin, end in itertools.pairwise([*keys, pts[-1] / 1000]):
        between = [tick / 1000 for tick in pts if begin < tick / 1000 < end]
        assert not between or between[-1] - begin < 2.0


# what a player needs


def test_the_file_streams_and_plays_in_browsers(tmp_path):
    write_all(tmp_path / "a.mp4", map(picture, range(30)))
    kinds = boxes(tmp_path / "a.mp4")
    assert kinds.index("moov") < kinds.index("mdat")
    with av.open(str(tmp_path / "a.mp4")) as container:
        (stream,) = container.streams
        codec = stream.codec_context
        first = next(container.decode(stream))
        assert (codec.name, codec.profile, codec.pix_fmt) == ("h264", "High", "yuv420p")
        tags = (codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range)
        assert [int(tag) for tag in tags] == [1, 1, 1, 1]  # BT.709 thrice, limited range
        assert int(first.colorspace) == 1


@pytest.mark.parametrize("size", [(64, 48), (1280, 720)])
def test_colours_survive(tmp_path, size):
    card = picture(0, *size)
    with VideoWriter(tmp_path / "a.mp4", info(*size), crf=1) as writer:
        writer.write(frame(0, card), card)
    image = next(VideoReader(tmp_path / "a.mp4").frames()).image.astype(int)
    for y, x in [(1, 1), (1, 3), (3, 1), (3, 3)]:
        at = (size[1] * y // 4, size[0] * x // 4)
        assert np.abs(image[at] - card[at]).max() <= 4
    assert np.abs(image - card).mean() < 4


def test_blue_is_written_as_bt709(tmp_path):
    blue = np.full((48, 64, 3), (255, 0, 0), np.uint8)
    with VideoWriter(tmp_path / "a.mp4", info(), crf=1) as writer:
        writer.write(frame(0, blue), blue)
    with av.open(str(tmp_path / "a.mp4")) as container:
        luma = next(container.decode(video=0)).to_ndarray()[:48].mean()
    assert luma == pytest.approx(16 + 219 * 0.0722, abs=1.5)  # BT.601 would give 41


def test_odd_sizes_are_padded_with_their_edge(tmp_path):
    card = picture(0, 51, 37)
    with VideoWriter(tmp_path / "a.mp4", info(51, 37), crf=1) as writer:
        writer.write(frame(0, card), card)
    image = next(VideoReader(tmp_path / "a.mp4").frames()).image.astype(int)
    assert image.shape == (38, 52, 3)
    assert np.abs(image[37, 5:20] - card[36, 5:20]).mean() < 10
    assert np.abs(image[5:15, 51] - card[5:15, 50]).mean() < 10


def test_pixels_that_are_not_square_stay_so(tmp_path):
    wide = VideoInfo(**{**info().__dict__, "sample_aspect_ratio": Fraction(4, 3)})
    with VideoWriter(tmp_path / "a.mp4", wide) as writer:
        writer.write(frame(0, picture(0)), picture(0))
    assert VideoReader(tmp_path / "a.mp4").info.sample_aspect_ratio == Fraction(4, 3)


# sound


def heard(path: Path) -> tuple[str, float, float]:
    """(codec, begin, end) in s of the 440 Hz tone on the clock of the first picture."""
    start = float(VideoReader(path).info.start)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        times, loud = [], []
        for block in container.decode(stream):
            samples = block.to_ndarray().reshape(-1).astype(float)
            samples /= 32768 if samples.size and block.format.name.startswith("s16") else 1
            times.append(block.time - start + np.arange(samples.size) / block.sample_rate)
            loud.append(np.abs(samples) > 0.05)
        t = np.concatenate(times)[np.concatenate(loud)]
        return stream.codec_context.name, float(t.min()), float(t.max())


def test_no_sound_unless_asked_for(tmp_path):
    source = make_clip(tmp_path / "in.mp4", range(0, 2000, 40), MILLISECOND, audio=("aac", 0.0, 2.0))
    assert copy(source, tmp_path / "out.mp4").info.has_audio
    assert not VideoReader(tmp_path / "out.mp4").info.has_audio


def test_asking_for_sound_of_a_silent_file_gives_a_silent_file(tmp_path):
    source = make_clip(tmp_path / "in.mp4", range(0, 400, 40), MILLISECOND)
    copy(source, tmp_path / "out.mp4", audio_from=source)
    assert not VideoReader(tmp_path / "out.mp4").info.has_audio


@pytest.mark.parametrize(
    ("codec", "ending", "written"),
    [("aac", "mp4", "aac"), ("aac", "ts", "aac"), ("libmp3lame", "mkv", "mp3float"), ("pcm_s16le", "mkv", "aac")],
)
@pytest.mark.parametrize(("video_s", "audio_s"), [(0.0, 0.0), (0.0, 0.5), (1.0, 1.2), (5.0, 4.0)])
def test_sound_stays_with_its_picture(tmp_path, codec, ending, written, video_s, audio_s):
    begin = round(video_s * 1000)
    pts = range(begin, begin + 2000, 40)
    source = make_clip(tmp_path / f"in.{ending}", pts, MILLISECOND, audio=(codec, audio_s, 4.0))
    before = copy(source, tmp_path / "out.mp4", audio_from=source)
    name, first, last = heard(tmp_path / "out.mp4")
    _, source_first, _ = heard(source)
    assert name == written
    # One packet of 16 kHz sound is 64 ms; a decoder needs up to two packets from before the cut.
    assert first == pytest.approx(max(0.0, source_first), abs=0.07 if source_first >= 0 else 0.2)
    assert last == pytest.approx(2.0, abs=0.15)
    after = VideoReader(tmp_path / "out.mp4")
    assert sum(1 for _ in after.frames()) == before.decoded == 50
    assert after.duration == pytest.approx(2.0, abs=1e-3)
    assert boxes(tmp_path / "out.mp4").index("moov") < boxes(tmp_path / "out.mp4").index("mdat")
