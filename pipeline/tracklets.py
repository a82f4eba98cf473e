"""What tracks leave behind: where, when, how sure and what they looked like; in fixed memory, however long it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.picture_motion import moved_boxes

SAMPLES = 32
"""Places remembered per track."""

END_S = 0.6
"""Seconds at each end of a track that are kept box by box: enough to tell how it moved, too short to turn."""

END_BOXES = 48
"""Most boxes kept per end."""

SPANS = 64
"""Spans of unbroken sight remembered per track; when there are more, those closest in time are taken for one."""


Sighting = tuple[float, np.ndarray]
"""Time (s) and box (4,) px."""


@dataclass
class Tracklet:
    """What one track leaves: where, when, how sure and what it looked like."""

    number: int
    first_t: float
    last_t: float
    seen: int = 0
    score_sum: float = 0.0
    doubled: int = 0
    appearance_sum: np.ndarray | None = None
    first_box: np.ndarray = field(default_factory=lambda: np.zeros(4))
    last_box: np.ndarray = field(default_factory=lambda: np.zeros(4))
    spans: list[tuple[float, float]] = field(default_factory=list)
    head: list[Sighting] = field(default_factory=list)
    tail: deque[Sighting] = field(default_factory=lambda: deque(maxlen=END_BOXES))
    _boxes: list[np.ndarray] = field(default_factory=list)
    _every: int = 1

    def add(self, t: float, box_xyxy: np.ndarray, score: float, appearance: np.ndarray, unbroken: bool) -> None:
        """Take in one detection of this track; ``unbroken`` if it was also seen in the analysed frame before."""
        if self.seen == 0:
            self.first_box = box_xyxy
        if t - self.first_t <= END_S + 1e-6 and len(self.head) < END_BOXES:
            self.head.append((t, box_xyxy))
        self.tail.append((t, box_xyxy))
        while t - self.tail[0][0] > END_S + 1e-6:  # clocks are sums of fractions
            self.tail.popleft()
        self.spans.append((self.spans.pop()[0] if self.spans and unbroken else t, t))
        if len(self.spans) > SPANS:  # wider spans can only keep two tracks apart
            shortest = min(range(SPANS), key=lambda i: self.spans[i + 1][0] - self.spans[i][1])
            self.spans[shortest : shortest + 2] = [(self.spans[shortest][0], self.spans[shortest + 1][1])]
        if self.seen % self._every == 0:
            self._boxes.append(box_xyxy)
            if len(self._boxes) > SAMPLES:  # thin out evenly: fixed memory, the whole time covered
                self._boxes = self._boxes[::2]
                self._every *= 2
        self.last_t, self.last_box = t, box_xyxy
        self.seen += 1
        self.score_sum += score
        self.appearance_sum = appearance if self.appearance_sum is None else self.appearance_sum + appearance

    @property
    def place(self) -> np.ndarray:
        """Median box (4,) px."""
        return np.median(self._boxes, axis=0)

    @property
    def boxes(self) -> np.ndarray:
        """(n, 4) px, n <= ``SAMPLES``: boxes spread evenly over its sightings."""
        return np.array(self._boxes)

    @property
    def look_spread(self) -> float:
        """Mean 1 - cosine of its sightings to their mean look; 0 for one sighting."""
        assert self.appearance_sum is not None
        return max(0.0, 1 - float(np.linalg.norm(self.appearance_sum)) / self.seen)

    @property
    def appearance(self) -> np.ndarray:
        """Mean appearance, unit length."""
        assert self.appearance_sum is not None
        return self.appearance_sum / max(float(np.linalg.norm(self.appearance_sum)), 1e-9)

    def moved(self, matrix: np.ndarray) -> Tracklet:
        """The same in other coordinates: boxes moved by a (3, 3) similarity."""
        boxes = moved_boxes(matrix, np.array([self.first_box, self.last_box, *self._boxes]))
        head, tail = (
            [(t, moved_boxes(matrix, box[None])[0]) for t, box in sightings] for sightings in (self.head, self.tail)
        )
        return replace(
            self,
            first_box=boxes[0],
            last_box=boxes[1],
            head=head,
            tail=deque(tail, maxlen=END_BOXES),
            _boxes=list(boxes[2:]),
        )

    def seen_with(self, other: Tracklet) -> bool:
        """Whether both were ever seen at once, so that they cannot be one person."""
        if self.last_t < other.first_t or other.last_t < self.first_t:
            return False
        mine, its = np.array(self.spans), np.array(other.spans)
        return bool(((mine[:, None, 0] <= its[:, 1]) & (its[:, 0] <= mine[:, None, 1])).any())


INSIDE = 0.8
"""Share of a box that lies in a larger one from which it may be a second box on the same person."""

SAME_TOP = 0.2
"""Width and height of the larger box within which the middles of both tops lie then: a neighbour's head is further off,
and so are those of several people in one box."""


def on_another(boxes_xyxy: np.ndarray) -> np.ndarray:
    """Which boxes (n, 4) px lie on the body of somebody with a larger box of the same frame (mask (n,))."""
    if len(boxes_xyxy) < 2:
        return np.zeros(len(boxes_xyxy), bool)
    boxes = np.asarray(boxes_xyxy, float)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    size = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1)
    inside = (high - low).clip(0).prod(axis=2) / np.maximum(size[:, None], 1e-9)
    middle, wide, tall = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    near = np.abs(middle[:, None] - middle) <= SAME_TOP * wide
    near &= np.abs(boxes[:, None, 1] - boxes[:, 1]) <= SAME_TOP * tall
    return ((inside >= INSIDE) & near & (size[:, None] < size[None, :])).any(axis=1)


class TrackletBook:
    """Collects tracklets while the tracker runs."""

    def __init__(self) -> None:
        self._tracklets: dict[int, Tracklet] = {}
        self._last_t = float("-inf")

    def add(self, t: float, numbers: np.ndarray, boxes_xyxy: np.ndarray, scores: np.ndarray, looks: np.ndarray) -> None:
        """Take in the tracked people of one frame (n each); number 0 is nobody."""
        twice = on_another(boxes_xyxy[numbers > 0])
        double = np.zeros(len(numbers), bool)
        double[numbers > 0] = twice
        rows = zip(numbers.tolist(), boxes_xyxy, scores, looks, double.tolist(), strict=True)
        for number, box, score, look, second in rows:
            if number:
                tracklet = self._tracklets.setdefault(number, Tracklet(number, t, t))
                tracklet.doubled += second
                tracklet.add(t, box, float(score), look, unbroken=tracklet.last_t == self._last_t)
        self._last_t = t

    def __iter__(self) -> Iterator[Tracklet]:
        return iter(self._tracklets.values())
