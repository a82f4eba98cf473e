"""The TensorRT form of a detector: where there is none, then all around it with TorchScript, another of Ultralytics'
formats, in its place. TensorRT itself needs an NVIDIA GPU.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from truth import DEMO
from typer.testing import CliRunner

import engage
import models.tensorrt_yolo
from models.errors import ModelFileError
from models.exported import METADATA, SOURCE
from models.registry import WeightsFile, find_weights
from models.tensorrt_yolo import TensorRtYolo, engine_folder, export_engine, find_engine
from models.yolo import load_yolo
from pipeline.detect import DetectSettings, UltralyticsDetector
from pipeline.errors import InputError
from pipeline.video import VideoReader

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")

TRACED = 320


@pytest.fixture
def copied(tmp_path: Path) -> WeightsFile:
    """The shipped detector by itself, without forms."""
    return find_weights(str(shutil.copy(find_weights("students").path, tmp_path / "mine.pt")))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    """Such a form in TorchScript, of two pictures at once."""
    weights = find_weights(str(shutil.copy(find_weights("students").path, tmp_path_factory.mktemp("made") / "mine.pt")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.tensorrt_yolo, "FORMAT", "torchscript")
        patch.setattr(models.tensorrt_yolo, "ENDING", ".torchscript")
        patch.setattr(models.tensorrt_yolo, "PRECISION", {})
        export_engine(weights, TRACED, 2, "cpu")
        yield weights


def test_without_a_gpu_it_is_refused_in_one_sentence(copied):
    settings = DetectSettings(weights=str(copied.path), backend="tensorrt")
    with pytest.raises(InputError, match=r"^the backend tensorrt needs an NVIDIA GPU; use --backend auto"):
        UltralyticsDetector(settings, "cpu")


def test_where_none_was_made_that_is_said(copied, monkeypatch):
    monkeypatch.setattr("pipeline.detect.choose_device", lambda name: "cuda:0")
    settings = DetectSettings(weights=str(copied.path), backend="tensorrt")
    with pytest.raises(InputError, match=r"^mine\.pt: has no TensorRT form beside it; .*--tensorrt$"):
        UltralyticsDetector(settings, "auto")


def test_where_it_cannot_be_made_nothing_is_left(copied):
    done = CliRunner().invoke(engage.app, ["train", "export", "--tensorrt", "--detector", str(copied.path)])
    assert done.exit_code == 2
    assert "mine.pt: no TensorRT form could be made on cuda:0 (" in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert [one.name for one in copied.path.parent.iterdir()] == ["mine.pt"]


@pytest.mark.parametrize("metadata", [None, b"", b"names: 3", b"names: {0: student}\nimgsz: x\nbatch: 1"])
def test_a_damaged_form_is_refused_in_one_sentence(tmp_path, metadata):
    folder = engine_folder(tmp_path / "mine.pt")
    folder.mkdir()
    if metadata is not None:
        (folder / METADATA).write_bytes(metadata)
    with pytest.raises(ModelFileError, match=r"^mine_tensorrt_engine: is not a TensorRT form of a detector; "):
        TensorRtYolo(folder, "cpu", TRACED)


def test_an_engine_that_does_not_run_here_is_refused_in_one_sentence(tmp_path):
    folder = engine_folder(tmp_path / "mine.pt")
    folder.mkdir()
    (folder / METADATA).write_text("names: {0: student}\nimgsz: 320\nbatch: 1", encoding="utf-8")
    (folder / "mine.engine").write_bytes(b"of another GPU")
    with pytest.raises(
        ModelFileError, match=r"^mine_tensorrt_engine: does not run on cpu \(.*; an engine is"
    ) as caught:
        TensorRtYolo(folder, "cpu", TRACED)
    assert "\n" not in str(caught.value)


def test_it_is_of_these_weights_only(made, tmp_path):
    assert find_engine(made) == engine_folder(made.path)
    assert find_engine(WeightsFile(made.path, "cd" * 32, "path")) is None
    assert find_engine(WeightsFile(tmp_path / "mine.pt", made.sha256, "path")) is None


def test_it_says_what_it_was_made_of_and_names_no_place(made):
    folder = engine_folder(made.path)
    told = yaml.safe_load((folder / METADATA).read_text(encoding="utf-8"))
    assert told == {SOURCE: made.sha256, "names": dict(load_yolo(made).names), "imgsz": TRACED, "batch": 2}
    assert sorted(one.name for one in folder.iterdir()) == [METADATA, "mine.torchscript"]


def test_too_large_an_input_is_refused_in_one_sentence(made):
    with pytest.raises(ModelFileError, match=r"^mine_tensorrt_engine: takes pictures up to 640 px, not 672; "):
        TensorRtYolo(engine_folder(made.path), "cpu", 672)


def test_it_finds_what_the_weights_find_however_many_pictures_there_are(made):
    with VideoReader(DEMO / "classroom.mp4") as reader:
        images = [frame.image for frame in reader.frames(1)][:5]
    form, usual = TensorRtYolo(engine_folder(made.path), "cpu", TRACED), load_yolo(made)
    assert form.names == dict(usual.names)
    asked = {"imgsz": TRACED, "conf": 0.3}
    expected = usual.predict(images, device="cpu", verbose=False, **asked)
    assert sum(len(one.boxes) for one in expected) > 20
    for count in (0, 1, 2, 5):
        found = form.predict(images[:count], **asked)
        assert len(found) == count
        for mine, its in zip(found, expected, strict=False):
            np.testing.assert_allclose(mine.boxes.data.numpy(), its.boxes.data.numpy(), atol=0.05)
