"""A simulated lecture: boxes of a full class with noise, misses, crossings and people who leave and come back.

No pictures: the boxes a detector would find, the vectors their looks would give, and who they are. One
person's looks change nearly as much as on the demo clip, but different people look less alike; a fifth of the class is
dressed like somebody else. All other constants are assumptions, not measurements. It knows nothing of any tracker.
"""

from __future__ import annotations

import numpy as np

from benchmarks.identities import Known, Scene, detections

WIDTH, HEIGHT = 1920, 1080
FRONT_PX, BACK_PX = 190.0, 80.0
"""Height of a seated person's box in the first and in the last row."""

ASPECT = 0.8
COLUMNS = 10
AISLE = 0.06
"""Share of the width left free at the left, where people walk."""

SWAY, SWAY_S = 0.03, 2.0
"""Slow movement of a seated body: standard deviation in box heights, and its time constant."""

POSTURE_EVERY_S = 60.0
"""Mean s between changes of posture, which move a box by up to a tenth and shrink it by up to a quarter."""

BOX_NOISE = 0.02
"""Standard deviation of each side of a found box, in box heights."""

MISS = 0.04
"""Share of boxes missed at random."""

BOWS = ((90.0, 4.0), (900.0, 30.0))
"""Mean s between times when a seated person is not found at all, and how long they last on average."""

FALSE_PER_FRAME = 0.3
LEAVE_EVERY_S = 240.0
"""Mean s between two students of a class of 60 who leave; in smaller classes fewer do."""

AWAY_S = (60.0, 300.0)
SPEED = 1.5
"""Box heights per s of somebody who walks."""

TEACHER_ROUND_S = 120.0
HIDDEN = 0.6
"""Share of a box behind somebody nearer from which on it is not found."""

LOOKS = 32
SHARED = 0.61
"""Scalar product of the looks of two people (demo clip: median 0.61)."""

DRIFT, DRIFT_SPREAD, DRIFT_MOST, DRIFT_S = 0.035, 1.36, 0.4, 60.0
"""What changes slowly in a look (light, posture): median over people of its squared length, the spread of its
logarithm, the largest, and the time constant. 1 - cosine of one person's looks has then a median of 0.018, 90 % 0.126,
99 % 0.309 (demo clip, true boxes: 0.034, 0.195, 0.316); of different people's, 1 % 0.223 (demo clip: 0.093)."""

LOOK_NOISE, BAD_LOOK, BAD_LOOKS = 0.002, 0.3, 0.03
"""Squared length of what changes at once, of the same in a spoilt look, and the share of those."""

ALIKE = 0.2
"""Share of the class dressed like somebody else."""


def simulate(students: int, minutes: float, rate: float, seed: int) -> Scene:
    """Make a class; the last person (``students + 1``) is the teacher.

    Args:
        students: who sit, from 1 by seat.
        minutes: length.
        rate: analysed frames per second.
        seed: of everything random.
    """
    random = np.random.default_rng(seed)
    frames, interval = round(60 * minutes * rate), 1 / rate
    boxes, present, seated = _bodies(students, frames, interval, random)
    looks = _looks(students + 1, random)
    change = (DRIFT * np.exp(DRIFT_SPREAD * random.standard_normal((students + 1, 1)))).clip(max=DRIFT_MOST)
    drift = random.standard_normal(looks.shape)
    missing = np.zeros((frames, students + 1), bool)
    for every, lasting in BOWS:
        missing |= _spells(frames, students + 1, interval, every, lasting, random)
    missing &= seated
    truth: list[Known] = []
    found, seen = [], []
    for frame in range(frames):
        drift = _walk(drift, 1.0, interval / DRIFT_S, random)
        here = np.flatnonzero(present[frame])
        truth.append((here + 1, boxes[frame, here]))
        out = here[~_hidden(boxes[frame, here]) & ~missing[frame, here] & (random.random(len(here)) >= MISS)]
        noise = BOX_NOISE * (boxes[frame, out, 3] - boxes[frame, out, 1])[:, None]
        places = boxes[frame, out] + noise * random.standard_normal((len(out), 4))
        strange = random.poisson(FALSE_PER_FRAME)
        scores = np.concatenate([random.normal(0.7, 0.1, len(out)).clip(0.25, 0.95), random.uniform(0.2, 0.4, strange)])
        found.append(detections(np.concatenate([places, _strange(strange, random)]), scores))
        spoilt = np.where(random.random(len(out)) < BAD_LOOKS, BAD_LOOK, LOOK_NOISE)[:, None]
        vectors = (
            looks[out]
            + (change[out] / LOOKS) ** 0.5 * drift[out]
            + (spoilt / LOOKS) ** 0.5 * random.standard_normal((len(out), LOOKS))
        )
        seen.append(_unit(np.concatenate([vectors, random.standard_normal((strange, LOOKS))])).astype(np.float32))
    times = [frame * interval for frame in range(frames)]
    return Scene(f"class of {students}, {minutes:g} min", interval, times, found, seen, truth)


