"""The pages without a browser, and the rules about what the server gives out."""

from __future__ import annotations

import json
import os
import re
import socket
import string
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from consent.retention import Kind
from dashboard import charts, library, texts
from dashboard.server import ADDRESS, serve, video_url
from models.states import PALETTE, Profile
from pipeline.errors import InputError
from pipeline.session import ENGAGEMENT, EVENTS, MANIFEST, PARTS, VIDEO, Session

APP = Path(__file__).parents[1] / "dashboard" / "app.py"
MakeSession = Callable[..., Path]


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    def opened(folder: Path, **query: str) -> AppTest:
        monkeypatch.setenv(library.FOLDER_VARIABLE, str(folder))
        page = AppTest.from_file(str(APP), default_timeout=20)
        for name, value in query.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return opened


def words(page: AppTest) -> str:
    blocks = [*page.title, *page.subheader, *page.markdown, *page.caption, *page.info, *page.warning, *page.error]
    return "\n".join(block.value for block in blocks)


def charts_of(page: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in page.get("vega_lite_chart") + page.get("arrow_vega_lite_chart")]


# Nothing to show


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_sessions_says_how_to_make_one(tmp_path: Path, open_page, exists: bool) -> None:
    folder = tmp_path if exists else tmp_path / "missing"
    page = open_page(folder)
    assert page.title[0].value == texts.NO_SESSIONS
    assert "engage demo" in words(page)
    assert not page.selectbox


def test_only_broken_sessions_are_listed_with_their_errors(tmp_path: Path, open_page) -> None:
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / MANIFEST).write_text("{")
    page = open_page(tmp_path)
    assert page.title[0].value == texts.ALL_BROKEN
    assert "torn" in words(page)
    assert "cannot be read" in words(page)


def test_a_lecture_nobody_attended(tmp_path: Path, open_page, make_session: MakeSession) -> None:
    make_session(tmp_path, students=0)
    page = open_page(tmp_path)
    shown = words(page)
    assert texts.NO_TIMELINE in shown
    assert texts.NO_STUDENTS in shown
    assert texts.NO_SPANS in shown
    assert page.metric[0].value == texts.NOT_SEEN


# One lecture


def test_one_lecture_shows_its_numbers_students_and_video(tmp_path, open_page, make_session) -> None:
    session = Session.open(make_session(tmp_path, students=5, warnings=["the file ends early"]))
    page = open_page(tmp_path)
    made = session.manifest
    values = [metric.value for metric in page.metric]
    assert values == [texts.index(made.engagement.mean), texts.percent(made.engagement.coverage), "5", "2"]
    spans, students = (table.value for table in page.dataframe)
    assert list(students["student"]) == [1, 2, 3, 4, 5]
    assert len(spans) == 2
    assert page.get("video")[0].proto.url == video_url("demo", session.video)
    assert "made up for a test" in words(page)
    assert "the file ends early" in words(page)


def test_what_is_withheld_is_not_called_unseen(tmp_path, open_page, make_session) -> None:
    folder = make_session(tmp_path, engagement={"mean": None, "coverage": 0.9, "withheld_seconds": 30})
    table = Session.open(folder).engagement
    table.loc[table["scope"] == "class", "engagement"] = float("nan")
    table.to_csv(folder / ENGAGEMENT, index=False)
    page = open_page(tmp_path)
    assert [metric.value for metric in page.metric][:2] == [texts.WITHHELD, "90%"]
    assert texts.WITHHELD_TIMELINE in words(page)


@pytest.mark.parametrize("profile", list(Profile))
def test_states_and_colours_are_those_of_the_profile(tmp_path, open_page, make_session, profile) -> None:
    make_session(tmp_path, profile=profile.value)
    page = open_page(tmp_path)
    scale = charts_of(page)[1]["encoding"]["color"]["scale"]
    assert scale["domain"] == [state.label for state in profile.states]
    assert scale["range"] == [PALETTE[state] for state in profile.states]


