"""The report on simulated sessions: three pages whatever the input, nothing injected, nothing half-written."""

from __future__ import annotations

import errno
import itertools
import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymupdf
import pytest

from consent.retention import Kind
from models.cards import cards
from models.states import UNSEEN, Profile, State
from pipeline.session import BOX, EVENT_COLUMNS, EVENTS, MANIFEST, OBSERVATIONS, STATES, Manifest, Session, SessionError
from reports.commands import ReportFormat, report
from reports.errors import FormulaError, OutputError, ReportError
from reports.html import page
from reports.report import Format, report_content, write_comparison, write_course_report, write_report


def simulated_states(students: int, seconds: int, profile: Profile = Profile.FULL, seed: int = 0) -> pd.DataFrame:
    """A simulated class (no real one): everyone drifts between states; some seconds are unseen."""
    random = np.random.default_rng(seed)
    names = [state.value for state in profile.states]
    at = np.linspace(0.0, 1.0, seconds)[:, None, None]
    phase = random.uniform(0, 2 * np.pi, len(names)) + random.normal(0, 0.7, (1, students, len(names)))
    liking = np.array([2.2 if state is State.ATTENTIVE else 1.0 for state in profile.states])
    logits = liking + 1.3 * np.sin(2 * np.pi * at * (1 + np.arange(len(names)) % 3) + phase)
    logits = logits + random.normal(0, 0.4, (seconds, students, len(names)))
    posterior = np.exp(logits)
    posterior /= posterior.sum(axis=2, keepdims=True)
    coverage = random.choice([1.0, 1.0, 1.0, 0.8, 0.4, 0.0], (seconds, students))
    posterior[coverage == 0] = np.nan
    table = pd.DataFrame(
        {
            "t": np.repeat(np.arange(seconds, dtype=float), students),
            "student": np.tile(np.arange(1, students + 1), seconds),
        }
    )
    flat = posterior.reshape(-1, len(names))
    best = np.argmax(np.nan_to_num(flat, nan=-1.0), axis=1)
    table["state"] = np.where(np.isnan(flat[:, 0]), UNSEEN, np.array(names)[best])
    for column, name in enumerate(names):
        table[f"p_{name}"] = flat[:, column].astype(np.float32)
    table["coverage"] = coverage.ravel()
    table["why"] = ""
    return table


def unseen(table: pd.DataFrame) -> pd.DataFrame:
    """The same table had nobody been seen."""
    columns = [name for name in table if name.startswith("p_")]
    return table.assign(**dict.fromkeys(columns, np.nan), coverage=0.0, state=UNSEEN)


def simulated_events(count: int, seconds: float) -> pd.DataFrame:
    """Unusual spans all over the lecture."""
    start = np.linspace(0, max(seconds - 2, 0), count)
    why = "head far from its usual height, much taller or smaller than usual, far from the seat, large motion"
    rows = [(t, t + 2, 1 + place % 7, 3.0 + place % 5, 3.0, why) for place, t in enumerate(start)]
    return pd.DataFrame(rows, columns=list(EVENT_COLUMNS))


