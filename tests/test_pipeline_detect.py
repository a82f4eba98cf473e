from __future__ import annotations

import pickle
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import batched_nms
from truth import DEMO, PEOPLE, iou, visible

from models.errors import ModelFileError
from models.exported import METADATA, SOURCE, form_folder
from models.registry import SHIPPED_FOLDER, WeightsFile, file_sha256
from models.yolo import BEHAVIOURS
from pipeline.detect import (
    Detections,
    DetectSettings,
    UltralyticsDetector,
    _Classes,
    _read_classes,
    choose_device,
    distinct_people,
    in_groups,
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
        monkeypatch.setattr("pipeline.detect._has_driver", lambda: True)
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
    ("names", "wanted", "groups", "behaviours"),
    [
        ({0: "student"}, [0], [], ()),
        ({0: "person", 1: "bicycle"}, [0], [], ()),
        ({0: "bag", 1: "person", 2: "student"}, [2], [], ()),
        ({0: "student", 1: "discuss"}, [0, 1], [1], ()),
        ({0: "discuss", 1: "write", 4: "student"}, [4, 0], [0], ()),  # of those who write, each is a student too
        ({0: "write", 1: "blackboard", 2: "read"}, [0, 2], [], ("write", "read")),
        ({2: "stand", 5: "read"}, [2, 5], [], ("read", "stand")),  # names in the fixed order of BEHAVIOURS
        (dict(enumerate(reversed(BEHAVIOURS))), list(range(len(BEHAVIOURS))), [], BEHAVIOURS),
    ],
)
def test_classes(names, wanted, groups, behaviours):
    assert _read_classes(names, WEIGHTS) == _Classes(wanted, groups, behaviours)


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


# groups

STUDENT_BOX = (100.0, 100, 200, 300)
NEIGHBOUR = (220.0, 100, 320, 300)
ALONE = (500.0, 100, 600, 300)
AROUND_BOTH = (80.0, 80, 340, 320)


