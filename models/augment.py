"""How many samples a scarce class gets, and which of those drawn are good enough: of their class, and nobody's copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models.errors import TrainingDataError

LEAST = 5
"""Real samples from which on a class can be learned: of fewer, all that is drawn is a copy."""

RATIO = 1.0
"""Most synthetic samples of a class, in real ones."""

OWN_QUANTILE = 0.5
"""Where among the training set's own nearest-neighbour distances the copy guard's limit lies: the median. In pictures
of a film the nearest neighbour of a person is mostly that person moments later, so closer than this means: the same."""

NEIGHBOURS = 5


def plan(counts: Mapping[str, int], ratio: float = RATIO) -> dict[str, int]:
    """How many samples to add to each class: up to the median class, and never more than ``ratio`` times the real ones.

    Args:
        counts: real samples by class.
        ratio: see ``RATIO``.
    """
    there = sorted(count for count in counts.values() if count)
    middle = there[len(there) // 2] if there else 0
    return {
        name: min(max(0, middle - count), int(ratio * count)) if count >= LEAST else 0 for name, count in counts.items()
    }


def check_class(name: str, counts: Mapping[str, int]) -> None:
    """Whether samples of a class can be made.

    Raises:
        TrainingDataError: it is unknown, or has too few real samples.
    """
    if name not in counts:
        raise TrainingDataError(f"class {name!r} is not known; give one of {', '.join(counts)}")
    if not counts[name]:
        raise TrainingDataError(f"class {name!r} has no samples in the data; annotate at least {LEAST} and train again")
    if counts[name] < LEAST:
        many = "1 sample" if counts[name] == 1 else f"{counts[name]} samples"
        raise TrainingDataError(
            f"class {name!r} has {many} in the data, of which only copies could be made; annotate at least {LEAST} and"
            " train again"
        )


@dataclass(frozen=True)
class Verdict:
    """What the gate says of n samples.

    Attributes:
        agreed: (n,) whether a classifier that never saw synthetic samples takes each for what it shall be.
        distance: (n,) to the nearest real training sample, root mean square per number.
        nearest: (n,) which one that is.
        limit: distance below which a sample counts as a copy.
    """

    agreed: Tensor
    distance: Tensor
    nearest: Tensor
    limit: float

    @property
    def copied(self) -> Tensor:
        """(n,) whether each is too close to a real one."""
        return self.distance <= self.limit

    @property
    def passed(self) -> Tensor:
        """(n,) whether each may be used."""
        return self.agreed & ~self.copied


class Gate:
    """Lets through what is of its class and no copy.

    ``own`` holds the (n,) distances of real samples to the nearest other one, ``limit`` their ``OWN_QUANTILE``.

    Args:
        real: (n, *shape) the samples that the generator learned from; NaN where not measured.
        likeliest: from (m, *shape) samples to their (m,) likeliest classes; learned without synthetic samples.
    """

    def __init__(self, real: Tensor, likeliest: Callable[[Tensor], Tensor]) -> None:
        self._likeliest = likeliest
        self._pictures = real.dim() == 4
        self._real = flat(real)
        self.own, _ = self._nearest(self._real, own=True)
        self.limit = float(self.own.quantile(OWN_QUANTILE)) if len(self.own) > 1 else float("inf")

    def judge(self, x: Tensor, labels: Tensor) -> Verdict:
        """The verdict on (m, *shape) samples that shall be of (m,) classes."""
        distance, nearest = self.distances(x)
        return Verdict(self._likeliest(x) == labels, distance, nearest, self.limit)

    def distances(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(m,) distances to the nearest real sample or mirrored picture, root mean square, and which it is."""
        straight = self._nearest(flat(x))
        if not self._pictures:
            return straight
        turned = self._nearest(flat(x.flip(3)))
        return torch.minimum(straight[0], turned[0]), torch.where(straight[0] <= turned[0], straight[1], turned[1])

    def _nearest(self, rows: Tensor, own: bool = False) -> tuple[Tensor, Tensor]:
        best, which = [], []
        for start in range(0, len(rows), 256):
            apart = torch.cdist(rows[start : start + 256], self._real, compute_mode="donot_use_mm_for_euclid_dist")
            if own:
                here = torch.arange(len(apart))
                apart[here, start + here] = float("inf")
            least = apart.min(dim=1)
            best.append(least.values / rows.shape[1] ** 0.5)
            which.append(least.indices)
        if not best:
            return torch.zeros(0), torch.zeros(0, dtype=torch.long)
        return torch.cat(best), torch.cat(which)


def flat(x: Tensor) -> Tensor:
    """(n, numbers), 0 where not measured."""
    return x.flatten(1).nan_to_num()


def neighbours_say(real: Tensor, labels: Tensor) -> Callable[[Tensor], Tensor]:
    """A classifier for windows: what most of the ``NEIGHBOURS`` nearest real windows are, each class weighed alike.

    Args:
        real: (n, time, features), NaN where not measured.
        labels: (n,) their classes.
    """
    rows = flat(real)
    mean, wide = rows.mean(dim=0), rows.std(dim=0, unbiased=False).clamp(min=1e-6)
    known = (rows - mean) / wide
    weight = 1.0 / torch.bincount(labels).clamp(min=1).double().sqrt()

    def likeliest(x: Tensor) -> Tensor:
        apart = torch.cdist((flat(x) - mean) / wide, known)
        near = labels[apart.topk(min(NEIGHBOURS, len(known)), largest=False).indices]
        votes = torch.zeros(len(x), len(weight), dtype=torch.double)
        return votes.scatter_add(1, near, weight[near]).argmax(dim=1)

    return likeliest
