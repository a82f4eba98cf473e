"""From per-second cues to how likely each state is: a log-linear score per second, smoothed over the lecture.

Version 1 is transparent on purpose: every number below is a convention with a reason, none is fitted. For each second
the score of state k is  b_k + Σ_j W_kj · m_j  over the cues j that were *seen*, where m_j in [0, 1] says how strongly
cue j is present. A cue that was not seen adds nothing to any state. A hidden Markov chain with these scores as
log-likelihoods and a common dwell time then gives the posterior of each second given the whole lecture
(forward-backward; Rabiner 1989, Proc. IEEE 77(2), section III).
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pandas as pd
from hmmlearn.base import BaseHMM
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from models.states import UNSEEN, Profile, State


def _rising(ramp: tuple[float, float]) -> tuple[float, float]:
    if ramp[0] == ramp[1]:
        raise ValueError("the two ends of a ramp must differ")
    return ramp


Ramp = Annotated[tuple[float, float], AfterValidator(_rising)]
"""(absent, present): where a cue's strength is 0 and where it is 1, linear between."""

CUE_COLUMNS = (
    "t", "student", "body", "face", "usually_seen", "yaw", "pitch", "roll", "eye_open", "mouth_open", "mouth_motion",
    "brow", "motion", "mutual",
    "head_px", "yaw_class", "pitch_class", "roll_class", "gaze_x", "gaze_y", "eye_own", "perclos", "blinks",
    "mouth_own", "mouth_held", "mouth_crossings", "mouth_rhythm", "brow_furrow", "yawn", "frown",
    "hand_face", "hand_raised", "hand_front", "desk_motion", "writing", "phone", "object", "slump", "still_s",
)  # fmt: skip
"""What the model may read, one row per student and second. ``body`` and ``face``: share of the second's analysed frames
in which they were seen (0 to 1). ``usually_seen``: the same share of faces over the student's whole lecture. ``yaw
pitch roll`` (deg) relative to where this student looks when looking ahead, signs as in observations. ``brow`` relative
to the student's own median. ``mouth_motion``: standard deviation of mouth opening. ``motion``: body heights/s.
``mutual``: 1 where a neighbour looks back. The others, with unit, range, source and the head size from which each is
trusted, are in docs/cues.md; ``*_class`` are angles off the class's forward direction and ``eye_open mouth_open
brow_furrow`` readings without a personal baseline, of which ``yaw pitch roll`` and ``eye_own mouth_own brow`` are the
personal versions. Optional: ``behaviour_<name>``, 0 to 1. NaN where not seen."""

CUE_WORDS = {
    "ahead": "looks ahead",
    "away": "looks aside",
    "down": "head bowed",
    "hidden": "face hidden",
    "mutual": "facing a neighbour",
    "talking": "mouth moving",
    "yawning": "mouth wide open",
    "drowsy": "eyes nearly shut",
    "tilted": "head tilted",
    "furrowed": "brow drawn together",
    "still": "hardly moves",
    "write": "writing",
    "read": "reading",
    "lookup": "looking up",
    "turn_head": "head turned",
    "raise_hand": "hand raised",
    "stand": "standing",
    "discuss": "in a group",
}
"""Each cue's name in words an instructor reads."""

S = State


BIAS: dict[State, float] = {
    S.ATTENTIVE: 0.5,
    S.DISTRACTED: 0.0,
    S.CONFUSED: -1.0,
    S.BORED: -0.7,
    S.DISCUSSING: -0.7,
    S.TAKING_NOTES: 0.0,
}

WEIGHTS: dict[State, dict[str, float]] = {
    S.ATTENTIVE: {"ahead": 2.0, "lookup": 2.0, "raise_hand": 1.5, "away": -1.0, "down": -0.5, "tilted": -0.8},
    S.DISTRACTED: {"away": 1.8, "turn_head": 1.0, "hidden": 0.6, "down": 0.5, "mutual": -1.0, "write": -1.5},
    S.CONFUSED: {"furrowed": 2.0, "tilted": 1.0, "ahead": 1.0},
    S.BORED: {"drowsy": 1.8, "yawning": 1.5, "tilted": 1.0, "still": 0.5, "ahead": 0.4, "down": 0.4},
    S.DISCUSSING: {"mutual": 2.5, "discuss": 2.5, "talking": 1.0, "away": 0.6},
    S.TAKING_NOTES: {"down": 1.8, "write": 2.5, "read": 1.2, "hidden": 0.8, "talking": -0.5},
}
"""No single cue outweighs looking ahead for an inferred inner state: a tilted head alone is not confusion."""


