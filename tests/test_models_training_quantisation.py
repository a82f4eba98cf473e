"""Eight bits: what is refused first, then a detector that still finds the same students."""

from __future__ import annotations

import builtins
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from truth import DEMO, iou

from models.errors import ModelFileError, TrainingDataError
from models.exported import export_detector, form_folder, form_metadata
from models.openvino_yolo import OpenVinoYolo
from models.registry import SHIPPED_FOLDER, find_weights
from models.training.quantisation import FEWEST, MOST, in_eight_bits, pictures_in
from pipeline.video import VideoReader

ASKED = {"imgsz": 640, "conf": 0.2, "iou": 0.6, "classes": [0], "agnostic_nms": True, "max_det": 200}


def many(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        (folder / f"{index:04}.png").touch()
    return folder


@pytest.mark.parametrize("count", [0, FEWEST - 1])
def test_too_few_pictures_are_refused(tmp_path, count):
    folder = many(tmp_path / "frames", count)
    (folder / "notes.txt").touch()
    with pytest.raises(TrainingDataError, match=rf"frames: {count} pictures; give folders with at least {FEWEST}"):
        pictures_in([folder])


def test_pictures_are_taken_evenly_from_all_folders(tmp_path):
    folders = [many(tmp_path / name / "deep", MOST) for name in ("a", "b")]
    chosen = pictures_in(folders)
    assert len(chosen) == len(set(chosen)) == MOST
    assert sum(folders[0] in path.parents for path in chosen) == MOST / 2
    assert pictures_in([many(tmp_path / "c", FEWEST)]) == sorted((tmp_path / "c").iterdir())


def test_without_nncf_it_is_said_what_to_install(monkeypatch):
    load = builtins.__import__

    def without(name, *more):
        if name == "nncf":
            raise ImportError(name)
        return load(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModelFileError, match=r"nncf is not installed.*pip install nncf"):
        in_eight_bits(None, [], 640, 32)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_same_students_are_found_in_eight_bits(tmp_path):
    shutil.copy(SHIPPED_FOLDER / "students.pt", tmp_path)
    (tmp_path / "frames").mkdir()
    with VideoReader(DEMO / "classroom.mp4") as reader:
        pictures = [frame.image for frame in reader.frames(0.4)]
    for index, image in enumerate(pictures):
        cv2.imwrite(str(tmp_path / "frames" / f"{index}.png"), cv2.resize(image, (320, 180)))
    weights = find_weights(str(tmp_path / "students.pt"))
    export_detector(weights, 320)
    whole = OpenVinoYolo(form_folder(weights.path)).predict(pictures[:2], **ASKED)
    size = sum(file.stat().st_size for file in form_folder(weights.path).iterdir())
    export_detector(weights, 320, pictures_in([tmp_path / "frames"]))
    assert form_metadata(form_folder(weights.path))["bits"] == 8
    assert sum(file.stat().st_size for file in form_folder(weights.path).iterdir()) < 0.7 * size
    for before, after in zip(
        whole, OpenVinoYolo(form_folder(weights.path)).predict(pictures[:2], **ASKED), strict=True
    ):
        sure = before[before[:, 4] > 0.4]
        assert len(sure) >= 8
        overlap = iou(sure[:, :4], after[:, :4])
        assert (overlap.max(axis=1) > 0.8).mean() > 0.85
        np.testing.assert_allclose(sure[:, 4], after[overlap.argmax(axis=1), 4], atol=0.25)


def test_the_shipped_detector_is_in_eight_bits():
    assert form_metadata(form_folder(SHIPPED_FOLDER / "students.pt"))["bits"] == 8
