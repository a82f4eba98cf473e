"""A session without a student: what is nobody's first, then tables, video and report, then what must not change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import lectures
import numpy as np
import pandas as pd
import pymupdf
import pytest
from lectures import blue, lecture, zone

from consent.policy import Zone
from consent.seat_map import Seat
from pipeline.audit import Audit, Leak, with_earlier_leaks
from pipeline.corrections import read_corrections
from pipeline.parts import Who
from pipeline.progress import Silent
from pipeline.reviews import Verdict, read_reviews, review
from pipeline.search import Originals, search
from pipeline.seat_plan import SeatPlan, read_plan
from pipeline.session import AUDIT, CORRECTIONS, SEATS, AuditResult, Session, SessionError
from pipeline.settings import Settings, settings_on_record
from pipeline.store import LOCK, PARTIAL, SessionBusy, open_session, write_json
from pipeline.timeline import Timeline
from pipeline.video import VideoReader
from pipeline.withdrawal import Kind, Outcome, Remake, take_out
from reports.report import report_content, write_report

REMAKE = Remake(lambda manifest: lectures.score, write_report)
FILL = np.array(Settings().cover.colour)


def seat(student: int) -> Zone:
    return Zone(*zone(student))


def withdraw(folder: Path, who: Who, *originals: Path) -> Outcome:
    return take_out(folder, who, Originals(originals), REMAKE, Silent())


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def images(video: Path) -> Iterator[np.ndarray]:
    with VideoReader(video) as reader:
        for frame in reader.frames():
            yield frame.image.astype(int)


def words(report: Path) -> str:
    with pymupdf.open(report) as document:
        return " ".join(page.get_text() for page in document)


@pytest.fixture
def birds(tmp_path) -> Path:
    return lecture(tmp_path / "sessions")[0]


# Nobody there


def test_no_session(tmp_path):
    with pytest.raises(SessionError, match="no session here"):
        withdraw(tmp_path / "nowhere", Who("withdrawal-1", seat(1)))
    assert not any(tmp_path.iterdir())


def test_an_empty_seat_changes_nothing(birds):
    before = contents(birds.parent)
    outcome = withdraw(birds, Who("withdrawal-1", Zone(0.0, 0.0, 0.05, 0.1)))
    assert (outcome.kind, outcome.finished) == (Kind.NOT_SEEN, True)
    assert contents(birds.parent) == before


def test_a_number_that_nobody_has(birds):
    before = contents(birds.parent)
    with pytest.raises(SessionError, match="no student 7; the numbers are: 1, 2, 3"):
        withdraw(birds, Who("withdrawal-1", number=7))
    assert contents(birds.parent) == before


def test_a_room_without_students(tmp_path):
    folder, _ = lecture(tmp_path / "sessions", students=0)
    assert withdraw(folder, Who("withdrawal-1", seat(1))).kind is Kind.NOT_SEEN


def test_the_only_student(tmp_path):
    folder, _ = lecture(tmp_path / "sessions", students=1)
    assert withdraw(folder, Who("withdrawal-1", seat(1))).kind is Kind.REMOVED
    session = Session.open(folder)
    assert len(session.observations) == len(session.states) == len(session.events) == len(session.engagement) == 0
    assert session.manifest.engagement.mean is None
    assert max(blue(session.video, 1)) == 0


def test_a_session_that_another_process_is_writing(birds):
    with open_session(birds.parent, birds.name, overwrite=True), pytest.raises(SessionBusy, match="wait for it to end"):
        withdraw(birds, Who("withdrawal-1", seat(1)))


# Tables, report


@pytest.mark.parametrize("who", [Who("withdrawal-1", seat(2)), Who("withdrawal-1", number=2)], ids=["seat", "number"])
def test_nothing_holds_the_student_and_the_others_are_untouched(birds, who):
    before = Session.open(birds)
    was = {name: getattr(before, name) for name in ("observations", "states", "events")}
    assert re.search(r"\b3\s+students\b", words(before.report))
    outcome = withdraw(birds, who)
    assert (outcome.kind, outcome.needs_review) == (Kind.REMOVED, False)
    session = Session.open(birds)
    for name, table in was.items():
        left = table[table["student"] != 2].reset_index(drop=True)
        pd.testing.assert_frame_equal(getattr(session, name), left)
    students = session.engagement[session.engagement["scope"] == "student"]
    assert students["student"].tolist() == [1, 3]
    engagement, mean = lectures.score(session.states, session.manifest.profile)
    assert session.manifest.engagement == mean != before.manifest.engagement
    assert session.engagement["engagement"].to_numpy() == pytest.approx(engagement["engagement"].to_numpy(), rel=1e-4)
    assert session.manifest.counts.students == 2
    assert session.manifest.counts.events == 2
    assert session.manifest.withdrawals == ["withdrawal-1"]
    assert session.manifest.audit is AuditResult.PASSED
    assert (session.manifest.id, session.manifest.created) == (before.manifest.id, before.manifest.created)
    assert re.search(r"\b2\s+students\b", words(session.report))
    assert not re.search(r"\b3\s+students\b", words(session.report))
    assert [path.name for path in birds.parent.iterdir()] == [birds.name]


@pytest.mark.parametrize("line", ["", "0,1,2\n"], ids=["whole", "with a broken line"])
def test_of_corrections_only_those_of_others_are_kept(birds, line):
    lines = f"start,end,student,state\n0,1,1,bored\n0,1,2,bored\n{line}"
    (birds / CORRECTIONS).write_text(lines, encoding="utf-8")
    withdraw(birds, Who("withdrawal-1", seat(2)))
    if line:  # whose it is nobody knows
        assert not (birds / CORRECTIONS).exists()
    else:
        assert read_corrections(Session.open(birds))["student"].tolist() == [1]


def test_of_reviews_only_those_of_others_are_kept(birds):
    session = Session.open(birds)
    for event in session.events.itertuples():
        review(session, event.start, event.end, event.student, Verdict.CONFIRMED, "AB")
    withdraw(birds, Who("withdrawal-1", seat(2)))
    left = read_reviews(Session.open(birds))
    assert left["student"].tolist() == [1, 3]
    assert left["reviewer"].tolist() == ["AB", "AB"]


def test_the_report_counts_the_student_no_more(birds):
    withdraw(birds, Who("withdrawal-1", seat(2)))
    content = report_content(Session.open(birds))
    (figures,) = [block for block in content["pages"][0] if block["kind"] == "numbers"]
    assert figures["pairs"][0] == ["2", "students"]


def test_a_passer_by_loses_only_what_was_seen_in_the_seat(tmp_path):
    folder, _ = lecture(tmp_path / "sessions", seconds=4, students=3)
    # student 3 drifts to the right by 4 px a second; the seat begins where the head is in the last second
    middle = [sum(lectures.head(3, t)[::2]) / 2 for t in (0.0, 3.0)]
    right = Zone((middle[0] + middle[1] * 9) / 10 / lectures.WIDTH, 0.0, 1.0, 1.0)
    before = Session.open(folder)
    was = before.observations, before.states
    assert withdraw(folder, Who("withdrawal-1", right)).kind is Kind.REMOVED
    session = Session.open(folder)
    assert set(session.states["student"]) == {1, 2, 3}
    mine = session.observations[session.observations["student"] == 3]
    assert 0 < mine["t"].max() < 3.2
    assert len(session.observations) == len(was[0]) - (len(was[0]) // 3 - len(mine))
    last = session.states[session.states["student"] == 3].set_index("t")
    assert last["state"].tolist()[:2] == was[1][was[1]["student"] == 3]["state"].tolist()[:2]
    assert last.loc[3, "state"] == "unseen"
    assert last.loc[3, "coverage"] == 0
    assert np.isnan(last.loc[3, "p_attentive"])
    others = [table[table["student"] != 3].reset_index(drop=True) for table in (was[1], session.states)]
    pd.testing.assert_frame_equal(*others)
    shown = blue(session.video, 3)
    assert max(shown[32:]) == 0, "the head is covered while it is in the seat"


# Video


@pytest.mark.parametrize("kept", [False, True], ids=["annotated", "original"])
@pytest.mark.parametrize("student", [2, 3])
def test_every_frame_covers_the_head_and_shows_the_others(tmp_path, student, kept):
    folder, source = lecture(tmp_path / "sessions")
    assert min(blue(Session.open(folder).video, student)) > 0.9
    outcome = withdraw(folder, Who("withdrawal-1", seat(student)), *([source.parent] if kept else []))
    assert ("made anew from birds.mp4" in outcome.words) == kept
    video = Session.open(folder).video
    frames = list(images(video))
    assert len(frames) == 30
    for index, image in enumerate(frames):
        x1, y1, x2, y2 = lectures.head(student, index / lectures.FPS)
        assert np.abs(image[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2] - FILL).max() < 16
    for other in {1, 2, 3} - {student}:
        assert min(blue(video, other)) > 0.9


def test_from_the_original_the_video_is_that_of_a_run_that_covered_the_student(tmp_path):
    folder, source = lecture(tmp_path / "sessions")
    never, _ = lecture(tmp_path / "other" / "sessions", covered=(2,))
    withdraw(folder, Who("withdrawal-1", seat(2)), source.parent)
    for one, other in zip(images(Session.open(folder).video), images(Session.open(never).video), strict=True):
        assert np.array_equal(one[30:], other[30:])


def test_box_and_tag_are_gone_too(birds):
    x1, y1, x2, y2 = lectures.place(2)
    before = next(images(Session.open(birds).video))
    withdraw(birds, Who("withdrawal-1", seat(2)))
    for image in list(images(Session.open(birds).video))[:29]:  # in the last frame no box was drawn
        for line in (image[y1 : y2 + 1, x1], image[y1 : y2 + 1, x2], image[y2, x1 : x2 + 1], image[y1, x1 : x2 + 1]):
            assert np.abs(line - FILL).max() < 16
        tag = image[y1 - 14 : y1, x1 + 1 : x1 + 35]  # further right the tag of a neighbour may reach
        assert np.abs(tag - FILL).max() < 20
        assert np.abs(before[y1 - 14 : y1, x1 + 1 : x1 + 35] - FILL).max() > 100
        for other in (1, 3):
            a1, b1, *_ = lectures.place(other)
            assert np.abs(image[b1 - 10 : b1, a1 + 1 : a1 + 20] - FILL).max() > 60, "the others keep their tags"


def test_two_withdrawals_one_after_the_other(birds):
    for number in (2, 3):
        withdraw(birds, Who(f"withdrawal-{number}", seat(number)))
    session = Session.open(birds)
    assert session.manifest.withdrawals == ["withdrawal-2", "withdrawal-3"]
    assert set(session.states["student"]) == {1}
    assert max(blue(session.video, 2)) == max(blue(session.video, 3)) == 0
    assert min(blue(session.video, 1)) > 0.9


def test_where_somebody_was_covered_before_the_original_is_not_used(tmp_path):
    folder, source = lecture(tmp_path / "sessions", covered=(1,))
    outcome = withdraw(folder, Who("withdrawal-1", seat(2)), source.parent)
    assert "annotated video" in outcome.words
    video = Session.open(folder).video
    assert max(blue(video, 1)) == max(blue(video, 2)) == 0
    assert min(blue(video, 3)) > 0.9


@pytest.mark.parametrize("kept", [False, True], ids=["annotated", "original"])
def test_sound_is_kept_where_it_was_kept(tmp_path, kept):
    folder, source = lecture(tmp_path / "sessions", sound=True)
    outcome = withdraw(folder, Who("withdrawal-1", seat(2)), *([source.parent] if kept else []))
    assert "may be heard" in outcome.words
    with VideoReader(Session.open(folder).video) as reader:
        assert reader.info.has_audio


def test_a_silent_video_stays_silent(tmp_path):
    folder, source = lecture(tmp_path / "sessions", sound=True, config={"keep_audio": False})
    silent, _ = lecture(tmp_path / "silent" / "sessions")
    (folder / "annotated.mp4").write_bytes((silent / "annotated.mp4").read_bytes())
    withdraw(folder, Who("withdrawal-1", seat(2)), source.parent)
    with VideoReader(Session.open(folder).video) as reader:
        assert not reader.info.has_audio


def test_where_everybody_had_to_be_covered_the_whole_picture_is_checked_again(tmp_path):
    folder, source = lecture(tmp_path / "sessions", blur="everyone", audit="passed")
    outcome = withdraw(folder, Who("withdrawal-1", seat(2)), source.parent)
    assert "the whole picture" in outcome.words
    assert "annotated video" in outcome.words
    assert Session.open(folder).manifest.blur == "everyone"
    assert withdraw(folder, Who("withdrawal-2")).kind is Kind.EVERYBODY


# It is not known who


def test_where_the_seat_is_not_known_everybody_is_covered_and_it_is_not_finished(birds):
    tables = {name: table for name, table in contents(birds).items() if name.endswith(".parquet")}
    outcome = withdraw(birds, Who("withdrawal-1"))
    assert (outcome.kind, outcome.finished) == (Kind.EVERYBODY, False)
    session = Session.open(birds)
    assert all(max(blue(session.video, student)) == 0 for student in (1, 2, 3))
    assert session.manifest.withdrawals == []
    assert session.manifest.blur == "everyone"
    assert "withdrawal-1" in session.manifest.warnings[0]
    assert "withdrawal-1" in " ".join(words(session.report).split())
    assert {name: content for name, (_, content) in contents(birds).items() if name in tables} == {
        name: content for name, (_, content) in tables.items()
    }
    whole = contents(birds.parent)
    assert withdraw(birds, Who("withdrawal-1")).kind is Kind.EVERYBODY
    assert contents(birds.parent) == whole
    # and later it is
    assert withdraw(birds, Who("withdrawal-1", seat(2))).kind is Kind.REMOVED
    session = Session.open(birds)
    assert set(session.states["student"]) == {1, 3}
    assert all(max(blue(session.video, student)) == 0 for student in (1, 2, 3))
    assert session.manifest.withdrawals == ["withdrawal-1"]
    assert session.manifest.warnings == []


# Again, and after a kill


@pytest.mark.parametrize("who", [Who("withdrawal-1", seat(2)), Who("withdrawal-1", number=2)], ids=["seat", "number"])
def test_the_second_time_leaves_every_byte(birds, who):
    withdraw(birds, who)
    before = contents(birds.parent)
    assert withdraw(birds, who).kind is Kind.DONE_BEFORE
    assert contents(birds.parent) == before


def test_another_number_of_the_same_student(birds):
    withdraw(birds, Who("withdrawal-1", seat(2)))
    assert withdraw(birds, Who("withdrawal-1", number=3)).kind is Kind.REMOVED
    session = Session.open(birds)
    assert set(session.states["student"]) == {1}
    assert session.manifest.withdrawals == ["withdrawal-1"]


def test_an_error_while_writing_leaves_the_old_session(birds):
    def broken(session: Session) -> None:
        raise RuntimeError("no report")

    before = contents(birds.parent)
    with pytest.raises(RuntimeError):
        take_out(birds, Who("withdrawal-1", seat(2)), Originals(), Remake(REMAKE.score, broken), Silent())
    assert contents(birds.parent) == before


@pytest.mark.parametrize("killed", ["writing", "between the renames", "before the old one was deleted"])
def test_whatever_a_kill_left_the_next_run_ends_it(birds, killed, tmp_path):
    out = birds.parent
    spare = lecture(tmp_path / "spare" / "sessions")[0]
    if killed == "before the old one was deleted":
        withdraw(birds, Who("withdrawal-1", seat(2)))
        spare.rename(out / "birds.replaced.partial")
    else:
        spare.rename(out / f"birds{PARTIAL}")
        if killed == "writing":
            (out / f"birds{PARTIAL}" / LOCK).touch()
            (out / f"birds{PARTIAL}" / AUDIT).unlink(missing_ok=True)
        else:
            birds.rename(out / "birds.replaced.partial")
    assert search(lectures.COURSE, [], [out]).sessions == [birds]
    withdraw(birds, Who("withdrawal-1", seat(2)))
    assert [path.name for path in out.iterdir()] == ["birds"]
    assert set(Session.open(birds).states["student"]) == {1, 3}


# Earlier leaks


def leak(frame: int, x: int) -> Leak:
    return Leak(frame=frame, t=frame / 10, box=(x, 0, x + 10, 10), score=0.9, detectors=("mediapipe",))


COVERS = Timeline(
    pd.DataFrame([(0, 0.0, 0.0, 0.0, 50.0, 50.0)], columns=["student", "t", "x1", "y1", "x2", "y2"]),
    "student",
    longest_gap_s=1.0,
    hold_s=5.0,
)


@pytest.mark.parametrize("place", [10, 90])
def test_a_leak_found_before_counts_until_it_is_covered(place):
    before = Audit(
        result=AuditResult.NEEDS_REVIEW, looked_at="seats", frames=9, frames_with_leaks=1, leak_count=1,
        leaks=[leak(3, place)],
    )  # fmt: skip
    now = Audit(result=AuditResult.PASSED, looked_at="covers", frames=9)
    kept = with_earlier_leaks(before, now, COVERS)
    assert kept.result is (AuditResult.PASSED if place == 10 else AuditResult.NEEDS_REVIEW)
    assert (kept.leak_count, len(kept.leaks)) == ((0, 0) if place == 10 else (1, 1))
    assert with_earlier_leaks(None, now, COVERS) == now


# Settings of old sessions


def test_settings_that_this_version_does_not_know_are_passed_over():
    config = {"rate": 2.0, "seed": 1, "cover": {"margin": 0.5}, "detect": {"nonsense": 1}, "profile": "observable"}
    settings = settings_on_record(config, Settings().profile)
    assert (settings.rate, settings.cover.margin, settings.detect) == (2.0, 0.5, Settings().detect)
    assert settings.profile is Settings().profile


def test_where_the_camera_moved_a_seat_on_record_is_no_place_and_everybody_is_covered(tmp_path):
    moved = {"scenes": 2, "moved": True, "lost_s": 1.0}
    folder, _ = lecture(tmp_path / "sessions", camera=moved)
    outcome = withdraw(folder, Who("withdrawal-1", seat(2)))
    assert (outcome.kind, outcome.finished) == (Kind.EVERYBODY, False)
    assert all(max(blue(Session.open(folder).video, student)) == 0 for student in (1, 2, 3))
    assert withdraw(folder, Who("withdrawal-1", number=2)).kind is Kind.REMOVED


def test_a_camera_that_never_moved_has_seats(tmp_path):
    folder, _ = lecture(tmp_path / "sessions", camera={"scenes": 1, "moved": False, "lost_s": 0.0})
    assert withdraw(folder, Who("withdrawal-1", seat(2))).kind is Kind.REMOVED


def test_the_seat_of_the_student_goes_from_the_seats_too(birds):
    square = [(0.1, 0.1), (0.2, 0.1), (0.2, 0.2), (0.1, 0.2)]
    seats = [Seat(name="1", polygon=square, student=1), Seat(name="A2", polygon=square, student=2)]
    write_json(birds / SEATS, SeatPlan(seats=[*seats, Seat(name="3", polygon=square, student=3)]))
    withdraw(birds, Who("withdrawal-1", number=1))
    withdraw(birds, Who("withdrawal-2", number=2))
    left = read_plan(Session.open(birds))
    assert left is not None
    assert [(seat.name, seat.student) for seat in left.seats] == [("A2", None), ("3", 3)]


def test_seats_that_cannot_be_read_stop_a_withdrawal(birds):
    (birds / SEATS).write_text("{", encoding="utf-8")
    before = contents(birds)
    with pytest.raises(SessionError, match=r"seats\.json: cannot be read"):
        withdraw(birds, Who("withdrawal-1", number=1))
    assert contents(birds) == before
