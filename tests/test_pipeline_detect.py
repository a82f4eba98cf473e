from __future__ import annotations

import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from truth import DEMO, PEOPLE, iou, visible

from models.errors import ModelFileError
from models.registry import SHIPPED_FOLDER, WeightsFile
from pipeline.detect import (
    BEHAVIOURS,
    Detections,
    DetectSettings,
    UltralyticsDetector,
    _read_classes,
    choose_device,
    distinct_people,
)
from pipeline.errors import InputError
from pipeline.video import VideoReader

NESTED = DetectSettings().nested
WEIGHTS = WeightsFile(Path("some.pt"), "0" * 64, "path")

BODY = (100.0, 100, 200, 400)
UPPER_BODY = (105.0, 105, 195, 250)
WITHOUT_RAISED_ARM = (105.0, 200, 200, 400)
IN_FRONT = (110.0, 220, 200, 430)
BEHIND = (140.0, 100, 190, 180)


def kept(*boxes: tuple[float, ...], scores: tuple[float, ...] | None = None) -> list[int]:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return distinct_people(array, np.array(scores or np.linspace(0.9, 0.5, len(boxes))), NESTED).tolist()


@st.composite
def crowds(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Boxes around few places and sizes, so that many nest, some without area; all scores differ."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(0, 12))
    corners = rng.choice([0.0, 100.0], (count, 2)) + rng.uniform(0, 12, (count, 2))
    sizes = rng.choice([0.0, 60.0, 80.0, 160.0], (count, 2), p=[0.1, 0.3, 0.3, 0.3])
    return np.concatenate([corners, corners + sizes], axis=1).astype(np.float32), rng.permutation(count) / 20 + 0.3


# degenerate rooms


def test_nobody():
    assert kept() == []
    assert distinct_people(np.zeros((0, 4)), np.zeros(0), NESTED).dtype.kind == "i"


def test_detections_of_nobody_can_be_filtered():
    nobody = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 7), np.float32))
    assert len(nobody.keep(np.zeros(0, bool))) == 0
    assert nobody.keep(np.zeros(0, int)).behaviours.shape == (0, 7)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([BODY], [0]),
        ([BODY, BODY], [0]),  # the same person twice
        ([BODY, BODY, BODY], [0]),
        ([BODY, UPPER_BODY], [0]),
        ([BODY, WITHOUT_RAISED_ARM], [0]),
        ([BODY, IN_FRONT], [0, 1]),  # mostly inside, but head and lap of its own lower down
        ([BODY, BEHIND], [0, 1]),  # a small head beside a raised arm
        ([BODY, (300, 100, 400, 400)], [0, 1]),
        ([BODY, (150, 150, 150, 300)], [0, 1]),  # no width: nobody's copy, dropped by the tracker
        ([(5, 5, 5, 9), (5, 5, 5, 9)], [0, 1]),
        ([BODY, (100, 100, 140, 400)], [0, 1]),  # half hidden behind: inside, but the middle is elsewhere
    ],
)
def test_who_is_one_person(boxes, expected):
    assert kept(*boxes) == expected


def test_the_more_confident_of_two_boxes_stays():
    assert kept(BODY, UPPER_BODY, scores=(0.4, 0.6)) == [1]
    assert kept(BODY, UPPER_BODY, scores=(0.6, 0.4)) == [0]


# laws


@given(crowds())
def test_no_two_that_stay_are_one_person_and_all_that_go_have_a_better_one(crowd):
    boxes, scores = crowd
    stay = distinct_people(boxes, scores, NESTED).tolist()
    assert stay == sorted(set(stay))
    for one in stay:
        for other in stay:
            if one != other:
                assert len(distinct_people(boxes[[one, other]], scores[[one, other]], NESTED)) == 2
    for gone in set(range(len(boxes))) - set(stay):
        better = [one for one in stay if scores[one] > scores[gone]]
        assert any(len(distinct_people(boxes[[one, gone]], scores[[one, gone]], NESTED)) == 1 for one in better)


@given(crowds())
def test_filtering_twice_takes_nobody_more(crowd):
    boxes, scores = crowd
    stay = distinct_people(boxes, scores, NESTED)
    assert len(distinct_people(boxes[stay], scores[stay], NESTED)) == len(stay)


@given(crowds(), st.randoms())
def test_who_stays_does_not_depend_on_the_order_given(crowd, random):
    boxes, scores = crowd
    order = np.array(random.sample(range(len(boxes)), len(boxes)), int)
    shuffled = order[distinct_people(boxes[order], scores[order], NESTED)]
    assert sorted(shuffled.tolist()) == distinct_people(boxes, scores, NESTED).tolist()


@given(crowds(), st.lists(st.floats(0.05, 1), min_size=2, max_size=4).map(sorted))
def test_a_pair_kept_at_a_low_limit_is_kept_at_a_higher_one(crowd, limits):
    boxes, scores = crowd
    for one, other in pairwise(range(len(boxes))):
        counts = [len(distinct_people(boxes[[one, other]], scores[[one, other]], limit)) for limit in limits]
        assert counts == sorted(counts)


# devices


@pytest.fixture
def cuda_devices(monkeypatch):
    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


