"""The pages without a browser, and the rules about what the server gives out."""

from __future__ import annotations

import os
import re
import socket
import string
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest
from visiting import visit, words

from dashboard import library, texts
from dashboard.server import ADDRESS, serve, video_url
from pipeline.errors import InputError
from pipeline.session import MANIFEST, VIDEO, Session

MakeSession = Callable[..., Path]


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    return partial(visit, monkeypatch, name="review")


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
