"""The page on which states are corrected, without a browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from visiting import visit, words

from consent.roles import Role
from dashboard import access, library, texts
from dashboard.access import Visitor
from dashboard.texts import correct as said
from dashboard.texts import reviewer, students
from models.states import State
from pipeline.corrections import correct, read_corrections
from pipeline.session import CORRECTIONS, MANIFEST, STATES, Session

NOTES, BORED = State.TAKING_NOTES.value, State.BORED.value


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., AppTest]:
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    return partial(visit, monkeypatch, name="correct")


def look(page: AppTest, student: int, reason: str = "a reason") -> AppTest:
    next(box for box in page.selectbox if box.label == students.ONE).set_value(student)
    next(box for box in page.text_input if box.label == students.REASON).set_value(reason)
    next(button for button in page.button if button.label == students.OPEN).click()
    page.run()
    assert not page.exception
    return page


def player(page: AppTest) -> dict:
    (mounted,) = page.get("bidi_component")
    return json.loads(mounted.proto.json)


def asked(monkeypatch: pytest.MonkeyPatch, folder: Path, opened: set[int], what: dict) -> list[str]:
    """What the page says to a request that claims to be of a browser in which these students were opened."""
    monkeypatch.setenv("REQUEST", json.dumps(what))
    monkeypatch.setenv(library.FOLDER_VARIABLE, str(folder))
    source = (
        "import json, os\n"
        "import streamlit as st\n"
        "from dashboard import access, correct, library, moments\n"
        f"st.session_state['opened students of demo'] = {opened!r}\n"
        "session = library.load(library.folder()).sessions['demo']\n"
        "correct._asked('demo', session, access.visitor(), json.loads(os.environ['REQUEST']))\n"
        "for sentence in moments.told(): st.error(sentence)\n"
    )
    page = AppTest.from_string(source).run()
    assert not page.exception
    return [error.value for error in page.error]


# Nothing to correct


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_sessions_says_how_to_make_one(tmp_path, open_page, exists) -> None:
    page = open_page(tmp_path if exists else tmp_path / "missing")
    assert page.title[0].value == texts.NO_SESSIONS


def test_a_lecture_nobody_attended(tmp_path, open_page, make_session) -> None:
    make_session(tmp_path, students=0)
    page = open_page(tmp_path)
    assert said.NO_STUDENTS in words(page)
    assert not page.get("bidi_component")


def test_deleted_tables_leave_nothing_to_correct(tmp_path, open_page, make_session) -> None:
    path = make_session(tmp_path) / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "purged": {"tables": "2025-06-03"}}))
    page = open_page(tmp_path)
    assert "deleted on 2025-06-03" in page.info[0].value
    assert not page.get("bidi_component")


def test_a_viewer_corrects_nothing(tmp_path, open_page, make_session, monkeypatch) -> None:
    make_session(tmp_path, course="Birds")
    viewer = Visitor("viewer@example.org", Role.VIEWER, ("Birds",))
    monkeypatch.setattr(access, "visitor", lambda: viewer)
    page = open_page(tmp_path)
    assert said.NOT_YOURS in words(page)
    assert not page.get("bidi_component")
    asked(monkeypatch, tmp_path, {1}, {"student": 1, "start": 0, "end": 2, "state": BORED})
    assert not (tmp_path / "demo" / CORRECTIONS).exists()


def test_broken_sessions_beside_a_good_one(tmp_path, open_page, make_session) -> None:
    make_session(tmp_path)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / MANIFEST).write_text("{")
    page = open_page(tmp_path)
    assert len(page.selectbox[0].options) == 1
    assert not page.error


@pytest.mark.parametrize(
    ("name", "content"), [(CORRECTIONS, b"\xff\xfe"), (CORRECTIONS, b"start\n1\n"), (STATES, b"x")]
)
def test_damage_is_said_and_nothing_is_overwritten(tmp_path, open_page, make_session, name, content) -> None:
    path = make_session(tmp_path) / name
    path.write_bytes(content)
    page = open_page(tmp_path)
    if name == STATES:
        page = look(page, 1)
    assert name in page.error[0].value.replace("\\", "")
    assert path.read_bytes() == content


def test_a_hundred_sessions(tmp_path, open_page, make_session) -> None:
    first = make_session(tmp_path, "lecture-000", students=5, seconds=5)
    manifest = json.loads((first / MANIFEST).read_text())
    for number in range(1, 100):
        folder = tmp_path / f"lecture-{number:03}"
        folder.mkdir()
        for path in first.iterdir():
            if path.name != MANIFEST:
                (folder / path.name).hardlink_to(path)
        (folder / MANIFEST).write_text(json.dumps({**manifest, "id": folder.name}))
    page = look(open_page(tmp_path, session="lecture-050"), 3)
    assert len(page.selectbox[0].options) == 100
    assert player(page)["name"] == "lecture-050"


# One student


def test_the_student_is_shown_for_a_reason_second_by_second(tmp_path, open_page, make_session) -> None:
    session = Session.open(make_session(tmp_path, students=4))
    page = open_page(tmp_path)
    assert not page.get("bidi_component")
    page = look(page, 3)
    shown = player(page)
    assert shown["lens"]["student"] == 3
    assert shown["timeline"] is None
    names = [state["name"] for state in shown["states"]]
    mine = session.states[session.states["student"] == 3].sort_values("t")
    assert [names[at] for at in base64.b64decode(shown["lens"]["state"])] == mine["state"].tolist()
    (spans,) = shown["lists"]
    assert sum(row["end"] - row["t"] for row in spans["rows"]) == len(mine)
    assert all(names[row["span"]["state"]] for row in spans["rows"])


def test_no_reason_no_student(tmp_path, open_page, make_session) -> None:
    make_session(tmp_path)
    page = look(open_page(tmp_path), 3, " ")
    assert not page.get("bidi_component")
    assert page.error


def test_corrections_are_shown_by_reviewer_with_agreement(tmp_path, open_page, make_session) -> None:
    session = Session.open(make_session(tmp_path, students=3))
    truth = session.states[session.states["student"] == 1].sort_values("t")["state"].tolist()
    for t in range(10):
        correct(session, t, t + 1, 1, truth[t], "ann")
    correct(session, 0, 5, 1, BORED, "<b>bob</b>")
    correct(session, 5, 10, 1, NOTES, "<b>bob</b>")
    page = look(open_page(tmp_path), 1)
    assert [mark["who"] for mark in player(page)["lens"]["marks"]] == ["<b>bob</b>", "ann"]
    written, agreement = (table.value for table in page.dataframe)
    assert len(written) == 12
    assert agreement[said.BETWEEN].tolist() == [
        "<b>bob</b> and the system",
        "ann and the system",
        "<b>bob</b> and ann",
    ]
    assert agreement[said.SECONDS].tolist() == [10, 10, 10]
    assert agreement[said.SAME][1] == "100%"


def test_lines_about_students_not_opened_stay_hidden(tmp_path, open_page, make_session) -> None:
    session = Session.open(make_session(tmp_path, students=3))
    correct(session, 0, 5, 2, BORED, "ann")
    page = look(open_page(tmp_path), 1)
    assert said.OTHERS in words(page)
    assert [table.value for table in page.dataframe if "student" in table.value] == []


def test_undo_takes_back_ones_own_last_line(tmp_path, open_page, make_session) -> None:
    session = Session.open(make_session(tmp_path, students=3))
    correct(session, 0, 5, 1, BORED, "ann")
    page = look(open_page(tmp_path), 1)
    undo = next(button for button in page.button if button.label == said.UNDO)
    assert undo.disabled  # ann's is not ours
    next(box for box in page.text_input if box.label == reviewer.SAVED_AS).set_value("ann").run()
    next(button for button in page.button if button.label == said.UNDO).click().run()
    assert not page.exception
    assert read_corrections(session).empty


# Requests


def test_a_request_is_saved_at_once(tmp_path, make_session, monkeypatch) -> None:
    session = Session.open(make_session(tmp_path, students=3))
    assert asked(monkeypatch, tmp_path, {2}, {"student": 2, "start": 3, "end": 9.5, "state": NOTES}) == []
    (row,) = read_corrections(session).itertuples(index=False)
    assert row[:5] == (3.0, 9.5, 2, NOTES, reviewer.HERE)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"student": 1}, False),  # not opened: no reason was given
        ({"student": None}, False),
        ({"student": "<b>"}, False),
        ({"start": None}, False),
        ({"end": [1]}, False),
        ({"start": 12}, True),
        ({"end": 1e9}, True),
        ({"end": float("nan")}, True),
        ({"state": "asleep"}, True),
        ({"state": None}, True),
        ({"state": ["x"]}, True),
    ],
)
def test_a_request_that_cannot_be_meant_writes_nothing(tmp_path, make_session, monkeypatch, change, told) -> None:
    session = Session.open(make_session(tmp_path, students=3))
    what = {"student": 2, "start": 3, "end": 9, "state": NOTES} | change
    assert bool(asked(monkeypatch, tmp_path, {2}, what)) == told
    assert not (session.folder / CORRECTIONS).exists()
