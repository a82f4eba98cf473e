"""Windows of cues: how far each student departs from the own usual, second by second, for the scorer to read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a normal distribution times this is its standard deviation."""


@dataclass(frozen=True)
class Cue:
    """One thing to look at.

    Attributes:
        floor: smallest deviation that counts as one, so that a student who never moves is not flagged for a twitch.
        low, high: words for far below and far above the usual; empty where that says nothing.
    """

    floor: float
    low: str
    high: str


CUES = {
    "motion": Cue(0.10, "", "large motion"),
    "rise": Cue(0.12, "head far below its usual height", "head far above its usual height"),
    "shift": Cue(0.12, "far from the seat", "far from the seat"),
    "size": Cue(0.12, "much smaller than usual", "much taller than usual"),
    "spread": Cue(0.20, "much narrower than usual", "much wider than usual"),
    "yaw": Cue(20.0, "turned far aside", "turned far aside"),
    "pitch": Cue(15.0, "head bowed deep", "head far back"),
    "roll": Cue(12.0, "head tilted", "head tilted"),
    "stand": Cue(0.25, "", "standing"),
    "raise_hand": Cue(0.25, "", "arm raised"),
}
"""motion in body heights/s; rise and shift in body heights from the student's median place; size and spread in natural
logarithm of the box's height and width over their medians; angles in degrees; behaviours 0 to 1. A raised arm is the
higher of what the classifier says and what the body's keypoints show."""

PLACE_COLUMNS = ("student", "t", "motion", "x", "y", "height")
OPTIONAL_COLUMNS = ("width", "yaw", "pitch", "roll", "behaviour_stand", "behaviour_raise_hand", "hand_raised")

CLASS_OF = 5
"""Students seen in a second from which on their median says what the class does."""


@dataclass(frozen=True)
class Departures:
    """Signed departures of every student and second, in deviations of that student.

    Attributes:
        students: (s,) numbers.
        first: the first second.
        values: (s, seconds, cues) in the order of ``CUES``; NaN where not measured.
        seen: (s, seconds) whether the student has a place.
    """

    students: np.ndarray
    first: int
    values: np.ndarray
    seen: np.ndarray


def departures(places: pd.DataFrame) -> Departures:
    """How far each student departs from the own median, and from what the class does at that second.

    The measure is the modified z-score (Iglewicz & Hoaglin 1993), (x − median) / (1.4826 · MAD), with its sign. When
    the whole class rises or turns, that is the class's median and nobody's departure.

    Args:
        places: one row per student and second with ``PLACE_COLUMNS``, and of ``OPTIONAL_COLUMNS`` those that are known:
            ``t`` (whole s), ``x``, ``y`` (px, middle of the head), ``height``, ``width`` (px, box), angles (deg),
            behaviours and hands (0 to 1). Anything not finite counts as not seen.
    """
    rows = places[[*PLACE_COLUMNS, *(column for column in OPTIONAL_COLUMNS if column in places)]].astype(float)
    rows = rows.where(np.isfinite(rows))
    rows = rows[rows["student"].notna() & rows["t"].notna()]
    measured = [column for column in rows if column not in ("student", "t")]
    rows.loc[~(rows["height"] > 0), measured] = np.nan
    if rows.empty:
        return Departures(np.zeros(0, int), 0, np.zeros((0, 0, len(CUES))), np.zeros((0, 0), bool))
    rows = rows.groupby(["student", "t"], as_index=False).mean()
    students = np.sort(rows["student"].unique())
    first, last = int(rows["t"].min()), int(rows["t"].max())
    values = np.full((len(students), last - first + 1, len(CUES)), np.nan)
    for place, student in enumerate(students):
        own = rows[rows["student"] == student]
        values[place, own["t"].to_numpy(int) - first] = _deviations(own)
    seen = np.isfinite(values[:, :, list(CUES).index("rise")])
    crowd = np.isfinite(values).sum(axis=0) >= CLASS_OF
    with np.errstate(all="ignore"):
        ordered = np.sort(values, axis=0)  # NaN last
        count = np.isfinite(values).sum(axis=0)
        low, high = np.maximum(count - 1, 0) // 2, count // 2
        middle = 0.5 * (_at(ordered, low) + _at(ordered, np.minimum(high, len(students) - 1)))
    values = values - np.where(crowd, middle, 0.0)
    return Departures(students.astype(int), first, values, seen)


def _at(ordered: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.take_along_axis(ordered, place[None], axis=0)[0]


def _deviations(own: pd.DataFrame) -> np.ndarray:
    """(seconds, cues) of one student."""
    usual = own[["x", "y", "height"]].median()
    nothing = pd.Series(np.nan, own.index)
    cues = pd.DataFrame(
        {
            "motion": own["motion"],
            "rise": (usual["y"] - own["y"]) / usual["height"],
            "shift": (own["x"] - usual["x"]) / usual["height"],
            "size": np.log(own["height"]),
            "spread": np.log(own["width"].where(own["width"] > 0)) if "width" in own else nothing,
            **{name: own.get(name, nothing) for name in ("yaw", "pitch", "roll")},
            "stand": own.get("behaviour_stand", nothing),
            # either may miss an arm: keypoints are read now and then, the classifier knows arms of its own rooms
            "raise_hand": np.fmax(own.get("behaviour_raise_hand", nothing), own.get("hand_raised", nothing)),
        }
    )[list(CUES)]
    floor = pd.Series({name: cue.floor for name, cue in CUES.items()})
    away = cues - cues.median()
    return (away / np.maximum(MAD_TO_SIGMA * away.abs().median().fillna(0.0), floor)).to_numpy()


def windows(made: Departures, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of ``length`` seconds around every second in which a student is seen.

    Args:
        made: see there.
        length: odd number of seconds; what lies before the lecture, after it or in an absence is NaN.

    Returns:
        rows (n, length · cues), and (n, 2) places: index of the student, and of the second in the middle.
    """
    half = length // 2
    padded = np.pad(made.values, ((0, 0), (half, half), (0, 0)), constant_values=np.nan)
    places = np.argwhere(made.seen)
    if not len(places):
        return np.zeros((0, length * len(CUES))), places
    seconds = places[:, 1][:, None] + np.arange(length)
    return padded[places[:, 0][:, None], seconds].reshape(len(places), -1), places
