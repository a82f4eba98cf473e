"""Where ahead is: few heads, given seats, and a class that turns together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cue_settings import CueSettings
from pipeline.forward import common_turn, forward_directions

SETTINGS = CueSettings()


def heads(yaw: list[float], seconds: int = 30) -> pd.DataFrame:
    """Each student with one yaw for all seconds."""
    parts = [
        pd.DataFrame({"student": number, "second": np.arange(seconds), "yaw": value, "pitch": -5.0, "roll": 0.0})
        for number, value in enumerate(yaw, 1)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["student", "second", "yaw"])


def test_nobody_turns_nowhere() -> None:
    assert common_turn(heads([]).astype(float), SETTINGS).empty


@pytest.mark.parametrize(
    "yaw",
    [[40.0] * 5, [np.nan] * 12, [40.0] * 6 + [-40.0] * 6, [5.0] * 12],
    ids=["too few", "none read", "two groups", "hardly"],
)
def test_no_common_turn(yaw: list[float]) -> None:
    assert (common_turn(heads(yaw), SETTINGS) == 0).all()


def test_a_class_that_follows_the_teacher_to_the_side() -> None:
    turn = common_turn(heads([22.0] * 9 + [-60.0] * 2), SETTINGS)
    assert turn.to_numpy() == pytest.approx(14.0)


def test_a_glance_of_all_is_not_a_new_board() -> None:
    table = heads([0.0] * 8)
    table.loc[table["second"].isin([10, 11]), "yaw"] = 40.0
    assert (common_turn(table, SETTINGS) == 0).all()


@given(st.lists(st.floats(-90, 90), min_size=6, max_size=10))
def test_mirroring_mirrors_the_turn(yaw: list[float]) -> None:
    one, other = common_turn(heads(yaw, 3), SETTINGS), common_turn(heads([-y for y in yaw], 3), SETTINGS)
    np.testing.assert_allclose(one, -other, atol=1e-9)


def test_a_seat_on_record_is_taken_as_it_is() -> None:
    settings = CueSettings(seat_forward_deg={2: (-35.0, 4.0), 9: (1.0, 1.0)})
    forward, _ = forward_directions(heads([10.0, 10.0, 10.0]), settings, 5)
    assert forward.loc[2, ["yaw", "pitch"]].tolist() == [-35.0, 4.0]
    assert forward.loc[1, ["yaw", "pitch"]].tolist() == [10.0, -5.0]
    assert 9 not in forward.index
