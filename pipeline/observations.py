"""Build the observations table: collect rows while the lecture streams by, then give them to students and fill gaps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.detect import Detections
from pipeline.faces import Faces
from pipeline.session import (
    AROUND,
    BEHAVIOUR_PREFIX,
    BOX,
    DOUBTFUL,
    EXTRA_COLUMNS,
    FACE_CUES,
    GAZE,
    HEAD_BOX,
    HEAD_POSE,
    OBSERVATION_COLUMNS,
)

MOVE, MOVE_PER_S = 0.3, 1.0
"""Box heights that the ends of a gap may lie apart: at once (boxes jitter), and for each second (a walk)."""

FILL_RATIO = 1.5
"""Ratio of heights at the ends of a gap up to which it is filled: who stands up is not taller for a while between."""


@dataclass(frozen=True)
class Readings:
    """What was read in f analysed frames, one after the other, of n people in all.

    Attributes:
        frames: (f,) int32, index of each among all frames of the source.
        times: (f,) float64, s.
        counts: (f,) int32, people in each.
        tracks: (n,) int32, track number of each row.
        values: (n, k) float32, the columns of ``float_columns``.
    """

    frames: np.ndarray
    times: np.ndarray
    counts: np.ndarray
    tracks: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    def one_by_one(self) -> Iterator[Readings]:
        """Each frame alone."""
        last = np.cumsum(self.counts)
        for n, (end, count) in enumerate(zip(last.tolist(), self.counts.tolist(), strict=True)):
            rows, frame = slice(end - count, end), slice(n, n + 1)
            yield Readings(
                self.frames[frame], self.times[frame], self.counts[frame], self.tracks[rows], self.values[rows]
            )

    @property
    def people(self) -> Detections:
        """Whom the detector found, without behaviours."""
        boxes, scores = self.values[:, : len(BOX)], self.values[:, len(BOX)]
        return Detections(
            np.ascontiguousarray(boxes), np.ascontiguousarray(scores), np.zeros((len(boxes), 0), np.float32)
        )


def float_columns(behaviour_names: Sequence[str]) -> tuple[str, ...]:
    """What is read of each person, in the order of ``Readings.values``."""
    behaviours = (BEHAVIOUR_PREFIX + name for name in behaviour_names)
    return (*BOX, "score", *HEAD_BOX, *HEAD_POSE, *FACE_CUES, *GAZE, *AROUND, *behaviours)


class ObservationBuffer:
    """Rows of all tracked people, in 32-bit columns; about 130 bytes per person and analysed frame."""

    def __init__(self, behaviour_names: Sequence[str], never: Collection[str] = ()) -> None:
        """Begin empty.

        Args:
            behaviour_names: the detector's.
            never: columns that are not kept, and NaN in every row.
        """
        self.columns = float_columns(behaviour_names)
        self._never = [n for n, column in enumerate(self.columns) if column in never]
        self._values: list[np.ndarray] = []
        self._tracks: list[np.ndarray] = []
        self.frames: list[int] = []
        self.times: list[float] = []

    def add(
        self,
        frame: int,
        t: float,
        tracks: np.ndarray,
        found: Detections,
        faces: Faces,
        around: np.ndarray | None = None,
    ) -> None:
        """Take in one analysed frame: its index, time (s), and its n people with their track numbers.

        ``around``: (n, 5) of ``pipeline.session.AROUND``; NaN when not given.
        """
        parts = [
            found.boxes_xyxy,
            found.scores[:, None],
            faces.head_xyxy,
            faces.pose_deg,
            faces.cues,
            faces.gaze,
            np.full((len(tracks), len(AROUND)), np.nan) if around is None else around,
            found.behaviours,
        ]
        values = np.concatenate(parts, axis=1, dtype=np.float32)
        values[:, self._never] = np.nan
        self._values.append(values)
        self._tracks.append(tracks.astype(np.int32))
        self.frames.append(frame)
        self.times.append(t)

    def take(self) -> Readings:
        """Everything so far; empties the buffer."""
        none = np.zeros((0, len(self.columns)), np.float32)
        taken = Readings(
            np.array(self.frames, np.int32),
            np.array(self.times, float),
            np.array([len(tracks) for tracks in self._tracks], np.int32),
            np.concatenate([np.zeros(0, np.int32), *self._tracks]),
            np.concatenate([none, *self._values]),
        )
        self._values, self._tracks, self.frames, self.times = [], [], [], []
        return taken

    def table(self) -> pd.DataFrame:
        """All rows so far with ``frame``, ``t``, ``track`` and the float columns; empties the buffer."""
        taken = self.take()
        return table_of([taken], self.columns, len(taken.tracks))


def table_of(parts: Iterable[Readings], columns: Sequence[str], rows: int) -> pd.DataFrame:
    """One table of ``rows`` rows in all, with ``frame``, ``t``, ``track`` and the float columns.

    Each part is copied to its place and can be forgotten then: the table is in memory once.
    """
    values = np.empty((len(columns), rows), np.float32)  # as pandas keeps it, else it would make a copy
    frames, times, tracks = np.empty(rows, np.int32), np.empty(rows), np.empty(rows, np.int32)
    begin = 0
    for part in parts:
        here = slice(begin, begin := begin + len(part.tracks))
        values[:, here] = part.values.T
        frames[here], times[here] = np.repeat(part.frames, part.counts), np.repeat(part.times, part.counts)
        tracks[here] = part.tracks
    table = pd.DataFrame(values.T, columns=list(columns), copy=False)
    table.insert(0, "track", tracks)
    table.insert(0, "t", times)
    table.insert(0, "frame", frames)
    return table


def of_students(rows: pd.DataFrame, student_of: dict[int, int]) -> pd.DataFrame:
    """Rows of tracks that belong to students, with ``student`` in place of ``track``, by student and time."""
    table = rows.assign(student=rows["track"].map(student_of), observed=True)
    table = table[table["student"].notna()].drop(columns="track")
    table["student"] = table["student"].astype(np.int32)
    return table.sort_values(["student", "frame"], kind="stable", ignore_index=True)


def fill_gaps(observations: pd.DataFrame, frames: list[int], times: list[float], longest_s: float) -> pd.DataFrame:
    """Add rows with ``observed = False`` for analysed frames missing within a student's short gaps.

    Only the body box is filled, by linear interpolation in time; everything read from the picture stays NaN. A gap
    whose ends lie further apart than people walk in that time, or differ in size, stays empty.

    Args:
        observations: observed rows by student and time.
        frames: index of every analysed frame.
        times: their times, s.
        longest_s: gaps longer than this stay empty, s.
    """
    clock = np.array(times)
    position = {frame: index for index, frame in enumerate(frames)}
    parts = [observations]
    for student, rows in observations.groupby("student", sort=False):
        at = rows["frame"].map(position).to_numpy()
        step = np.diff(at)
        gap = clock[at[1:]] - clock[at[:-1]]
        short = (step > 1) & (gap <= longest_s) & _one_motion(rows[list(BOX)].to_numpy(float), gap)
        if not short.any():
            continue
        missing = np.concatenate([np.arange(at[i] + 1, at[i + 1]) for i in np.flatnonzero(short)])
        filled = pd.DataFrame(
            {name: np.interp(clock[missing], clock[at], rows[name]).astype(np.float32) for name in BOX}
        )
        filled["frame"] = np.array(frames, np.int32)[missing]
        filled["t"] = clock[missing]
        filled["student"] = np.int32(student)
        filled["observed"] = False
        parts.append(filled)
    table = pd.concat(parts, ignore_index=True)
    table["observed"] = table["observed"].astype(bool)
    return table.sort_values(["student", "frame"], kind="stable", ignore_index=True)


def _one_motion(boxes_xyxy: np.ndarray, gap_s: np.ndarray) -> np.ndarray:
    """Between which neighbours of (n, 4) boxes in time somebody could have moved, mask (n - 1,)."""
    top = np.stack([(boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2, boxes_xyxy[:, 1]], axis=1)
    height = np.maximum(boxes_xyxy[:, 3] - boxes_xyxy[:, 1], 1e-6)
    low, high = np.minimum(height[1:], height[:-1]), np.maximum(height[1:], height[:-1])
    moved = np.linalg.norm(np.diff(top, axis=0), axis=1) / low
    return (moved <= MOVE + MOVE_PER_S * gap_s) & (high <= FILL_RATIO * low)


def in_contract_order(observations: pd.DataFrame) -> pd.DataFrame:
    """``pipeline.session.OBSERVATION_COLUMNS``, ``EXTRA_COLUMNS``, ``doubtful`` if there, then behaviours.

    Rows by frame, then student.
    """
    behaviours = [column for column in observations if column.startswith(BEHAVIOUR_PREFIX)]
    marks = [DOUBTFUL] if DOUBTFUL in observations else []
    table = observations[[*OBSERVATION_COLUMNS, *EXTRA_COLUMNS, *marks, *behaviours]]
    return table.sort_values(["frame", "student"], kind="stable", ignore_index=True)
