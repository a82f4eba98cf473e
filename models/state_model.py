"""From per-second cues to how likely each state is: naive Bayes per second, a hidden Markov chain over the lecture.

Each second's cues become shares of signs (``models/evidence.py``); the log-likelihood of state k is
Σ share · log P(sign | k) (``models/chances.py``), times ``sharpness`` because cues and neighbouring seconds repeat each
other; forward-backward over the student's lecture (``models/transitions.py``) gives the posterior. A cue that was not
seen adds nothing to any state: the posterior falls back on the neighbouring seconds, and in time on what is usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from models.calibration import temper
from models.chances import CHANCES
from models.evidence import (
    BEHAVIOUR_PREFIX,
    BEHAVIOURS,
    CUE_COLUMNS,
    CUE_NAMES,
    CUES,
    Cue,
    hidden_share,
    in_order,
    shares,
    signs_of,
    used_cues,
)
from models.states import UNSEEN, Profile, State, Way, ways_of
from models.transitions import DWELL_S, alone, smooth

__all__ = ["CUE_COLUMNS", "StateSettings", "posterior"]


def _rising(ramp: tuple[float, float]) -> tuple[float, float]:
    if ramp[0] == ramp[1]:
        raise ValueError("the two ends of a ramp must differ")
    return ramp


Ramp = Annotated[tuple[float, float], AfterValidator(_rising)]
"""(absent, present): where a sign's share is 0 and where it is 1, linear between."""


