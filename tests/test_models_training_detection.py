"""Fine-tuning the detector: runs and data that cannot be used, what is learned from an image, and a real short run."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import engage
from models.errors import TrainingDataError
from models.registry import SHIPPED_FOLDER, WeightsFile, find_weights
from models.training.annotations import AnnotatedImage
from models.training.detection import (
    CLASSES,
    RUNS_FOLDER,
    Augmentation,
    DetectorRun,
    build_dataset,
    read_run,
    run_training,
    training_boxes,
)
from models.yolo import BEHAVIOURS, keep_quiet, load_yolo

keep_quiet()  # before Ultralytics is imported

from models.training.trainer import CameraFaults, finished_weights, with_classes  # noqa: E402

START = SHIPPED_FOLDER / "students.pt"
WIDTH, HEIGHT = 100, 80
NOBODY = np.zeros((0, 4), np.float32)

WRITER = (10.0, 20.0, 40.0, 60.0)
READER = (60.0, 10.0, 90.0, 50.0)
GROUP_BOX = (0.0, 0.0, 100.0, 80.0)
FOUND = (42.0, 30.0, 58.0, 70.0)
"""Someone the general model sees and nobody annotated."""

Notes = Sequence[tuple[tuple[float, ...], str]]
Say = Callable[[str], None]


def quiet(_: str) -> None:
    """Nobody listens."""


def boxes(*rows: Sequence[float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def draw(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """A picture of noise with a bright patch, always the same for the same name."""
    rng = np.random.default_rng(sum(map(ord, path.name)))
    pixels = rng.integers(0, 120, (size[1], size[0], 3), np.uint8)
    pixels[size[1] // 4 : size[1] // 2, size[0] // 3 : size[0] // 2] = 240
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)
    return path


def classroom(
    folder: Path,
    train: dict[str, Notes],
    val: dict[str, Notes],
    *,
    rooms: dict[str, str] | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Path:
    """A data folder: train.json, val.json and images/; ``rooms`` names the room of an image."""
    for split, images in (("train", train), ("val", val)):
        content: dict[str, Any] = {"images": [], "annotations": []}
        content["categories"] = [{"id": i, "name": name} for i, name in enumerate(BEHAVIOURS)]
        for key, (name, notes) in enumerate(images.items()):
            draw(folder / "images" / name, size)
            entry = {"id": key, "file_name": name, "width": size[0], "height": size[1]}
            content["images"].append(entry | {"room": (rooms or {}).get(name, "")})
            for (x1, y1, x2, y2), label in notes:
                made = {"id": len(content["annotations"]), "image_id": key, "category_id": BEHAVIOURS.index(label)}
                content["annotations"].append(made | {"bbox": [x1, y1, x2 - x1, y2 - y1]})
        (folder / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@dataclass
class FoundPeople:
    """In place of ``find_people``: knows what is in an image by its name."""

    known: dict[str, np.ndarray]
    asked: list[str]

    def __call__(
        self,
        images: Sequence[Path],
        weights: WeightsFile,
        cache: Path,
        *,
        sizes: Sequence[int],
        confidence: float,
        say: Say,
    ) -> dict[str, np.ndarray]:
        self.asked += [path.name for path in images]
        return {path.name: self.known.get(path.name, NOBODY) for path in images}


@pytest.fixture
def found_people(monkeypatch: pytest.MonkeyPatch) -> FoundPeople:
    fake = FoundPeople({}, [])
    monkeypatch.setattr("models.training.detection.find_people", fake)
    return fake


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails as soon as a trainer is made or people are looked for."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("training started")

    monkeypatch.setattr("models.training.detection.find_people", refuse)
    monkeypatch.setattr("models.training.trainer.ClassroomTrainer", refuse)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work from: nothing may be looked for, or left, in the user's."""
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(folder)
    return folder


def short_run(**changed: Any) -> DetectorRun:
    return DetectorRun(start=str(START), **changed)


def sentence_of(caught: pytest.ExceptionInfo[TrainingDataError]) -> str:
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.exit_code == 2
    return text


# runs


