"""Making synthetic samples: what is refused, what is kept and listed, a stop on the way, and reading them again."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch

from models.augment import Gate, neighbours_say
from models.diffusion import Diffusion, Noising
from models.errors import TrainingDataError
from models.generator import Generator
from models.latent import Pixels, Standardised
from models.samplers import Sampling
from models.training import synthetic as module
from models.training.behaviour import STORED_PX, Crops, with_synthetic
from models.training.samples import Samples
from models.training.synthetic import Order, make, read_manifest, read_pictures
from models.yolo import BEHAVIOURS

HOW = Sampling(steps=2)


def pictures(stand: int = 8, write: int = 12) -> Samples:
    labels = torch.tensor([0] * stand + [1] * write)
    # all nearly black: what an untrained generator draws is grey, and so no copy
    x = 0.1 * torch.rand(len(labels), 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return Samples(x, labels, ("stand", "write", "read"), tuple(f"a.png#{i}" for i in range(len(labels))))


def untrained(samples: Samples) -> Generator:
    shape = tuple(samples.x.shape[1:])
    codec = Pixels(shape) if samples.pictures else Standardised.of(samples.x)
    model = Diffusion(shape, len(samples.names), Noising(), 16)
    model.network.eval()
    return Generator(codec, model, samples.names, samples.sha256)


def every_other(x: torch.Tensor) -> torch.Tensor:
    """Says class 0 of about half of all pictures."""
    middle = x.flatten(1)[:, 0]
    return (middle > middle.median()).long()


def order(**wanted: int) -> Order:
    return Order(wanted, HOW, 3, {"generator": "g"})


def do(samples, out, wanted, *, says=None, gate=None, tell=lambda name, done, of: None, lines=None):
    gate = gate or Gate(samples.x, says or (lambda x: torch.zeros(len(x), dtype=torch.long)))
    return make(samples, untrained(samples), gate, wanted, out, tell, (lines if lines is not None else []).append)


# refused


@pytest.mark.parametrize(
    ("wanted", "said"),
    [({"dance": 3}, "class 'dance' is not known"), ({"read": 3}, "class 'read' has no samples")],
)
def test_classes_that_cannot_be_made(tmp_path, wanted, said):
    with pytest.raises(TrainingDataError, match=said):
        do(pictures(), tmp_path / "out", order(**wanted))
    assert not (tmp_path / "out").exists()


def test_a_class_with_one_sample(tmp_path):
    with pytest.raises(TrainingDataError, match="class 'stand' has 1 sample in the data"):
        do(pictures(stand=1), tmp_path / "out", order(stand=3))


def test_a_generator_of_other_samples(tmp_path):
    samples, others = pictures(), pictures(stand=9)
    gate = Gate(samples.x, every_other)
    with pytest.raises(TrainingDataError, match="learned from other samples"):
        make(samples, untrained(others), gate, order(stand=3), tmp_path, lambda *_: None, [].append)


# made


def test_what_is_made_is_listed_with_its_nearest_real_one(tmp_path):
    samples = pictures()
    manifest = do(samples, tmp_path / "out", order(stand=5, write=2), says=None)
    assert manifest["classes"]["stand"] == {
        "real": 8,
        "wanted": 5,
        "kept": 5,
        "drawn": 32,
        "refused_class": 0,
        "refused_copy": 0,
    }
    assert manifest["classes"]["write"]["kept"] == 0  # the classifier says stand of everything
    assert manifest["classes"]["write"]["refused_class"] == manifest["classes"]["write"]["drawn"] == 32
    assert [row["file"] for row in manifest["samples"]] == [f"stand/{i:04d}.png" for i in range(5)]
    gate = Gate(samples.x, every_other)
    for row in manifest["samples"]:
        picture = cv2.imread(str(tmp_path / "out" / row["file"]))[..., ::-1] / 255
        x = torch.tensor(picture.copy(), dtype=torch.float32).permute(2, 0, 1)[None]
        distance, nearest = gate.distances(x)
        assert samples.sources[int(nearest)] == row["nearest"]
        assert float(distance) == pytest.approx(row["distance"], abs=0.01)
        assert row["distance"] > manifest["copy_limit"]
    names = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert names == ["manifest.json", "stand.png", *(f"stand/{i:04d}.png" for i in range(5))]
    assert read_manifest(tmp_path / "out") == manifest == json.loads(json.dumps(manifest))


def test_when_too_few_pass_it_ends_and_says_why(tmp_path):
    lines: list[str] = []
    gate = Gate(pictures().x, lambda x: torch.zeros(len(x), dtype=torch.long))
    gate.limit = float("inf")  # everything is a copy
    manifest = do(pictures(), tmp_path / "out", order(stand=6), gate=gate, lines=lines)
    assert manifest["samples"] == []
    assert lines == ["stand: 0 of 6 wanted; of 64 drawn 0 look like another class and 64 too much like a real one"]


def test_windows_go_into_one_file(tmp_path):
    x = 0.05 * torch.randn(30, 5, 10, generator=torch.Generator().manual_seed(0))
    x += torch.tensor([-1.0, -1, 1, 1]).repeat(8)[:30, None, None]  # what is drawn lies between, and so is no copy
    samples = Samples(x, torch.arange(30) % 2, ("calm", "busy"), tuple(f"w.npz#{i}" for i in range(30)))
    manifest = do(samples, tmp_path / "out", order(calm=3), says=neighbours_say(x, samples.labels))
    with np.load(tmp_path / "out" / "windows.npz") as content:
        assert content["windows"].shape == (len(manifest["samples"]), 5, 10)
        assert content["names"].tolist() == ["calm", "busy"]
        assert (content["labels"] == 0).all()
    assert len(manifest["samples"]) == 3


# a stop


class Stop(KeyboardInterrupt):
    pass


def test_a_stopped_work_ends_as_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 4)
    samples = pictures()
    straight = do(samples, tmp_path / "straight", order(stand=8), says=every_other)

    def stop(name: str, done: int, of: int) -> None:
        if done >= 3:
            raise Stop

    with pytest.raises(Stop):
        do(samples, tmp_path / "out", order(stand=8), says=every_other, tell=stop)
    assert not (tmp_path / "out" / "manifest.json").exists()
    first = (tmp_path / "out" / "parts" / "stand-0.pt").stat().st_mtime_ns
    with pytest.raises(TrainingDataError, match="holds samples of another order"):
        do(samples, tmp_path / "out", order(stand=7), says=every_other)
    kept: list[int] = []

    def look(name: str, done: int, of: int) -> None:
        kept.append((tmp_path / "out" / "parts" / "stand-0.pt").stat().st_mtime_ns)

    assert do(samples, tmp_path / "out", order(stand=8), says=every_other, tell=look) == straight
    assert set(kept) == {first}  # not drawn again
    for row in straight["samples"]:
        assert (tmp_path / "out" / row["file"]).read_bytes() == (tmp_path / "straight" / row["file"]).read_bytes()


def test_what_is_there_is_not_made_again(tmp_path):
    lines: list[str] = []
    first = do(pictures(), tmp_path / "out", order(stand=2))
    again = do(pictures(), tmp_path / "out", order(stand=2), lines=lines)
    assert again == first
    assert lines == [f"{tmp_path / 'out'}: is there already"]
    with pytest.raises(TrainingDataError, match="holds samples of another order; give another --out"):
        do(pictures(), tmp_path / "out", order(stand=3))


# reading, and learning from them


@pytest.mark.parametrize("content", [None, "", "[]", '{"format": 99}'])
def test_no_manifest(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(TrainingDataError, match="is no list of synthetic samples"):
        read_pictures(tmp_path)


def test_a_damaged_picture_is_named(tmp_path):
    do(pictures(), tmp_path / "out", order(stand=2))
    assert read_pictures(tmp_path / "out")[1] == ["stand", "stand"]
    (tmp_path / "out" / "stand" / "0001.png").write_bytes(b"nothing")
    with pytest.raises(TrainingDataError, match=r"0001\.png: cannot be read as an image"):
        read_pictures(tmp_path / "out")


def test_the_behaviour_classifier_may_learn_from_them(tmp_path):
    do(pictures(), tmp_path / "out", order(stand=3))
    real = Crops(torch.zeros(2, STORED_PX, STORED_PX, 3, dtype=torch.uint8), torch.tensor([0, 1]))
    drawn, names = read_pictures(tmp_path / "out")
    both = with_synthetic(real, drawn, names)
    assert both.images.shape == (5, STORED_PX, STORED_PX, 3)
    assert both.labels.tolist() == [0, 1, *[BEHAVIOURS.index("stand")] * 3]
    middle = cv2.resize(both.images[2].numpy()[25:150, 25:150], (16, 16), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(middle.ravel(), drawn[0].ravel())[0, 1] > 0.9
    assert with_synthetic(real, [], []) is real
    with pytest.raises(TrainingDataError, match="synthetic pictures of 'dance'"):
        with_synthetic(real, drawn, ["stand", "dance", "write"])
