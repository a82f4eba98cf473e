"""Two who swap seats while both are away: told apart by looks, else the seat is followed and that is said.

Joining tracks follows seats, because people do. It goes wrong where two leave and each comes back to the other's seat.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.tracklets import Tracklet

GOT_UP = 0.3
"""Box heights from the seat from which somebody who goes out of sight was going, and not only hidden."""
LONG_S = 120.0
"""s out of sight after which it does not matter whether anybody was seen to go."""


class SwapSettings(BaseModel):
    """When two may have swapped seats."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    away_s: float = Field(10.0, gt=0, description="s out of sight from which somebody may come back to another seat")
    clear_margin: float = Field(
        0.1,
        gt=0,
        description="of summed appearance distance by which one way must fit better to be taken as certain",
    )
    max_seat_distance: float = Field(0.6, gt=0, description="box heights between two places that are one seat")
    max_appearance_distance: float = Field(
        0.2, gt=0, lt=2, description="1 - cosine above which two are never called one person who changed seats"
    )


@dataclass
class Settled:
    """Who is who once swaps are known.

    Attributes:
        person_of: track -> person.
        doubtful: (track, start s, end s) of the times in which its person may as well be the other of a pair.
    """

    person_of: dict[int, int]
    doubtful: list[tuple[int, float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class _Stay:
    """What was seen at one seat before and after somebody was away from it."""

    before: list[Tracklet]
    after: list[Tracklet]
    people: tuple[int, int]

    @property
    def away(self) -> tuple[float, float]:
        """s from and to which nobody was there."""
        return max(one.last_t for one in self.before), min(one.first_t for one in self.after)

    @property
    def was_walk(self) -> bool:
        """Whether somebody was seen to get up or to come back, or was away too long to have sat there hidden."""
        left = max(self.before, key=lambda one: one.last_t)
        back = min(self.after, key=lambda one: one.first_t)
        start, end = self.away
        return (
            end - start >= LONG_S
            or _moved(left.place, left.last_box) >= GOT_UP
            or _moved(back.place, back.first_box) >= GOT_UP
        )


def settle_swaps(person_of: Mapping[int, int], pieces: list[Tracklet], settings: SwapSettings) -> Settled:
    """Look at every two seats that were left at the same time.

    Args:
        person_of: track -> person, of one scene.
        pieces: its tracks.
        settings: limits.
    """
    settled = Settled(dict(person_of))
    known = [piece for piece in pieces if piece.number in person_of]
    done: set[tuple[int, int, float]] = set()
    while True:  # an exchange changes what lies before and after later absences
        exchanged = False
        for one, other in _left_together(settled.person_of, known, settings):
            first, second = sorted((one.after[0].number, other.after[0].number))
            key = first, second, min(one.away[0], other.away[0])
            if key in done:
                continue
            done.add(key)
            if _exchange(settled, one, other, settings):
                exchanged = True
                break
        if not exchanged:
            return settled


def _left_together(
    person_of: Mapping[int, int], pieces: list[Tracklet], settings: SwapSettings
) -> Iterator[tuple[_Stay, _Stay]]:
    """Every two seats whose absences overlap, in time order."""
    stays = sorted(_stays(person_of, pieces, settings), key=lambda stay: stay.away)
    for n, one in enumerate(stays):
        for other in stays[n + 1 :]:
            if other.away[0] >= one.away[1]:
                break  # and so do all that follow
            if not set(one.people) & set(other.people):
                yield one, other


def _stays(person_of: Mapping[int, int], pieces: list[Tracklet], settings: SwapSettings) -> Iterator[_Stay]:
    """Absences from a seat: of one person, or between two who were never joined, because they look unlike."""
    own: dict[int, list[Tracklet]] = {}
    for piece in sorted(pieces, key=lambda piece: piece.first_t):
        own.setdefault(person_of[piece.number], []).append(piece)
    for person, mine in own.items():
        for n in range(1, len(mine)):
            stay = _Stay(mine[:n], mine[n:], (person, person))
            if stay.away[1] - stay.away[0] >= settings.away_s and _same_seat(mine[:n], mine[n:], settings):
                yield stay
    for earlier, later in combinations(own, 2):
        for one, other in ((earlier, later), (later, earlier)):
            stay = _Stay(own[one], own[other], (one, other))
            if stay.away[1] - stay.away[0] >= settings.away_s and _same_seat(own[one], own[other], settings):
                yield stay


def _exchange(settled: Settled, one: _Stay, other: _Stay, settings: SwapSettings) -> bool:
    """Give each the tail of the other's seat where looks say so, or mark both; whether they were exchanged."""
    kept = _unlike(one.before, one.after) + _unlike(other.before, other.after)
    crossed = _unlike(one.before, other.after), _unlike(other.before, one.after)
    if kept - sum(crossed) >= settings.clear_margin and max(crossed) <= settings.max_appearance_distance:
        for stay, owner in ((one, other.people[0]), (other, one.people[0])):
            for piece in stay.after:
                settled.person_of[piece.number] = owner
        return True
    same = one.people[0] == one.people[1] and other.people[0] == other.people[1]
    if same and one.was_walk and other.was_walk and sum(crossed) - kept < settings.clear_margin:
        for stay in (one, other):
            end = max(piece.last_t for piece in stay.after)
            settled.doubtful.append((stay.after[0].number, stay.away[1], end))
    return False


def _unlike(one: list[Tracklet], other: list[Tracklet]) -> float:
    return 1 - float(_look(one) @ _look(other))


def _look(pieces: list[Tracklet]) -> np.ndarray:
    look = np.sum([piece.appearance * piece.seen for piece in pieces], axis=0)
    return look / max(float(np.linalg.norm(look)), 1e-9)


def _same_seat(one: list[Tracklet], other: list[Tracklet], settings: SwapSettings) -> bool:
    return _moved(one[-1].place, other[0].place) <= settings.max_seat_distance


def _moved(one: np.ndarray, other: np.ndarray) -> float:
    """Box heights between the top middles of two boxes: they stay with the heads."""
    moved = np.hypot((one[0] + one[2] - other[0] - other[2]) / 2, one[1] - other[1])
    return float(moved / max(min(one[3] - one[1], other[3] - other[1]), 1.0))
