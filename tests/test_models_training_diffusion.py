"""One training of a generator: too few samples, a stop on the way, and all that is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.choices import Process
from models.diffusion import Noising, Training
from models.errors import TrainingDataError
from models.generator import load
from models.latent import Latent
from models.training import diffusion as module
from models.training.diffusion import Plan, learnable, run
from models.training.samples import Samples

QUICK = Plan(Noising(), Training(steps=6, batch=8), 16)


def pictures(counts: dict[str, int], seed: int = 0) -> Samples:
    labels = torch.cat([torch.full((n,), place) for place, n in enumerate(counts.values())]).long()
    x = torch.rand(len(labels), 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return Samples(x, labels, tuple(counts), tuple(f"a.png#{i}" for i in range(len(labels))))


def windows(count: int = 20) -> Samples:
    x = torch.randn(count, 5, 10, generator=torch.Generator().manual_seed(0))
    x[0, 0, 0] = float("nan")
    return Samples(x, torch.arange(count) % 2, ("calm", "busy"), tuple(f"w.npz#{i}" for i in range(count)))


def train(samples: Samples, plan: Plan, out: Path, lines: list[str] | None = None, tell=lambda done, of: None):
    said = [] if lines is None else lines
    return run(samples, plan, out, device="cpu", tell=tell, say=said.append)


def weights(path: Path) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in load(path).model.network.parameters()])


# too few


@pytest.mark.parametrize("counts", [{"stand": 0, "write": 0}, {"stand": 1, "write": 4}])
def test_no_class_has_enough(counts, tmp_path):
    with pytest.raises(TrainingDataError, match="no class has 5 samples or more"):
        train(pictures(counts), QUICK, tmp_path / "g.pt")
    assert not list(tmp_path.iterdir())


def test_a_class_with_one_sample_is_left_out_and_named():
    lines: list[str] = []
    kept = learnable(pictures({"stand": 1, "write": 6, "read": 0}), lines.append)
    assert lines == ["stand: 1 samples are too few to learn from; left out"]
    assert kept.counts == {"stand": 0, "write": 6, "read": 0}
    assert kept.sources == tuple(f"a.png#{i}" for i in range(1, 7))


# whole


@pytest.mark.parametrize(
    ("samples", "plan"),
    [
        (pictures({"stand": 6, "write": 9}), QUICK),
        (pictures({"stand": 6, "write": 9}), Plan(Noising(), Training(steps=4, batch=8), 16, latent=4, vae_steps=3)),
        (pictures({"stand": 6}), Plan(Noising(Process.EXPLODING), Training(steps=3, batch=8), 16)),
        (windows(), QUICK),
    ],
    ids=["pixels", "latent", "exploding", "windows"],
)
def test_a_generator_and_a_picture_are_written_and_nothing_else(tmp_path, samples, plan, monkeypatch):
    monkeypatch.setattr(module, "SHOWN_PER_CLASS", 1)
    steps: list[tuple[int, int]] = []
    train(samples, plan, tmp_path / "g.pt", tell=lambda done, of: steps.append((done, of)))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["g.png", "g.pt"]
    made = load(tmp_path / "g.pt")
    assert made.codec.shape == tuple(samples.x.shape[1:])
    assert isinstance(made.codec, Latent) == bool(plan.latent)
    assert made.trained_on == samples.sha256
    assert steps == [(step, plan.training.steps) for step in range(1, plan.training.steps + 1)]


# a stop


class Stop(KeyboardInterrupt):
    pass


@pytest.mark.parametrize("latent", [0, 3])
def test_a_stopped_training_ends_as_one_that_was_not(tmp_path, monkeypatch, latent):
    monkeypatch.setattr(module, "KEEP_EVERY", 2)
    monkeypatch.setattr(module, "_show", lambda made, labels, plan: torch.zeros(1, 3, 16, 16))
    samples = pictures({"stand": 6, "write": 9})
    plan = Plan(Noising(), Training(steps=7, batch=4), 16, latent=latent, vae_steps=3)
    train(samples, plan, tmp_path / "straight.pt")

    def stop(done: int, of: int) -> None:
        if done == 5:
            raise Stop

    with pytest.raises(Stop):
        train(samples, plan, tmp_path / "g.pt", tell=stop)
    assert not (tmp_path / "g.pt").exists()
    lines: list[str] = []
    train(samples, plan, tmp_path / "g.pt", lines)
    assert lines[0] == "goes on at step 4 of 7"
    assert torch.equal(weights(tmp_path / "g.pt"), weights(tmp_path / "straight.pt"))
    assert not (tmp_path / "g.pt.state").exists()


def test_another_training_is_not_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEEP_EVERY", 1)

    def stop(done: int, of: int) -> None:
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        train(pictures({"stand": 6}), QUICK, tmp_path / "g.pt", tell=stop)
    for samples, plan in (
        (pictures({"stand": 6}, seed=1), QUICK),
        (pictures({"stand": 6}), Plan(Noising(), Training(steps=6, batch=8, seed=1), 16)),
    ):
        with pytest.raises(TrainingDataError, match="other data or settings was interrupted here; delete it"):
            train(samples, plan, tmp_path / "g.pt")
    (tmp_path / "g.pt.state").write_bytes(b"half of it")
    with pytest.raises(TrainingDataError, match="is no interrupted training"):
        train(pictures({"stand": 6}), QUICK, tmp_path / "g.pt")
