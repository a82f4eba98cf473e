"""The check of the finished video: nothing to check first, then its laws, then uncovered and covered rendered faces."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clips import make_clip
from hypothesis import given
from hypothesis import strategies as st
from truth import _frames
from typer.testing import CliRunner

import engage
from consent.policy import CoverPolicy, Zone
from consent.registry import Registry
from pipeline.anonymise import CoverSettings, cover
from pipeline.audit import (
    COVERS_AND_SEATS,
    MOST_LISTED,
    NOTHING,
    SEATS,
    WHOLE_PICTURE,
    Audit,
    AuditSettings,
    audit,
    audit_session,
    boxes_around_seats,
    must_be_covered,
    read_audit,
    standing,
)
from pipeline.camera import View
from pipeline.camera_path import CameraPath
from pipeline.encode import VideoWriter
from pipeline.errors import VideoError
from pipeline.find_faces import FindSettings
from pipeline.patches import HOLD_S
from pipeline.progress import Silent
from pipeline.session import AUDIT, BOX, VIDEO, AuditResult, Session, SessionError
from pipeline.timeline import Timeline
from pipeline.video import VideoReader

EVERYONE = CoverPolicy(True, (), "all")
NOBODY = CoverPolicy(False, (), "none")
A2 = 2
SIZE = np.array([1280, 720, 1280, 720])
SHORT = 6
"""Frames of the demo's beginning that are enough here."""


def head(person: int, frame: int) -> np.ndarray:
    return np.array(next(one["head_bbox"] for one in _frames()[frame]["persons"] if one["id"] == person), float)


def seat(person: int) -> CoverPolicy:
    low, high = head(person, 0)[:2] - 10, head(person, 0)[2:] + 10
    return CoverPolicy(False, (Zone(*(np.concatenate([low, high]) / SIZE).tolist()),), "one")


def write(path: Path, hide: Callable[[int], np.ndarray], frames: int = SHORT) -> Path:
    """The demo's beginning with the boxes (n, 4) that ``hide(frame)`` gives covered."""
    with VideoReader(engage.DEMO) as reader, VideoWriter(path, reader.info, preset="ultrafast") as writer:
        for frame in islice(reader.frames(), frames):
            cover(frame.image, hide(frame.index).reshape(-1, 4), CoverSettings())
            writer.write(frame, frame.image)
    return path


def grown(box: np.ndarray) -> np.ndarray:
    width, height = box[2] - box[0], box[3] - box[1]
    return box + 0.25 * np.array([-width, -height, width, height])


def everybody(frame: int) -> np.ndarray:
    return np.array([grown(np.array(one["head_bbox"], float)) for one in _frames()[frame]["persons"] if one["visible"]])


def check(video: Path, policy: CoverPolicy, covers: Timeline | None = None, **others) -> Audit:
    return audit(video, policy, covers, AuditSettings(rate=others.pop("rate", None)), Silent(), **others)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("plain") / VIDEO, lambda frame: np.zeros((0, 4)))


@pytest.fixture(scope="module")
def covered(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("covered") / VIDEO, everybody)


# nothing to check


def test_where_nobody_had_to_be_covered_the_video_is_not_even_opened(tmp_path):
    result = check(tmp_path / "none.mp4", NOBODY)
    assert (result.result, result.looked_at, result.frames) == (AuditResult.NOBODY, NOTHING, 0)


@pytest.mark.parametrize("content", [None, b"", b"no video" * 100], ids=["missing", "empty", "text"])
def test_what_is_no_video_is_never_passed(tmp_path, content):
    path = tmp_path / "bad.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError):
        check(path, EVERYONE)


def test_a_video_without_faces_passes(tmp_path):
    clip = make_clip(tmp_path / "empty.mp4", range(3), Fraction(1, 10), rate=10)
    result = check(clip, EVERYONE, expected_frames=3)
    assert (result.result, result.frames, result.leaks) == (AuditResult.PASSED, 3, [])


def test_one_frame_is_enough(tmp_path):
    clip = make_clip(tmp_path / "one.mp4", range(1), Fraction(1, 10), rate=10)
    assert check(clip, EVERYONE, expected_frames=1).result is AuditResult.PASSED