class StateSettings(BaseModel):
    """Every threshold of the state model, with its unit and source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    away_deg: Ramp = Field(
        (18.0, 35.0),
        description="|yaw| off the student's forward direction. Beyond about 35 deg the board has left the field of"
        " comfortable eye movement, so the head follows the gaze (Stiefelhagen & Zhu 2002, CHI)",
    )
    lowered_deg: Ramp = Field(
        (8.0, 16.0), description="pitch below the student's forward direction that is no longer looking ahead"
    )
    down_deg: Ramp = Field(
        (20.0, 30.0),
        description="pitch below the student's forward direction that is bowed: a notebook on the desk lies 35 to 50"
        " deg below the board, the eyes take 5 to 10 deg of that, a reading may be 5 off; less is slumping",
    )
    tilt_deg: Ramp = Field((7.0, 15.0), description="|roll| off the student's usual one; sway stays below 7")
    furrow: Ramp = Field(
        (0.08, 0.25), description="brow_furrow above the student's own median (AU4, Ekman & Friesen 1978)"
    )
    eye_narrow: Ramp = Field((0.90, 0.75), description="eye_open as a share of the student's usual one: lids tightened")
    eye_shut: Ramp = Field(
        (0.60, 0.30),
        description="eye_open as a share of the student's usual one; 0.2 is the 80 % closure of PERCLOS (Wierwille &"
        " Ellsworth 1994), and landmarks never read quite 0",
    )
    yawn: Ramp = Field((0.45, 0.80), description="mouth_open; speech rarely opens the mouth beyond half of a yawn")
    talk: Ramp = Field((0.04, 0.12), description="standard deviation of mouth_open within the second")
    busy: Ramp = Field(
        (1.25, 2.5), description="motion as a multiple of the student's usual one with the head up: twice is busy"
    )
    desk_busy: Ramp = Field(
        (0.01, 0.06), description="share of the desk region that moves: noise, and a hand that writes (docs/cues.md)"
    )
    motion_jitter: float = Field(
        0.005, gt=0, description="body heights/s: the least that can be usual, below it is the jitter of the boxes"
    )
    personal: bool = Field(True, description="judge eyes and movement against the student's own first minutes")
    baseline_s: float = Field(180.0, gt=0, description="s of seen cue that make a student's own level")
    baseline_prior_s: float = Field(
        60.0, gt=0, description="s of own cue at which the student's level counts as much as the class's"
    )
    usually_seen: Ramp = Field(
        (0.4, 0.7),
        description="share of frames in which a student's face is found at all; only where it usually is does its"
        " absence say that the head is bowed or turned",
    )
    min_coverage: float = Field(0.2, ge=0, le=1, description="share of a second with evidence below which it is unseen")
    hidden_evidence: float = Field(
        0.5, ge=0, le=1, description="what a frame with a hidden face counts, beside 1 for a face seen"
    )
    smoothing: bool = Field(True, description="let the lecture's other seconds speak; off, each stands alone")
    dwell_s: dict[State, Annotated[float, Field(gt=1)]] = Field(
        DWELL_S, description="s a state lasts on average (models/transitions.py); states not named keep the default"
    )
    sharpness: float = Field(
        1.0, gt=0, description="weight of one second's evidence: cues and neighbouring seconds repeat each other"
    )
    temperature: float = Field(
        1.67,
        gt=0,
        description="doubt added to the posterior: above 1 flatter, the order unchanged. Fitted on the first half of a"
        " real lecture, checked on the second and on the demo (benchmarks/states.py)",
    )
    without: tuple[str, ...] = Field((), description=f"cues not to look at, of: {', '.join(CUE_NAMES)}")
    chances: dict[Way, dict[str, Annotated[float, Field(gt=0, lt=1)]]] = Field(
        CHANCES,
        description="chance of each sign in each state (models/chances.py, or what engage train states writes);"
        " distracted is looking around, on_phone the other way of being so. States and signs not named keep the"
        " default, and those of one cue are scaled to sum to 1",
    )

    @field_validator("dwell_s", mode="before")
    @classmethod
    def _all_states(cls, given: Any) -> Any:
        return {**DWELL_S, **given} if isinstance(given, dict) else given

    @field_validator("without")
    @classmethod
    def _known_cues(cls, without: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(without) - set(CUE_NAMES)):
            raise ValueError(f"no cue is named {unknown[0]}; known are {', '.join(CUE_NAMES)}")
        return without

    @field_validator("chances")
    @classmethod
    def _all_signs(cls, given: dict[Way, dict[str, float]]) -> dict[Way, dict[str, float]]:
        if unknown := sorted({sign for row in given.values() for sign in row} - set(signs_of(CUES))):
            raise ValueError(f"no sign is named {unknown[0]}; known are {', '.join(signs_of(CUES))}")
        whole = {way: {**CHANCES[way], **given.get(way, {})} for way in Way}
        for row in whole.values():
            for cue in CUES:
                total = sum(row[sign] for sign in cue.words)
                if abs(total - 1) < 1e-6:
                    continue
                row.update({sign: row[sign] / total for sign in cue.words})
        return whole

    def log_chances(self, ways: tuple[Way, ...], cues: list[Cue]) -> np.ndarray:
        """(signs, ways) natural logarithm of P(sign | way)."""
        return np.log([[self.chances[way][sign] for way in ways] for sign in signs_of(cues)])


MOVING = ("motion", "writing", "desk_motion", "mouth_motion", "still_s")
"""Cues that need several looks in a second."""


def posterior(cues: pd.DataFrame, profile: Profile, settings: StateSettings, interval_s: float = 0.0) -> pd.DataFrame:
    """How likely each state of the profile is, for every student and second.

    Args:
        cues: rows of ``CUE_COLUMNS``, without gaps: each student has a row for every second of the lecture.
        profile: states outside it, and cues that tell of them only, are not computed at all.
        settings: thresholds and chances.
        interval_s: time between looks, s; where it is long several seconds rest on one look, which counts once.

    Returns:
        the table of ``pipeline.session.STATE_COLUMNS`` with ``p_<state>`` for the profile's states, ordered by
        student and time.
    """
    states, used = profile.states, used_cues(profile, settings.without)
    ways = ways_of(states)
    table = in_order(cues)
    if interval_s > 1:
        table[list(MOVING)] = np.nan  # a movement between looks seconds apart is not seen
    shown, weights = shares(table, used, settings), settings.log_chances(ways, used)
    coverage = evidence_coverage(table, settings)
    evidence = shown @ weights * settings.sharpness / max(1.0, interval_s)
    lengths = table.groupby("student", sort=True).size().to_numpy()
    if settings.smoothing:
        of_ways = smooth(evidence, lengths, ways, settings.dwell_s)
    else:
        of_ways = alone(evidence, ways, settings.dwell_s)
    probabilities = temper(of_ways @ belongs(ways, states), settings.temperature)
    seen = coverage >= settings.min_coverage
    winner = probabilities.argmax(axis=1) if len(table) else np.zeros(0, int)
    result = pd.DataFrame({"t": table["t"], "student": table["student"]})
    result["state"] = np.where(seen, np.array([state.value for state in states], object)[winner], UNSEEN)
    for column, state in enumerate(states):
        result[f"p_{state.value}"] = np.where(seen, probabilities[:, column], np.nan).astype(np.float32)
    result["coverage"] = np.where(seen, coverage, 0.0).astype(np.float32)
    way = _likeliest_way(of_ways, winner, ways, states)
    result["why"] = pd.Series(_reasons(shown, weights, way, used, seen), index=result.index, dtype=object)
    return result


def belongs(ways: Sequence[Way], states: Sequence[State]) -> np.ndarray:
    """(w, k) 1 where a way is one of the state's."""
    return np.array([[float(way.state is state) for state in states] for way in ways])


