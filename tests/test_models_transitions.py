from __future__ import annotations

import numpy as np
import pytest

from models.states import Profile, State, Way, ways_of
from models.transitions import DWELL_S, alone, chain, chain_of_ways, jumps, smooth

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
    ways = ways_of(profile.states)
    empty = np.zeros((0, len(ways)))
    assert smooth(empty, np.zeros(0, int), ways, DWELL_S).shape == empty.shape
    assert alone(empty, ways, DWELL_S).shape == empty.shape


@profiles
def test_ways_leave_their_states_as_they_are(profile):
    ways = ways_of(profile.states)
    assert {way.state for way in ways} == set(profile.states)
    start, moves = chain_of_ways(ways, DWELL_S)
    of_states, moves_of_states = chain(profile.states, DWELL_S)
    of = np.array([[way.state is state for state in profile.states] for way in ways], float)
    assert moves.sum(axis=1) == pytest.approx(np.ones(len(ways)))
    assert start @ moves == pytest.approx(start)
    assert start @ of == pytest.approx(of_states)
    assert moves @ of == pytest.approx(of @ moves_of_states)


def test_how_few_are_on_the_phone_is_paid_for_once_and_not_each_second():
    ways = ways_of(tuple(State))
    phone, notes = ways.index(Way.ON_PHONE), ways.index(Way.TAKING_NOTES)
    evidence = np.full((20, len(ways)), -1.0)
    evidence[:, [phone, notes]] = 0.0  # nothing tells the two apart
    once = smooth(evidence, np.array([20]), ways, DWELL_S)[10, phone]
    evidence[:, phone] = np.log(0.5)
    each_second = smooth(evidence, np.array([20]), ways, DWELL_S)[10, phone]
    assert once > 0.02 > 10 * each_second


def test_students_do_not_speak_for_each_other():
    ways = ways_of(tuple(State))
    evidence = np.zeros((20, len(ways)))
    evidence[:10, 3] = 5.0
    both = smooth(evidence, np.array([10, 10]), ways, DWELL_S)
    assert both[10:] == pytest.approx(smooth(evidence[10:], np.array([10]), ways, DWELL_S))
    assert (both[:10].argmax(axis=1) == 3).all()


def test_one_second_alone_is_prior_times_evidence():
    ways = ways_of(tuple(State))
    evidence = np.random.default_rng(0).normal(0, 2, (5, len(ways)))
    expected = np.exp(evidence) * chain_of_ways(ways, DWELL_S)[0]
    assert alone(evidence, ways, DWELL_S) == pytest.approx(expected / expected.sum(axis=1, keepdims=True))
    assert smooth(evidence[:1], np.array([1]), ways, DWELL_S) == pytest.approx(alone(evidence[:1], ways, DWELL_S))