def test_frames_that_are_missing_ask_for_a_review(tmp_path):
    clip = make_clip(tmp_path / "short.mp4", range(3), Fraction(1, 10), rate=10)
    result = check(clip, EVERYONE, expected_frames=4)
    assert result.result is AuditResult.NEEDS_REVIEW
    assert result.problems == ["3 of 4 frames of the video could be decoded"]
    assert "3 of 4 frames" in result.sentence()


def test_only_some_stretches_are_looked_at_but_all_frames_are_counted(plain):
    whole = check(plain, EVERYONE, expected_frames=SHORT)
    part = check(plain, EVERYONE, expected_frames=SHORT, within=[(0.2, 0.4)])
    assert (part.frames, part.problems) == (2, [])
    assert part.leaks == [leak for leak in whole.leaks if leak.frame in (2, 3)]
    assert check(plain, EVERYONE, expected_frames=SHORT, within=[]).leak_count == 0
    assert check(plain, EVERYONE, expected_frames=SHORT + 1, within=[]).result is AuditResult.NEEDS_REVIEW


# laws


results = st.sampled_from(list(AuditResult))
places = st.sampled_from([NOTHING, SEATS, COVERS_AND_SEATS, WHOLE_PICTURE])
audits = st.builds(lambda result, place: Audit(result=result, looked_at=place), results, places)


@given(st.none() | audits, audits)
def test_a_review_asked_for_is_not_forgotten_because_less_was_looked_at(before, now):
    rank = [NOTHING, SEATS, COVERS_AND_SEATS, WHOLE_PICTURE].index
    kept = standing(before, now)
    assert kept in (before, now)
    if AuditResult.NEEDS_REVIEW is now.result:
        assert kept == now
    elif before is not None and before.result is AuditResult.NEEDS_REVIEW:
        assert kept == (now if rank(now.looked_at) >= rank(before.looked_at) else before)
    elif before is not None and before.result is AuditResult.PASSED and now.result is AuditResult.NOBODY:
        assert kept == before
    else:
        assert kept == now


def test_a_cover_that_moves_is_looked_at_where_it_is():
    table = pd.DataFrame([[0.0, 1, 0, 0, 10, 10], [1.0, 1, 100, 0, 110, 10]], columns=["t", "student", *BOX])
    covers = Timeline(table, "student", longest_gap_s=10, hold_s=0)
    policy = CoverPolicy(False, (Zone(0.5, 0.5, 1, 1),), "one")
    assert boxes_around_seats(policy, 200, 100).tolist() == [[100, 50, 200, 100]]
    faces = np.array([[55.0, 5], [5, 5], [150, 70]])
    assert must_be_covered(faces, policy, covers.at(0.5)[1], 200, 100).tolist() == [True, False, True]
    assert must_be_covered(faces, policy, covers.at(9.0)[1], 200, 100).tolist() == [False, False, True]
    assert must_be_covered(faces[:0], policy, covers.at(0.5)[1], 200, 100).shape == (0,)


def test_who_sits_beside_a_polygon_but_in_the_box_around_it_need_not_be_covered():
    policy = CoverPolicy(False, (Zone(0, 0, 1, 1, 0, 1),), "the lower left half")
    assert boxes_around_seats(policy, 200, 100).tolist() == [[0, 0, 200, 100]]
    faces = np.array([[20.0, 90], [180, 10]])
    assert must_be_covered(faces, policy, np.zeros((0, 4)), 200, 100).tolist() == [True, False]


def test_covers_of_passers_by_are_checked_although_nobody_said_no(plain):
    rows = [[frame / 10, 1, *head(7, frame)] for frame in range(SHORT)]
    covers = Timeline(pd.DataFrame(rows, columns=["t", "student", *BOX]), "student", longest_gap_s=1, hold_s=0)
    found = check(plain, NOBODY, covers)
    assert found.result is AuditResult.NEEDS_REVIEW
    assert (found.frames, found.leak_count) == (2, 2)  # of 0.6 s, two per second
    assert check(plain, NOBODY, covers, rate=10).leak_count == SHORT


# rendered faces


