"""People nobody annotated: empty arrays first, then what must hold of any crowd, then a model that sees half of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.errors import TrainingDataError
from models.registry import WeightsFile
from models.training.pseudo_labels import (
    ANNOTATED_IOU,
    ANNOTATED_SHARE,
    bodies_of_heads,
    find_people,
    inside,
    not_annotated,
)

NESTED_SHARE = 0.85
ROUNDING = 1e-4
NOBODY = np.zeros((0, 4), np.float32)
WEIGHTS = WeightsFile(Path("some.pt"), "0" * 64, "path")

BODY = (100.0, 100, 200, 400)
UPPER_BODY = (105.0, 105, 195, 250)
NEIGHBOUR = (190.0, 100, 290, 400)
FAR_AWAY = (600.0, 100, 700, 400)
NO_WIDTH = (150.0, 100, 150, 400)


def boxes(*rows: Sequence[float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def shared(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def share(inner: Sequence[float], outer: Sequence[float]) -> float:
    return shared(inner, outer) / area(inner) if area(inner) else 0.0


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    union = area(one) + area(other) - shared(one, other)
    return shared(one, other) / union if union else 0.0


@st.composite
def crowds(draw: st.DrawFn, least: int = 0) -> np.ndarray:
    """Boxes around few places and of few sizes, so that many overlap and nest; some without area."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(least, 8))
    corners = rng.choice([0, 80], (count, 2)) + rng.integers(0, 30, (count, 2))
    sizes = rng.choice([0, 30, 60, 70, 150], (count, 2), p=[0.05, 0.2, 0.3, 0.3, 0.15])
    return np.concatenate([corners, corners + sizes], axis=1).astype(np.float32)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Heads and people of a few images; many a head sits in a body, some in none or in two."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    heads, people = [], []
    for _ in range(draw(st.integers(0, 4))):
        corner = rng.integers(0, 500, (draw(st.integers(0, 5)), 2))
        head = np.concatenate([corner, corner + rng.integers(10, 40, corner.shape)], axis=1)
        around = np.concatenate([corner - rng.integers(1, 60, corner.shape), corner + np.array([60, 200])], axis=1)
        heads.append(head.astype(float))
        people.append(around[rng.random(len(around)) < 0.6].astype(float))
    return heads, people


# inside


@pytest.mark.parametrize(("inner", "outer"), [(0, 0), (0, 3), (2, 0)])
def test_shares_of_nothing(inner, outer):
    assert inside(torch.zeros(inner, 4), torch.zeros(outer, 4)).shape == (inner, outer)


def test_shares_of_known_boxes():
    inner = torch.tensor([[0.0, 0, 10, 10], [5, 5, 5, 9]])  # the second has no width
    outer = torch.tensor([[0.0, 0, 10, 10], [5, 0, 50, 50], [10, 0, 20, 10], [-5, -5, 50, 50], [0, 0, 5, 5]])
    np.testing.assert_allclose(inside(inner, outer), [[1, 0.5, 0, 1, 0.25], [0, 0, 0, 0, 0]])


@given(crowds(), crowds())
def test_shares_are_shares(inner, outer):
    shares = inside(torch.from_numpy(inner), torch.from_numpy(outer)).numpy()
    assert shares.shape == (len(inner), len(outer))
    assert ((shares >= 0) & (shares <= 1)).all()
    expected = [[share(a, b) for b in outer.tolist()] for a in inner.tolist()]
    np.testing.assert_allclose(shares, np.reshape(expected, shares.shape), atol=1e-6)


@given(crowds(least=1))
def test_a_box_with_area_lies_whole_in_itself(crowd):
    has_area = [area(box) > 0 for box in crowd.tolist()]
    own = inside(torch.from_numpy(crowd), torch.from_numpy(crowd)).diagonal().numpy()
    np.testing.assert_array_equal(own, np.array(has_area, float))


# not_annotated


