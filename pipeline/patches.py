"""Covers drawn only because the check of the written video found something like a face there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.audit import Audit, AuditResult

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

    def add(self, t: np.ndarray, boxes_xyxy: np.ndarray) -> None:
        """Add faces found.

        Args:
            t: (n,) s from the first frame.
            boxes_xyxy: (n, 4) px.
        """
        size = np.tile(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 2) * [-GROWN, -GROWN, GROWN, GROWN]
        times, boxes = np.concatenate([self._times, t]), np.concatenate([self._boxes, boxes_xyxy + size])
        order = np.argsort(times, kind="stable")
        self._times, self._boxes = times[order], boxes[order]

    def at(self, t: float) -> np.ndarray:
        """(n, 4) px to cover at a moment."""
        first, last = np.searchsorted(self._times, [t - HOLD_S, np.nextafter(t + HOLD_S, np.inf)])
        return self._boxes[first:last]


def write_until_clean(write: Callable[[Patches], None], check: Callable[[], Audit]) -> Audit:
    """Write a video and check it; cover what was found and do both again, until nothing is or ``ROUNDS`` are over.

    Doubtful places are covered as well, but they alone are not worth a second round.

    Args:
        write: makes the video anew, with these patches.
        check: looks at the video written last.

    Returns:
        the last check, with how many places were patched.
    """
    patches = Patches()
    write(patches)
    checked = check()
    for again in range(ROUNDS):
        found = checked.found
        if checked.result is AuditResult.NOBODY or not (checked.leak_count if again else len(found)):
            break
        patches.add(found["t"].to_numpy(float), found[["x1", "y1", "x2", "y2"]].to_numpy(float))
        write(patches)
        checked = check()
    return checked.model_copy(update={"patched": len(patches)})
