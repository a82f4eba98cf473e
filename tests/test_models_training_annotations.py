"""Annotated frames: each way in which a file can be wrong is said in one sentence; what is read can be learned from."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import TrainingDataError
from models.training.annotations import TOLERANCE_PX, AnnotatedImage, read_coco

WIDTH, HEIGHT = 100, 80
KNOWN = ("write", "read", "discuss")
BOX = (10.0, 20.0, 30.0, 40.0)
PARTS = ("images", "annotations", "categories")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two grey images a.png and b.png in images/."""
    made = tmp_path_factory.mktemp("room")
    (made / "images").mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(made / "images" / name), np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    return made


def image(key: Any = 1, name: str = "a.png", **more: Any) -> dict[str, Any]:
    return {"id": key, "file_name": name, "width": WIDTH, "height": HEIGHT} | more


def note(bbox: Any = BOX, *, of: Any = 1, category: Any = 3, key: int = 11) -> dict[str, Any]:
    return {"id": key, "image_id": of, "category_id": category, "bbox": bbox}


def coco(*notes: dict[str, Any], **instead: Any) -> dict[str, Any]:
    categories = [{"id": 3, "name": "write"}, {"id": 5, "name": "discuss"}]
    return {"images": [image()], "categories": categories, "annotations": list(notes)} | instead


def without(key: str, entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != key}


def read(folder: Path, content: bytes | dict[str, Any]) -> list[AnnotatedImage]:
    file = folder / "train.json"
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return read_coco(file, folder / "images", KNOWN)


def sentence_of(caught: pytest.ExceptionInfo[TrainingDataError]) -> str:
    """The message, once it is one line that ends in a remedy."""
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.exit_code == 2
    what, _, remedy = text.partition("; ")
    assert what, text
    assert remedy, f"no remedy: {text}"
    return text


# files that are no annotation


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(TrainingDataError) as caught:
        read_coco(tmp_path / "train.json", tmp_path, KNOWN)
    text = sentence_of(caught)
    assert text.startswith(str(tmp_path / "train.json"))
    assert "No such file or directory" in text


def test_a_folder_in_place_of_the_file(tmp_path):
    with pytest.raises(TrainingDataError, match="cannot be read") as caught:
        read_coco(tmp_path, tmp_path, KNOWN)
    sentence_of(caught)


@pytest.mark.parametrize("content", [b"", b"\n", b"{", b"image,x,y\n", b"{'images': []}", b"\xff\xfe\x00", b"\x89PNG"])
def test_what_is_not_json(folder, content):
    with pytest.raises(TrainingDataError, match=r"train\.json: is not JSON") as caught:
        read(folder, content)
    sentence_of(caught)


@pytest.mark.parametrize(
    "content",
    [
        *(b"[]", b"3", b"null", b'"images"', b"{}"),
        *(without(key, coco(note())) for key in PARTS),
        *(coco(note(), **{key: value}) for key in PARTS for value in (None, 3, ["a"])),
        *(coco(note(), images=[without(key, image())]) for key in ("id", "file_name", "width", "height")),
        *(coco(note(), images=[image(width=width)]) for width in ("wide", None, math.nan, math.inf)),
        *(coco(note(), categories=[entry]) for entry in ({"id": 3}, {"name": "write"}, {"id": "x", "name": "write"})),
        *(coco(without(key, note())) for key in ("image_id", "category_id", "bbox")),
        *(coco(note(bbox)) for bbox in (None, 7, [], [1, 2, 3], [1, 2, 3, 4, 5], [1, 2, "wide", 4], [[1], 2, 3, 4])),
        coco(note(of=[1])),
    ],
)
def test_json_that_is_no_coco_annotation(folder, content):
    with pytest.raises(TrainingDataError, match=r"train\.json: is not a COCO annotation file \(\w+: .+\)") as caught:
        read(folder, content)
    assert "images, annotations and categories" in sentence_of(caught)


# annotations that cannot be right


@pytest.mark.parametrize(
    "content",
    [
        coco(images=[]),
        coco(),
        coco(images=[image(1), image(2, "b.png")]),
    ],
)
def test_no_boxes_at_all(folder, content):
    with pytest.raises(TrainingDataError, match=r"train\.json: annotates no boxes") as caught:
        read(folder, content)
    sentence_of(caught)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (coco(note(of=7)), ("annotation 11", "image 7", "not listed")),
        (coco(note(of="1")), ("annotation 11", "not listed")),  # a number is not its spelling
        (coco(note(), images=[]), ("annotation 11", "image 1", "not listed")),
        (coco(note(category=9)), ("annotation 11", "category 9", "not listed")),
        (coco(note(), categories=[]), ("annotation 11", "category 3", "not listed")),
        (coco(note(), categories=[{"id": 3, "name": "sleep"}]), ("'sleep'", "write, read, discuss")),
        (coco(note(), categories=[{"id": 3, "name": "Write"}]), ("'Write'", "write, read, discuss")),
        (coco(note(), images=[image(1), image(1, "b.png")]), ("2 images", "id 1")),  # of which of the two is the box?
    ],
)
def test_annotations_that_point_nowhere(folder, content, words):
    with pytest.raises(TrainingDataError, match=r"train\.json: ") as caught:
        read(folder, content)
    text = sentence_of(caught)
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("name", ["gone.png", "", "images", "../train.json/c.png"])
def test_an_image_file_that_is_missing(folder, name):
    with pytest.raises(TrainingDataError, match=r"is missing, and train\.json lists it") as caught:
        read(folder, coco(note(of=2), images=[image(2), image(1, name)]))
    assert str(folder / "images" / name) in sentence_of(caught)


