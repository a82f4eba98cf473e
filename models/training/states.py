"""Learning what signs mean in one's own rooms from seconds that an instructor confirmed or corrected.

A multinomial logistic regression on the shares of signs whose coefficients are log P(sign | way of a state), with a
Gaussian prior centred on the shipped ones: little data changes little. Judged on students it has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold

from models.errors import NotBetter, TrainingDataError
from models.evidence import in_order, shares, signs_of, used_cues
from models.state_model import StateSettings, belongs, posterior
from models.states import Profile, State, ways_of
from models.transitions import chain_of_ways

PRIOR_SD = 0.5
"""Of a log-chance around the shipped one: a chance is rarely wrong by more than a factor of e."""
ALIKE_S = 5.0
"""Seconds of one span that tell as much as one: neighbours repeat each other."""
FOLDS = 5


@dataclass(frozen=True)
class Lesson:
    """A session as training needs it.

    Attributes:
        name: of the session.
        cues: rows of ``models.evidence.CUE_COLUMNS``.
        spans: ``start``, ``end`` (s), ``student``, ``state`` as confirmed or corrected.
        interval_s: time between analysed frames, s.
    """

    name: str
    cues: pd.DataFrame
    spans: pd.DataFrame
    interval_s: float


@dataclass(frozen=True)
class Outcome:
    """What training came to, judged on students held out.

    Attributes:
        settings: with the learned chances.
        table: ``what``, ``before``, ``after``: log loss and macro-F1 over all, then F1 and seconds by state.
        students, seconds: how many were learned from.
    """

    settings: StateSettings
    table: pd.DataFrame
    students: int
    seconds: int


def train(lessons: Sequence[Lesson], settings: StateSettings, profile: Profile) -> Outcome:
    """Fit chances to all lessons, and judge the same fit with whole students left out.

    Only states of the profile are learned, from the cues it may look at.

    Raises:
        TrainingDataError: too little to learn from.
        NotBetter: on held-out students the fit is not better than the settings given.
    """
    states, cues = profile.states, used_cues(profile)
    labelled = pd.concat([_labelled(lesson, settings, profile) for lesson in lessons], ignore_index=True)
    people = labelled["person"].nunique()
    if people < 2 or labelled["truth"].nunique() < 2:
        raise TrainingDataError(
            f"corrections cover {people} students and {labelled['truth'].nunique()} states; confirm or correct spans of"
            " at least 2 students and 2 states in the dashboard"
        )
    truth = labelled["truth"].map({state.value: number for number, state in enumerate(states)}).to_numpy(int)
    before, after = _held_out(lessons, labelled, truth, settings, profile)
    table = _table(truth, before, after, states)
    losses, scores = table.loc[0, ["before", "after"]], table.loc[1, ["before", "after"]]
    if not (losses["after"] < losses["before"] and scores["after"] >= scores["before"]):
        raise NotBetter(
            f"on students held out the learned weights are not better (log loss {losses['before']:.3f} before,"
            f" {losses['after']:.3f} after; macro-F1 {scores['before']:.2f}, {scores['after']:.2f}); nothing was"
            " written, correct more spans of more students and train again"
        )
    shown, weight = labelled[signs_of(cues)].to_numpy(float), labelled["weight"].to_numpy(float)
    learned = fit(shown, truth, weight, settings, profile)
    return Outcome(learned, table, people, len(labelled))


def fit(
    shown: np.ndarray, truth: np.ndarray, weight: np.ndarray, settings: StateSettings, profile: Profile
) -> StateSettings:
    """Settings with the chances that make the truth likeliest, held back by the prior.

    Args:
        shown: (n, signs) shares of the signs of the profile's cues.
        truth: (n,) index into the profile's states.
        weight: (n,) of each second.
        settings: where the fit starts, and what it is held to.
        profile: what may be learned.
    """
    cues, ways = used_cues(profile), ways_of(profile.states)
    start = settings.log_chances(ways, cues)
    prior = np.log(chain_of_ways(ways, settings.dwell_s)[0])
    own = belongs(ways, profile.states).T[truth]
    ends = np.cumsum([0, *(len(cue.words) for cue in cues)])

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        raw = flat.reshape(start.shape)
        chances = _normal(raw, ends)
        score = settings.sharpness * shown @ chances + prior
        chance = np.exp(score - score.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        right = np.maximum((own * chance).sum(axis=1), 1e-300)
        by_way = own * chance / right[:, None]  # a span says which state, not in which of its ways it showed
        off = raw - start
        value = -(weight * np.log(right)).sum() + (off**2).sum() / (2 * PRIOR_SD**2)
        gradient = settings.sharpness * shown.T @ ((chance - by_way) * weight[:, None])
        for low, high in pairwise(ends):  # through the scaling of each cue's chances to 1
            gradient[low:high] -= np.exp(chances[low:high]) * gradient[low:high].sum(axis=0)
        return float(value), (gradient + off / PRIOR_SD**2).ravel()

    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    chances = np.exp(_normal(found.x.reshape(start.shape), ends)).clip(1e-4, 1 - 1e-4)
    signs = signs_of(cues)
    rows = {way: dict(zip(signs, map(float, chances[:, k]), strict=True)) for k, way in enumerate(ways)}
    return StateSettings.model_validate({**settings.model_dump(), "chances": rows})


def _normal(raw: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Logarithms of chances that sum to 1 within each cue."""
    parts = [raw[low:high] for low, high in pairwise(ends)]
    return np.concatenate([part - np.log(np.exp(part).sum(axis=0)) for part in parts])