def simulated_boxes(students: int) -> pd.DataFrame:
    """One sighting of each student, in rows of ten."""
    place = np.arange(students)
    x, y = 60.0 + 120.0 * (place % 10), 640.0 - 70.0 * (place // 10)
    sides = dict(zip(BOX, (x, y - 60, x + 60, y + 20), strict=True))
    return pd.DataFrame({"t": 0.0, "student": place + 1} | sides)


def simulated_session(folder: Path, states: pd.DataFrame, events: int = 3, **changes: Any) -> Session:
    """A session folder holding ``states``, unusual spans, a place for everybody and a manifest to match; no video."""
    folder.mkdir(parents=True)
    states.to_parquet(folder / STATES, index=False)
    seconds = float(states["t"].max() + 1) if len(states) else 0.0
    students = int(states["student"].nunique())
    simulated_boxes(students).to_parquet(folder / OBSERVATIONS, index=False)
    simulated_events(events, seconds).to_parquet(folder / EVENTS, index=False)
    values: dict[str, Any] = {
        "id": folder.name,
        "created": "2026-03-14T09:26:53Z",
        "source": {"name": "Lecture 7 - Dynamics.mp4", "sha256": "c0ffee00" * 8},
        "fps": 25.0,
        "width": 1280,
        "height": 720,
        "duration": seconds,
        "software_version": "0.1.0",
        "models": {"students.pt": "0123456789abcdef" * 4, "face_landmarker": "fedcba9876543210" * 4},
        "config": {},
        "profile": "full",
        "course": "PHY 101",
        "approval": "faculty-2026-02 (Faculty of Physics)",
        "purposes": ["recording", "analysis"],
        "blur": "opted-out",
        "delete_after": {"annotated_video": "2026-09-30", "tables": "2027-03-31"},
        "counts": {"students": students, "frames": 1, "analysed_frames": 1, "events": events},
        "engagement": {},
    }
    manifest = Manifest.model_validate(values | changes)
    (folder / MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
    return Session.open(folder)


LONG = "W" * 200
WORST: dict[str, Any] = {
    "source": {"name": LONG + ".mp4", "sha256": "ab" * 32},
    "course": LONG,
    "approval": LONG,
    "blur": LONG,
    "purposes": [LONG, LONG],
    "software_version": LONG,
    "models": {f"{number}{LONG}": "ab" * 32 for number in range(20)},
    "warnings": [LONG] * 7,
    "withdrawals": ["withdrawal-1", "withdrawal-2"],
    "purged": {"annotated_video": "2026-09-30"},
    "delete_after": {"recording": "2026-09-30", "annotated_video": "2026-09-30", "tables": "2027-03-31"},
    "audit": "needs review",
    "everyone_covered": True,
}
SHIPPED: dict[str, Any] = {"models": {card.name: card.sha256 for card in cards()}}


def pages(path: Path) -> list[str]:
    """The text of each page, white space as single blanks."""
    with pymupdf.open(path) as document:
        return [" ".join(page.get_text().replace("\u200b", "").split()) for page in document]


def whole(path: Path) -> str:
    return " ".join(pages(path))


def outside(path: Path) -> list[str]:
    """Words that do not lie within the page's margins (16 mm at the sides, at least 6 mm above and below)."""
    words = []
    with pymupdf.open(path) as document:
        for page in document:
            side, edge = 15.5 / 25.4 * 72, 6 / 25.4 * 72
            inner = pymupdf.Rect(side, edge, page.rect.width - side, page.rect.height - edge)
            words += [word[4] for word in page.get_text("words") if not inner.contains(pymupdf.Rect(word[:4]))]
    return words


def blocks(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All blocks of a report, those in columns too."""

    def inner(part: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for one in part:
            yield one
            for column in one.get("parts", []):
                yield from inner(column)

    for part in content["pages"]:
        yield from inner(part)


def table_under(content: dict[str, Any], title: str) -> list[list[str]]:
    """The rows of the first table after the heading."""
    after = itertools.dropwhile(lambda one: one.get("text") != title, blocks(content))
    return next(one["rows"] for one in after if one["kind"] == "table")


@pytest.mark.parametrize("paper", ["a4", "letter"])
@pytest.mark.parametrize(("students", "seconds", "seen", "events", "changes"), [
    (0, 0, True, 0, {}),                                  # nobody in the room
    (1, 1, True, 0, {}),                                  # one student, one second
    (1, 300, True, 3, {"config": {"withhold_below": 1}}),
    (12, 30, True, 3, SHIPPED),
    (12, 300, False, 3, {}),                              # all unseen
    (12, 300, True, 200, WORST),                          # every text far too long
    (80, 300, True, 200, SHIPPED),
], ids=["empty", "second", "one", "short", "unseen", "worst", "crowd"])  # fmt: skip
def test_three_pages_and_nothing_beyond_their_margins(
    tmp_path: Path, students: int, seconds: int, seen: bool, events: int, changes: dict[str, Any], paper: str
) -> None:
    states = simulated_states(students, seconds) if students else simulated_states(1, 1).iloc[:0]
    session = simulated_session(tmp_path / "s", states if seen else unseen(states), events, **changes)
    written = write_report(session, paper=paper)
    text = pages(written)
    assert len(text) == 3
    assert "not a grade" in text[2]
    assert outside(written) == []
    with pymupdf.open(written) as document:
        width = {"a4": 595, "letter": 612}[paper]
        for page in document:
            assert round(page.rect.width) == width
            assert page.get_fonts()
            assert all(font[2] == "Type0" and "+" in font[3] for font in page.get_fonts()), "fonts are embedded"
        catalogue = document.xref_object(document.pdf_catalog())
        assert "/StructTreeRoot" in catalogue, "tagged, for screen readers"


def test_every_figure_says_in_words_what_it_shows(tmp_path: Path) -> None:
    content = report_content(simulated_session(tmp_path / "s", simulated_states(12, 300)))
    figures = [one for one in blocks(content) if one["kind"] == "figure"]
    assert len(figures) == 4
    assert all(len(one["alt"]) > 20 for one in figures)


@pytest.mark.parametrize("name", [
    '#panic("no")',
    '"); #set page(width: 1cm); ("',
    "$x$ *bold* _it_ `raw` <label> @ref // comment /* = Heading",
    "\\ \\u{41} #let a = 1 \n- item\t~",
    "محاضرة שלום",
    "Ünïcode 🎓 力学",
    "\U00012345 \ue000 \U000f0000 Zed",
])  # fmt: skip
def test_names_are_text_and_never_markup(tmp_path: Path, name: str) -> None:
    session = simulated_session(
        tmp_path / "s", simulated_states(2, 20), course=name, approval=name, models={name: "ab" * 32}
    )
    text = whole(write_report(session))
    if name.isascii():
        # once in the subtitle, once as approval, once among the models (there it may be shortened)
        assert text.count(" ".join(name.split())[:24]) == 3
    else:
        assert "PHY" not in text
        assert any(part in text for part in ("Ünïcode", "Zed")) or any("\u0590" <= char <= "\u06ff" for char in text)


def test_marks_that_turn_the_direction_of_text_do_not_reach_the_page(tmp_path: Path) -> None:
    session = simulated_session(tmp_path / "s", simulated_states(1, 5), course="safe\u202egnp.exe\x07")
    assert report_content(session)["subtitle"][0] == "safegnp.exe"


def test_the_pages_say_what_they_must(tmp_path: Path) -> None:
    session = simulated_session(tmp_path / "s", simulated_states(12, 300), audit="passed", **SHIPPED)
    text = whole(write_report(session))
    for words in (
        "Lecture 7 - Dynamics", "PHY 101", "14 March 2026", "profile: full", "12 students", "5 min",
        "Unseen is not disengaged", "Do not use it to grade, rank", "Article 5(1)(f)", "faculty-2026-02",
        "of those who said no", "students.pt (sha256 7fb50487", "0.995", "classroom-engagement 0.1.0", "no ranking",
        "passed: no uncovered face", "tables and report 31 March 2027", "fewer than 5 students", "Chi, M. T. H.",
        "95% interval", "How to cite", "recording, analysis", "1,000 other weightings",
    ):  # fmt: skip
        assert words in text, words


def test_no_student_is_told_from_another(tmp_path: Path) -> None:
    """The numbers of students lead to boxes in the video, and those to people: none stands in the report."""
    states = simulated_states(40, 60).assign(student=lambda table: table["student"] + 7000)
    events = simulated_events(3, 60).assign(student=7001)
    session = simulated_session(tmp_path / "s", states)
    events.to_parquet(session.folder / EVENTS, index=False)
    content = json.dumps([one for one in blocks(report_content(session)) if one["kind"] != "figure"])
    assert "7001" not in content
    assert "7040" not in content


def test_a_class_value_needs_five_students(tmp_path: Path) -> None:
    few = whole(write_report(simulated_session(tmp_path / "few", simulated_states(4, 60))))
    assert "never were 5 students seen at the same time" in few
    assert "Withheld: fewer than 5 students were seen" in few
    asked = simulated_session(tmp_path / "asked", simulated_states(4, 60), config={"withhold_below": 1})
    assert "Class values are withheld" not in whole(write_report(asked))


def test_the_observable_profile_shows_no_inferred_emotion_as_a_result(tmp_path: Path) -> None:
    states = simulated_states(12, 300, Profile.OBSERVABLE)
    content = report_content(simulated_session(tmp_path / "s", states, profile="observable"))
    for state in (State.CONFUSED, State.BORED):
        assert state.label not in [row[0] for row in table_under(content, "The engagement index")]
        for one in blocks(content):
            assert one["kind"] != "figure" or state.label not in one["svg"] + one["alt"]


def test_the_weights_of_the_session_are_used_and_shown(tmp_path: Path) -> None:
    weights = {state.value: 0.25 for state in State}
    config = {"state_weights": weights, "withhold_below": 1}
    content = report_content(simulated_session(tmp_path / "s", simulated_states(3, 30), config=config))
    rows = table_under(content, "The engagement index")
    assert rows[-1] == ["class index", "", "", "0.250"]
    assert {row[1] for row in rows[:-1]} == {"0.25"}
    bad = simulated_session(
        tmp_path / "bad", simulated_states(3, 30), config={"state_weights": {State.BORED.value: "x"}}
    )
    with pytest.raises(FormulaError, match=State.BORED.value):
        write_report(bad)
    assert not bad.report.exists()


def test_the_same_session_gives_the_same_report(tmp_path: Path) -> None:
    session = simulated_session(tmp_path / "s", simulated_states(8, 60))
    assert report_content(session) == report_content(session)
    assert page(report_content(session)) == page(report_content(session))


def test_named_segments_stand_in_the_report(tmp_path: Path) -> None:
    session = simulated_session(tmp_path / "s", simulated_states(8, 300))
    (tmp_path / "parts.csv").write_text("start,title\n0:00,Opening\n2:30,Group work\n")
    rows = table_under(report_content(session, segments=tmp_path / "parts.csv"), "Segments")
    assert [row[1] for row in rows] == ["0:00–2:30 Opening", "2:30–5:00 Group work"]
    found = report_content(session)
    assert any("automatically" in one.get("note", "") or "no change" in one.get("note", "") for one in blocks(found))


def test_examples_cover_everybody_and_name_no_folder(make_session: Callable[..., Path], tmp_path: Path) -> None:
    session = Session.open(make_session(tmp_path / "secret-name", seconds=30, blur="nobody"))
    written = write_report(session)
    text = whole(written)
    assert "Everybody’s head is covered here" in text
    with pymupdf.open(written) as document:
        assert len(document[1].get_images()) >= 2
    session.video.unlink()
    text = whole(write_report(session))
    assert "No pictures: the annotated video is not there" in text
    assert "secret-name" not in text
    gone = session.manifest.model_copy(update={"purged": {Kind.ANNOTATED_VIDEO: date(2026, 5, 1)}})
    (session.folder / MANIFEST).write_text(gone.model_dump_json(), encoding="utf-8")
    assert "deleted, as promised to the students: no pictures" in whole(write_report(Session.open(session.folder)))


# --- HTML ---------------------------------------------------------------------------------------------------------


def test_html_needs_nothing_else_and_holds_no_markup_of_others(tmp_path: Path) -> None:
    session = simulated_session(tmp_path / "s", simulated_states(8, 60), course="<script>alert(1)</script>")
    written = write_report(session, tmp_path / "r.html", format=Format.HTML).read_text(encoding="utf-8")
    assert "<script" not in written
    assert "&lt;script&gt;" in written
    links = re.findall(r"(?:src|href)=\"([^\"]*)\"", written)
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert written.count("<figure") == 4
    with pytest.raises(ReportError, match=r"no place in the session; give one with --out FILE\.html"):
        write_report(session, format=Format.HTML)


# --- several lectures ---------------------------------------------------------------------------------------------


def lectures(folder: Path, count: int, **changes: Any) -> list[Session]:
    """Lectures of one course, a week apart."""
    return [
        simulated_session(
            folder / f"week{week}",
            simulated_states(8, 120, seed=week),
            lecture_day=f"2026-03-{1 + 7 * week:02}",
            **changes,
        )
        for week in range(count)
    ]


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_a_course_is_three_pages_too(tmp_path: Path, paper: str) -> None:
    written = write_course_report(lectures(tmp_path, 4), tmp_path / "course.pdf", paper)
    text = pages(written)
    assert len(text) == 3
    assert outside(written) == []
    for words in ("PHY 101", "1 March 2026 to 22 March 2026", "4 lectures", "straight line through 4 lectures"):
        assert words in text[0]
    many = [
        simulated_session(
            tmp_path / f"many{n}", simulated_states(5, 30, seed=n), lecture_day=f"2026-0{1 + n // 28}-{1 + n % 28:02}",
            **(WORST | {"purged": {}})
        )
        for n in range(60)
    ]  # fmt: skip
    longest = write_course_report(many, tmp_path / "long.pdf", paper)
    assert len(pages(longest)) == 3
    assert outside(longest) == []


def test_two_lectures_are_compared_with_an_interval(tmp_path: Path) -> None:
    first, second = lectures(tmp_path, 2)
    written = write_comparison(first, second, tmp_path / "two.pdf")
    text = pages(written)
    assert len(text) == 3
    assert outside(written) == []
    assert "B minus A" in text[0]
    assert "The interval of the difference" in text[0]


@pytest.mark.parametrize(("changes", "said"), [
    ({"course": "CHE 1"}, "is of course 'CHE 1'"),
    ({"config": {"state_weights": {State.BORED.value: 0.1}}}, "has other weights"),
])  # fmt: skip
def test_lectures_that_cannot_be_put_together_are_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    (first,) = lectures(tmp_path / "a", 1)
    (second,) = lectures(tmp_path / "b", 1, **changes)
    with pytest.raises(ReportError, match=said):
        write_course_report([first, second], tmp_path / "x.pdf")
    with pytest.raises(ReportError, match="is given twice"):
        write_comparison(first, first, tmp_path / "x.pdf")
    with pytest.raises(ReportError, match="takes 2 to"):
        write_course_report([first], tmp_path / "x.pdf")
    assert not (tmp_path / "x.pdf").exists()


def test_profiles_are_not_mixed(tmp_path: Path) -> None:
    (full,) = lectures(tmp_path, 1)
    states = simulated_states(8, 60, Profile.OBSERVABLE)
    other = simulated_session(tmp_path / "o", states, profile="observable")
    with pytest.raises(ReportError, match="not comparable"):
        write_comparison(full, other, tmp_path / "x.pdf")


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [STATES, OBSERVATIONS, EVENTS])
def test_a_missing_table_is_one_sentence(tmp_path: Path, missing: str) -> None:
    session = simulated_session(tmp_path / "s", simulated_states(8, 30))
    (session.folder / missing).unlink()
    with pytest.raises(SessionError, match=f"{missing} is missing; run the lecture again") as caught:
        write_report(Session.open(session.folder))
    assert "\n" not in str(caught.value)
    assert not session.report.exists()


# --- writing ------------------------------------------------------------------------------------------------------


def test_unknown_paper_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"'a5' is not known; choose from a4, letter"):
        write_report(simulated_session(tmp_path / "s", simulated_states(1, 1)), paper="a5")


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    session = simulated_session(tmp_path / "s", simulated_states(1, 1))
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"can not be written .*; choose another --out"):
        write_report(session, tmp_path / "file" / "report.pdf")


def test_a_full_disk_leaves_the_old_report_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = simulated_session(tmp_path / "s", simulated_states(1, 1))
    session.report.write_bytes(b"old")

    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_report(session)
    assert session.report.read_bytes() == b"old"
    assert not list(session.folder.glob("*.partial"))


def test_the_command_writes_each_report_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [simulated_session(tmp_path / name, simulated_states(1, 5)).folder for name in ("a", "b")]
    report(folders)
    assert capsys.readouterr().out.split() == [str(folder / "report.pdf") for folder in folders]
    report(folders, "letter", tmp_path / "all")
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["a.pdf", "b.pdf"]
    report(folders[:1], "a4", tmp_path / "one.pdf")
    assert len(pages(tmp_path / "one.pdf")) == 3
    report(folders[:1], "a4", tmp_path / "one.html", ReportFormat.HTML)
    assert (tmp_path / "one.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(ReportError, match=r"is not html; name it one\.html"):
        report(folders[:1], "a4", tmp_path / "one.pdf", ReportFormat.HTML)
    with pytest.raises(ReportError, match="--trend: belongs to no one session"):
        report(folders, trend=True)
    with pytest.raises(ReportError, match="--compare: 1 session"):
        report(folders[:1], out=tmp_path / "one.pdf", compare=True)
    report(folders, out=tmp_path / "two.pdf", compare=True)
    assert len(pages(tmp_path / "two.pdf")) == 3
    with pytest.raises(ReportError, match="one file can not hold 2 reports"):
        report(folders, "a4", tmp_path / "one.pdf")