def _likeliest_way(of_ways: np.ndarray, winner: np.ndarray, ways: Sequence[Way], states: Sequence[State]) -> np.ndarray:
    """(n,) the way in which each row's winning state shows."""
    own = belongs(ways, states).T[winner]
    return np.where(own > 0, of_ways, -1.0).argmax(axis=1) if len(winner) else winner


def evidence_coverage(table: pd.DataFrame, settings: StateSettings) -> np.ndarray:
    """(n,) share of the second with evidence: faces seen, behaviours read, and (counting less) telling absences."""
    behaviour = table.reindex(columns=[BEHAVIOUR_PREFIX + name for name in BEHAVIOURS]).max(axis=1).fillna(0.0)
    direct = np.maximum(table["face"].clip(0, 1), table["body"] * behaviour.clip(0, 1))
    telling = np.minimum(hidden_share(table, settings), (table["body"] - direct).clip(0))
    return (direct + settings.hidden_evidence * telling).clip(0, 1).to_numpy(float)


def _reasons(
    shown: np.ndarray, weights: np.ndarray, winner: np.ndarray, cues: list[Cue], seen: np.ndarray, most: int = 3
) -> list[str]:
    """The cues that spoke most for or against each second's state, with sign: ``+looks ahead, -mouth moving``.

    What a cue says is its evidence for the winning way less the mean of that for the others; of a cue its clearest sign
    is named.
    """
    ways = weights.shape[1]
    others = (weights.sum(axis=1, keepdims=True) - weights) / max(ways - 1, 1)
    said = shown * (weights - others).T[winner]
    words = [word for cue in cues for word in cue.words.values()]
    ends = np.cumsum([0, *(len(cue.words) for cue in cues)])
    by_cue = np.add.reduceat(said, ends[:-1], axis=1) if len(cues) else said
    reasons = []
    for row, sums in enumerate(by_cue):
        if not seen[row]:
            reasons.append("")
            continue
        parts = []
        for cue in np.argsort(-np.abs(sums), kind="stable")[:most]:
            if abs(sums[cue]) > 0.1:
                own = slice(ends[cue], ends[cue + 1])
                sign = int(np.argmax(said[row, own] * np.sign(sums[cue])))
                parts.append(("+" if sums[cue] > 0 else "-") + words[ends[cue] + sign])
        reasons.append(", ".join(parts) or "neighbouring seconds")
    return reasons
