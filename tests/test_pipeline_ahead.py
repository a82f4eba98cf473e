"""Segments: none, short lectures, damaged answers, then laws, and a real lecture that is the same however it is cut."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_engage import TwoStudents
from test_engage import home as home
from typer.testing import CliRunner

import engage
from benchmarks.resume import differences
from consent.policy import Blur, OptOut, cover_policy, permit
from consent.zones import Zone
from pipeline.ahead import Foreseen, Key, cuts, find_ahead, key_of, save
from pipeline.detect import Detections, DetectSettings
from pipeline.encode import VideoWriter
from pipeline.progress import Silent
from pipeline.settings import read_settings
from pipeline.video import VideoReader

ORIGIN = "0" * 64
WIDTH = 3


class Asked(TwoStudents):
    """Finds as many people as the picture's first pixel says, and counts what it is asked."""

    behaviour_names = ("a", "b", "c")

    def __init__(self) -> None:
        super().__init__(DetectSettings())
        self.asked: list[int] = []
        self.read = 0

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        self.asked.append(len(images))
        return [people(int(image.flat[0])) for image in images]

    def read_behaviours(self, image_bgr: np.ndarray, found: Detections, allowed: np.ndarray) -> Detections:
        self.read += 1
        return Detections(found.boxes_xyxy, found.scores, found.behaviours + 1)


def people(count: int) -> Detections:
    rng = np.random.default_rng(count)
    return Detections(*(rng.random(shape, np.float32) for shape in ((count, 4), (count,), (count, WIDTH))))


def picture(count: int) -> np.ndarray:
    return np.full((4, 6, 3), count, np.uint8)


def answers(*counts: int) -> list[tuple[Key, Detections]]:
    return [(key_of(picture(count)), people(count)) for count in counts]


def foreseen(tmp_path: Path, *counts: int, read: bool = True, origin: str = ORIGIN) -> tuple[Foreseen, Asked]:
    save(tmp_path / "a.npz", origin, read, answers(*counts), WIDTH)
    asked = Asked()
    return Foreseen(asked, [tmp_path / "a.npz"], ORIGIN), asked


def equal(one: Detections, other: Detections) -> bool:
    pairs = zip(vars(one).values(), vars(other).values(), strict=True)
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in pairs)


# where it is cut


def test_a_short_lecture_is_one_segment() -> None:
    assert cuts(0, 60) == cuts(60, 60) == [(0, float("inf"))]
    assert cuts(61, 60) == [(0, 30.5), (30.5, float("inf"))]


@given(st.floats(0.1, 1e5), st.floats(60, 3600))
def test_segments_follow_each_other_and_are_not_too_long(duration: float, segment: float) -> None:
    found = cuts(duration, segment)
    assert found[0][0] == 0
    assert found[-1][1] == float("inf")
    assert all(one[1] == other[0] for one, other in itertools.pairwise(found))
    lengths = [min(end, duration) - begin for begin, end in found]
    assert max(lengths) <= segment * (1 + 1e-9)
    assert min(lengths) == pytest.approx(max(lengths))


# answers


def test_no_answers(tmp_path: Path) -> None:
    given_, asked = foreseen(tmp_path)
    assert len(given_) == 0
    assert given_.detect([]) == []
    assert [len(one) for one in given_.detect([picture(2)])] == [2]
    assert asked.asked == [1]


def test_what_is_missing_damaged_or_of_another_origin_counts_for_nothing(tmp_path: Path) -> None:
    assert len(foreseen(tmp_path, 1, 2, origin="1" * 64)[0]) == 0
    whole = (tmp_path / "a.npz").read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"no answers at all"):
        (tmp_path / "b.npz").write_bytes(content)
        assert len(Foreseen(Asked(), [tmp_path / "b.npz", tmp_path / "none.npz"], "1" * 64)) == 0
    np.savez(tmp_path / "c.npz", origin=np.array(ORIGIN), read=np.array(True), keys=np.zeros((1, 16), np.uint8),
             counts=np.array([-1], np.int32), boxes=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32),
             behaviours=np.zeros((0, WIDTH), np.float32))  # fmt: skip
    assert len(Foreseen(Asked(), [tmp_path / "c.npz"], ORIGIN)) == 0


