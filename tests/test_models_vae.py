from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence

from models.fitting import FitSettings, build, fit, used_units
from models.vae import (
    VAE,
    Autoencoder,
    Batch,
    ConditionalVAE,
    LadderVAE,
    Likelihood,
    Model,
    active_units,
    elbo,
    importance_bound,
    kl_between,
    kl_per_unit,
    loss,
    reparameterised,
)

FAMILY = (Autoencoder, VAE, ConditionalVAE, LadderVAE)
SHAPES = [(5,), (6, 3), (1, 8, 8)]
numbers = st.floats(-3, 3)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(kind: type[Model], shape: tuple[int, ...], latent: int = 3, seed: int = 0, **more: object) -> Model:
    if kind is ConditionalVAE:
        more["classes"] = 2
    return build(kind, seed, shape, latent, **more)


def batch_of(kind: type[Model], shape: tuple[int, ...], count: int = 4, seed: int = 0) -> Batch:
    x = torch.rand(count, *shape, generator=seeded(seed))
    return Batch(x, torch.ones_like(x), torch.arange(count) % 2 if kind is ConditionalVAE else None)


# nothing, or nothing measured


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_empty_batch_stays_empty(kind, shape):
    draw = make(kind, shape)(batch_of(kind, shape, 0))
    assert elbo(draw).shape == (0,)
    assert draw.reconstruction.shape == (0, *shape)


@pytest.mark.parametrize("kind", FAMILY)
def test_nothing_measured_is_as_likely_as_can_be(kind):
    batch = batch_of(kind, (6, 3))
    blind = Batch(torch.full_like(batch.x, math.nan), torch.zeros_like(batch.mask), batch.condition)
    draw = make(kind, (6, 3))(blind, seeded())
    assert (draw.log_likelihood == 0).all()
    assert draw.kl.isfinite().all()
    assert draw.reconstruction.isfinite().all()


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 1e9])
def test_what_is_masked_does_not_matter(kind, odd):
    batch = batch_of(kind, (6, 3))
    batch.mask[:, 2] = 0
    spoilt = Batch(batch.x.clone(), batch.mask, batch.condition)
    spoilt.x[:, 2] = odd
    model = make(kind, (6, 3))
    one, other = model(batch, seeded()), model(spoilt, seeded())
    assert torch.equal(elbo(one), elbo(other))
    loss(other).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_a_conditional_model_needs_classes():
    with pytest.raises(ValueError, match="at least one class"):
        ConditionalVAE((5,), 2, classes=0)
    with pytest.raises(ValueError, match="needs the class"):
        make(ConditionalVAE, (5,))(batch_of(VAE, (5,)))


def test_no_units_in_use_in_no_data():
    assert active_units(torch.zeros(0, 3)) == 0
    assert active_units(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])) == 1


def test_a_constant_feature_does_not_make_the_bound_infinite():
    x = torch.full((32, 4), 7.0)
    model = make(VAE, (4,))
    losses = fit(model, Batch(x, torch.ones_like(x)), FitSettings(steps=50))
    assert all(map(math.isfinite, losses))


# the terms against torch.distributions


@settings(max_examples=50, deadline=None)
@given(*[st.lists(numbers, min_size=4, max_size=4)] * 4)
def test_kl_is_that_of_torch(mean, log_variance, prior_mean, prior_log):
    mean, log_variance, prior_mean, prior_log = map(torch.tensor, ([mean], [log_variance], [prior_mean], [prior_log]))
    q = Normal(mean, (0.5 * log_variance).exp())
    p = Normal(prior_mean, (0.5 * prior_log).exp())
    standard = Normal(torch.zeros(1, 4), torch.ones(1, 4))
    torch.testing.assert_close(kl_per_unit(mean, log_variance), kl_divergence(q, standard), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        kl_between(mean, log_variance, prior_mean, prior_log), kl_divergence(q, p), atol=1e-3, rtol=1e-4
    )
    assert (kl_per_unit(mean, log_variance) >= -1e-5).all()


