"""The networks of diffusion models: every kind of data, and that noise level and class reach the answer."""

from __future__ import annotations

import pytest
import torch

from models.denoiser import Denoiser

SHAPES = [(3, 16, 16), (3, 32, 32), (1, 8, 8), (7, 10), (1, 1), (2,), (64,)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("count", [1, 3])
def test_the_answer_has_the_shape_of_the_data(shape, count):
    network = Denoiser(shape, 2, 16).eval()
    with torch.no_grad():
        out = network(torch.randn(count, *shape), torch.arange(count), torch.zeros(count, dtype=torch.long))
    assert out.shape == (count, *shape)
    assert out.dtype == torch.float32


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_noise_level_and_the_class_matter(shape):
    """Known trap: networks whose embedding of the level gets lost on the way."""
    torch.manual_seed(0)
    network = Denoiser(shape, 2, 16).eval()
    x = torch.randn(1, *shape).expand(6, *shape)
    level = torch.tensor([0, 10, 500, 999, 10, 10])
    label = torch.tensor([0, 0, 0, 0, 1, 2])
    with torch.no_grad():
        out = network(x, level, label)
    for one in range(6):
        for other in range(one):
            assert float((out[one] - out[other]).abs().max()) > 2e-5, (one, other)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_stands_beside_in_the_batch_does_not_matter(shape):
    torch.manual_seed(0)
    network = Denoiser(shape, 1, 16).eval()
    x, level, label = torch.randn(4, *shape), torch.tensor([1, 50, 500, 900]), torch.zeros(4, dtype=torch.long)
    with torch.no_grad():
        together = network(x, level, label)
        alone = torch.cat([network(x[[i]], level[[i]], label[[i]]) for i in range(4)])
    assert torch.allclose(together, alone, atol=0.05)  # bfloat16 on some processors


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match="multiples of 4, not 33 x 32"):
        Denoiser((3, 33, 32), 1)


def test_a_network_too_narrow_for_the_noise_is_refused():
    with pytest.raises(ValueError, match="width 32 is less than the 48 channels"):
        Denoiser((3, 64, 64), 1, 32)


def test_the_largest_is_below_six_million_parameters():
    network = Denoiser((3, 64, 64), 8, 96)
    assert sum(p.numel() for p in network.parameters()) < 6_000_000
