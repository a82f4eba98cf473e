"""A student is withdrawn from the page: the consequences, the work in the background, and the result."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from browsing import WITH_BROWSER, serving
from lectures import COURSE, blue, lecture, place, zone
from lectures import HEIGHT as HEIGHT_PX
from lectures import WIDTH as WIDTH_PX

from consent.policy import Purpose, Zone
from consent.registry import Registry
from dashboard.texts import consent as said
from pipeline.seat_plan import SeatPlan
from pipeline.session import SEATS, Session

pytestmark = WITH_BROWSER
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install -e '.[dev]'")


def test_a_student_is_withdrawn_from_the_page(tmp_path: Path, page: sync_api.Page) -> None:
    folder = tmp_path / "sessions"
    session, _ = lecture(folder, "birds")
    seats = [{"name": str(n), "polygon": list(Zone(*zone(n)).points), "student": n} for n in (1, 2, 3)]
    (session / SEATS).write_text(SeatPlan.model_validate({"seats": seats}).model_dump_json())
    url = f"sqlite:///{tmp_path / 'consent.sqlite'}"
    with Registry.open(url) as registry:
        registry.approve(COURSE, "Prof. Wren", date(2026, 1, 1))
        registry.students.enter(COURSE, "kestrel", seat=Zone(*zone(2)))
    assert blue(session / "annotated.mp4", 2)[0] > 0.5
    with serving(folder, tmp_path / "log.txt", ENGAGE_DATABASE_URL=url) as address:
        page.goto(f"{address}/consent")
        page.get_by_role("tab", name=said.SEATS).click()
        chart = page.locator("[data-testid=stVegaLiteChart]").locator("canvas, svg").first
        chart.wait_for()
        page.wait_for_timeout(500)  # drawn, and drawn again at its width
        box = chart.bounding_box()
        assert box is not None
        x1, y1, x2, y2 = place(2)
        page.mouse.click(
            box["x"] + (x1 + x2) / 2 / WIDTH_PX * box["width"], box["y"] + (y1 + y2) / 2 / HEIGHT_PX * box["height"]
        )
        page.get_by_text(said.ANSWERS.format(student="kestrel")).wait_for()
        page.get_by_text(said.WITHDRAW).click()
        page.get_by_role("button", name=said.SHOW_CONSEQUENCES).click()
        page.get_by_text("student 2 goes: 0:03 of data, 1 unusual span").wait_for()
        now = page.get_by_role("button", name=said.WITHDRAW_NOW)
        sync_api.expect(now).to_be_disabled()
        page.get_by_text(said.SURE.format(student="kestrel")).click()
        sync_api.expect(now).to_be_enabled()
        with Registry.open(url) as registry:  # nothing has happened yet
            assert registry.withdrawals.of_course(COURSE) == ()
        now.click()
        page.get_by_text(said.WITHDRAWING.format(student="kestrel")).wait_for()
        page.reload()  # the work goes on
        page.get_by_role("tab", name=said.WITHDRAWALS).click()
        page.get_by_text(said.DONE).wait_for(timeout=180_000)
    with Registry.open(url) as registry:
        (withdrawal,) = registry.withdrawals.of_course(COURSE)
        assert withdrawal.done
        (student,) = registry.students.on_record(COURSE)
        assert {one.purpose for one in student.decisions if not one.granted} == set(Purpose)
        registry.verify()
    opened = Session.open(session)
    assert set(opened.states["student"]) == {1, 3}
    assert opened.manifest.withdrawals == [withdrawal.id]
    assert max(blue(session / "annotated.mp4", 2)) < 0.05
    assert opened.report.is_file()