@pytest.mark.parametrize("likelihood", list(Likelihood))
def test_likelihood_is_that_of_torch(likelihood):
    batch = batch_of(VAE, (5,))
    batch.mask[0, 1] = 0
    model = make(VAE, (5,), likelihood=likelihood)
    draw = model(batch, seeded())
    if likelihood is Likelihood.GAUSSIAN:
        each = Normal(draw.reconstruction, (0.5 * model.log_variance).exp()).log_prob(batch.x)
    else:
        each = Bernoulli(draw.reconstruction, validate_args=False).log_prob(batch.x)
    torch.testing.assert_close(draw.log_likelihood, (each * batch.mask).sum(dim=1))


def test_the_sample_lets_the_gradient_through():
    mean = torch.tensor([[0.5, -1.0]], requires_grad=True)
    log_variance = torch.tensor([[0.0, 2.0]], requires_grad=True)
    z = reparameterised(mean, log_variance, seeded(3))
    z.sum().backward()
    noise = (z - mean).detach() / (0.5 * log_variance.detach()).exp()
    torch.testing.assert_close(mean.grad, torch.ones(1, 2))
    torch.testing.assert_close(log_variance.grad, 0.5 * (0.5 * log_variance.detach()).exp() * noise)


@pytest.mark.parametrize("kind", FAMILY)
def test_every_weight_is_trained(kind):
    model = make(kind, (6, 3))
    loss(model(batch_of(kind, (6, 3)), seeded())).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


# ELBO ≤ importance-weighted bound ≤ log-likelihood, where the truth is known: x = W z + b + noise


def linear_gaussian(error: float) -> tuple[VAE, MultivariateNormal]:
    """A VAE with a linear decoder; its encoder is the exact posterior plus an error. And the true p(x)."""
    weight = torch.tensor([[1.0, 0.2], [-0.5, 0.8], [0.3, -1.2]])
    bias, noise = torch.tensor([0.1, -0.2, 0.3]), 0.6
    model = VAE((3,), 2, hidden=())
    covariance = torch.linalg.inv(torch.eye(2) + weight.T @ weight / noise**2)
    back = covariance @ weight.T / noise**2
    with torch.no_grad():
        model.decoder[0].weight.copy_(weight)
        model.decoder[0].bias.copy_(bias)
        model.log_variance.fill_(2 * math.log(noise))
        encoder = model.encoder[0]
        encoder.weight.zero_()
        encoder.weight[:2, :3] = back + error
        encoder.bias[:2] = -back @ bias
        encoder.bias[2:] = covariance.diagonal().log() + error
    return model, MultivariateNormal(bias, weight @ weight.T + noise**2 * torch.eye(3))


@pytest.mark.parametrize("error", [0.0, 0.2, 0.5])
def test_the_bounds_are_in_order(error):
    model, truth = linear_gaussian(error)
    torch.manual_seed(5)
    x = truth.sample((8,))
    many = Batch(x.repeat(4000, 1), torch.ones(32000, 3))
    with torch.no_grad():
        lower = elbo(model(many, seeded())).unflatten(0, (4000, 8)).mean(dim=0)
        middle = importance_bound(model, many, 10, seeded(1)).unflatten(0, (4000, 8)).mean(dim=0)
    exact = truth.log_prob(x)
    noise = 0.02
    assert (lower <= middle + noise).all()
    assert (middle <= exact + noise).all()
    assert (middle - lower).mean() > 0.01  # the bound is worth its samples
    if error <= 0.2:  # with a worse encoder the bound closes too slowly to wait for
        tight = importance_bound(model, Batch(x, torch.ones(8, 3)), 3000, seeded(2))
        torch.testing.assert_close(tight, exact, atol=0.15, rtol=0)


