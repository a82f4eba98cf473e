"""The behaviour network: who is cut out of the picture, what the answers add up to, and files that are no network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import pictures, write_behaviour_network

from models.behaviour import CROP_SIDE, INPUT_PX, NOTHING, OUTPUTS, WEIGHTS, BehaviourModel, cut_crops
from models.behaviour_net import as_crops, as_input, build_network
from models.errors import ModelFileError
from models.registry import SHIPPED_FOLDER, WeightsFile, find_weights
from models.yolo import BEHAVIOURS

HEIGHT, WIDTH = 90, 120
INSIDE = (40.0, 30.0, 60.0, 70.0)


def noise(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def torch_model(path: Path) -> BehaviourModel:
    return BehaviourModel(find_weights(str(path)), backend="torch")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> BehaviourModel:
    """A network that tells pictures apart, whatever the shipped one has learned."""
    return torch_model(write_behaviour_network(tmp_path_factory.mktemp("network") / "behaviour.pt"))


# degenerate boxes


def test_no_students_no_behaviours(model):
    read = model.read(noise(), boxes())
    assert read.shape == (0, len(BEHAVIOURS)) == (0, 7)
    assert read.dtype == np.float32


def test_no_boxes_no_crops():
    assert cut_crops(noise(), boxes()).shape == (0, INPUT_PX, INPUT_PX, 3)


@pytest.mark.parametrize(
    "box", [(-90, 10, -50, 50), (200, 10, 240, 50), (10, -90, 50, -50), (10, 150, 50, 190), (9e3, 9e3, 9e3, 9e3)]
)
def test_outside_the_picture_there_is_nothing(box):
    assert not cut_crops(np.full((HEIGHT, WIDTH, 3), 255, np.uint8), boxes(box)).any()


@pytest.mark.parametrize(
    "box",
    [
        (-30, 20, 20, 60),  # over the left edge
        (100, 20, 150, 60),
        (40, -30, 80, 20),
        (40, 70, 80, 120),
        (-20, -20, 10, 10),  # over a corner
        (-500, -500, 600, 600),  # the whole picture and more
        (0, 0, WIDTH, HEIGHT),
    ],
)
def test_over_the_edge_the_edge_repeats(box):
    pale = np.full((HEIGHT, WIDTH, 3), 77, np.uint8)
    assert (cut_crops(pale, boxes(box)) == 77).all()
    framed = pale.copy()
    framed[:8] = framed[-8:] = framed[:, :8] = framed[:, -8:] = (1, 2, 250)
    (crop,) = cut_crops(framed, boxes(box))
    outer = np.concatenate([crop[0], crop[-1], crop[:, 0], crop[:, -1]])
    assert (outer == (1, 2, 250)).all(axis=1).any()


@pytest.mark.parametrize("box", [(50, 40, 50, 40), (50, 40, 50.4, 40.4), (50, 20, 50, 60), (20, 40, 80, 40)])
def test_a_box_without_area_shows_its_surroundings(box):
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    image[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] = 255
    (crop,) = cut_crops(image, boxes(box))
    middle = slice(INPUT_PX // 2 - 2, INPUT_PX // 2 + 2)
    assert crop[middle, middle].max() > 100


# laws of crops

coordinate = st.floats(-400, 500, width=32)
length = st.floats(0, 400, width=32)


@given(st.lists(st.tuples(coordinate, coordinate, length, length), max_size=4), st.integers(1, 200), st.floats(0.5, 3))
def test_any_box_gives_a_crop_of_the_size_asked_for(rows, px, side):
    crops = cut_crops(noise(30, 40), boxes(*((x, y, x + w, y + h) for x, y, w, h in rows)), side=side, px=px)
    assert crops.shape == (len(rows), px, px, 3)
    assert crops.dtype == np.uint8


@given(st.data())
def test_a_crop_holds_every_pixel_of_a_box_inside_the_picture(data):
    """Cut at its own size, so that nothing is resampled: the pixels are there unchanged, about in the middle."""
    x1, y1 = data.draw(st.integers(0, WIDTH - 1)), data.draw(st.integers(0, HEIGHT - 1))
    x2, y2 = data.draw(st.integers(x1 + 1, WIDTH)), data.draw(st.integers(y1 + 1, HEIGHT))
    image = noise()
    px = round(CROP_SIDE * max(x2 - x1, y2 - y1, 2))
    (crop,) = cut_crops(image, boxes((x1, y1, x2, y2)), px=px)
    own = image[y1:y2, x1:x2]
    down, right = (px - own.shape[0]) / 2, (px - own.shape[1]) / 2
    offsets = [(int(down) + i, int(right) + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    held = [crop[y : y + own.shape[0], x : x + own.shape[1]] for y, x in offsets if x >= 0 and y >= 0]
    assert any(part.shape == own.shape and (part == own).all() for part in held)


def test_the_network_sees_red_green_blue_from_0_to_1():
    orange = np.full((1, 4, 4, 3), (0, 51, 255), np.uint8)  # BGR
    seen = as_input(torch.from_numpy(orange))
    assert seen.shape == (1, 3, 4, 4)
    torch.testing.assert_close(seen.amax(dim=(2, 3)), torch.tensor([[1.0, 0.2, 0.0]]))


# laws of answers


def test_a_row_sums_to_one_but_for_the_unlabelled(model):
    found = boxes(INSIDE, (-10, 10, 30, 60), (0, 0, WIDTH, HEIGHT), (5, 5, 5, 5))
    read = model.read(noise(), found)
    assert read.shape == (4, len(BEHAVIOURS))
    assert (read >= 0).all()
    assert (read.sum(axis=1) <= 1 + 1e-6).all()
    every = model.probabilities(cut_crops(noise(), found))
    np.testing.assert_allclose(every.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(read.sum(axis=1) + every[:, OUTPUTS.index(NOTHING)], 1, atol=1e-5)


def test_a_student_is_read_alike_alone_and_among_others(model):
    crops = as_crops(pictures(5))
    together = model.probabilities(crops)
    assert together.std(axis=0).max() > 0.05, "the pictures are all the same to this network"
    alone = np.concatenate([model.probabilities(crop[None]) for crop in crops])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_only_the_surroundings_of_a_student_count(model):
    image, elsewhere = noise(200, 300), noise(200, 300)
    elsewhere[:, 150:] = 0
    found = boxes((20, 30, 60, 100))
    np.testing.assert_array_equal(model.read(image, found), model.read(elsewhere, found))


# files


def test_the_shipped_network_is_small_and_loads():
    assert WEIGHTS.stat().st_size < 4 << 20
    read = torch_model(WEIGHTS).read(noise(), boxes(INSIDE))
    assert read.shape == (1, len(BEHAVIOURS))
    assert 0 <= read.sum() <= 1 + 1e-6


def test_building_prints_nothing(capsys):
    build_network()
    assert capsys.readouterr() == ("", "")


def raw(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def half(path: Path) -> None:
    whole = WEIGHTS.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def saved(content: object) -> Callable[[Path], object]:
    return lambda path: torch.save(content, path)


def copy_of(name: str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes((SHIPPED_FOLDER / name).read_bytes())


DAMAGE: dict[str, Callable[[Path], object]] = {
    "nothing": raw(b""),
    "text": raw(b"Lecture 4\n"),
    "text that begins like a pickle": raw(b"hello\n"),
    "a dot": raw(b"."),
    "a number cut off": raw(b"J\0"),
    "half of it": half,
    "a list": saved([1, 2]),
    "a tensor": saved(torch.zeros(3)),
    "no weights": saved({}),
    "a number as weight": saved({"model.0.conv.weight": 1}),
    "the head network": copy_of("head.pt"),
    "the detector": copy_of("students.pt"),
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("write", DAMAGE.values(), ids=DAMAGE)
def test_a_file_that_is_no_behaviour_network_is_named(tmp_path, write):
    path = tmp_path / "mine.pt"
    write(path)
    with pytest.raises(ModelFileError, match=r"^mine\.pt: is not the behaviour network .*; ") as caught:
        torch_model(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"mine\.pt"):
        torch_model(tmp_path / "mine.pt")
    with pytest.raises(ModelFileError, match=r"^mine\.pt: "):  # gone since it was found
        BehaviourModel(WeightsFile(tmp_path / "mine.pt", "0" * 64, "path"), backend="torch")