def test_a_run_that_is_not_there(tmp_path):
    with pytest.raises(TrainingDataError, match=r"mine\.yaml: cannot be read") as caught:
        read_run(tmp_path / "mine.yaml")
    sentence_of(caught)


NOT_YAML = [b"labels: [", b"a: b: c", b"labels: students\n\tepochs: 3", b"\xff\xfe\x00", b"\x00"]


@pytest.mark.parametrize("content", NOT_YAML)
def test_a_run_that_is_not_yaml(tmp_path, content):
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(TrainingDataError, match=r"mine\.yaml: cannot be read") as caught:
        read_run(file)
    sentence_of(caught)


@pytest.mark.parametrize(
    ("content", "field", "value"),
    [
        ("- students", "the file", "['students']"),
        ("students", "the file", "'students'"),
        ("labels: teachers", "labels", "'teachers'"),
        ("epoch: 3", "epoch", "3"),  # a slip of the pen
        ("epochs: 0", "epochs", "0"),
        ("epochs: many", "epochs", "'many'"),
        ("imgsz: 1000", "imgsz", "1000"),  # no multiple of 32
        ("freeze: 99", "freeze", "99"),
        ("lr: .nan", "lr", "nan"),
        ("pseudo_confidence: 1", "pseudo_confidence", "1"),
        ("pseudo_sizes: []", "pseudo_sizes", "[]"),
        ("augment: {blur: 2}", "augment.blur", "2"),
        ("augment: {shear: 2}", "augment.shear", "2"),
    ],
)
def test_a_field_that_cannot_be_right(tmp_path, content, field, value):
    file = tmp_path / "mine.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(TrainingDataError) as caught:
        read_run(file)
    text = sentence_of(caught)
    assert text.startswith(f"{file}: {field}: ")
    assert f"given: {value}" in text


def test_an_empty_file_is_a_run_with_every_default(tmp_path):
    (tmp_path / "mine.yaml").touch()
    assert read_run(tmp_path / "mine.yaml") == DetectorRun()


def test_runs_are_committed():
    assert {"students.yaml", "behaviours.yaml"} <= {file.name for file in RUNS_FOLDER.glob("*.yaml")}


