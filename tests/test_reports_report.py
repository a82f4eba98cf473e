"""The report on simulated sessions: one page whatever the input, nothing injected, nothing half-written."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymupdf
import pytest

from models.states import UNSEEN, Profile, State
from pipeline.session import MANIFEST, STATES, Manifest, Session
from reports.commands import report
from reports.errors import FormulaError, OutputError, ReportError
from reports.report import MOST_STUDENT_ROWS, report_content, write_report


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


def simulated_session(folder: Path, states: pd.DataFrame, **changes: Any) -> Session:
    """A session folder holding ``states`` and a manifest to match."""
    folder.mkdir(parents=True)
    states.to_parquet(folder / STATES, index=False)
    seconds = float(states["t"].max() + 1) if len(states) else 0.0
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
        "blur": "opted-out",
        "counts": {
            "students": int(states["student"].nunique()),
            "frames": 1,
            "analysed_frames": 1,
            "events": 3,
        },
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
    "software_version": LONG,
    "models": {f"{number}{LONG}": "ab" * 32 for number in range(20)},
    "warnings": [LONG, LONG],
}


def pages(path: Path) -> list[str]:
    """The text of each page, white space as single blanks."""
    with pymupdf.open(path) as document:
        return [" ".join(page.get_text().replace("\u200b", "").split()) for page in document]


def outside(path: Path) -> list[str]:
    """Words that do not lie within the page's margins (16 mm at the sides, at least 9 mm above and below)."""
    with pymupdf.open(path) as document:
        (page,) = document
        side, edge = 15.5 / 25.4 * 72, 9 / 25.4 * 72
        inner = pymupdf.Rect(side, edge, page.rect.width - side, page.rect.height - edge)
        return [word[4] for word in page.get_text("words") if not inner.contains(pymupdf.Rect(word[:4]))]


@pytest.mark.parametrize("paper", ["a4", "letter"])
@pytest.mark.parametrize(("states", "changes"), [
    (simulated_states(1, 1).iloc[:0], {}),                                             # nobody in the room
    (simulated_states(1, 1), {}),                                                      # one student, one second
    (unseen(simulated_states(MOST_STUDENT_ROWS, 300)), {}),                            # all unseen
    (simulated_states(MOST_STUDENT_ROWS, 300), WORST),                                 # every text far too long
    (simulated_states(MOST_STUDENT_ROWS + 1, 300), {}),                                # one too many for the table
    (simulated_states(80, 300), {"counts": {"students": 80, "frames": 1, "analysed_frames": 1, "events": 200}}),
], ids=["empty", "one", "unseen", "worst", "spread", "crowd"])  # fmt: skip
def test_always_one_page_and_nothing_beyond_its_margins(
    tmp_path: Path, states: pd.DataFrame, changes: dict[str, Any], paper: str
) -> None:
    written = write_report(simulated_session(tmp_path / "s", states, **changes), paper=paper)
    (text,) = pages(written)
    assert "not a grade" in text
    assert outside(written) == []
    with pymupdf.open(written) as document:
        width = {"a4": 595, "letter": 612}[paper]
        assert round(document[0].rect.width) == width
        assert all(font[2] == "Type0" and "+" in font[3] for font in document[0].get_fonts()), "fonts are embedded"


def test_long_tables_give_the_spread_and_short_ones_each_number_in_order(tmp_path: Path) -> None:
    few = report_content(simulated_session(tmp_path / "few", simulated_states(MOST_STUDENT_ROWS, 30)))["times"]
    many = report_content(simulated_session(tmp_path / "many", simulated_states(MOST_STUDENT_ROWS + 1, 600)))["times"]
    assert [row[0] for row in few["rows"]] == [str(number + 1) for number in range(MOST_STUDENT_ROWS)]
    assert (few["each"], few["unit"]) == (True, "seconds")
    assert (many["each"], many["unit"]) == (False, "minutes")
    assert [row[0] for row in many["rows"]] == ["seen", *(state.label for state in State)]
    for low, middle, high in (map(float, row[1:]) for row in many["rows"]):
        assert low <= middle <= high


@pytest.mark.parametrize("name", [
    '#panic("no")',
    '"); #set page(width: 1cm); ("',
    "$x$ *bold* _it_ `raw` <label> @ref // comment /* = Heading",
    "\\ \\u{41} #let a = 1 \n- item\t~",
    "محاضرة שלום",
    "Ünïcode 🎓 力学",
])  # fmt: skip
def test_names_are_text_and_never_markup(tmp_path: Path, name: str) -> None:
    session = simulated_session(
        tmp_path / "s", simulated_states(2, 20), course=name, approval=name, models={name: "ab" * 32}
    )
    (text,) = pages(write_report(session))
    if name.isascii():
        # once in the subtitle, once as approval, once among the models (there it may be shortened)
        assert text.count(" ".join(name.split())[:24]) == 3
    else:
        assert "PHY" not in text
        assert "Ünïcode" in text or any("\u0590" <= char <= "\u06ff" for char in text)


def test_marks_that_turn_the_direction_of_text_do_not_reach_the_page(tmp_path: Path) -> None:
    session = simulated_session(tmp_path / "s", simulated_states(1, 5), course="safe\u202egnp.exe\x07")
    assert report_content(session)["subtitle"][0] == "safegnp.exe"


def test_the_page_says_what_it_must(tmp_path: Path) -> None:
    (text,) = pages(write_report(simulated_session(tmp_path / "s", simulated_states(12, 300))))
    for words in (
        "Lecture 7 - Dynamics", "PHY 101", "14 March 2026", "profile: full", "12 students", "5 min",
        "Unseen is not disengaged", "Do not use it to grade, discipline", "Article 5(1)(f)",
        "faculty-2026-02", "opted-out", "students.pt (01234567)", "classroom-engagement 0.1.0", "no ranking",
    ):  # fmt: skip
        assert words in text


def test_the_observable_profile_shows_no_inferred_emotion_as_a_result(tmp_path: Path) -> None:
    states = simulated_states(12, 300, Profile.OBSERVABLE)
    content = report_content(simulated_session(tmp_path / "s", states, profile="observable"))
    assert content["inferred"] == []
    for state in (State.CONFUSED, State.BORED):
        assert state.label not in content["shares_svg"]
        assert state.label not in [row["state"] for row in content["index"]]
        assert state.label not in content["times"]["head"]


def test_the_weights_of_the_session_are_used_and_shown(tmp_path: Path) -> None:
    weights = {state.value: 0.25 for state in State}
    content = report_content(
        simulated_session(tmp_path / "s", simulated_states(3, 30), config={"state_weights": weights})
    )
    assert content["mean"] == "0.250"
    assert {row["weight"] for row in content["index"]} == {"0.25"}
    bad = simulated_session(
        tmp_path / "bad", simulated_states(3, 30), config={"state_weights": {State.BORED.value: "x"}}
    )
    with pytest.raises(FormulaError, match=State.BORED.value):
        write_report(bad)
    assert not bad.report.exists()


def test_the_same_session_gives_the_same_figures(tmp_path: Path) -> None:
    session = simulated_session(tmp_path / "s", simulated_states(3, 30))
    assert report_content(session) == report_content(session)


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
    assert len(pages(tmp_path / "one.pdf")) == 1
    with pytest.raises(ReportError, match="one file can not hold 2 reports"):
        report(folders, "a4", tmp_path / "one.pdf")
