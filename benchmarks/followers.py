"""Trackers side by side: ours and its peers behind one call, and what is made of tracks afterwards.

Each is given the boxes of one frame after the other and says which number each box has; boxes it only predicts do not
count. So all are judged on the same boxes, and differ by identity alone.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import numpy as np
import pandas as pd
from deep_sort_realtime.deepsort_tracker import DeepSort
from ultralytics.engine.results import Boxes
from ultralytics.trackers.bot_sort import BOTSORT
from ultralytics.trackers.byte_tracker import BYTETracker
from ultralytics.trackers.oc_sort import OCSORT
from ultralytics.utils import YAML, IterableSimpleNamespace
from ultralytics.utils.checks import check_yaml

from benchmarks.identities import NOBODY, Known, Scene
from pipeline.detect import Detections
from pipeline.observations import fill_gaps, of_students
from pipeline.seats import SeatSettings, assign_students
from pipeline.session import BOX
from pipeline.settings import Settings
from pipeline.smoothing import smooth_boxes
from pipeline.track import Tracker, TrackSettings
from pipeline.tracklets import TrackletBook

Numbers = list[np.ndarray]
"""Per frame the (n,) number of each box found; 0 is nobody's."""

SQUARE = (1, 1)
"""Size of a picture nobody looks at."""


class Follower(Protocol):
    """A tracker."""

    def update(self, t: float, found: Detections, looks: np.ndarray) -> np.ndarray:
        """The (n,) number from 1 of each box of the frame at ``t`` (s), 0 where there is none (yet)."""
        ...


class Ours:
    """The tracker of the pipeline; online, a track counts once it is confirmed."""

    def __init__(self, interval_s: float, confirmed_only: bool) -> None:
        settings = TrackSettings()
        self._tracker = Tracker(settings, interval_s)
        # DeepSORT confirms on the second sighting at the earliest, and forgets a track missed before
        self._enough = max(2, round(settings.confirm_s / interval_s)) if confirmed_only else 1
        self._sightings: Counter[int] = Counter()

    def update(self, t: float, found: Detections, looks: np.ndarray) -> np.ndarray:
        """See ``Follower``."""
        numbers = self._tracker.update(t, found, looks)
        self._sightings.update(numbers.tolist())
        return np.array([number if self._sightings[number] >= self._enough else 0 for number in numbers.tolist()], int)


class DeepSortRealtime:
    """deep-sort-realtime at its defaults, with our appearance vectors."""

    def __init__(self, interval_s: float) -> None:
        self._sort = DeepSort(embedder=None)

    def update(self, t: float, found: Detections, looks: np.ndarray) -> np.ndarray:
        """See ``Follower``."""
        numbers = np.zeros(len(found), int)
        x1, y1, x2, y2 = found.boxes_xyxy.T
        boxes = np.stack([x1, y1, x2 - x1, y2 - y1], axis=1).tolist()
        raw = [(box, float(score), "person") for box, score in zip(boxes, found.scores, strict=True)]
        for track in self._sort.update_tracks(raw, embeds=list(looks), others=list(range(len(raw)))):
            if track.is_confirmed() and track.time_since_update == 0:
                numbers[track.get_det_supplementary()] = int(track.track_id)
        return numbers


class OfUltralytics:
    """One of Ultralytics' trackers at its defaults; without camera motion, for it gets no pictures.

    It also says boxes of its own, smoothed (``own_boxes``, of the last frame).
    """

    def __init__(self, kind: type[BYTETracker], settings: str) -> None:
        values = YAML.load(check_yaml(settings)) | {"gmc_method": "none"}
        self._tracker = kind(IterableSimpleNamespace(**values))
        self.own_boxes: Known = NOBODY

    def update(self, t: float, found: Detections, looks: np.ndarray) -> np.ndarray:
        """See ``Follower``."""
        numbers = np.zeros(len(found), int)
        rows = np.concatenate([found.boxes_xyxy, found.scores[:, None], np.zeros((len(found), 1))], axis=1)
        said = np.asarray(self._tracker.update(Boxes(rows.astype(np.float32), SQUARE)), float).reshape(-1, 8)
        numbers[said[:, 7].astype(int)] = said[:, 4].astype(int)
        self.own_boxes = said[:, 4].astype(int), said[:, :4]
        return numbers