@pytest.mark.parametrize("file", sorted(RUNS_FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_committed_run_is_what_its_file_says(file):
    run = read_run(file)
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert file.stem.startswith(written["labels"])
    varied = written.pop("augment", {})
    assert run.model_dump(include=set(written)) == written
    assert run.augment.model_dump(include=set(varied)) == varied
    assert run.augment.close_mosaic < run.epochs


# what is learned from an image


def annotated(*notes: tuple[tuple[float, ...], str]) -> AnnotatedImage:
    labels = tuple(name for _, name in notes)
    return AnnotatedImage(Path("a.png"), (WIDTH, HEIGHT), "", boxes(*(box for box, _ in notes)), labels)


@pytest.mark.parametrize(
    ("notes", "found", "names"),
    [
        ([], [], {"students": [], "behaviours": []}),
        ([], [FOUND], {"students": ["student"], "behaviours": ["student"]}),
        ([(WRITER, "write")], [], {"students": ["student"], "behaviours": ["write"]}),
        ([(WRITER, "write")], [WRITER], {"students": ["student"], "behaviours": ["write"]}),
        (
            [(WRITER, "write"), (READER, "stand")],
            [FOUND, WRITER],
            {"students": ["student"] * 3, "behaviours": ["write", "stand", "student"]},
        ),
        ([(GROUP_BOX, "discuss")], [], {"students": ["discuss"], "behaviours": ["discuss"]}),
        # who sits in a group's box is a student of its own
        (
            [(GROUP_BOX, "discuss"), (READER, "read")],
            [READER, FOUND],
            {"students": ["discuss", "student", "student"], "behaviours": ["discuss", "read", "student"]},
        ),
    ],
)
@pytest.mark.parametrize("labels", list(CLASSES))
def test_what_an_image_teaches(labels, notes, found, names):
    learned, numbers = training_boxes(annotated(*notes), boxes(*found), labels)
    assert [CLASSES[labels][number] for number in numbers] == names[labels]
    without_annotation = [box for box in found if box not in [box for box, _ in notes]]
    np.testing.assert_array_equal(learned, boxes(*(box for box, _ in notes), *without_annotation))
    assert numbers.dtype.kind == "i"


@pytest.mark.parametrize("labels", list(CLASSES))
@given(st.lists(st.sampled_from(BEHAVIOURS), max_size=6), st.integers(0, 6))
def test_every_box_has_a_class_of_the_run(labels, annotated_names, strangers):
    def column(place: int, row: int) -> tuple[float, ...]:
        return 30.0 * place, 50.0 * row, 30.0 * place + 20, 50.0 * row + 40

    image = annotated(*((column(place, 0), name) for place, name in enumerate(annotated_names)))
    found = boxes(*(column(place, 1) for place in range(strangers)))
    learned, numbers = training_boxes(image, found, labels)
    assert len(learned) == len(numbers) == len(annotated_names) + strangers
    known = [name if name in CLASSES[labels] else "student" for name in annotated_names]
    assert [CLASSES[labels][number] for number in numbers] == known + ["student"] * strangers


# the data set


def build(data: Path, work: Path, views: Path | None = None, **changed: Any) -> Path:
    return build_dataset(data, views, short_run(**changed), work, quiet)


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def rows(file: Path) -> list[list[float]]:
    return [[float(value) for value in line.split()] for line in file.read_text(encoding="utf-8").splitlines() if line]


def test_a_data_folder_without_annotation(tmp_path, no_training):
    with pytest.raises(TrainingDataError, match=r"train\.json: cannot be read") as caught:
        build(tmp_path, tmp_path / "work")
    sentence_of(caught)


def test_validation_data_are_read_before_anything_is_done(tmp_path, no_training):
    data = classroom(tmp_path / "data", {"a.png": [(WRITER, "write")]}, {})
    with pytest.raises(TrainingDataError, match=r"val\.json: annotates no boxes"):
        build(data, tmp_path / "work")
    (data / "val.json").unlink()
    with pytest.raises(TrainingDataError, match=r"val\.json: cannot be read"):
        build(data, tmp_path / "work")
    assert not (tmp_path / "work").exists()


ROOMS = {"a.png": "R1", "b.png": "R2", "v.png": "R1"}


def two_rooms(folder: Path) -> Path:
    train = {"a.png": [(WRITER, "write")], "b.png": [(READER, "read")]}
    return classroom(folder, train, {"v.png": [(WRITER, "stand")]}, rooms=ROOMS)


@pytest.mark.parametrize("room", ["R3", "", "r1"])
def test_a_room_to_leave_out_that_nobody_knows(tmp_path, no_training, room):
    with pytest.raises(TrainingDataError, match=r"is not one of the rooms \['R1', 'R2'\]") as caught:
        build(two_rooms(tmp_path / "data"), tmp_path / "work", without_room=room)
    assert repr(room) in sentence_of(caught)


def test_nothing_left_to_train_on(tmp_path, no_training):
    train: dict[str, Notes] = {"a.png": [(WRITER, "write")], "b.png": []}
    data = classroom(tmp_path / "data", train, {"v.png": [(WRITER, "stand")]}, rooms=ROOMS)
    with pytest.raises(TrainingDataError, match="nothing is left to train on without room R1") as caught:
        build(data, tmp_path / "work", without_room="R1")
    sentence_of(caught)


def test_the_room_left_out_is_neither_learned_nor_looked_at(tmp_path, found_people):
    build(two_rooms(tmp_path / "data"), tmp_path / "work", without_room="R2")
    assert found_people.asked == ["a.png"]
    assert tree(tmp_path / "work" / "data" / "images") == ["train/data_a.png", "val/data_v.png"]


def test_the_layout_and_the_label_values(tmp_path, found_people):
    train: dict[str, Notes] = {"a.png": [(WRITER, "write"), (GROUP_BOX, "discuss")], "b.png": []}
    data = classroom(tmp_path / "data", train, {"v.png": [(READER, "stand")], "w.png": []})
    found_people.known = {"a.png": boxes(FOUND, WRITER), "v.png": boxes(FOUND)}
    file = build(data, tmp_path / "work")
    folder = file.parent
    assert tree(folder) == [
        "data.yaml",
        *(f"images/{name}" for name in ("train/data_a.png", "train/data_b.png", "val/data_v.png", "val/data_w.png")),
        *(f"labels/{name}" for name in ("train/data_a.txt", "train/data_b.txt", "val/data_v.txt", "val/data_w.txt")),
    ]
    described = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert described["names"] == {0: "student", 1: "discuss"}
    assert [(Path(described["path"]) / described[split]).is_dir() for split in ("train", "val")] == [True, True]
    assert (folder / "images" / "train" / "data_a.png").read_bytes() == (data / "images" / "a.png").read_bytes()
    assert rows(folder / "labels" / "train" / "data_a.txt") == [
        [0, 0.25, 0.5, 0.3, 0.5],
        [1, 0.5, 0.5, 1.0, 1.0],
        [0, 0.5, 0.625, 0.16, 0.5],
    ]
    assert rows(folder / "labels" / "train" / "data_b.txt") == []
    assert rows(folder / "labels" / "val" / "data_v.txt") == [[0, 0.75, 0.375, 0.3, 0.5]]  # as annotated, not as found
    assert found_people.asked == ["a.png", "b.png"]


def test_classes_by_behaviour(tmp_path, found_people):
    found_people.known = {"a.png": boxes(FOUND)}
    file = build(two_rooms(tmp_path / "data"), tmp_path / "work", labels="behaviours")
    assert yaml.safe_load(file.read_text(encoding="utf-8"))["names"] == dict(enumerate((*BEHAVIOURS, "student")))
    labels = file.parent / "labels"
    assert [row[0] for row in rows(labels / "train" / "data_a.txt")] == [BEHAVIOURS.index("write"), len(BEHAVIOURS)]
    assert [row[0] for row in rows(labels / "val" / "data_v.txt")] == [BEHAVIOURS.index("stand")]


def test_built_again_only_the_new_data_are_there(tmp_path, found_people):
    data = two_rooms(tmp_path / "data")
    build(data, tmp_path / "work")
    before = tree(tmp_path / "work")
    build(data, tmp_path / "work")
    assert tree(tmp_path / "work") == before
    build(data, tmp_path / "work", without_room="R1")
    assert "data/images/train/data_b.png" in tree(tmp_path / "work")
    assert "data/images/train/data_a.png" not in tree(tmp_path / "work")


def test_people_found_in_other_data_are_not_taken_for_those_in_these(tmp_path, monkeypatch):
    """Two data sets may well both hold a 0001.png; what is found in one says nothing of the other."""
    monkeypatch.setattr("models.training.pseudo_labels.load_yolo", lambda _: BrightPatches())
    learned: list[list[list[float]]] = []
    for name, size in (("one", (WIDTH, HEIGHT)), ("two", (2 * WIDTH, HEIGHT))):
        val = {"v.png": [(WRITER, "stand")]}
        data = classroom(tmp_path / name, {"0001.png": [((5, 55, 25, 75), "read")]}, val, size=size)
        file = build(data, tmp_path / "runs" / name)
        learned.append(rows(file.parent / "labels" / "train" / f"{name}_0001.txt")[1:])
    assert learned[0] == learned[1]  # the patch is drawn at the same share of either picture
    assert len(learned[0]) == 1


class BrightPatches:
    """In place of a general detector: people are bright patches."""

    names: dict[int, str] = {0: "person"}  # noqa: RUF012

    def predict(self, image: np.ndarray, **_: Any) -> list[Any]:
        from types import SimpleNamespace

        y, x = np.nonzero(image.min(axis=2) > 200)
        found = torch.tensor([[x.min(), y.min(), x.max() + 1, y.max() + 1]], dtype=torch.float32)
        return [SimpleNamespace(boxes=SimpleNamespace(xyxy=found, conf=torch.ones(1)))]


# stills of another room


def stills(folder: Path, count: int) -> Path:
    for number in range(count):
        draw(folder / "images" / f"{number:02}.jpg", (200, 100))
    return folder


@pytest.mark.parametrize(("count", "kept_out"), [(0, 0), (0, 3), (2, 2), (2, 30)])
def test_no_stills_are_left(tmp_path, found_people, count, kept_out):
    views = stills(tmp_path / "views", count)
    with pytest.raises(TrainingDataError, match=rf"views: images/ leaves no stills .*last {kept_out} ") as caught:
        build(two_rooms(tmp_path / "data"), tmp_path / "work", views, views_kept_out=kept_out)
    sentence_of(caught)


def test_the_last_stills_are_kept_out_and_the_others_teach_found_students(tmp_path, found_people):
    views = stills(tmp_path / "views", 4)
    (views / "images" / "notes.txt").touch()
    found_people.known = {"00.jpg": boxes((20, 10, 60, 90), (30, 20, 50, 40)), "01.jpg": boxes((150, 50, 230, 120))}
    file = build(two_rooms(tmp_path / "data"), tmp_path / "work", views, views_kept_out=2, labels="behaviours")
    assert found_people.asked == ["00.jpg", "01.jpg", "a.png", "b.png"]
    labels = file.parent / "labels" / "train"
    assert [path.name for path in sorted(labels.glob("views_*"))] == ["views_00.txt", "views_01.txt"]
    student = len(BEHAVIOURS)
    assert rows(labels / "views_00.txt") == [[student, 0.2, 0.5, 0.2, 0.8]]  # a box within another is the same person
    assert rows(labels / "views_01.txt") == [[student, 0.875, 0.75, 0.25, 0.5]]  # cut at the edge
    assert not list((file.parent / "labels" / "val").glob("views_*"))


def test_annotated_heads_complete_what_was_found_in_the_stills(tmp_path, found_people):
    views = stills(tmp_path / "views", 2)
    found_people.known = {"00.jpg": boxes((20, 10, 60, 90))}
    table = "image,x1,y1,x2,y2\n00.jpg,30,10,50,30\n01.jpg,130,10,150,30\n77.jpg,1,1,9,9\n"
    (views / "heads.csv").write_text(table, encoding="utf-8")
    file = build(two_rooms(tmp_path / "data"), tmp_path / "work", views, views_kept_out=0)
    labels = file.parent / "labels" / "train"
    assert rows(labels / "views_00.txt") == [[0, 0.2, 0.5, 0.2, 0.8]]
    assert rows(labels / "views_01.txt") == [[0, 0.7, 0.5, 0.2, 0.8]]


# cheap cameras

SHARES = ("blur", "low_light", "compression")


def faults(**shares: float) -> CameraFaults:
    return CameraFaults(Augmentation(**(dict.fromkeys(SHARES, 0.0) | shares)))


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32), st.sets(st.sampled_from(SHARES)), st.booleans())
def test_faults_keep_shape_kind_and_the_picture_given(height, width, seed, names, mirrored):
    image = noise(height, width, seed)[:, :: -1 if mirrored else 1]
    before = image.copy()
    labels = {"img": image, "cls": "untouched"}
    random.seed(seed)
    changed = faults(**dict.fromkeys(names, 1.0))(labels)
    assert changed["img"].shape == before.shape
    assert changed["img"].dtype == np.uint8
    assert changed["cls"] == "untouched"
    np.testing.assert_array_equal(image, before)  # Ultralytics keeps it for the next mosaic
    if not names:
        np.testing.assert_array_equal(changed["img"], before)


