from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from truth import _frames

import engage
from pipeline.anonymise import CoverSettings, cover, regions_to_cover
from pipeline.session import BOX, HEAD_BOX
from pipeline.video import VideoReader

SOLID = CoverSettings()
FRAME = (90, 160)
"""Height and width of the frames here, px."""

coordinates = st.floats(-400, 400) | st.sampled_from([0.0, 160.0, 90.0, -1e30, 1e30, np.inf, -np.inf, np.nan])
boxes = st.lists(st.tuples(*[coordinates] * 4), max_size=4).map(lambda rows: np.array(rows, float).reshape(-1, 4))


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*FRAME, 3), np.uint8)


def covered(image: np.ndarray, boxes_xyxy: object, settings: CoverSettings = SOLID) -> np.ndarray:
    result = image.copy()
    cover(result, np.array(boxes_xyxy, float).reshape(-1, 4), settings)
    return result


def person(rows: int = 1, student: int = 1, **values: object) -> pd.DataFrame:
    """A student 100 px wide and 200 px high whose face is seen."""
    table = pd.DataFrame({"t": np.arange(rows) / 5, "student": student, "eye_open": 0.8})
    body = dict(zip(BOX, (100.0, 100.0, 200.0, 300.0), strict=True))
    head = dict(zip(HEAD_BOX, (130.0, 100.0, 170.0, 150.0), strict=True))
    return table.assign(**{**body, **head, **values})


# nothing to cover


@pytest.mark.parametrize(
    "box",
    [
        [],
        [10, 10, 10, 40],
        [40, 40, 10, 10],
        [-50, -50, -1, -1],
        [160, 0, 300, 90],
        [0, 90, 160, 400],
    ],
    ids=["no box", "no width", "inside out", "left of it", "right of it", "below it"],
)
@pytest.mark.parametrize("style", ["solid", "pixelate"])
def test_frames_left_as_they_are(box, style):
    image = noise()
    assert np.array_equal(covered(image, box, CoverSettings(style=style)), image)


def test_nobody_to_cover():
    table = regions_to_cover(person(0), SOLID)
    assert table.empty
    assert list(table.columns) == ["t", "student", *BOX]


@pytest.mark.parametrize(
    "change",
    [
        {"style": "blur"},
        {"margin": -0.1},
        {"cells": 9},
        {"cells": 1},
        {"hold_s": -1},
        {"noise": -1},
        {"colour": (1, 2)},
    ],
)
def test_settings_out_of_range(change):
    with pytest.raises(ValidationError):
        CoverSettings.model_validate(change)


# covering


@pytest.mark.parametrize(
    ("box", "area"),
    [
        ([20, 30, 60, 70], np.s_[30:70, 20:60]),
        ([20.9, 30.9, 59.1, 69.1], np.s_[30:70, 20:60]),
        ([-20, -30, 10, 10], np.s_[:10, :10]),
        ([150, 80, 500, 500], np.s_[80:, 150:]),
        ([-1e30, -np.inf, np.inf, 1e30], np.s_[:, :]),
        ([0, 0, 0.1, 0.1], np.s_[:1, :1]),
    ],
    ids=["whole px", "parts of px", "beyond top left", "beyond bottom right", "everything", "a tenth of a px"],
)
def test_solid_leaves_the_fill_colour_and_nothing_else(box, area):
    image = noise()
    result = covered(image, box)
    assert (result[area] == SOLID.colour).all()
    result[area] = image[area]
    assert np.array_equal(result, image)


@pytest.mark.parametrize("place", range(4))
def test_a_side_that_is_not_known_reaches_the_edge(place):
    box, edge = [20.0, 30.0, 60.0, 70.0], [0.0, 0.0, 160.0, 90.0]
    box[place], expected = np.nan, [*box[:place], edge[place], *box[place + 1 :]]
    assert np.array_equal(covered(noise(), box), covered(noise(), expected))


@settings(max_examples=30, deadline=None)
@given(boxes, st.integers(0, 99))
def test_covers_tell_nothing_of_what_is_below(boxes_xyxy, seed):
    mask = (covered(np.zeros((*FRAME, 3), np.uint8), boxes_xyxy) == SOLID.colour).all(axis=2)
    one, other = noise(seed), noise(seed)
    other[mask] = noise(seed + 100)[mask]
    for style in (SOLID, CoverSettings(style="pixelate")):
        assert np.array_equal(covered(one, boxes_xyxy, style), covered(other, boxes_xyxy, style))
        assert np.array_equal(covered(one, boxes_xyxy, style)[~mask], one[~mask])


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[coordinates] * 4), st.integers(2, 8), st.floats(0, 100))
def test_pixelation_keeps_at_most_one_colour_per_cell(box, cells, strength):
    style = CoverSettings(style="pixelate", cells=cells, noise=strength)
    image = noise()
    mask = (covered(np.zeros_like(image), box) == SOLID.colour).all(axis=2)
    result = covered(image, box, style)
    assert len(np.unique(result[mask].reshape(-1, 3), axis=0)) <= cells**2
    assert np.array_equal(result[~mask], image[~mask])


