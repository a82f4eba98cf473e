"""Every sampler on a mixture whose noise is known exactly: its modes, their weights and widths."""

from __future__ import annotations

import pytest
import torch

from models.choices import Process, Sampler, Schedule
from models.diffusion import Diffusion, Noising
from models.samplers import Predict, Sampling, draw, guided

CENTRES = torch.tensor([[-0.6, -0.4], [0.6, 0.5], [0.0, -0.7]])
WEIGHTS = torch.tensor([0.6, 0.3, 0.1])
WIDTH = 0.08
COUNT = 2000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def exact(noising: Noising) -> Predict:
    """The noise that a perfect network would find: −σ times the score of the noised mixture."""

    def predict(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        alpha, sigma = noising.levels(level, x)
        variance = (alpha * WIDTH) ** 2 + sigma**2
        away = x[:, None] - alpha[:, None] * CENTRES
        share = (WEIGHTS.log() - away.square().sum(dim=2) / (2 * variance)).softmax(dim=1)
        return sigma * (share[..., None] * away).sum(dim=1) / variance

    return predict


EXPLODING = Noising(Process.EXPLODING, sigma_max=3.0)
CASES = [
    *((Noising(schedule=schedule), Sampling(Sampler.DDPM)) for schedule in Schedule),
    *((Noising(schedule=schedule), Sampling(Sampler.DDIM)) for schedule in Schedule),
    (Noising(), Sampling(Sampler.DDIM, 250, eta=1.0)),
    *((Noising(schedule=schedule), Sampling(Sampler.DPM)) for schedule in Schedule),
    (EXPLODING, Sampling(Sampler.SDE)),
]


@pytest.mark.parametrize(
    ("noising", "how"), CASES, ids=[f"{h.sampler.value} {n.schedule.value} eta {h.eta:g}" for n, h in CASES]
)
def test_modes_weights_and_widths_are_recovered(noising, how):
    x = draw(exact(noising), noising, (COUNT, 2), how, seeded())
    nearest = torch.cdist(x, CENTRES).argmin(dim=1)
    for mode, (centre, weight) in enumerate(zip(CENTRES, WEIGHTS, strict=True)):
        own = x[nearest == mode]
        assert len(own) / COUNT == pytest.approx(float(weight), abs=0.045)
        off = (own.quantile(0.5, dim=0) - centre).abs().max()
        assert float(off) < WIDTH / 2
        spread = (own.quantile(0.84, dim=0) - own.quantile(0.16, dim=0)) / 2
        assert 0.7 * WIDTH < float(spread.mean()) < 1.25 * WIDTH  # DDIM's 50 steps draw a little too narrow


def test_no_samples():
    assert draw(exact(Noising()), Noising(), (0, 2), Sampling(Sampler.DDIM, 5), seeded()).shape == (0, 2)


def test_more_steps_than_levels_are_as_many_as_levels():
    noising = Noising(steps=20)
    many, all_levels = (
        draw(exact(noising), noising, (8, 2), Sampling(Sampler.DDPM, steps), seeded()) for steps in (500, 20)
    )
    assert torch.equal(many, all_levels)


@pytest.mark.parametrize("sampler", Sampler)
def test_a_sampler_undoes_its_own_noising_only(sampler):
    wrong = EXPLODING if sampler is not Sampler.SDE else Noising()
    with pytest.raises(ValueError, match=f"{sampler.value} cannot undo"):
        draw(exact(wrong), wrong, (2, 2), Sampling(sampler, 3), seeded())


@pytest.mark.parametrize("sampler", Sampler)
def test_the_seed_decides(sampler):
    noising = EXPLODING if sampler is Sampler.SDE else Noising()

    def drawn(seed: int) -> torch.Tensor:
        return draw(exact(noising), noising, (16, 2), Sampling(sampler, 20), seeded(seed))

    torch.manual_seed(1)
    first = drawn(0)
    torch.manual_seed(2)  # chance of others must not matter
    assert torch.equal(first, drawn(0))
    assert not torch.allclose(first, drawn(1))


def test_ddim_without_eta_leaves_nothing_to_chance():
    """From the same start, with a generator that went on: the same end. With η = 1 another."""
    noising = Noising()

    def from_the_same_start(eta: float, later_seed: int) -> torch.Tensor:
        random = seeded(5)

        def predict(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
            random.manual_seed(later_seed)  # whatever is drawn after the start comes from elsewhere
            return exact(noising)(x, level)

        return draw(predict, noising, (50, 2), Sampling(Sampler.DDIM, 20, eta=eta), random)

    assert torch.equal(from_the_same_start(0.0, 1), from_the_same_start(0.0, 2))
    assert not torch.allclose(from_the_same_start(1.0, 1), from_the_same_start(1.0, 2))


@pytest.mark.parametrize("sampler", Sampler)
def test_pictures_stay_in_bounds(sampler):
    noising = EXPLODING if sampler is Sampler.SDE else Noising()

    def poor(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        return 0.2 * torch.randn(x.shape, generator=seeded(int(level[0])))

    x = draw(poor, noising, (2, 3, 8, 8), Sampling(sampler, 12), seeded(), bound=True)
    assert torch.isfinite(x).all()
    assert float(x.abs().max()) <= 1.0


def test_guidance_joins_both_answers_of_the_network():
    """ε_any + g (ε_class − ε_any): g = 0 and 1 are the parts themselves."""
    model = Diffusion((2,), 3)
    x, level = torch.randn(5, 2, generator=seeded()), torch.full((5,), 40)
    labels = torch.tensor([0, 1, 2, 1, 0])
    with torch.no_grad():
        free, told = (guided(model, labels, g)(x, level) for g in (0.0, 1.0))
        assert torch.allclose(guided(model, labels, 2.5)(x, level), free + 2.5 * (told - free), atol=1e-5)
        assert torch.allclose(free, model.noise(x, level, torch.full((5,), model.anything)))
        assert not torch.allclose(free, told)
