"""A generator as a file: the same samples before and after, and files that are none."""

from __future__ import annotations

import pytest
import torch

from models.choices import Process, Sampler, Schedule
from models.diffusion import Diffusion, Noising
from models.errors import ModelFileError
from models.generator import Generator, load
from models.latent import Pixels, Standardised
from models.samplers import Sampling


def pictures() -> Generator:
    model = Diffusion((3, 16, 16), 2, Noising(schedule=Schedule.COSINE), 16)
    return Generator(Pixels((3, 16, 16)), model, ("stand", "write"), "abc")


def windows() -> Generator:
    model = Diffusion((7, 10), 1, Noising(Process.EXPLODING), 16)
    return Generator(Standardised.of(torch.randn(5, 7, 10)), model, ("ordinary",))


@pytest.mark.parametrize(
    ("made", "how"),
    [(pictures(), Sampling(Sampler.DDIM, 3)), (windows(), Sampling(Sampler.SDE, 4))],
    ids=["pictures", "windows"],
)
def test_a_file_draws_what_was_saved(tmp_path, made, how):
    made.save(tmp_path / "folder" / "g.pt")
    again = load(tmp_path / "folder" / "g.pt")
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["g.pt"]
    assert again.names == made.names
    assert again.trained_on == made.trained_on
    assert again.describe() == made.describe()
    assert again.parameters() == made.parameters()
    labels = torch.zeros(2, dtype=torch.long)
    made.model.network.eval()
    x = made.sample(labels, how, (1, 2))
    assert x.shape == (2, *made.codec.shape)
    assert torch.equal(again.sample(labels, how, (1, 2)), x)
    assert not torch.allclose(again.sample(labels, how, (1, 3)), x)
    assert made.sample(labels[:0], how, 0).shape == (0, *made.codec.shape)


def test_pictures_are_pictures():
    x = pictures().sample(torch.tensor([0, 1]), Sampling(Sampler.DPM, 3, guidance=2.0), 7)
    assert 0.0 <= float(x.min()) <= float(x.max()) <= 1.0


def test_no_file_and_no_generator(tmp_path):
    with pytest.raises(ModelFileError, match="no such generator; make one with: engage train diffusion"):
        load(tmp_path / "g.pt")
    for content in (b"", b"something", None):
        if content is None:
            torch.save({"names": ["a"]}, tmp_path / "g.pt")
        else:
            (tmp_path / "g.pt").write_bytes(content)
        with pytest.raises(ModelFileError, match="is not a generator"):
            load(tmp_path / "g.pt")