@pytest.mark.parametrize("name", SHARES)
def test_a_fault_is_one(name):
    image = np.full((40, 40, 3), 200, np.uint8)
    image[10:30, 10:30] = 40
    random.seed(0)
    changed = faults(**{name: 1.0})({"img": image})["img"]
    assert (changed != image).any()
    assert abs(changed.astype(float) - image).mean() < 150  # still the same picture


def test_low_light_is_darker():
    random.seed(1)
    assert faults(low_light=1.0)({"img": noise(40, 40)})["img"].mean() < 0.8 * noise(40, 40).mean()


def test_faults_are_those_of_the_seed():
    usual = CameraFaults(Augmentation(blur=0.5, low_light=0.5, compression=0.5))

    def views(seed: int) -> np.ndarray:
        random.seed(seed)
        return np.stack([usual({"img": noise(20, 20)})["img"] for _ in range(8)])

    np.testing.assert_array_equal(views(3), views(3))
    assert (views(3) != views(4)).any()
    assert len(np.unique(views(3), axis=0)) > 2  # and not the same one every time


# work folders and weights files


def test_another_run_in_the_same_folder_is_refused(tmp_path, no_training):
    work = tmp_path / "work"
    (work / "train" / "weights").mkdir(parents=True)
    (work / "train" / "weights" / "last.pt").write_bytes(b"hours of work")
    (work / "run.json").write_text(json.dumps(short_run(epochs=3).model_dump(mode="json")), encoding="utf-8")
    data, out = two_rooms(tmp_path / "data"), tmp_path / "students.pt"
    with pytest.raises(TrainingDataError, match=r"work: holds another run; .*--work") as caught:
        run_training(data, None, short_run(epochs=4), work, out, device="cpu", say=quiet)
    sentence_of(caught)
    assert (work / "train" / "weights" / "last.pt").read_bytes() == b"hours of work"
    assert not out.exists()


