from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml

from models.errors import NotBetter, TrainingDataError
from models.evidence import CUE_COLUMNS
from models.state_model import StateSettings, posterior
from models.states import Profile, State, ways_of
from models.training.states import Lesson, as_yaml, train

SECONDS = 30
SETTINGS = StateSettings()


def lesson(kinds: list[tuple[State, dict[str, float]]], name: str = "one", students: int = 4) -> Lesson:
    """Each student shows every kind for half a minute, with a little noise."""
    rng, tables, spans = np.random.default_rng(len(name)), [], []
    for student in range(1, students + 1):
        for number, (state, seen) in enumerate(kinds):
            table = pd.DataFrame({column: np.full(SECONDS, np.nan) for column in CUE_COLUMNS})
            values = {"body": 1.0, "face": 1.0, "usually_seen": 1.0, "yaw": 0.0, "pitch": 0.0, "roll": 0.0} | seen
            table = table.assign(student=student, t=np.arange(SECONDS) + number * SECONDS, **values)
            table[["yaw", "pitch"]] += rng.normal(0, 2, (SECONDS, 2))
            tables.append(table)
            spans.append((number * SECONDS, (number + 1) * SECONDS, student, state.value))
    return Lesson(name, pd.concat(tables), pd.DataFrame(spans, columns=["start", "end", "student", "state"]), 0.2)


ODD_ROOM = [(State.TAKING_NOTES, {"yaw": 50.0}), (State.DISTRACTED, {"pitch": -40.0}), (State.ATTENTIVE, {})]
"""Where students look at their notes on a screen aside, and bow their heads over a phone."""
USUAL_ROOM = [(State.TAKING_NOTES, {"pitch": -40.0, "desk_motion": 0.1}), (State.ATTENTIVE, {})]


def right(settings: StateSettings, of: Lesson) -> float:
    found = posterior(of.cues, Profile.OBSERVABLE, settings, of.interval_s)
    hits = []
    for span in of.spans.itertuples():
        own = found[(found["student"] == span.student) & found["t"].between(span.start, span.end - 1)]
        hits.append(own["state"] == span.state)
    return float(pd.concat(hits).mean())


def test_a_room_unlike_others_is_learned_and_judged_on_students_held_out():
    room = lesson(ODD_ROOM, students=6)
    outcome = train([room], SETTINGS, Profile.OBSERVABLE)
    assert (outcome.students, outcome.seconds) == (6, 6 * 3 * SECONDS)
    loss, score = outcome.table.iloc[0], outcome.table.iloc[1]
    assert loss["after"] < loss["before"]
    assert score["after"] > score["before"]
    another_day = lesson(ODD_ROOM, "another")
    assert right(outcome.settings, another_day) > right(SETTINGS, another_day)


@pytest.mark.parametrize("spans", [0, 1])
def test_too_little_is_refused(spans):
    room = lesson(USUAL_ROOM)
    little = Lesson(room.name, room.cues, room.spans.iloc[:spans], room.interval_s)
    with pytest.raises(TrainingDataError, match="at least 2 students"):
        train([little], SETTINGS, Profile.OBSERVABLE)


def test_one_student_is_refused():
    with pytest.raises(TrainingDataError, match="1 students"):
        train([lesson(USUAL_ROOM, students=1)], SETTINGS, Profile.OBSERVABLE)


def test_what_is_right_already_is_not_replaced():
    room = lesson(USUAL_ROOM, students=6)
    sure = SETTINGS.model_copy(update={"temperature": 1e-3})
    with pytest.raises(NotBetter, match="held out") as refused:
        train([room], sure, Profile.OBSERVABLE)
    assert refused.value.exit_code == 1


def test_what_is_written_is_a_settings_file():
    room = lesson(ODD_ROOM, students=4)
    outcome = train([room], SETTINGS, Profile.OBSERVABLE)
    content = yaml.safe_load(as_yaml(outcome, Profile.OBSERVABLE))
    read = StateSettings.model_validate(content["states"])
    assert set(content["states"]["chances"]) == {way.value for way in ways_of(Profile.OBSERVABLE.states)}
    table = [posterior(room.cues, Profile.OBSERVABLE, one, 0.2) for one in (outcome.settings, read)]
    pd.testing.assert_frame_equal(*table, rtol=0.05, atol=0.02, check_exact=False)
