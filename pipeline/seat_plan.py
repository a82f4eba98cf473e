"""The seats of a room and who sits in them: numbers that are the same tomorrow, and ``seats.json`` of a session.

A seat is where a student's head mostly is. A body's box would not do: it holds the heads of the row before it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consent.errors import ConsentError
from consent.given import NotPlain, parse_json, read_text
from consent.seat_map import Seat
from consent.zones import Zone
from pipeline.seat_zone import head_centres, seat_box, seat_middle
from pipeline.session import BOX, SEATS, Session, SessionError


class SeatPlan(BaseModel):
    """The content of ``seats.json``: a seat map (``consent.seat_map``) that says who sits where.

    Coordinates are shares of the recording's first picture. Nobody who said no is in it.
    """

    model_config = ConfigDict(extra="forbid")

    seats: list[Seat] = Field(default_factory=list)

    def without(self, students: Collection[int]) -> SeatPlan:
        """The plan once these students are gone: seats of a map given stay, empty; those made for them go."""
        left = []
        for seat in self.seats:
            if seat.student not in students:
                left.append(seat)
            elif seat.name != str(seat.student):
                left.append(seat.model_copy(update={"student": None}))
        return SeatPlan(seats=left)


def read_plan(session: Session) -> SeatPlan | None:
    """The plan of a session, ``None`` where it has none.

    Raises:
        SessionError: it is damaged.
    """
    path = session.part(SEATS)
    try:
        return SeatPlan.model_validate(parse_json(read_text(path)))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, NotPlain, ValidationError):
        raise SessionError(f"{path}: cannot be read; run the lecture again with --overwrite") from None


def numbers_of(seat_map: Mapping[str, Zone]) -> dict[str, int]:
    """The number of each seat: its name where all names are numbers, else its place in the map, from 1."""
    if all(name.isascii() and name.isdigit() and int(name) > 0 for name in seat_map):
        numbers = [int(name) for name in seat_map]
        if len(set(numbers)) == len(numbers):
            return dict(zip(seat_map, numbers, strict=True))
    return {name: n for n, name in enumerate(seat_map, start=1)}


def by_seat(rows: pd.DataFrame, size: tuple[int, int], seat_map: Mapping[str, Zone]) -> dict[int, int]:
    """Student -> number by the seats of a map; who sits in none, or where somebody else does, comes after them.

    Args:
        rows: observations in coordinates of the first picture.
        size: of the picture, px.
        seat_map: zones by name.
    """
    middles = _middles(rows)
    numbers = numbers_of(seat_map)
    sightings = rows["student"].value_counts()
    free, taken = dict(seat_map), {}
    for student in sorted(middles, key=lambda one: (-sightings[one], one)):  # who sat there longer has the seat
        x, y = np.clip(middles[student] / size, 0.0, 1.0).tolist()
        holding = [name for name, zone in free.items() if zone.contains(x, y)]
        if holding:
            nearest = min(holding, key=lambda name: float(np.hypot(*(_middle(seat_map[name]) - (x, y)))))
            taken[student] = numbers[nearest]
            del free[nearest]
    rest = [student for student in sorted(rows["student"].unique().tolist()) if student not in taken]
    first = max(numbers.values(), default=0) + 1
    return taken | {student: n for n, student in enumerate(rest, start=first)}


def plan_of(
    rows: pd.DataFrame, size: tuple[int, int], seat_map: Mapping[str, Zone] | None = None, said_no: Sequence[Zone] = ()
) -> SeatPlan:
    """The seats of a lecture: those of the map given, then one for each student who sits in none of them.

    Args:
        rows: observations in coordinates of the first picture, numbered by that map.
        size: of the picture, px.
        seat_map: zones by name, if one was given.
        said_no: seats of those who said no; where a map has them, as one of an earlier lecture may, they are left out.
    """
    numbers = numbers_of(seat_map or {})
    there = set(rows["student"].unique().tolist())
    plan = [
        Seat(name=name, polygon=list(zone.points), student=numbers[name] if numbers[name] in there else None)
        for name, zone in (seat_map or {}).items()
        if numbers[name] in there or not any(one.contains(*_middle(zone).tolist()) for one in said_no)
    ]
    centres, sides = head_centres(rows[list(BOX)].to_numpy(float))
    names = set(seat_map or {})
    for student in sorted(there - set(numbers.values())):
        own = (rows["student"] == student).to_numpy() & np.isfinite(centres).all(axis=1)
        name = str(student)
        if not own.any() or name in names:
            continue
        box = seat_box(centres[own], float(np.median(sides[own])))
        x1, y1, x2, y2 = np.clip(box.reshape(2, 2) / size, 0.0, 1.0).round(4).ravel().tolist()
        try:
            zone = Zone(x1, y1, x2, y2)
        except ConsentError:  # outside the first picture
            continue
        plan.append(Seat(name=name, polygon=list(zone.points), student=int(student)))
    return SeatPlan(seats=plan)


def _middles(rows: pd.DataFrame) -> dict[int, np.ndarray]:
    """Student -> where the head mostly is (2,) px."""
    centres, sides = head_centres(rows[list(BOX)].to_numpy(float))
    known = np.isfinite(centres).all(axis=1)
    student = rows["student"].to_numpy()
    return {
        int(one): seat_middle(centres[known & (student == one)], float(np.median(sides[known & (student == one)])))
        for one in np.unique(student[known])
    }


def _middle(zone: Zone) -> np.ndarray:
    x1, y1, x2, y2 = zone.corners
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2])