def test_finished_weights_name_no_place(tmp_path):
    content = torch.load(START, map_location="cpu", weights_only=False)
    network = (content.get("ema") or content["model"]).float()
    places = ("model", "data", "project", "save_dir", "pretrained", "resume")
    content["train_args"] |= {place: str(tmp_path / "home" / f"{place}.pt") for place in places} | {"epochs": 7}
    network.args = dict(content["train_args"])
    checkpoint, out = tmp_path / "last.pt", tmp_path / "done.pt"
    torch.save(content | {"ema": network, "optimizer": {"state": str(tmp_path)}}, checkpoint)
    assert str(tmp_path).encode() in checkpoint.read_bytes()
    finished_weights(checkpoint, out, find_weights(str(START)), 1.0)
    assert str(tmp_path).encode() not in out.read_bytes()
    written = torch.load(out, map_location="cpu", weights_only=False)
    assert "optimizer" not in written
    assert [written["train_args"][key] for key in ("data", "epochs")] == ["data.pt", 7]
    assert {value.dtype for value in written["model"].parameters()} == {torch.float16}
    assert load_yolo(WeightsFile(out, "", "path")).names == {0: "student", 1: "discuss"}


def shipped_network() -> Any:
    return torch.load(START, map_location="cpu", weights_only=False)["model"].float().eval()


