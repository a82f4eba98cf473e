"""Which box continues which track: predicted place and look in one cost, on deep-sort-realtime's tracks.

DeepSORT's cascade asks for looks first, and for the place only as a gate that widens with every frame missed: where
looks do not tell people apart (uniforms, far away, no picture) it swaps them freely. Here, as in BoT-SORT (Aharon et
al. 2022), both are one cost, and looks count by how far they tell people apart in this very room. Weak boxes continue
tracks that no strong box continues, as in ByteTrack (Zhang et al. 2022). The library has no place to hand such a cost
in, so its tracker is subclassed; the Kalman filter and the life of tracks stay its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from deep_sort_realtime.deep_sort.detection import Detection
from deep_sort_realtime.deep_sort.track import Track
from deep_sort_realtime.deep_sort.tracker import Tracker as DeepSortTracker
from scipy.optimize import linear_sum_assignment

FORBIDDEN = 1e3
"""Cost of a pair that is never matched."""

LOOK_MEMORY = 0.9
"""Share of a track's look that stays at each sighting, as in BoT-SORT."""

ROOM_MEMORY = 0.98
"""Share of what is known of the room's scores and looks that stays at each frame."""

SIZE_RATIO = 2.0
"""Ratio of heights from which a look does not find somebody again: who stands up is up to twice as tall."""

TURNED_S = 0.5
"""Seconds unseen up to which a look may change altogether: who bends down or stands up shows other parts."""

BLIND_S = 1.0
"""Seconds unseen after which the place alone is believed no more where looks tell nobody apart."""

REACH, REACH_PER_S = 0.3, 1.0
"""Box heights from the predicted place within which a look may find somebody again: at once, and more for each second
since the last sighting (people walk 0.5 to 1 of their height per second)."""

TELLING = 0.3
"""Trust in looks (see ``RoomLooks``) from which a look alone may find somebody again who moved away."""

ALIKE = 0.6
"""Look distance, in that between different people, up to which it may."""


@dataclass(frozen=True)
class MatchRules:
    """Limits of matching.

    Attributes:
        interval_s: time between frames, s.
        min_overlap: IoU of a box with the predicted one from which it may continue the track.
        min_overlap_weak: the same for weak boxes.
        strong: share of the room's usual score from which a box is not weak.
        look_weight: cost of looking like somebody else, in IoU.
        gap_cost: cost per s unseen, in IoU: of two tracks that fit, the one seen last goes first.
        max_unlike: look distance, in that between different people, from which two boxes are never one person.
    """

    interval_s: float
    min_overlap: float
    min_overlap_weak: float = 0.5
    strong: float = 0.7
    look_weight: float = 0.5
    gap_cost: float = 0.1
    max_unlike: float = 0.6


class Person(Track):
    """The library's track, with its last box and mean look instead of a gallery."""

    features: list[np.ndarray]

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.look: np.ndarray = self.features[0]

    def update(self, kf: Any, detection: Detection) -> None:
        """See the library; of the looks only the last one and the mean are kept."""
        super().update(kf, detection)
        mixed = LOOK_MEMORY * self.look + (1 - LOOK_MEMORY) * detection.feature
        self.look = mixed / max(float(np.linalg.norm(mixed)), 1e-9)
        self.features = self.features[-1:]


class NoGallery:
    """Stands where the library keeps its gallery of looks."""

    matching_threshold = 0.0

    def partial_fit(self, features: np.ndarray, targets: np.ndarray, active_targets: list[str]) -> None:
        """Keep nothing."""


class RoomLooks:
    """How far looks tell people apart in this room, learnt while it is watched.

    ``trust`` is 0 where one person's looks differ as much as those of different people (or there are none), 1 where
    they do not differ at all.
    """

    def __init__(self) -> None:
        self._between: float | None = None
        self._within: float | None = None

    @property
    def trust(self) -> float:
        """0 to 1."""
        if self._between is None or self._within is None or self._between < 1e-6:
            return 0.0
        return max(0.0, 1 - self._within / self._between)

    def unlike(self, distance: np.ndarray) -> np.ndarray:
        """Look distances (1 - cosine) in that between different people: 0 is the person's own, 1 a stranger's."""
        if not self.trust or self._between is None or self._within is None:
            return np.zeros_like(distance)
        return ((distance - self._within) / (self._between - self._within)).clip(0)

    def learn(self, looks: np.ndarray, own: list[float]) -> None:
        """Take in the looks (n, d) of people seen at once, and the distances of people from their own tracks."""
        if len(looks) > 1:
            apart = 1 - looks @ looks.T
            self._between = _mixed(self._between, float(np.median(apart[np.triu_indices(len(looks), 1)])))
        if own:
            self._within = _mixed(self._within, float(np.median(own)))