@pytest.mark.parametrize(
    ("found", "annotated", "expected"),
    [
        ([], [], []),
        ([], [BODY], []),
        ([BODY], [], [BODY]),
        ([BODY], [BODY], []),
        ([BODY], [UPPER_BODY], []),  # the upper body is annotated, the whole one found
        ([UPPER_BODY], [BODY], []),
        ([BODY, FAR_AWAY], [BODY], [FAR_AWAY]),
        ([NEIGHBOUR], [BODY], [NEIGHBOUR]),
        ([BODY, UPPER_BODY], [], [BODY]),  # one person twice
        ([UPPER_BODY, BODY], [], [BODY]),
        ([BODY, NEIGHBOUR, FAR_AWAY], [], [BODY, NEIGHBOUR, FAR_AWAY]),
        ([NO_WIDTH], [NO_WIDTH], [NO_WIDTH]),  # no number that is none decides
        ([BODY], [NO_WIDTH], [BODY]),
    ],
)
def test_who_is_not_annotated(found, annotated, expected):
    np.testing.assert_array_equal(not_annotated(boxes(*found), boxes(*annotated)), boxes(*expected))


@given(crowds(), crowds())
def test_no_one_kept_is_annotated_or_within_another_and_no_one_else_goes(found, annotated):
    kept = [tuple(row) for row in not_annotated(found, annotated).tolist()]
    rows = [tuple(row) for row in found.tolist()]
    assert kept == [row for row in rows if row in kept]  # some of the found, in their order

    def about(row: Sequence[float], slack: float) -> bool:
        return any(
            overlap(row, note) > ANNOTATED_IOU + slack
            or max(share(row, note), share(note, row)) > ANNOTATED_SHARE + slack
            for note in annotated.tolist()
        )

    def within(row: Sequence[float], others: list[tuple[float, ...]], slack: float) -> bool:
        return any(share(row, other) > NESTED_SHARE + slack and area(row) < area(other) for other in others)

    for row in kept:
        assert not about(row, ROUNDING)
        assert not within(row, kept, ROUNDING)
    for row in set(rows) - set(kept):
        assert about(row, -ROUNDING) or within(row, rows, -ROUNDING)


@given(crowds(), crowds())
def test_asking_twice_takes_no_one_more(found, annotated):
    once = not_annotated(found, annotated)
    np.testing.assert_array_equal(not_annotated(once, annotated), once)


@given(crowds(), crowds())
def test_the_boxes_given_stay_as_they_are(found, annotated):
    before = found.copy(), annotated.copy()
    not_annotated(found, annotated)
    np.testing.assert_array_equal(found, before[0])
    np.testing.assert_array_equal(annotated, before[1])


# bodies_of_heads

HEAD = (140.0, 110, 160, 130)  # of BODY


def holds(body: Sequence[float], head: Sequence[float]) -> bool:
    x, y = (head[0] + head[2]) / 2, (head[1] + head[3]) / 2
    return bool(body[0] <= x <= body[2] and body[1] <= y <= body[3])


def lonely(heads: np.ndarray, people: np.ndarray) -> list[Sequence[float]]:
    return [head for head in heads.tolist() if not any(holds(body, head) for body in people.tolist())]


def pairs(heads: np.ndarray, people: np.ndarray) -> int:
    """Heads alone in a body that is alone with them."""
    table = np.array([[holds(body, head) for body in people.tolist()] for head in heads.tolist()], bool)
    table = table.reshape(len(heads), len(people))
    return int((table & (table.sum(axis=0) == 1) & (table.sum(axis=1, keepdims=True) == 1)).sum())


@pytest.mark.parametrize(
    ("heads", "people"),
    [
        ([], []),
        ([NOBODY], [NOBODY]),
        ([NOBODY], [boxes(BODY)]),
        ([boxes(HEAD)], [NOBODY]),  # no body to learn the shape from
        ([NOBODY, boxes(HEAD)], [boxes(BODY), NOBODY]),
        ([boxes(HEAD)], [boxes(BODY)]),
        ([boxes(HEAD, HEAD)], [boxes(BODY)]),  # whose body is it?
    ],
)
def test_rooms_without_a_lonely_head_or_a_known_shape(heads, people):
    made = bodies_of_heads(heads, people)
    assert len(made) == len(people)
    for completed, given_people in zip(made, people, strict=True):
        np.testing.assert_array_equal(completed, given_people)


