"""The choice of a decoder: files that are none, computers without a GPU, then what comes out is the same.

With an NVIDIA GPU these tests use its decoder.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from clips import make_clip
from truth import DEMO

from pipeline.decode import PLANAR, Picture
from pipeline.errors import VideoError
from pipeline.settings import Settings
from pipeline.video import VideoReader

NO_GPU = not any(Path("/dev").glob("nvidia[0-9]*"))


def write(path: Path, codec: str = "libx264", pix_fmt: str = "yuv420p", size: tuple[int, int] = (64, 48)) -> Path:
    return make_clip(path, range(30), Fraction(1, 10), rate=10, size=size, codec=codec, pix_fmt=pix_fmt, noise=True)


@pytest.mark.parametrize("content", [b"", b"Lecture 4\n" * 50, b"\0\0\0\x18ftypmp42" + bytes(64)])
def test_what_is_no_video_is_refused_in_the_same_words(tmp_path, content):
    (tmp_path / "notes.mp4").write_bytes(content)
    said = []
    for decoder in ("cpu", "cuda"):
        with pytest.raises(VideoError) as caught:
            VideoReader(tmp_path / "notes.mp4", decoder)
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [
        ("libx264", "yuv420p"),
        ("libx264", "yuv420p10le"),
        ("libx264", "yuv444p"),  # no GPU decodes it
        ("libx265", "yuv420p10le"),
        ("mpeg4", "yuv420p"),
        ("ffv1", "yuv420p"),  # nor this
    ],
)
def test_both_give_the_same_pictures_at_the_same_times(tmp_path, codec, pix_fmt):
    clip = write(tmp_path / "clip.mkv", codec, pix_fmt)
    with VideoReader(clip) as one, VideoReader(clip, "cuda") as other:
        assert one.info == other.info
        for mine, its in zip(one.frames(), other.frames(), strict=True):
            assert (mine.index, mine.pts, mine.duration) == (its.index, its.pts, its.duration)
            np.testing.assert_array_equal(mine.image, its.image)
        spans = [(0.5, 0.9), (2.0, 2.5)]
        within = [frame.image for frame in other.frames_within(spans, one.decoded)]
        assert len(within) == 9
        np.testing.assert_array_equal(within, [frame.image for frame in one.frames_within(spans, one.decoded)])


@pytest.mark.skipif(not NO_GPU, reason="there is a GPU")
def test_without_a_gpu_that_is_said_once(tmp_path):
    with VideoReader(write(tmp_path / "clip.mp4"), "cuda") as reader:
        for _ in range(2):
            assert len(list(reader.frames())) == 30
            assert reader.warnings == ["clip.mp4: the decoder cuda is not to be had here; the CPU decoded it"]


def test_the_cpu_is_the_default_and_has_nothing_to_say(tmp_path):
    assert Settings().decoder == "cpu"
    with VideoReader(write(tmp_path / "clip.mp4")) as reader:
        list(reader.frames())
        assert reader.warnings == []


def a_frame(pix_fmt: str) -> av.VideoFrame:
    """Of the demo clip, in another format."""
    with av.open(str(DEMO / "classroom.mp4")) as source:
        return next(source.decode(video=0)).reformat(format=pix_fmt)


@pytest.mark.parametrize(("packed", "planar"), [*PLANAR.items()])
@pytest.mark.parametrize("colours", [Colorspace.ITU709, Colorspace.ITU601])
@pytest.mark.parametrize("values", [ColorRange.MPEG, ColorRange.JPEG])
def test_a_picture_as_a_gpu_lays_it_out_becomes_the_same_colours(packed, planar, colours, values):
    usual = a_frame(planar)
    laid_out = usual.reformat(format=packed)
    for frame in (usual, laid_out):
        frame.colorspace, frame.color_range = colours, values
    assert laid_out.format.name == packed != usual.format.name
    picture = Picture(usual)
    np.testing.assert_array_equal(picture.bgr(laid_out), picture.bgr(usual))