class StateSettings(BaseModel):
    """Every threshold of the state model, with its unit and source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    away_deg: Ramp = Field(
        (18.0, 35.0),
        description="|yaw| off the student's forward direction. Beyond about 35 deg the board has left the field of"
        " comfortable eye movement, so the head follows the gaze (Stiefelhagen & Zhu 2002, CHI)",
    )
    down_deg: Ramp = Field(
        (15.0, 32.0),
        description="pitch below the student's forward direction. A notebook on the desk lies 35 to 50 deg below the"
        " board, the eyes take 5 to 10 deg of that; up to 15 is slumping",
    )
    tilt_deg: Ramp = Field((7.0, 15.0), description="|roll| off the student's usual one; sway stays below 7")
    furrow: Ramp = Field(
        (0.08, 0.25), description="brow_furrow above the student's own median (AU4, Ekman & Friesen 1978)"
    )
    eye_shut: Ramp = Field(
        (0.45, 0.20), description="eye_open; 0.2 is the 80 % closure of PERCLOS (Wierwille & Ellsworth 1994)"
    )
    yawn: Ramp = Field((0.45, 0.80), description="mouth_open; speech rarely opens the mouth beyond half of a yawn")
    talk: Ramp = Field((0.04, 0.12), description="standard deviation of mouth_open within the second")
    still: Ramp = Field((0.10, 0.03), description="body heights per second; 0.03 is the jitter of the boxes")
    usually_seen: Ramp = Field(
        (0.4, 0.7),
        description="share of frames in which a student's face is found at all; only where it usually is does its"
        " absence say that the head is bowed or turned",
    )
    min_coverage: float = Field(0.2, ge=0, le=1, description="share of a second with evidence below which it is unseen")
    hidden_evidence: float = Field(
        0.5, ge=0, le=1, description="what a frame with a hidden face counts, beside 1 for a face seen"
    )
    dwell_s: float = Field(
        8.0, gt=1, description="s a state lasts on average; in-class states are coded in spans of seconds to minutes"
        " (BERI, Lane & Harris 2015)"
    )  # fmt: skip
    sharpness: float = Field(
        0.6, gt=0, description="weight of one second's score: neighbouring seconds repeat the same evidence"
    )
    bias: dict[State, float] = Field(
        BIAS, description="log prior odds: attending is the commonest state, inferred inner states the rarest"
    )
    weights: dict[State, dict[str, float]] = Field(
        WEIGHTS, description="log-odds a fully present cue adds to a state; states not named keep the default"
    )

    @field_validator("bias", "weights", mode="before")
    @classmethod
    def _complete(cls, given: Any, info: ValidationInfo) -> Any:
        default: dict[State, Any] = BIAS if info.field_name == "bias" else WEIGHTS
        return {**default, **given} if isinstance(given, dict) else given

    @field_validator("weights")
    @classmethod
    def _known_cues(cls, weights: dict[State, dict[str, float]]) -> dict[State, dict[str, float]]:
        unknown = sorted({cue for cues in weights.values() for cue in cues} - CUE_WORDS.keys())
        if unknown:
            raise ValueError(f"no cue is named {unknown[0]}; known are {', '.join(sorted(CUE_WORDS))}")
        return weights


def cue_strengths(cues: pd.DataFrame, settings: StateSettings) -> pd.DataFrame:
    """How strongly each cue of ``CUE_WORDS`` is present, 0 to 1; NaN where it could not be seen.

    Args:
        cues: rows of ``CUE_COLUMNS``.
        settings: the ramps.
    """
    away = _ramp(cues["yaw"].abs(), settings.away_deg)
    down = _ramp(-cues["pitch"], settings.down_deg)
    hidden = (1 - cues["face"]) * _ramp(cues["usually_seen"], settings.usually_seen)
    strengths = {
        "ahead": (1 - away) * (1 - down),
        "away": away,
        "down": down,
        "hidden": hidden.where(cues["body"] > 0),
        "mutual": cues["mutual"],
        "talking": _ramp(cues["mouth_motion"], settings.talk),
        "yawning": _ramp(cues["mouth_open"], settings.yawn),
        "drowsy": _ramp(cues["eye_open"], settings.eye_shut) * (1 - down),  # a lid seen from above looks shut
        "tilted": _ramp(cues["roll"].abs(), settings.tilt_deg),
        "furrowed": _ramp(cues["brow"], settings.furrow),
        "still": _ramp(cues["motion"], settings.still),
    }
    for name in CUE_WORDS.keys() - strengths.keys():
        column = f"behaviour_{name}"
        strengths[name] = cues[column] if column in cues else pd.Series(np.nan, cues.index)
    return pd.DataFrame(strengths)


def posterior(cues: pd.DataFrame, profile: Profile, settings: StateSettings) -> pd.DataFrame:
    """How likely each state of the profile is, for every student and second.

    Args:
        cues: rows of ``CUE_COLUMNS``, without gaps: each student has a row for every second of the lecture.
        profile: states outside it are not computed at all.
        settings: thresholds and weights.

    Returns:
        the table of ``pipeline.session.STATE_COLUMNS`` with ``p_<state>`` for the profile's states, ordered by
        student and time.
    """
    states = profile.states
    cues = cues.sort_values(["student", "t"], kind="stable").reset_index(drop=True)
    cues = cues.fillna({"body": 0.0, "face": 0.0})
    strengths = cue_strengths(cues, settings)
    coverage = _coverage(cues, settings)
    names = list(strengths)
    weights = np.array([[settings.weights[state].get(name, 0.0) for name in names] for state in states])
    present = strengths.fillna(0.0).to_numpy(float)
    bias = np.array([settings.bias[state] for state in states])
    scores = (present @ weights.T + bias) * coverage.to_numpy()[:, None] * settings.sharpness
    lengths = cues.groupby("student", sort=True).size().to_numpy()
    probabilities = _smooth(scores, lengths, settings.dwell_s)
    seen = coverage.to_numpy() >= settings.min_coverage
    table = pd.DataFrame({"t": cues["t"], "student": cues["student"]})
    winner = probabilities.argmax(axis=1) if len(cues) else np.zeros(0, int)
    table["state"] = np.where(seen, np.array([state.value for state in states], object)[winner], UNSEEN)
    for column, state in enumerate(states):
        table[f"p_{state.value}"] = np.where(seen, probabilities[:, column], np.nan).astype(np.float32)
    table["coverage"] = np.where(seen, coverage, 0.0).astype(np.float32)
    table["why"] = pd.Series(_reasons(present * weights[winner], names, seen), index=table.index, dtype=object)
    return table


def _coverage(cues: pd.DataFrame, settings: StateSettings) -> pd.Series:
    """Share of the second with evidence: faces seen, behaviours read, and (counting less) telling absences."""
    behaviour = [column for column in cues if column.startswith("behaviour_")]
    direct = cues["face"].clip(0, 1)
    if behaviour:
        direct = np.maximum(direct, cues["body"] * cues[behaviour].max(axis=1).fillna(0.0))
    telling = (cues["body"] - direct).clip(0) * _ramp(cues["usually_seen"], settings.usually_seen).fillna(0.0)
    return (direct + settings.hidden_evidence * telling).clip(0, 1)


class _Chain(BaseHMM):
    """hmmlearn's chain over log-likelihoods computed elsewhere (its documented way to plug in other emissions)."""

    def _compute_log_likelihood(self, X: np.ndarray) -> np.ndarray:
        return X