def boxes(*rows: Sequence[float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_nobody_is_in_a_group_where_there_is_none():
    assert in_groups(boxes(), boxes(AROUND_BOTH), np.array([0.9])).shape == (0,)
    assert in_groups(boxes(), boxes(), np.zeros(0)).shape == (0,)
    assert in_groups(boxes(STUDENT_BOX, ALONE), boxes(), np.zeros(0)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (STUDENT_BOX, 0.8),
        (ALONE, 0.0),
        (AROUND_BOTH, 0.8),
        ((300, 100, 400, 300), 0.0),  # four tenths inside
        ((260, 100, 360, 300), 0.8),  # eight tenths
        ((0, 0, 640, 480), 0.0),  # the group is inside, not the student
        ((100, 100, 100, 300), 0.0),  # no width
        ((600, 450, 620, 470), 0.0),  # beyond a corner
    ],
)
def test_who_belongs_to_a_group(box, expected):
    assert in_groups(boxes(box), boxes(AROUND_BOTH), np.array([0.8])).tolist() == [expected]


def test_of_two_groups_the_surer_one_counts():
    groups = boxes(AROUND_BOTH, STUDENT_BOX, ALONE)
    assert in_groups(boxes(STUDENT_BOX, NEIGHBOUR), groups, np.array([0.3, 0.6, 0.9])).tolist() == [0.6, 0.3]


@given(crowds(), crowds())
def test_a_share_in_groups_is_0_or_one_of_their_scores(crowd, groups):
    (students, _), (groups_xyxy, scores) = crowd, groups
    shares = in_groups(students, groups_xyxy, scores)
    assert shares.shape == (len(students),)
    assert ((shares >= 0) & (shares <= 1)).all()
    assert set(shares.tolist()) <= {0.0, *scores.tolist()}
    fewer = in_groups(students, groups_xyxy[1:], scores[1:])
    assert (shares >= fewer).all()  # one group more takes nobody out
    one_by_one = [in_groups(students[i : i + 1], groups_xyxy, scores)[0] for i in range(len(students))]
    assert shares.tolist() == one_by_one


# a model that finds what it is told


@dataclass
class FakeModel:
    """An Ultralytics model that finds the same boxes in every image: (class, score, box)."""

    names: dict[int, str]
    seen: Sequence[tuple[int, float, Sequence[float]]] = ()

    def predict(self, images: list[np.ndarray], **asked: Any) -> list[Any]:
        rows = [row for row in self.seen if row[0] in asked["classes"] and row[1] >= asked["conf"]]
        label, conf = torch.tensor([row[0] for row in rows]), torch.tensor([row[1] for row in rows])
        xyxy = torch.tensor([row[2] for row in rows]).reshape(-1, 4).float()
        kept = batched_nms(xyxy, conf, torch.zeros_like(label) if asked["agnostic_nms"] else label, asked["iou"])
        kept = kept[: asked["max_det"]]
        return [
            SimpleNamespace(boxes=SimpleNamespace(xyxy=xyxy[kept], conf=conf[kept], cls=label[kept].float()))
        ] * len(images)


@dataclass
class FakeReader:
    """Reads the same behaviour from everybody, and notes whom it was shown."""

    names = BEHAVIOURS
    row: np.ndarray = field(default_factory=lambda: np.full(len(BEHAVIOURS), 0.1, np.float32))
    shown: list[np.ndarray] = field(default_factory=list)

    def __call__(self, *_: Any, **__: Any) -> FakeReader:
        return self

    def read(self, image_bgr: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
        self.shown.append(boxes_xyxy)
        return np.tile(self.row, (len(boxes_xyxy), 1))


IMAGE = np.zeros((480, 640, 3), np.uint8)
DISCUSS = BEHAVIOURS.index("discuss")


def detector_of(
    patch: pytest.MonkeyPatch, model: FakeModel, reader: FakeReader | None = None, **settings: Any
) -> UltralyticsDetector:
    patch.setattr("pipeline.detect.load_yolo", lambda *_: model)
    patch.setattr("models.behaviour.BehaviourModel", reader or FakeReader())
    return UltralyticsDetector(DetectSettings(**{"backend": "torch"} | settings), "cpu")


def group_model(*seen: tuple[int, float, Sequence[float]]) -> FakeModel:
    return FakeModel({0: "student", 1: "discuss"}, seen)


def test_a_group_is_nobody(monkeypatch):
    detector = detector_of(monkeypatch, group_model((1, 0.9, AROUND_BOTH)))
    (found,) = detector.detect([IMAGE])
    assert len(found) == 0
    assert found.behaviours.shape == (0, len(BEHAVIOURS))


def test_the_students_of_a_group_are_kept_and_discuss(monkeypatch):
    seen = [(1, 0.95, AROUND_BOTH), (0, 0.8, STUDENT_BOX), (0, 0.7, NEIGHBOUR), (0, 0.6, ALONE)]
    found, again = detector_of(monkeypatch, group_model(*seen)).detect([IMAGE, IMAGE])
    np.testing.assert_allclose(found.boxes_xyxy, boxes(STUDENT_BOX, NEIGHBOUR, ALONE))
    np.testing.assert_allclose(found.scores, [0.8, 0.7, 0.6])
    np.testing.assert_allclose(found.behaviours[:, DISCUSS], [0.95, 0.95, 0], rtol=1e-6)
    assert not np.delete(found.behaviours, DISCUSS, axis=1).any()
    assert (found.boxes_xyxy.dtype, found.scores.dtype, found.behaviours.dtype) == (np.float32,) * 3
    np.testing.assert_array_equal(again.behaviours, found.behaviours)


def test_a_group_about_as_large_as_its_student_does_not_hide_the_student(monkeypatch):
    seen = [(1, 0.95, STUDENT_BOX), (0, 0.5, STUDENT_BOX)]
    (found,) = detector_of(monkeypatch, group_model(*seen)).detect([IMAGE])
    assert found.scores.tolist() == [0.5]
    assert found.behaviours[0, DISCUSS] == pytest.approx(0.95)


def test_groups_tell_nothing_where_no_behaviour_is_asked_for(monkeypatch):
    detector = detector_of(monkeypatch, group_model((1, 0.9, AROUND_BOTH), (0, 0.8, STUDENT_BOX)), behaviour=False)
    (found,) = detector.detect([IMAGE])
    assert detector.behaviour_names == ()
    assert detector.behaviour_weights is None
    assert found.behaviours.shape == (1, 0)
    assert detector.read_behaviours(IMAGE, found, np.ones(1, bool)).behaviours.shape == (1, 0)


def test_a_model_of_behaviours_needs_no_reader(monkeypatch):
    reader = FakeReader()
    model = FakeModel(
        {0: "read", 1: "blackboard", 2: "write"},
        [(2, 0.8, STUDENT_BOX), (0, 0.7, (112, 112, 212, 312)), (1, 0.9, ALONE)],
    )
    detector = detector_of(monkeypatch, model, reader)
    (found,) = detector.detect([IMAGE])
    assert detector.behaviour_names == ("write", "read")
    assert detector.behaviour_weights is None
    np.testing.assert_allclose(found.behaviours, [[0.8, 0]])  # one person does one thing
    np.testing.assert_array_equal(detector.read_behaviours(IMAGE, found, np.ones(1, bool)).behaviours, found.behaviours)
    assert not detector.read_behaviours(IMAGE, found, np.zeros(1, bool)).behaviours.any()
    assert reader.shown == []


# behaviours read from pictures


@pytest.fixture(scope="module")
def reader() -> FakeReader:
    return FakeReader()


@pytest.fixture(scope="module")
def reading(reader: FakeReader) -> UltralyticsDetector:
    """A detector of people with ``reader``."""
    with pytest.MonkeyPatch.context() as patch:
        return detector_of(patch, group_model(), reader)


@st.composite
def seen_people(draw: st.DrawFn) -> tuple[Detections, np.ndarray, np.ndarray]:
    """Detections some of whom a group says something about, whom to read (mask), and a row that is read."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(0, 5))
    behaviours = np.zeros((count, len(BEHAVIOURS)), np.float32)
    behaviours[:, DISCUSS] = rng.choice([0, 0.4, 1], count)
    allowed = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool)
    row = (rng.dirichlet(np.ones(8)) * draw(st.sampled_from([0.0, 0.5, 1.0])))[:7].astype(np.float32)
    return Detections(rng.uniform(0, 400, (count, 4)).astype(np.float32), np.full(count, 0.9), behaviours), allowed, row


@given(seen_people())
def test_only_the_allowed_are_shown_to_the_reader_and_changed(reading, reader, case):
    found, allowed, row = case
    before = found.behaviours.copy()
    reader.row, reader.shown = row, []
    read = reading.read_behaviours(IMAGE, found, allowed)
    (shown,) = reader.shown
    np.testing.assert_array_equal(shown, found.boxes_xyxy[allowed])
    assert not read.behaviours[~allowed].any()  # who said no is not told by a group either
    np.testing.assert_array_equal(found.behaviours, before)
    np.testing.assert_array_equal(read.boxes_xyxy, found.boxes_xyxy)
    np.testing.assert_array_equal(read.scores, found.scores)
    assert read.behaviours.dtype == np.float32
    assert (read.behaviours[allowed] >= before[allowed]).all()
    assert (read.behaviours.sum(axis=1) <= 1 + 1e-6).all()
    alone = allowed & (before[:, DISCUSS] == 0)
    np.testing.assert_array_equal(read.behaviours[alone], np.tile(row, (alone.sum(), 1)))


def test_a_sure_group_leaves_nothing_to_the_reader(reading, reader):
    found = Detections(boxes(STUDENT_BOX), np.array([0.9]), np.eye(7, dtype=np.float32)[[DISCUSS]])
    reader.row = np.full(7, 0.1, np.float32)
    np.testing.assert_array_equal(reading.read_behaviours(IMAGE, found, np.ones(1, bool)).behaviours, found.behaviours)


def test_the_weights_of_the_reader_are_named(reading):
    assert reading.behaviour_names == BEHAVIOURS
    assert reading.behaviour_weights is not None
    assert reading.behaviour_weights.path.name == "behaviour.pt"
    assert reading.behaviour_weights.sha256 == file_sha256(reading.behaviour_weights.path)


# backends


def copy_of_the_detector(folder: Path) -> Path:
    return Path(shutil.copy(SHIPPED_FOLDER / "students.pt", folder))


def test_openvino_without_a_form_is_refused_in_one_sentence(tmp_path):
    path = copy_of_the_detector(tmp_path)
    with pytest.raises(InputError, match=r"^students\.pt: has no OpenVINO form beside it; ") as caught:
        UltralyticsDetector(DetectSettings(weights=str(path), backend="openvino"), "cpu")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", [None, "Lecture 4"])
def test_a_damaged_form_is_refused_in_one_sentence(tmp_path, content):
    path = copy_of_the_detector(tmp_path)
    folder = form_folder(path)
    folder.mkdir()
    (folder / METADATA).write_text(f"{SOURCE}: {file_sha256(path)}", encoding="utf-8")
    if content is not None:
        (folder / "students.xml").write_text(content, encoding="utf-8")
    with pytest.raises(ModelFileError, match=r"^students_openvino_model: is not an OpenVINO model .*; ") as caught:
        UltralyticsDetector(DetectSettings(weights=str(path), behaviour=False), "cpu")
    assert "\n" not in str(caught.value)


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="backend"):
        DetectSettings.model_validate({"backend": "tensorflow"})


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


@pytest.mark.parametrize(
    ("batch", "device", "size", "expected"),
    [
        (3, "cuda:0", (1280, 720), 3),
        (None, "cpu", (3840, 2160), 4),
        (None, "cuda:0", (1280, 720), 16),
        (None, "cuda:0", (3840, 2160), 4),
        (None, "cuda:0", (0, 0), 16),
    ],
)
def test_a_gpu_gets_more_frames_at_once_as_far_as_they_are_small(
    batch: int | None, device: str, size: tuple[int, int], expected: int
) -> None:
    assert DetectSettings(batch=batch).frames_at_once(device, *size) == expected