@given(counts=st.lists(st.integers(0, 5), unique=True))
def test_answers_are_given_as_they_were(counts: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    given_, asked = foreseen(tmp_path_factory.mktemp("a"), *counts)
    found = given_.detect([picture(count) for count in counts])
    for count, one in zip(counts, found, strict=True):
        assert equal(one, people(count))
        assert given_.read_behaviours(picture(count), one, np.ones(count, bool)) is one
    assert (asked.asked, asked.read) == ([], 0)


def test_where_one_is_missing_all_are_asked_so_that_the_batch_is_the_same(tmp_path: Path) -> None:
    given_, asked = foreseen(tmp_path, 1, 2)
    found = given_.detect([picture(1), picture(3)])
    assert asked.asked == [2]
    given_.read_behaviours(picture(1), found[0], np.ones(1, bool))
    assert asked.read == 1  # what was found anew is read anew


def test_behaviours_that_were_not_read_ahead_are_read(tmp_path: Path) -> None:
    given_, asked = foreseen(tmp_path, 2, read=False)
    (found,) = given_.detect([picture(2)])
    given_.read_behaviours(picture(2), found, np.array([True, False]))
    assert (asked.asked, asked.read) == ([], 1)


def test_pictures_of_other_sizes_are_others() -> None:
    assert key_of(np.zeros((4, 6, 3), np.uint8)) != key_of(np.zeros((6, 4, 3), np.uint8))
    other = picture(1)
    other[-1, -1, -1] += 1
    assert key_of(other) != key_of(picture(1))
    assert key_of(picture(1)[:, ::2]) == key_of(picture(1)[:, ::2].copy())


# a real lecture


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of the demo lecture; 15 frames of them are analysed."""
    place = tmp_path_factory.mktemp("lecture") / "birds.mp4"
    with VideoReader(engage.DEMO) as reader, VideoWriter(place, reader.info) as writer:
        for frame in islice(reader.frames(), 30):
            writer.write(frame, frame.image)
    return place


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_segments_ask_together_what_one_would_ask_alone(lecture: Path, count: int) -> None:
    def found(stretch: tuple[float, float], detector: Asked) -> list[Key]:
        with VideoReader(lecture) as reader:
            return [key for key, _ in find_ahead(reader, detector, 5.0, 4, stretch, False, Silent())]

    alone, together = Asked(), Asked()
    whole = found((0, float("inf")), alone)
    parts = [found(stretch, together) for stretch in cuts(3.0, 3.0 / count)]
    assert list(itertools.chain(*parts)) == whole
    assert together.asked == alone.asked == [4, 4, 4, 3]


@pytest.mark.usefixtures("few_steps")
@pytest.mark.slow
def test_a_session_is_the_same_however_its_lecture_was_cut(lecture: Path, tmp_path: Path, monkeypatch) -> None:
    def run(*words: object) -> None:
        options = ["--approved-by", "Prof. Wren", "--course", "Birds 101", "--imgsz", "320"]
        result = CliRunner().invoke(engage.app, ["run", str(lecture), *options, *map(str, words)])
        assert result.exit_code == 0, result.output

    run("--out", tmp_path / "alone")
    found = []
    for number, (begin, end) in enumerate(cuts(3.0, 1.0)):
        found += ["--read-ahead", tmp_path / f"{number}.npz"]
        run("--ahead", found[-1], "--stretch", begin, end)
    assert not (tmp_path / "sessions").exists()

    import pipeline.detect

    with monkeypatch.context() as patch:  # everything was found: the networks are not asked again

        def refuse(*_: object) -> None:
            raise AssertionError("asked again")

        patch.setattr(pipeline.detect.UltralyticsDetector, "detect", refuse)
        patch.setattr(pipeline.detect.UltralyticsDetector, "read_behaviours", refuse)
        run("--out", tmp_path / "cut", *found)
    assert differences(tmp_path / "alone" / "Birds-101_birds", tmp_path / "cut" / "Birds-101_birds") == []


def test_who_says_no_makes_all_that_was_found_before_count_for_nothing(lecture: Path) -> None:
    approval = permit([], "Birds 101", "Prof. Wren", date(2026, 11, 22))
    hashes = set()
    with VideoReader(lecture) as reader:
        for zones in ((), (Zone(0.1, 0.4, 0.3, 0.9),)):
            policy = cover_policy(Blur.OPTED_OUT, [OptOut("s-17", zone) for zone in zones])
            permission = engage.Permission("Birds 101", approval, policy)
            hashes.add(engage.origin(reader, Asked(), read_settings(None), permission))
    assert len(hashes) == 2