def _smooth(scores: np.ndarray, lengths: np.ndarray, dwell_s: float) -> np.ndarray:
    """Posterior (n, k) of each second given the whole lecture of its student (forward-backward).

    All states are equally likely at first and at a change, so that the bias counts once, with the evidence, and a time
    without evidence drifts to not knowing.
    """
    if not len(scores):
        return np.zeros_like(scores)
    count = scores.shape[1]
    chain = _Chain(n_components=count)
    chain.startprob_ = np.full(count, 1 / count)
    chain.transmat_ = (1 - 1 / dwell_s) * np.eye(count) + np.full((count, count), 1 / dwell_s / count)
    return chain.predict_proba(scores, lengths)


def _reasons(contributions: np.ndarray, names: list[str], seen: np.ndarray, most: int = 2) -> list[str]:
    """The cues that moved each second's winning state most, with sign, e.g. ``+looks ahead, -looks aside``."""
    words = [CUE_WORDS[name] for name in names]
    top = np.argsort(-np.abs(contributions), axis=1)[:, :most]
    reasons = []
    for row, columns in enumerate(top):
        if not seen[row]:
            reasons.append("")
            continue
        parts = [
            ("+" if contributions[row, column] > 0 else "-") + words[column]
            for column in columns
            if abs(contributions[row, column]) > 0.1
        ]
        reasons.append(", ".join(parts) or "neighbouring seconds")
    return reasons


def _ramp(values: pd.Series, ramp: Ramp) -> pd.Series:
    absent, present = ramp
    return ((values - absent) / (present - absent)).clip(0, 1)
