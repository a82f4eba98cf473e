"""Numbers by seat, and the seats of a session: first without anybody, then laws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.seat_map import read_seat_map
from consent.zones import Zone
from pipeline.seat_plan import SeatPlan, by_seat, numbers_of, plan_of
from pipeline.seats import seat_order
from pipeline.session import BOX

SIZE = (1280, 720)
HEIGHT = 150.0


def place(seat: int) -> np.ndarray:
    """Three rows of five, the front one lowest; a body box, px."""
    row, column = divmod(seat, 5)
    left, top = 100 + 220 * column + 20 * row, 460 - 110 * row
    return np.array([left, top, left + 90, top + HEIGHT], float)


def lecture(seats: list[int], jitter: float = 0.0, seed: int = 0, frames: int = 30) -> pd.DataFrame:
    """Rows of students numbered as by ``seat_order``, each on one of the seats; boxes off by ``jitter`` heights."""
    rng = np.random.default_rng(seed)
    boxes = {seat: place(seat) + rng.normal(0, jitter * HEIGHT, (frames, 4)) for seat in seats}
    order = seat_order(np.array([np.median(boxes[seat], axis=0) for seat in seats]), 0.2) if seats else []
    rows = []
    for number, index in enumerate(order, start=1):
        table = pd.DataFrame(boxes[seats[index]], columns=list(BOX))
        rows.append(table.assign(student=number, seat=seats[index]))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=[*BOX, "student", "seat"], dtype=float)


def seat_numbers(rows: pd.DataFrame, number: dict[int, int] | None = None) -> dict[int, int]:
    """Seat -> number."""
    pairs = rows[["seat", "student"]].drop_duplicates().itertuples(index=False)
    return {int(seat): (number or {}).get(int(student), int(student)) for seat, student in pairs}


def zones(plan: SeatPlan) -> dict[str, Zone]:
    return {seat.name: Zone.polygon(seat.polygon) for seat in plan.seats}


ALL = list(range(15))


def test_nobody_has_no_seat() -> None:
    assert plan_of(lecture([]), SIZE).seats == []
    assert by_seat(lecture([]), SIZE, zones(plan_of(lecture(ALL), SIZE))) == {}
    assert [seat.student for seat in plan_of(lecture([]), SIZE, {"A1": Zone(0.1, 0.1, 0.2, 0.2)}).seats] == [None]
    assert numbers_of({}) == {}


def test_who_is_nowhere_has_no_seat() -> None:
    rows = lecture([0, 1])
    rows.loc[rows["student"] == 2, list(BOX)] = np.nan
    plan = plan_of(rows, SIZE)
    assert [seat.student for seat in plan.seats] == [1]
    assert by_seat(rows, SIZE, zones(plan)) == {1: 1, 2: 2}


def test_who_sits_outside_the_first_picture_has_no_seat() -> None:
    rows = lecture([0])
    rows[list(BOX)] += 5000.0
    assert plan_of(rows, SIZE).seats == []


@given(st.sets(st.sampled_from(ALL), min_size=1), st.integers(0, 10_000))
def test_front_left_is_first_and_jitter_changes_no_number(seats, seed) -> None:
    steady = seat_numbers(lecture(sorted(seats)))
    assert list(steady) == sorted(seats)
    assert list(steady.values()) == list(range(1, len(seats) + 1))
    assert seat_numbers(lecture(sorted(seats), 0.05, seed)) == steady
    assert seat_numbers(lecture(sorted(seats, reverse=True), 0.05, seed)) == steady


@given(st.sets(st.sampled_from(ALL), min_size=1), st.integers(0, 10_000))
def test_with_the_map_of_yesterday_an_empty_seat_keeps_its_number(seats, seed) -> None:
    yesterday = plan_of(lecture(ALL, 0.05, seed + 1), SIZE)
    today = lecture(sorted(seats), 0.05, seed)
    numbers = seat_numbers(today, by_seat(today, SIZE, zones(yesterday)))
    assert numbers == {seat: seat + 1 for seat in seats}


def test_without_a_map_a_student_missing_changes_later_numbers() -> None:
    assert seat_numbers(lecture([0, 1, 3])) == {0: 1, 1: 2, 3: 3}


def test_who_sits_in_no_seat_of_the_map_comes_after_it() -> None:
    some = zones(plan_of(lecture([0, 1, 2]), SIZE))
    rows = lecture([1, 2, 7, 12])
    assert seat_numbers(rows, by_seat(rows, SIZE, some)) == {1: 2, 2: 3, 7: 4, 12: 5}


def test_two_in_one_seat_have_two_numbers() -> None:
    wide = {"bench": Zone(0.0, 0.0, 1.0, 1.0)}
    rows = pd.concat([lecture([0, 1, 2]), lecture([1]).assign(student=2)], ignore_index=True)
    assert by_seat(rows, SIZE, wide) == {2: 1, 1: 2, 3: 3}  # who is seen there most has the seat


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["A1", "A2"], [1, 2]),
        (["4", "7", "1"], [4, 7, 1]),
        (["4", "B"], [1, 2]),
        (["1", "01"], [1, 2]),
        (["0", "1"], [1, 2]),
        (["²", "1"], [1, 2]),
    ],
)
def test_a_seat_named_by_a_number_has_it(names, expected) -> None:
    seat = Zone(0.1, 0.1, 0.2, 0.2)
    assert list(numbers_of(dict.fromkeys(names, seat)).values()) == expected


def test_the_file_is_a_seat_map_and_says_who_sits_where(tmp_path) -> None:
    plan = plan_of(lecture([0, 1, 5], 0.03), SIZE)
    path = tmp_path / "seats.json"
    path.write_text(plan.model_dump_json(), encoding="utf-8")
    read = read_seat_map(path)
    assert list(read) == ["1", "2", "3"]
    assert [seat.student for seat in plan.seats] == [1, 2, 3]
    for number, seat in ((1, 0), (2, 1), (3, 5)):
        x1, y1, x2, _ = place(seat)
        assert read[str(number)].contains((x1 + x2) / 2 / SIZE[0], (y1 + 45) / SIZE[1])


def test_a_walk_does_not_widen_a_seat() -> None:
    rows = lecture([0], 0.02, frames=200)
    walk = rows.iloc[:20].copy()
    walk[["x1", "x2"]] += np.linspace(100, 900, 20)[:, None]
    one, other = (plan_of(table, SIZE).seats[0].polygon for table in (rows, pd.concat([rows, walk])))
    np.testing.assert_allclose(one, other, atol=0.02)


def test_whoever_goes_takes_the_seat_away_but_not_one_of_the_map() -> None:
    rooms = {"A1": Zone.polygon(list(zones(plan_of(lecture([0]), SIZE))["1"].points)), "Z9": Zone(0.9, 0, 1, 0.1)}
    rows = lecture([0, 3])
    number = by_seat(rows, SIZE, rooms)
    rows["student"] = rows["student"].map(number)
    plan = plan_of(rows, SIZE, rooms)
    assert [(seat.name, seat.student) for seat in plan.seats] == [("A1", 1), ("Z9", None), ("3", 3)]
    assert [(seat.name, seat.student) for seat in plan.without({1}).seats] == [("A1", None), ("Z9", None), ("3", 3)]
    assert [(seat.name, seat.student) for seat in plan.without({3}).seats] == [("A1", 1), ("Z9", None)]
    assert plan.without(()) == plan


def test_the_seat_of_somebody_who_said_no_since_is_not_handed_on() -> None:
    yesterday = zones(plan_of(lecture([0, 1]), SIZE))
    x1, y1, x2, y2 = place(1)
    said_no = Zone(x1 / SIZE[0], y1 / SIZE[1], x2 / SIZE[0], y2 / SIZE[1])
    plan = plan_of(lecture([0]), SIZE, yesterday, [said_no])
    assert [seat.name for seat in plan.seats] == ["1"]