def test_every_uncovered_face_is_listed_with_frame_time_and_place(plain):
    result = check(plain, EVERYONE, expected_frames=SHORT)
    assert result.result is AuditResult.NEEDS_REVIEW
    assert (result.frames, result.frames_with_leaks) == (SHORT, SHORT)
    assert result.leak_count == len(result.leaks) >= 11 * SHORT
    for leak in result.leaks:
        assert leak.t == pytest.approx(leak.frame / 10)
        x, y = (leak.box[0] + leak.box[2]) / 2, (leak.box[1] + leak.box[3]) / 2
        assert any(x1 <= x <= x2 and y1 <= y <= y2 for x1, y1, x2, y2 in everybody(leak.frame))
    assert {"mediapipe", "centerface"} <= set(result.detectors)
    assert set(FindSettings.model_fields) == {*result.thresholds, "tile_px"}


def test_no_more_than_the_first_leaks_are_listed_but_all_are_counted(tmp_path):
    result = check(write(tmp_path / "long.mp4", lambda frame: np.zeros((0, 4)), frames=20), EVERYONE)
    assert len(result.leaks) == MOST_LISTED
    assert result.leak_count > MOST_LISTED
    assert Audit.model_validate_json(result.model_dump_json()) == result


def test_where_everybody_is_covered_nothing_is_found(covered):
    result = check(covered, EVERYONE, expected_frames=SHORT)
    assert (result.result, result.leak_count, result.problems) == (AuditResult.PASSED, 0, [])


def test_a_cover_that_misses_one_frame_is_found_there(tmp_path):
    video = write(tmp_path / "gap.mp4", lambda frame: everybody(frame) if frame != 3 else everybody(frame)[1:])
    result = check(video, EVERYONE)
    assert {leak.frame for leak in result.leaks} == {3}
    assert result.frames_with_leaks == 1


def test_of_one_who_said_no_only_the_seat_counts(plain, tmp_path):
    policy = seat(A2)
    found = check(plain, policy)
    assert (found.result, found.leak_count, found.looked_at) == (AuditResult.NEEDS_REVIEW, SHORT, SEATS)
    hidden = write(tmp_path / VIDEO, lambda frame: grown(head(A2, frame)))
    assert check(hidden, policy).result is AuditResult.PASSED


def test_a_cover_decided_but_not_drawn_is_found_also_away_from_the_seat(plain):
    rows = [[frame / 10, 1, *grown(head(7, frame))] for frame in range(SHORT)]
    covers = Timeline(pd.DataFrame(rows, columns=["t", "student", *BOX]), "student", longest_gap_s=1, hold_s=0)
    corner = CoverPolicy(False, (Zone(0, 0, 0.02, 0.02),), "an empty seat")
    assert check(plain, corner).result is AuditResult.PASSED
    found = check(plain, corner, covers)
    assert (found.leak_count, found.looked_at) == (SHORT, COVERS_AND_SEATS)


@pytest.mark.parametrize("asked", [None, 7.0])
def test_only_where_nobody_said_no_not_every_frame_is_checked(asked: float | None) -> None:
    chosen = AuditSettings(rate=asked)
    someone = CoverPolicy(False, (Zone(0, 0, 1, 1),), "one")
    assert chosen.rate_for(EVERYONE) == chosen.rate_for(someone) == asked
    assert chosen.rate_for(NOBODY) == (asked or chosen.passing_rate)


def test_between_two_checked_frames_patches_leave_no_gap():
    assert 1 / AuditSettings().passing_rate <= 2 * HOLD_S


def test_a_lower_rate_looks_at_fewer_frames(plain):
    assert check(plain, EVERYONE, rate=5).frames == SHORT // 2


# the command


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    monkeypatch.setenv("COLUMNS", "200")
    with Registry.open() as opened:
        opened.approve("Birds", "Prof. Wren", date.today())
        yield opened


@pytest.fixture
def session(make_session, tmp_path) -> Callable[..., Path]:
    """``session(video, blur)``: a session of course Birds with this video."""

    def make(video: Path, blur: str) -> Path:
        folder = make_session(
            tmp_path / "sessions",
            course="Birds",
            blur=blur,
            counts={"students": 6, "frames": SHORT, "analysed_frames": 30, "events": 2},
        )
        shutil.copyfile(video, folder / VIDEO)
        return folder

    return make


def command(folder: Path, *words: str):
    return CliRunner().invoke(engage.app, ["audit", str(folder), *words])