@pytest.mark.parametrize(
    ("count", "name", "device"),
    [
        (0, "auto", "cpu"),
        (2, "auto", "cuda:0"),
        (2, "cpu", "cpu"),
        (2, "cuda", "cuda:0"),
        (2, "cuda:1", "cuda:1"),
        (2, "cuda:01", "cuda:1"),
    ],
)
def test_devices(cuda_devices, count, name, device):
    cuda_devices(count)
    assert choose_device(name) == device


@pytest.mark.parametrize(
    ("count", "name", "message"),
    [
        (0, "cuda", "device 'cuda' is not here (0 CUDA devices found); use --device cpu or auto"),
        (2, "cuda:2", "device 'cuda:2' is not here (2 CUDA devices found); use --device cpu or auto"),
        *[
            (2, name, f"device {name!r} is not known; use auto, cpu or cuda:N")
            for name in ("", "gpu", "cuda:x", "cuda:-1", "cuda:0:1", "cuda:²", ":0", "cpu:0", "cuda:1.0")
        ],
    ],
)
def test_devices_that_are_not_here(cuda_devices, count, name, message):
    cuda_devices(count)
    with pytest.raises(InputError) as caught:
        choose_device(name)
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


# classes


@pytest.mark.parametrize(
    ("names", "classes", "behaviours"),
    [
        ({0: "student"}, [0], ()),
        ({0: "person", 1: "bicycle"}, [0], ()),
        ({0: "bag", 1: "person", 2: "student"}, [2], ()),
        ({0: "write", 1: "blackboard", 2: "read"}, [0, 2], ("write", "read")),
        ({2: "stand", 5: "read"}, [2, 5], ("read", "stand")),  # names in the fixed order of BEHAVIOURS
        (dict(enumerate(reversed(BEHAVIOURS))), list(range(len(BEHAVIOURS))), BEHAVIOURS),
    ],
)
def test_classes(names, classes, behaviours):
    assert _read_classes(names, WEIGHTS) == (classes, behaviours)


@pytest.mark.parametrize("names", [{0: "cat", 1: "dog"}, {0: "Personal computer"}, {}])
def test_classes_without_people_are_refused(names):
    with pytest.raises(ModelFileError, match=r"^some\.pt: knows no student, person or classroom behaviour"):
        _read_classes(names, WEIGHTS)


# files that are no detection model


def text(path: Path) -> None:
    path.write_text("Lecture 4\n" * 50)


def nothing(path: Path) -> None:
    path.touch()


def truncated(path: Path) -> None:
    whole = (SHIPPED_FOLDER / "students.pt").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def without_its_end(path: Path) -> None:
    path.write_bytes((SHIPPED_FOLDER / "students.pt").read_bytes()[:-100])


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"lecture": [1, 2]}))


def tensors(path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, path)


def tensor_as_model(path: Path) -> None:
    torch.save({"model": torch.zeros(3)}, path)


def other_module(path: Path) -> None:
    torch.save({"model": torch.nn.Linear(2, 2)}, path)


@pytest.mark.parametrize(
    "write", [nothing, text, truncated, without_its_end, pickled, tensors, tensor_as_model, other_module]
)
def test_a_file_that_is_no_model_is_refused_in_one_sentence(tmp_path, capsys, write):
    path = tmp_path / "mine.pt"
    write(path)
    with pytest.raises(ModelFileError, match=r"^mine\.pt: .+; give a detection model's \.pt file") as caught:
        UltralyticsDetector(DetectSettings(weights=str(path)), "cpu")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.pt"]


@pytest.mark.parametrize("name", ["mine.onnx", "mine.txt", "mine"])
def test_text_of_another_name_is_refused_in_one_sentence(tmp_path, name):
    text(tmp_path / name)
    with pytest.raises(ModelFileError, match=rf"^{name}: .+; give a detection model's \.pt file"):
        UltralyticsDetector(DetectSettings(weights=str(tmp_path / name)), "cpu")


def test_a_missing_device_is_said_before_weights_are_searched(cuda_devices):
    cuda_devices(0)
    with pytest.raises(InputError, match="cuda:7"):
        UltralyticsDetector(DetectSettings(weights="no-such-file.pt"), "cuda:7")


# a real case


@pytest.mark.slow
def test_in_the_demo_twelve_students_are_found_where_they_are_seen():
    detector = UltralyticsDetector(DetectSettings(), "cpu")
    assert detector.detect([]) == []
    frame = next(iter(VideoReader(DEMO / "classroom.mp4").frames(5)))
    empty_room = np.full_like(frame.image, 128)
    found, nobody = detector.detect([frame.image, empty_room])
    ids, truth = visible(frame.index)
    assert len(ids) == PEOPLE
    assert abs(len(found) - PEOPLE) <= 1
    overlap = iou(found.boxes_xyxy, truth)
    assert (overlap.max(axis=1) >= 0.5).mean() >= 0.85
    assert (overlap.max(axis=0) >= 0.5).mean() >= 0.85
    assert (found.boxes_xyxy.dtype, found.scores.dtype) == (np.float32, np.float32)
    assert ((found.scores >= detector.settings.confidence) & (found.scores <= 1)).all()
    assert found.behaviours.shape == (len(found), len(detector.behaviour_names))
    assert len(nobody) == 0
    assert nobody.boxes_xyxy.shape == (0, 4)
