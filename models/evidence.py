"""What each second shows: cues as shares of signs, e.g. the head 0.8 ahead and 0.2 aside.

A cue is one question with two or more exclusive answers, its *signs*. Per second it has a share for every sign; they
sum to how far the cue could be seen (0 to 1), so that an unseen cue is a row of zeros and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.baseline import personal_level
from models.states import INFERRED_EMOTION, Profile

if TYPE_CHECKING:
    from models.state_model import Ramp, StateSettings

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
personal versions. Optional: ``behaviour_<name>``, 0 to 1. NaN where not seen; a column that is missing was not seen."""

INNER_READINGS = ("eye_open", "brow_furrow", "hand_face")
"""Readings of single frames that only cues of inner states need."""

BEHAVIOUR_PREFIX = "behaviour_"
BEHAVIOURS = ("write", "read", "lookup", "turn_head", "raise_hand", "stand", "discuss")
"""Behaviours a detector may score, as optional columns of that prefix."""

Signs = dict[str, pd.Series]
Read = Callable[[pd.DataFrame, "StateSettings", Signs], Signs]


@dataclass(frozen=True)
class Cue:
    """One question about a second.

    Attributes:
        name: of the cue; ablations and ``without`` in the settings use it.
        words: each sign in words an instructor reads; the order is that of the columns.
        read: from the table of cues to the share of each sign; gets the head's signs, which are read first.
        inner: tells of inner states only, so it is not computed where those may not be inferred.
        window_s: s over which the sign is a mean: what lasts, not what happens in one second.
    """

    name: str
    words: dict[str, str]
    read: Read
    inner: bool = False
    window_s: int = 1


def signs_of(cues: Sequence[Cue]) -> list[str]:
    """Names of all signs, in the order of the columns of ``shares``."""
    return [sign for cue in cues for sign in cue.words]


def used_cues(profile: Profile, without: Sequence[str] = ()) -> list[Cue]:
    """The cues a profile may look at, less those left out by name."""
    infers = any(state in INFERRED_EMOTION for state in profile.states)
    return [cue for cue in CUES if (infers or not cue.inner) and cue.name not in without]


def in_order(cues: pd.DataFrame) -> pd.DataFrame:
    """Rows by student and time; columns that are missing, and seconds without body or face, saw nothing."""
    known = cues.reindex(columns=[*CUE_COLUMNS, *(name for name in cues if name.startswith(BEHAVIOUR_PREFIX))])
    ordered = known.sort_values(["student", "t"], kind="stable").reset_index(drop=True)
    return ordered.fillna({"body": 0.0, "face": 0.0})


def shares(table: pd.DataFrame, cues: Sequence[Cue], settings: StateSettings) -> np.ndarray:
    """(n, signs) how far each sign shows, 0 to 1; of a cue not seen all are 0.

    Args:
        table: rows of ``CUE_COLUMNS`` in order of student and time.
        cues: those to compute; others are not looked at.
        settings: the ramps.
    """
    head = _head(table, settings)
    columns = []
    for cue in cues:
        found = pd.DataFrame(cue.read(table, settings, head) if cue.name != "head" else head)[list(cue.words)]
        found = found.astype(float).where(found.notna().all(axis=1)).clip(0, 1)
        if cue.window_s > 1 and len(found):  # the mean of those seconds in which it was read
            rolled = found.groupby(table["student"], sort=False).rolling(cue.window_s, center=True, min_periods=1)
            found = rolled.mean().droplevel(0).reindex(found.index)
        columns.append(found.fillna(0.0).to_numpy(float))
    return np.concatenate(columns, axis=1) if columns else np.zeros((len(table), 0))


def ramp(values: pd.Series, ends: Ramp) -> pd.Series:
    """0 at ``ends[0]``, 1 at ``ends[1]``, linear between, NaN where unknown."""
    absent, present = ends
    return ((values - absent) / (present - absent)).clip(0, 1)


def hidden_share(table: pd.DataFrame, settings: StateSettings) -> pd.Series:
    """How far it tells that a face is not seen: only where it usually is."""
    telling = ramp(table["usually_seen"], settings.usually_seen).fillna(0.0)
    return (table["body"] - table["face"]).clip(0, 1) * telling


def _head(table: pd.DataFrame, settings: StateSettings, _: Signs | None = None) -> Signs:
    yaw, pitch = _off_ahead(table, "yaw", settings), _off_ahead(table, "pitch", settings)
    away, down, lowered = (
        ramp(yaw.abs(), settings.away_deg),
        ramp(-pitch, settings.down_deg),
        ramp(-pitch, settings.lowered_deg),
    )
    seen = table["face"].clip(0, 1)
    up = (1 - down) * seen  # a deeply bowed head has no side to speak of
    signs = {
        "ahead": up * (1 - away) * (1 - lowered),
        "aside": up * away,
        "lowered": up * (1 - away) * lowered,
        "bowed": down * seen,
    }
    known = yaw.notna() & pitch.notna()
    signs = {name: share.where(known, 0.0) for name, share in signs.items()}
    return {**signs, "hidden": hidden_share(table, settings)}


def _off_ahead(table: pd.DataFrame, angle: str, settings: StateSettings) -> pd.Series:
    """Degrees off the student's own way of looking ahead, or off the class's."""
    return table[angle] if settings.personal else table[f"{angle}_class"].astype(float).fillna(table[angle])


def _two(present: pd.Series, weight: pd.Series | float, yes: str, no: str) -> Signs:
    return {yes: present * weight, no: (1 - present) * weight}


def _upright(head: Signs) -> pd.Series:
    """How far the face can be read: not from the side, and not from above."""
    return head["ahead"] + head["lowered"]


