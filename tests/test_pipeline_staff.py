"""Who is staff, in made-up rooms: first where nobody can be told, then a teacher."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.session import BOX
from pipeline.staff import StaffSettings, staff_of, walking_share

STEP = 0.5
SIZE = (1280, 720)
SETTINGS = StaffSettings()


def person(track: int, places: np.ndarray, size: tuple[float, float] = (80, 120)) -> pd.DataFrame:
    """Rows of somebody whose box's top left is at places (n, 2)."""
    boxes = np.concatenate([places, places + size], axis=1)
    table = pd.DataFrame(boxes, columns=list(BOX))
    return table.assign(t=np.arange(len(places)) * STEP, track=track)


def sitting(track: int, frames: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng([seed, track])
    seat = np.array([60 + 150 * (track % 8), 250 + 140 * (track // 8)])
    return person(track, seat + rng.normal(0, 6, (frames, 2)))


def about(track: int, frames: int = 400, across: float = 900.0) -> pd.DataFrame:
    """To and fro before the board, once in 40 s."""
    x = across * (0.5 + 0.5 * np.sin(np.arange(frames) * STEP * 2 * np.pi / 40))
    return person(track, np.stack([x, np.full(frames, 100.0)], axis=1), (80, 200))


def found(*rows: pd.DataFrame, settings: StaffSettings = SETTINGS, scene_of: dict[int, int] | None = None) -> set[int]:
    table = pd.concat(rows, ignore_index=True)
    tracks = {int(track): int(track) for track in table["track"].unique()}
    return staff_of(table, tracks, scene_of or {}, SIZE, STEP, settings)


CLASS = [sitting(n) for n in range(1, 9)]


def test_nobody_at_all() -> None:
    assert staff_of(sitting(1).iloc[:0], {}, {}, SIZE, STEP, SETTINGS) == set()
    assert found(sitting(1, 1)) == set()


def test_places_that_are_not_known_tell_nothing() -> None:
    lost = sitting(1)
    lost[list(BOX)] = np.nan
    assert found(lost, *CLASS[1:]) == set()


def test_who_sits_is_a_student_however_few_there_are() -> None:
    assert found(*CLASS) == set()
    assert found(CLASS[0]) == set()


def test_who_goes_about_for_minutes_is_staff() -> None:
    assert found(*CLASS, about(20)) == {20}
    assert found(about(20)) == {20}  # also alone in the room


def test_who_only_passes_through_is_not() -> None:
    assert found(*CLASS, about(20, frames=60)) == set()


def test_a_student_who_changes_seats_and_goes_out_is_none() -> None:
    first, second, third = sitting(1, 150), sitting(5, 150), sitting(8, 150)
    way = person(1, np.linspace([210, 250], [0, 600], 20))
    rows = pd.concat([first, way, second, way, third], ignore_index=True)
    rows = rows.assign(track=1, t=np.arange(len(rows)) * STEP)
    assert found(rows, *CLASS[1:4]) == set()


def standing(track: int, size: tuple[float, float]) -> pd.DataFrame:
    return person(track, np.array([600.0, 150]) + np.random.default_rng(3).normal(0, 5, (400, 2)), size)


def test_who_stands_tall_before_those_who_sit_is_staff() -> None:
    assert found(*CLASS, standing(20, (80, 260))) == {20}


@pytest.mark.parametrize(
    ("others", "size"),
    [
        (CLASS, (150, 260)),  # large, and wider than who stands: sits near the camera
        (CLASS, (50, 130)),  # upright, but no taller than the others
        (CLASS[:3], (80, 260)),  # hardly anybody to compare with
    ],
)
def test_when_in_doubt_it_is_a_student(others, size) -> None:
    assert found(*others, standing(20, size)) == set()


def test_where_everybody_looks_upright_nobody_stands_out() -> None:
    thin = [person(n, sitting(n)[["x1", "y1"]].to_numpy(), (40, 110)) for n in range(1, 9)]
    assert found(*thin, standing(20, (80, 260))) == set()


def test_an_area_that_was_given_decides() -> None:
    area = StaffSettings(find=False, zones=("0.0,0.2,0.4,0.6",))
    inside = found(*CLASS, settings=area)
    assert inside == {1, 2, 8}
    assert found(*CLASS, about(20), settings=StaffSettings(find=False)) == set()
    assert found(*CLASS, settings=area, scene_of={2: 1}) == {1, 8}  # an area is in the first picture


def test_an_area_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="has no area"):
        StaffSettings(zones=("0.4,0.2,0.1,0.6",))


@given(st.integers(0, 10_000), st.floats(0, 3))
def test_walking_does_not_depend_on_where_or_how_large(seed, zoom) -> None:
    rng = np.random.default_rng(seed)
    places = rng.normal(0, rng.uniform(1, 60), (200, 2)).cumsum(axis=0) * rng.integers(0, 2)
    share = walking_share(np.arange(200) * STEP, places, 100.0)
    zoom = 2.0**zoom
    assert walking_share(np.arange(200) * STEP + 7, places * zoom + 500, 100.0 * zoom) == share