def test_pixelated_heads_are_seen_to_be_pixelated():
    box = [20, 30, 60, 70]
    shown = covered(noise(), box, CoverSettings(style="pixelate", cells=4))[30:70, 20:60].astype(int)
    across = np.abs(np.diff(shown, axis=1)).sum(axis=(0, 2)) > 0
    assert np.flatnonzero(across).tolist() == [9, 19, 29]
    assert np.array_equal(covered(noise(), box, CoverSettings(style="pixelate", noise=0)), covered(noise(), box, SOLID))


@cache
def faces() -> dict[int, list[np.ndarray]]:
    """Heads of the demo with their surroundings, by person, on some frames of each half of the clip."""
    seen: dict[int, list[np.ndarray]] = {}
    with VideoReader(engage.DEMO) as reader:
        for frame in reader.frames(1.0):
            for one in _frames()[frame.index]["persons"]:
                if one["visible"] and one["head_bbox"]:
                    x1, y1, x2, y2 = np.clip(np.round(one["head_bbox"]).astype(int), 0, [1280, 720, 1280, 720])
                    seen.setdefault(one["id"], []).append(frame.image[y1:y2, x1:x2].copy())
    return {person: heads for person, heads in seen.items() if len(heads) >= 10 and min(map(np.size, heads))}


def small(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (6, 6), interpolation=cv2.INTER_AREA).astype(float)


def share_matched(hide: Callable[[np.ndarray], np.ndarray]) -> float:
    """Of hidden heads, averaged over the later half of the clip: how many are nearest to their own earlier face."""
    people = faces()
    known = {person: np.mean([small(one) for one in heads[::2]], axis=0) for person, heads in people.items()}
    right = 0
    for person, heads in people.items():
        probe = np.mean([small(hide(one)) for one in heads[1::2]], axis=0)
        right += min(known, key=lambda other: float(np.square(known[other] - probe).sum())) == person
    return right / len(people)


@pytest.mark.parametrize("style", ["solid", "pixelate"])
def test_no_better_than_chance_can_a_covered_head_be_matched_to_a_face(style):
    def hide(head: np.ndarray) -> np.ndarray:
        return covered(head, [0, 0, head.shape[1], head.shape[0]], CoverSettings(style=style))

    assert share_matched(hide) <= 1 / len(faces())


def test_the_attack_is_one_that_plain_pixelation_does_not_withstand():
    rng = np.random.default_rng(0)

    def hide(head: np.ndarray) -> np.ndarray:
        cells = np.clip(small(head) + rng.normal(0, 24, (6, 6, 3)), 0, 255).astype(np.uint8)
        return cv2.resize(cells, head.shape[1::-1], interpolation=cv2.INTER_NEAREST)

    assert share_matched(hide) > 0.8


# which regions


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 2))
def test_a_seen_face_is_covered_with_its_margin(margin):
    table = regions_to_cover(person(), CoverSettings(margin=margin))
    expected = [130 - 40 * margin, 100 - 50 * margin, 170 + 40 * margin, 150 + 50 * margin]
    assert table[list(BOX)].to_numpy()[0] == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.floats(-300, 300)] * 2, *[st.floats(1, 300)] * 2),
    st.tuples(*[st.floats(-300, 300)] * 2, *[st.floats(1, 300)] * 2),
    st.sampled_from([0.0, 0.25, 1.0]),
)
def test_a_guessed_head_is_covered_with_at_least_what_a_seen_one_is(body, head, margin):
    values = {}
    for names, (x, y, width, height) in ((BOX, body), (HEAD_BOX, head)):
        values |= dict(zip(names, (x, y, x + width, y + height), strict=True))
    guessed, seen = (
        regions_to_cover(person(eye_open=eye, **values), CoverSettings(margin=margin))[list(BOX)].to_numpy()[0]
        for eye in (np.nan, 0.8)
    )
    assert (guessed[:2] <= seen[:2]).all()
    assert (guessed[2:] >= seen[2:]).all()
    x, y, width, _ = body
    assert guessed[0] <= x + 0.15 * width + 1e-9  # and the top of the body
    assert guessed[2] >= x + 0.85 * width - 1e-9
    assert guessed[1] <= y


def test_a_guess_that_failed_leaves_the_top_of_the_body():
    blind = dict.fromkeys((*HEAD_BOX, "eye_open"), np.nan)
    box = regions_to_cover(person(**blind), SOLID)[list(BOX)].to_numpy()[0]
    assert box[[0, 2]].tolist() == [100.0, 200.0]


def test_rows_come_by_student_in_time_order():
    people = pd.concat([person(3, student=2), person(3, student=-1)], ignore_index=True).iloc[[5, 0, 3, 2, 4, 1]]
    table = regions_to_cover(people, SOLID)
    assert table["student"].tolist() == [-1] * 3 + [2] * 3
    assert table["t"].tolist() == [0.0, 0.2, 0.4] * 2