def _labelled(lesson: Lesson, settings: StateSettings, profile: Profile) -> pd.DataFrame:
    """Shares of signs of the seconds that lie wholly within a span and were seen; the later span of two wins."""
    used = used_cues(profile)
    table = in_order(lesson.cues)
    shown = pd.DataFrame(shares(table, used, settings), columns=signs_of(used))
    rows = pd.concat([table[["student", "t"]], shown], axis=1)
    truth = pd.Series(pd.NA, index=rows.index, dtype=object)
    weight = pd.Series(0.0, index=rows.index)
    for span in lesson.spans.itertuples():
        inside = (rows["student"] == span.student) & (rows["t"] >= span.start) & (rows["t"] + 1 <= span.end)
        truth[inside], weight[inside] = span.state, 1 / ALIKE_S
    rows = rows.assign(truth=truth, weight=weight, lesson=lesson.name)
    rows["person"] = lesson.name + "/" + rows["student"].astype(str)
    return rows[truth.notna() & (shown.sum(axis=1) > 0)]


def _held_out(
    lessons: Sequence[Lesson], labelled: pd.DataFrame, truth: np.ndarray, settings: StateSettings, profile: Profile
) -> tuple[np.ndarray, np.ndarray]:
    """(n, states) posterior of every labelled second before, and after by a fit that never saw its student."""
    before = _posterior(lessons, labelled, settings, profile)
    after = np.full_like(before, np.nan)
    shown, weight = labelled[signs_of(used_cues(profile))].to_numpy(float), labelled["weight"].to_numpy(float)
    people = labelled["person"]
    folds = GroupKFold(min(FOLDS, people.nunique())).split(shown, groups=people)
    for learn, test in folds:
        learned = fit(shown[learn], truth[learn], weight[learn], settings, profile)
        after[test] = _posterior(lessons, labelled.iloc[test], learned, profile)
    return before, after


def _posterior(lessons: Sequence[Lesson], rows: pd.DataFrame, settings: StateSettings, profile: Profile) -> np.ndarray:
    """(n, states) posterior of the rows, each lesson smoothed as a whole; all alike where it is unseen."""
    wanted = {name: set(part["student"]) for name, part in rows.groupby("lesson")}
    found = [
        posterior(lesson.cues, profile, settings, lesson.interval_s).assign(lesson=lesson.name)
        for lesson in lessons
        if lesson.name in wanted
    ]
    columns = [f"p_{state.value}" for state in profile.states]
    joined = rows[["lesson", "student", "t"]].merge(pd.concat(found), on=["lesson", "student", "t"], how="left")
    return joined[columns].fillna(1 / len(columns)).to_numpy(float)


def _table(truth: np.ndarray, before: np.ndarray, after: np.ndarray, states: Sequence[State]) -> pd.DataFrame:
    there = np.unique(truth)
    rows = np.arange(len(truth))
    loss = [-float(np.log(found[rows, truth].clip(1e-9)).mean()) for found in (before, after)]
    answers = [found.argmax(axis=1) for found in (before, after)]
    by_state = [f1_score(truth, said, labels=there, average=None, zero_division=0) for said in answers]
    head = [("log loss", *loss, len(truth)), ("macro-F1", *(float(f1.mean()) for f1 in by_state), len(truth))]
    names = [
        (states[state].label, float(by_state[0][i]), float(by_state[1][i]), int((truth == state).sum()))
        for i, state in enumerate(there)
    ]
    return pd.DataFrame([*head, *names], columns=["what", "before", "after", "seconds"])


def as_yaml(outcome: Outcome, profile: Profile) -> str:
    """The learned chances as a settings file for ``engage run --config``."""
    import yaml

    signs = signs_of(used_cues(profile))
    rows = {
        way.value: {sign: round(outcome.settings.chances[way][sign], 4) for sign in signs}
        for way in ways_of(profile.states)
    }
    head = f"# Learned from {outcome.seconds} seconds of {outcome.students} students by engage train states.\n"
    return head + yaml.safe_dump({"states": {"chances": rows}}, sort_keys=False)
