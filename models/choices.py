"""The names of what diffusion models offer, apart from torch: the command line shows them."""

from __future__ import annotations

from enum import Enum


class Process(str, Enum):
    """The kind of noising."""

    PRESERVING = "vp"
    EXPLODING = "ve"


class Schedule(str, Enum):
    """How the noise grows, variance preserving."""

    LINEAR = "linear"
    QUADRATIC = "quadratic"
    COSINE = "cosine"


class Sampler(str, Enum):
    """How noise is turned into samples."""

    DDPM = "ddpm"  # one random step per level: Ho et al. 2020, algorithm 2
    DDIM = "ddim"  # fewer steps, without chance when η = 0: Song et al. 2021 (DDIM), equation 12
    DPM = "dpm"  # DPM-Solver++ of second order, about 20 steps: Lu et al. 2022
    SDE = "sde"  # reverse SDE step plus Langevin corrector: Song et al. 2021 (SDE), algorithm 2

    @property
    def process(self) -> Process:
        """Which noising it undoes."""
        return Process.EXPLODING if self is Sampler.SDE else Process.PRESERVING

    @property
    def usual_steps(self) -> int:
        """Steps taken where none are named."""
        return {Sampler.DDPM: 1000, Sampler.DDIM: 50, Sampler.DPM: 20, Sampler.SDE: 200}[self]
