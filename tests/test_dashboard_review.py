"""The page of one lecture without a browser: what it sends to the player, and what it asks of the visitor."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from visiting import visit, words

from consent.accesses import AccessKind
from consent.registry import Registry
from consent.retention import Kind
from consent.roles import Role
from dashboard import access, library, texts
from dashboard.access import Visitor
from dashboard.server import video_url
from dashboard.texts import review, students
from models.states import PALETTE, Profile
from pipeline.reviews import Verdict, read_reviews
from pipeline.reviews import review as mark
from pipeline.session import ENGAGEMENT, EVENTS, MANIFEST, PARTS, REVIEWS, STATES, VIDEO, Session

MakeSession = Callable[..., Path]


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., AppTest]:
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    return partial(visit, monkeypatch, name="review")


def player(page: AppTest) -> dict:
    """What the component is given."""
    (mounted,) = page.get("bidi_component")
    return json.loads(mounted.proto.json)


def look(page: AppTest, chosen: list[int], reason: str) -> AppTest:
    box = next(box for box in page.multiselect if box.label == students.WHICH)
    box.set_value(chosen)
    next(box for box in page.text_input if box.label == students.REASON).set_value(reason)
    page.button[0].click()
    page.run()
    assert not page.exception
    return page


def asked(monkeypatch: pytest.MonkeyPatch, folder: Path, what: dict) -> AppTest:
    """The page's answer to a request that a browser, or somebody who pretends to be one, sends."""
    monkeypatch.setenv(library.FOLDER_VARIABLE, str(folder))
    source = (
        "from dashboard import access, library, review\n"
        "session = library.load(library.folder()).sessions['demo']\n"
        f"review._asked('demo', session, access.visitor(), {what!r})\n"
        "from dashboard import moments\n"
        "import streamlit as st\n"
        "for sentence in moments.told(): st.error(sentence)\n"
    )
    page = AppTest.from_string(source).run()
    assert not page.exception
    return page


# Nothing to show


def test_a_lecture_nobody_attended(tmp_path: Path, open_page, make_session: MakeSession) -> None:
    make_session(tmp_path, students=0)
    page = open_page(tmp_path)
    shown = words(page)
    assert review.NO_TIMELINE in shown
    assert review.NO_STUDENTS in shown
    assert texts.NOT_SEEN in shown
    assert player(page)["timeline"] is None
    assert [one["help"] for one in player(page)["lists"]] == [review.NO_SPANS]


def test_what_is_withheld_is_not_called_unseen(tmp_path, open_page, make_session) -> None:
    folder = make_session(tmp_path, engagement={"mean": None, "coverage": 0.9, "withheld_seconds": 30})
    table = Session.open(folder).engagement
    table.loc[table["scope"] == "class", "engagement"] = float("nan")
    table.to_csv(folder / ENGAGEMENT, index=False)
    page = open_page(tmp_path)
    assert texts.WITHHELD in words(page)
    assert review.WITHHELD_TIMELINE in words(page)


# One lecture: the class


def test_the_class_comes_first(tmp_path, open_page, make_session) -> None:
    session = Session.open(make_session(tmp_path, students=7, warnings=["the file ends early"]))
    page = open_page(tmp_path)
    made, shown = session.manifest, player(page)
    assert f"**Engagement {texts.index(made.engagement.mean)}**" in words(page)
    assert f"coverage {texts.percent(made.engagement.coverage)}" in words(page)
    assert shown["video"] == video_url("demo", session.video)
    assert shown["duration"] == 30
    assert shown["ribbons"]["rows"] == []
    assert shown["lens"] is None
    assert not page.dataframe
    assert "made up for a test" in words(page)
    assert "the file ends early" in words(page)
    assert "Student" not in json.dumps(shown["lists"])  # numbers are for those who gave a reason


def test_unusual_spans_say_why_and_how_unusual_the_strangest_first(tmp_path, open_page, make_session) -> None:
    events = Session.open(make_session(tmp_path)).events.sort_values("score", ascending=False)
    (spans,) = player(open_page(tmp_path))["lists"]
    assert [row["t"] for row in spans["rows"]] == events["start"].tolist()
    for row, event in zip(spans["rows"], events.itertuples(), strict=True):
        assert event.why in row["text"]
        assert f"{event.score:.1f}" in row["more"]
        assert f"{event.threshold:.1f}" in row["more"]


