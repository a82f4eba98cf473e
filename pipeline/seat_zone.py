"""Where a student of a finished session sits, so that the number seen in the video can stand for a seat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consent.zones import Zone
from pipeline.heads import head_region
from pipeline.session import BOX, OBSERVATIONS, Session, SessionError

REACH = 1.5
"""Head regions from the middle of a seat within which a head is still on it: leaning, not walking."""
OUTERMOST = 2.0
"""Per cent of the places on the seat left out at each side."""
MARGIN = 0.25
"""Head regions added on each side."""
SHARED = 0.1
"""Share of another student's sightings in the zone from which it does not tell the two apart."""
ROUNDS = 20
"""Steps within which the search for the middle of a seat has long settled."""


@dataclass(frozen=True)
class SeatFound:
    """Where a student sits, and the numbers of others who are often there too."""

    zone: Zone
    others: tuple[int, ...]

    def sentence(self) -> str:
        """What to tell the user about the others, in one clause."""
        numbers = ", ".join(map(str, self.others))
        who = f"number {numbers} is" if len(self.others) == 1 else f"numbers {numbers} are"
        return (
            f"{who} there too in more than {SHARED:.0%} of the time and would be covered; a zone may part them better"
        )


def seat_of(session: Session, number: int) -> SeatFound:
    """The seat of the student with this number in the annotated video.

    Raises:
        SessionError: the session cannot be read, its camera moved, or nobody has the number.
    """
    if session.manifest.camera is not None and session.manifest.camera.moved:
        raise SessionError(
            f"{session.folder}: its camera moved, so places in its video are no seats; take the seat {number} from its"
            " seats.json: engage consent student COURSE STUDENT --seat NUMBER --seat-map FILE"
        )
    rows = session.observations
    rows = rows[rows["observed"]]
    numbers = sorted(rows["student"].unique().tolist())
    if number not in numbers:
        there = f"there are {', '.join(map(str, numbers))}" if numbers else "nobody was found in it"
        raise SessionError(f"{session.folder}: nobody has the number {number}; {there}")
    size = np.array([session.manifest.width, session.manifest.height], float)
    centres, sides = head_centres(rows[list(BOX)].to_numpy(float))
    student = rows["student"].to_numpy()
    own = (student == number) & np.isfinite(centres).all(axis=1)
    if not own.any():
        raise SessionError(f"{session.folder / OBSERVATIONS}: number {number} has no place; run it with --overwrite")
    box = seat_box(centres[own], float(np.median(sides[own])))
    left, top, right, bottom = np.clip(box.reshape(2, 2) / size, 0.0, 1.0).ravel().tolist()
    if left >= right or top >= bottom:
        raise SessionError(f"{session.folder}: number {number} is outside the picture; give the seat as a zone")
    zone = Zone(left, top, right, bottom)
    inside = np.array([zone.contains(x, y) for x, y in np.clip(centres / size, 0.0, 1.0)])
    others = tuple(one for one in numbers if one != number and inside[student == one].mean() > SHARED)
    return SeatFound(zone, others)


def head_centres(boxes_xyxy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle (n, 2) and side (n,) px of the head region of body boxes (n, 4): what decides who sits in a zone."""
    regions = np.array([head_region(box) for box in boxes_xyxy]).reshape(-1, 3)
    return regions[:, :2] + regions[:, 2:] / 2, regions[:, 2]


def time_on_seat(centres: np.ndarray, side: float, interval_s: float) -> float:
    """Seconds that one person's head was in the place where it mostly is.

    Args:
        centres: (n, 2) px, one for each sighting, at least one.
        side: of the head region, px.
        interval_s: time between analysed frames, s.
    """
    return float(_near(centres, _densest(centres, side), side).sum()) * interval_s


def seat_middle(centres: np.ndarray, side: float) -> np.ndarray:
    """Where (2,) one person's head mostly is, by its places (n, 2) px and the side of its region, px."""
    return _densest(centres, side)


def seat_box(centres: np.ndarray, side: float) -> np.ndarray:
    """The box (4,) around the places (n, 2) where a head mostly is, with a margin; walks away from it are left out.

    Args:
        centres: all places of one person's head, px.
        side: of the head region, px.
    """
    on_seat = centres[_near(centres, _densest(centres, side), side)]
    low, high = np.percentile(on_seat, [OUTERMOST, 100 - OUTERMOST], axis=0)
    return np.concatenate([low - MARGIN * side, high + MARGIN * side])


def _densest(centres: np.ndarray, side: float) -> np.ndarray:
    """Middle (2,) of the seat: from the fullest cell of a coarse grid, moved to the mean of what is near it."""
    cells, counts = np.unique(np.floor(centres / side), axis=0, return_counts=True)
    middle = (cells[counts.argmax()] + 0.5) * side
    for _ in range(ROUNDS):
        moved = centres[_near(centres, middle, side)].mean(axis=0)
        if np.allclose(moved, middle):
            break
        middle = moved
    return middle


def _near(centres: np.ndarray, middle: np.ndarray, side: float) -> np.ndarray:
    return np.linalg.norm(centres - middle, axis=1) <= REACH * side
