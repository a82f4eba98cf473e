from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.anonymise import CoverSettings, cover, regions_to_cover
from pipeline.session import BOX, HEAD_BOX

SOLID = CoverSettings()
FRAME = (90, 160)
"""Height and width of the frames here, px."""

coordinates = st.floats(-400, 400) | st.sampled_from([0.0, 160.0, 90.0, -1e30, 1e30, np.inf, -np.inf, np.nan])
boxes = st.lists(st.tuples(*[coordinates] * 4), max_size=4).map(lambda rows: np.array(rows, float).reshape(-1, 4))


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*FRAME, 3), np.uint8)


def covered(image: np.ndarray, boxes_xyxy: object, settings: CoverSettings = SOLID, seed: int = 0) -> np.ndarray:
    result = image.copy()
    cover(result, np.array(boxes_xyxy, float).reshape(-1, 4), settings, np.random.default_rng(seed))
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
def test_solid_tells_nothing_of_what_it_covers(boxes_xyxy, seed):
    mask = (covered(np.zeros((*FRAME, 3), np.uint8), boxes_xyxy) == SOLID.colour).all(axis=2)
    one, other = noise(seed), noise(seed)
    other[mask] = noise(seed + 100)[mask]
    assert np.array_equal(covered(one, boxes_xyxy), covered(other, boxes_xyxy))
    assert np.array_equal(covered(one, boxes_xyxy)[~mask], one[~mask])


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[coordinates] * 4), st.integers(2, 8), st.floats(0, 100))
def test_pixelation_keeps_at_most_one_colour_per_cell(box, cells, strength):
    style = CoverSettings(style="pixelate", cells=cells, noise=strength)
    image = noise()
    mask = (covered(np.zeros_like(image), box) == SOLID.colour).all(axis=2)
    result = covered(image, box, style)
    assert len(np.unique(result[mask].reshape(-1, 3), axis=0)) <= cells**2
    assert np.array_equal(result[~mask], image[~mask])


def test_pixelation_without_noise_keeps_means_and_with_noise_not():
    image = np.zeros((*FRAME, 3), np.uint8)
    image[:, 40:] = 200
    box = [20, 30, 60, 70]
    plain = covered(image, box, CoverSettings(style="pixelate", cells=2, noise=0))
    assert (plain[30:70, 20:40] == 0).all()
    assert (plain[30:70, 40:60] == 200).all()
    noisy = [covered(image, box, CoverSettings(style="pixelate", cells=2, noise=30), seed) for seed in (1, 1, 2)]
    assert np.array_equal(noisy[0], noisy[1])
    assert not np.array_equal(noisy[0], noisy[2])
    assert not np.array_equal(noisy[0], plain)


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