def test_heads_and_people_of_different_numbers_of_images():
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        bodies_of_heads([boxes(HEAD)], [])


def test_a_lonely_head_gets_a_body_of_its_size():
    small = (10.0, 10, 20, 20)  # half as high as HEAD
    first, second = bodies_of_heads([boxes(HEAD), boxes(small)], [boxes(BODY), boxes(FAR_AWAY)])
    np.testing.assert_array_equal(first, boxes(BODY))
    np.testing.assert_allclose(second, boxes(FAR_AWAY, (-10, 5, 40, 155)))


@pytest.mark.parametrize(
    ("heads", "people"),
    [
        ([(110, 300, 130, 320), (170, 300, 190, 320)], [BODY]),  # two heads in one body
        ([HEAD], [(0, 0, 900, 900), (0, 0, 800, 990)]),  # one head in two bodies
    ],
)
def test_the_shape_is_learned_where_it_is_clear_whose_head_it_is(heads, people):
    stranger = boxes((10, 10, 20, 20))
    made = bodies_of_heads([boxes(HEAD), boxes(*heads), stranger], [boxes(BODY), boxes(*people), NOBODY])
    np.testing.assert_allclose(made[2], boxes((-10, 5, 40, 155)))


@given(scenes())
def test_the_people_stay_and_every_lonely_head_is_in_a_body_of_its_own(scene):
    heads, people = scene
    made = bodies_of_heads(heads, people)
    assert len(made) == len(people)
    known = sum(map(pairs, heads, people)) > 0
    for head, body, completed in zip(heads, people, made, strict=True):
        alone = lonely(head, body) if known else []
        np.testing.assert_array_equal(completed[: len(body)], body)
        assert completed.shape == (len(body) + len(alone), 4)
        for own, new in zip(alone, completed[len(body) :].tolist(), strict=True):
            x, y = (own[0] + own[2]) / 2, (own[1] + own[3]) / 2
            assert new[0] - ROUNDING <= x <= new[2] + ROUNDING
            assert new[1] - ROUNDING <= y <= new[3] + ROUNDING


@given(scenes(), st.tuples(st.integers(-100, 100), st.integers(-100, 100)), st.sampled_from((0.5, 2.0, 4.0)))
def test_a_larger_picture_elsewhere_gets_the_same_bodies_larger_and_there(scene, shift, scale):
    def moved(rows: np.ndarray) -> np.ndarray:
        return rows * scale + np.tile(shift, 2)

    expected = [moved(rows) for rows in bodies_of_heads(*scene)]
    found = bodies_of_heads([moved(rows) for rows in scene[0]], [moved(rows) for rows in scene[1]])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-2)


# find_people

LEFT, RIGHT = (20, 30, 60, 90), (150, 40, 180, 110)


class OneEyed:
    """In place of a network: finds white patches in the right half of what it is shown, all with one score."""

    names: dict[int, str]

    def __init__(self, names: dict[int, str] | None = None, score: float = 0.9) -> None:
        self.names = names or {0: "bicycle", 1: "person", 2: "student"}
        self.score = score
        self.asked: list[dict[str, Any]] = []

    def predict(self, image: np.ndarray, **settings: Any) -> list[Any]:
        assert image.flags.c_contiguous
        self.asked.append(settings)
        _, _, patches, _ = cv2.connectedComponentsWithStats((image[:, :, 0] > 200).astype(np.uint8))
        seen = [(x, y, x + w, y + h) for x, y, w, h, _ in patches[1:] if x >= image.shape[1] / 2]
        found = torch.tensor(seen, dtype=torch.float32).reshape(-1, 4)
        return [SimpleNamespace(boxes=SimpleNamespace(xyxy=found, conf=torch.full((len(found),), self.score)))]


