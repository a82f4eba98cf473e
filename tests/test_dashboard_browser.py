"""The dashboard as an instructor meets it: a real server and the system's Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import WITH_BROWSER, answer, serving

ROOT = Path(__file__).parents[1]
MARKUP = "<script>window.injected = 1</script><img src=x onerror='window.injected = 1'>"

pytestmark = WITH_BROWSER
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install -e '.[dev]'")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, make_session: Callable[..., Path]) -> Iterator[str]:
    """A running dashboard over three sessions, one of them broken; stopped whatever happens."""
    folder = tmp_path_factory.mktemp("sessions")
    make_session(folder, "markup", students=3, course=MARKUP)
    make_session(folder, "lecture", students=12, seconds=40, course="Introduction to Statistics")
    (folder / "torn").mkdir()
    (folder / "torn" / "session.json").write_text("{")
    with serving(folder, tmp_path_factory.mktemp("log") / "server.txt") as address:
        yield address


def test_only_listed_videos_and_only_for_this_computer(address: str) -> None:
    files = f"{address}/app/static/sessions"
    whole = (ROOT / "demo" / "classroom.mp4").read_bytes()
    assert answer(f"{files}/lecture/annotated.mp4", Range="bytes=100-199") == (206, whole[100:200])
    assert answer(f"{files}/lecture/annotated.mp4", Host="elsewhere.example")[0] == 400
    for session in ("torn", "nowhere"):
        assert answer(f"{files}/{session}/annotated.mp4")[0] == 404
    for hidden in ("lecture%2F..%2Flecture/annotated.mp4", "lecture/states.parquet", "lecture/session.json"):
        status, body = answer(f"{files}/{hidden}")
        assert status in (400, 404) or b"<noscript>" in body  # the page itself


def test_the_newest_lecture_plays_and_seeks(address: str, page: sync_api.Page) -> None:
    outside = []
    page.on("request", lambda request: outside.append(request.url) if address[7:] not in request.url else None)
    page.goto(address)
    page.wait_for_function("document.querySelector('video')?.readyState >= 2")
    assert page.evaluate("document.querySelector('video').duration") == pytest.approx(40, abs=0.2)
    page.evaluate("document.querySelector('video').currentTime = 30")
    page.wait_for_function("!document.querySelector('video').seeking")
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(30, abs=0.2)
    page.evaluate("(video => { video.muted = true; return video.play() })(document.querySelector('video'))")
    page.wait_for_function("document.querySelector('video').currentTime > 30.3")
    assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []


def test_timeline_and_table_are_drawn(address: str, page: sync_api.Page) -> None:
    page.goto(address)
    drawn = page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg")
    sync_api.expect(drawn).to_have_count(2)
    for place in range(2):
        box = drawn.nth(place).bounding_box()
        assert box is not None
        assert box["width"] > 500
        assert box["y"] + box["height"] < 720  # under the video without scrolling
    tables = page.locator("[data-testid=stDataFrame]")
    sync_api.expect(tables).to_have_count(2)
    # The grid is a canvas; its cells are in the accessible table that screen readers use.
    rows = tables.nth(1).locator("table tr")
    sync_api.expect(rows.first).to_be_attached()
    assert rows.count() > 5
    sync_api.expect(page.get_by_text("Sessions that can not be opened: 1")).to_be_visible()


def test_choosing_an_unusual_span_seeks_the_video(address: str, page: sync_api.Page) -> None:
    page.goto(address)
    page.wait_for_function("document.querySelector('video')?.readyState >= 2")
    spans = page.locator("[data-testid=stDataFrame]").first
    spans.locator("canvas").first.wait_for()
    spans.click(position={"x": 16, "y": 85})  # the box of the second row, which starts at 0.7 * 40 s
    page.wait_for_function("Math.abs(document.querySelector('video')?.currentTime - 28) < 0.5")


def test_the_table_can_be_downloaded(address: str, page: sync_api.Page, tmp_path: Path) -> None:
    page.goto(address)
    with page.expect_download() as begun:
        page.get_by_role("button", name="Engagement table").click()
    begun.value.save_as(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().startswith("scope,t,student,engagement")


def test_markup_in_a_course_name_stays_text(address: str, page: sync_api.Page) -> None:
    page.goto(f"{address}/?session=markup")
    sync_api.expect(page.get_by_role("heading", name="<script>")).to_contain_text(MARKUP)
    assert page.evaluate("window.injected") is None


def test_choosing_another_lecture_changes_the_video_and_the_address(address: str, page: sync_api.Page) -> None:
    page.goto(address)
    page.wait_for_function("document.querySelector('video')?.src.includes('/lecture/')")
    page.locator("[data-testid=stSelectbox] input").click()
    page.get_by_role("option", name="markup").click()
    page.wait_for_function("document.querySelector('video')?.src.includes('/markup/')")
    page.wait_for_url("**/?session=markup")
