"""How long does an instructor wait? Review of a long lecture in a browser: first paint, seeks, memory.

Simulated students (``benchmarks.report``); the video is the demo clip again and again, as long as the lecture. Needs
Chromium and Playwright, as the browser tests do.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import psutil

from benchmarks import common
from benchmarks.report import session
from pipeline.encode import VideoWriter
from pipeline.session import EVENT_COLUMNS, EVENTS, VIDEO
from pipeline.video import VideoReader
from tests.browsing import CHROMIUM, FLAGS, serving

SPANS = 40
VISITS, SEEKS = 5, 30
WARM, INTERACTIONS = 20, 200
STUDENTS_OPENED = 3

TIMED_SEEK = """
    share => new Promise(done => {
        const find = selector => {
            for (const host of document.querySelectorAll("*")) {
                const found = host.shadowRoot?.querySelector(selector);
                if (found) return found;
            }
        };
        const video = find("video"), lanes = find(".lanes"), box = lanes.getBoundingClientRect();
        const begun = performance.now();
        const there = () => requestAnimationFrame(() => done(performance.now() - begun));
        video.addEventListener("seeked", there, {once: true});
        const at = {clientX: box.left + 40 + share * (box.width - 48), clientY: box.top + 40, button: 0, bubbles: true};
        lanes.dispatchEvent(new PointerEvent("pointerdown", at));
    })
