from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_sessions import small_manifest

from models.states import Profile, State
from pipeline.corrections import lessons_of, one_profile, read_corrections
from pipeline.errors import InputError
from pipeline.session import BOX, CORRECTIONS, FACE_CUES, HEAD_BOX, HEAD_POSE, MANIFEST, OBSERVATIONS, Session

HEAD = "start,end,student,state\n"


def session(folder: Path, lines: str | None = None, name: str = "demo", **fields: object) -> Session:
    """Two students of whom three seconds are on record."""
    place = folder / name
    place.mkdir()
    (place / MANIFEST).write_text(json.dumps(small_manifest(name, **fields)))
    times = np.arange(15) / 5
    parts = [pd.DataFrame({"frame": np.arange(15) * 2, "t": times, "student": number}) for number in (1, 2)]
    rows = pd.concat(parts, ignore_index=True).assign(score=0.9, observed=True, motion=0.0)
    rows = rows.assign(**dict(zip(BOX, (0.0, 0.0, 80.0, 200.0), strict=True)))
    rows = rows.assign(**dict(zip(HEAD_BOX, (20.0, 0.0, 60.0, 50.0), strict=True)))
    rows.assign(**dict.fromkeys((*HEAD_POSE, *FACE_CUES), 0.0)).to_parquet(place / OBSERVATIONS)
    if lines is not None:
        (place / CORRECTIONS).write_text(lines, encoding="utf-8")
    return Session.open(place)


@pytest.mark.parametrize("lines", [None, "", HEAD])
def test_no_corrections(tmp_path, lines):
    opened = session(tmp_path, lines)
    assert read_corrections(opened).empty
    with pytest.raises(InputError, match="confirm or correct"):
        lessons_of([opened])


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lines_are_read_in_order(tmp_path, mark):
    spans = read_corrections(session(tmp_path, f"{mark}{HEAD}0,2.5,1,bored\n1,3,2,taking_notes\n"))
    assert spans.values.tolist() == [[0.0, 2.5, 1, State.BORED.value], [1.0, 3.0, 2, State.TAKING_NOTES.value]]


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


def test_a_lesson_has_cues_of_every_second(tmp_path):
    (lesson,) = lessons_of([session(tmp_path, f"{HEAD}0,3,1,bored\n"), session(tmp_path, name="other")])
    assert lesson.name == "demo"
    assert lesson.cues.groupby("student").size().tolist() == [3, 3]
    assert lesson.interval_s == pytest.approx(0.2)


def test_a_student_who_is_not_there(tmp_path):
    with pytest.raises(InputError, match="student 3, who is not in it"):
        lessons_of([session(tmp_path, f"{HEAD}0,3,3,bored\n")])


def test_inner_states_are_not_learned_from_a_session_without_them(tmp_path):
    with pytest.raises(InputError, match="does not allow"):
        lessons_of([session(tmp_path, f"{HEAD}0,3,1,bored\n", profile="observable")])


def test_sessions_of_two_profiles_are_not_mixed(tmp_path):
    full, observable = session(tmp_path), session(tmp_path, name="other", profile="observable")
    assert one_profile([full]) is Profile.FULL
    with pytest.raises(InputError, match="one profile"):
        one_profile([full, observable])
