"""Adding noise in one go and step by step, training that can stop, averaged weights, and a model that learns."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.choices import Process, Sampler, Schedule
from models.denoiser import Denoiser
from models.diffusion import Diffusion, Noising, Trainer, Training
from models.samplers import Sampling, draw, guided

KINDS = [Noising(schedule=schedule, steps=60) for schedule in Schedule] + [
    Noising(Process.EXPLODING, steps=60, sigma_max=3.0)
]
NAMES = [f"{kind.process.value} {kind.schedule.value}" for kind in KINDS]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def two_heaps(count: int = 400, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Points around (−1, 0), class 0, and around (1, 0), class 1."""
    labels = torch.arange(count) % 2
    x = 0.1 * torch.randn(count, 2, generator=seeded(seed))
    x[:, 0] += 2.0 * labels - 1
    return x, labels


# noise


@pytest.mark.parametrize("noising", KINDS, ids=NAMES)
def test_one_level_only(noising):
    """The least noise leaves x nearly as it is; the most hides it, or is far larger."""
    x = torch.ones(2000, 2)
    first, last = torch.zeros(2000, dtype=torch.long), torch.full((2000,), noising.steps - 1)
    noise = torch.randn(x.shape, generator=seeded())
    assert float((noising.noised(x, noise, first) - x).abs().mean()) < 0.2
    assert float(noising.noised(x, noise, last).std()) > 0.5


@pytest.mark.parametrize("noising", KINDS, ids=NAMES)
def test_closed_form_is_step_by_step(noising):
    """In mean and variance, at some level: x_t = √(1 − β_t) x_{t−1} + √β_t ε (Ho et al. 2020, equations 2 and 4)."""
    alpha, sigma = (part.double() for part in noising.scales)
    until, start, count = 25, 0.7, 40_000
    x, random = torch.full((count,), start, dtype=torch.double), seeded()
    mean, variance = start, 0.0
    for level in range(until + 1):
        before_a, before_s = (alpha[level - 1], sigma[level - 1]) if level else (torch.tensor(1.0), torch.tensor(0.0))
        keep = alpha[level] / before_a
        added = (sigma[level] ** 2 - (keep * before_s) ** 2).sqrt()
        x = keep * x + added * torch.randn(count, generator=random, dtype=torch.double)
        mean, variance = float(keep) * mean, float(keep**2) * variance + float(added**2)
    assert mean == pytest.approx(float(alpha[until]) * start, rel=1e-4)
    assert variance == pytest.approx(float(sigma[until] ** 2), rel=1e-3)
    wide = float(sigma[until])
    assert float(x.mean()) == pytest.approx(float(alpha[until]) * start, abs=5 * wide / count**0.5)
    assert float(x.std()) == pytest.approx(wide, rel=0.02)
    once = noising.noised(
        torch.full((count,), start), torch.randn(count, generator=random), torch.full((count,), until)
    )
    assert float(once.mean()) == pytest.approx(float(x.mean()), abs=8 * wide / count**0.5)
    assert float(once.std()) == pytest.approx(float(x.std()), rel=0.03)


def test_the_schedules_are_the_papers():
    """β from 1e-4 to 0.02: linear, linear in √β; and the cosine's ᾱ (Nichol & Dhariwal 2021, equation 17)."""
    kept = {schedule: Noising(schedule=schedule).scales[0].square() for schedule in Schedule}
    beta = {schedule: 1 - value / torch.cat([torch.ones(1), value[:-1]]) for schedule, value in kept.items()}
    assert torch.allclose(beta[Schedule.LINEAR], torch.linspace(1e-4, 0.02, 1000), rtol=2e-2, atol=1e-6)
    quadratic = torch.linspace(1e-4**0.5, 0.02**0.5, 1000).square()
    assert torch.allclose(beta[Schedule.QUADRATIC], quadratic, rtol=2e-2, atol=1e-6)
    t = torch.arange(1001) / 1000
    wave = torch.cos((t + 0.008) / 1.008 * torch.pi / 2).square()
    assert torch.allclose(kept[Schedule.COSINE][:900], wave[1:901] / wave[0], rtol=1e-3)


@given(st.sampled_from(KINDS), st.integers(1, 59))
def test_noise_only_grows(noising, level):
    alpha, sigma = noising.scales
    assert sigma[level] / alpha[level] > sigma[level - 1] / alpha[level - 1]


@pytest.mark.parametrize("noising", KINDS, ids=NAMES)
def test_the_network_reads_numbers_of_unit_size(noising):
    x = torch.randn(5000, 2, generator=seeded())
    for level in (0, 30, 59):
        levels = torch.full((5000,), level)
        noised = noising.noised(x, torch.randn(x.shape, generator=seeded(1)), levels)
        assert float(noising.seen(noised, levels).std()) == pytest.approx(1, rel=0.05)


# training


