"""The same students in two scenes: made-up classes, seen from another place."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scenes import SceneSettings, Seen, same_students

SETTINGS = SceneSettings()


def look(of: int) -> np.ndarray:
    vector = np.random.default_rng(of).dirichlet(np.full(40, 0.2)) ** 0.5
    return vector / np.linalg.norm(vector)


SAME = look(999)


def a_class(scene: int, ids: range | list[int], zoom: float = 1.0, x: float = 0.0, alike: bool = False) -> list[Seen]:
    """Rows of four, a desk apart."""
    seen = []
    for n in ids:
        left, top = 100 + 200 * (n % 4) + 30 * (n // 4), 500 - 120 * (n // 4)
        box = np.array([left, top, left + 80, top + 150], float) * zoom + [x, 0, x, 0]
        seen.append(Seen(scene, box, SAME if alike else look(n), 20, [100 * scene + n]))
    return seen


def found(one: list[Seen], other: list[Seen]) -> tuple[list[list[int]], int]:
    people, strangers = same_students({0: one, 1: other}, SETTINGS)
    return [[track for seen in person for track in seen.tracks] for person in people], strangers


def test_no_scene_and_empty_scenes() -> None:
    assert same_students({}, SETTINGS) == ([], 0)
    assert found([], []) == ([], 0)
    assert found(a_class(0, range(2)), []) == ([[0], [1]], 0)
    assert found([], a_class(1, range(2))) == ([[100], [101]], 0)


def test_one_scene_needs_no_match() -> None:
    people, strangers = same_students({0: a_class(0, range(5))}, SETTINGS)
    assert (len(people), strangers) == (5, 0)


@given(st.floats(0.5, 2.0), st.floats(-500, 500), st.integers(1, 12))
def test_the_class_is_the_same_from_elsewhere(zoom, x, count) -> None:
    people, strangers = found(a_class(0, range(12)), a_class(1, range(count), zoom, x))
    assert people == [[n, 100 + n] if n < count else [n] for n in range(12)]
    assert strangers == 0


def test_neighbours_in_the_same_clothes_are_told_apart_by_their_seats() -> None:
    one, other = a_class(0, range(8)), a_class(1, range(8), 1.4, -80)
    one[2].look = one[3].look = other[2].look = other[3].look = SAME
    assert found(one, other) == ([[n, 100 + n] for n in range(8)], 0)


def test_a_class_in_uniform_from_a_place_that_moved_little_is_not_guessed_at() -> None:
    people, _ = found(a_class(0, range(2), alike=True), a_class(1, range(2), 1.2, 300, alike=True))
    assert people == [[0], [1], [100], [101]]  # two of one look: nothing tells who is who


def test_who_comes_later_is_new_and_said_so() -> None:
    people, strangers = found(a_class(0, range(6)), a_class(1, [0, 1, 2, 3, 9], 1.2))
    assert people[:6] == [[0, 100], [1, 101], [2, 102], [3, 103], [4], [5]]
    assert people[6:] == [[109]]
    assert strangers == 1


def test_who_changed_seats_meanwhile_is_known_by_looks() -> None:
    other = a_class(1, range(8), 1.3)
    other[0].look, other[7].look = other[7].look, other[0].look
    people, strangers = found(a_class(0, range(8)), other)
    assert people[0] == [0, 107]
    assert people[7] == [7, 100]
    assert strangers == 0


def test_a_third_scene_is_matched_to_either_earlier_one() -> None:
    scenes = {0: a_class(0, range(6)), 1: a_class(1, range(12), 1.5), 2: a_class(2, range(6, 12), 0.7, 90)}
    people, _ = same_students(scenes, SETTINGS)
    assert len(people) == 12
    assert all(len(person) == 2 for person in people)