def test_downloads_are_offered_where_the_file_exists(tmp_path, open_page, make_session) -> None:
    folder = make_session(tmp_path)
    labels = [button.proto.label for button in open_page(tmp_path).get("download_button")]
    assert labels == [texts.DOWNLOAD_TABLE]
    (folder / "report.pdf").write_bytes(b"%PDF-1.7\n")
    labels = [button.proto.label for button in open_page(tmp_path).get("download_button")]
    assert labels == [texts.DOWNLOAD_TABLE, texts.DOWNLOAD_REPORT]


def test_three_hours_are_drawn_in_a_few_hundred_bins(tmp_path, make_session) -> None:
    session = Session.open(make_session(tmp_path, students=1, seconds=10_800))
    bins = charts.binned(session.engagement, 10_800)
    assert 100 <= len(bins) <= charts.MOST_BINS
    assert bins["end"].iloc[-1] == 10_800
    assert bins["engagement"].mean() == pytest.approx(session.manifest.engagement.mean, abs=0.02)


# Several lectures, some of them damaged


def test_a_broken_session_does_not_hide_the_good_ones(tmp_path, open_page, make_session) -> None:
    make_session(tmp_path, "first", course="Old")
    make_session(tmp_path, "second", course="New")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / MANIFEST).write_text('{"schema_version": 99}')
    page = open_page(tmp_path)
    assert page.subheader[0].value == "New"
    assert len(page.selectbox[0].options) == 2
    assert "session format 99" in words(page).replace("\\", "")


@pytest.mark.parametrize("name", [ENGAGEMENT, EVENTS, VIDEO])
@pytest.mark.parametrize("content", [None, b"", b"\xff\x00 not a table"])
def test_a_damaged_part_leaves_the_rest_of_the_page(tmp_path, open_page, make_session, name, content) -> None:
    path = make_session(tmp_path) / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    page = open_page(tmp_path)
    told = [error.value.replace("\\", "") for error in page.error]
    if name == VIDEO and content is not None:  # the browser's player says it
        assert not told
    else:
        assert len(told) == 1
        assert name in told[0]
        assert "--overwrite" in told[0]
    assert page.metric[2].value == "6"


DELETED_ON = "2025-06-03"