class Deaf(Denoiser):
    """Answers each number by itself, so that what is wrong with one cannot reach another."""

    def forward(self, x: torch.Tensor, time: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return x / 2


def test_one_sample_is_enough_to_run():
    model = Diffusion((2,), 1)
    trainer = Trainer(model, torch.zeros(1, 2), torch.zeros(1, dtype=torch.long), Training(steps=2))
    trainer.run()
    assert trainer.done == 2
    assert all(torch.isfinite(p).all() for p in model.network.parameters())


def test_the_same_seed_learns_the_same_and_another_does_not():
    x, labels = two_heaps()

    def weights(seed: int) -> torch.Tensor:
        model = Diffusion((2,), 2, seed=seed)
        trainer = Trainer(model, x, labels, Training(steps=5, seed=seed))
        trainer.run()
        return torch.cat([p.detach().flatten() for p in model.network.parameters()])

    torch.manual_seed(1)
    first = weights(3)
    torch.manual_seed(2)  # what others drew before must not matter
    assert torch.equal(first, weights(3))
    assert not torch.equal(first, weights(4))


def test_a_stop_leaves_no_trace():
    x, labels = two_heaps()
    settings = Training(steps=9)
    straight = Trainer(Diffusion((2,), 2), x, labels, settings)
    straight.run()
    stopped = Trainer(Diffusion((2,), 2), x, labels, settings)
    stopped.run(4)
    going_on = Trainer(Diffusion((2,), 2, seed=5), x, labels, settings)
    going_on.load(stopped.state())
    going_on.run()
    assert going_on.losses == straight.losses
    for trainer in (straight, going_on):
        trainer.finish()
    ours, theirs = (t.model.network.state_dict() for t in (going_on, straight))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_finish_puts_the_average_of_the_weights_in_place():
    """Followed by hand: average ← d · average + (1 − d) · weights, with diffusers' d at the first steps."""
    x, labels = two_heaps()
    model = Diffusion((2,), 2)
    trainer = Trainer(model, x, labels, Training(steps=6, ema=0.5))
    first = next(iter(model.network.parameters()))
    average, seen = first.detach().clone(), []
    for step in range(6):
        trainer.run(step + 1)
        decay = min(0.5, (1 + step) / (10 + step)) if step else 0.0
        average = decay * average + (1 - decay) * first.detach()
        seen.append(first.detach().clone())
    trainer.finish()
    assert torch.allclose(first, average, atol=1e-6)
    assert not torch.allclose(first, seen[-1], atol=1e-6)


def test_what_was_not_measured_does_not_count():
    x, labels = two_heaps()
    mask = torch.ones_like(x)
    mask[:, 1] = 0
    spoilt = x.clone()
    spoilt[:, 1] = 1e3
    model = Diffusion((2,), 2)
    model.network = Deaf((2,), 2)
    assert float(model.loss(x, labels, mask, seeded())) == float(model.loss(spoilt, labels, mask, seeded()))
    assert float(model.loss(x, labels, torch.zeros_like(x), seeded())) == 0.0
    assert float(model.loss(x, labels, mask, seeded())) != float(model.loss(x, labels, None, seeded()))


@pytest.fixture(scope="module")
def learned() -> Diffusion:
    x, labels = two_heaps()
    model = Diffusion((2,), 2, Noising(steps=100, schedule=Schedule.COSINE), width=32)
    trainer = Trainer(model, x, labels, Training(steps=500, batch=128, withheld=0.2))
    trainer.run()
    trainer.finish()
    return model


def test_a_score_model_draws_what_it_learned():
    """Trained, not exact: its noise is right where x is all noise, and its samples lie where the data do."""
    x, labels = two_heaps()
    model = Diffusion((2,), 2, Noising(Process.EXPLODING, sigma_max=5.0, steps=200), width=32)
    noise = torch.randn(400, 2, generator=seeded(1))
    last = torch.full((400,), 199)
    untrained = model.noise(model.noising.noised(x, noise, last), last, labels)
    assert float((untrained - noise).square().mean().detach()) < 0.1
    trainer = Trainer(model, x, labels, Training(steps=400, batch=128))
    trainer.run()
    trainer.finish()
    drawn = draw(guided(model, labels, 1.0), model.noising, (400, 2), Sampling(Sampler.SDE, 100), seeded())
    for label in (0, 1):
        own = drawn[labels == label]
        assert torch.allclose(own.mean(dim=0), torch.tensor([2.0 * label - 1, 0.0]), atol=0.15)
        assert float(own.std(dim=0).max()) < 0.4


def share_of_one(model: Diffusion, guidance: float) -> float:
    """Share of samples near the heap of class 1 when all are asked to be of it."""
    predict = guided(model, torch.ones(400, dtype=torch.long), guidance)
    x = draw(predict, model.noising, (400, 2), Sampling(Sampler.DDIM, 25), seeded())
    return float((x[:, 0] > 0).float().mean())


def test_guidance_moves_the_share_of_the_class(learned):
    shares = [share_of_one(learned, guidance) for guidance in (0.0, 0.5, 1.0, 2.0)]
    assert 0.3 < shares[0] < 0.7  # any class
    assert shares[0] < shares[1] < shares[2] + 1e-9
    assert shares[2] > 0.95
    assert shares[3] > 0.95


def test_it_draws_what_it_learned(learned):
    labels = torch.arange(400) % 2
    x = draw(guided(learned, labels, 1.0), learned.noising, (400, 2), Sampling(Sampler.DDPM), seeded())
    for label in (0, 1):
        own = x[labels == label]
        assert torch.allclose(own.mean(dim=0), torch.tensor([2.0 * label - 1, 0.0]), atol=0.12)
        assert float(own.std(dim=0).max()) < 0.3