def _hands(table: pd.DataFrame, settings: StateSettings, head: Signs) -> Signs:
    """Writing moves upper body and desk all the time, a phone hardly; asked only while the head is lowered."""
    quiet = personal_level(table, "motion", settings, 0.5, among=head["ahead"] > 0.5)
    moving = ramp(table["motion"] / quiet.clip(lower=settings.motion_jitter), settings.busy)
    desk = ramp(table["desk_motion"].astype(float), settings.desk_busy)
    busy = pd.concat([moving, desk], axis=1).mean(axis=1)  # of those that were seen
    return _two(busy, head["bowed"] + head["lowered"] + head["hidden"], "busy", "idle")


def _tilt(table: pd.DataFrame, settings: StateSettings, head: Signs) -> Signs:
    roll = table["roll_class"].astype(float)
    if settings.personal:  # upright is upright for all, so the own angle counts like the time it was seen
        seen = roll.notna().groupby(table["student"]).transform("sum")
        trust = seen / (seen + settings.baseline_prior_s)
        roll = ((1 - trust) * roll + trust * table["roll"]).fillna(table["roll"])
    return _two(ramp(roll.abs(), settings.tilt_deg), _upright(head), "tilted", "upright")


def _brow(table: pd.DataFrame, settings: StateSettings, head: Signs) -> Signs:
    return _two(ramp(table["brow"], settings.furrow), head["ahead"], "furrowed", "relaxed")


def _eyes(table: pd.DataFrame, settings: StateSettings, head: Signs) -> Signs:
    usual = personal_level(table, "eye_open", settings, 0.75, among=head["ahead"] > 0.5)
    opening = table["eye_open"] / usual.clip(lower=0.1)
    shut, narrow = ramp(opening, settings.eye_shut), ramp(opening, settings.eye_narrow)
    seen = _upright(head)
    return {"drowsy": shut * seen, "narrowed": (narrow - shut).clip(0) * seen, "open": (1 - narrow.clip(shut)) * seen}


def _mouth(table: pd.DataFrame, settings: StateSettings, _: Signs) -> Signs:
    return _two(ramp(table["mouth_motion"], settings.talk), table["face"], "talking", "silent")


def _yawn(table: pd.DataFrame, settings: StateSettings, _: Signs) -> Signs:
    return _two(ramp(table["mouth_open"], settings.yawn), table["face"], "yawning", "no_yawn")


def _chin(table: pd.DataFrame, _: StateSettings, __: Signs) -> Signs:
    return _two(table["hand_face"], table["body"], "hand_at_face", "hand_away")


def _raised(table: pd.DataFrame, _: StateSettings, __: Signs) -> Signs:
    return _two(table["hand_raised"], table["body"], "raised", "not_raised")


def _neighbour(table: pd.DataFrame, _: StateSettings, __: Signs) -> Signs:
    return _two(table["mutual"], table["face"], "mutual", "alone")


def _behaviour(table: pd.DataFrame, _: StateSettings, __: Signs) -> Signs:
    """The classifier's likeliest answer: the chances were measured on it; in an unknown room its shares are flat."""
    answers = table.reindex(columns=[BEHAVIOUR_PREFIX + name for name in BEHAVIOURS]).fillna(0.0).clip(0, 1)
    best = answers.to_numpy(float)
    likeliest = (best == best.max(axis=1, keepdims=True)) & (best > 0)
    named = likeliest / np.maximum(likeliest.sum(axis=1, keepdims=True), 1) * table["body"].to_numpy(float)[:, None]
    return {name: pd.Series(named[:, i], table.index) for i, name in enumerate(BEHAVIOURS)}


CUES = (
    Cue(
        "head",
        {
            "ahead": "looks ahead",
            "aside": "looks aside",
            "lowered": "head lowered",
            "bowed": "head bowed",
            "hidden": "face hidden",
        },
        _head,
    ),
    Cue("hands", {"busy": "busy at the desk", "idle": "still at the desk"}, _hands, window_s=5),
    Cue("neighbour", {"mutual": "facing a neighbour", "alone": "no neighbour looks back"}, _neighbour),
    Cue("mouth", {"talking": "mouth moving", "silent": "mouth at rest"}, _mouth, window_s=5),
    Cue(
        "behaviour",
        {
            "write": "seems to write",
            "read": "seems to read",
            "lookup": "seems to look up",
            "turn_head": "seems to turn the head",
            "raise_hand": "seems to raise a hand",
            "stand": "seems to stand",
            "discuss": "seems to be in a group",
        },
        _behaviour,
    ),
    Cue("raised", {"raised": "hand raised", "not_raised": "no hand raised"}, _raised),
    Cue(
        "chin", {"hand_at_face": "hand at the face", "hand_away": "no hand at the face"}, _chin, inner=True, window_s=5
    ),
    Cue("tilt", {"tilted": "head tilted", "upright": "head upright"}, _tilt, inner=True, window_s=3),
    Cue("brow", {"furrowed": "brow drawn together", "relaxed": "brow relaxed"}, _brow, inner=True, window_s=3),
    Cue(
        "eyes",
        {"drowsy": "eyes nearly shut", "narrowed": "eyes narrowed", "open": "eyes open"},
        _eyes,
        inner=True,
        window_s=5,
    ),
    Cue("yawn", {"yawning": "mouth wide open", "no_yawn": "no yawn"}, _yawn, inner=True, window_s=5),
)
"""Windows: writing comes in bursts, speakers take turns and lids blink, so these are means over 5 s."""

CUE_NAMES = tuple(cue.name for cue in CUES)
