"""``engage train diffusion`` and ``engage augment`` as typed: one sentence for what cannot be, and whole walks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_models_training_behaviour import READER, WRITER, classroom
from typer.testing import CliRunner

import engage
from models.training import diffusion as training
from models.windows import CUES, Departures, windows


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "SHOWN_PER_CLASS", 1)
    monkeypatch.chdir(tmp_path)


def type_in(*words: object) -> tuple[int, str]:
    """The exit code, and what was said, on one line."""
    result = CliRunner().invoke(engage.app, [str(word) for word in words])
    return result.exit_code, " ".join((result.output + result.stderr).split())


@pytest.fixture
def rooms(tmp_path) -> Path:
    """Six students who write, six who read, one who stands; nobody raises a hand."""
    notes = {f"{i}.png": [(WRITER, "write"), (READER, "read")] for i in range(6)}
    notes["0.png"] = [*notes["0.png"], ((40.0, 20.0, 60.0, 70.0), "stand")]
    return classroom(tmp_path / "rooms", notes, {})


@pytest.fixture
def cues(tmp_path) -> Path:
    """Windows of cues of calm students (class 0) and restless ones (class 1), as models.windows makes them."""
    values = np.random.default_rng(0).normal(size=(2, 30, len(CUES)))
    values[1] *= 8
    rows, places = windows(Departures(np.array([1, 2]), 0, values, np.ones((2, 30), bool)), 5)
    names = np.array(["calm", "restless"])
    np.savez(tmp_path / "w.npz", windows=rows.reshape(-1, 5, len(CUES)), labels=places[:, 0], names=names)
    return tmp_path / "w.npz"


FEW = ("--steps", 3, "--batch", 4, "--width", 16)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "diffusion", "nowhere"), "cannot be read"),
        (("train", "diffusion", "nowhere.npz"), "holds no windows"),
        (("train", "diffusion", "nowhere", "--px", 40), "--px 40 is not a multiple of 16; give one, such as 32"),
        (("train", "diffusion", "nowhere", "--width", 30), "--width 30 is not a multiple of 16"),
        (("train", "diffusion", "nowhere", "--px", 64, "--width", 32), "--width 32 is too narrow for --px 64; give 48"),
        (("augment", "nowhere"), "diffusion.pt: no such generator; make one with: engage train diffusion"),
        (("augment", "nowhere", "--n", 3), "--n 3 needs a class; name it with --class"),
    ],
)
def test_what_cannot_be_is_one_sentence(words, said):
    code, output = type_in(*words)
    assert code == 2
    assert said in output
    assert "Traceback" not in output


def test_latent_windows_and_broken_pictures(rooms, cues):
    code, output = type_in("train", "diffusion", cues, "--latent", 4)
    assert (code, "--latent 4 is for pictures" in output) == (2, True)
    (rooms / "images" / "3.png").write_bytes(b"broken")
    code, output = type_in("train", "diffusion", rooms)
    assert (code, "3.png: cannot be read as an image; replace it" in output) == (2, True)


def test_pictures_from_training_to_the_manifest(rooms, tmp_path):
    code, output = type_in("train", "diffusion", rooms, "--px", 16, *FEW, "--out", "g.pt")
    assert code == 0, output
    assert "stand: 1 samples are too few to learn from; left out" in output
    assert (tmp_path / "g.png").is_file()
    for kind, said in (
        ("dance", "class 'dance' is not known; give one of write, read"),
        ("raise_hand", "class 'raise_hand' has no samples"),
        ("stand", "class 'stand' has 1 sample in the data"),
    ):
        code, output = type_in("augment", rooms, "--class", kind, "--n", 2, "--model", "g.pt")
        assert (code, said in output) == (2, True), output
    code, output = type_in("augment", rooms, "--class", "write", "--sampler", "sde", "--model", "g.pt")
    assert (code, "--sampler sde needs a generator trained with --process ve" in output) == (2, True)
    words = ("augment", rooms, "--class", "write", "--n", 200, "--sampler", "ddim", "--steps", 2, "--model", "g.pt")
    code, output = type_in(*words)
    assert code == 0, output
    assert "write: 6 instead of 200, as there are 6 real ones" in output
    manifest = json.loads((tmp_path / "synthetic" / "manifest.json").read_text())
    told = manifest["classes"]["write"]
    assert told["wanted"] == 6
    assert told["drawn"] >= told["kept"] + told["refused_class"] + told["refused_copy"]
    assert len(list((tmp_path / "synthetic" / "write").glob("*.png"))) == told["kept"] == len(manifest["samples"])
    code, output = type_in(*words)
    assert (code, "is there already" in output) == (0, True)


def test_windows_from_training_to_the_manifest(cues, tmp_path):
    code, output = type_in("train", "diffusion", cues, "--process", "ve", *FEW)
    assert code == 0, output
    words = ("augment", cues, "--class", "calm", "--n", 4, "--sampler", "sde", "--steps", 4, "--max-ratio", 2)
    code, output = type_in(*words)
    assert code == 0, output
    with np.load(tmp_path / "synthetic" / "windows.npz") as content:
        assert content["windows"].shape[1:] == (5, len(CUES))
    code, output = type_in("augment", cues, "--sampler", "sde", "--out", "more")
    assert (code, "no class is scarce; name one with --class" in output) == (2, True)


def test_other_data_than_it_learned_from(cues, tmp_path):
    assert type_in("train", "diffusion", cues, *FEW)[0] == 0
    with np.load(cues) as content:
        np.savez(tmp_path / "other.npz", **{**content, "windows": content["windows"] + 1})
    code, output = type_in("augment", "other.npz", "--class", "calm", "--steps", 2)
    assert (code, "the generator learned from other samples than these" in output) == (2, True)