@pytest.mark.parametrize("profile", list(Profile))
def test_states_and_colours_are_those_of_the_profile(tmp_path, open_page, make_session, profile) -> None:
    make_session(tmp_path, profile=profile.value)
    states = player(open_page(tmp_path))["states"]
    assert [state["label"] for state in states] == [state.label for state in profile.states]
    assert [state["colour"] for state in states] == [PALETTE[state] for state in profile.states]
    assert all(state["on"] for state in states)


def test_filtering_by_state_shows_that_state_only(tmp_path, open_page, make_session) -> None:
    make_session(tmp_path)
    page = open_page(tmp_path)
    chosen = Profile.FULL.states[2]
    page.get("button_group")[0].set_value([chosen.value]).run()
    assert not page.exception
    assert [state["name"] for state in player(page)["states"] if state["on"]] == [chosen.value]


def test_downloads_are_offered_where_the_file_exists(tmp_path, open_page, make_session) -> None:
    folder = make_session(tmp_path)
    labels = [button.proto.label for button in open_page(tmp_path).get("download_button")]
    assert labels == [review.DOWNLOAD_TABLE]
    (folder / "report.pdf").write_bytes(b"%PDF-1.7\n")
    labels = [button.proto.label for button in open_page(tmp_path).get("download_button")]
    assert labels == [review.DOWNLOAD_TABLE, review.DOWNLOAD_REPORT]


# Single students


@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_without_a_reason_nobody_is_shown(tmp_path, open_page, make_session, reason) -> None:
    make_session(tmp_path)
    page = look(open_page(tmp_path), [2], reason)
    assert player(page)["ribbons"]["rows"] == []
    assert "no reason" in page.error[0].value.replace("\\", "")


def test_a_reason_shows_those_students_and_is_noted(tmp_path, open_page, make_session) -> None:
    make_session(tmp_path, students=6)
    page = look(open_page(tmp_path), [5, 2], "the students asked")
    shown = player(page)
    assert [row["student"] for row in shown["ribbons"]["rows"]] == [2, 5]
    assert page.dataframe[0].value["student"].tolist() == [2, 5]
    found = shown["lists"][-1]
    assert found["rows"]
    assert all(row["text"].startswith(("Student 2 ", "Student 5 ")) for row in found["rows"])
    assert "likely" in json.dumps(found)  # words for doubt
    with Registry.open() as registry:
        noted = [one for one in registry.accesses.on_record() if one.kind is AccessKind.STUDENT]
    assert sorted(one.student for one in noted) == [2, 5]
    assert {one.words for one in noted} == {"the students asked"}


def test_single_students_can_be_filtered_by_seat_state_and_probability(tmp_path, open_page, make_session) -> None:
    make_session(tmp_path, students=6, seconds=200)
    page = look(open_page(tmp_path), [1, 2, 3], "a reason")
    before = player(page)["lists"][-1]["rows"]
    next(box for box in page.multiselect if box.label == review.ONLY).set_value([3])
    page.slider[0].set_value((0.5, 0.8)).run()
    assert not page.exception
    shown = player(page)
    assert [row["student"] for row in shown["ribbons"]["rows"]] == [3]
    assert (shown["least"], shown["most"]) == (100, 160)
    after = shown["lists"][-1]["rows"]
    assert 0 < len(after) < len(before)
    assert all("Student 3 " in row["text"] for row in after)
    assert all(0.5 <= float(row["text"].rpartition("(")[2][:-1]) <= 0.8 for row in after)


def test_a_viewer_sees_the_class_only(tmp_path, open_page, make_session, monkeypatch) -> None:
    make_session(tmp_path, course="Birds")
    viewer = Visitor("viewer@example.org", Role.VIEWER, ("Birds",))
    monkeypatch.setattr(access, "visitor", lambda: viewer)
    page = open_page(tmp_path)
    shown = player(page)
    assert shown["video"] is None
    assert shown["words"]["missing"] == review.CLASS_ONLY
    assert shown["timeline"] is not None
    assert shown["lists"] == shown["marks"] == shown["ribbons"]["rows"] == []
    assert not page.multiselect
    asked(monkeypatch, tmp_path, {"do": "review", "event": 0, "start": 12.0, "verdict": "confirmed"})
    assert not (tmp_path / "demo" / REVIEWS).exists()


# Marks of unusual spans


