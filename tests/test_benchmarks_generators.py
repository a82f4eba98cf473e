"""The measures by which generators and rivals are compared, where their right answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import rivals
from benchmarks.augmentation import f1, measures, resampled
from benchmarks.generators import COUNT, kernel_distance, labels_like, recall
from benchmarks.rivals import CHEAP, MOST, Ready, added, train_head, wanted_samples
from models.yolo import BEHAVIOURS


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# distances between sets


def test_equal_distributions_are_0_apart_on_the_mean():
    """The estimator is unbiased, so it is negative about half of the time."""
    many = [
        kernel_distance(torch.randn(60, 4, generator=seeded(i)), torch.randn(80, 4, generator=seeded(i + 500)))
        for i in range(200)
    ]
    assert abs(np.mean(many)) < 4 * np.std(many) / len(many) ** 0.5
    assert 0.2 < np.mean(np.array(many) < 0) < 0.8


def test_the_distance_is_that_of_a_double_loop_and_grows():
    x, y = torch.randn(5, 3, generator=seeded(1)), torch.randn(4, 3, generator=seeded(2))

    def k(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((a @ b / 3 + 1) ** 3)

    within = sum(k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / 20
    other = sum(k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j) / 12
    cross = sum(k(a, b) for a in x for b in y) / 20
    assert kernel_distance(x, y) == pytest.approx(1000 * (within + other - 2 * cross), rel=1e-4)
    big = torch.randn(300, 3, generator=seeded(3))
    far = [kernel_distance(big + shift, torch.randn(300, 3, generator=seeded(4))) for shift in (0.0, 1.0, 2.0)]
    assert far[0] < far[1] < far[2]


def test_recall_of_the_same_of_a_part_and_of_somewhere_else():
    real = torch.cat([torch.randn(100, 2, generator=seeded()), 50 + torch.randn(100, 2, generator=seeded(1))])
    assert recall(real, real) == 1.0
    assert 0.4 < recall(real[:100], real) < 0.6  # one of two heaps was forgotten
    assert recall(real + 1000, real) == 0.0


def test_drawn_classes_have_the_shares_of_the_real_ones():
    real = torch.tensor([0] * 900 + [1] * 99 + [3])
    counts = torch.bincount(labels_like(real), minlength=4)
    assert counts[2] == 0
    assert counts[3] == 1
    assert counts[0] == round(0.9 * COUNT)


# judging


def test_f1_of_a_known_confusion_and_of_nothing():
    table = np.zeros((7, 7))
    table[0, 0], table[0, 1], table[1, 1] = 6, 2, 4
    each = f1(table)
    assert each[0] == pytest.approx(12 / 14)
    assert each[1] == pytest.approx(8 / 10)
    assert np.isnan(each[2:]).all()
    assert measures(table)["macro"] == pytest.approx((12 / 14 + 8 / 10) / 2)


def test_resampling_pools_rooms_and_moves_rivals_together():
    random = np.random.default_rng(0)
    room = random.integers(0, 4, (2, 30, 7, 7)).astype(float)
    other = random.integers(0, 4, (2, 20, 7, 7)).astype(float)
    draws = resampled([room, other], 2)
    whole = measures(np.sum([room.sum(axis=(0, 1)), other.sum(axis=(0, 1))], axis=0))
    assert draws["macro"].mean() == pytest.approx(float(whole["macro"]), abs=0.02)
    again = resampled([room, other], 2)
    assert np.array_equal(draws["tail"], again["tail"])  # the same frames and seeds for every rival


# rivals


def test_no_class_gets_more_than_it_has_or_than_most():
    counts = dict.fromkeys(BEHAVIOURS, 900) | {"stand": 16, "discuss": 2}
    assert wanted_samples(counts) == {BEHAVIOURS.index("stand"): min(16, MOST), BEHAVIOURS.index("write"): MOST}


@pytest.fixture(scope="module")
def easy() -> Ready:
    """Two views of behaviours that lie apart, one of them scarce."""
    labels = torch.tensor([2] * 300 + [0] * 300 + [5] * 12)
    where = torch.eye(7)[:, :4] * 4 + torch.tensor([0.0, 0, 0, 3])

    def view(seed: int) -> torch.Tensor:
        return where[labels] + 0.5 * torch.randn(len(labels), 4, generator=seeded(seed))

    return Ready(
        torch.cat([view(0), view(1)]), labels.repeat(2), {5: 12}, view(2), view(3), labels, torch.arange(len(labels))
    )


@pytest.mark.parametrize("rival", [*CHEAP, "cVAE"])
def test_every_rival_learns_what_is_easy_and_the_same_for_the_same_seed(easy, rival, monkeypatch):
    monkeypatch.setattr(rivals, "RATE", 0.1)  # few steps
    pool = (easy.x[easy.labels == 5], easy.labels[easy.labels == 5]) if rival == "cVAE" else None
    head = train_head(easy, rival, pool, 0)
    assert float((head(easy.test).argmax(dim=1) == easy.truth).float().mean()) > 0.9
    assert torch.equal(head.weight, train_head(easy, rival, pool, 0).weight)
    assert not torch.equal(head.weight, train_head(easy, rival, pool, 1).weight)


@pytest.mark.parametrize("rival", ["oversampling", "SMOTE", "kernel density", "cVAE"])
def test_all_that_add_samples_add_the_same_number(easy, rival):
    pool = (easy.x[easy.labels == 5], easy.labels[easy.labels == 5]) if rival == "cVAE" else None
    x, labels = added(easy, rival, pool, seeded())
    assert len(x) == len(labels) == 24  # twelve samples, each in two views
    assert set(labels.tolist()) == {5}
    if rival == "SMOTE":  # between two real ones
        own = easy.x[easy.labels == 5]
        assert (x <= own.max(dim=0).values + 1e-5).all()
        assert (x >= own.min(dim=0).values - 1e-5).all()
