"""How unusual a row of numbers is among others, without labels: an autoencoder's bound and neighbours, joined.

Four kinds of witnesses look at every row, each made of several members that know different rows and features:

- −ELBO of small variational autoencoders: how badly a row is explained by what all rows have in common;
- the distance to the nearest of some random rows among the autoencoders' latent means;
- the same among the rows themselves, in random features, as they are, and on a logarithmic scale.

Where the rows to learn from may hold what is looked for, each member knows only 8 of them, so that outliers, even a
group of alike ones, seldom vouch for each other (the reason why isolation forests subsample, Liu et al. 2008; for
nearest neighbours Pang et al. 2015, LeSiNN). Where they are known to be ordinary it may know 512.

Each witness's score becomes a surprise, −log of the share of known rows that score as high, and the surprises are
averaged (Fisher's method of joining tests).

Rare 0-or-1 columns need another eye: neighbours in random columns seldom see the one that matters, and a variance
learned for it makes it as common as any. There one autoencoder looks at all columns with the variance held at one
deviation of each column, so that a flag that is set once in a thousand rows is as far off as it is rare, and is judged
by −log p(x|z) at the posterior's mean alone. It takes the place of the others where many columns are such flags; rows
of numbers are judged without it.

What the witnesses are worth is printed by ``python -m benchmarks.anomaly --parts``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from models.fitting import FitSettings, build, fit
from models.vae import VAE, Batch, active_units, elbo

KNOWN, KNOWN_TRUSTED = 8, 512
SHARES, SHARES_TRUSTED = (0.3, 0.6), (0.6, 1.0)
"""Rows that a member knows, and shares of features that it looks at."""

MEMBERS, DISTANCES = 40, 5120
"""Members of a neighbour witness; fewer where a member knows many rows: about so many distances to each row."""

MOST_FITTED = 8192
"""Rows that an autoencoder is trained on, and that the surprises are measured against: enough for its few weights."""

STEPS = 300
"""Of an autoencoder's training."""

FLAG_UNITS = 2
"""Latent units of the autoencoder for 0-or-1 columns: with more it soon learns the rare flags by heart."""

FLAGS_COUNT, FLAGS_DECIDE = 0.25, 0.5
"""Share of columns that are flags up to which it has no say, and from which on it alone judges; evenly in between."""

DRAWS = 3
CLIP = 100.0

BOUND, LATENT, NEIGHBOURS = "-ELBO", "latent neighbours", "neighbours among rows"
FLAGS = "reconstruction with even variances"
"""Names of the kinds of witnesses."""

TAIL = 0.05
"""Share of known rows above which a surprise is extrapolated by an exponential, so that no two rows beyond all known
ones are equally strange."""


@dataclass(frozen=True)
class _Surprise:
    """From a witness's score to −log of the share of known rows that score as high, nats."""

    ordered: np.ndarray
    bar: float
    excess: float

    @classmethod
    def of(cls, known: np.ndarray) -> _Surprise:
        ordered = np.sort(known)
        bar = float(np.quantile(ordered, 1 - TAIL))
        beyond = ordered[ordered > bar] - bar
        spread = float(ordered[-1] - ordered[0])
        return cls(ordered, bar, max(float(beyond.mean()) if len(beyond) else 0.0, 1e-3 * spread, 1e-6))

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        count = len(self.ordered)
        lower = np.searchsorted(self.ordered, scores, "left")
        upper = np.searchsorted(self.ordered, scores, "right")
        share = 1 - (lower + upper) / 2 / (count + 1)
        body = -np.log(np.clip(share, TAIL, 1.0))
        return body + np.maximum(scores - self.bar, 0) / self.excess


