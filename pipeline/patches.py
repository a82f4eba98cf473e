"""Covers drawn only because the check of the written video found something like a face there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.audit import Audit

GROWN = 0.5
"""Sizes of the found face added on each side: detectors box the face, not the head."""
HOLD_S = 0.3
"""Seconds a patch stays before and after its frame; where a face shows longer it was found on those frames too."""
ROUNDS = 2
"""Times a video is mended at most. What remains then needs a person's eyes."""


class Patches:
    """Places and moments, in no order; empty to begin with."""

    def __init__(self) -> None:
        self._times = np.zeros(0)
        self._boxes = np.zeros((0, 4))

    def __len__(self) -> int:
        return len(self._times)

    def add(self, t: float, boxes_xyxy: np.ndarray) -> None:
        """Add faces (n, 4) px found at ``t`` (s from the first frame)."""
        size = np.tile(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 2) * [-GROWN, -GROWN, GROWN, GROWN]
        place = np.searchsorted(self._times, t, side="right")
        self._times = np.insert(self._times, place, [t] * len(size))
        self._boxes = np.insert(self._boxes, place, boxes_xyxy + size, axis=0)

    def with_those_of(self, others: Patches) -> Patches:
        """Both together."""
        both = Patches()
        both._times = np.concatenate([self._times, others._times])
        order = np.argsort(both._times, kind="stable")
        both._times, both._boxes = both._times[order], np.concatenate([self._boxes, others._boxes])[order]
        return both

    def at(self, t: float) -> np.ndarray:
        """(n, 4) px to cover at a moment."""
        first, last = np.searchsorted(self._times, [t - HOLD_S, np.nextafter(t + HOLD_S, np.inf)])
        return self._boxes[first:last]


Tell = Callable[[float, np.ndarray], None]
"""Given the time (s) and the boxes (n, 4) px of what was found on a frame."""


def write_until_clean(write: Callable[[Patches], None], check: Callable[[Tell], Audit]) -> Audit:
    """Write a video and check it; cover what was found and do both again, until nothing is or ``ROUNDS`` are over.

    Doubtful places are covered as well, but they alone are not worth a second round.

    Args:
        write: makes the video anew, with these patches.
        check: looks at the video written last, and tells of all it finds, doubtful or not.

    Returns:
        the last check, with how many places were patched.
    """
    patches, found = Patches(), Patches()
    write(patches)
    checked = check(found.add)
    for again in range(ROUNDS):
        if not (checked.leak_count if again else len(found)):
            break
        patches, found = patches.with_those_of(found), Patches()
        write(patches)
        checked = check(found.add)
    return checked.model_copy(update={"patched": len(patches)})
