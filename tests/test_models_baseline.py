from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.baseline import personal_level
from models.state_model import StateSettings

SETTINGS = StateSettings(baseline_s=10, baseline_prior_s=10)


def table(*levels: list[float]) -> pd.DataFrame:
    return pd.concat(
        [pd.DataFrame({"student": number, "eye_open": values}) for number, values in enumerate(levels, start=1)],
        ignore_index=True,
    )


def level(rows: pd.DataFrame, settings: StateSettings = SETTINGS, among: pd.Series | None = None) -> pd.Series:
    chosen = pd.Series(True, rows.index) if among is None else among
    return personal_level(rows, "eye_open", settings, 0.5, chosen)


def test_nobody_and_nothing_seen():
    assert level(table([]).astype({"student": int})).empty
    assert level(table([np.nan, np.inf])).isna().all()


def test_of_one_student_it_is_the_own_one():
    assert level(table([0.6] * 5)).tolist() == pytest.approx([0.6] * 5)


def test_own_and_class_count_like_the_seconds_they_rest_on():
    rows = table([0.4] * 10, [0.8] * 10, [0.8] * 30)
    found = level(rows).groupby(rows["student"]).first()
    assert found[1] == pytest.approx((0.4 * 10 + 0.8 * 10) / 20)
    assert found[2] == found[3] == pytest.approx(0.8)


def test_only_the_first_minutes_count():
    rows = table([0.8] * 10 + [0.1] * 100)
    assert level(rows).tolist() == pytest.approx([0.8] * 110)


def test_a_student_never_seen_so_has_the_class_level_and_off_all_have_it():
    rows = table([0.4] * 10, [np.nan] * 3, [0.6] * 10)
    assert level(rows)[rows["student"] == 2].tolist() == pytest.approx([0.5] * 3)
    off = StateSettings(personal=False)
    assert level(rows, off).tolist() == pytest.approx([0.5] * len(rows))


def test_seconds_that_may_not_count_do_not():
    rows = table([0.9] * 5 + [0.1] * 5)
    assert level(rows, among=rows["eye_open"] > 0.5).tolist() == pytest.approx([0.9] * 10)