def test_a_mark_is_saved_and_shown_beside_those_of_others(tmp_path, open_page, make_session, monkeypatch) -> None:
    session = Session.open(make_session(tmp_path))
    event = session.events.iloc[1]
    mark(session, event["start"], event["end"], event["student"], Verdict.DISMISSED, "AB")
    open_page(tmp_path)  # names the registry
    asked(monkeypatch, tmp_path, {"do": "review", "event": 1, "start": event["start"], "verdict": "confirmed"})
    assert read_reviews(session)["verdict"].tolist() == ["dismissed", "confirmed"]
    row = next(row for row in player(open_page(tmp_path))["lists"][0]["rows"] if row["t"] == event["start"])
    assert row["notes"] == "dismissed by AB, confirmed by first reviewer"
    assert [act.get("on") for act in row["acts"]] == [False, True, False, None]


@pytest.mark.parametrize(
    "change",
    [
        {"event": 7},
        {"event": -1},
        {"event": "1"},
        {"event": None},
        {"start": 0.5},
        {"verdict": "<b>"},
        {"verdict": None},
        {"verdict": ["confirmed"]},
        {"do": None, "verdict": ""},
    ],
)
def test_a_request_that_fits_no_unusual_span_writes_nothing(tmp_path, make_session, monkeypatch, change) -> None:
    session = Session.open(make_session(tmp_path))
    what = {"do": "review", "event": 0, "start": float(session.events["start"].iloc[0]), "verdict": "confirmed"}
    asked(monkeypatch, tmp_path, what | change)
    assert not (session.folder / REVIEWS).exists()


@pytest.mark.parametrize(("chosen", "left"), [("confirmed", 1), ("dismissed", 0), ("open", 2), ("all", 2)])
def test_unusual_spans_can_be_filtered_by_mark(tmp_path, open_page, make_session, chosen, left) -> None:
    session = Session.open(make_session(tmp_path))
    event = session.events.iloc[0]
    mark(session, event["start"], event["end"], event["student"], Verdict.CONFIRMED, "AB")
    page = open_page(tmp_path)
    page.get("button_group")[1].set_value(chosen).run()
    assert not page.exception
    assert len(player(page)["lists"][0]["rows"]) == left


def test_reviews_that_cannot_be_read_are_said_once(tmp_path, open_page, make_session) -> None:
    (make_session(tmp_path) / REVIEWS).write_text("start,end,student,verdict,reviewer,at\n1,2,3,fine,AB,now\n")
    (error,) = open_page(tmp_path).error
    assert "line 2" in error.value


# Damage and deletion


@pytest.mark.parametrize("name", [ENGAGEMENT, EVENTS, VIDEO])
@pytest.mark.parametrize("content", [None, b"", b"\xff\x00 not a table"])
def test_a_damaged_part_leaves_the_rest_of_the_page(tmp_path, open_page, make_session, name, content) -> None:
    path = make_session(tmp_path) / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    page = open_page(tmp_path)
    told = [error.value.replace("\\", "") for error in page.error]
    if name == VIDEO:  # the player says it, or the browser's own
        assert not told
        assert content is not None or "--overwrite" in player(page)["words"]["missing"]
    else:
        assert len(told) == 1
        assert name in told[0]
        assert "--overwrite" in told[0]
    assert "6 students" in words(page)


def test_damaged_states_are_said_when_students_are_opened(tmp_path, open_page, make_session) -> None:
    path = make_session(tmp_path) / STATES
    path.write_bytes(b"not a table")
    page = open_page(tmp_path)
    assert not page.error
    page = look(page, [1], "a reason")
    assert STATES in page.error[0].value.replace("\\", "")
    assert player(page)["timeline"] is not None


DELETED_ON = "2025-06-03"