def delete_part(folder: Path, kind: Kind, files: bool = True) -> None:
    """As ``engage purge`` leaves it, or would if it were killed before the files."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "purged": {**manifest["purged"], kind.value: DELETED_ON}}))
    for name in PARTS[kind] if files else ():
        (folder / name).unlink(missing_ok=True)


@pytest.mark.parametrize("files", [True, False])
def test_a_video_deleted_as_promised_is_said_once_and_not_shown(tmp_path, open_page, make_session, files) -> None:
    delete_part(make_session(tmp_path), Kind.ANNOTATED_VIDEO, files)
    page = open_page(tmp_path)
    (told,) = page.info
    assert told.value == f"The annotated video was deleted on {DELETED_ON}, as promised to the students."
    assert not page.error
    assert not page.get("video")
    assert library.video_file(tmp_path, "demo") is None
    assert len(page.dataframe) == 2
    assert len(charts_of(page)) == 2


@pytest.mark.parametrize("files", [True, False])
def test_tables_deleted_as_promised_are_said_once_and_the_video_stays(tmp_path, open_page, make_session, files) -> None:
    delete_part(make_session(tmp_path), Kind.TABLES, files)
    page = open_page(tmp_path)
    (told,) = page.info
    assert told.value == f"The tables and the report were deleted on {DELETED_ON}, as promised to the students."
    assert not page.error
    assert page.get("video")
    assert not page.get("download_button")
    assert not page.dataframe
    assert not charts_of(page)
    assert "engage report" not in words(page)


def test_when_all_was_deleted_the_page_still_opens(tmp_path, open_page, make_session) -> None:
    folder = make_session(tmp_path)
    for kind in PARTS:
        delete_part(folder, kind)
    page = open_page(tmp_path)
    assert len(page.info) == 2
    assert not page.error


def test_choosing_a_lecture_shows_it_and_links_to_it(tmp_path, open_page, make_session) -> None:
    make_session(tmp_path, "first", course="Old")
    make_session(tmp_path, "second", course="New")
    page = open_page(tmp_path)
    page.selectbox[0].set_value("first").run()
    assert not page.exception
    assert page.subheader[0].value == "Old"
    assert page.query_params["session"] in ("first", ["first"])


def test_a_link_opens_its_lecture(tmp_path, open_page, make_session) -> None:
    make_session(tmp_path, "first", course="Old")
    make_session(tmp_path, "second", course="New")
    page = open_page(tmp_path, session="first")
    assert page.subheader[0].value == "Old"
    assert not page.warning


@pytest.mark.parametrize("asked", ["nowhere", "../demo", "/etc", "demo.partial", "", "<b>x</b>"])
def test_a_link_to_an_unlisted_session_shows_the_newest_one(tmp_path, open_page, make_session, asked) -> None:
    make_session(tmp_path / "sessions", "demo", course="Listed")
    page = open_page(tmp_path / "sessions", session=asked)
    assert page.subheader[0].value == "Listed"
    assert "no readable lecture" in page.warning[0].value


# Words from outside


def test_markup_in_names_is_shown_letter_by_letter(tmp_path, open_page, make_session) -> None:
    course = "<script>alert(1)</script> **x** ![i](http://e.example/i.png) $y$"
    make_session(tmp_path, course=course, approval="<img src=x>" * 2000, warnings=["[a](javascript:b)"])
    page = open_page(tmp_path)
    shown = page.subheader[0].value
    assert shown.replace("\\", "").replace("\u2060", "") == course
    assert "<script" not in shown.replace("\\<", "")
    facts = next(block.value for block in page.markdown if texts.APPROVAL in block.value)
    assert len(facts) < 5000


@given(st.text() | st.text(st.sampled_from("wW.:/@ab[]<*\\_\n")))
def test_plain_text_leaves_no_punctuation_to_markdown(text: str) -> None:
    plain = texts.plain(text)
    mark = "[" + re.escape(string.punctuation) + "]"
    assert re.fullmatch(rf"(\\{mark}|(?!{mark}).)*", plain, re.DOTALL)
    shown = re.sub(rf"\\({mark})", r"\1", plain)
    assert shown.replace("\u2060", "") == texts.shortened(text, 500).replace("\u2060", "")
    assert not re.search(r"://|www\.|@\w", shown, re.IGNORECASE)


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.9, "0:59"), (60, "1:00"), (3723, "1:02:03")])
def test_clock(seconds: float, shown: str) -> None:
    assert texts.clock(seconds) == shown


# What the server gives out


@pytest.mark.parametrize("session", ["..", ".", "", "nowhere", "demo.partial", "notes", "demo/../demo"])
def test_no_video_of_an_unlisted_session(tmp_path: Path, make_session: MakeSession, session: str) -> None:
    make_session(tmp_path / "sessions")
    (tmp_path / MANIFEST).write_text("{}")
    for name in ("sessions/demo.partial", "sessions/notes", "."):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / VIDEO).write_bytes(b"private")
    assert library.video_file(tmp_path / "sessions", session) is None
    assert library.video_file(tmp_path / "sessions", "demo") == tmp_path / "sessions" / "demo" / VIDEO


def test_a_video_written_anew_has_another_address(tmp_path: Path) -> None:
    video = tmp_path / VIDEO
    video.write_bytes(b"with the student")
    before = video_url("a b/c", video)
    assert before.startswith("/app/static/sessions/a%20b%2Fc/annotated.mp4?v=")
    video.write_bytes(b"without")
    os.utime(video, ns=(1, 1))
    assert video_url("a b/c", video) != before


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((ADDRESS, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=rf"port {port}: .* --port") as caught:
            serve(tmp_path, port, open_browser=False)
    assert caught.value.exit_code == 2


def test_a_file_in_place_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "lecture.mp4"
    file.touch()
    with pytest.raises(InputError, match=r"not a folder.*--sessions"):
        serve(file, 8501, open_browser=False)


def test_the_simulated_posterior_sums_to_one(tmp_path: Path, make_session: MakeSession) -> None:
    session = Session.open(make_session(tmp_path))
    sums = session.states[[f"p_{name}" for name in session.state_names]].sum(axis=1, min_count=1)
    unseen = session.states["state"] == "unseen"
    assert unseen.any()
    assert sums[unseen].isna().all()
    pd.testing.assert_series_equal(sums[~unseen], sums[~unseen] * 0 + 1.0)
