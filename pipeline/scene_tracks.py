"""Follow people within scenes: a tracker for each view of the camera, in coordinates in which the room stands still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline.camera import View
from pipeline.detect import Detections
from pipeline.picture_motion import moved_boxes
from pipeline.track import Tracker, TrackSettings
from pipeline.tracklets import Tracklet, TrackletBook

MOST_TRACKERS = 3
"""Trackers kept for a return to their scenes; what they remember is soon too old anyway."""


class SceneTracks:
    """Tracks of one lecture; numbers are its own, from 1, and a track never leaves its scene."""

    def __init__(self, settings: TrackSettings, interval_s: float) -> None:
        self._settings = settings
        self._interval_s = interval_s
        self._trackers: dict[int, tuple[Tracker, dict[int, int]]] = {}
        self._books: dict[int, TrackletBook] = {}
        self._numbers = 0

    def follow(self, t: float, view: View, found: Detections, looks: np.ndarray) -> np.ndarray:
        """Take in one analysed frame at ``t`` (s), boxes in px of the picture; (n,) track numbers, 0 for nobody."""
        if view.scene not in self._trackers:
            self._trackers[view.scene] = Tracker(self._settings, self._interval_s), {}
        self._trackers[view.scene] = self._trackers.pop(view.scene)  # the latest last
        tracker, number_of = self._trackers[view.scene]
        while len(self._trackers) > MOST_TRACKERS:
            del self._trackers[next(iter(self._trackers))]
        in_room = replace(found, boxes_xyxy=moved_boxes(view.to_scene, found.boxes_xyxy))
        own = tracker.update(t, in_room, looks)
        for one in own[own > 0].tolist():
            if one not in number_of:
                self._numbers += 1
                number_of[one] = self._numbers
        numbers = np.array([number_of.get(one, 0) for one in own.tolist()], int)
        if len(found) or view.scene in self._books:  # a blur of a pan is a scene without anybody
            book = self._books.setdefault(view.scene, TrackletBook())
            book.add(t, numbers, in_room.boxes_xyxy, found.scores, looks)
        return numbers

    def by_scene(self, links: Mapping[int, tuple[int, np.ndarray]]) -> dict[int, list[Tracklet]]:
        """What the tracks of each scene left, in its coordinates.

        Args:
            links: scene -> (earlier scene, (3, 3) px to it), of scenes that turned out to be a part of earlier ones.
        """
        pieces: dict[int, list[Tracklet]] = {}
        for scene, book in self._books.items():
            tracklets = list(book)
            while scene in links:
                scene, matrix = links[scene]
                tracklets = [piece.moved(matrix) for piece in tracklets]
            pieces.setdefault(scene, []).extend(tracklets)
        return dict(sorted(pieces.items()))