@pytest.mark.parametrize(
    "bbox",
    [
        [-3, 0, 10, 10],
        [0, -3, 10, 10],
        [WIDTH - 5, 0, 8, 10],
        [0, HEIGHT - 5, 10, 8],
        [0, 0, HEIGHT, WIDTH],  # height and width changed places
        [200, 300, 10, 10],
        [10, 20, 0, 5],  # no width
        [10, 20, 5, 0],
        [10, 20, 0, 0],
        [30, 20, -10, 5],  # drawn from right to left
        [10, 20, 5, -1],
        *([*BOX[:place], value, *BOX[place + 1 :]] for place in range(4) for value in (math.nan, math.inf, -math.inf)),
        [-1.75, 5, 1, 10],  # nothing of it is on the image, though it keeps within the tolerance
        [WIDTH + 0.5, 5, 1, 10],
        [5, -2, 10, 2],
    ],
)
def test_a_box_that_does_not_lie_in_its_image(folder, bbox):
    with pytest.raises(TrainingDataError, match=r"of annotation 11 does not lie inside a\.png") as caught:
        read(folder, coco(note(BOX, key=10), note(bbox)))
    text = sentence_of(caught)
    assert str([float(value) if math.isinf(value) else value for value in bbox]) in text
    assert f"{WIDTH}x{HEIGHT} px" in text


# laws


def spans(size: int) -> st.SearchStrategy[tuple[float, float]]:
    """Start and length along an axis, in quarters of a pixel; ends are often near an edge of the image."""
    end = st.one_of(st.integers(-10, 10), st.integers(4 * size - 10, 4 * size + 10), st.integers(0, 4 * size))
    return st.tuples(end, end).map(lambda ends: (min(ends) / 4, (max(ends) - min(ends)) / 4))


@given(spans(WIDTH), spans(HEIGHT))
def test_a_box_is_refused_or_read_where_it_is(folder, across, down):
    (x, width), (y, height) = across, down
    try:
        (found,) = read(folder, coco(note([x, y, width, height])))
    except TrainingDataError as error:
        assert "does not lie inside" in str(error)  # noqa: PT017
        return
    ((x1, y1, x2, y2),) = found.boxes_xyxy
    assert 0 <= x1 < x2 <= WIDTH
    assert 0 <= y1 < y2 <= HEIGHT
    assert np.abs(np.array([x1, y1, x2, y2]) - [x, y, x + width, y + height]).max() <= TOLERANCE_PX


@st.composite
def boxes_inside(draw: st.DrawFn) -> list[float]:
    x, y = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return [x, y, draw(st.integers(1, WIDTH - x)), draw(st.integers(1, HEIGHT - y))]


@given(st.lists(st.tuples(boxes_inside(), st.sampled_from((3, 5)), st.sampled_from((1, 2))), min_size=1, max_size=8))
def test_every_box_inside_is_read_with_its_image_and_name(folder, drawn):
    notes = [note(bbox, of=of, category=category, key=key) for key, (bbox, category, of) in enumerate(drawn)]
    read_images = read(folder, coco(*notes, images=[image(2, "b.png"), image(1)]))
    assert [found.path.name for found in read_images] == ["b.png", "a.png"]
    for found, key in zip(read_images, (2, 1), strict=True):
        own = [(bbox, category) for bbox, category, of in drawn if of == key]
        assert found.labels == tuple({3: "write", 5: "discuss"}[category] for _, category in own)
        expected = np.array([[x, y, x + w, y + h] for (x, y, w, h), _ in own], float).reshape(-1, 4)
        np.testing.assert_array_equal(found.boxes_xyxy, expected)


# a good file


def test_a_good_file(folder):
    content = coco(
        note([-1, 20, 30, 61], key=1),  # rounded over two edges
        note([5, 6, 7, 8], category=5, key=2),
        images=[image("late", "b.png", room="R2"), image()],
    )
    content["annotations"].append(without("id", note([0, 0, WIDTH, HEIGHT], key=3)))  # an annotation needs no number
    empty, full = read(folder, content)
    assert (empty.path, empty.size, empty.room, empty.labels) == (folder / "images/b.png", (WIDTH, HEIGHT), "R2", ())
    assert (empty.boxes_xyxy.shape, empty.boxes_xyxy.dtype) == ((0, 4), np.float32)
    assert (full.path, full.room, full.labels) == (folder / "images/a.png", "", ("write", "discuss", "write"))
    assert full.boxes_xyxy.dtype == np.float32
    assert full.boxes_xyxy.tolist() == [[0, 20, 29, HEIGHT], [5, 6, 12, 14], [0, 0, WIDTH, HEIGHT]]


@pytest.mark.parametrize("name", ["room2/a.png", "a.jpg"])
def test_images_that_differ_only_by_folder_or_ending_are_refused(folder, name):
    with pytest.raises(TrainingDataError, match=r"2 images are named 'a'") as caught:
        read(folder, coco(note(), images=[image(1), image(2, name)]))
    sentence_of(caught)
