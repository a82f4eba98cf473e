from __future__ import annotations

import numpy as np
import pytest

from models.states import Profile, State
from models.transitions import DWELL_S, alone, chain, jumps, smooth

profiles = pytest.mark.parametrize("profile", Profile)


@profiles
def test_jumps_are_chances_of_leaving(profile):
    table = jumps(profile.states)
    assert table.sum(axis=1) == pytest.approx(np.ones(len(profile.states)))
    assert (np.diag(table) == 0).all()
    assert (table[~np.eye(len(table), dtype=bool)] > 0).all()  # every state can be reached


@profiles
def test_the_long_run_is_kept_and_states_last_as_long_as_told(profile):
    start, moves = chain(profile.states, DWELL_S)
    assert start.sum() == pytest.approx(1)
    assert (start > 0).all()
    assert start @ moves == pytest.approx(start)
    assert 1 / (1 - np.diag(moves)) == pytest.approx([DWELL_S[state] for state in profile.states])


@profiles
def test_nobody(profile):
    empty = np.zeros((0, len(profile.states)))
    assert smooth(empty, np.zeros(0, int), profile.states, DWELL_S).shape == empty.shape
    assert alone(empty, profile.states, DWELL_S).shape == empty.shape


def test_students_do_not_speak_for_each_other():
    states = tuple(State)
    evidence = np.zeros((20, 6))
    evidence[:10, 3] = 5.0
    both = smooth(evidence, np.array([10, 10]), states, DWELL_S)
    assert both[10:] == pytest.approx(smooth(evidence[10:], np.array([10]), states, DWELL_S))
    assert (both[:10].argmax(axis=1) == 3).all()


def test_one_second_alone_is_prior_times_evidence():
    states = tuple(State)
    evidence = np.random.default_rng(0).normal(0, 2, (5, 6))
    expected = np.exp(evidence) * chain(states, DWELL_S)[0]
    assert alone(evidence, states, DWELL_S) == pytest.approx(expected / expected.sum(axis=1, keepdims=True))
    assert smooth(evidence[:1], np.array([1]), states, DWELL_S) == pytest.approx(alone(evidence[:1], states, DWELL_S))
