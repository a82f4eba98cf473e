"""Follow people from frame to frame with DeepSORT (Wojke et al. 2017), on a clock in seconds.

The library counts in frames; every limit here is in seconds and converted for the analysed rate, so that a lecture
analysed at 2 or at 10 frames per second is tracked by the same rules.
"""

from __future__ import annotations

import numpy as np
from deep_sort_realtime.deepsort_tracker import DeepSort
from pydantic import BaseModel, ConfigDict, Field
from threadpoolctl import ThreadpoolController

from pipeline.detect import Detections

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
    max_appearance_distance: float = Field(
        0.15,
        gt=0,
        lt=1,
        description="1 - cosine of appearance vectors above which two boxes are never one person; lower splits tracks"
        " when the light changes, higher joins neighbours in similar clothes",
    )
    min_overlap: float = Field(0.3, gt=0, lt=1, description="IoU with the last box that can stand in for appearance")
    appearance_budget: int = Field(30, ge=1, description="vectors remembered per track; bounds memory and time")


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
        self._sort = DeepSort(
            max_iou_distance=1 - settings.min_overlap,
            max_age=self._max_gap,
            n_init=max(1, round(settings.confirm_s / interval_s)),
            max_cosine_distance=settings.max_appearance_distance,
            nn_budget=settings.appearance_budget,
            embedder=None,
        )
        self._sort.tracker.kf._std_weight_velocity *= interval_s * KALMAN_RATE
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
                self._sort.tracker.predict()
        self._last_t = t
        numbers = np.zeros(len(found), int)
        x1, y1, x2, y2 = found.boxes_xyxy.T if len(found) else np.zeros((4, 0))
        usable = np.flatnonzero((x2 > x1) & (y2 > y1))
        raw = [([x1[i], y1[i], x2[i] - x1[i], y2[i] - y1[i]], float(found.scores[i]), "student") for i in usable]
        with self._threads.limit(limits=1, user_api="blas"):  # hundreds of 4 × 4 solves: waking threads takes longer
            tracks = self._sort.update_tracks(raw, embeds=[appearance[i] for i in usable], others=usable.tolist())
        for track in tracks:
            if track.time_since_update == 0:
                numbers[track.get_det_supplementary()] = int(track.track_id)
        return numbers
