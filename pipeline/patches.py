"""Covers drawn only because the check of the written video found something like a face there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from pipeline.audit import Audit
from pipeline.video import Spans

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

    def between(self, start: float, end: float) -> bool:
        """Whether anything is to be covered from ``start`` up to before ``end``, s."""
        first, last = np.searchsorted(self._times, [start - HOLD_S, end + HOLD_S])
        return bool(last > first)

    def at(self, t: float) -> np.ndarray:
        """(n, 4) px to cover at a moment."""
        first, last = np.searchsorted(self._times, [t - HOLD_S, np.nextafter(t + HOLD_S, np.inf)])
        return self._boxes[first:last]


Tell = Callable[[float, np.ndarray], None]
"""Given the time (s) and the boxes (n, 4) px of what was found on a frame."""


Write = Callable[[Patches, Patches | None], Spans | None]
"""Makes the video with all these patches, the second ones being new since it was written last (``None``: it was not).

What is given back are the stretches that were written, ``None`` where that is all of it."""

Check = Callable[[Tell, Spans | None], Audit]
"""Looks at the video written last, all of it or some stretches, and tells of all it finds, doubtful or not."""


def write_until_clean(write: Write, check: Check) -> Audit:
    """Write a video and check it; cover what was found and do both again, until nothing is or ``ROUNDS`` are over.

    Doubtful places are covered as well, but they alone are not worth a second round. Where only some stretches are
    written anew only they are checked again: nothing was found in the others.

    Returns:
        the last check, with how many places were patched.
    """
    found: list[tuple[float, np.ndarray]] = []

    def tell(t: float, boxes_xyxy: np.ndarray) -> None:
        found.append((t, boxes_xyxy))

    patches, covered = Patches(), 0
    write(patches, None)
    whole = checked = check(tell, None)
    for again in range(ROUNDS):
        new = Patches(found[covered:])
        if not (checked.leak_count if again else len(new)):
            break
        patches, covered = Patches(found), len(found)
        checked = check(tell, write(patches, new))
    return checked.model_copy(update={"patched": len(patches), "frames": whole.frames})
