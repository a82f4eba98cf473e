"""The detector's own path to OpenVINO: nothing first, then what Ultralytics' predictor finds with the same form."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
from truth import picture

from models.errors import ModelFileError
from models.exported import METADATA, form_folder
from models.openvino_yolo import OpenVinoYolo
from models.registry import SHIPPED_FOLDER

FORM = form_folder(SHIPPED_FOLDER / "students.pt")
ASKED = {"imgsz": 640, "conf": 0.2, "iou": 0.6, "classes": [0, 1], "agnostic_nms": False, "max_det": 200}


@pytest.fixture(scope="module")
def network() -> OpenVinoYolo:
    return OpenVinoYolo(FORM)


@pytest.fixture(scope="module")
def room() -> np.ndarray:
    return picture(60)


def test_an_empty_room(network):
    (found,) = network.predict([np.full((90, 160, 3), 127, np.uint8)], **ASKED)
    assert found.shape == (0, 6)


@pytest.mark.parametrize("missing", [METADATA, "students.xml"])
def test_a_form_that_lacks_something_is_refused(tmp_path, missing):
    folder = tmp_path / FORM.name
    shutil.copytree(FORM, folder)
    (folder / missing).unlink()
    with pytest.raises(ModelFileError, match=r"^students_openvino_model: is not an OpenVINO model"):
        OpenVinoYolo(folder)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(720, 1280), (719, 1277), (1280, 720), (200, 900)])
def test_it_finds_what_ultralytics_finds_with_the_same_form(network, room, size):
    from ultralytics import YOLO

    from models.yolo import keep_quiet

    keep_quiet()
    height, width = size
    images = [
        np.ascontiguousarray(np.resize(room[:height, :width], (height, width, 3))),
        np.zeros((*size, 3), np.uint8),
    ]
    model = YOLO(str(FORM), task="detect")
    model.predict(images[:1], verbose=False, device="cpu", **ASKED)
    model.predictor.model.dynamic = True  # on processors with AMX it would take the size it was traced at instead
    theirs = model.predict(images, verbose=False, device="cpu", **ASKED)
    for ours, one in zip(network.predict(images, **ASKED), theirs, strict=True):
        expected = np.column_stack([part.numpy() for part in (one.boxes.xyxy, one.boxes.conf, one.boxes.cls)])
        np.testing.assert_allclose(ours, expected.reshape(-1, 6), atol=0.02)


def test_pictures_of_one_size_after_another_are_found_as_by_themselves(network, room):
    small = np.ascontiguousarray(room[::2, ::2])
    alone = [OpenVinoYolo(FORM).predict([image], **ASKED)[0] for image in (room, small)]
    for image, expected in zip((room, small, room), (*alone, alone[0]), strict=True):
        np.testing.assert_array_equal(network.predict([image], **ASKED)[0], expected)


@pytest.mark.parametrize("size", [(1, 1), (3, 640), (700, 2), (32, 32), (64, 64)])
def test_pictures_of_hardly_any_size(network, size):
    for imgsz in (32, 160):
        (found,) = network.predict([np.zeros((*size, 3), np.uint8)], **ASKED | {"imgsz": imgsz})
        assert found.shape[1] == 6


def test_neither_pytorch_nor_ultralytics_is_loaded_for_it():
    """They take longer to load than the whole of a short clip's students to find."""
    code = (
        "import sys, numpy as np; from models.behaviour import BehaviourModel; from models.head import HeadModel;"
        "from pipeline.detect import DetectSettings, UltralyticsDetector; from pipeline.settings import Settings;"
        "picture = np.zeros((90, 160, 3), np.uint8); detector = UltralyticsDetector(DetectSettings(), 'cpu');"
        "found, = detector.detect([picture]); detector.read_behaviours(picture, found, np.ones(len(found), bool));"
        "HeadModel().read(np.zeros((2, 64, 64, 3), np.uint8));"
        "print([name for name in ('torch', 'torchvision', 'ultralytics') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_wishes_are_followed(network, room):
    (all_of_them,) = network.predict([room], **ASKED)
    assert len(all_of_them) >= 10
    assert set(all_of_them[:, 5]) <= {0, 1}
    assert len(network.predict([room], **ASKED | {"max_det": 3})[0]) == 3
    assert (network.predict([room], **ASKED | {"conf": 0.6})[0][:, 4] >= 0.6).all()
    assert (network.predict([room], **ASKED | {"classes": [0]})[0][:, 5] == 0).all()


def test_a_picture_is_judged_alike_alone_and_among_others(network, room):
    mirrored = np.ascontiguousarray(room[:, ::-1])
    together = network.predict([room, mirrored], **ASKED)
    for one, image in zip(together, (room, mirrored), strict=True):
        np.testing.assert_allclose(one, network.predict([image], **ASKED)[0], atol=0.5)
