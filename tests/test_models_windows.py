from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.ordinary import simulated
from models.windows import CUES, PLACE_COLUMNS, departures, windows

NAMES = list(CUES)


def sitting(student: int, seconds: int = 30, **columns: object) -> pd.DataFrame:
    rows = pd.DataFrame(
        {"student": student, "t": np.arange(seconds, dtype=float), "motion": 0.02, "x": 100.0 * student}
    )
    return rows.assign(y=200.0, height=100.0, **columns)


# degenerate tables


@pytest.mark.parametrize(
    ("places", "students"),
    [
        (pd.DataFrame(columns=list(PLACE_COLUMNS), dtype=float), 0),
        (sitting(3, 1), 1),
        (sitting(3).assign(height=0.0), 1),
        (sitting(3).assign(x=np.inf, y=np.nan), 1),
    ],
    ids=["no rows", "one second", "no height", "no place"],
)
def test_degenerate(places, students):
    made = departures(places)
    assert made.values.shape[0] == students
    rows, where = windows(made, 5)
    assert rows.shape == (len(where), 5 * len(CUES))
    assert not np.isinf(rows).any()


def test_one_second_departs_by_nothing():
    rows, where = windows(departures(sitting(3, 1)), 5)
    assert where.tolist() == [[0, 0]]
    assert np.nanmax(np.abs(rows)) == 0
    assert np.isfinite(rows).sum() == 4  # motion, rise, shift, size of the middle second


# what a departure is


@pytest.mark.parametrize(
    ("cue", "column", "value", "expected"),
    [
        ("rise", "y", 140.0, 0.6 / 0.12),
        ("rise", "y", 260.0, -0.6 / 0.12),
        ("shift", "x", 160.0, 0.6 / 0.12),
        ("motion", "motion", 0.52, 5.0),
        ("pitch", "pitch", -45.0, -3.0),
        ("stand", "behaviour_stand", 1.0, 4.0),
    ],
)
def test_signs_and_units(cue, column, value, expected):
    rows = sitting(1, pitch=0.0, behaviour_stand=0.0)
    rows.loc[rows["t"] == 10, column] = value
    made = departures(rows)
    assert made.values[0, 10, NAMES.index(cue)] == pytest.approx(expected)
    assert np.nanmax(np.abs(made.values[0, :10])) == 0


@pytest.mark.parametrize(
    ("behaviour", "hand", "expected"), [(0.0, 1.0, 4.0), (1.0, 0.0, 4.0), (np.nan, 1.0, 4.0), (1.0, np.nan, 4.0)]
)
def test_an_arm_is_raised_where_either_source_says_so(behaviour, hand, expected):
    rows = sitting(1, behaviour_raise_hand=0.0, hand_raised=0.0)
    rows.loc[rows["t"] == 10, ["behaviour_raise_hand", "hand_raised"]] = behaviour, hand
    assert departures(rows).values[0, 10, NAMES.index("raise_hand")] == pytest.approx(expected)


def test_an_arm_nobody_looked_at_is_not_measured():
    assert np.isnan(departures(sitting(1)).values[..., NAMES.index("raise_hand")]).all()


def test_what_the_class_does_is_nobodys_departure():
    everyone = pd.concat([sitting(student) for student in range(1, 7)])
    everyone.loc[everyone["t"] >= 25, "y"] = 100.0  # the lecture is over
    assert np.nanmax(np.abs(departures(everyone).values)) == 0
    few = everyone[everyone["student"] <= 3]
    assert np.nanmax(np.abs(departures(few).values)) > 3


def test_who_stays_when_all_rise_departs():
    everyone = pd.concat([sitting(student) for student in range(1, 8)])
    everyone.loc[(everyone["t"] >= 25) & (everyone["student"] > 1), "y"] = 100.0
    rise = departures(everyone).values[:, :, NAMES.index("rise")]
    assert rise[0, 26] < -3
    assert np.abs(rise[1:]).max() == 0


def test_windows_do_not_reach_across_an_absence():
    rows = sitting(1)
    made = departures(rows[~rows["t"].between(10, 19)])
    held, where = windows(made, 3)
    assert where[:, 1].tolist() == [*range(10), *range(20, 30)]
    held = held.reshape(len(held), 3, len(CUES))
    assert np.isnan(held[9, 2]).all()
    assert np.isfinite(held[9, 1, NAMES.index("rise")])


def test_order_of_rows_does_not_matter():
    rows = simulated(3, 50, 0)
    one, other = departures(rows), departures(rows.sample(frac=1, random_state=1))
    np.testing.assert_array_equal(one.values, other.values)


# made-up students


def test_simulated_students_are_those_of_the_seed():
    pd.testing.assert_frame_equal(simulated(2, 40, 5), simulated(2, 40, 5))
    assert not simulated(2, 40, 5).equals(simulated(2, 40, 6))


def test_simulated_students_sit():
    made = departures(simulated(5, 600, 0))
    assert made.seen.mean() > 0.9
    assert np.nanquantile(np.abs(made.values), 0.95) < 5
