"""Made-up readings of a long lecture: as many numbers as a real one has, without its pictures.

People sit in a grid and jitter; a third of the faces is not found, hands are read in turn. Every ten minutes a track is
lost and goes on under another number, as happens to one that was hidden.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from models.yolo import BEHAVIOURS
from pipeline.appearance import DIMENSIONS
from pipeline.camera_path import CameraPath
from pipeline.desk import STILL
from pipeline.observations import Readings, float_columns
from pipeline.readings import ReadingLog
from pipeline.session import BOX, HEAD_BOX
from pipeline.streaming import Followed
from pipeline.tracklets import TrackletBook
from pipeline.video import VideoInfo

WIDTH, HEIGHT, COLUMNS = 1280, 720, 10
RATE = 5.0
TRACK_S = 600.0
PIECE_S = 60.0
SIGHTINGS_EVERY = 10
"""Frames from one to the next that tracks are told of: what they leave has a fixed size, and this takes the time."""
UNSEEN = 1 / 3
NAMES = tuple(BEHAVIOURS)


@dataclass
class Lecture:
    """In place of a reader that has gone through a lecture."""

    duration: float
    fps: float = 25.0
    warnings: list[str] = field(default_factory=list)

    @property
    def info(self) -> VideoInfo:
        """As a file would declare it."""
        base = Fraction(1, 12800)
        return VideoInfo("made up", WIDTH, HEIGHT, 0, self.fps, base, self.decoded, self.duration, False)

    @property
    def decoded(self) -> int:
        """Frames of the source."""
        return round(self.duration * self.fps)


def make_class(folder: Path, students: int, hours: float, seed: int) -> tuple[Lecture, Followed, ReadingLog]:
    """Readings of a class, saved below ``folder`` piece by piece, and its tracks."""
    rng = np.random.default_rng(seed)
    columns = float_columns(NAMES)
    log = ReadingLog(folder / "readings", "made up", columns, PIECE_S)
    path, book = CameraPath(WIDTH, HEIGHT), TrackletBook()
    tall = 0.8 * HEIGHT / (students // COLUMNS + 1)
    row, column = np.divmod(np.arange(students), COLUMNS)
    left, top = column * WIDTH / COLUMNS, 60 + row * tall
    seats = np.stack([left, top, left + 0.7 * tall, top + tall], axis=1)
    looks = rng.random((students, DIMENSIONS)).astype(np.float32)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    for begin in np.arange(0, hours * 3600, PIECE_S):
        piece = _piece(begin, seats, columns, rng)
        log.save(piece, {})
        for number, one in enumerate(piece.one_by_one()):
            t = float(one.times[0])
            path.add(t, STILL)
            if number % SIGHTINGS_EVERY == 0:
                book.add(t, one.tracks, one.people.boxes_xyxy, one.people.scores, looks)
    return Lecture(hours * 3600), Followed({0: list(book)}, path), log


def _piece(begin_s: float, seats: np.ndarray, columns: tuple[str, ...], rng: np.random.Generator) -> Readings:
    frames, people = round(PIECE_S * RATE), len(seats)
    rows = frames * people
    values = rng.random((rows, len(columns)), np.float32)
    at = {name: n for n, name in enumerate(columns)}
    boxes = np.tile(seats, (frames, 1)) + rng.normal(0, 1.5, (rows, 4))
    values[:, [at[name] for name in BOX]] = boxes
    heads = boxes.copy()
    heads[:, 3] = boxes[:, 1] + 0.4 * (boxes[:, 3] - boxes[:, 1])
    values[:, [at[name] for name in HEAD_BOX]] = heads
    for name, spread in (("yaw", 20.0), ("pitch", 15.0), ("roll", 8.0)):
        values[:, at[name]] = rng.normal(0, spread, rows)
    behaviours = [n for name, n in at.items() if name.startswith("behaviour_")]
    values[:, behaviours] /= values[:, behaviours].sum(axis=1, keepdims=True)
    face = [at[name] for name in ("eye_open", "mouth_open", "brow_furrow", "gaze_x", "gaze_y")]
    hands = [at[name] for name in ("hand_face", "hand_raised", "hand_front")]
    values[np.ix_(rng.random(rows) < UNSEEN, face)] = np.nan
    values[np.ix_(rng.random(rows) < 1 - 2 / people, hands)] = np.nan
    values[:, at["object"]] = np.nan
    index = round(begin_s * RATE) + np.arange(frames)
    tracks = np.tile(np.arange(people), (frames, 1)) + 1
    tracks += people * np.floor(index[:, None] / RATE / TRACK_S).astype(int)
    return Readings(
        (index * 5).astype(np.int32),
        index / RATE,
        np.full(frames, people, np.int32),
        tracks.ravel().astype(np.int32),
        values,
    )
