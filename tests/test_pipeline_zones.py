"""Who sits in a seat: nobody, exactly half, more than half."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from consent.policy import CoverPolicy, Zone
from pipeline.zones import heads_in_zones, mostly

LEFT = CoverPolicy(False, (Zone(0, 0, 0.5, 1),), "")


def test_without_people_or_seats_nobody_is_in_one():
    assert heads_in_zones(np.zeros((0, 4)), LEFT, 100, 100).shape == (0,)
    assert not heads_in_zones(np.array([[0.0, 0, 10, 40]]), CoverPolicy(True, (), ""), 100, 100).any()
    assert mostly(np.zeros(0, bool), pd.Series([], dtype=float)) == set()


def test_the_head_decides_not_the_body():
    boxes = np.array([[0.0, 20, 40, 90], [60, 20, 90, 90], [45, 20, 53, 90], [47, 20, 56, 90]])
    assert heads_in_zones(boxes, LEFT, 100, 100).tolist() == [True, False, True, False]


@pytest.mark.parametrize(("inside", "counts"), [(0, False), (2, False), (3, True), (4, True)])
def test_more_than_half_is_needed(inside, counts):
    in_zone = np.arange(4) < inside
    assert mostly(in_zone, pd.Series([7] * 4)) == ({7} if counts else set())


def test_rows_of_nobody_are_nobodys():
    assert mostly(np.array([True, True]), pd.Series([np.nan, 2.0])) == {2}
