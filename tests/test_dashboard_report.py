"""The page of reports: nothing to report, then the pages, two lectures compared, and what may be taken away."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from visiting import visit, words

from consent.accesses import AccessKind
from consent.database import URL_VARIABLE
from consent.errors import NotPermitted
from consent.registry import Registry
from consent.retention import Kind
from dashboard import access, exports, runner, texts
from dashboard.access import HERE, Visitor
from dashboard.jobs import Queue
from dashboard.texts import report as said
from pipeline.session import MANIFEST, STATES, Session
from reports.report import write_report

INSTRUCTOR = Visitor("i@example.edu", access.Role.INSTRUCTOR, ("Simulated course",))
VIEWER = Visitor("v@example.edu", access.Role.VIEWER, ("Simulated course",))


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., AppTest]:
    monkeypatch.setenv(URL_VARIABLE, f"sqlite:///{tmp_path / 'consent.sqlite'}")
    return partial(visit, monkeypatch, name="report")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def reported(folder: Path, make_session) -> Session:
    """A lecture with its report."""
    session = Session.open(make_session(folder, students=6, seconds=60))
    write_report(session)
    return session


def labels(page: AppTest) -> list[str]:
    return [one.proto.label for one in page.get("download_button")]


# Nothing to show


def test_an_empty_folder_says_what_to_do(folder, open_page) -> None:
    assert open_page(folder).title[0].value == texts.NO_SESSIONS


def test_a_broken_session_beside_a_good_one_is_not_offered(folder, open_page, make_session) -> None:
    make_session(folder)
    (folder / "torn").mkdir()
    (folder / "torn" / MANIFEST).write_text("{")
    assert len(open_page(folder).selectbox[0].options) == 1


def test_without_a_report_one_can_be_written_in_the_background(folder, open_page, make_session, monkeypatch) -> None:
    started: list[Path] = []
    monkeypatch.setattr(runner, "start", started.append)
    session = make_session(folder)
    page = open_page(folder)
    assert said.NO_PAGES in words(page)
    assert said.DOWNLOAD_PDF not in labels(page)
    page.button[0].click().run()
    (job,) = Queue(folder).jobs()
    assert job.command == ("report", str(session))
    assert set(started) == {folder}
    assert said.WRITING in words(page)
    assert not page.button


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n", b"hello"])
def test_a_damaged_report_is_said_and_can_be_written_again(folder, open_page, make_session, content) -> None:
    (make_session(folder) / "report.pdf").write_bytes(content)
    page = open_page(folder)
    assert "damaged" in page.error[0].value
    assert page.button[0].label == said.WRITE


def test_deleted_tables_are_said_and_nothing_is_offered(folder, open_page, make_session) -> None:
    path = make_session(folder) / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "purged": {Kind.TABLES.value: "2026-01-01"}}))
    page = open_page(folder)
    assert "deleted on 2026-01-01" in words(page)
    assert labels(page) == []


# The pages


def test_every_page_is_a_picture_of_paper(folder, open_page, reported) -> None:
    page = open_page(folder)
    captions = [image.captions[0] for image in page.get("image")]
    assert captions == [said.PAGE.format(page=number, pages=3) for number in (1, 2, 3)]
    for picture in exports.pages(reported.report):
        with Image.open(io.BytesIO(picture)) as drawn:
            assert drawn.height / drawn.width == pytest.approx(297 / 210, abs=0.01)
            assert drawn.convert("L").getextrema()[0] < 128  # something is printed on it


def test_a_report_written_anew_is_shown_anew(reported) -> None:
    before = exports.pages(reported.report)
    write_report(reported, paper="letter")
    assert exports.pages(reported.report) != before


# Two lectures


def test_a_lecture_alone_has_none_to_compare_with(folder, open_page, make_session) -> None:
    make_session(folder)
    assert said.NO_OTHER in words(open_page(folder))


def test_two_lectures_are_compared_those_of_the_course_first(folder, open_page, make_session) -> None:
    for seed, (name, course) in enumerate([("a", "X"), ("b", "Other"), ("c", "X")]):
        make_session(folder, name, course=course, seed=seed, seconds=60)
    page = open_page(folder, session="a")
    box = page.selectbox(key="compare a")
    assert [option.split(" · ")[0] for option in box.options] == ["X", "Other"]
    box.set_value("c").run(timeout=60)
    assert not page.exception
    assert not page.error
    assert len(page.get("image")) == 3
    assert labels(page)[-2:] == [said.DOWNLOAD_PDF, said.DOWNLOAD_HTML]


def test_lectures_that_can_not_be_compared_say_why(folder, open_page, make_session) -> None:
    make_session(folder, "a")
    make_session(folder, "b", profile="observable")
    make_session(folder, "c")
    (folder / "c" / STATES).write_bytes(b"torn")
    page = open_page(folder, session="a")
    page.selectbox(key="compare a").set_value("b").run(timeout=60)
    assert "not comparable" in page.error[0].value
    page.selectbox(key="compare a").set_value("c").run(timeout=60)
    assert "cannot be read" in page.error[0].value


# What is taken away


def test_everything_is_offered_and_is_what_it_says(folder, open_page, reported) -> None:
    assert labels(open_page(folder)) == [
        said.DOWNLOAD_PDF,
        said.DOWNLOAD_HTML,
        said.DOWNLOAD_CSV,
        said.DOWNLOAD_XLSX,
    ]
    assert exports.html(reported).startswith(b"<!doctype html>")
    with zipfile.ZipFile(io.BytesIO(exports.csv(reported, HERE))) as packed:
        students = pd.read_csv(packed.open("students.csv"))
        assert list(students["student"]) == list(range(1, 7))
    book = openpyxl.load_workbook(io.BytesIO(exports.xlsx(reported, HERE)))
    assert {"session", "class", "students", "dictionary"} <= set(book.sheetnames)
    with Registry.open() as registry:
        noted = registry.accesses.on_record()
    assert [(one.kind, one.session, one.student) for one in noted] == [(AccessKind.EXPORT, "demo", None)] * 2


def test_what_was_taken_out_of_a_session_is_in_no_later_export(folder, open_page, reported) -> None:
    open_page(folder)
    before = exports.html(reported)
    states = reported.states
    states[states["student"] != 1].to_parquet(reported.folder / STATES)
    again = Session.open(reported.folder)
    assert exports.html(again) != before
    with zipfile.ZipFile(io.BytesIO(exports.csv(again, HERE))) as packed:
        assert 1 not in set(pd.read_csv(packed.open("students.csv"))["student"])


def test_a_viewer_takes_no_single_students_away(folder, open_page, reported, monkeypatch) -> None:
    page = open_page(folder)
    monkeypatch.setattr(access, "of_account", lambda _name: VIEWER)
    with zipfile.ZipFile(io.BytesIO(exports.csv(reported, VIEWER))) as packed:
        assert sorted(packed.namelist()) == [
            f"{name}.csv" for name in ("class", "dictionary", "segments", "session", "weights", "windows")
        ]
    monkeypatch.setattr(access, "visitor", lambda: VIEWER)
    page = open_page(folder)
    assert not page.button
    with Registry.open() as registry:
        assert registry.accesses.on_record() == ()


def test_a_role_that_ended_takes_nothing_away_and_that_is_noted(folder, open_page, reported) -> None:
    open_page(folder)
    with pytest.raises(NotPermitted, match="demo"):
        exports.xlsx(reported, INSTRUCTOR)  # the registry knows of no such account
    with Registry.open() as registry:
        (refusal,) = registry.accesses.on_record()
    assert refusal.kind is AccessKind.REFUSED
