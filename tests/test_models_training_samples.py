"""Reading what generators learn from: annotated pictures and windows of cues."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from test_models_training_behaviour import GROUP_BOX, IN_THE_GROUP, READER, WRITER, annotated, boxes, classroom, draw

from models.behaviour import CROP_SIDE, cut_crops
from models.errors import TrainingDataError
from models.training import samples as module
from models.training.samples import crops_of, read_samples, read_windows
from models.windows import CUES, Departures, windows
from models.yolo import BEHAVIOURS


def quiet(_: str) -> None:
    """Nobody listens."""


def read(data, room=None):
    return read_samples(data, 16, "students", data / "work", room, quiet)


def test_nobody_is_annotated(tmp_path):
    with pytest.raises(TrainingDataError, match="no annotated students"):
        crops_of([annotated(draw(tmp_path / "a.png"), [])], {}, 16)


def test_a_broken_picture_is_named(tmp_path):
    data = classroom(tmp_path, {"a.png": [(WRITER, "write")]}, {})
    (data / "images" / "a.png").write_bytes(b"no picture")
    with pytest.raises(TrainingDataError, match=r"a\.png: cannot be read as an image"):
        read(data)


def test_a_missing_picture_and_a_folder_without_annotation(tmp_path):
    data = classroom(tmp_path, {"a.png": [(WRITER, "write")]}, {})
    (data / "images" / "a.png").unlink()
    with pytest.raises(TrainingDataError, match=r"a\.png: is missing"):
        read(data)
    with pytest.raises(TrainingDataError, match="cannot be read"):
        read(tmp_path / "nowhere")


def test_students_are_cut_out_with_their_class_and_place(tmp_path):
    data = classroom(tmp_path, {"a.png": [(WRITER, "write"), (READER, "read")]}, {})
    made = read(data)
    assert made.pictures
    assert made.counts == dict.fromkeys(BEHAVIOURS, 0) | {"write": 1, "read": 1}
    assert made.sources == ("a.png#5 20 25 60", "a.png#75 10 95 50")
    pixels = cv2.imread(str(data / "images" / "a.png"))
    wanted = cut_crops(pixels, boxes(WRITER, READER), side=CROP_SIDE, px=16)[..., ::-1] / 255
    assert np.allclose(made.x.permute(0, 2, 3, 1).numpy(), wanted, atol=1e-6)


def test_who_is_found_in_a_group_discusses_and_strangers_are_left_out(tmp_path):
    image = annotated(draw(tmp_path / "a.png"), [(WRITER, "write"), (GROUP_BOX, "discuss")])
    made = crops_of([image], {"a.png": boxes(IN_THE_GROUP, (75.0, 55.0, 95.0, 79.0))}, 16)
    assert made.counts["discuss"] == 1
    assert len(made.labels) == 2


def test_people_are_looked_for_only_where_there_are_groups(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "found_people", lambda images, *_: asked.extend(images) or {})
    read(classroom(tmp_path, {"a.png": [(WRITER, "write")], "b.png": [(GROUP_BOX, "discuss"), (READER, "read")]}, {}))
    assert [path.name for path in asked] == ["b.png"]


def test_a_room_is_left_out(tmp_path):
    notes = {"a.png": [(WRITER, "write")], "b.png": [(READER, "read")]}
    data = classroom(tmp_path, notes, {}, {"a.png": "R1", "b.png": "R2"})
    assert {s.partition("#")[0] for s in read(data, "R1").sources} == {"b.png"}
    with pytest.raises(TrainingDataError, match=r"room 'R9' cannot be left out of the rooms \['R1', 'R2'\]"):
        read(data, "R9")


def test_the_digest_tells_samples_apart(tmp_path):
    data = classroom(tmp_path, {"a.png": [(WRITER, "write")], "b.png": [(READER, "read")]}, {})
    assert read(data).sha256 == read(data).sha256
    other = classroom(tmp_path / "other", {"a.png": [(WRITER, "read")], "b.png": [(READER, "read")]}, {})
    assert read(data).sha256 != read(other).sha256


# windows


def test_windows_of_cues_are_read_as_they_are_made(tmp_path):
    values = np.random.default_rng(0).normal(size=(2, 9, len(CUES)))
    made = Departures(np.array([1, 2]), 0, values, np.ones((2, 9), bool))
    rows, _ = windows(made, 5)
    np.savez(tmp_path / "w.npz", windows=rows.reshape(len(rows), 5, len(CUES)))
    read_back = read_samples(tmp_path / "w.npz", 32, "", tmp_path, None, quiet)
    assert not read_back.pictures
    assert read_back.x.shape == (18, 5, len(CUES))
    assert torch.isnan(read_back.x[0, 0]).all()  # before the lecture began
    assert read_back.counts == {"ordinary": 18}
    assert read_back.sources[3] == "w.npz#3"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "holds no windows"),
        ({"windows": np.zeros((3, 4))}, "give .n, time, features. and"),
        ({"windows": np.zeros((0, 4, 2))}, "with n of 1 or more"),
        ({"windows": np.zeros((3, 4, 2)), "labels": np.zeros(2)}, r"labels \(2,\)"),
        ({"windows": np.full((3, 4, 2), np.inf)}, "infinite"),
        ({"windows": np.zeros((3, 4, 2)), "labels": np.array([0, 1, 2]), "names": np.array(["a", "b"])}, "its 2 names"),
    ],
)
def test_files_that_hold_no_windows(tmp_path, content, said):
    np.savez(tmp_path / "w.npz", **content)
    with pytest.raises(TrainingDataError, match=said):
        read_windows(tmp_path / "w.npz")


def test_a_damaged_or_missing_file(tmp_path):
    (tmp_path / "w.npz").write_bytes(b"PK nothing")
    for name in ("w.npz", "none.npz"):
        with pytest.raises(TrainingDataError, match="holds no windows"):
            read_windows(tmp_path / name)
