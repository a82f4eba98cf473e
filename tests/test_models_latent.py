"""Codecs: there and back, what is missing, and a latent space that keeps what a picture shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.fitting import FitSettings
from models.latent import Latent, Pixels, Standardised, read_codec


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_nothing_in_nothing_out():
    assert Pixels((3, 8, 8)).decode(Pixels((3, 8, 8)).encode(torch.zeros(0, 3, 8, 8))).shape == (0, 3, 8, 8)
    codec = Standardised.of(torch.zeros(1, 4, 2))
    assert codec.decode(codec.encode(torch.zeros(0, 4, 2))).shape == (0, 4, 2)


def test_a_feature_never_measured_and_one_that_never_varies():
    x = torch.full((6, 3, 2), 5.0)
    x[:, :, 1] = np.nan
    codec = Standardised.of(x)
    z = codec.encode(x)
    assert torch.equal(z, torch.zeros(6, 3, 2))
    assert torch.equal(Standardised.measured(x)[..., 1], torch.zeros(6, 3))
    assert torch.equal(codec.decode(z)[..., 0], x[..., 0])


@given(st.integers(1, 30), st.integers(0, 99))
def test_standardised_there_and_back(count, seed):
    x = 3 + 40 * torch.randn(count, 5, 3, generator=seeded(seed))
    codec = Standardised.of(x)
    assert torch.allclose(codec.decode(codec.encode(x)), x, atol=1e-3)
    if count > 5:
        assert torch.allclose(codec.encode(x).reshape(-1, 3).std(dim=0), torch.ones(3), atol=0.1)


def test_pixels_there_and_back_and_kept_in_bounds():
    x = torch.rand(4, 3, 8, 8, generator=seeded())
    codec = Pixels(x.shape[1:])
    assert torch.allclose(codec.decode(codec.encode(x)), x, atol=1e-6)
    assert float(codec.decode(torch.full((1, 3, 8, 8), 9.0)).max()) == 1.0


@pytest.fixture(scope="module")
def bars() -> torch.Tensor:
    """Pictures with a bright bar at one of eight places."""
    x = torch.full((160, 1, 8, 8), 0.02)
    for number in range(160):
        x[number, :, number % 8] = 0.98
    return x


@pytest.fixture(scope="module")
def latent(bars) -> Latent:
    return Latent.of(bars, 6, FitSettings(steps=300, batch=64))


def test_the_latent_space_has_unit_size_and_keeps_the_picture(latent, bars):
    z = latent.encode(bars)
    assert z.shape == (160, 6)
    assert torch.allclose(z.mean(dim=0), torch.zeros(6), atol=1e-4)
    far = float((bars.mean(dim=0) - bars).abs().mean())
    assert float((latent.decode(z) - bars).abs().mean()) < 0.5 * far


def test_codecs_survive_a_file(tmp_path, latent, bars):
    windows = torch.randn(20, 4, 3, generator=seeded())
    for codec, x in ((Pixels((1, 8, 8)), bars), (Standardised.of(windows), windows), (latent, bars)):
        torch.save(codec.state(), tmp_path / "codec.pt")
        again = read_codec(torch.load(tmp_path / "codec.pt", weights_only=True))
        assert again.inner_shape == codec.inner_shape
        assert torch.equal(again.encode(x), codec.encode(x))
        assert torch.equal(again.decode(codec.encode(x)), codec.decode(codec.encode(x)))
