"""Where everybody is at any moment, from boxes known at analysed frames only."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from pipeline.session import BOX

BLOCK_S, MOST_BLOCKS = 10.0, 10_000
"""Who may be there is looked up by blocks of so many seconds, longer ones where these would be too many: of a long
lecture most passed through at other times."""


class Timeline:
    """Boxes of several people over time: interpolated between sightings, held before, after and in long gaps."""

    def __init__(
        self, table: pd.DataFrame, key: str, *, longest_gap_s: float, hold_s: float, span_s: float = 0.0
    ) -> None:
        """Index the table.

        Args:
            table: rows with ``t`` (s), ``x1 y1 x2 y2`` (px) and ``key``; a column ``hold_s`` comes before the
                argument.
            key: column that names a person.
            longest_gap_s: s between two sightings up to which the boxes between are interpolated.
            hold_s: s for which a box stays before the first sighting, after the last, and into longer gaps.
            span_s: s between two sightings up to which the box between is not interpolated but spans both: where
                somebody else was taken for the same person, what lies halfway is nobody.
        """
        self.span_s = span_s
        self.longest_gap_s = longest_gap_s
        self._people: dict[int, tuple[np.ndarray, np.ndarray, float]] = {}
        for person, rows in table.groupby(key, sort=True):
            rows = rows.sort_values("t", kind="stable")
            hold = float(rows["hold_s"].max()) if "hold_s" in rows else hold_s
            self._people[int(person)] = rows["t"].to_numpy(float), rows[list(BOX)].to_numpy(float), hold
        first = min((times[0] for times, _, _ in self._people.values()), default=0.0)
        last = max((times[-1] for times, _, _ in self._people.values()), default=0.0)
        self._block_s = max(BLOCK_S, (last - first) / MOST_BLOCKS)
        blocks = range(self._block(first), self._block(last) + 1)
        self._in_block: dict[int, list[int]] = {block: [] for block in blocks}
        for person, (times, _, hold) in self._people.items():
            kept = hold + 1.0  # whatever rounding does at the end of a block
            begin, end = max(times[0] - kept, first), min(times[-1] + kept, last)
            for block in range(self._block(begin), self._block(end) + 1):
                self._in_block[block].append(person)

    def __len__(self) -> int:
        """How many people there are."""
        return len(self._people)

    def at(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        """Who is where at time ``t`` (s): keys (n,) and boxes (n, 4) px."""
        keys: list[int] = []
        boxes: list[np.ndarray] = []
        for person in self._in_block.get(self._block(t), self._people):
            box = self._box(*self._people[person], t)
            if box is not None:
                keys.append(person)
                boxes.append(box)
        return np.array(keys, int), np.array(boxes).reshape(-1, 4)

    def _block(self, t: float) -> int:
        return math.floor(t / self._block_s)

    def _box(self, times: np.ndarray, places: np.ndarray, hold_s: float, t: float) -> np.ndarray | None:
        after = int(times.searchsorted(t))
        if after == len(times):
            return places[-1] if t - times[-1] <= hold_s else None
        if times[after] == t:
            return (
                self._spanning(times, places, t, slice(max(after - 1, 0), after + 2)) if self.span_s else places[after]
            )
        if after == 0:
            return places[0] if times[0] - t <= hold_s else None
        before = after - 1
        gap = times[after] - times[before]
        if gap <= self.span_s:
            return self._spanning(times, places, t, slice(before, after + 1))
        if gap <= self.longest_gap_s:
            share = (t - times[before]) / gap
            return (1 - share) * places[before] + share * places[after]
        if t - times[before] <= hold_s:
            return places[before]
        return places[after] if times[after] - t <= hold_s else None

    def _spanning(self, times: np.ndarray, places: np.ndarray, t: float, around: slice) -> np.ndarray:
        """One box around those sightings of a slice that are no further than ``span_s`` from ``t``.

        At a sighting its neighbours count too: the box there may be of somebody taken for this person.
        """
        near = places[around][np.abs(times[around] - t) <= self.span_s]
        return np.concatenate([near[:, :2].min(axis=0), near[:, 2:].max(axis=0)])
