"""From tracks to students, with the whole lecture known: join the pieces of one person, drop what was nobody, number
by seat.

Which tracks are one person is decided in ``pipeline.link``.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.link import LinkSettings, link
from pipeline.somebody import believed
from pipeline.tracklets import Tracklet


class SeatSettings(BaseModel):
    """How tracks become students."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_seen_s: float = Field(1.0, ge=0, description="s of detection below which a person is dropped as false")
    min_sightings: int = Field(3, ge=1, description="detections below which a person is dropped as false")
    min_confidence: float = Field(0.35, ge=0, le=1, description="mean detection score below which a person is dropped")
    row_gap: float = Field(
        0.2, gt=0, description="box heights between the middles of neighbours in depth above which a new row begins"
    )

    def for_clip(self, frames: int, interval_s: float) -> SeatSettings:
        """The limits for a clip of so many analysed frames: never more than half of it, so that one second has
        students too.
        """
        half = max(1, frames // 2)
        limits = {
            "min_sightings": min(self.min_sightings, half),
            "min_seen_s": min(self.min_seen_s, half * interval_s),
        }
        return self.model_copy(update=limits)


def assign_students(
    tracklets: Iterable[Tracklet], settings: SeatSettings, interval_s: float, linking: LinkSettings | None = None
) -> dict[int, int]:
    """Which student each track belongs to.

    Tracks of one person are joined (``pipeline.link``), those of nobody are dropped (``pipeline.somebody``), and the
    rest are numbered by seat.

    Args:
        tracklets: of the whole lecture.
        settings: limits.
        interval_s: time between analysed frames, s; turns counts of detections into seconds.
        linking: when tracks are one person; ``None`` for the defaults.

    Returns:
        track number -> student number from 1; tracks of nobody are absent.
    """
    pieces = sorted(tracklets, key=lambda piece: (piece.first_t, piece.number))
    if not pieces:
        return {}
    joined = link(pieces, linking or LinkSettings(), interval_s)
    people = believed(joined, settings.min_sightings, settings.min_seen_s, settings.min_confidence, interval_s)
    if not people:
        return {}
    places = np.array([_place(person) for person in people])
    order = seat_order(places, settings.row_gap)
    return {piece.number: student for student, index in enumerate(order, start=1) for piece in people[index]}


def seat_order(places_xyxy: np.ndarray, row_gap: float) -> list[int]:
    """Indices of people by seat: front row (lowest in the image) first, each row from left to right.

    Args:
        places_xyxy: (n, 4) px, where each person mostly is.
        row_gap: a row ends where the next person towards the back is further up than this, in median box heights.
    """
    across, upright = places_xyxy[:, 0] + places_xyxy[:, 2], (places_xyxy[:, 1] + places_xyxy[:, 3]) / 2
    limit = row_gap * float(np.median(places_xyxy[:, 3] - places_xyxy[:, 1]))
    from_front = np.argsort(-upright, kind="stable")
    rows = np.zeros(len(places_xyxy), int)
    rows[from_front[1:]] = np.cumsum(-np.diff(upright[from_front]) > limit)
    return np.lexsort((*places_xyxy.T, across, rows)).tolist()  # the box decides between two in one place


def _place(person: list[Tracklet]) -> np.ndarray:
    weights = np.array([piece.seen for piece in person], float)
    return np.average([piece.place for piece in person], axis=0, weights=weights)
