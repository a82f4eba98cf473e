"""The page about consent without a browser: nothing on record first, then approvals, answers, withdrawals, forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lectures import COURSE as BIRDS
from lectures import lecture, zone
from streamlit.testing.v1 import AppTest
from visiting import visit, words

from consent.courses import LONGEST_NAME
from consent.policy import Approval, Purpose, Zone
from consent.registry import Registry
from consent.retention import Kind
from dashboard import access, approvals, forms, jobs, room, runner, withdrawing
from dashboard.access import Visitor
from dashboard.room import Standing
from dashboard.texts import access as door_words
from dashboard.texts import consent as said
from pipeline.consequences import Consequence, Effect, consequences
from pipeline.session import MANIFEST, SEATS, VIDEO, Session

TODAY = date.today()
COURSE = "CS 101"
SEAT = Zone(0.1, 0.2, 0.3, 0.4)
MakeSession = Callable[..., Path]
NASTY = [
    "<script>window.injected = 1</script>",
    "\"quotes\" and 'quotes' & <b>",
    "🎓 Einführung",
    "مقدمة في الإحصاء \u202eabc",
    "**bold** [a](javascript:b) $x$ :red[y]",
    "x" * 10_000,
]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    with Registry.open() as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Work is queued but not begun; the folders it would have begun in."""
    found: list[Path] = []
    monkeypatch.setattr(runner, "start", found.append)
    return found


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture is made: looking for faces takes seconds."""
    monkeypatch.setattr(room, "picture", lambda session: None)


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, folder: Path, registry: Registry, blind: None) -> Callable[..., AppTest]:
    def opened(part: str = said.APPROVALS, chosen: str | None = None, **query: str) -> AppTest:
        page = visit(monkeypatch, folder, "consent", **query)
        page.part = part
        if part != said.APPROVALS or chosen is not None:
            page.session_state["place to choose next"] = chosen
            again(page)
        return page

    return opened


def seated(folder: Path, numbers: tuple[int, ...] = (1, 2)) -> None:
    """Write a plan of seats side by side into a session."""
    seats = [
        {"name": str(n), "polygon": [[n / 10, 0.2], [n / 10 + 0.08, 0.2], [n / 10 + 0.08, 0.5]], "student": n}
        for n in numbers
    ]
    (folder / SEATS).write_text(json.dumps({"seats": seats}))


def again(page: AppTest) -> None:
    """Run the page; AppTest does not know tabs and forgets which was open."""
    page.session_state["part of consent"] = page.part
    page.run()
    assert not page.exception, page.exception


def press(page: AppTest, label: str) -> None:
    button(page, label).click()
    again(page)


def button(page: AppTest, label: str):
    (found,) = [one for one in page.button if one.label == label]
    return found


# Nothing on record, and who may not look


def test_without_a_course_the_page_offers_the_first_approval(open_page, registry):
    page = open_page()
    assert said.NO_COURSE in words(page)
    page.text_input[0].set_value("CS 101")
    page.text_input[1].set_value("Prof. Wren")
    press(page, said.RECORD)
    (approval,) = registry.approvals("cs 101")
    assert (approval.approved_by, approval.valid_from, approval.valid_until) == ("Prof. Wren", TODAY, None)


def test_a_blank_approval_is_refused_in_one_sentence(open_page, registry):
    page = open_page()
    press(page, said.RECORD)
    assert "is blank" in page.error[0].value
    assert registry.courses() == ()


@pytest.mark.parametrize("role", [None, access.Role.VIEWER])
def test_who_may_change_nothing_sees_nothing(monkeypatch, open_page, registry, role):
    registry.approve(COURSE, "Dean", TODAY)
    monkeypatch.setattr(access, "visitor", lambda: Visitor("vic@example.org", role, (COURSE,)))
    page = open_page()
    assert words(page) == door_words.NOT_YOURS
    assert not page.selectbox
    assert registry.accesses.on_record()[0].account == "vic@example.org"


def test_an_instructor_sees_the_own_course_only_and_approves_nothing(monkeypatch, open_page, registry):
    for course in (COURSE, "Art"):
        registry.approve(course, "Dean", TODAY)
    monkeypatch.setattr(access, "visitor", lambda: Visitor("ada@example.org", access.Role.INSTRUCTOR, ("cs 101",)))
    page = open_page(course="Art")
    assert page.selectbox[0].options == [COURSE]
    assert said.APPROVE not in [one.label for one in page.expander]
    monkeypatch.setattr(access, "visitor", lambda: Visitor("ada@example.org", access.Role.INSTRUCTOR, ("Music",)))
    assert said.NO_COURSE_YOURS in words(open_page())


def test_a_registry_that_cannot_be_read_is_one_sentence(monkeypatch, tmp_path, folder):
    (tmp_path / "no").write_text("no database, but long enough to be none" * 9)
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'no'}")
    page = visit(monkeypatch, folder, "consent")
    assert "cannot be used" in page.error[0].value.replace("\\", "")


# Approvals


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (0, None, "valid"),
        (0, 0, "valid, 1 day left"),
        (-9, 4, "valid, 5 days left"),
        (-9, -1, "expired 1 day ago"),
        (-900, -800, "expired 800 days ago"),
        (1, None, "begins in 1 day"),
        (30, 60, "begins in 30 days"),
    ],
)
def test_an_approval_in_words(start, end, told):
    until = None if end is None else TODAY + timedelta(end)
    assert approvals.state(Approval("a", COURSE, "x", TODAY + timedelta(start), until), TODAY) == told


@given(st.dates(), st.integers(0, 5000), st.dates())
def test_words_and_validity_agree(begins, length, today):
    approval = Approval("a", COURSE, "x", begins, date.fromordinal(min(begins.toordinal() + length, 3652059)))
    assert approval.valid_on(today) == approvals.state(approval, today).startswith("valid")


@pytest.mark.parametrize(
    ("dates", "told"),
    [
        ([(-9, -3)], said.NOT_VALID_TODAY),
        ([(3, None)], said.NOT_VALID_TODAY),
        ([(-9, None), (-9, -3)], "may be analysed today: recording, analysis"),
    ],
)
def test_whether_lectures_may_be_analysed_today(open_page, registry, dates, told):
    for start, end in dates:
        until = None if end is None else TODAY + timedelta(end)
        registry.approve(COURSE, "Dean", TODAY + timedelta(start), until)
    page = open_page()
    shown = "\n".join([words(page), *(one.value for one in page.success)])
    assert told in shown
    assert len(page.dataframe[0].value) == len(dates)


def test_a_course_of_a_session_that_nobody_approved_says_so(open_page, folder, make_session):
    make_session(folder, course="Music")
    assert said.NO_APPROVAL in words(open_page())


# Seats and answers


def test_without_a_lecture_there_is_no_picture_but_answers_can_be_recorded(open_page, registry):
    registry.approve(COURSE, "Dean", TODAY)
    page = open_page(said.SEATS)
    assert said.NO_PICTURE in words(page)
    page.text_input[0].set_value("s-17")
    page.radio[0].set_value(False)
    press(page, said.RECORD)
    assert [one.student for one in registry.opt_outs(COURSE)] == ["s-17"]
    assert "everybody is covered" in words(page)
    assert said.ANSWERS.format(student="s\\-17") in words(page)  # chosen at once


def test_everybody_on_record_and_every_seat_is_a_place_once(folder, registry, make_session):
    session = make_session(folder, course=COURSE)
    seated(session, (1, 2, 3))
    registry.approve(COURSE, "Dean", TODAY)
    registry.students.enter(COURSE, "in one", seat=Zone(0.09, 0.1, 0.19, 0.6))
    registry.students.enter(COURSE, "nowhere")
    registry.students.decide(COURSE, "in one", [Purpose.RECORDING, Purpose.ANALYSIS], True)
    registry.opt_out(COURSE, "no", Zone(0.29, 0.1, 0.39, 0.6))
    registry.close_zone(COURSE, "back", SEAT)
    found = room.places(registry.students.on_record(COURSE), registry.opt_outs(COURSE), Session.open(session))
    assert [(one.student, one.number, one.standing) for one in found] == [
        ("in one", 1, Standing.YES),
        ("nowhere", None, Standing.SILENT),
        ("no", 3, Standing.NO),
        (None, None, Standing.ZONE),
        (None, 2, Standing.FREE),
    ]
    assert len({one.key for one in found}) == len(found)
    assert all(str(one) for one in found)


def test_the_answer_of_a_student_is_recorded_and_an_opt_out_taken_back(open_page, registry):
    registry.approve(COURSE, "Dean", TODAY)
    registry.students.enter(COURSE, "s-17", seat=SEAT)
    page = open_page(said.SEATS, "student s-17")
    press(page, said.OPT_OUT)
    assert [(one.student, one.zone) for one in registry.opt_outs(COURSE)] == [("s-17", SEAT)]
    press(page, said.OPT_IN)
    assert registry.opt_outs(COURSE) == ()
    page.multiselect[0].set_value([Purpose.SHOWING])
    page.radio[0].set_value(True)
    page.text_input[0].set_value("0123abcd")
    press(page, said.RECORD)
    (student,) = registry.students.on_record(COURSE)
    (decision,) = student.decisions
    assert (decision.purpose, decision.granted, decision.form_version) == (Purpose.SHOWING, True, "0123abcd")
    page.text_input[0].set_value("no hash")
    page.radio[0].set_value(True)
    press(page, said.RECORD)
    assert "is not a hash" in page.error[0].value
    registry.verify()


def test_somebody_is_put_on_a_free_seat_as_on_the_command_line(open_page, registry, folder, make_session):
    session = make_session(folder, course=COURSE)
    seated(session)
    registry.approve(COURSE, "Dean", TODAY)
    registry.students.enter(COURSE, "s-17")
    page = open_page(said.SEATS, "seat 2")
    assert said.WHO_SITS.format(number=2) in words(page)
    page.selectbox[-1].set_value("s-17")
    press(page, said.PUT_ON_RECORD)
    from pipeline.seat_zone import seat_of

    (student,) = registry.students.on_record(COURSE)
    assert student.seat == seat_of(Session.open(session), 2).zone


def test_a_damaged_plan_of_seats_leaves_the_rest(open_page, registry, folder, make_session):
    (make_session(folder, course=COURSE) / SEATS).write_text("{")
    registry.approve(COURSE, "Dean", TODAY)
    registry.students.enter(COURSE, "s-17", seat=SEAT)
    page = open_page(said.SEATS, "student s-17")
    assert SEATS in page.error[0].value.replace("\\", "")
    assert said.ANSWERS.format(student="s\\-17") in words(page)


def test_a_broken_session_beside_a_good_one_is_named_and_hides_nothing(open_page, registry, folder, make_session):
    seated(make_session(folder, "good", course=COURSE))
    (folder / "torn").mkdir()
    (folder / "torn" / MANIFEST).write_text("{")
    page = open_page(said.SEATS)
    assert "torn" in words(page)
    assert page.get("vega_lite_chart") or page.get("arrow_vega_lite_chart")


def test_a_hundred_lectures(open_page, registry, folder, make_session):
    first = make_session(folder, "000", course=COURSE)
    manifest = json.loads((first / MANIFEST).read_text())
    for number in range(1, 100):
        other = folder / f"{number:03}"
        other.mkdir()
        (other / MANIFEST).write_text(json.dumps({**manifest, "id": other.name, "course": f"Course {number % 7}"}))
    page = open_page(said.SEATS, course=COURSE)
    assert len(page.selectbox[0].options) == 8
    assert page.selectbox[0].value == COURSE


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_names_are_shown_letter_by_letter(open_page, registry, folder, make_session, text):
    printed = "".join(one for one in text if one.isprintable())
    known = printed[:LONGEST_NAME]  # the record takes no longer ones, sessions do
    seated(make_session(folder, course=printed))
    registry.approve(known, known, TODAY)
    registry.students.enter(known, known)
    for part in (said.APPROVALS, said.SEATS, said.WITHDRAWALS, said.FORMS):
        page = open_page(part, f"student {printed}")
        shown = words(page)
        assert "<script" not in shown.replace("\\<", "")
        assert "**bold**" not in shown
        assert len(shown) < 5000
        assert len(page.selectbox[0].options[0]) <= 100


# The picture


def test_the_picture_shows_no_face_even_where_showing_was_granted(tmp_path):
    session, _ = lecture(tmp_path, purposes=["recording", "analysis", "showing"])
    coded = room.picture(Session.open(session))
    assert coded is not None
    import cv2
    import numpy as np

    image = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR).astype(int)
    blue = image[..., 0] - image[..., 2]
    assert blue.max() < 60  # heads are blue, (255, 90, 10); half of it is left in a picture made lighter


def test_there_is_no_picture_of_a_video_that_is_gone(tmp_path, make_session):
    folder = make_session(tmp_path)
    (folder / VIDEO).unlink()
    assert room.picture(Session.open(folder)) is None


def test_a_click_reaches_the_small_seats_above_the_large_ones():
    large = room.Place("zone", Standing.ZONE, Zone(0.0, 0.0, 1.0, 1.0))
    small = room.Place("seat 1", Standing.FREE, Zone(0.4, 0.4, 0.5, 0.5), None, 1)
    spec = room.chart([small, large, room.Place("x", Standing.SILENT, None, "x")], b"jpeg", 0.5, None, 640).to_dict()
    (rows,) = [rows for rows in spec["datasets"].values() if "place" in rows[0]]
    assert [row["place"] for row in rows] == ["zone", "seat 1"]
    assert spec["height"] == 320


# Withdrawals


def planned(registry: Registry, folder: Path, student: str, course: str = BIRDS) -> tuple[Consequence, ...]:
    head = registry.verify()
    withdrawal = registry.withdrawals.planned(course, student)
    told = consequences(withdrawal, registry.sessions.of_course(course), [folder])
    assert registry.verify() == head  # nothing was recorded
    return told


def test_what_a_withdrawal_would_do_is_what_it_does(tmp_path, registry):
    """Each effect, told before, beside the outcome of the real thing."""
    from engage import scorer
    from pipeline.clearing import clear
    from pipeline.progress import Silent
    from pipeline.search import Originals
    from pipeline.withdrawal import Remake
    from reports.report import write_report

    folder = tmp_path / "sessions"
    lecture(folder, "seen")
    lecture(folder, "courseless", course=None)
    lecture(folder, "elsewhere", course="Fish 101")
    gone, _ = lecture(folder, "no tables")
    path = gone / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "purged": {Kind.TABLES.value: "2026-01-01"}}))
    registry.approve(BIRDS, "Dean", TODAY)
    registry.students.enter(BIRDS, "kestrel", seat=Zone(*zone(2)))
    told = {one.folder.name: one for one in planned(registry, folder, "kestrel")}
    assert {name: one.effect for name, one in told.items()} == {
        "seen": Effect.REMOVED,
        "no tables": Effect.VIDEO_DELETED,
    }
    assert told["seen"].students == (2,)
    states = Session.open(folder / "seen").states
    assert told["seen"].seconds == (states["student"] == 2).sum() > 0
    remake = Remake(lambda manifest: scorer(manifest.config), write_report)
    cleared = clear(registry.withdrawals.begin(BIRDS, "kestrel"), [], [folder], Originals(()), remake, Silent())
    done = {one.folder.name: one.words for one in cleared.outcomes}
    assert set(done) == set(told)
    assert "removed student 2" in done["seen"]
    assert f"{told['seen'].seconds} seconds of states" in done["seen"]
    assert "video was deleted" in done["no tables"]
    assert [one.effect for one in planned(registry, folder, "kestrel")] == [Effect.NOTHING] * 2


def test_where_the_seat_is_not_known_everybody_would_be_covered(tmp_path, registry):
    folder = tmp_path / "sessions"
    lecture(folder, "seen")
    (folder / "torn").mkdir()
    (folder / "torn" / MANIFEST).write_text("{")
    registry.approve(BIRDS, "Dean", TODAY)
    registry.opt_out(BIRDS, "heron")
    registry.sessions.note(BIRDS, "lost", "2026-01-01T00:00:00Z", tmp_path / "lost")
    told = planned(registry, folder, "heron")
    assert [one.effect for one in told] == [Effect.EVERYBODY, Effect.UNKNOWN, Effect.UNKNOWN]
    assert "not where it was noted" in told[1].words
    assert "torn" in told[2].words


@pytest.mark.parametrize(
    ("consequence", "told"),
    [
        (Consequence(Path("x"), Effect.REMOVED, (2,), 83, 1), "student 2 goes: 1:23 of data, 1 unusual span"),
        (Consequence(Path("x"), Effect.REMOVED, (2, 5), 0, 0), "student 2, 5 goes: 0:00 of data, no unusual span"),
        (Consequence(Path("x"), Effect.REMOVED, (), 0, 0, 7), "7 sightings of others in the seat go"),
        (Consequence(Path("x"), Effect.EVERYBODY), "the video covers everybody"),
        (Consequence(Path("x"), Effect.VIDEO_DELETED), "the video is deleted"),
        (Consequence(Path("x"), Effect.NOTHING, words="nothing left to do"), "nothing: nothing left to do"),
        (Consequence(Path("x"), Effect.NOTHING), said.COVERED_BEFORE),
        (Consequence(Path("x"), Effect.UNKNOWN, words="torn"), "not known: torn"),
    ],
)
def test_a_consequence_in_words(consequence, told):
    assert told in withdrawing.sentence(consequence)


def test_a_withdrawal_is_told_then_asked_for_then_queued_once(open_page, registry, folder, started):
    lecture(folder, "seen", course="--help")
    registry.approve("--help", "Dean", TODAY)
    registry.students.enter("--help", "-x", seat=Zone(*zone(2)))
    page = open_page(said.SEATS, "student -x")
    assert said.WITHDRAW_NOW not in [one.label for one in page.button]
    press(page, said.SHOW_CONSEQUENCES)
    assert "student 2 goes" in words(page).replace("\\", "")
    assert button(page, said.WITHDRAW_NOW).disabled
    assert jobs.listed() == []
    page.checkbox[0].check()
    again(page)
    press(page, said.WITHDRAW_NOW)
    (job,) = jobs.listed()
    assert job.command == ("consent", "withdraw", f"--sessions={folder}", "--", "--help", "-x")
    assert job.course == "--help"
    assert started
    page = open_page(said.SEATS, "student -x")
    assert said.SHOW_CONSEQUENCES not in [one.label for one in page.button]
    assert "is under way" in words(page)
    page = open_page(said.WITHDRAWALS)
    assert said.UNDER_WAY in words(page)
    assert said.AGAIN not in [one.label for one in page.button]


def test_withdrawals_say_whether_they_are_done_and_can_be_carried_out_again(open_page, registry, folder, started):
    registry.approve(COURSE, "Dean", TODAY)
    assert "Nobody has withdrawn" in words(open_page(said.WITHDRAWALS))
    for student in ("done", "open"):
        registry.students.enter(COURSE, student)
        begun = registry.withdrawals.begin(COURSE, student)
        if student == "done":
            registry.withdrawals.end(begun)
    page = open_page(said.WITHDRAWALS)
    shown = words(page)
    assert said.DONE in shown.replace("\\", "")
    assert said.OPEN in shown.replace("\\", "")
    press(page, said.AGAIN)
    assert [one.command[-1] for one in jobs.listed()] == ["open"]


# Forms


def test_the_forms_are_made_of_the_example_with_the_name_of_the_course(open_page, registry):
    name = 'CS "101" \\ #1: <b>'
    registry.approve(name, "Dean", TODAY)
    page = open_page(said.FORMS)
    press(page, said.MAKE_FORMS)
    assert not page.error
    labels = [one.proto.label for one in page.get("download_button")]
    assert labels == [said.DOWNLOAD_FILE, *said.KINDS.values()]
    from consent.course import parse_course

    assert parse_course(page.text_area[0].value.encode(), "x").course == name


@pytest.mark.parametrize("content", ["", "course: [", "{}", "course: CS 101", "a: \x00"])
def test_a_course_file_that_is_none_is_one_sentence(open_page, registry, content):
    registry.approve(COURSE, "Dean", TODAY)
    page = open_page(said.FORMS)
    page.text_area[0].set_value(content)
    press(page, said.MAKE_FORMS)
    (told,) = page.error
    assert said.COURSE_FILE in told.value.replace("\\", "")
    assert len(page.get("download_button")) == 1


@given(st.text(min_size=1).filter(lambda text: text.isprintable() and text.strip()))
def test_any_name_of_a_course_is_whole_in_the_example(name):
    from consent.course import parse_course

    facts = parse_course(forms._example(name).encode("utf-8", "replace"), "x")
    assert facts.course
