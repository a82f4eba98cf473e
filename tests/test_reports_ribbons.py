from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import simulated_states
from hypothesis import given
from hypothesis import strategies as st

from models.states import UNSEEN, Profile, State
from reports.errors import FormulaError
from reports.formula import student_engagement
from reports.ribbons import NOBODY, found, in_words, ribbons, spans

NAMES = [state.value for state in State]


def table(students: int, seconds: int, seed: int = 0) -> pd.DataFrame:
    return simulated_states(np.random.default_rng(seed), students, seconds, Profile.FULL)


def sure(*rows: tuple[int, int, str, float]) -> pd.DataFrame:
    """(t, student, state, probability); the rest is shared among the others. ``unseen`` has no evidence."""
    made = []
    for t, student, state, p in rows:
        seen = state != UNSEEN
        others = (1 - p) / (len(NAMES) - 1)
        posterior = {f"p_{name}": (p if name == state else others) if seen else np.nan for name in NAMES}
        made.append({"t": t, "student": student, "coverage": 1.0 if seen else 0.0, "state": state, **posterior})
    return pd.DataFrame(made)


# Nothing to show


@pytest.mark.parametrize("length", [1, 7])
def test_nobody(length: int) -> None:
    made = ribbons(table(0, 20), 20.0, length)
    assert made.state.shape[0] == 0
    assert spans(made, 20.0).empty
    assert found(spans(made, 20.0), [], 0, 1, 10)[1] == 0


def test_never_seen() -> None:
    made = ribbons(sure((0, 3, UNSEEN, 0), (1, 3, UNSEEN, 0)), 2.0)
    assert made.students.tolist() == [3]
    assert made.state.tolist() == [[NOBODY, NOBODY]]
    assert made.sure.tolist() == made.seen.tolist() == [[0, 0]]
    assert spans(made, 2.0).empty


def test_a_bin_shorter_than_a_second_is_refused() -> None:
    with pytest.raises(FormulaError, match=r"0\.5 s"):
        ribbons(table(1, 3), 3.0, 0.5)


# Laws


@given(students=st.integers(1, 4), seconds=st.integers(1, 40), length=st.integers(1, 15), seed=st.integers(0, 99))
def test_bins_lose_no_seen_time(students: int, seconds: int, length: int, seed: int) -> None:
    states = table(students, seconds, seed)
    made = ribbons(states, float(seconds), length)
    held = np.minimum(length, seconds - np.arange(made.seen.shape[1]) * length)
    minutes = (made.seen * held).sum(axis=1) / 60
    assert minutes == pytest.approx(student_engagement(states)["minutes_seen"].to_numpy(), abs=1e-6)
    assert ((made.state == NOBODY) == (made.seen == 0)).all()
    assert (made.sure[made.state != NOBODY] >= 1 / len(NAMES) - 1e-9).all()
    assert (made.sure <= 1 + 1e-9).all()


@given(students=st.integers(1, 4), seconds=st.integers(1, 40), seed=st.integers(0, 99))
def test_spans_cover_each_seen_second_once(students: int, seconds: int, seed: int) -> None:
    states = table(students, seconds, seed)
    rows = spans(ribbons(states, float(seconds)), float(seconds))
    again = {(span.student, t): span.state for span in rows.itertuples() for t in range(int(span.start), int(span.end))}
    seen = states[states["state"] != UNSEEN]
    assert again == dict(zip(zip(seen["student"], seen["t"], strict=True), seen["state"], strict=True))
    assert (rows["end"] - rows["start"]).sum() == len(seen)


def test_students_do_not_share_a_span() -> None:
    states = sure((0, 1, NAMES[0], 0.9), (0, 2, NAMES[0], 0.9), (1, 1, NAMES[0], 0.9), (1, 2, NAMES[0], 0.9))
    assert spans(ribbons(states, 2.0), 2.0)["student"].tolist() == [1, 2]


# A lecture by hand


def test_what_a_filter_finds() -> None:
    states = sure(
        (0, 1, NAMES[0], 0.9), (1, 1, NAMES[0], 0.7), (2, 1, NAMES[3], 0.6), (3, 1, UNSEEN, 0), (4, 1, NAMES[3], 0.95)
    )  # fmt: skip
    rows = spans(ribbons(states, 4.5), 4.5)
    assert rows[["start", "end", "state"]].values.tolist() == [[0, 2, NAMES[0]], [2, 3, NAMES[3]], [4, 4.5, NAMES[3]]]
    assert rows["sure"].tolist() == pytest.approx([0.8, 0.6, 0.95])
    assert found(rows, [NAMES[3]], 0.0, 1.0, 10)[0]["start"].tolist() == [2, 4]
    assert found(rows, [NAMES[3]], 0.0, 0.9, 10)[0]["start"].tolist() == [2]
    longest, count = found(rows, [], 0.0, 1.0, 1)
    assert (longest["start"].tolist(), count) == ([0], 3)


@pytest.mark.parametrize(
    ("p", "said"), [(1, "very likely"), (0.7, "likely"), (0.5, "more likely than not"), (0.2, "hard to tell")]
)
def test_words(p: float, said: str) -> None:
    assert in_words(p) == said
