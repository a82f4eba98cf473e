"""The seat map of a room: a JSON file that says where in the picture each seat is.

``{"seats": [{"name": "A2", "polygon": [[0.1, 0.4], [0.3, 0.4], [0.3, 0.9]]}, ...]}``, in shares of the picture's width
and height from its top left. It holds for one place of the camera. A session writes one too (``seats.json``), which
also says which ``student`` sat there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consent.errors import ConsentError
from consent.given import NotPlain, as_shown, field_of, parse_json, quoted, read_text
from consent.zones import MOST_POINTS, Zone

MOST_BYTES: Final = 1_000_000
"""Of a seat map; that is thousands of seats."""


class Seat(BaseModel):
    """One seat as the file has it; ``student`` is who sat there, in a map that a session was given."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=100)
    polygon: list[tuple[float, float]] = Field(max_length=MOST_POINTS)
    student: int | None = Field(default=None, ge=1)


class _SeatMap(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid")

    seats: list[Seat] = Field(min_length=1)


def read_seat_map(path: Path) -> dict[str, Zone]:
    """The zone of each seat by name, in the order of the file.

    Raises:
        ConsentError: the file cannot be read, is no seat map, names a seat twice, or a polygon is no zone.
    """
    name = as_shown(path)
    try:
        raw = parse_json(read_text(path, MOST_BYTES))
    except OSError as error:
        raise ConsentError(
            f"seat map {name!r} cannot be read ({error.strerror}); give a JSON file with seats"
        ) from None
    except (UnicodeDecodeError, NotPlain):
        raise ConsentError(f"seat map {name!r} is not JSON; see docs/registry.md for its form") from None
    try:
        seats = _SeatMap.model_validate(raw).seats
    except ValidationError as error:
        where, what = field_of(error) or "content", error.errors()[0]["msg"]
        raise ConsentError(
            f"seat map {name!r}: {where} is not valid ({what}); see docs/registry.md for its form"
        ) from None
    zones: dict[str, Zone] = {}
    for seat in seats:
        if seat.name in zones:
            raise ConsentError(f"seat map {name!r}: names seat {seat.name!r} twice; give each seat once")
        try:
            zones[seat.name] = Zone.polygon(seat.polygon)
        except ConsentError as error:
            raise ConsentError(f"seat map {name!r}, seat {seat.name!r}: {error}") from None
    return zones


def place(zone: str | None, seat: str | None, seat_map: Path | None) -> Zone | None:
    """Where a student sits, as given on the command line: a zone, a seat of a map or in numbers, or nothing.

    Raises:
        ConsentError: two places were given, a map without a seat, no such seat, or what is given is no zone.
    """
    if zone is not None and seat is not None:
        raise ConsentError("--zone and --seat both say where the student sits; give one of them")
    if seat_map is None:
        if seat is not None and "," not in seat:
            raise ConsentError(
                f"seat {quoted(seat)}: is not in numbers, and no seat map was given; add --seat-map FILE"
            )
        text = zone if seat is None else seat
        return None if text is None else Zone.parse(text)
    if seat is None:
        raise ConsentError(f"seat map {str(seat_map)!r}: was given without a seat; name it with --seat NAME")
    zones = read_seat_map(seat_map)
    if (found := zones.get(seat.strip())) is None:
        few = ", ".join(list(zones)[:20])
        raise ConsentError(f"seat {quoted(seat)} is not in seat map {as_shown(seat_map)!r}; it has {few}")
    return found