class JointTracker(DeepSortTracker):
    """DeepSORT with one cost of place and look."""

    def __init__(self, rules: MatchRules, max_age: int, n_init: int) -> None:
        super().__init__(NoGallery(), max_age=max_age, n_init=n_init, override_track_class=Person)
        self.rules = rules
        self._looks = RoomLooks()
        self._usual_score: float | None = None

    def _match(self, detections: list[Detection]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
        """The library's: (track, box) pairs, then tracks and boxes that have none."""
        scores = np.array([box.confidence for box in detections])
        if len(scores):
            self._usual_score = _mixed(self._usual_score, float(np.median(scores)))
        if not self.tracks or not detections:
            return [], list(range(len(self.tracks))), list(range(len(detections)))
        looks = np.array([box.feature for box in detections], float)
        strong = scores >= self.rules.strong * (self._usual_score or 0.0)
        alive = np.array([track.time_since_update <= self.max_age for track in self.tracks])
        confirmed = np.array([track.is_confirmed() for track in self.tracks])
        recent = np.array([track.time_since_update == 1 for track in self.tracks])
        known, fresh = confirmed & alive, ~confirmed & recent
        distance = 1 - np.array([track.look for track in self.tracks]) @ looks.T
        by_place, by_weak, by_look = self._costs(np.array([box.to_tlbr() for box in detections], float), distance)
        pairs: list[tuple[int, int]] = []
        for rows, columns, cost in (
            (known, strong, by_place),
            (known, ~strong, by_weak),
            (known, strong, by_look),
            (fresh, strong, by_place),
            (fresh, ~strong, by_weak),
        ):
            pairs += _cheapest(
                _without(rows, [row for row, _ in pairs]), _without(columns, [c for _, c in pairs]), cost
            )
        self._looks.learn(looks, [float(distance[pair]) for pair in pairs])
        lost = _without(np.ones(len(known), bool), [row for row, _ in pairs])
        new = _without(np.ones(len(strong), bool), [column for _, column in pairs])
        return pairs, lost.tolist(), new.tolist()

    def _costs(self, found: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(tracks, boxes) costs by place, by place for weak boxes, and by look for those who moved on unseen."""
        rules, trust = self.rules, self._looks.trust
        expected = np.array([track.to_tlbr() for track in self.tracks], float)
        unseen_s = rules.interval_s * np.array([track.time_since_update - 1 for track in self.tracks])[:, None]
        overlap, unlike = iou(expected, found), self._looks.unlike(distance)
        cost = 1 - overlap + rules.gap_cost * unseen_s + rules.look_weight * trust * unlike.clip(max=1)
        longest = max(BLIND_S, trust * self.max_age * rules.interval_s)
        changed = (trust * unlike > rules.max_unlike) & (unseen_s > TURNED_S)
        impossible = changed | (unseen_s > longest)
        by_place = np.where((overlap < rules.min_overlap) | impossible, FORBIDDEN, cost)
        by_weak = np.where((overlap < rules.min_overlap_weak) | impossible, FORBIDDEN, cost)
        if trust < TELLING:
            return by_place, by_weak, np.full_like(cost, FORBIDDEN)
        tall, tall_found = expected[:, 3] - expected[:, 1], found[:, 3] - found[:, 1]
        ratio = np.maximum(tall[:, None], 1e-6) / np.maximum(tall_found, 1e-6)
        middle, middle_found = (expected[:, :2] + expected[:, 2:]) / 2, (found[:, :2] + found[:, 2:]) / 2
        away = np.linalg.norm(middle[:, None] - middle_found, axis=2) / np.maximum(tall[:, None], 1e-6)
        away /= REACH + REACH_PER_S * (unseen_s + rules.interval_s)
        refused = (away + unlike / ALIKE > 1) | (np.abs(np.log(ratio)) > np.log(SIZE_RATIO))
        return by_place, by_weak, np.where(refused, FORBIDDEN, unlike + away)


def _cheapest(rows: np.ndarray, columns: np.ndarray, cost: np.ndarray) -> list[tuple[int, int]]:
    """The allowed pairs of these rows and columns whose costs are smallest in sum."""
    part = cost[np.ix_(rows, columns)]
    chosen = zip(*linear_sum_assignment(part), strict=True)
    return [(int(rows[a]), int(columns[b])) for a, b in chosen if part[a, b] < FORBIDDEN]


def _without(mask: np.ndarray, taken: list[int]) -> np.ndarray:
    """Indices where the mask holds, but for those taken."""
    left = mask.copy()
    left[taken] = False
    return np.flatnonzero(left)


def _mixed(old: float | None, new: float) -> float:
    return new if old is None else ROOM_MEMORY * old + (1 - ROOM_MEMORY) * new


def iou(one_xyxy: np.ndarray, other_xyxy: np.ndarray) -> np.ndarray:
    """(n, m) overlaps of (n, 4) with (m, 4) px; 0 for boxes without area."""
    low = np.maximum(one_xyxy[:, None, :2], other_xyxy[None, :, :2])
    high = np.minimum(one_xyxy[:, None, 2:], other_xyxy[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    one, other = ((boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1) for boxes in (one_xyxy, other_xyxy))
    return shared / np.maximum(one[:, None] + other - shared, 1e-9)
