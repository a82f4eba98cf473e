from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.session import BOX
from pipeline.smoothing import smooth_boxes

BOX_COLUMNS = list(BOX)


def rows(student: list[int], t: list[float], boxes: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(np.asarray(boxes, np.float32).reshape(-1, 4), columns=BOX_COLUMNS)
    table["student"], table["t"], table["motion"] = student, t, 0.5
    return table


@st.composite
def walks(draw: st.DrawFn) -> pd.DataFrame:
    """Students on straight lines, on a clock of uneven steps."""
    parts = []
    for student in range(draw(st.integers(0, 4))):
        steps = draw(st.lists(st.sampled_from([0.04, 0.2, 0.5, 7.0]), min_size=1, max_size=15))
        t = np.cumsum(steps)
        start = np.array([draw(st.integers(0, 300)) for _ in range(4)])
        speed = np.array([draw(st.integers(-50, 50)) for _ in range(4)])
        parts.append(rows([student] * len(t), t.tolist(), start + speed * t[:, None]))
    return pd.concat([rows([], [], np.zeros((0, 4))), *parts], ignore_index=True)


def test_an_empty_table():
    assert smooth_boxes(rows([], [], np.zeros((0, 4))), 0.3).empty


def test_one_row_stays():
    assert smooth_boxes(rows([1], [0.0], np.arange(4)), 0.3)[BOX_COLUMNS].to_numpy().tolist() == [[0, 1, 2, 3]]


def test_two_rows_at_one_time_meet_in_the_middle():
    steady = smooth_boxes(rows([1, 1], [0.0, 0.0], np.array([[0] * 4, [2] * 4])), 0.3)
    assert steady[BOX_COLUMNS].to_numpy().tolist() == [[1] * 4] * 2


def test_nothing_is_smoothed_over_nothing():
    table = rows([1, 1], [0.0, 0.2], np.arange(8))
    assert smooth_boxes(table, 0).equals(table)


def test_jitter_becomes_less_and_neither_a_walk_nor_another_student_moves_a_box():
    rng = np.random.default_rng(0)
    t = np.arange(100) * 0.1
    true = np.array([100, 100, 180, 300]) + 40 * t[:, None]
    table = rows([1] * 100 + [2] * 100, [*t, *t], np.concatenate([true + rng.normal(0, 5, true.shape), 9000 + true]))
    steady = smooth_boxes(table, 0.3)[BOX_COLUMNS].to_numpy()
    assert np.abs(steady[:100] - true).mean() < 0.6 * np.abs(table[BOX_COLUMNS].to_numpy()[:100] - true).mean()
    np.testing.assert_allclose(steady[100:], 9000 + true, rtol=1e-5)


@pytest.mark.parametrize("gap", [0.5, 5.0])
def test_a_box_beyond_reach_does_not_count(gap):
    steady = smooth_boxes(rows([1] * 3, [0.0, 0.1, 0.1 + gap], np.array([[0] * 4, [0] * 4, [80] * 4])), 0.1)
    assert steady["x1"].tolist() == [0, 0, 80]


@given(walks(), st.sampled_from([0.05, 0.3, 2.0]))
@settings(max_examples=60, deadline=None)
def test_even_motion_stays_as_it_is_and_nothing_but_boxes_changes(table, sigma_s):
    steady = smooth_boxes(table, sigma_s)
    np.testing.assert_allclose(steady[BOX_COLUMNS], table[BOX_COLUMNS], atol=0.02)
    assert steady.drop(columns=BOX_COLUMNS).equals(table.drop(columns=BOX_COLUMNS))
    assert steady.columns.tolist() == table.columns.tolist()
