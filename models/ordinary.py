"""Ordinary students, made up: what the scorer knows of sitting in a lecture before it has seen one.

A simulation, not a measurement: postures follow each other at random and last for times that are log-normal, boxes
jitter, faces and people are hidden for a while. Its numbers are conventions in the units of ``models.windows``, chosen
wide, so that what is ordinary in one room is not a surprise in the next; ``engage train anomaly SESSION...`` puts your
own lectures in its place. A class made by it is also what false alarms are counted on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Posture:
    """What a student does for a while: how often, how long (median s), and what it does to the cues.

    ``yaw pitch roll`` in deg (mean, deviation), the sign of yaw and roll at random; ``rise shift size spread`` in body
    heights and logarithms (deviations, ``rise`` also downwards on the mean); ``raise_hand`` 0 to 1; ``motion`` in body
    heights/s on top.
    """

    weight: float
    median_s: float
    yaw: tuple[float, float] = (0.0, 6.0)
    pitch: tuple[float, float] = (0.0, 5.0)
    roll: float = 4.0
    sink: float = 0.0
    lean: float = 0.03
    size: float = 0.03
    spread: float = 0.06
    raise_hand: float = 0.02
    motion: float = 0.0


POSTURES = (
    Posture(4.0, 25.0),
    Posture(3.0, 20.0, pitch=(-28.0, 8.0), sink=0.05, size=0.05),  # writing, reading
    Posture(1.5, 5.0, yaw=(45.0, 15.0), spread=0.12),  # to a neighbour, to the window
    Posture(1.0, 30.0, pitch=(-8.0, 8.0), roll=10.0, sink=0.10, lean=0.10, size=0.08, spread=0.12),  # head on the hand
    Posture(0.6, 10.0, sink=-0.05, lean=0.12, size=0.08, spread=0.12),  # leaning
    Posture(0.25, 6.0, size=0.10, spread=0.15, raise_hand=0.7, motion=0.08),  # a hand raised
    Posture(0.4, 3.0, pitch=(-15.0, 15.0), sink=0.08, lean=0.10, size=0.10, spread=0.15, motion=0.15),  # rearranging
)

LONGEST_S = 180.0


def simulated(students: int, seconds: int, seed: int) -> pd.DataFrame:
    """A class in which nothing unusual happens: the table that ``models.windows.departures`` reads."""
    random = np.random.default_rng(seed)
    return pd.concat([_student(number + 1, seconds, random) for number in range(students)], ignore_index=True)


def _student(student: int, seconds: int, random: np.random.Generator) -> pd.DataFrame:
    weights = np.array([posture.weight for posture in POSTURES]) * random.gamma(3.0, 1 / 3.0, len(POSTURES))
    weights /= weights.sum()
    state = {name: np.zeros(seconds) for name in ("yaw", "pitch", "roll", "rise", "shift", "size", "spread", "hand")}
    push = np.zeros(seconds)
    at = 0
    while at < seconds:
        posture = POSTURES[random.choice(len(POSTURES), p=weights)]
        length = int(np.clip(random.lognormal(np.log(posture.median_s), 0.8), 1, LONGEST_S))
        part = slice(at, at + length)
        state["yaw"][part] = random.choice([-1, 1]) * posture.yaw[0] + random.normal(0, posture.yaw[1])
        state["pitch"][part] = posture.pitch[0] + random.normal(0, posture.pitch[1])
        state["roll"][part] = random.normal(0, posture.roll)
        state["rise"][part] = -posture.sink + random.normal(0, 0.5 * posture.lean)
        state["shift"][part] = random.normal(0, posture.lean)
        state["size"][part] = random.normal(0, posture.size) - 0.5 * posture.sink
        state["spread"][part] = random.normal(0, posture.spread)
        state["hand"][part] = posture.raise_hand
        push[at] += random.gamma(2.0, 0.06) + posture.motion
        push[part] += posture.motion * random.random(len(push[part]))
        at += length
    noise = random.gamma(4.0, 0.25)  # a cleaner or a poorer view of this seat
    height = 100.0 * random.gamma(9.0, 1 / 6.0)
    wiggle = {name: random.normal(0, noise, seconds) for name in state}
    rows = pd.DataFrame(
        {
            "student": student,
            "t": np.arange(seconds, dtype=float),
            "motion": push + np.abs(random.normal(0.02, 0.015 * noise, seconds)),
            "x": 400.0 * student + height * (state["shift"] + 0.01 * wiggle["shift"]),
            "y": 300.0 - height * (state["rise"] + 0.01 * wiggle["rise"]),
            "height": height * np.exp(state["size"] + 0.02 * wiggle["size"]),
            "width": 0.6 * height * np.exp(state["spread"] + 0.04 * wiggle["spread"]),
            "yaw": state["yaw"] + 4.0 * wiggle["yaw"],
            "pitch": state["pitch"] + 4.0 * wiggle["pitch"],
            "roll": state["roll"] + 3.0 * wiggle["roll"],
            "behaviour_stand": np.clip(random.beta(0.3, 15.0, seconds), 0, 1),
            "behaviour_raise_hand": np.clip(state["hand"] + 0.1 * wiggle["hand"], 0, 1),
        }
    )
    rows.loc[_hidden(seconds, 60.0, 8.0, random), ["yaw", "pitch", "roll"]] = np.nan
    return rows[~_hidden(seconds, 600.0, 10.0, random)]


def _hidden(seconds: int, every_s: float, median_s: float, random: np.random.Generator) -> np.ndarray:
    hidden = np.zeros(seconds, bool)
    for start in np.flatnonzero(random.random(seconds) < 1 / every_s):
        hidden[start : start + int(np.clip(random.lognormal(np.log(median_s), 0.8), 1, LONGEST_S))] = True
    return hidden
