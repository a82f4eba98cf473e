"""How states follow each other, and the posterior of each second given the whole lecture.

A hidden Markov chain per student (Rabiner 1989, Proc. IEEE 77(2), section III): a state lasts ``dwell_s`` on average,
then another follows by ``JUMPS``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from models.states import State, Way

S = State

DWELL_S: dict[State, float] = {
    S.ATTENTIVE: 15.0,
    S.DISTRACTED: 9.0,
    S.CONFUSED: 10.0,
    S.BORED: 15.0,
    S.DISCUSSING: 7.5,
    S.TAKING_NOTES: 18.0,
}
"""s a state lasts on average. Their ratios are FineEdu's (share of students in another state one sampled frame later:
attentive 0.18, distracted 0.31, bored 0.18, discussing 0.37, taking notes 0.15; ``benchmarks/transitions.py``). Its
sampling interval is not published, so the scale is a convention: shorter than the 20 s for which observers code one
state (BROMP, Ocumpaugh, Baker & Rodrigo 2015). Confusion was not annotated; it passes sooner than boredom and
engagement do (D'Mello & Graesser 2011, Cognition and Emotion 25(7))."""

MEASURED_JUMPS: dict[State, dict[State, float]] = {
    S.ATTENTIVE: {S.DISTRACTED: 0.38, S.BORED: 0.01, S.DISCUSSING: 0.02, S.TAKING_NOTES: 0.59},
    S.DISTRACTED: {S.ATTENTIVE: 0.60, S.BORED: 0.01, S.DISCUSSING: 0.04, S.TAKING_NOTES: 0.35},
    S.BORED: {S.ATTENTIVE: 0.48, S.DISTRACTED: 0.20, S.DISCUSSING: 0.01, S.TAKING_NOTES: 0.31},
    S.DISCUSSING: {S.ATTENTIVE: 0.33, S.DISTRACTED: 0.27, S.BORED: 0.00, S.TAKING_NOTES: 0.39},
    S.TAKING_NOTES: {S.ATTENTIVE: 0.71, S.DISTRACTED: 0.25, S.BORED: 0.01, S.DISCUSSING: 0.04},
}
"""FineEdu, students linked over neighbouring frames by the overlap of their boxes (99,550 pairs of 88 lessons): of the
students who changed, the share that went to each state."""

OPEN_MIND = 0.5
"""Share of a jump that goes anywhere alike. FineEdu's are school lessons under a teacher's eye, where sleep and yawns
stand for boredom and nobody's confusion was annotated; another course may talk or tire more."""

ON_PHONE_SHARE = 0.5
"""Of those distracted, on the phone: FineEdu, "play phone" against "distracted", "look student", "eat" and "drink"."""


def jumps(states: Sequence[State]) -> np.ndarray:
    """(k, k) where a student goes on leaving a state; rows sum to 1, the diagonal is 0."""
    count = len(states)
    anywhere = (1 - np.eye(count)) / max(count - 1, 1)
    measured = np.array([[MEASURED_JUMPS.get(a, {}).get(b, 0.0) for b in states] for a in states], float)
    total = measured.sum(axis=1, keepdims=True)
    measured = np.where(total > 0, measured / np.where(total > 0, total, 1), anywhere)
    return OPEN_MIND * anywhere + (1 - OPEN_MIND) * measured


def chain(states: Sequence[State], dwell_s: Mapping[State, float]) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the states in the long run (k,) and chances of the next second's state (k, k)."""
    leave = np.array([1 / dwell_s[state] for state in states])[:, None]
    moves = (1 - leave) * np.eye(len(states)) + leave * jumps(states)
    system = np.vstack([moves.T - np.eye(len(states)), np.ones(len(states))])
    start = np.linalg.lstsq(system, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    return start / start.sum(), moves


def chain_of_ways(ways: Sequence[Way], dwell_s: Mapping[State, float]) -> tuple[np.ndarray, np.ndarray]:
    """``chain`` of the ways (w,), (w, w): states last and follow as there.

    A way is entered by its share of the state, and given up for another of it as often as the state is left. Somebody
    who is on the phone stays on it, so that how few are is paid for once and not each second.
    """
    states = list(dict.fromkeys(way.state for way in ways))
    of = np.array([states.index(way.state) for way in ways])
    raw = np.array([_share(way) for way in ways])
    same = of[:, None] == of
    share = raw / (same * raw).sum(axis=1)
    start, moves = chain(states, dwell_s)
    kept = 1 - np.array([1 / dwell_s[state] for state in states])[of]
    others = same & ~np.eye(len(ways), dtype=bool)
    rest = (others * share).sum(axis=1)
    switch = np.where(rest > 0, 1 - kept, 0.0)
    within = np.diag(1 - switch) + switch[:, None] * others * share / np.where(rest > 0, rest, 1)[:, None]
    return start[of] * share, np.where(same, kept[:, None] * within, moves[of][:, of] * share)


def _share(way: Way) -> float:
    if way.state is not S.DISTRACTED:
        return 1.0
    return ON_PHONE_SHARE if way is Way.ON_PHONE else 1 - ON_PHONE_SHARE


@cache
def _chain_class() -> Any:
    """hmmlearn's chain over log-likelihoods computed elsewhere (its documented way to plug in other emissions)."""
    from hmmlearn.base import BaseHMM  # brings scikit-learn along: half a second, not before it is needed

    class Chain(BaseHMM):
        def _compute_log_likelihood(self, X: np.ndarray) -> np.ndarray:
            return X

    return Chain


def smooth(
    log_likelihood: np.ndarray, lengths: np.ndarray, ways: Sequence[Way], dwell_s: Mapping[State, float]
) -> np.ndarray:
    """Posterior (n, w) of each second given the whole lecture of its student (forward-backward).

    Args:
        log_likelihood: (n, w) of each second's evidence, one student after another.
        lengths: seconds of each student.
        ways: of the columns.
        dwell_s: s each state lasts.
    """
    if not len(log_likelihood):
        return np.zeros_like(log_likelihood)
    model = _chain_class()(n_components=len(ways))
    model.startprob_, model.transmat_ = chain_of_ways(ways, dwell_s)
    posterior: np.ndarray = model.predict_proba(log_likelihood, lengths)
    return posterior


def alone(log_likelihood: np.ndarray, ways: Sequence[Way], dwell_s: Mapping[State, float]) -> np.ndarray:
    """Posterior (n, w) of each second by its own evidence and the shares of the ways only."""
    score = log_likelihood + np.log(chain_of_ways(ways, dwell_s)[0])
    score = np.exp(score - score.max(axis=1, keepdims=True, initial=-np.inf))
    return score / score.sum(axis=1, keepdims=True)
