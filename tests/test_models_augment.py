"""How many samples a class gets, and the gate: of its class, and no copy of a real one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.augment import LEAST, Gate, check_class, neighbours_say, plan
from models.errors import TrainingDataError

COUNTS = st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 500))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# the plan


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, {}),
        ({"a": 0}, {"a": 0}),
        ({"a": 1, "b": 100}, {"a": 0, "b": 0}),  # of one, only copies
        ({"a": 10, "b": 10}, {"a": 0, "b": 0}),  # nobody is scarce
        ({"a": 10, "b": 100, "c": 300}, {"a": 10, "b": 0, "c": 0}),  # no more than there are real ones
        ({"a": 80, "b": 100, "c": 300}, {"a": 20, "b": 0, "c": 0}),  # up to the median class
    ],
)
def test_the_plan_of_small_sets(counts, expected):
    assert plan(counts) == expected


@given(COUNTS, st.floats(0, 4))
def test_the_plan_never_exceeds_the_real_ones_times_the_ratio(counts, ratio):
    made = plan(counts, ratio)
    assert set(made) == set(counts)
    assert all(0 <= made[name] <= ratio * counts[name] for name in counts)
    assert all(made[name] == 0 for name in counts if counts[name] < LEAST)
    if counts:
        largest = max(counts, key=lambda name: counts[name])
        assert made[largest] == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dance", "class 'dance' is not known; give one of stand, write"),
        ("stand", "class 'stand' has no samples"),
        ("one", "class 'one' has 1 sample in the data"),
        ("few", f"class 'few' has {LEAST - 1} samples in the data"),
    ],
)
def test_classes_that_cannot_be_made(name, said):
    counts = {"stand": 0, "write": 90}
    counts |= {"one": 1} if name == "one" else {"few": LEAST - 1} if name == "few" else {}
    with pytest.raises(TrainingDataError, match=said):
        check_class(name, counts)


def test_a_class_with_enough_is_let_pass():
    check_class("stand", {"stand": LEAST})


# the gate


def zeros(x: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(x), dtype=torch.long)


def test_nothing_to_judge():
    verdict = Gate(torch.rand(5, 3, 8, 8, generator=seeded()), zeros).judge(torch.zeros(0, 3, 8, 8), zeros([]))
    assert len(verdict.passed) == 0


def test_with_one_real_sample_all_is_a_copy():
    """Nothing tells how far apart different people are, so nothing is let through."""
    gate = Gate(torch.zeros(1, 4, 2), zeros)
    assert not gate.judge(torch.full((3, 4, 2), 100.0), zeros([0] * 3)).passed.any()


def test_copies_mirrored_copies_and_slightly_changed_copies_are_refused():
    real = torch.rand(40, 3, 8, 8, generator=seeded())
    gate = Gate(real, zeros)
    near = (real + 0.02 * torch.randn(real.shape, generator=seeded(1))).clamp(0, 1)
    for copies in (real, real.flip(3), near):
        verdict = gate.judge(copies, zeros(copies))
        assert verdict.copied.all()
        assert torch.equal(verdict.nearest, torch.arange(40))
        assert not verdict.passed.any()


def test_new_pictures_of_the_class_pass_and_those_of_another_do_not():
    """Further from every real one than the real ones mostly are from each other."""
    real = 0.5 + 0.1 * torch.rand(40, 3, 8, 8, generator=seeded())
    gate = Gate(real, lambda x: (x.mean(dim=(1, 2, 3)) > 0.5).long())
    light, dark = torch.full((2, 3, 8, 8), 0.9), torch.full((2, 3, 8, 8), 0.1)
    assert gate.judge(light, torch.ones(2)).passed.all()
    refused = gate.judge(dark, torch.ones(2))
    assert not refused.copied.any()
    assert not refused.passed.any()


def test_the_limit_is_the_median_of_the_real_ones_own_distances():
    """Distances 1, 1, 2 and 4 to the nearest other one."""
    real = torch.tensor([0.0, 1.0, 3.0, 7.0])[:, None, None]
    gate = Gate(real, zeros)
    assert gate.limit == pytest.approx(1.5)
    assert gate.judge(torch.tensor([[[8.4]], [[8.6]]]), zeros([0, 0])).copied.tolist() == [True, False]


@given(st.integers(2, 40), st.integers(0, 50))
def test_distances_are_those_of_brute_force(count, seed):
    random = seeded(seed)
    real, x = torch.randn(count, 3, 2, generator=random), torch.randn(7, 3, 2, generator=random)
    distance, nearest = Gate(real, zeros).distances(x)
    apart = (x[:, None] - real[None]).square().mean(dim=(2, 3)).sqrt()
    assert torch.allclose(distance, apart.min(dim=1).values, atol=1e-5)
    assert torch.allclose(apart[torch.arange(7), nearest], distance, atol=1e-5)


# windows


def test_neighbours_tell_two_kinds_of_windows_apart():
    x = torch.randn(60, 4, 2, generator=seeded())
    labels = torch.arange(60) % 2
    x[labels == 1, :, 0] += 6
    x[3, 0, 0] = float("nan")
    likeliest = neighbours_say(x[:50], labels[:50])
    assert torch.equal(likeliest(x[50:]), labels[50:])


def test_a_scarce_kind_is_not_outvoted_by_its_size():
    x = torch.cat([torch.zeros(200, 1, 1), torch.full((3, 1, 1), 1.0)])
    labels = torch.cat([torch.zeros(200), torch.ones(3)]).long()
    assert neighbours_say(x, labels)(torch.ones(1, 1, 1)).tolist() == [1]
