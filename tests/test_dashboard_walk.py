"""An instructor's walk in a real browser: analyse a recording, find it, try weights, take the report away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

import av
import pymupdf
import pytest
from browsing import WITH_BROWSER, insist, serving

from consent.database import URL_VARIABLE
from consent.registry import Registry
from dashboard.jobs import FOLDER, JobState, Queue
from dashboard.texts import lectures as said
from dashboard.texts import method, report
from pipeline.session import Session
from reports.report import write_report

ROOT = Path(__file__).parents[1]
NASTY = "<img src=x onerror='window.injected=1'> “Größe” \U0001f600 مقدمة " + "x" * 10_000
TABLET = {"width": 820, "height": 1180}
LONG_MS = 600_000

pytestmark = WITH_BROWSER
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install -e '.[dev]'")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, make_session: Callable[..., Path]) -> Path:
    """Sessions, recordings and a registry: three lectures, one of them broken, and a recording of two seconds."""
    place = tmp_path_factory.mktemp("place")
    sessions = place / "sessions"
    make_session(sessions, "nasty", students=3, course=NASTY)
    lecture = make_session(
        sessions, "lecture", students=12, seconds=40, course="CS 101", lecture_day="2026-09-07", seed=1
    )
    write_report(Session.open(lecture))
    (sessions / "torn").mkdir()
    (sessions / "torn" / "session.json").write_text("{")
    (place / "recordings" / "CS 101").mkdir(parents=True)
    cut(place / "recordings" / "CS 101" / "week 2.mp4", 2.0)
    with Registry.open(f"sqlite:///{place / 'consent.sqlite'}") as registry:
        registry.approve("CS 101", "Prof. Ada Byron", date.today())
        registry.approve("No longer", "Prof. Ada Byron", date(2020, 1, 1), date(2020, 2, 1))
    return place


@pytest.fixture(scope="module")
def address(place: Path) -> Iterator[str]:
    options = ["--recordings", str(place / "recordings")]
    registry = {URL_VARIABLE: f"sqlite:///{place / 'consent.sqlite'}"}
    with serving(place / "sessions", place / "server.txt", *options, **registry) as address:
        yield address


def cut(out: Path, seconds: float) -> None:
    """The beginning of the demo clip, packet by packet."""
    with av.open(str(ROOT / "demo" / "classroom.mp4")) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is None or packet.pts * stream.time_base >= seconds:
                continue
            packet.stream = copied
            target.mux(packet)


def choose(page: sync_api.Page, box: str, option: str) -> None:
    chosen = page.locator(f".st-key-{box} input")

    def act() -> None:
        chosen.click()
        page.get_by_role("option", name=option).click(timeout=10_000)

    insist(page, act, lambda: chosen.input_value() == option or option in page.locator(f".st-key-{box}").inner_text())


def begin(page: sync_api.Page, came: Callable[[], bool]) -> None:
    insist(page, page.get_by_role("button", name=said.BEGIN, exact=True).click, came)


def stopping(sessions: Path, job: int) -> bool:
    return any(one.id == job and (one.stopping or one.state.ended) for one in Queue(sessions).jobs())


def test_an_analysis_is_begun_survives_a_reload_and_a_second_tab_and_is_found(
    address: str, page: sync_api.Page, place: Path
) -> None:
    page.goto(address)
    page.get_by_text(said.START).click()
    choose(page, "new-course", "No longer")
    sync_api.expect(page.get_by_text("expired on 2020-02-01")).to_be_visible()
    sync_api.expect(page.get_by_role("button", name=said.BEGIN, exact=True)).to_be_disabled()
    choose(page, "new-course", "CS 101")
    choose(page, "new-recording-of-CS-101", "CS 101/week 2.mp4")
    sync_api.expect(page.get_by_text("Approved by Prof. Ada Byron")).to_be_visible()
    begin(page, lambda: bool(Queue(place / "sessions").jobs()))
    sync_api.expect(page.get_by_text(said.WORK)).to_be_visible()

    page.reload()
    sync_api.expect(page.get_by_text(said.WORK)).to_be_visible()
    second = page.context.browser.new_page()
    second.goto(address, timeout=LONG_MS)
    sync_api.expect(second.get_by_text("week 2.mp4 · CS 101").first).to_be_visible()
    second.close()

    sync_api.expect(page.get_by_text(said.WORK)).to_be_hidden(timeout=LONG_MS)
    (job,) = Queue(place / "sessions").jobs()
    assert job.state is JobState.DONE, job.message
    sync_api.expect(page.get_by_text(said.COUNT.format(shown=3, all=3))).to_be_visible()
    made = Session.open(place / "sessions" / "CS-101_week-2")
    assert made.manifest.course == "CS 101"
    assert made.manifest.duration == pytest.approx(2.0, abs=0.3)
    assert made.report.is_file()


def test_an_analysis_can_be_cancelled_and_leaves_nothing(address: str, page: sync_api.Page, place: Path) -> None:
    sessions = place / "sessions"
    before = sorted(path.name for path in sessions.iterdir())
    page.goto(address)
    page.get_by_text(said.START).click()
    page.locator("input[type=file]").set_input_files(ROOT / "demo" / "classroom.mp4")
    sync_api.expect(page.get_by_text("classroom.mp4")).to_be_visible()
    title = "classroom.mp4 · CS 101"
    begin(page, lambda: any(one.title == title for one in Queue(sessions).jobs()))
    job = next(one for one in Queue(sessions).jobs() if one.title == title)
    sync_api.expect(page.locator(f".st-key-cancel-{job.id}")).to_be_visible()
    cancel = page.locator(f".st-key-cancel-{job.id}").get_by_role("button")
    insist(page, cancel.click, lambda: stopping(sessions, job.id))
    sync_api.expect(page.get_by_text(said.WORK)).to_be_hidden(timeout=LONG_MS)
    assert {one.id: one.state for one in Queue(sessions).jobs()}[job.id] is JobState.CANCELLED
    assert sorted({*before, FOLDER}) == sorted(path.name for path in sessions.iterdir())
    assert list((sessions / FOLDER / "uploads").iterdir()) == []


def test_what_is_no_video_is_refused_when_it_is_sent(address: str, page: sync_api.Page, tmp_path: Path) -> None:
    (tmp_path / "list.mp4").write_text("#EXTM3U\nhttp://127.0.0.1:9/x.ts\n")
    page.goto(address)
    page.get_by_text(said.START).click()
    page.locator("input[type=file]").set_input_files(tmp_path / "list.mp4")
    sync_api.expect(page.get_by_text("list.mp4")).to_be_visible()
    begin(page, page.get_by_text("export the recording as MP4").is_visible)


def test_a_click_on_a_lecture_leads_to_its_report_and_the_choice_is_kept(address: str, page: sync_api.Page) -> None:
    page.goto(address)
    page.get_by_role("textbox", name=said.SEARCH).fill("cs lecture")
    page.keyboard.press("Enter")
    table = page.locator("[data-testid=stDataFrame]").first
    sync_api.expect(page.get_by_text(re.compile("^1 of "))).to_be_visible()
    links = page.get_by_role("link", name=report.PREVIEW)
    click = partial(table.click, position={"x": 120, "y": 55})
    insist(page, click, lambda: links.count() == 2, 5.0)  # the menu's, and once a lecture is chosen its own
    links.last.click()
    page.wait_for_url("**/report?session=lecture")
    page.get_by_role("link", name="Method").first.click()
    page.wait_for_url("**/method?session=lecture")


def test_the_report_is_shown_and_its_pdf_is_the_one_of_the_session(
    address: str, page: sync_api.Page, tmp_path: Path
) -> None:
    page.goto(f"{address}/report?session=lecture")
    pages = page.locator("[data-testid=stImage] img")
    sync_api.expect(pages).to_have_count(3)
    for place in range(3):
        page.wait_for_function(
            "place => document.querySelectorAll('[data-testid=stImage] img')[place].naturalWidth > 800", arg=place
        )
    with page.expect_download() as begun:
        page.get_by_role("button", name=re.compile(f"{report.DOWNLOAD_PDF}$")).click()
    begun.value.save_as(tmp_path / "report.pdf")
    with pymupdf.open(tmp_path / "report.pdf") as opened:
        assert opened.page_count == 3
        assert "CS 101" in opened[0].get_text()
    for label, beginning in (
        (report.DOWNLOAD_HTML, b"<!doctype html>"),
        (report.DOWNLOAD_CSV, b"PK"),
        (report.DOWNLOAD_XLSX, b"PK"),
    ):
        with page.expect_download(timeout=120_000) as begun:
            page.get_by_role("button", name=re.compile(f"{label}$")).click()
        begun.value.save_as(tmp_path / "taken")
        assert (tmp_path / "taken").read_bytes().startswith(beginning)


def test_a_slider_moves_the_index_by_keyboard(address: str, page: sync_api.Page) -> None:
    page.goto(f"{address}/method?session=lecture")
    index = page.locator("[data-testid=stMetricValue]").first
    before = index.inner_text()
    slider = page.get_by_role("slider", name="attentive")
    slider.focus()
    for _ in range(15):
        page.keyboard.press("ArrowLeft")
    sync_api.expect(page.locator("[data-testid=stMetricDelta]")).to_be_visible()
    assert index.inner_text() < before
    page.get_by_role("button", name=method.RESET).click()
    sync_api.expect(index).to_have_text(before)


@pytest.mark.parametrize("path", ["", "report?session=nasty", "method?session=nasty"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 720}, TABLET])
def test_nothing_is_injected_or_wider_than_the_screen(address: str, page: sync_api.Page, path: str, size: dict) -> None:
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url) if address not in request.url else None)
    page.set_viewport_size(size)
    page.goto(f"{address}/{path}")
    page.get_by_role("combobox").first.wait_for()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.injected") is None
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= size["width"]
    assert [url for url in outside if not url.startswith(("data:", "blob:", address.replace("http", "ws")))] == []


def test_the_menu_and_the_boxes_are_reached_by_keyboard(address: str, page: sync_api.Page) -> None:
    page.goto(address)
    page.get_by_role("textbox", name=said.SEARCH).wait_for()
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.ariaLabel || document.activeElement.innerText.trim()"))
    assert {"Method", said.SEARCH} <= reached
    assert any(said.START in one for one in reached)
