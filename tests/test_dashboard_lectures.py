"""The page of all lectures: an empty folder, one lecture, broken ones, a hundred; the gate; the queue."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock
from small_sessions import small_session
from streamlit.testing.v1 import AppTest
from visiting import visit, words

from consent.database import URL_VARIABLE
from consent.policy import Purpose
from consent.registry import Registry
from consent.retention import Kind
from dashboard import access, jobs, library, overview, recordings, runner, texts
from dashboard.access import Visitor
from dashboard.jobs import JobState, Queue
from dashboard.texts import lectures as said
from pipeline.session import ENGAGEMENT, MANIFEST

DEMO = Path(__file__).parents[1] / "demo" / "classroom.mp4"
TODAY = date.today()
NASTY = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "**bold** [link](javascript:x) $x^2$ :red[r] `code`",
    "\"quotes\" 'single' “curly” & ampersand",
    "\U0001f468\u200d\U0001f393 \U0001f600 emoji",
    "مقدمة في الإحصاء \u202egnirts desrever",
    "x" * 10_000,
    "line\nbreak\ttab",
)


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., AppTest]:
    monkeypatch.setenv(URL_VARIABLE, f"sqlite:///{tmp_path / 'consent.sqlite'}")
    monkeypatch.delenv(recordings.FOLDER_VARIABLE, raising=False)
    return partial(visit, monkeypatch, name="lectures")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """In place of the worker: nothing is run, only noted that it would be."""
    calls: list[Path] = []
    monkeypatch.setattr(runner, "start", calls.append)
    return calls


def approve(course: str, **more: object) -> None:
    with Registry.open() as registry:
        registry.approve(course, "Prof. Ada Byron", TODAY - timedelta(days=1), **more)


def rows(page: AppTest) -> list[dict]:
    return page.dataframe[0].value.to_dict("records")


def button(page: AppTest, label: str):
    (found,) = [one for one in page.button if one.label == label]
    return found


# Nothing to show


@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_folder_says_what_to_do_and_offers_the_demo(folder, open_page, started, exists) -> None:
    if exists:
        folder.mkdir()
    page = open_page(folder)
    assert page.title[0].value == texts.NO_SESSIONS
    assert "engage demo" in words(page)
    assert said.NO_COURSES in words(page)
    assert not page.dataframe
    button(page, said.TRY_DEMO).click().run()
    assert not page.exception
    (job,) = Queue(folder).jobs()
    assert job.command == ("demo", f"--out={folder}")
    assert set(started) == {folder}
    assert said.WAITING in "".join(element.proto.text for element in page.get("progress"))


def test_only_broken_sessions_are_listed_with_their_errors(folder, open_page) -> None:
    (folder / "torn").mkdir(parents=True)
    (folder / "torn" / MANIFEST).write_text("{")
    page = open_page(folder)
    assert page.title[0].value == texts.ALL_BROKEN
    assert "cannot be read" in words(page)


# One lecture


def test_one_lecture_is_a_row_with_its_numbers(folder, open_page, make_session) -> None:
    make_session(folder, students=5, audit="needs review")
    page = open_page(folder)
    (row,) = rows(page)
    made = library.load(folder).sessions["demo"].manifest
    assert row[said.LECTURE] == "lecture"
    assert row[said.ENGAGEMENT] == made.engagement.mean
    assert row[said.COVERAGE] == round(made.engagement.coverage, 2)
    assert row[said.STUDENTS] == 5
    assert row[said.SPANS] == 2
    assert row[said.CHECK] == "needs review"
    assert row[said.CONSENT] == said.ONE_RUN
    assert "%" in row[said.SHARES]
    assert said.WEEKS_TWO in words(page)


def test_a_lecture_nobody_attended_or_whose_tables_are_gone_keeps_its_row(folder, open_page, make_session) -> None:
    make_session(folder, "empty", students=0)
    gone = make_session(folder, "gone")
    manifest = json.loads((gone / MANIFEST).read_text())
    (gone / MANIFEST).write_text(json.dumps({**manifest, "purged": {Kind.TABLES.value: "2026-01-01"}}))
    (gone / ENGAGEMENT).unlink()
    withheld = make_session(folder, "few", engagement={"mean": None, "coverage": 0.9, "withheld_seconds": 30})
    (withheld / ENGAGEMENT).write_text(
        "scope,t,student,engagement,coverage,students_seen,minutes_seen\nclass,0,,,1,3,\n"
    )
    torn = make_session(folder, "torn table")
    (torn / ENGAGEMENT).write_bytes(b"\xff\x00")
    page = open_page(folder)
    found = {row[said.SHARES] for row in rows(page)}
    assert found == {texts.NOT_SEEN, said.DELETED, texts.WITHHELD, said.DAMAGED}


def test_the_record_of_the_course_is_told(folder, open_page, make_session) -> None:
    open_page(folder)  # names the registry
    approve("Valid", valid_until=TODAY + timedelta(days=10))
    approve("Ended", valid_until=TODAY - timedelta(days=1))
    approve("Showing only", purposes=[Purpose.SHOWING])
    with Registry.open() as registry:
        registry.opt_out("Valid", "s-1")
        registry.withdrawals.begin("Valid", "s-1")
    for course in ("  VALID ", "Ended", "Showing only", "Unknown"):
        make_session(folder, course.strip(), course=course)
    found = {row[said.COURSE].strip(): row[said.CONSENT] for row in rows(open_page(folder))}
    until = said.APPROVED.format(day=TODAY + timedelta(days=10))
    assert found == {
        "VALID": f"{said.TO_APPLY} · {until} · 1 said no",
        "Ended": said.NOT_APPROVED,
        "Showing only": said.NOT_APPROVED,
        "Unknown": said.ONE_RUN,
    }


# Several


def test_a_broken_session_stands_beside_the_good_ones(folder, open_page, make_session) -> None:
    make_session(folder, "good")
    (folder / "torn").mkdir()
    (folder / "torn" / MANIFEST).write_text('{"schema_version": 99}')
    page = open_page(folder)
    assert len(rows(page)) == 1
    assert "session format 99" in words(page).replace("\\", "")


def test_a_hundred_lectures_are_listed_searched_and_read_only_once(folder, open_page, monkeypatch) -> None:
    for number in range(100):
        day = date(2026, 1, 1) + timedelta(days=number)
        small_session(folder, f"s{number:03}", course=f"Course {number % 3}", lecture_day=str(day))
    page = open_page(folder)
    assert len(rows(page)) == 100
    assert rows(page)[0][said.DAY] == date(2026, 4, 10)
    page.text_input(key="search").set_value("COURSE  s03").run()
    assert [row[said.LECTURE] for row in rows(page)] == [f"s{number:03}" for number in range(39, 29, -1)]
    page.text_input(key="search").set_value("").run()
    page.selectbox(key="course").set_value("course 2").run()
    page.date_input(key="days").set_value((date(2026, 2, 1), date(2026, 2, 28))).run()
    assert {row[said.COURSE] for row in rows(page)} == {"Course 2"}
    assert len(rows(page)) == 9
    page.text_input(key="search").set_value("nowhere").run()
    assert said.NOTHING_FOUND in words(page)
    assert not page.exception

    read: list[Path] = []
    real = library.Session.open.__func__
    monkeypatch.setattr(library.Session, "open", classmethod(lambda cls, path: read.append(path) or real(cls, path)))
    overview.lectures(library.load(folder))
    assert read == []
    (folder / "s007" / MANIFEST).write_text((folder / "s008" / MANIFEST).read_text() + " ")
    assert library.load(folder).sessions["s007"].manifest.id == "s008"
    assert read == [folder / "s007"]


def test_a_course_over_weeks_has_a_trend_and_states_in_their_colours(folder, open_page, make_session) -> None:
    for week in range(3):
        make_session(folder, f"w{week}", lecture_day=f"2026-09-{7 + 7 * week:02}", course="Maths", seed=week)
    make_session(folder, "other", course="Physics")
    page = open_page(folder)
    assert said.WEEKS_CHOOSE in words(page)
    page.selectbox(key="course").set_value("maths").run()
    assert "a week" in words(page)
    specs = [json.loads(chart.proto.spec) for chart in page.get("arrow_vega_lite_chart") + page.get("vega_lite_chart")]
    assert len(specs) == 2
    assert "attentive" in json.dumps(specs[1])


def test_lectures_of_other_rules_have_no_trend_and_it_is_said_why(folder, open_page, make_session) -> None:
    make_session(folder, "a", lecture_day="2026-09-07")
    make_session(folder, "b", lecture_day="2026-09-14", profile="observable")
    page = open_page(folder)
    assert "not comparable" in words(page)


@pytest.mark.parametrize("course", NASTY)
def test_names_that_are_anything_stay_text(folder, open_page, make_session, course) -> None:
    make_session(folder, "a", students=2, course=course, source={"name": course[:200], "sha256": "0" * 64})
    make_session(folder, "b", students=2, course=course, lecture_day="2026-01-05")
    page = open_page(folder)
    shown = words(page)
    assert "<script" not in shown.replace("\\<", "")
    assert all(len(row[said.COURSE]) <= texts.LONGEST_NAME for row in rows(page))
    assert "\u202e" not in shown + json.dumps(rows(page), default=str, ensure_ascii=False)
    assert all(len(option) <= texts.LONGEST_NAME for option in page.selectbox(key="course").options)


# Who sees what


def test_only_lectures_and_work_of_ones_own_courses_are_listed(
    folder, open_page, make_session, started, monkeypatch
) -> None:
    make_session(folder, "mine", course="Mine")
    make_session(folder, "theirs", course="Theirs")
    (folder / "torn").mkdir()
    (folder / "torn" / MANIFEST).write_text("{")
    queue = Queue(folder)
    for course in ("Mine", "Theirs", None):
        queue.add(["info"], f"work of {course}", course=course)
    viewer = Visitor("v@example.edu", access.Role.VIEWER, ("mine",))
    monkeypatch.setattr(access, "visitor", lambda: viewer)
    page = open_page(folder)
    assert [row[said.LECTURE] for row in rows(page)] == ["lecture"]
    assert "torn" not in words(page)
    assert "work of Mine" in words(page)
    assert "Theirs" not in words(page)
    assert "None" not in words(page)
    assert button(page, said.CANCEL).disabled
    assert not [one for one in page.button if one.label == said.BEGIN]
    assert not page.selectbox(key="course").options[2:]


def test_the_servers_folders_are_not_told_to_somebody_with_one_course(folder, open_page, monkeypatch) -> None:
    viewer = Visitor("v@example.edu", access.Role.VIEWER, ("Mine",))
    monkeypatch.setattr(access, "visitor", lambda: viewer)
    page = open_page(folder)
    assert str(folder) not in words(page)
    assert not page.button


# Starting an analysis


@pytest.fixture
def ready(folder, open_page, tmp_path, monkeypatch) -> Callable[[], AppTest]:
    """The page with a course on record and a recording in its folder."""
    place = tmp_path / "recordings" / "CS 101"
    place.mkdir(parents=True)
    (place / "week 1.mp4").write_bytes(DEMO.read_bytes())
    (place / "notes.mp4").write_text("no video")
    open_page(folder)
    approve("CS 101", purposes=[Purpose.RECORDING, Purpose.ANALYSIS])

    def opened() -> AppTest:
        monkeypatch.setenv(recordings.FOLDER_VARIABLE, str(tmp_path / "recordings"))
        return open_page(folder)

    return opened


def choose(page: AppTest, name: str) -> AppTest:
    return page.selectbox(key="new recording of CS 101").set_value(name).run()


def test_an_approved_recording_is_queued_as_engage_run_would_take_it(ready, folder, tmp_path, started) -> None:
    page = choose(ready(), "CS 101/week 1.mp4")
    assert "Approved by Prof\\. Ada Byron" in words(page)
    page.selectbox(key="new profile").set_value("observable")
    page.date_input(key="new day").set_value(TODAY - timedelta(days=3))
    button(page, said.BEGIN).click().run()
    assert not page.exception
    (job,) = Queue(folder).jobs()
    assert job.command == (
        "run",
        str(tmp_path / "recordings" / "CS 101" / "week 1.mp4"),
        f"--out={folder}",
        "--course=CS 101",
        "--profile=observable",
        "--blur=opted-out",
        f"--lecture-day={TODAY - timedelta(days=3)}",
    )
    assert (job.course, job.session, job.upload) == ("CS 101", "CS-101_week-1", None)
    assert set(started) == {folder}


@pytest.mark.parametrize("days", [{"valid_until": TODAY - timedelta(days=1)}, {"purposes": [Purpose.RECORDING]}])
def test_without_a_valid_approval_the_gate_is_shut_and_says_why(ready, folder, days) -> None:
    page = ready()
    approve("CS 202", **days)
    page = ready()
    page.selectbox(key="new course").set_value("CS 202").run()
    (told,) = [one.value for one in page.error]
    assert "engage consent approve" in told.replace("\\", "")
    assert button(page, said.BEGIN).disabled
    assert Queue(folder).jobs() == []


def test_nobody_is_uncovered_who_said_no(ready) -> None:
    with Registry.open() as registry:
        registry.approve("CS 101", "Prof. Ada Byron", TODAY, purposes=list(Purpose))
        registry.opt_out("CS 101", "s-1")
    page = ready()
    page.selectbox(key="new blur").set_value("nobody").run()
    assert "--blur nobody is not permitted" in page.error[0].value.replace("\\", "")
    assert button(page, said.BEGIN).disabled


def test_an_approval_that_ends_while_the_page_is_open_is_noticed(ready, folder) -> None:
    page = choose(ready(), "CS 101/week 1.mp4")
    approve("CS 101", purposes=[Purpose.SHOWING])
    button(page, said.BEGIN).click().run()
    assert "not recording or analysis" in page.error[0].value.replace("\\", "")
    assert Queue(folder).jobs() == []


@pytest.mark.parametrize(("name", "why"), [(None, said.CHOOSE_ONE), ("CS 101/notes.mp4", "notes.mp4")])
def test_what_is_no_recording_is_not_queued(ready, folder, name, why) -> None:
    page = ready()
    if name is not None:
        choose(page, name)
    button(page, said.BEGIN).click().run()
    assert why in page.error[0].value.replace("\\", "")
    assert Queue(folder).jobs() == []


def test_an_earlier_analysis_is_replaced_only_when_asked(ready, folder, make_session, started) -> None:
    make_session(folder, "CS-101_week-1", course="CS 101")
    page = choose(ready(), "CS 101/week 1.mp4")
    page.checkbox(key="replace CS-101_week-1").check().run()
    button(page, said.BEGIN).click().run()
    (job,) = Queue(folder).jobs()
    assert job.command[-1] == "--overwrite"


def test_a_registry_that_fails_hides_no_lecture(folder, make_session, monkeypatch, tmp_path) -> None:
    make_session(folder)
    monkeypatch.setenv(URL_VARIABLE, f"sqlite:///{tmp_path}/nowhere/consent.sqlite")
    page = visit(monkeypatch, folder, "lectures")
    assert len(rows(page)) == 1
    assert any("nowhere" in error.value for error in page.error)


# The queue


def test_work_under_way_is_shown_and_can_be_cancelled(folder, open_page, make_session, started) -> None:
    make_session(folder)
    queue = Queue(folder)
    job = queue.add(["run"], "<b>Week 1</b>")
    queue.take()
    queue.progress(job.id).write_text('{"stage": "Analyse", "done": 30, "total": 120, "seconds": 10.0}')
    with FileLock(queue.folder / "runner.lock"):  # somebody works
        page = open_page(folder)
        shown = "".join(element.proto.text for element in page.get("progress"))
        assert shown == "step 1 of 3, analysing: 30 of 120 frames, about 0:30 left in this step"
        assert "\\<b\\>" in words(page)
        button(page, said.CANCEL).click().run()
        assert queue.stopping(job.id)
        assert said.STOPPING in "".join(element.proto.text for element in page.get("progress"))
    assert started == []


@pytest.mark.parametrize(("state", "kind"), [(JobState.FAILED, "error"), (JobState.REVIEW, "warning")])
def test_how_the_newest_work_ended_is_said_at_the_top(folder, open_page, make_session, state, kind) -> None:
    make_session(folder)
    queue = Queue(folder)
    job = queue.add(["run"], "Week 1")
    queue.end(job.id, state, "a.mp4: no video stream")
    page = open_page(folder)
    (told,) = page.get(kind)
    assert "no video stream" in told.value
    later = queue.add(["run"], "Week 2", session="demo")
    queue.end(later.id, JobState.DONE)
    page = open_page(folder)
    assert not page.get(kind)
    assert "no video stream" in words(page)  # among earlier work
    assert jobs.listed()[0].id == later.id
