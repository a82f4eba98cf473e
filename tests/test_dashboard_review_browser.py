"""Review and Correct as an instructor meets them: a real server and the system's Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import WITH_BROWSER, insist, serving

from models.states import State
from pipeline.corrections import read_corrections
from pipeline.reviews import read_reviews
from pipeline.session import EVENTS, Session

ODD = "<script>window.injected = 1</script><img src=x onerror='window.injected = 1'> 🎓 שלום \u202eabc " + "x" * 10_000
DURATION = 40

pytestmark = WITH_BROWSER
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install -e '.[dev]'")
expect = sync_api.expect


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory, make_session: Callable[..., Path]) -> Path:
    """Two good lectures and a broken one; of one all words are somebody's who means ill."""
    folder = tmp_path_factory.mktemp("sessions")
    odd = make_session(folder, "odd", students=6, course=ODD, approval=ODD, warnings=[ODD])
    Session.open(odd).events.assign(why=ODD).to_parquet(odd / EVENTS)
    make_session(folder, "lecture", students=12, seconds=DURATION, course="Introduction to Statistics")
    (folder / "torn").mkdir()
    (folder / "torn" / "session.json").write_text("{")
    return folder


@pytest.fixture(scope="module")
def address(sessions: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running dashboard with a registry of its own."""
    log = tmp_path_factory.mktemp("log")
    with serving(sessions, log / "server.txt", ENGAGE_DATABASE_URL=f"sqlite:///{log / 'consent.sqlite'}") as address:
        yield address


def review(page: sync_api.Page, address: str, session: str = "lecture") -> sync_api.Locator:
    """Open Review of a lecture; its video, ready to play."""
    page.goto(f"{address}/review?session={session}")
    return ready(page)


def ready(page: sync_api.Page) -> sync_api.Locator:
    video = page.locator("video")
    video.wait_for()
    eventually(video, "video.readyState >= 2")
    return video


def eventually(video: sync_api.Locator, condition: str) -> None:
    """Wait until something is true of the video."""
    video.evaluate(
        f"""video => new Promise((done, fail) => {{
            const begun = Date.now();
            const look = () => {{
                if ({condition}) done();
                else if (Date.now() - begun > 20000) fail(new Error("not: {condition}, at " + video.currentTime));
                else setTimeout(look, 20);
            }};
            look();
        }})"""
    )


def time(video: sync_api.Locator) -> float:
    eventually(video, "!video.seeking")
    return video.evaluate("video => video.currentTime")


def click_at(page: sync_api.Page, share: float, y: int = 40) -> float:
    """Click the timeline at a share of its length; the moment (s) that is there."""
    box = page.locator(".lanes").bounding_box()
    assert box is not None
    left, right = 40, 8  # of the labels
    page.mouse.click(box["x"] + left + share * (box["width"] - left - right), box["y"] + y)
    return share * DURATION


def look_at(page: sync_api.Page, *students: int) -> None:
    """Give a reason for some students in Review."""
    box = page.get_by_label("Students to look at")
    box.click()
    for student in students:
        page.get_by_role("option", name=f"Student {student}", exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_label("Reason").fill("they asked me about this lecture")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("heading", name="States of those students").wait_for()


def test_a_click_on_the_timeline_seeks_and_the_playhead_moves(address: str, page: sync_api.Page) -> None:
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url) if address[7:] not in request.url else None)
    video = review(page, address)
    playhead = page.locator(".playhead")
    before = playhead.bounding_box()
    moment = click_at(page, 0.75)
    assert time(video) == pytest.approx(moment, abs=0.2)
    after = playhead.bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] > before["x"] + 300
    video.evaluate("video => { video.muted = true; return video.play() }")
    eventually(video, f"video.currentTime > {moment} + 0.5")
    video.evaluate("video => video.pause()")
    moved = playhead.bounding_box()
    assert moved is not None
    assert moved["x"] > after["x"]
    assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []


def test_the_page_fits_a_projector_and_a_tablet(address: str, page: sync_api.Page) -> None:
    review(page, address)
    for selector in ("video", ".lanes", ".legend", ".side li"):
        box = page.locator(selector).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 720, selector  # without scrolling
    page.set_viewport_size({"width": 820, "height": 1180})
    lanes, side = page.locator(".lanes"), page.locator(".side")
    page.wait_for_function("document.documentElement.scrollWidth <= 820")
    below, above = side.bounding_box(), lanes.bounding_box()
    assert below is not None
    assert above is not None
    assert below["y"] > above["y"] + above["height"]  # under the timeline instead of beside it
    assert above["width"] > 700


def test_rows_and_marks_of_unusual_spans_seek(address: str, page: sync_api.Page, sessions: Path) -> None:
    video = review(page, address)
    event = Session.open(sessions / "lecture").events.sort_values("score").iloc[0]
    page.locator(".side li .go").last.click()
    assert time(video) == pytest.approx(event["start"], abs=0.2)
    click_at(page, 0.1)
    other = Session.open(sessions / "lecture").events.sort_values("score").iloc[1]
    click_at(page, (other["start"] + 0.2) / DURATION, y=5)  # beside its beginning: it snaps
    assert time(video) == pytest.approx(other["start"], abs=0.1)


def test_keys_seek_and_play(address: str, page: sync_api.Page, sessions: Path) -> None:
    video = review(page, address)
    lanes = page.locator(".lanes")
    lanes.focus()
    for key, moment in [("ArrowRight", 5), ("ArrowRight", 10), ("ArrowLeft", 5), ("End", DURATION), ("Home", 0)]:
        page.keyboard.press(key)
        assert time(video) == pytest.approx(moment, abs=0.2), key
    page.keyboard.press("n")
    assert time(video) == pytest.approx(Session.open(sessions / "lecture").events["start"].min(), abs=0.2)
    expect(lanes).to_have_attribute("aria-valuenow", re.compile(r"^1[56]$"))
    expect(lanes).to_have_attribute("aria-valuetext", re.compile("engagement 0"))
    video.evaluate("video => { video.muted = true }")
    page.keyboard.press(" ")
    eventually(video, "!video.paused")
    page.keyboard.press(" ")
    eventually(video, "video.paused")


def test_filtering_keeps_the_video_where_it_is(address: str, page: sync_api.Page) -> None:
    video = review(page, address)
    moment = click_at(page, 0.5)
    label = State.TAKING_NOTES.label
    page.get_by_role("button", name=label, exact=True).click()
    expect(page.locator(".legend span.off")).to_have_count(5)
    expect(page.locator(".legend span:not(.off)").first).to_contain_text(label)
    assert time(video) == pytest.approx(moment, abs=0.2)
    page.get_by_role("button", name=label, exact=True).click()
    expect(page.locator(".legend span.off")).to_have_count(0)


def test_single_students_are_shown_for_a_reason(address: str, page: sync_api.Page) -> None:
    video = review(page, address)
    assert not page.locator(".ribbons").is_visible()
    look_at(page, 2, 5)
    expect(page.locator(".ribbons")).to_be_visible()
    row = page.locator(".side section", has_text="States of those").locator(".go").nth(1)
    expect(row).to_contain_text(re.compile(r"Student [25] .*: .*(likely|hard to tell).* \(0\.\d\d\)"))
    start = page.locator(".side section", has_text="States of those").locator("li").nth(1).get_attribute("data-t")
    row.click()
    assert time(video) == pytest.approx(float(start or -1), abs=0.2)


def test_a_mark_is_kept(address: str, page: sync_api.Page, sessions: Path) -> None:
    review(page, address)
    first = page.locator(".side li").first
    first.get_by_role("button", name="Confirm").click()
    expect(first.locator(".notes")).to_contain_text("confirmed by first reviewer")
    assert read_reviews(Session.open(sessions / "lecture"))["verdict"].tolist() == ["confirmed"]
    review(page, address)
    expect(page.locator(".side li").first.get_by_role("button", name="Confirm")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.locator(".side li").first.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".side li").first.locator(".notes")).to_contain_text("dismissed by first reviewer")


def test_two_clicks_correct_a_span_and_it_is_there_after_a_reload(
    address: str, page: sync_api.Page, sessions: Path
) -> None:
    def opened() -> sync_api.Locator:
        page.goto(f"{address}/correct?session=lecture")
        page.get_by_label("Student to look at").click()
        page.get_by_role("option", name="Student 4", exact=True).click()
        page.get_by_label("Reason").fill("to teach the model")
        page.get_by_role("button", name="Show", exact=True).click()
        return ready(page)

    video = opened()
    span = page.locator(".lens button").nth(1)
    told = span.get_attribute("title") or ""
    span.click()
    minutes, seconds = re.match(r"(\d+):(\d\d)", told).groups()  # type: ignore[union-attr]
    assert time(video) == pytest.approx(60 * int(minutes) + int(seconds), abs=0.2)
    page.locator(".choice").get_by_role("button", name=State.TAKING_NOTES.label).click()
    expect(page.locator(".marks .row")).to_have_count(1)
    (saved,) = read_corrections(Session.open(sessions / "lecture")).itertuples()
    assert (saved.student, saved.state, saved.reviewer) == (4, State.TAKING_NOTES.value, "first reviewer")
    assert time(video) == pytest.approx(saved.start, abs=0.2)  # the video did not begin anew

    opened()
    block = page.locator(".marks .row i")
    expect(block).to_have_attribute("title", re.compile(f"first reviewer: .* {State.TAKING_NOTES.label}"))
    expect(page.get_by_text("Corrections of this lecture: 1, yours: 1")).to_be_visible()
    page.get_by_role("button", name="Undo my last").click()
    expect(page.locator(".marks .row")).to_have_count(0)
    assert read_corrections(Session.open(sessions / "lecture")).empty


def test_a_span_is_corrected_from_the_keyboard(address: str, page: sync_api.Page, sessions: Path) -> None:
    page.goto(f"{address}/correct?session=odd")
    page.get_by_label("Student to look at").click()
    page.get_by_role("option", name="Student 2", exact=True).click()
    page.get_by_label("Reason").fill("to teach the model")
    page.keyboard.press("Enter")
    ready(page)
    widths = page.locator(".lens button").evaluate_all("spans => spans.map(span => span.clientWidth)")
    page.locator(".lens button").nth(widths.index(max(widths))).focus()
    page.keyboard.press("Enter")
    begin = time(page.locator("video"))
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("[")
    page.keyboard.press("3")
    expect(page.locator(".marks .row")).to_have_count(1)
    (saved,) = read_corrections(Session.open(sessions / "odd")).itertuples()
    assert (saved.start, saved.student, saved.state) == (round(begin) + 1, 2, list(State)[2].value)


def test_words_that_mean_ill_stay_words(address: str, page: sync_api.Page) -> None:
    review(page, address, "odd")
    expect(page.get_by_role("heading", name="<script>")).to_be_visible()
    row = page.locator(".side li").first
    expect(row).to_contain_text("<script>window.injected = 1</script><img")
    row.locator(".go").hover()
    page.locator(".lanes").hover(position={"x": 300, "y": 5})
    assert page.evaluate("window.injected") is None
    assert page.locator(".side img, .side script").count() == 0
    page.wait_for_function("document.documentElement.scrollWidth <= 1280")


def test_the_table_can_be_downloaded(address: str, page: sync_api.Page, tmp_path: Path) -> None:
    review(page, address)
    page.get_by_text("About this lecture").click()
    taken: list[sync_api.Download] = []
    page.on("download", lambda download: taken.append(download))
    insist(page, page.get_by_role("button", name="Engagement table").click, lambda: bool(taken))
    taken[0].save_as(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().startswith("scope,t,student,engagement")


def test_choosing_another_lecture_changes_the_video_and_the_address(address: str, page: sync_api.Page) -> None:
    review(page, address)
    expect(page.locator("video")).to_have_attribute("src", re.compile("/lecture/"))
    page.locator("[data-testid=stSelectbox] input").first.click()
    page.get_by_role("option", name="odd", exact=False).click()
    page.wait_for_url("**/review?session=odd")
    expect(page.locator("video")).to_have_attribute("src", re.compile("/odd/"), timeout=30_000)
    expect(page.get_by_text("Sessions that can not be opened: 1")).to_be_visible()
