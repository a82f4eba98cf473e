"""OpenVINO forms: used only for the very weights they were made of, and then the answers are the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from networks import pictures, write_behaviour_network
from truth import DEMO, iou

from models.behaviour import WEIGHTS, BehaviourModel
from models.behaviour_net import as_crops
from models.errors import ModelFileError
from models.exported import (
    METADATA,
    SOURCE,
    OpenVinoNetwork,
    export_behaviour,
    export_detector,
    find_form,
    form_folder,
)
from models.registry import SHIPPED_FOLDER, WeightsFile, find_weights
from pipeline.detect import Detections, DetectSettings, UltralyticsDetector
from pipeline.video import VideoReader

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")

ROOT = Path(__file__).resolve().parent.parent
SHA256 = "ab" * 32
TOLERANCE = 0.03
"""Of a probability: weights are halved, and OpenVINO computes in bfloat16 on a CPU that can."""


def write_form(weights: Path, metadata: bytes | None) -> Path:
    """A folder that looks like a form; without metadata where it is None."""
    folder = form_folder(weights)
    folder.mkdir()
    if metadata is not None:
        (folder / METADATA).write_bytes(metadata)
    return folder


def found(weights: Path, sha256: str = SHA256) -> Path | None:
    return find_form(WeightsFile(weights, sha256, "path"))


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


# forms that are none


def test_without_a_folder_there_is_no_form(tmp_path):
    assert found(tmp_path / "mine.pt") is None
    assert found(tmp_path / "nowhere" / "mine.pt") is None


def test_a_file_in_place_of_the_folder_is_no_form(tmp_path):
    form_folder(tmp_path / "mine.pt").touch()
    assert found(tmp_path / "mine.pt") is None


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        b"",
        b"Lecture 4",
        b"- source_sha256",
        b"source_sha256: [",
        b"source_sha256:",
        b"source_sha256: 2026-02-31",  # YAML takes it for a date
        b"\xff\xfe\x00",  # no text
        f"source: {SHA256}".encode(),
        f"source_sha256: {'cd' * 32}".encode(),  # of other weights
        f"source_sha256: {SHA256[:-1]}".encode(),
    ],
)
def test_damaged_metadata_or_those_of_other_weights_are_no_form(tmp_path, metadata):
    write_form(tmp_path / "mine.pt", metadata)
    assert found(tmp_path / "mine.pt") is None


def test_the_form_beside_the_weights_is_found(tmp_path):
    folder = write_form(tmp_path / "mine.pt", f"source_sha256: {SHA256}".encode())
    write_form(tmp_path / "yours.pt", f"source_sha256: {'cd' * 32}".encode())
    assert found(tmp_path / "mine.pt") == folder
    assert found(tmp_path / "yours.pt") is None
    assert folder.parent == tmp_path


@pytest.mark.parametrize("content", [None, b"", b"Lecture 4"])
def test_a_folder_without_a_network_is_refused_in_one_sentence(tmp_path, content):
    folder = tmp_path / "mine_openvino_model"
    folder.mkdir()
    if content is not None:
        (folder / "mine.xml").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"^mine_openvino_model: is not an OpenVINO model .*; ") as caught:
        OpenVinoNetwork(folder)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("export", [export_behaviour, lambda weights: export_detector(weights, 320)])
def test_what_is_no_network_is_not_exported(tmp_path, export):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "mine.pt")
    with pytest.raises(ModelFileError, match=r"^mine\.pt: "):
        export(find_weights(str(tmp_path / "mine.pt")))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.pt"]


# the behaviour network


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> WeightsFile:
    """A network that tells pictures apart, and its form."""
    path = write_behaviour_network(tmp_path_factory.mktemp("telling") / "behaviour.pt")
    weights = find_weights(str(path))
    export_behaviour(weights)
    return weights


def both(weights: WeightsFile) -> tuple[BehaviourModel, BehaviourModel]:
    """The network in PyTorch and in OpenVINO."""
    usual, fast = BehaviourModel(weights, backend="torch"), BehaviourModel(weights)
    assert usual.network is not None
    assert fast.network is None, "the form is not used"
    return usual, fast


def test_the_form_of_the_behaviour_network_answers_alike(telling):
    usual, fast = both(telling)
    crops = as_crops(pictures(7))
    expected = usual.probabilities(crops)
    assert np.ptp(expected, axis=0).max() > 4 * TOLERANCE, "the pictures are all the same to this network"
    for some in (slice(0, 7), slice(0, 1), slice(2, 4)):
        np.testing.assert_allclose(fast.probabilities(crops[some]), expected[some], atol=TOLERANCE)


def test_the_form_reads_students_as_the_network_does(telling):
    usual, fast = both(telling)
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    students = np.array([[20, 30, 60, 100], [150, -10, 320, 90]], np.float32)
    np.testing.assert_allclose(fast.read(image, students), usual.read(image, students), atol=TOLERANCE)
    assert fast.read(image, students[:0]).shape == (0, 7)


def test_the_form_of_the_shipped_behaviour_network_answers_alike(tmp_path):
    shutil.copy(WEIGHTS, tmp_path)
    weights = find_weights(str(tmp_path / WEIGHTS.name))
    folder = export_behaviour(weights)
    usual, fast = both(weights)
    crops = as_crops(pictures(6))
    np.testing.assert_allclose(fast.probabilities(crops), usual.probabilities(crops), atol=TOLERANCE)
    assert size(folder) < 4 << 20


def test_the_form_carries_the_sha256_and_names_no_place(telling):
    folder = form_folder(telling.path)
    assert find_form(telling) == folder
    assert yaml.safe_load((folder / METADATA).read_text(encoding="utf-8")) == {SOURCE: telling.sha256}
    for file in folder.iterdir():
        content = file.read_bytes()
        assert str(telling.path.parent).encode() not in content
        assert str(ROOT).encode() not in content


def test_a_form_is_left_aside_once_the_weights_are_others(tmp_path, telling):
    path = write_behaviour_network(tmp_path / "behaviour.pt", seed=1)
    shutil.copytree(form_folder(telling.path), form_folder(path))
    assert BehaviourModel(find_weights(str(path))).network is not None


def test_exporting_again_replaces_the_form_whole(tmp_path):
    path = write_behaviour_network(tmp_path / "behaviour.pt")
    folder = write_form(path, b"old")
    (folder / "old.xml").touch()
    (tmp_path / "behaviour_openvino_model.partial").mkdir()  # of an export that was interrupted
    export_behaviour(find_weights(str(path)))
    assert sorted(entry.name for entry in folder.iterdir()) == ["behaviour.bin", "behaviour.xml", METADATA]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["behaviour.pt", folder.name]


def test_reading_and_making_a_form_sends_nothing(tmp_path, telling):
    """OpenVINO reports its use to its makers by itself, and notes so in the home folder. Here it may not."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    code = (
        "import sys; from models.behaviour import BehaviourModel; from models.registry import find_weights\n"
        "from models.exported import export_behaviour\n"
        "weights = find_weights(sys.argv[1]); BehaviourModel(weights, backend='openvino'); export_behaviour(weights)"
    )
    copy = tmp_path / telling.path.name
    shutil.copy(telling.path, copy)
    shutil.copytree(form_folder(telling.path), form_folder(copy))
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(copy)],
        check=True,
        cwd=ROOT,
        env=environment | nowhere | {"HOME": str(home)},
        timeout=120,
    )
    assert not (home / "intel").exists()