def test_a_session_with_an_uncovered_face_needs_review(registry, session, plain):
    folder = session(plain, "everyone")
    result = command(folder)
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("needs review: ")
    assert len(result.stderr.strip().splitlines()) == 1
    opened = Session.open(folder)
    assert opened.manifest.audit is AuditResult.NEEDS_REVIEW
    assert read_audit(opened).leak_count >= 11 * SHORT
    assert opened.report.is_file()
    assert not list(folder.glob("*.partial"))


def test_a_session_whose_faces_are_covered_passes(registry, session, covered):
    folder = session(covered, "everyone")
    result = command(folder)
    assert result.exit_code == 0, result.output
    assert "passed" in result.stdout
    assert Session.open(folder).manifest.audit is AuditResult.PASSED


def test_who_said_no_after_the_lecture_is_looked_for_in_the_seat(registry, session, plain):
    folder = session(plain, "opted-out")
    assert command(folder).exit_code == 0
    assert Session.open(folder).manifest.audit is AuditResult.NOBODY
    registry.opt_out("Birds", "heron", seat(A2).zones[0])
    assert command(folder).exit_code == 1
    assert read_audit(Session.open(folder)).leak_count == SHORT
    registry.opt_in("Birds", "heron")  # the check looks at nothing now, so what it found before still stands
    assert command(folder).exit_code == 1


def test_who_said_no_without_a_known_seat_makes_everybody_count(registry, session, plain):
    registry.opt_out("Birds", "heron")
    folder = session(plain, "opted-out")
    assert command(folder, "--rate", "1").exit_code == 1
    assert read_audit(Session.open(folder)).looked_at == WHOLE_PICTURE


def test_a_session_without_its_video_or_with_a_damaged_record_is_refused(registry, session, covered):
    folder = session(covered, "everyone")
    (folder / AUDIT).write_text("{")
    refused = command(folder)
    assert refused.exit_code == 2
    assert "delete it" in refused.stderr
    (folder / AUDIT).unlink()
    (folder / VIDEO).unlink()
    refused = command(folder)
    assert refused.exit_code == 2
    assert f"{VIDEO} is missing" in refused.stderr
    assert command(folder / "nowhere").exit_code == 2


# The camera moved


def seen_by(*views: tuple[int, float]) -> CameraPath:
    """The path of a camera, analysed at 10 frames per second: scene and shift to the right in px."""
    path = CameraPath(1280, 720)
    for n, (scene, x) in enumerate(views):
        path.add(n / 10, View(scene, np.array([[1.0, 0, x], [0, 1, 0], [0, 0, 1]])))
    return path


def test_where_nobody_knows_the_camera_the_whole_picture_is_searched(plain):
    path = seen_by((0, 0), (0, 0), (1, 0), (1, 0), (0, 0), (0, 0))
    leaks = check(plain, seat(A2), camera=path).leaks
    by_frame = {frame: sum(leak.frame == frame for leak in leaks) for frame in range(SHORT)}
    assert all(by_frame[frame] == 1 for frame in (0, 1, 4, 5))
    assert all(by_frame[frame] >= 11 for frame in (2, 3))


def test_seats_are_looked_for_where_the_camera_shows_them_now(plain):
    turned = check(plain, seat(A2), camera=seen_by(*[(0, 320)] * SHORT)).leaks  # what is at x now was at x + 320
    still = check(plain, seat(A2), camera=seen_by(*[(0, 0)] * SHORT)).leaks
    assert len(turned) == len(still) == SHORT
    shown = np.array([[leak.box[0] + leak.box[2] for leak in leaks] for leaks in (turned, still)]) / 2
    assert np.abs(shown[1] - shown[0] - 320).max() < 40  # A1 sits now where A2 sat when the seat was recorded


def test_a_later_check_does_not_look_for_seats_where_they_are_not(make_session, tmp_path):
    folder = make_session(tmp_path, camera={"scenes": 2, "moved": True, "lost_s": 1.0})
    with pytest.raises(SessionError, match="the camera moved"):
        audit_session(Session.open(folder), seat(A2), AuditSettings(rate=0.1), Silent())
    assert audit_session(Session.open(folder), EVERYONE, AuditSettings(rate=0.1), Silent()).looked_at == WHOLE_PICTURE
