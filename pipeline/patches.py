"""Covers drawn only because the check of the written video found something like a face there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from pipeline.audit import Audit

GROWN = 0.5
"""Sizes of the found face added on each side: detectors box the face, not the head."""
HOLD_S = 0.3
"""Seconds a patch stays before and after its frame; where a face shows longer it was found on those frames too."""
ROUNDS = 2
"""Times a video is mended at most. What remains then needs a person's eyes."""


class Patches:
    """Places and moments to cover; without any to begin with."""

    def __init__(self, found: Iterable[tuple[float, np.ndarray]] = ()) -> None:
        """Take in faces: the time (s from the first frame) and the boxes (n, 4) px of each frame, in any order."""
        frames = sorted(found, key=lambda one: one[0])
        self._times = np.repeat([t for t, _ in frames], [len(boxes) for _, boxes in frames])
        boxes = np.concatenate([np.zeros((0, 4)), *(boxes for _, boxes in frames)])
        size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        self._boxes = boxes + size * [-GROWN, -GROWN, GROWN, GROWN]

    def __len__(self) -> int:
        return len(self._times)

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
    found: list[tuple[float, np.ndarray]] = []
    for again in range(ROUNDS + 1):
        patches = Patches(found)
        write(patches)
        checked = check(lambda t, boxes_xyxy: found.append((t, boxes_xyxy)))
        if not (checked.leak_count if again else len(Patches(found))):
            break
    return checked.model_copy(update={"patched": len(patches)})
