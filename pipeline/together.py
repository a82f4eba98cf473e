"""Who has been joined with whom, where nobody may ever be in two places at once."""

from __future__ import annotations

import numpy as np

from pipeline.tracklets import Tracklet


class Together:
    """Groups of tracks, each alone at first; those who were ever seen at once are never joined.

    What a group was seen in and whom it cannot be are remembered, so that asking again costs nothing, however many
    tracks there are.
    """

    def __init__(self, pieces: list[Tracklet]) -> None:
        self._pieces = pieces
        self.owner = np.arange(len(pieces))
        """(n,) the group of each track: the index of one of its tracks."""
        self._own = {index: [index] for index in range(len(pieces))}
        self._spans = {index: np.array(piece.spans).reshape(-1, 2) for index, piece in enumerate(pieces)}
        self._apart: dict[int, set[int]] = {}

    def join(self, one: int, other: int) -> bool:
        """Make the groups of two tracks one; whether they are now."""
        first, second = int(self.owner[one]), int(self.owner[other])
        if first == second:
            return True
        if second in self._apart.get(first, ()):
            return False
        if spans_overlap(self._spans[first], self._spans[second]):
            self._apart.setdefault(first, set()).add(second)
            self._apart.setdefault(second, set()).add(first)
            return False
        self.owner[self._own[second]] = first
        self._own[first] += self._own.pop(second)
        spans = np.concatenate([self._spans[first], self._spans.pop(second)])
        self._spans[first] = spans[np.argsort(spans[:, 0], kind="stable")]
        for stranger in self._apart.pop(second, ()):
            self._apart[stranger].discard(second)
            self._apart[stranger].add(first)
            self._apart.setdefault(first, set()).add(stranger)
        return True

    def lists(self) -> list[list[Tracklet]]:
        """The tracks of each group, in their order."""
        return [[self._pieces[index] for index in sorted(own)] for own in self._own.values()]


def spans_overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether any of these spans (n, 2) and those (m, 2) share a moment; both in order, none overlaps its neighbour."""
    if not len(one) or not len(other):
        return False
    begun = np.searchsorted(one[:, 0], other[:, 1], "right")  # of one's spans, when each of the other's ends
    return bool((one[np.maximum(begun, 1) - 1, 1] >= other[:, 0])[begun > 0].any())