"""


def long_video(out: Path, seconds: int) -> None:
    """The demo clip again and again: written once as annotated videos are, then its packets are copied."""
    once = out.with_suffix(".once.mp4")
    with VideoReader(common.DEMO_CLIP) as reader, VideoWriter(once, reader.info) as writer:
        for frame in reader.frames():
            writer.write(frame, frame.image)
    with av.open(str(once)) as clip:
        source = clip.streams.video[0]
        packets = [packet for packet in clip.demux(source) if packet.dts is not None]
        length = max(packet.pts + packet.duration for packet in packets)
        with av.open(str(out), "w", options={"movflags": "faststart"}) as film:
            stream = film.add_stream_from_template(source)
            for turn in range(int(np.ceil(seconds / float(length * source.time_base)))):
                for packet in packets:
                    copy = av.Packet(bytes(packet))
                    copy.pts, copy.dts = packet.pts + turn * length, packet.dts + turn * length
                    copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
                    copy.duration, copy.stream = packet.duration, stream
                    film.mux(copy)
    once.unlink()


def unusual(folder: Path, students: int, seconds: int) -> None:
    """Give the session unusual spans."""
    rng = np.random.default_rng(1)
    start = np.sort(rng.uniform(0, seconds - 20, SPANS)).round(1)
    rows = zip(start, start + 12, rng.integers(1, students + 1, SPANS), rng.uniform(5, 9, SPANS), strict=True)
    table = pd.DataFrame([(*row, 5.0, "large motion, far from the seat") for row in rows], columns=list(EVENT_COLUMNS))
    table.to_parquet(folder / EVENTS, index=False)


def worked() -> float:
    """Processor time of server and browser so far, s: other programs beside them make it no longer."""
    spent = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended at this moment
            spent += sum(process.cpu_times()[:2])
    return spent


def visit(page: Any, url: str) -> tuple[float, float, float]:
    """s from the request until timeline and lists are drawn, and until the video shows a picture; processor time, s."""
    begun, before = time.perf_counter(), worked()
    page.goto(url, wait_until="commit")
    page.locator(".readout", has_text="engagement").wait_for()
    page.locator(".side li").first.wait_for()
    painted = time.perf_counter() - begun
    page.locator("video").evaluate(
        "video => new Promise(done => video.readyState >= 2 ? done() : video.addEventListener('loadeddata', done))"
    )
    return painted, time.perf_counter() - begun, worked() - before


def server_mib() -> float:
    """Resident memory of the server, which is this process's child with the sessions' folder in its arguments."""
    (server,) = [one for one in psutil.Process().children() if "--sessions" in one.cmdline()]
    return server.memory_info().rss / 2**20


def open_students(page: Any) -> None:
    """Give a reason for some students, so that their ribbons and spans are on the page."""
    page.get_by_label("Students to look at").click()
    for student in range(1, STUDENTS_OPENED + 1):
        page.get_by_role("option", name=f"Student {student}", exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_label("Reason").fill("benchmark")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("heading", name="States of those students").wait_for()


def interact(page: Any, number: int, rng: np.random.Generator) -> None:
    """Seek, or have the server filter by another state."""
    if number % 2:
        page.evaluate(TIMED_SEEK, float(rng.uniform(0.02, 0.98)))
        return
    off = page.locator(".legend span.off").count()
    page.get_by_test_id("stButtonGroup").first.get_by_role("button").nth(number // 2 % 6).click()
    page.wait_for_function(
        """before => [...document.querySelectorAll("*")].some(host =>
            host.shadowRoot?.querySelector(".legend") &&
            host.shadowRoot.querySelectorAll(".legend span.off").length !== before)""",
        arg=off,
    )


def measure(folder: Path, log: Path, about: dict[str, Any]) -> dict[str, Any]:
    """All figures; ``about`` is told what the browser is."""
    from playwright.sync_api import sync_playwright

    rng = np.random.default_rng(2)
    registry = f"sqlite:///{log.with_suffix('.sqlite')}"
    with serving(folder, log, ENGAGE_DATABASE_URL=registry) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        about["browser"] = f"Chromium {browser.version}"
        url, size = f"{address}/review?session=long", {"width": 1280, "height": 720}
        fresh = []
        for _ in range(1 + VISITS):
            context = browser.new_context(viewport=size)  # nothing is kept from the visit before
            fresh.append(visit(context.new_page(), url))
            context.close()
        page = browser.new_page(viewport=size)
        page.set_default_timeout(120_000)
        visit(page, url)
        known = [visit(page, url) for _ in range(VISITS)]
        seeks = [page.evaluate(TIMED_SEEK, float(share)) for share in rng.uniform(0.02, 0.98, SEEKS)]
        open_students(page)
        memory = []
        heap = page.context.new_cdp_session(page)
        for number in range(WARM + INTERACTIONS):
            interact(page, number, rng)
            if number >= WARM - 1 and (number - WARM + 1) % 50 == 0:
                heap.send("HeapProfiler.collectGarbage")
                used = heap.send("Runtime.getHeapUsage")["usedSize"] / 2**20
                memory.append((number - WARM + 1, server_mib(), used))
        browser.close()
    return {"first": fresh[0], "fresh": fresh[1:], "known": known, "seeks_ms": seeks, "memory_mib": memory}


def main() -> None:
    """Print what the page of "how fast" says."""
    parser = common.parser(__doc__)
    parser.add_argument("--hours", type=float, default=3.0, help="length of the lecture (default: 3)")
    parser.add_argument("--students", type=int, default=80, help="students in it (default: 80)")
    args = parser.parse_args()
    common.print_machine()
    seconds = round(args.hours * 3600)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "sessions"
        made = session(folder, args.students, seconds)
        (made / VIDEO).unlink()
        long_video(made / VIDEO, seconds)
        unusual(made, args.students, seconds)
        about: dict[str, Any] = {}
        figures = measure(folder, Path(place) / "server.log", about)
    common.say(f"{args.hours:g} h, {args.students} students, {SPANS} unusual spans, {about['browser']}, 1280x720")
    rows = [["first after the server's start, new browser", *(f"{value:.2f}" for value in figures["first"])]]
    for who, kind in (("new browsers", "fresh"), ("in a browser that was here before", "known")):
        for what, pick in (("median", statistics.median), ("slowest", max)):
            values = [f"{pick(column):.2f}" for column in zip(*figures[kind], strict=True)]
            rows.append([f"{what} of {VISITS} {who}", *values])
    columns = ["visit", "timeline and lists", "and the video's picture", "processor time of server and browser"]
    common.print_table("First paint (s)", columns, rows)
    seeks = np.array(figures["seeks_ms"])
    common.say(
        f"Seek by a click on the timeline, until the picture is there: median {np.median(seeks):.0f} ms, 95th"
        f" percentile {np.percentile(seeks, 95):.0f} ms, slowest {seeks.max():.0f} ms of {len(seeks)}"
    )
    rows = [[number, f"{server:.0f}", f"{heap:.1f}"] for number, server, heap in figures["memory_mib"]]
    common.print_table("Memory (MiB)", ["interactions", "server, resident", "browser, JavaScript heap"], rows)
    common.write_json(args.json, figures | about)


if __name__ == "__main__":
    main()
