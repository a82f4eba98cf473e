from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from models.states import UNSEEN, State
from reports.agreement import SYSTEM, agreements, compare, in_words, named_seconds

A, B, C = (state.value for state in list(State)[:3])


def spans(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["start", "end", "student", "state", "reviewer"][: len(rows[0]) if rows else 5])


def named(states: list[str], student: int = 1) -> pd.Series:
    return named_seconds(spans(*[(t, t + 1, student, state) for t, state in enumerate(states)]))


# Nothing to compare


def test_nobody_named_anything() -> None:
    empty = spans()
    assert named_seconds(empty).empty
    assert agreements(empty, pd.DataFrame({"t": [], "student": [], "state": []})) == []


def test_two_who_named_other_seconds() -> None:
    one = compare("one", named([A], 1), "two", named([A], 2))
    assert (one.seconds, one.same, one.kappa) == (0, None, None)


def test_one_state_throughout_has_no_kappa() -> None:
    one = compare("one", named([A, A]), "two", named([A, A]))
    assert (one.seconds, one.same, one.kappa) == (2, 1.0, None)


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [(0, 1, [0]), (0.2, 1, []), (0.2, 2.9, [1]), (3, 6, [3, 4, 5]), (3, 5.99, [3, 4])],
)
def test_a_span_names_the_seconds_that_lie_wholly_in_it(start: float, end: float, seconds: list[int]) -> None:
    assert [t for _, t in named_seconds(spans((start, end, 1, A))).index] == seconds


def test_of_two_spans_that_overlap_the_later_line_is_meant() -> None:
    assert named_seconds(spans((0, 3, 1, A), (1, 2, 1, B))).tolist() == [A, B, A]


# Laws


@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.sampled_from([A, B, C])), min_size=1, max_size=60))
def test_kappa_is_that_of_scikit_learn_and_the_same_both_ways(pairs: list[tuple[str, str]]) -> None:
    first, second = (list(side) for side in zip(*pairs, strict=True))
    one = compare("a", named(first), "b", named(second))
    assert one.seconds == len(pairs)
    assert one.same == pytest.approx(np.mean([a == b for a, b in pairs]))
    if one.kappa is None:
        assert len({*first, *second}) == 1
    else:
        assert one.kappa == pytest.approx(cohen_kappa_score(first, second))
        assert one.kappa == pytest.approx(compare("b", named(second), "a", named(first)).kappa)


# One case by hand


def test_reviewers_with_the_system_then_with_each_other() -> None:
    states = pd.DataFrame({"t": range(4), "student": 1, "state": [A, A, B, UNSEEN]})
    written = spans((0, 4, 1, A, "ann"), (0, 2, 1, B, "bob"), (0, 1, 1, C, ""), (2, 4, 1, B, "ann"))
    found = agreements(written, states)
    assert [(one.one, one.other) for one in found] == [("ann", SYSTEM), ("bob", SYSTEM), ("ann", "bob")]
    assert [one.seconds for one in found] == [3, 2, 2]  # the unseen second counts in none
    assert [one.same for one in found] == [1.0, 0.0, 0.0]
    assert [one.kappa for one in found] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("kappa", "said"),
    [
        (1, "almost perfect"),
        (0.7, "substantial"),
        (0.0, "slight"),
        (-0.01, "worse than chance"),
        (-1, "worse than chance"),
    ],
)
def test_words(kappa: float, said: str) -> None:
    assert in_words(kappa) == said
