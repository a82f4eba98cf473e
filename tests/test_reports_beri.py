"""The share of students engaged: windows, who counts as observed, withheld shares, cases by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.states import State
from reports.beri import engaged_share, session_share


def lecture(seconds: int, busy: list[State], coverage: float = 1.0) -> pd.DataFrame:
    """A student in one state for the whole lecture, for each of ``busy``."""
    rows = [(float(t), number, coverage, state) for t in range(seconds) for number, state in enumerate(busy, 1)]
    table = pd.DataFrame(rows, columns=["t", "student", "coverage", "state"])
    return table.assign(**{f"p_{state.value}": (table["state"] == state).astype(float) for state in State})


def test_an_empty_lecture_has_no_windows() -> None:
    windows = engaged_share(lecture(0, []), 1)
    assert windows.empty
    value, interval = session_share(windows)
    assert value is None
    assert np.isnan(interval).all()


@pytest.mark.parametrize(("seconds", "edges"), [
    (1, [0, 1]), (120, [0, 120]), (121, [0, 121]), (179, [0, 179]), (180, [0, 120, 180]), (360, [0, 120, 240, 360]),
])  # fmt: skip
def test_windows_are_two_minutes_and_a_short_rest_joins_the_last(seconds: int, edges: list[int]) -> None:
    windows = engaged_share(lecture(seconds, [State.ATTENTIVE]), 1)
    assert [*windows["start"], windows["end"].iloc[-1]] == edges


def test_a_class_by_hand() -> None:
    busy = [State.ATTENTIVE, State.TAKING_NOTES, State.DISCUSSING, State.CONFUSED, State.BORED, State.DISTRACTED]
    windows = engaged_share(lecture(120, busy), 5)
    assert windows["observed"].tolist() == [6]
    assert windows["share"].tolist() == pytest.approx([4 / 6])
    assert session_share(windows)[0] == pytest.approx(4 / 6)


def test_who_is_seen_for_less_than_a_quarter_is_not_observed() -> None:
    states = lecture(120, [State.ATTENTIVE, State.BORED])
    states.loc[(states["student"] == 2) & (states["t"] >= 29), "coverage"] = 0.0
    assert engaged_share(states, 1)["observed"].tolist() == [1]
    states.loc[(states["student"] == 2) & (states["t"] == 29), "coverage"] = 1.0
    assert engaged_share(states, 1)["observed"].tolist() == [2]


def test_the_share_is_withheld_where_few_are_observed() -> None:
    windows = engaged_share(lecture(240, [State.ATTENTIVE] * 4), 5)
    assert windows["share"].isna().all()
    assert session_share(windows)[0] is None


def test_the_interval_needs_six_windows() -> None:
    rng = np.random.default_rng(0)
    windows = pd.DataFrame({"share": rng.uniform(0.4, 0.8, 6), "observed": 10})
    value, (low, high) = session_share(windows)
    assert value == pytest.approx(windows["share"].mean())
    assert 0 <= low < value < high <= 1
    assert np.isnan(session_share(windows.iloc[:5])[1]).all()
