"""Parts of a lecture: from a file of times and titles, else where the class curve changes; and the class over each."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.errors import ReportError
from reports.formula import STUDENT, class_rows, in_bins
from reports.intervals import UNKNOWN, Interval, ratio_interval

MOST_SEGMENTS: Final = 6
"""Of those found automatically; more would be read as noise."""

SHORTEST_S: Final = 180.0
"""Of an automatic segment, s."""

MOST_STEPS: Final = 120
LONGEST_TITLE: Final = 200

_TIME = re.compile(r"(?:(\d{1,3}):)?(\d{1,4}):(\d{1,2}(?:\.\d+)?)|(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Segment:
    """A part of a lecture; ``title`` is empty where it was found automatically."""

    start: float
    end: float
    title: str = ""

    @property
    def automatic(self) -> bool:
        """Whether nobody named it."""
        return not self.title


@dataclass(frozen=True)
class SegmentValue:
    """The class over one segment."""

    segment: Segment
    mean: float | None
    interval: Interval
    coverage: float


def read_segments(path: Path, duration: float) -> list[Segment]:
    """The segments of a CSV file with the columns ``start`` and ``title``; each ends where the next begins.

    Times are seconds, ``m:ss`` or ``h:mm:ss``.

    Raises:
        ReportError: the file cannot be read, or a line is not right; it is named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ReportError(f"{path}: segments cannot be read ({reason}); give a CSV file") from None
    try:
        lines = list(csv.DictReader(text.splitlines(), skipinitialspace=True))
    except csv.Error as error:
        raise ReportError(f"{path}: is not valid CSV ({error}); write lines such as: 12:30,Group work") from None
    if not lines or not {"start", "title"} <= {*(lines[0] or {})}:
        raise ReportError(f"{path}: holds no columns start and title; let its first line be: start,title")
    starts: list[tuple[float, str]] = []
    for number, line in enumerate(lines, 2):
        start, title = _seconds(line["start"] or ""), " ".join((line["title"] or "").split())[:LONGEST_TITLE]
        if start is None:
            raise ReportError(f"{path} line {number}: {line['start']!r} is no time; write seconds, m:ss or h:mm:ss")
        if not title:
            raise ReportError(f"{path} line {number}: the title is missing; write one after the time")
        if starts and start <= starts[-1][0]:
            raise ReportError(f"{path} line {number}: {line['start']} is not after the line before; put them in order")
        if start >= duration:
            raise ReportError(
                f"{path} line {number}: {line['start']} is after the lecture's end ({duration:.0f} s); correct the time"
            )
        starts.append((start, title))
    ends = [start for start, _ in starts[1:]] + [duration]
    return [Segment(start, end, title) for (start, title), end in zip(starts, ends, strict=True)]


def found_segments(table: pd.DataFrame, duration: float) -> list[Segment]:
    """Segments between change points of the class curve (``engagement_table``); one where nothing changes.

    Piecewise constant least squares with a penalty for each change (optimal partitioning, Jackson et al. 2005, IEEE
    Signal Processing Letters 12(2), 105-108); the penalty is BIC's, with the noise taken from the differences of
    neighbouring steps.
    """
    step = max(30.0, float(np.ceil(duration / MOST_STEPS)))
    bins = in_bins(table, step)
    known = bins["engagement"].notna().to_numpy(bool) if len(bins) else np.zeros(0, bool)
    whole = [Segment(0.0, duration)]
    shortest = max(2, round(SHORTEST_S / step))
    if known.sum() < 2 * shortest:
        return whole
    values, times = bins["engagement"].to_numpy(float)[known], bins["t"].to_numpy(float)[known]
    starts = [0.0, *(float(times[place]) for place in change_points(values, shortest))]
    return [Segment(start, end) for start, end in zip(starts, [*starts[1:], duration], strict=True)]


def change_points(values: NDArray[np.float64], shortest: int) -> list[int]:
    """Places (n,) at which a new level begins; at most ``MOST_SEGMENTS - 1``, each level ``shortest`` or longer."""
    count = len(values)
    steps = np.abs(np.diff(values))
    noise = float(np.median(steps) / (0.6745 * np.sqrt(2))) if count > 1 else 0.0
    # twice, because neighbouring steps still resemble each other, which differences do not show
    penalty = 2.0 * 2.0 * max(noise, 1e-3) ** 2 * np.log(max(count, 2))
    total = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values**2)])
    # best[k, j]: least cost of the first j values in k + 1 levels; the lengths are small enough to try all
    best = np.full((MOST_SEGMENTS, count + 1), np.inf)
    back = np.zeros((MOST_SEGMENTS, count + 1), int)
    ends = np.arange(count + 1)
    best[0, shortest:] = (squares - total**2 / np.maximum(ends, 1))[shortest:]
    for level in range(1, MOST_SEGMENTS):
        for end in range((level + 1) * shortest, count + 1):
            begin = np.arange(level * shortest, end - shortest + 1)
            length = end - begin
            cost = squares[end] - squares[begin] - (total[end] - total[begin]) ** 2 / length
            sums = best[level - 1, begin] + cost
            place = int(np.argmin(sums))
            best[level, end], back[level, end] = sums[place], begin[place]
    level = int(np.argmin(best[:, count] + penalty * np.arange(MOST_SEGMENTS)))
    points, end = [], count
    while level:
        end = int(back[level, end])
        points.append(end)
        level -= 1
    return points[::-1]


def segment_values(table: pd.DataFrame, segments: list[Segment]) -> list[SegmentValue]:
    """The class over each segment, weighted by the time seen; ``None`` where withheld or nobody was seen."""
    rows = class_rows(table)
    t, weight = rows["t"].to_numpy(float), rows["weight"].to_numpy(float)
    part = np.nan_to_num(rows["engagement"].to_numpy(float)) * weight
    coverage = rows["coverage"].to_numpy(float)
    values = []
    for one in segments:
        inside = (t >= one.start) & (t < one.end)
        seen = weight[inside].sum()
        share = float(coverage[inside].mean()) if inside.any() else 0.0
        if not seen > 0:
            values.append(SegmentValue(one, None, UNKNOWN, share))
            continue
        interval = ratio_interval(part[inside], weight[inside])
        values.append(SegmentValue(one, float(part[inside].sum() / seen), interval, share))
    return values


def student_values(table: pd.DataFrame) -> NDArray[np.float64]:
    """(n,) the index of each student who was seen, from the lowest to the highest: without numbers, whose is whose."""
    values = table.loc[table["scope"] == STUDENT, "engagement"].dropna().to_numpy(float)
    return np.sort(values)


def _seconds(text: str) -> float | None:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, seconds, plain = found.groups()
    if plain is not None:
        return float(plain)
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
