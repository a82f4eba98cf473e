from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scorer import BOUND, FLAGS, LATENT, NEIGHBOURS, Scorer

ODD = [np.nan, np.inf, -np.inf]


def blob(count: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, width))


def auroc(odd: np.ndarray, ordinary: np.ndarray) -> float:
    return float((odd[:, None] > ordinary).mean() + 0.5 * (odd[:, None] == ordinary).mean())


# degenerate rows


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (3,)])
def test_nothing_to_learn_from_is_said(shape):
    with pytest.raises(ValueError, match="at least one row"):
        Scorer().fit(np.zeros(shape))


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    "rows",
    [
        np.ones((1, 3)),
        np.ones((2, 1)),
        np.full((30, 4), 7.0),
        np.full((30, 4), np.nan),
        np.full((30, 4), np.inf),
        blob(40, 3) * 1e-9,
        blob(40, 3) * 1e9,
        blob(40, 3) * [1e-9, 1.0, 1e9],
        np.where(blob(40, 3) > 1, np.nan, blob(40, 3)),
        np.where(blob(40, 3) > 1, np.inf, 0.0),
        np.full((30, 2), 1e300),
    ],
    ids=["one", "two-of-one", "constant", "missing", "infinite", "tiny", "huge", "mixed", "gaps", "holes", "overflow"],
)
def test_scores_are_numbers(rows, trusted):
    scorer = Scorer(trusted).fit(rows)
    for asked in (rows, np.zeros((2, rows.shape[1])), np.full((2, rows.shape[1]), np.nan), rows[:0]):
        assert np.isfinite(scorer.score(asked)).all()
        assert scorer.score(asked).shape == (len(asked),)
        assert np.isfinite(scorer.contributions(asked)).all()
        assert np.isfinite(scorer.latent(asked)).all()


def test_a_departure_from_what_never_changed_is_strange():
    rows = blob(200, 3)
    rows[:, 1] = 5.0
    changed = rows[:20].copy()
    changed[:, 1] = 6.0
    scorer = Scorer().fit(rows)
    assert scorer.score(changed).min() > scorer.score(rows).max()


@pytest.mark.parametrize("value", ODD)
def test_a_value_that_is_none_neither_explains_nor_blames(value):
    rows = blob(100, 4)
    rows[0, 2] = value
    scorer = Scorer().fit(rows)
    assert scorer.contributions(rows[:1])[0, 2] == 0
    assert abs(scorer.score(rows[:1])[0]) < scorer.score(np.full((1, 4), 8.0))[0]


# laws


@settings(max_examples=5, deadline=None)
@given(st.sampled_from([1e-9, 1e-3, 1e3, 1e9]), st.integers(0, 9))
def test_units_do_not_matter(unit, seed):
    rows, asked = blob(80, 3, seed), blob(20, 3, seed + 1) * 2
    plain = Scorer().fit(rows).score(asked)
    np.testing.assert_allclose(Scorer().fit(rows * unit).score(asked * unit), plain, atol=1e-3)


def test_the_seed_decides():
    rows = blob(60, 3)
    one, same, other = (Scorer(seed=seed).fit(rows).score(rows) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_rows_are_scored_one_by_one():
    rows, asked = blob(200, 4), blob(50, 4, 1) * 3
    scorer = Scorer().fit(rows)
    whole = scorer.score(asked)
    parts = np.concatenate([scorer.score(part) for part in np.array_split(asked, 3)])
    assert np.corrcoef(whole, parts)[0, 1] > 0.99  # only the draws of the latent variables differ


def test_farther_is_stranger_beyond_all_that_is_known():
    scorer = Scorer().fit(blob(300, 3))
    scores = scorer.score(np.outer([1, 4, 8, 16], np.ones(3)))
    assert (np.diff(scores) > 0).all()


# what it is for


@pytest.mark.parametrize("trusted", [False, True])
def test_a_departure_from_a_relation_is_found(trusted):
    along = blob(600, 1, 3)
    rows = np.hstack([along, -along, 0.5 * along]) + 0.1 * blob(600, 3, 4)
    odd = np.hstack([along[:40], along[:40], -0.5 * along[:40]])[np.abs(along[:40, 0]) > 0.7]
    scorer = Scorer(trusted).fit(rows)
    assert auroc(scorer.score(odd), scorer.score(rows)) > 0.9


def test_outliers_do_not_vouch_for_each_other():
    ordinary, odd = blob(380, 5), blob(20, 5, 1) * 0.1 + 5
    scorer = Scorer().fit(np.concatenate([ordinary, odd]))
    assert auroc(scorer.score(odd), scorer.score(ordinary)) > 0.95


@pytest.mark.parametrize("trusted", [False, True])
def test_a_rare_flag_among_many_is_found(trusted):
    random = np.random.default_rng(5)
    often, rarely = random.random((2000, 24)) < 0.4, np.zeros((2000, 6), bool)
    rarely[:12] = np.tile(np.eye(6, dtype=bool), (2, 1))
    rows = np.hstack([often, rarely, blob(2000, 4)]).astype(float)
    scores = Scorer(trusted).fit(rows).score(rows)
    assert auroc(scores[:12], scores[12:]) > 0.97


def test_numbers_are_judged_without_the_witness_for_flags():
    numbers = blob(300, 6)
    flagged = np.hstack([numbers, (numbers[:, :1] > 1).astype(float)])
    assert FLAGS not in Scorer().fit(numbers).witnesses(numbers)
    assert FLAGS not in Scorer().fit(flagged).witnesses(flagged)  # one of seven columns
    only = (numbers > 1).astype(float)
    assert FLAGS in Scorer().fit(only).witnesses(only)


def test_the_score_joins_its_witnesses():
    rows = blob(200, 4)
    scorer = Scorer().fit(rows)
    told = scorer.witnesses(rows)
    joined = (told[BOUND] + told[LATENT] + 4 * told[NEIGHBOURS]) / 6
    np.testing.assert_allclose(scorer.score(rows), joined)


def test_units_in_use_are_counted():
    along = blob(500, 1)
    rows = np.hstack([along] * 6) + 0.05 * blob(500, 6, 1)
    for used, there in Scorer().fit(rows).units:
        assert 1 <= used <= there == 2


def test_the_feature_that_departs_is_named():
    rows = blob(400, 6)
    odd = blob(10, 6, 1) * 0.5
    odd[:, 4] = 9.0
    worst = Scorer().fit(rows).contributions(odd).argmax(axis=1)
    assert (worst == 4).all()


def test_what_is_alike_lies_close_in_the_latent_space():
    groups = np.repeat([[4.0] * 6, [-4.0] * 6], 150, axis=0) + blob(300, 6)
    latent = Scorer().fit(groups).latent(groups)
    one, other = latent[:150], latent[150:]
    between = np.linalg.norm(one.mean(axis=0) - other.mean(axis=0))
    assert between > 2 * max(one.std(axis=0).max(), other.std(axis=0).max())