def test_kl_in_closed_form_is_the_mean_of_the_ratio():
    model = make(LadderVAE, (5,))
    batch = batch_of(LadderVAE, (5,), 1)
    many = Batch(batch.x.repeat(20000, 1), batch.mask.repeat(20000, 1))
    with torch.no_grad():
        draw = model(many, seeded())
    assert float(draw.kl.sum(dim=1).mean()) == pytest.approx(-float(draw.log_ratio.mean()), abs=0.05)


# shapes, seeds, training


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("likelihood", list(Likelihood))
def test_shapes(kind, shape, likelihood):
    draw = make(kind, shape, likelihood=likelihood)(batch_of(kind, shape), seeded())
    units = {Autoencoder: 0, LadderVAE: 4}.get(kind, 3)
    assert draw.log_likelihood.shape == draw.log_ratio.shape == (4,)
    assert draw.kl.shape == (4, units)
    assert draw.reconstruction.shape == draw.each_log_likelihood.shape == (4, *shape)
    assert draw.latent.shape == (4, 3)
    if likelihood is Likelihood.BERNOULLI:
        assert draw.reconstruction.min() >= 0
        assert draw.reconstruction.max() <= 1


@pytest.mark.parametrize("kind", FAMILY)
def test_the_seed_decides_and_nothing_else(kind):
    def weights(seed: int) -> torch.Tensor:
        torch.rand(seed + 3)  # what was drawn before
        model = make(kind, (5,), seed=seed)
        fit(model, batch_of(kind, (5,), 16), FitSettings(steps=5, seed=seed))
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


@pytest.mark.parametrize("kind", FAMILY)
def test_training_makes_data_on_a_line_likely(kind):
    along = torch.randn(256, 1, generator=seeded(1))
    x = along @ torch.tensor([[1.0, -1.0, 0.5, 2.0, 1.5]])
    batch = Batch(x, torch.ones_like(x), (along[:, 0] > 0).long() if kind is ConditionalVAE else None)
    model = make(kind, (5,))
    with torch.no_grad():
        before = elbo(model(batch, seeded())).mean()
    fit(model, batch, FitSettings(steps=300))
    with torch.no_grad():
        draw = model(batch, seeded())
    assert elbo(draw).mean() > before + 3
    assert (draw.reconstruction - x).square().mean() < 0.2 * x.square().mean()
    assert 1 <= used_units(model, batch) <= 3


def test_beta_and_free_bits_keep_units_in_use():
    x = 0.3 * torch.randn(256, 6, generator=seeded(1))  # nothing that a latent variable could tell

    def kl(free_bits: float) -> float:
        model = make(VAE, (6,))
        batch = Batch(x, torch.ones_like(x))
        fit(model, batch, FitSettings(steps=300, beta=4.0, free_bits=free_bits))
        return float(model(batch, seeded()).kl.mean(dim=0).sum().detach())

    assert kl(0.0) < 0.05  # collapsed
    assert kl(0.5) > 0.5


def test_a_class_is_sampled_as_it_was_seen():
    condition = torch.arange(256) % 2
    x = torch.where(condition[:, None] == 1, 2.0, -2.0) + 0.3 * torch.randn(256, 4, generator=seeded(1))
    model = make(ConditionalVAE, (4,))
    fit(model, Batch(x, torch.ones_like(x), condition), FitSettings(steps=300))
    low, high = (model.sample(200, torch.full((200,), kind), seeded(2)).mean() for kind in (0, 1))
    assert float(low) == pytest.approx(-2, abs=0.3)
    assert float(high) == pytest.approx(2, abs=0.3)


def test_denoising_fills_in_what_was_hidden():
    along = torch.randn(512, 1, generator=seeded(1))
    x = along @ torch.tensor([[1.0, -1.0, 1.0, 1.0]])
    model = make(VAE, (4,))
    fit(model, Batch(x, torch.ones_like(x)), FitSettings(steps=600, drop=0.25))
    mask = torch.ones_like(x)
    mask[:, 1] = 0
    with torch.no_grad():
        filled = model(Batch(x, mask), seeded()).reconstruction[:, 1]
    assert (filled - x[:, 1]).square().mean() < 0.3 * x[:, 1].var()