def delete_part(folder: Path, kind: Kind, files: bool = True) -> None:
    """As ``engage purge`` leaves it, or would if it were killed before the files."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "purged": {**manifest["purged"], kind.value: DELETED_ON}}))
    for name in PARTS[kind] if files else ():
        (folder / name).unlink(missing_ok=True)


@pytest.mark.parametrize("files", [True, False])
def test_a_video_deleted_as_promised_is_said_and_not_shown(tmp_path, open_page, make_session, files) -> None:
    delete_part(make_session(tmp_path), Kind.ANNOTATED_VIDEO, files)
    page = open_page(tmp_path)
    shown = player(page)
    assert shown["words"]["missing"] == f"The annotated video was deleted on {DELETED_ON}, as promised to the students."
    assert not page.error
    assert shown["video"] is None
    assert library.video_file(tmp_path, "demo") is None
    assert shown["timeline"] is not None


@pytest.mark.parametrize("files", [True, False])
def test_tables_deleted_as_promised_are_said_once_and_the_video_stays(tmp_path, open_page, make_session, files) -> None:
    delete_part(make_session(tmp_path), Kind.TABLES, files)
    page = open_page(tmp_path)
    (told,) = page.info
    assert told.value == f"The tables and the report were deleted on {DELETED_ON}, as promised to the students."
    assert not page.error
    shown = player(page)
    assert shown["video"]
    assert shown["timeline"] is None
    assert shown["lists"] == []
    assert not page.get("download_button")
    assert not page.dataframe
    assert "engage report" not in words(page)


def test_when_all_was_deleted_the_page_still_opens(tmp_path, open_page, make_session) -> None:
    folder = make_session(tmp_path)
    for kind in PARTS:
        delete_part(folder, kind)
    page = open_page(tmp_path)
    assert len(page.info) == 1
    assert "deleted" in player(page)["words"]["missing"]
    assert not page.error


def test_a_hundred_sessions(tmp_path, open_page, make_session) -> None:
    first = make_session(tmp_path, "lecture-000", students=5, seconds=5)
    manifest = json.loads((first / MANIFEST).read_text())
    for number in range(1, 100):
        folder = tmp_path / f"lecture-{number:03}"
        folder.mkdir()
        for path in first.iterdir():
            if path.name != MANIFEST:
                (folder / path.name).hardlink_to(path)
        (folder / MANIFEST).write_text(json.dumps({**manifest, "id": folder.name, "course": f"Course {number % 7}"}))
    page = open_page(tmp_path, session="lecture-050")
    assert len(page.selectbox[0].options) == 100
    assert player(page)["name"] == "lecture-050"


# Words from outside

ODD = [
    "<script>alert(1)</script> **x** ![i](http://e.example/i.png) $y$",
    "\"quotes\" and 'single' & `code`",
    "🎓🇩🇪 emoji 👩‍🏫",
    "شعبة ‏\u202eمقلوب‬ עברית",
    "x" * 10_000,
]


@pytest.mark.parametrize("odd", ODD)
def test_odd_words_are_shown_letter_by_letter(tmp_path, open_page, make_session, odd) -> None:
    folder = make_session(tmp_path, course=odd, approval=odd, warnings=[odd])
    events = Session.open(folder).events.assign(why=odd)
    events.to_parquet(folder / EVENTS)
    session = Session.open(folder)
    mark(session, *events[["start", "end", "student"]].iloc[0], Verdict.REVIEWED, odd[:100])
    page = open_page(tmp_path)
    shown = page.subheader[0].value
    assert shown.replace("\\", "").replace("\u2060", "") == texts.shortened(odd, 100)
    assert "<script" not in shown.replace("\\<", "")
    facts = next(block.value for block in page.markdown if review.APPROVAL in block.value)
    assert len(facts) < 5000
    rows = player(page)["lists"][0]["rows"]
    assert texts.shortened(odd, texts.LONGEST_SENTENCE) in rows[0]["text"]
    assert all(len(row["text"]) <= texts.LONGEST_SENTENCE for row in rows)


def test_a_student_who_is_gone_is_shown_no_more(tmp_path, open_page, make_session) -> None:
    """A withdrawal writes the tables anew while a page is open."""
    folder = make_session(tmp_path, students=6)
    page = look(open_page(tmp_path), [2, 4], "a reason")
    session = Session.open(folder)
    session.states[session.states["student"] != 4].to_parquet(folder / STATES)
    table = session.engagement
    table[table["student"] != 4].to_csv(folder / ENGAGEMENT, index=False)
    page.run()
    assert not page.exception
    assert [row["student"] for row in player(page)["ribbons"]["rows"]] == [2]
    assert page.dataframe[0].value["student"].tolist() == [2]


def test_withheld_seconds_are_sent_as_no_value(tmp_path, open_page, make_session) -> None:
    folder = make_session(tmp_path, students=6, seconds=20)
    table = pd.read_csv(folder / ENGAGEMENT)
    part = (table["scope"] == "class") & (table["t"] < 10)
    shares = [name for name in table if name.startswith("share_")]
    table.loc[part, ["engagement", *shares]] = float("nan")
    table.to_csv(folder / ENGAGEMENT, index=False)
    timeline = player(open_page(tmp_path))["timeline"]
    engagement = base64.b64decode(timeline["engagement"])
    assert set(engagement[:10]) == {255}
    assert 255 not in engagement[10:]
    assert 255 not in base64.b64decode(timeline["coverage"])