class Scorer:
    """Learns from rows what is usual; see the module.

    Args:
        trusted: whether the rows to learn from are known to be ordinary.
        seed: of everything random.
    """

    def __init__(self, trusted: bool = False, seed: int = 0) -> None:
        self.trusted, self.seed = trusted, seed

    def fit(self, rows: np.ndarray) -> Scorer:
        """Learn from (n, d) rows, n ≥ 1; what is not finite counts as not measured.

        Raises:
            ValueError: there is no row, or no feature.
        """
        rows = np.asarray(rows, float)
        if rows.ndim != 2 or 0 in rows.shape:
            raise ValueError(f"rows of shape {rows.shape}: at least one row and one feature are needed to learn from")
        random = np.random.default_rng(self.seed)
        rows = np.where(np.isfinite(rows), rows, np.nan)
        self._largest = np.nan_to_num(np.fmax.reduce(np.abs(rows), axis=0))
        self._largest[self._largest == 0] = 1.0
        within = rows / self._largest  # squares of very large numbers would overflow
        seen = np.isfinite(within).sum(axis=0)
        self._mean = np.nansum(within, axis=0) / np.maximum(seen, 1)
        deviation = np.sqrt(np.nansum((within - self._mean) ** 2, axis=0) / np.maximum(seen, 1))
        self._deviation = np.maximum(deviation, 1e-12)  # a departure from what never changed is as large as can be
        chosen = np.sort(random.permutation(len(rows))[:MOST_FITTED])
        plain, mask = self._prepared(rows[chosen])
        self._plain, self._logs = np.nan_to_num(plain), np.nan_to_num(_logarithmic(plain))
        self._fit_autoencoders(_batch(self._logs, mask))
        self._known_latents = self._latents(_batch(self._logs, mask))
        self._draw_members(random)
        self._weigh(_batch(self._plain, mask))
        own = np.arange(len(chosen))
        self._surprises = [_Surprise.of(scores) for scores in self._witnesses(self._plain, self._logs, mask, own)]
        badness, ever = np.where(mask, self._badness(_batch(self._logs, mask)), np.nan), mask.any(axis=0)
        self._usual = np.zeros(rows.shape[1])
        self._usual[ever] = np.nanmedian(badness[:, ever], axis=0)
        return self

    def score(self, rows: np.ndarray) -> np.ndarray:
        """(n,) weighted mean surprise of (n, d) rows, nats: 0 for the most usual, higher the stranger."""
        if not len(rows):
            return np.zeros(0)
        return np.average(self._parts(rows), axis=0, weights=self._weights)

    def witnesses(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """(n,) surprise of each kind of witness, by name: what ``score`` joins."""
        parts = self._parts(rows)
        made = {BOUND: parts[0], LATENT: parts[1], NEIGHBOURS: np.mean(parts[2:6], axis=0)}
        return made | ({FLAGS: parts[6]} if self._flags else {})

    @property
    def units(self) -> list[tuple[int, int]]:
        """(in use, of how many) latent units of each autoencoder on the known rows; 0 in use is a collapse."""
        return [(active_units(torch.from_numpy(known)), known.shape[1]) for known in self._known_latents]

    def contributions(self, rows: np.ndarray) -> np.ndarray:
        """(n, d) how much worse each value is explained by the autoencoders than is usual for it, nats; 0 unseen."""
        if not len(rows):
            return np.zeros(np.shape(rows))
        plain, mask = self._prepared(np.asarray(rows, float))
        badness = self._badness(_batch(np.nan_to_num(_logarithmic(plain)), mask)) - self._usual
        return np.where(mask, badness, 0.0)

    def latent(self, rows: np.ndarray) -> np.ndarray:
        """(n, units) latent means of the autoencoder with the most units: rows alike lie close to each other."""
        if not len(rows):
            return np.zeros((0, self._models[-1].units))
        plain, mask = self._prepared(np.asarray(rows, float))
        return self._latents(_batch(np.nan_to_num(_logarithmic(plain)), mask))[-1]

    def _parts(self, rows: np.ndarray) -> list[np.ndarray]:
        plain, mask = self._prepared(np.asarray(rows, float))
        witnesses = self._witnesses(np.nan_to_num(plain), np.nan_to_num(_logarithmic(plain)), mask, None)
        return [surprise(scores) for surprise, scores in zip(self._surprises, witnesses, strict=True)]

    def _prepared(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows in deviations from the mean, NaN where not measured, and where they were."""
        with np.errstate(invalid="ignore", over="ignore"):
            plain = np.clip((rows / self._largest - self._mean) / self._deviation, -CLIP, CLIP)
        mask = np.isfinite(rows)
        return np.where(mask, plain, np.nan), mask

    def _fit_autoencoders(self, batch: Batch) -> None:
        width = batch.x.shape[1]
        sizes = sorted((min(2, width), max(min(2, width), width // 3)))
        self._models: list[VAE] = []
        for place, units in enumerate(sizes):
            seed = self.seed * 1000 + place
            model = build(VAE, seed, (width,), units, (64,))
            assert isinstance(model, VAE)
            fit(model, batch, FitSettings(steps=STEPS, seed=seed))
            self._models.append(model)

    def _weigh(self, batch: Batch) -> None:
        """How much each witness counts, and the autoencoder for 0-or-1 columns where there are any."""
        is_flag = [_is_flag(values[seen > 0]) for values, seen in zip(batch.x.T, batch.mask.T, strict=True)]
        weight = float(np.clip((np.mean(is_flag) - FLAGS_COUNT) / (FLAGS_DECIDE - FLAGS_COUNT), 0.0, 1.0))
        others = 2 + 2 * len(self._members)
        self._weights = [(1.0 - weight) / others] * others
        self._flags: VAE | None = None
        if weight:
            width, seed = batch.x.shape[1], self.seed * 1000 + len(self._models)
            model = build(VAE, seed, (width,), min(FLAG_UNITS, width), (64,))
            assert isinstance(model, VAE)
            model.log_variance.requires_grad_(False)  # stays 0: one deviation
            fit(model, batch, FitSettings(steps=STEPS, seed=seed))
            self._flags = model
            self._weights.append(weight)

    def _draw_members(self, random: np.random.Generator) -> None:
        """(rows known, features looked at) of the members of each neighbour witness."""
        count, width = self._plain.shape
        known = min(KNOWN_TRUSTED if self.trusted else KNOWN, max(1, count - 1))
        self._members: list[list[tuple[np.ndarray, np.ndarray]]] = []
        members = min(MEMBERS, max(8, DISTANCES // known))
        for share in SHARES_TRUSTED if self.trusted else SHARES:
            wide = max(1, int(np.ceil(share * width)))
            self._members.append(
                [(random.permutation(count)[:known], random.permutation(width)[:wide]) for _ in range(members)]
            )
        self._latent_members = [random.permutation(count)[:known] for _ in range(members)]

    @torch.no_grad()
    def _latents(self, batch: Batch) -> list[np.ndarray]:
        return [model.encode(batch)[0].double().numpy() for model in self._models]

    @torch.no_grad()
    def _badness(self, batch: Batch) -> np.ndarray:
        """(n, d) −log p of each value, mean over models and draws, nats."""
        random = torch.Generator().manual_seed(self.seed)
        draws = [model(batch, random).each_log_likelihood for model in self._models for _ in range(DRAWS)]
        return -torch.stack(draws).mean(dim=0).double().numpy()

    @torch.no_grad()
    def _witnesses(
        self, plain: np.ndarray, logs: np.ndarray, mask: np.ndarray, own: np.ndarray | None
    ) -> list[np.ndarray]:
        """Scores of each witness; ``own``: index of each row among those known, which it must not be a neighbour of."""
        batch = _batch(logs, mask)
        random = torch.Generator().manual_seed(self.seed)
        bounds = [elbo(model(batch, random)) for model in self._models for _ in range(DRAWS)]
        made = [-torch.stack(bounds).mean(dim=0).double().numpy()]
        nearest = [
            _nearest(latents, known[members], members, own)
            for latents, known in zip(self._latents(batch), self._known_latents, strict=True)
            for members in self._latent_members
        ]
        made.append(np.mean(nearest, axis=0))
        for rows, known in ((plain, self._plain), (logs, self._logs)):
            for members in self._members:
                far = [_nearest(rows[:, seen], known[np.ix_(chosen, seen)], chosen, own) for chosen, seen in members]
                made.append(np.mean(far, axis=0))
        if self._flags is not None:
            every = _batch(plain, mask)
            off = (every.x - self._flags.decode(self._flags.encode(every)[0])) * every.mask
            made.append(0.5 * off.square().sum(dim=1).double().numpy())  # -log p(x|z) but for a constant
        return made


def _is_flag(values: torch.Tensor) -> bool:
    """Whether a column takes two values, and one of them more than once."""
    return len(values) > 2 and len(torch.unique(values)) == 2


def _logarithmic(values: np.ndarray) -> np.ndarray:
    return np.sign(values) * np.log1p(np.abs(values))


def _batch(filled: np.ndarray, mask: np.ndarray) -> Batch:
    return Batch(torch.tensor(filled, dtype=torch.float32), torch.tensor(mask, dtype=torch.float32))


def _nearest(rows: np.ndarray, others: np.ndarray, chosen: np.ndarray, own: np.ndarray | None) -> np.ndarray:
    """(n,) log distance of each row to the nearest of the others, which are the chosen ones, itself left out."""
    squares = (rows**2).sum(axis=1) + (others**2).sum(axis=1)[:, None] - 2 * others @ rows.T
    if own is not None:
        squares[chosen[:, None] == own] = np.inf
        squares[:, np.isinf(squares).all(axis=0)] = 0.0
    return 0.5 * np.log(np.maximum(squares.min(axis=0), 0.0) + 1e-6)