def seats(students: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) top middle of each seated person's box and (n,) its height, px; first row at the bottom."""
    rows = -(-students // COLUMNS)
    row, column = np.arange(students) // COLUMNS, np.arange(students) % COLUMNS
    depth = row / max(rows - 1, 1)
    height = FRONT_PX + (BACK_PX - FRONT_PX) * depth
    free = AISLE + (1 - AISLE) * (column + 0.5) / COLUMNS
    x = WIDTH * (0.5 + (free - 0.5) * (1 - 0.15 * depth))
    return np.stack([x, HEIGHT * (0.75 - 0.6 * depth)], axis=1), height


def _bodies(
    students: int, frames: int, interval: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (frames, students + 1, 4) px, who is there, and who sits."""
    home, height = seats(students)
    walker = float(height.max()) * 1.1
    home = np.concatenate([home, [[WIDTH / 2, HEIGHT * 0.72]]])
    height = np.append(height, walker)
    people = students + 1
    tops = np.repeat(home[None], frames, axis=0)
    tall = np.repeat(height[None], frames, axis=0)
    sway, shift, shrink = np.zeros((people, 2)), np.zeros(people), np.ones(people)
    for frame in range(frames):
        sway = _walk(sway, SWAY, interval / SWAY_S, random)
        anew = random.random(people) < interval / POSTURE_EVERY_S
        shift = np.where(anew, random.uniform(-0.1, 0.1, people), shift)
        shrink = np.where(anew, random.uniform(0.75, 1, people), shrink)
        tops[frame] += (sway + np.stack([shift, 1 - shrink], axis=1)) * height[:, None]
        tall[frame] *= shrink
    present, seated = np.ones((frames, people), bool), np.ones((frames, people), bool)
    seated[:, -1] = False
    _teach(tops, tall, interval, walker)
    free_from = np.zeros(students)
    t = 0.0
    while (t := t + random.exponential(LEAVE_EVERY_S * 60 / students)) < frames * interval:
        who = int(random.integers(students))
        if t > free_from[who]:
            free_from[who] = _leave(who, t, home[who], height[who], (tops, tall, present, seated), interval, random)
    wide = ASPECT * tall
    left = tops[..., 0] - wide / 2
    return np.stack([left, tops[..., 1], left + wide, tops[..., 1] + tall], axis=-1), present, seated


def _teach(tops: np.ndarray, tall: np.ndarray, interval: float, height: float) -> None:
    """The last person walks up and down in front, and every other round along the aisle to the back."""
    t = np.arange(len(tops)) * interval
    part, aisle = (t % TEACHER_ROUND_S) / TEACHER_ROUND_S, (t // TEACHER_ROUND_S) % 2 == 1
    swing = 1 - np.abs(2 * part - 1)
    back = np.where(aisle, np.clip(2 * swing - 1, 0, 1), 0)
    tops[:, -1, 0] = np.where(aisle, WIDTH * (0.5 - 0.47 * np.clip(2 * swing, 0, 1)), WIDTH * (0.5 + 0.4 * swing))
    tops[:, -1, 1] = HEIGHT * (0.72 - 0.6 * back)
    tall[:, -1] = height * (1 - 0.5 * back)


def _leave(who, t, home, height, scene, interval, random) -> float:
    """Walk to the aisle and down to the door in front, be away, and come back the same way; returns when seated."""
    tops, tall, present, seated = scene
    way = np.array([home, [WIDTH * 0.03, home[1]], [WIDTH * 0.03, HEIGHT * 0.8]]) - [0, 0.5 * height]
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))])
    walking = length[-1] / (SPEED * height)
    away = random.uniform(*AWAY_S)
    for frame in range(int(t / interval), min(len(tops), int((t + 2 * walking + away) / interval))):
        since = frame * interval - t
        gone = min(since, 2 * walking + away - since) / walking
        if gone >= 1:
            present[frame, who] = False
        else:
            at = max(gone, 0) * length[-1]
            tops[frame, who] = [np.interp(at, length, way[:, axis]) for axis in (0, 1)]
            tall[frame, who] = 1.5 * height
        seated[frame, who] = False
    return t + 2 * walking + away


def _spells(frames: int, people: int, interval: float, every: float, lasting: float, random) -> np.ndarray:
    """Who (frames, people) is in a spell of exponential length that begins now and then."""
    spell = np.zeros((frames, people), bool)
    for frame, who in zip(*np.nonzero(random.random((frames, people)) < interval / every), strict=True):
        spell[frame : frame + 1 + int(random.exponential(lasting) / interval), who] = True
    return spell


def _hidden(boxes: np.ndarray) -> np.ndarray:
    """Which boxes lie mostly behind one that stands lower in the picture."""
    x = np.minimum(boxes[:, None, 2], boxes[None, :, 2]) - np.maximum(boxes[:, None, 0], boxes[None, :, 0])
    y = np.minimum(boxes[:, None, 3], boxes[None, :, 3]) - np.maximum(boxes[:, None, 1], boxes[None, :, 1])
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    nearer = boxes[None, :, 3] > boxes[:, None, 3]
    return ((x.clip(0) * y.clip(0) / area[:, None] > HIDDEN) & nearer).any(axis=1)


def _looks(people: int, random: np.random.Generator) -> np.ndarray:
    own = random.standard_normal((people, LOOKS))
    common_part = random.standard_normal(LOOKS)
    own -= np.outer(own @ common_part, common_part) / (common_part @ common_part)
    looks = SHARED**0.5 * _unit(common_part[None]) + (1 - SHARED) ** 0.5 * _unit(own)
    alike = random.choice(people, 2 * round(ALIKE * people / 2), replace=False)
    half = len(alike) // 2
    looks[alike[:half]] = _unit(looks[alike[half:]] + 0.4 * (looks[alike[:half]] - looks[alike[half:]]))
    return looks


def _strange(count: int, random: np.random.Generator) -> np.ndarray:
    corner = random.uniform([0, HEIGHT * 0.1], [WIDTH * 0.9, HEIGHT * 0.8], (count, 2))
    size = random.uniform(BACK_PX, FRONT_PX, (count, 1)) * [ASPECT, 1]
    return np.concatenate([corner, corner + size], axis=1)


def _walk(state: np.ndarray, deviation: float, step: float, random: np.random.Generator) -> np.ndarray:
    """One step of an Ornstein–Uhlenbeck process of that standard deviation; ``step`` in time constants."""
    kept = float(np.exp(-step))
    return kept * state + deviation * (1 - kept**2) ** 0.5 * random.standard_normal(state.shape)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