@pytest.mark.parametrize("names", [("student",), ("write", "discuss", "student")])
def test_every_new_class_starts_as_a_person_but_a_group_starts_unsure(names):
    known = shipped_network()
    network = with_classes(known, names)
    image = torch.rand(1, 3, 320, 320, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before, after = known(image)[0], network.eval()(image)[0]
    assert after.shape[1] == 4 + len(names)
    torch.testing.assert_close(after[:, :4], before[:, :4])
    for row, name in enumerate(names):
        if name == "discuss":
            assert float(after[:, 4 + row].max()) < 0.01
        else:
            torch.testing.assert_close(after[:, 4 + row], before[:, 4])
    assert list(network.names.values()) == list(names)
    assert list(known.names.values()) == ["student", "discuss"]  # the one given is left alone


def test_a_blend_lies_between_start_and_result(tmp_path):
    network = shipped_network()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    checkpoint, out = tmp_path / "last.pt", tmp_path / "done.pt"
    torch.save({**torch.load(START, map_location="cpu", weights_only=False), "model": network}, checkpoint)
    finished_weights(checkpoint, out, find_weights(str(START)), 0.25)
    made = torch.load(out, map_location="cpu", weights_only=False)["model"].float()
    for name, value in shipped_network().named_parameters():
        torch.testing.assert_close(made.get_parameter(name), value + 0.25, atol=0.02, rtol=2e-3)


class InstantTrainer:
    """In place of Ultralytics' trainer: finishes at once, with the weights it starts from."""

    def __init__(self, *, overrides: dict[str, Any], augmentation: Augmentation, say: Say) -> None:
        self.last = Path(overrides["project"]) / overrides["name"] / "weights" / "last.pt"

    def train(self) -> None:
        self.last.parent.mkdir(parents=True)
        content = torch.load(START, map_location="cpu", weights_only=False)
        torch.save(content, self.last)


def test_weights_go_to_a_folder_that_is_not_there_yet(tmp_path, found_people, monkeypatch):
    monkeypatch.setattr("models.training.trainer.ClassroomTrainer", InstantTrainer)
    out = tmp_path / "new" / "students.pt"
    run_training(two_rooms(tmp_path / "data"), None, short_run(), tmp_path / "work", out, device="cpu", say=quiet)
    assert [path.name for path in out.parent.iterdir()] == ["students.pt"]


# a real run

RUN = {"epochs": 2, "imgsz": 320, "batch": 2, "freeze": 10, "augment": Augmentation(close_mosaic=1)}


def three_images(folder: Path) -> Path:
    notes: Notes = [(WRITER, "write"), (READER, "read"), (GROUP_BOX, "discuss")]
    train: dict[str, Notes] = {"a.png": notes, "b.png": notes[:2], "c.png": []}
    return classroom(folder, train, {"v.png": notes[:1]})


@dataclass(frozen=True)
class Trained:
    """What a run of two epochs left and did."""

    folder: Path
    out: Path
    said: list[str]
    faults: int
    asked_for: list[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    folder = tmp_path_factory.mktemp("trained")
    said: list[str] = []
    seen: list[int] = []
    hosts: list[str] = []
    usual = CameraFaults.__call__

    def counted(self: CameraFaults, labels: dict[str, Any]) -> dict[str, Any]:
        seen.append(len(labels))
        return usual(self, labels)

    def offline(host: str, *_: Any, **__: Any) -> None:
        hosts.append(host)
        raise OSError("no network in this test")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("nowhere"))
        patch.setattr("models.training.detection.find_people", FoundPeople({"a.png": boxes(FOUND)}, []))
        patch.setattr(CameraFaults, "__call__", counted)
        patch.setattr(socket, "getaddrinfo", offline)
        out = folder / "students.pt"
        run_training(
            three_images(folder / "data"), None, short_run(**RUN), folder / "work", out, device="cpu", say=said.append
        )
        yield Trained(folder, out, said, len(seen), hosts)


def epochs_of(said: list[str]) -> list[str]:
    return [line.split(":")[0] for line in said if line.startswith("epoch ")]


@pytest.mark.slow
def test_the_weights_of_a_run_load_and_are_small(trained):
    model = load_yolo(find_weights(str(trained.out)))
    assert model.names == {0: "student", 1: "discuss"}
    assert trained.out.stat().st_size < 1.1 * START.stat().st_size
    written = torch.load(trained.out, map_location="cpu", weights_only=False)
    assert {value.dtype for value in written["model"].parameters()} == {torch.float16}
    assert model.predict(noise(96, 96), imgsz=320, verbose=False)[0].boxes.xyxy.shape[1] == 4
    assert epochs_of(trained.said) == ["epoch 1/2", "epoch 2/2"]
    assert not list(trained.folder.glob("*.partial"))


@pytest.mark.slow
def test_the_weights_of_a_run_name_no_place(trained):
    place = str(trained.folder).encode()
    assert place in (trained.folder / "work" / "train" / "weights" / "last.pt").read_bytes()
    assert place not in trained.out.read_bytes()
    assert str(SHIPPED_FOLDER).encode() not in trained.out.read_bytes()
    arguments = torch.load(trained.out, map_location="cpu", weights_only=False)["train_args"]
    assert [key for key, value in arguments.items() if Path(str(value)).is_absolute()] == []


@pytest.mark.slow
def test_the_first_layers_stay_and_the_others_learn(trained):
    first, last = (load_yolo(find_weights(str(path))).model.state_dict() for path in (START, trained.out))
    moved = {
        int(name.split(".")[1])
        for name, value in first.items()
        if value.is_floating_point() and value.shape == last[name].shape and not torch.allclose(value, last[name])
    }
    assert moved, "nothing was learned"
    assert min(moved) == RUN["freeze"] or min(moved) > RUN["freeze"]


@pytest.mark.slow
def test_every_training_image_passes_the_faults_once_an_epoch(trained):
    """With mosaic, in the first epoch, and without it, in the second."""
    assert trained.faults == 3 * 2


@pytest.mark.slow
def test_training_asks_nothing_of_the_network(trained):
    assert trained.asked_for == []


class StopError(Exception):
    """The power fails."""


@pytest.mark.slow
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, found_people):
    data, work, out = three_images(tmp_path / "data"), tmp_path / "work", tmp_path / "students.pt"
    said: list[str] = []

    def train(say: Say, **changed: Any) -> None:
        run_training(data, None, short_run(**(RUN | changed)), work, out, device="cpu", say=say)

    def fail_after_one(line: str) -> None:
        if line.startswith("epoch 1/"):
            raise StopError

    with pytest.raises(StopError):
        train(fail_after_one)
    last = work / "train" / "weights" / "last.pt"
    assert last.is_file()
    assert not out.exists()
    before = last.read_bytes()
    with pytest.raises(TrainingDataError, match="holds another run"):
        train(said.append, seed=1)
    assert last.read_bytes() == before
    looked_at = len(found_people.asked)
    train(said.append)
    assert epochs_of(said) == ["epoch 2/2"]
    assert f"going on with {last}" in said
    assert len(found_people.asked) == looked_at  # the data set is there already
    assert load_yolo(find_weights(str(out))).names == {0: "student", 1: "discuss"}
    assert str(tmp_path).encode() not in out.read_bytes()

    out.unlink()  # lost, or never written because the disk was full
    said.clear()
    train(said.append)
    assert epochs_of(said) == []
    assert load_yolo(find_weights(str(out))).names == {0: "student", 1: "discuss"}