def picture(path: Path, *people: tuple[int, int, int, int]) -> Path:
    pixels = np.full((120, 200, 3), 30, np.uint8)
    for x1, y1, x2, y2 in people:
        pixels[y1:y2, x1:x2] = 255
    cv2.imwrite(str(path), pixels)
    return path


Look = Callable[..., dict[str, np.ndarray]]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def call(*images: Path, sizes: Sequence[int] = (640,), say: Callable[[str], None] = lambda _: None):
        cache = tmp_path / "pseudo" / "found.json"
        return find_people(images, WEIGHTS, cache, sizes=sizes, confidence=0.25, say=say)

    return call


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> OneEyed:
    one_eyed = OneEyed()
    monkeypatch.setattr("models.training.pseudo_labels.load_yolo", lambda _: one_eyed)
    return one_eyed


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: WeightsFile) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("models.training.pseudo_labels.load_yolo", refuse)


def test_no_images_need_no_model(look, no_model, tmp_path):
    assert look() == {}
    assert list(tmp_path.iterdir()) == []


def test_nobody_in_the_picture(look, model, tmp_path):
    found = look(picture(tmp_path / "empty.png"))["empty.png"]
    assert (found.shape, found.dtype) == ((0, 4), np.float32)


@pytest.mark.parametrize("content", [b"", b"not a picture", None])
def test_an_image_that_cannot_be_read(look, model, tmp_path, content):
    path = tmp_path / "broken.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrainingDataError, match=r"broken\.png: cannot be read as an image; replace it") as caught:
        look(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_only_the_mirrored_picture_shows_is_found_where_it_is(look, model, tmp_path):
    found = look(picture(tmp_path / "both.png", LEFT, RIGHT), picture(tmp_path / "left.png", LEFT), sizes=(640, 960))
    assert sorted(found["both.png"].tolist()) == [list(map(float, LEFT)), list(map(float, RIGHT))]
    assert found["left.png"].tolist() == [list(map(float, LEFT))]


def test_the_model_is_asked_for_people_at_every_size_and_mirrored(look, model, tmp_path):
    look(picture(tmp_path / "a.png", RIGHT), sizes=(640, 960))
    assert sorted(settings["imgsz"] for settings in model.asked) == [640, 640, 960, 960]
    assert {tuple(settings["classes"]) for settings in model.asked} == {(1, 2)}
    assert {settings["conf"] for settings in model.asked} == {0.25}


def test_what_was_found_once_is_not_looked_for_again(look, model, monkeypatch, tmp_path):
    said: list[str] = []
    first = look(picture(tmp_path / "a.png", LEFT), picture(tmp_path / "b.png", RIGHT), say=said.append)
    calls = len(model.asked)
    again = look(tmp_path / "b.png", tmp_path / "a.png", say=said.append)
    assert len(model.asked) == calls
    assert list(again) == ["b.png", "a.png"]
    assert {name: rows.tolist() for name, rows in again.items()} == {n: rows.tolist() for n, rows in first.items()}
    more = look(tmp_path / "a.png", picture(tmp_path / "c.png", LEFT, RIGHT), say=said.append)
    assert len(model.asked) == calls + 2  # one picture, as it is and mirrored
    assert [len(more[name]) for name in ("a.png", "c.png")] == [1, 2]
    assert [len(said), "2 image" in said[0], "1 image" in said[1]] == [2, True, True]
    assert [path.name for path in (tmp_path / "pseudo").iterdir()] == ["found.json"]


def test_a_failure_leaves_the_earlier_answers(look, model, tmp_path):
    found = look(picture(tmp_path / "a.png", RIGHT))["a.png"].tolist()
    with pytest.raises(TrainingDataError):
        look(tmp_path / "a.png", tmp_path / "gone.png")
    calls = len(model.asked)
    assert look(tmp_path / "a.png")["a.png"].tolist() == found
    assert len(model.asked) == calls
