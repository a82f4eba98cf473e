"""Follow people from frame to frame with DeepSORT (Wojke et al. 2017), on a clock in seconds.

Which box continues which track is decided in ``pipeline.match``. The library counts in frames; every limit here is in
seconds and converted for the analysed rate, so that a lecture analysed at 2 or at 10 frames per second is tracked by
the same rules.
"""

from __future__ import annotations

import numpy as np
from deep_sort_realtime.deep_sort.detection import Detection
from pydantic import BaseModel, ConfigDict, Field
from threadpoolctl import ThreadpoolController

from pipeline.detect import Detections
from pipeline.match import JointTracker, MatchRules

KALMAN_RATE = 25.0
"""Frames per second for which DeepSORT's motion noise (1/160 of the height per frame) was set."""


class TrackSettings(BaseModel):
    """How people are followed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_gap_s: float = Field(
        3.0,
        gt=0,
        description="s a person may go undetected before the track ends; longer bridges bowed heads, but may hand the"
        " track to somebody who passes",
    )
    confirm_s: float = Field(0.4, ge=0, description="s of unbroken detection before a new track counts")
    min_overlap: float = Field(
        0.3, gt=0, lt=1, description="IoU with the expected box from which a box may continue a track"
    )
    look_weight: float = Field(
        0.5,
        ge=0,
        description="IoU that looking like somebody else outweighs; counts only as far as looks tell people apart in"
        " this room",
    )


class Tracker:
    """One lecture's tracker; make a new one for each video."""

    def __init__(self, settings: TrackSettings, interval_s: float) -> None:
        """Begin empty.

        Args:
            settings: limits in seconds.
            interval_s: time between analysed frames, s.
        """
        self.interval_s = interval_s
        self._max_gap = max(1, round(settings.max_gap_s / interval_s))
        rules = MatchRules(interval_s, settings.min_overlap, look_weight=settings.look_weight)
        self._sort = JointTracker(rules, max_age=self._max_gap, n_init=max(1, round(settings.confirm_s / interval_s)))
        self._sort.kf._std_weight_velocity *= interval_s * KALMAN_RATE
        self._last_t: float | None = None
        self._threads = ThreadpoolController()

    def update(self, t: float, found: Detections, appearance: np.ndarray) -> np.ndarray:
        """Take in one analysed frame.

        Args:
            t: presentation time, s; later than the last one.
            found: the people of the frame.
            appearance: (n, d) unit vectors, one per person.

        Returns:
            (n,) int track number of each person, from 1, also of tracks not confirmed yet (the offline step decides
            what short ones are worth); 0 for a box without area.
        """
        if self._last_t is not None:
            skipped = round((t - self._last_t) / self.interval_s) - 1
            for _ in range(min(max(skipped, 0), self._max_gap + 1)):
                self._sort.predict()
        self._last_t = t
        numbers = np.zeros(len(found), int)
        x1, y1, x2, y2 = found.boxes_xyxy.T if len(found) else np.zeros((4, 0))
        usable = np.flatnonzero((x2 > x1) & (y2 > y1))
        sizes = np.stack([x1, y1, x2 - x1, y2 - y1], axis=1)
        boxes = [Detection(sizes[i], float(found.scores[i]), appearance[i], others=int(i)) for i in usable]
        with self._threads.limit(limits=1, user_api="blas"):  # hundreds of 4 × 4 solves: waking threads takes longer
            self._sort.predict()
            self._sort.update(boxes)
        for track in self._sort.tracks:
            if track.time_since_update == 0:
                numbers[track.get_det_supplementary()] = int(track.track_id)
        return numbers
