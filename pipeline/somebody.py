"""Who of those found is a person of this lecture, and who is a bag, a hand or a second box on somebody.

A detector's false boxes are brief, weak or both, come back now and then in the same place, or lie on somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.tracklets import Tracklet

BRIEF_S = 5.0
"""Seconds of sight below which somebody must be found about as surely as the others here to be believed."""

SURE = 0.85
"""Share of the usual score that is about as surely: what scores mean differs from detector to detector."""

TOGETHER_S = 3.0
"""Seconds of sight in one track from which somebody was there; as for passers-by (``pipeline.passers_by``)."""

RARE = 0.1
"""Share of the time between first and last sighting below which somebody who was never there for ``TOGETHER_S`` is
what a detector mistakes now and then; too little for any figure about a person."""

DOUBLE = 0.5
"""Share of the sightings on somebody else's body from which a track is a second box on that person."""


def believed(
    people: Sequence[list[Tracklet]], min_sightings: int, min_seen_s: float, min_confidence: float, interval_s: float
) -> list[list[Tracklet]]:
    """Those who are somebody.

    Args:
        people: the tracks of each.
        min_sightings, min_seen_s, min_confidence: least number and time (s) of sightings, and mean score.
        interval_s: time between analysed frames, s.
    """
    if not people:
        return []
    seen = np.array([sum(piece.seen for piece in person) for person in people])
    score = np.array([sum(piece.score_sum for piece in person) for person in people]) / seen
    doubled = np.array([sum(piece.doubled for piece in person) for person in people]) / seen
    longest = np.array([max(piece.seen for piece in person) for person in people]) * interval_s
    last = np.array([max(piece.last_t for piece in person) for person in people])
    first = np.array([min(piece.first_t for piece in person) for person in people])
    share = seen * interval_s / (last - first + interval_s)
    enough = (seen >= min_sightings) & (seen * interval_s >= min_seen_s - 1e-9) & (score >= min_confidence)
    unsure = (seen * interval_s < BRIEF_S) & (score < SURE * _usual(score, seen))
    rare = (longest < TOGETHER_S) & (share < RARE)
    kept = enough & ~unsure & ~rare & (doubled <= DOUBLE)
    return [person for person, keep in zip(people, kept, strict=True) if keep]


def _usual(score: np.ndarray, seen: np.ndarray) -> float:
    """Median score of a sighting, each person's taken as their mean."""
    order = np.argsort(score)
    return float(score[order][np.searchsorted(np.cumsum(seen[order]), seen.sum() / 2)])
