"""Training of the behaviour network: who is taught as what, views that stay pictures, and a real short run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.behaviour import INPUT_PX, NOTHING, OUTPUTS, BehaviourModel
from models.behaviour_net import build_network
from models.errors import ModelFileError, TrainingDataError
from models.registry import SHIPPED_FOLDER, WeightsFile, find_weights
from models.training.annotations import AnnotatedImage
from models.training.behaviour import (
    STORED_PX,
    augment,
    collect_crops,
    run,
    share_right,
    start_from_detector,
    students_of,
)
from models.yolo import BEHAVIOURS

START = SHIPPED_FOLDER / "students.pt"
WIDTH, HEIGHT = 100, 80

WRITER = (5.0, 20.0, 25.0, 60.0)
READER = (75.0, 10.0, 95.0, 50.0)
GROUP_BOX = (30.0, 10.0, 70.0, 75.0)
IN_THE_GROUP = (34.0, 20.0, 48.0, 60.0)
ASIDE = (75.0, 55.0, 95.0, 79.0)

Notes = Sequence[tuple[tuple[float, ...], str]]


def quiet(_: str) -> None:
    """Nobody listens."""


def boxes(*rows: Sequence[float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def names_of(numbers: np.ndarray) -> list[str]:
    return [OUTPUTS[number] for number in numbers]


def draw(path: Path) -> Path:
    """A picture of noise with a bright patch, always the same for the same name."""
    rng = np.random.default_rng(sum(map(ord, path.name)))
    pixels = rng.integers(0, 120, (HEIGHT, WIDTH, 3), np.uint8)
    pixels[HEIGHT // 4 : HEIGHT // 2, WIDTH // 3 : WIDTH // 2] = 240
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)
    return path


def annotated(path: Path, notes: Notes) -> AnnotatedImage:
    return AnnotatedImage(
        path, (WIDTH, HEIGHT), "", boxes(*(box for box, _ in notes)), tuple(name for _, name in notes)
    )


def classroom(
    folder: Path, train: dict[str, Notes], val: dict[str, Notes], rooms: dict[str, str] | None = None
) -> Path:
    """A data folder: train.json, val.json and images/; ``rooms`` names the room of an image."""
    for split, images in (("train", train), ("val", val)):
        content: dict[str, Any] = {"images": [], "annotations": []}
        content["categories"] = [{"id": i, "name": name} for i, name in enumerate(BEHAVIOURS)]
        for key, (name, notes) in enumerate(images.items()):
            draw(folder / "images" / name)
            entry = {"id": key, "file_name": name, "width": WIDTH, "height": HEIGHT}
            content["images"].append(entry | {"room": (rooms or {}).get(name, "")})
            for (x1, y1, x2, y2), label in notes:
                made = {"id": len(content["annotations"]), "image_id": key, "category_id": BEHAVIOURS.index(label)}
                content["annotations"].append(made | {"bbox": [x1, y1, x2 - x1, y2 - y1]})
        (folder / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


USUAL: Notes = [(WRITER, "write"), (READER, "read"), (GROUP_BOX, "discuss")]


def small_class(folder: Path) -> Path:
    """Two rooms: a.png and b.png in R1, c.png and v.png (to be judged on) in R2."""
    rooms = {"a.png": "R1", "b.png": "R1", "c.png": "R2", "v.png": "R2"}
    return classroom(folder, dict.fromkeys(("a.png", "b.png", "c.png"), USUAL), {"v.png": USUAL}, rooms)


@dataclass
class FoundPeople:
    """In place of ``find_people``: finds the same two people in every image."""

    asked: list[str]

    def __call__(self, images: Sequence[Path], *_: Any, **__: Any) -> dict[str, np.ndarray]:
        self.asked += [path.name for path in images]
        return {path.name: boxes(IN_THE_GROUP, ASIDE) for path in images}


@pytest.fixture
def found_people(monkeypatch: pytest.MonkeyPatch) -> FoundPeople:
    fake = FoundPeople([])
    monkeypatch.setattr("models.training.detection.find_people", fake)
    return fake


def short(data: Path, out: Path, say: Callable[[str], None] = quiet, **changed: Any) -> None:
    usual: dict[str, Any] = {"without_room": None, "epochs": 1, "batch": 4, "seed": 0}
    run(data, str(START), out.parent / "work" / "run", out, say=say, **(usual | changed))


# who is taught as what


def test_an_image_without_anybody_teaches_nothing():
    students, numbers = students_of(annotated(Path("a.png"), []), boxes())
    assert students.shape == (0, 4)
    assert numbers.shape == (0,)
    assert numbers.dtype.kind == "i"


@pytest.mark.parametrize(
    ("notes", "found", "expected"),
    [
        ([], [ASIDE], [NOTHING]),
        ([(GROUP_BOX, "discuss")], [], []),  # the group's box is nobody's
        ([(GROUP_BOX, "discuss")], [IN_THE_GROUP], ["discuss"]),
        ([(GROUP_BOX, "discuss")], [ASIDE], [NOTHING]),
        ([(GROUP_BOX, "discuss")], [ASIDE, IN_THE_GROUP], [NOTHING, "discuss"]),
        ([(GROUP_BOX, "discuss")], [(60, 20, 80, 60)], [NOTHING]),  # half in the group: at the next table
        ([(GROUP_BOX, "discuss")], [(56, 20, 72, 60)], ["discuss"]),  # an elbow outside
        ([(GROUP_BOX, "discuss"), (READER, "discuss")], [(76, 12, 94, 48)], ["discuss"]),  # the second group
        ([(WRITER, "write")], [IN_THE_GROUP], ["write", NOTHING]),
        ([(WRITER, "write"), (READER, "read")], [WRITER], ["write", "read"]),  # found again: known already
        ([(GROUP_BOX, "discuss"), (IN_THE_GROUP, "write")], [IN_THE_GROUP], ["write"]),  # annotated goes first
    ],
)
def test_who_is_taught_as_what(notes, found, expected):
    students, numbers = students_of(annotated(Path("a.png"), notes), boxes(*found))
    assert names_of(numbers) == expected
    assert students.shape == (len(expected), 4)
    assert students.dtype == np.float32


def test_annotated_students_keep_box_and_behaviour():
    students, numbers = students_of(annotated(Path("a.png"), USUAL), boxes(IN_THE_GROUP, ASIDE))
    taught = dict(zip(map(tuple, students.tolist()), names_of(numbers), strict=True))
    assert taught == {WRITER: "write", READER: "read", IN_THE_GROUP: "discuss", ASIDE: NOTHING}


# crops


def test_crops_of_everybody(tmp_path):
    images = [annotated(draw(tmp_path / "a.png"), USUAL), annotated(draw(tmp_path / "b.png"), [])]
    crops = collect_crops(images, {"b.png": boxes(ASIDE), "c.png": boxes(WRITER)})
    assert names_of(crops.labels.numpy()) == ["write", "read", NOTHING]
    assert crops.images.shape == (3, STORED_PX, STORED_PX, 3)
    assert crops.images.dtype == torch.uint8


@pytest.mark.parametrize(
    ("notes", "found"),
    [(None, []), ([], []), ([], [ASIDE]), ([(GROUP_BOX, "discuss")], []), ([(GROUP_BOX, "discuss")], [ASIDE])],
)
def test_without_annotated_students_nothing_can_be_learned(tmp_path, notes, found):
    images = [] if notes is None else [annotated(draw(tmp_path / "a.png"), notes)]
    with pytest.raises(TrainingDataError, match="no annotated students") as caught:
        collect_crops(images, {"a.png": boxes(*found)})
    assert caught.value.exit_code == 2


def test_an_image_that_is_none_is_named(tmp_path):
    (tmp_path / "a.png").write_text("Lecture 4", encoding="utf-8")
    with pytest.raises(TrainingDataError, match=r"a\.png: cannot be read as an image; "):
        collect_crops([annotated(tmp_path / "a.png", USUAL)], {})


# views


def stored(count: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (count, STORED_PX, STORED_PX, 3), generator=generator(seed), dtype=torch.uint8)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.sampled_from([0, 128, 255, None]))
def test_views_are_pictures_of_the_networks_size(seed, count, plain):
    images = stored(count) if plain is None else torch.full_like(stored(count), plain)
    before = images.clone()
    views = augment(images, generator(seed))
    assert views.shape == (count, 3, INPUT_PX, INPUT_PX)
    assert views.dtype == torch.float32
    assert 0 <= float(views.min()) <= float(views.max()) <= 1  # NaN is neither
    assert (images == before).all()


def test_views_are_those_of_the_generator():
    images = stored(6)
    torch.testing.assert_close(augment(images, generator(1)), augment(images, generator(1)), rtol=0, atol=0)
    assert (augment(images, generator(1)) != augment(images, generator(2))).any()
    source = generator(1)
    assert (augment(images, source) != augment(images, source)).any()  # and not the same one every time


def test_the_student_stays_in_the_middle_of_a_view():
    """A white disc on black, of the size of a box: in each view the middle is lighter than the corners."""
    y, x = np.mgrid[:STORED_PX, :STORED_PX]
    disc = (np.hypot(x - STORED_PX / 2, y - STORED_PX / 2) < STORED_PX / 1.9 / 2).astype(np.uint8) * 255
    views = augment(torch.from_numpy(np.repeat(disc[None, :, :, None], 3, axis=3)).repeat(60, 1, 1, 1), generator(0))
    middle = views[:, :, 48:80, 48:80].mean(dim=(1, 2, 3))
    corners = torch.stack([views[:, :, row, column].mean(dim=1) for row in (0, -1) for column in (0, -1)])
    assert float((middle > corners.mean(dim=0) + 0.2).float().mean()) > 0.9  # the others are covered by a patch


def test_about_half_of_the_views_are_mirrored():
    """The left half is white: it is the right one in a mirrored view."""
    images = torch.zeros(80, STORED_PX, STORED_PX, 3, dtype=torch.uint8)
    images[:, :, : STORED_PX // 2] = 255
    views = augment(images, generator(0)).mean(dim=(1, 2))
    mirrored = views[:, INPUT_PX // 2 :].mean(dim=1) > views[:, : INPUT_PX // 2].mean(dim=1)
    assert 20 < int(mirrored.sum()) < 60


# judging


class SaysByColour(torch.nn.Module):
    """Says ``read`` of dark pictures and ``write`` of light ones, and ``unlabelled`` louder than either."""

    def forward(self, images: Tensor) -> tuple[Tensor, None]:
        logits = torch.zeros(len(images), len(OUTPUTS))
        light = images.mean(dim=(1, 2, 3)) > 0.5
        logits[light, OUTPUTS.index("write")] = 1
        logits[~light, OUTPUTS.index("read")] = 1
        logits[:, OUTPUTS.index(NOTHING)] = 2
        return logits, None


def test_nobody_judged_is_nobody_right(tmp_path):
    assert share_right(SaysByColour(), []) == 0
    assert share_right(SaysByColour(), [annotated(draw(tmp_path / "a.png"), [])]) == 0


def test_the_share_counts_students_of_all_images(tmp_path):
    for name, value in (("dark.png", 0), ("light.png", 255)):
        cv2.imwrite(str(tmp_path / name), np.full((HEIGHT, WIDTH, 3), value, np.uint8))
    dark = annotated(tmp_path / "dark.png", [(WRITER, "read"), (READER, "read"), (ASIDE, "stand")])
    light = annotated(tmp_path / "light.png", [(WRITER, "write"), (READER, "lookup")])
    assert share_right(SaysByColour(), [dark]) == pytest.approx(2 / 3)
    assert share_right(SaysByColour(), [dark, light]) == pytest.approx(3 / 5)


# runs that cannot be


def fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on neither people may be looked for nor a network be trained."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("training started")

    monkeypatch.setattr("models.training.detection.find_people", refuse)
    monkeypatch.setattr("models.training.behaviour.train", refuse)


@pytest.mark.parametrize("room", ["R9", "", "r1"])
def test_an_unknown_room_cannot_be_left_out(tmp_path, monkeypatch, room):
    fails(monkeypatch)
    with pytest.raises(TrainingDataError, match=r"R1.*R2") as caught:
        short(small_class(tmp_path / "data"), tmp_path / "out.pt", without_room=room)
    assert repr(room) in str(caught.value)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out.pt").exists()


def test_the_only_room_cannot_be_left_out(tmp_path, monkeypatch):
    fails(monkeypatch)
    data = classroom(tmp_path / "data", {"a.png": USUAL}, {"v.png": USUAL}, {"a.png": "R1", "v.png": "R1"})
    with pytest.raises(TrainingDataError, match="R1"):
        short(data, tmp_path / "out.pt", without_room="R1")


def test_fewer_students_than_a_step_takes_are_refused(tmp_path, found_people):
    data = classroom(tmp_path / "data", {"a.png": USUAL}, {"v.png": USUAL})
    with pytest.raises(TrainingDataError, match=r"\b4\b") as caught:
        short(data, tmp_path / "out.pt", batch=5)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.pt").exists()


def test_an_image_to_judge_on_that_is_none_is_named(tmp_path, found_people):
    data = small_class(tmp_path / "data")
    (data / "images" / "v.png").write_text("Lecture 4", encoding="utf-8")
    with pytest.raises(TrainingDataError, match=r"v\.png: cannot be read as an image; "):
        short(data, tmp_path / "out.pt")


def test_weights_to_start_from_that_are_none_are_named(tmp_path, found_people):
    (tmp_path / "mine.pt").write_text("Lecture 4", encoding="utf-8")
    with pytest.raises(ModelFileError, match=r"mine\.pt: "):
        run(
            small_class(tmp_path / "data"),
            str(tmp_path / "mine.pt"),
            tmp_path / "work",
            tmp_path / "out.pt",
            without_room=None,
            epochs=1,
            batch=4,
            seed=0,
            say=quiet,
        )


# real runs


def test_the_backbone_comes_from_the_detector_and_the_head_does_not():
    torch.manual_seed(0)
    network = build_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fitted = start_from_detector(network, find_weights(str(START)))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert 0 < len(changed) <= fitted < len(before)
    layers = {int(name.split(".")[1]) for name in changed}
    assert layers == set(range(max(layers) + 1))  # from the first on
    assert max(layers) < len(network.model) - 1


def test_a_short_run_writes_weights_that_load(tmp_path, found_people):
    said: list[str] = []
    out = tmp_path / "new" / "mine.pt"
    out.parent.mkdir()
    short(small_class(tmp_path / "data"), out, said.append)
    assert found_people.asked == ["a.png", "b.png", "c.png"]
    assert [line for line in said if line.startswith("epoch 1/1: loss ")]
    assert any("named right of 2 students: " in line for line in said)
    assert any("12 crops" in line for line in said)
    assert [path.name for path in out.parent.iterdir() if path.is_file()] == ["mine.pt"]
    state = torch.load(out, weights_only=True)
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float16}
    assert all(value.isfinite().all() for value in state.values())
    read = BehaviourModel(WeightsFile(out, "", "path"), backend="torch").read(
        cv2.imread(str(tmp_path / "data" / "images" / "v.png")), boxes(WRITER, READER)
    )
    assert read.shape == (2, len(BEHAVIOURS))
    assert (read.sum(axis=1) <= 1 + 1e-6).all()


def test_weights_go_to_a_folder_that_is_not_there_yet(tmp_path, found_people):
    short(small_class(tmp_path / "data"), tmp_path / "new" / "mine.pt")
    assert (tmp_path / "new" / "mine.pt").is_file()


def test_a_room_left_out_is_not_learned_from_but_judged_on(tmp_path, found_people):
    said: list[str] = []
    short(small_class(tmp_path / "data"), tmp_path / "mine.pt", said.append, without_room="R2")
    assert found_people.asked == ["a.png", "b.png"]
    assert any("named right of 4 students: " in line for line in said)  # two each in c.png and v.png


def test_a_run_is_that_of_its_seed(tmp_path, found_people):
    data = small_class(tmp_path / "data")

    def losses(seed: int) -> list[str]:
        said: list[str] = []
        short(data, tmp_path / f"{len(list(tmp_path.iterdir()))}.pt", said.append, seed=seed)
        return [line.partition(",")[0] for line in said if line.startswith("epoch ")]

    first = losses(1)
    assert len(first) == 1
    assert losses(1) == first
    assert losses(2) != first