# the detector


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> WeightsFile:
    """A copy of the shipped detector with its form, traced at another size than it is used at."""
    folder = tmp_path_factory.mktemp("detector")
    shutil.copy(SHIPPED_FOLDER / "students.pt", folder)
    weights = find_weights(str(folder / "students.pt"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("nowhere"))
        export_detector(weights, 320)
        assert list(Path.cwd().iterdir()) == []
    return weights


def people(weights: WeightsFile, backend: str, image: np.ndarray) -> Detections:
    settings = DetectSettings.model_validate({"weights": str(weights.path), "backend": backend, "behaviour": False})
    return UltralyticsDetector(settings, "cpu").detect([image])[0]


@pytest.mark.slow
def test_the_form_of_the_detector_finds_the_same_students(exported):
    """Half precision moves boxes by a few px and scores by about 0.01, more where a CPU computes in bfloat16."""
    image = next(iter(VideoReader(DEMO / "classroom.mp4").frames(5))).image
    usual, fast = people(exported, "torch", image), people(exported, "auto", image)
    assert (usual.scores != fast.scores[: len(usual)]).any() or len(usual) != len(fast), "the form is not used"
    for some, others in ((usual, fast), (fast, usual)):
        sure = some.keep(some.scores > 0.35)  # the others may fall below the limit of 0.25
        assert len(sure) >= 10
        overlap = iou(sure.boxes_xyxy, others.boxes_xyxy)
        assert (overlap.max(axis=1) >= 0.9).all()
        np.testing.assert_allclose(sure.scores, others.scores[overlap.argmax(axis=1)], atol=0.05)


@pytest.mark.slow
def test_the_form_of_the_detector_is_small_and_names_no_place(exported):
    folder = form_folder(exported.path)
    assert find_form(exported) == folder
    assert size(folder) <= 8 << 20
    metadata = (folder / METADATA).read_text(encoding="utf-8")
    assert yaml.safe_load(metadata)[SOURCE] == exported.sha256
    assert " /" not in metadata.replace("https://", "")
    for file in folder.iterdir():
        content = file.read_bytes()
        assert str(exported.path.parent).encode() not in content
        assert str(ROOT).encode() not in content
    assert sorted(entry.name for entry in exported.path.parent.iterdir()) == ["students.pt", folder.name]


def test_openvino_is_used_without_its_telemetry(tmp_path: Path) -> None:
    """Its own import reports to a web analytics service and leaves an identifier in the user's home."""
    code = (
        "import sys; from models.behaviour import BehaviourModel; BehaviourModel();"
        "import openvino; print(sys.modules.get('openvino_telemetry'))"
    )
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[1]
    )
    assert (done.stdout.strip(), done.returncode) == ("None", 0), done.stderr
    assert not (tmp_path / "intel").exists()