# the command


def command(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(engage.app, ["train", "detector", *map(str, arguments)])
    assert result.stdout == ""
    (line,) = result.stderr.strip().splitlines()
    return result.exit_code, line


def test_the_command_needs_a_folder_with_annotation(tmp_path, no_training, elsewhere):
    data = tmp_path / "data"
    data.mkdir()
    code, line = command(data, "--out", tmp_path / "students.pt")
    assert code == 2
    assert line.startswith(f"error: {data / 'train.json'}: cannot be read (No such file or directory); ")
    assert not (tmp_path / "students.pt").exists()
    assert tree(elsewhere) == []


def test_a_refused_training_leaves_nothing_behind(tmp_path, no_training, elsewhere):
    command(tmp_path / "nowhere")
    assert list(elsewhere.iterdir()) == []


def test_the_command_refuses_a_run_that_cannot_be_right(tmp_path, no_training):
    (tmp_path / "mine.yaml").write_text("epochs: -1", encoding="utf-8")
    code, line = command(two_rooms(tmp_path / "data"), "--run", tmp_path / "mine.yaml")
    assert code == 2
    assert "mine.yaml: epochs: " in line


def test_the_command_refuses_an_unknown_room_and_unknown_weights(tmp_path, no_training):
    data, work = two_rooms(tmp_path / "data"), tmp_path / "work"
    code, line = command(data, "--work", work, "--start", START, "--without-room", "R9")
    assert (code, "'R9'" in line, "R1" in line) == (2, True, True)
    code, line = command(data, "--work", work, "--start", tmp_path / "gone.pt")
    assert (code, "gone.pt" in line) == (2, True)
    assert not list(work.rglob("*.pt"))


def test_the_command_runs_what_its_options_say(tmp_path, monkeypatch):
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        "models.training.detection.run_training",
        lambda data, views, run, work, out, *, device, say: asked.append((data, views, run, work, out, device)),
    )
    options = ["--start", "mine.pt", "--without-room", "R2", "--views", "stills", "--device", "0", "--out", "x.pt"]
    for more in ([], ["--run", str(RUNS_FOLDER / "behaviours.yaml"), *options]):
        assert CliRunner().invoke(engage.app, ["train", "detector", "data", *more]).exit_code == 0
    usual, changed = asked
    shipped = read_run(RUNS_FOLDER / "students.yaml")
    assert usual == (Path("data"), None, shipped, Path("runs/detector/students"), Path("students.pt"), "cpu")
    rival = read_run(RUNS_FOLDER / "behaviours.yaml").model_copy(update={"start": "mine.pt", "without_room": "R2"})
    work = Path("runs/detector/behaviours-without-R2")
    assert changed == (Path("data"), Path("stills"), rival, work, Path("x.pt"), "0")
