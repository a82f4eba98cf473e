from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest
from small_sessions import small_manifest

from models.states import State
from pipeline.corrections import COLUMNS, correct, read_corrections, take_back
from pipeline.errors import InputError
from pipeline.session import CORRECTIONS, MANIFEST, STATE_COLUMNS, STATES, Session

HEAD = "start,end,student,state\n"
ROOT = Path(__file__).parents[1]
BORED, NOTES = State.BORED.value, State.TAKING_NOTES.value


def session(folder: Path, lines: str | None = None, name: str = "demo", **fields: object) -> Session:
    """Two students whose states of three seconds are on record."""
    place = folder / name
    place.mkdir()
    (place / MANIFEST).write_text(json.dumps(small_manifest(name, **fields)))
    if lines is not None:
        (place / CORRECTIONS).write_text(lines, encoding="utf-8")
    opened = Session.open(place)
    rows = [(t, student, BORED, 1.0, "") for t in range(3) for student in (1, 2)]
    table = pd.DataFrame(rows, columns=list(STATE_COLUMNS))
    table.assign(**{f"p_{one}": float(one == BORED) for one in opened.state_names}).to_parquet(place / STATES)
    return opened


@pytest.mark.parametrize("lines", [None, "", HEAD])
def test_no_corrections(tmp_path, lines):
    read = read_corrections(session(tmp_path, lines))
    assert read.empty
    assert list(read) == list(COLUMNS)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lines_are_read_in_order(tmp_path, mark):
    spans = read_corrections(session(tmp_path, f"{mark}{HEAD}0,2.5,1,bored\n1,3,2,taking_notes\n"))
    assert spans.values.tolist() == [[0.0, 2.5, 1, BORED, "", ""], [1.0, 3.0, 2, NOTES, "", ""]]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0,2,1", "line 2: no state"),
        ("0,2,,bored", "no student"),
        ("a,2,1,bored", "must be numbers"),
        ("0,2,1.5,bored", "must be numbers"),
        ("2,2,1,bored", "no span"),
        ("-1,2,1,bored", "no span"),
        ("0,nan,1,bored", "no span"),
        ("0,inf,1,bored", "no span"),
        ("0,2,1,asleep", "'asleep' is not a state"),
        ("0,2,1,unseen", "'unseen' is not a state"),
    ],
)
def test_a_line_that_is_not_valid_is_named(tmp_path, line, said):
    with pytest.raises(InputError, match=said):
        read_corrections(session(tmp_path, f"{HEAD}{line}\n"))


def test_a_file_that_is_no_text(tmp_path):
    opened = session(tmp_path, HEAD)
    (opened.folder / CORRECTIONS).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_corrections(opened)


# Written by the dashboard


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ((2, 2, 1, BORED, "AB"), "no span"),
        ((-1, 2, 1, BORED, "AB"), "no span"),
        ((0, 9, 1, BORED, "AB"), "no span"),
        ((float("nan"), 2, 1, BORED, "AB"), "no span"),
        ((0, 2, 3, BORED, "AB"), "student 3 is not in it"),
        ((0, 2, 1, "asleep", "AB"), "'asleep' is no state"),
        ((0, 2, 1, "<b>", "AB"), "is no state"),
        ((0, 2, 1, BORED, " "), "no name"),
    ],
)
def test_what_cannot_be_meant_is_not_written(tmp_path, what, said):
    opened = session(tmp_path)
    with pytest.raises(InputError, match=said):
        correct(opened, *what)
    assert not (opened.folder / CORRECTIONS).exists()


def test_inner_states_are_not_written_where_none_are_inferred(tmp_path):
    opened = session(tmp_path, profile="observable")
    with pytest.raises(InputError, match="profile observable"):
        correct(opened, 0, 2, 1, BORED, "AB")


def test_a_correction_is_read_back_with_who_and_when(tmp_path):
    opened = session(tmp_path)
    correct(opened, 0.25, 2, 1, NOTES, "AB")
    (row,) = read_corrections(opened).itertuples(index=False)
    assert row[:5] == (0.25, 2.0, 1, NOTES, "AB")
    assert pd.Timestamp(row.at).tzinfo is not None


def test_a_file_by_hand_gains_columns_and_loses_nothing(tmp_path):
    opened = session(tmp_path, f"{HEAD}0,2,1,bored\n")
    correct(opened, 0, 1, 2, NOTES, "AB")
    assert read_corrections(opened)[["student", "state", "reviewer"]].values.tolist() == [
        [1, BORED, ""],
        [2, NOTES, "AB"],
    ]


def test_taking_back_takes_ones_own_last_line(tmp_path):
    opened = session(tmp_path)
    assert take_back(opened, "AB") is None
    for student, who in ((1, "AB"), (2, "AB"), (1, "CD")):
        correct(opened, 0, 1, student, NOTES, who)
    taken = take_back(opened, "AB")
    assert taken is not None
    assert taken["student"] == "2"
    assert read_corrections(opened)[["student", "reviewer"]].values.tolist() == [[1, "AB"], [1, "CD"]]


BROWSER = """
    import sys
    from pathlib import Path
    from pipeline import notes
    from pipeline.corrections import correct, take_back
    from pipeline.session import Session
    notes.WAIT_S = 300
    session, who, state = Session.open(Path(sys.argv[1])), sys.argv[2], sys.argv[3]
    for number in range(20):
        correct(session, number / 10, 3, 1, state, who)
        correct(session, number / 10, 3, 2, state, who)
        take_back(session, who)
"""


def test_two_who_correct_at_once_lose_nothing(tmp_path):
    opened = session(tmp_path)
    both = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(BROWSER), str(opened.folder), who, state], cwd=ROOT)
        for who, state in (("AB", BORED), ("CD", NOTES))
    ]
    assert [one.wait(300) for one in both] == [0, 0]
    read = read_corrections(opened)
    for who, state in (("AB", BORED), ("CD", NOTES)):
        mine = read[read["reviewer"] == who]
        assert mine["start"].tolist() == [number / 10 for number in range(20)]
        assert set(mine["student"]) == {1}
        assert set(mine["state"]) == {state}