class OfTrackers:
    """One of the package ``trackers`` at its defaults."""

    def __init__(self, kind: str, **settings: bool) -> None:
        import supervision
        import trackers

        self._box = supervision.Detections
        self._tracker = getattr(trackers, kind)(**settings)

    def update(self, t: float, found: Detections, looks: np.ndarray) -> np.ndarray:
        """See ``Follower``."""
        numbers = np.zeros(len(found), int)
        boxes = found.boxes_xyxy.astype(float)
        given = self._box(
            xyxy=boxes,
            confidence=found.scores.astype(float),
            class_id=np.zeros(len(found), int),
            data={"row": np.arange(len(found))},
        )
        said = self._tracker.update(given)
        if len(said):
            numbers[said.data["row"].astype(int)] = said.tracker_id.astype(int) + 1  # it counts from 0; -1 is nobody
        return numbers


OURS = "ours"


def followers() -> dict[str, Callable[[float], Follower]]:
    """What makes a new tracker for a time between frames (s), by name; ours first, then the peers that are there."""
    made: dict[str, Callable[[float], Follower]] = {
        OURS: lambda interval_s: Ours(interval_s, confirmed_only=True),
        "deep-sort-realtime": DeepSortRealtime,
        "ByteTrack (ultralytics)": lambda _: OfUltralytics(BYTETracker, "bytetrack.yaml"),
        "BoT-SORT (ultralytics)": lambda _: OfUltralytics(BOTSORT, "botsort.yaml"),
        "OC-SORT (ultralytics)": lambda _: OfUltralytics(OCSORT, "ocsort.yaml"),
    }
    if importlib.util.find_spec("trackers") and importlib.util.find_spec("supervision"):
        made |= {
            "SORT (trackers)": lambda _: OfTrackers("SORTTracker"),
            "ByteTrack (trackers)": lambda _: OfTrackers("ByteTrackTracker"),
            "OC-SORT (trackers)": lambda _: OfTrackers("OCSORTTracker"),
            "BoT-SORT (trackers)": lambda _: OfTrackers("BoTSORTTracker", enable_cmc=False),
        }
    return made


def follow(scene: Scene, follower: Follower) -> tuple[Numbers, list[Known]]:
    """Numbers of the whole scene, and the follower's own boxes where it has some (else empty)."""
    numbers: Numbers = []
    own: list[Known] = []
    for t, found, looks in zip(scene.times, scene.found, scene.looks, strict=True):
        numbers.append(follower.update(t, found, looks))
        if isinstance(follower, OfUltralytics):
            own.append(follower.own_boxes)
    return numbers, own


def stitched(scene: Scene, tracks: Numbers) -> Numbers:
    """Students instead of tracks: the pipeline's offline step at its defaults, whoever made the tracks."""
    book = TrackletBook()
    for t, numbers, found, looks in zip(scene.times, tracks, scene.found, scene.looks, strict=True):
        book.add(t, numbers, found.boxes_xyxy, found.scores, looks)
    settings = SeatSettings().for_clip(len(scene.times), scene.interval_s)
    student_of = assign_students(book, settings, scene.interval_s)
    return [np.array([student_of.get(number, 0) for number in numbers.tolist()], int) for numbers in tracks]


def numbered(scene: Scene, numbers: Numbers) -> list[Known]:
    """The boxes that have a number."""
    return [(given[given > 0], found.boxes_xyxy[given > 0]) for given, found in zip(numbers, scene.found, strict=True)]


def filled(scene: Scene, numbers: Numbers) -> list[Known]:
    """The same with the pipeline's unobserved rows in short gaps, which a session also holds."""
    counts = [len(given) for given in numbers]
    rows = pd.DataFrame(np.concatenate([found.boxes_xyxy for found in scene.found]), columns=list(BOX))
    rows["frame"] = np.repeat(np.arange(len(counts)), counts)
    rows["t"] = np.repeat(scene.times, counts)
    rows["track"] = np.concatenate(numbers)
    rows = rows[rows["track"] > 0]
    everybody = {number: number for number in rows["track"].unique().tolist()}
    table = of_students(rows, everybody)
    table = fill_gaps(table, list(range(len(counts))), scene.times, Settings().max_fill_s)
    table = smooth_boxes(table, Settings().smooth_s)
    nobody = table.iloc[:0]
    frames = dict(tuple(table.groupby("frame")))
    return [
        (part["student"].to_numpy(int), part[list(BOX)].to_numpy(float))
        for part in (frames.get(frame, nobody) for frame in range(len(counts)))
    ]
