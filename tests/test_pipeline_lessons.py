from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_sessions import small_manifest

from models.states import Profile
from pipeline.errors import InputError
from pipeline.lessons import lessons_of, one_profile
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
    with pytest.raises(InputError, match="confirm or correct"):
        lessons_of([session(tmp_path, lines)])


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
