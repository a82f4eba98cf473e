"""The seat of a student by number: where the head mostly is, whatever walks there are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.heads import head_region
from pipeline.seat_zone import MARGIN, REACH, head_centres, seat_box, seat_of, time_on_seat
from pipeline.session import BOX, OBSERVATIONS, Session, SessionError

SIDE = 40.0


def seated_and_walking(
    seed: int, seated: int, walking: int, seat: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Places (n, 2) px of a head that sways on a seat, and of the same head on a walk across the room."""
    rng = np.random.default_rng(seed)
    sways = np.array(seat) + rng.normal(0, 0.2 * SIDE, (seated, 2))
    walk = np.linspace(seat, (seat[0] + 20 * SIDE, seat[1] + 3 * SIDE), walking) if walking else np.zeros((0, 2))
    return sways, walk


def share_inside(box: np.ndarray, places: np.ndarray) -> float:
    return float(((box[:2] <= places) & (places <= box[2:])).all(axis=1).mean())


@pytest.fixture
def session(make_session, tmp_path):
    """``session(boxes of students by number)``: rows (n, 4) px each."""

    def make(**of_students: list[list[float]]) -> Session:
        name = f"lecture-{len(list(tmp_path.glob('sessions/*')))}"
        folder = make_session(tmp_path / "sessions", name, students=1, seconds=2)
        old = pd.read_parquet(folder / OBSERVATIONS)
        parts = []
        for name, boxes in of_students.items():
            part = pd.concat([old.iloc[:1]] * len(boxes), ignore_index=True)
            part[list(BOX)] = np.array(boxes, np.float32)
            parts.append(part.assign(student=int(name[1:]), t=np.arange(len(boxes)) / 5, observed=True))
        (pd.concat(parts) if parts else old.iloc[:0]).to_parquet(folder / OBSERVATIONS)
        return Session.open(folder)

    return make


HERE, THERE = [100.0, 300, 200, 500], [700.0, 300, 800, 500]


# Degenerate


def test_nobody_has_the_number(session):
    with pytest.raises(SessionError, match="nobody has the number 1; nobody was found in it"):
        seat_of(session(), 1)
    with pytest.raises(SessionError, match="nobody has the number 7; there are 2, 3") as caught:
        seat_of(session(n2=[HERE], n3=[THERE]), 7)
    assert caught.value.exit_code == 2


def test_no_boxes_have_no_heads():
    centres, sides = head_centres(np.zeros((0, 4)))
    assert centres.shape == (0, 2)
    assert sides.shape == (0,)


def test_one_sighting_is_a_seat_of_a_head(session):
    found = seat_of(session(n1=[HERE]), 1)
    left, top, side = head_region(np.array(HERE))
    middle = np.array([left + side / 2, top + side / 2]) / (1280, 720)
    x1, y1, x2, y2 = found.zone.corners
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx(tuple(middle), abs=1e-6)
    assert (x2 - x1) * 1280 == pytest.approx(2 * MARGIN * side, rel=1e-5)
    assert found.others == ()


def test_a_student_outside_the_picture_has_no_zone(session):
    with pytest.raises(SessionError, match="outside the picture"):
        seat_of(session(n1=[[-500.0, -500, -400, -300]]), 1)


def test_a_place_that_is_not_known(session):
    with pytest.raises(SessionError, match="has no place"):
        seat_of(session(n1=[[float("nan")] * 4]), 1)


# Laws


@given(st.integers(0, 999), st.integers(60, 300), st.floats(0, 1), st.floats(-500, 500), st.floats(-500, 500))
def test_the_seat_holds_nearly_all_places_on_it_and_little_of_the_walk(seed, seated, share, x, y):
    sways, walk = seated_and_walking(seed, seated, int(share * seated), (x, y))
    box = seat_box(np.concatenate([sways, walk]), SIDE)
    assert share_inside(box, sways) >= 0.95
    assert (box[2:] - box[:2] <= 2 * (REACH + MARGIN) * SIDE).all()  # however far the walk went
    if len(walk) > 40:
        assert share_inside(box, walk) < 0.25


@given(st.integers(0, 999), st.floats(-300, 300), st.floats(-300, 300), st.floats(0.3, 3))
def test_a_seat_moves_and_grows_with_the_picture(seed, dx, dy, zoom):
    places = np.concatenate(seated_and_walking(seed, 100, 30, (400, 300)))
    moved = seat_box(zoom * places + (dx, dy), zoom * SIDE)
    # the grid falls elsewhere, so the same seat may be found from another cell
    assert np.abs(moved - (zoom * seat_box(places, SIDE) + np.array([dx, dy, dx, dy]))).max() < 0.5 * zoom * SIDE


@given(st.integers(0, 999), st.integers(1, 200), st.integers(0, 100))
def test_time_on_a_seat_is_at_most_the_time_seen(seed, seated, walking):
    sways, walk = seated_and_walking(seed, seated, walking, (400, 300))
    time = time_on_seat(np.concatenate([sways, walk]), SIDE, 0.2)
    assert 0 < time <= 0.2 * (seated + walking) + 1e-9
    if walking == 0:
        assert time >= 0.9 * 0.2 * seated


def test_walking_is_no_time_on_a_seat():
    _, walk = seated_and_walking(0, 1, 50, (0, 0))  # 10 s for 20 heads
    assert time_on_seat(walk, SIDE, 0.2) < 2.0


# Neighbours


def test_a_neighbour_on_the_same_seat_is_named_and_one_far_away_is_not(session):
    beside = [[value + 5 for value in HERE]] * 2 + [THERE] * 8
    rarely = [[value + 5 for value in HERE]] + [THERE] * 9
    found = seat_of(session(n1=[HERE] * 10, n2=beside, n3=rarely, n4=[THERE] * 10), 1)
    assert found.others == (2,)
    assert "number 2 is there too" in found.sentence()


def test_the_zone_decides_for_exactly_who_sits_there(session):
    found = seat_of(session(n1=[HERE] * 20 + [THERE] * 5, n2=[THERE] * 20), 1)
    here, there = (head_centres(np.array([box]))[0][0] / (1280, 720) for box in (HERE, THERE))
    assert found.zone.contains(*here)
    assert not found.zone.contains(*there)


def test_where_the_camera_moved_a_place_in_the_video_is_no_seat(make_session, tmp_path):
    folder = make_session(tmp_path, camera={"scenes": 1, "moved": True, "lost_s": 0.0})
    with pytest.raises(SessionError, match=r"its camera moved.*seats\.json"):
        seat_of(Session.open(folder), 1)
    still = make_session(tmp_path, "still", camera={"scenes": 1, "moved": False, "lost_s": 0.0})
    assert seat_of(Session.open(still), 1).zone
