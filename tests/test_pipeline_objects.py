"""Phones and books: off by default, and whose hands a thing is at."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import ModelFileError
from models.registry import DEFAULT_DETECTOR
from pipeline.objects import ObjectReader, ObjectSettings, within_reach

HEADS = np.array([[80.0, 100.0, 120.0, 150.0], [380.0, 100.0, 420.0, 150.0]])
IN_HANDS = np.array([[95.0, 200.0, 115.0, 240.0]])


def test_without_a_detector_nothing_is_told() -> None:
    assert np.isnan(ObjectReader(ObjectSettings()).read(np.zeros((300, 500, 3), np.uint8), HEADS)).all()


def test_a_detector_that_knows_no_phone_is_refused() -> None:
    with pytest.raises(ModelFileError, match="knows neither cell phone nor book"):
        ObjectReader(ObjectSettings(weights=DEFAULT_DETECTOR))


@pytest.mark.parametrize("heads", [np.zeros((0, 4)), HEADS, np.full((2, 4), np.nan)])
def test_no_things_are_nobodys(heads: np.ndarray) -> None:
    assert within_reach(heads, np.zeros((0, 4)), np.zeros(0)).tolist() == [0.0] * len(heads)


def test_a_thing_belongs_to_the_nearest_within_reach() -> None:
    assert within_reach(HEADS, IN_HANDS, np.array([0.7])).tolist() == [0.7, 0.0]
    assert within_reach(HEADS[::-1], IN_HANDS, np.array([0.7])).tolist() == [0.0, 0.7]
    assert within_reach(HEADS, IN_HANDS + 1000, np.array([0.7])).tolist() == [0.0, 0.0]
    unknown = np.array([[np.nan] * 4, HEADS[0].tolist()])
    assert within_reach(unknown, IN_HANDS, np.array([0.7])).tolist() == [0.0, 0.7]


def test_the_best_of_several_counts() -> None:
    assert within_reach(HEADS, np.repeat(IN_HANDS, 3, 0), np.array([0.3, 0.8, 0.5])).tolist() == [0.8, 0.0]
