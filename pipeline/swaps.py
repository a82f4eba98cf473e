"""Two who swap seats while both are away: told apart by looks, else the seat is followed and that is said.

Joining tracks follows seats, because people do. It goes wrong where two leave and each comes back to the other's seat.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.tracklets import Tracklet

GOT_UP = 0.3
"""Box heights from the seat from which somebody who goes out of sight was going, and not only hidden."""
BLOCK = 256
"""Absences that are compared with all others at once."""
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
    """What was seen at one seat before and after somebody was away from it.

    Attributes:
        left, back: the track that was seen last before and the one that was seen first after.
        before, after: looks, (d,) of unit length.
        tracks: all that were seen after.
        people: whose seat it was before and after.
    """

    left: Tracklet
    back: Tracklet
    before: np.ndarray
    after: np.ndarray
    tracks: list[Tracklet]
    people: tuple[int, int]

    @property
    def away(self) -> tuple[float, float]:
        """s from and to which nobody was there."""
        return self.left.last_t, self.back.first_t

    @property
    def was_walk(self) -> bool:
        """Whether somebody was seen to get up or to come back, or was away too long to have sat there hidden."""
        start, end = self.away
        return (
            end - start >= LONG_S
            or bool(_moved(self.left.place, self.left.last_box) >= GOT_UP)
            or bool(_moved(self.back.place, self.back.first_box) >= GOT_UP)
        )


class _Person:
    """The tracks of one person in the order in which they begin, and what all of them up to each one say together."""

    def __init__(self, tracks: list[Tracklet]) -> None:
        self.tracks = tracks
        self.places = [piece.place for piece in tracks]
        self.first_t = tracks[0].first_t
        looks = np.array([piece.appearance * piece.seen for piece in tracks])
        self._before = np.cumsum(looks, axis=0)
        self._after = np.cumsum(looks[::-1], axis=0)[::-1]
        self._left: list[int] = [0]  # which of the tracks up to this one was seen last
        for place in range(1, len(tracks)):
            latest = self._left[-1]
            self._left.append(place if tracks[place].last_t > tracks[latest].last_t else latest)

    @property
    def last_t(self) -> float:
        """s when the person was seen last."""
        return self.last.last_t

    @property
    def last(self) -> Tracklet:
        """The track that was seen last."""
        return self.tracks[self._left[-1]]

    def left(self, place: int) -> Tracklet:
        """Of the tracks before this one the one that was seen last."""
        return self.tracks[self._left[place - 1]]

    def look(self, up_to: int | None = None, since: int = 0) -> np.ndarray:
        """(d,) of unit length, of the tracks before one, or of those from one on."""
        look: np.ndarray = self._before[up_to - 1] if up_to else self._after[since]
        return look / max(float(np.linalg.norm(look)), 1e-9)


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
        for one, other, is_clear in _telling(sorted(_stays(settled.person_of, known, settings), key=_away), settings):
            first, second = sorted((one.back.number, other.back.number))
            key = first, second, min(one.away[0], other.away[0])
            if key in done:
                continue
            done.add(key)
            if is_clear:
                _exchange(settled, one, other)
                exchanged = True
                break
            for stay in (one, other):
                settled.doubtful.append((stay.back.number, stay.away[1], max(piece.last_t for piece in stay.tracks)))
        if not exchanged:
            return settled


def _away(stay: _Stay) -> tuple[float, float]:
    return stay.away


def _telling(stays: list[_Stay], settings: SwapSettings) -> Iterator[tuple[_Stay, _Stay, bool]]:
    """Every two whose absences overlap and who were surely, else perhaps, exchanged; in time order.

    In blocks, because nearly all pairs of a long lecture tell nothing.
    """
    if not stays:
        return
    start, end = np.array([stay.away for stay in stays]).T
    before, after = (np.array([getattr(stay, name) for stay in stays]) for name in ("before", "after"))
    people = np.array([stay.people for stay in stays])
    kept = 1 - (before * after).sum(axis=1)
    same = people[:, 0] == people[:, 1]
    walked = np.array([one and stay.was_walk for one, stay in zip(same.tolist(), stays, strict=True)])
    for begin in range(0, len(stays), BLOCK):
        rows = slice(begin, begin + BLOCK)
        others = slice(begin, int(np.searchsorted(start, end[rows].max())))
        together = start[others] < end[rows, None]
        together &= np.arange(len(together))[:, None] < np.arange(together.shape[1])
        for mine in (0, 1):
            for its in (0, 1):
                together &= people[rows, mine, None] != people[others, its]
        to, fro = 1 - before[rows] @ after[others].T, 1 - after[rows] @ before[others].T
        better = kept[rows, None] + kept[others] - (to + fro)
        clear = (better >= settings.clear_margin) & (np.maximum(to, fro) <= settings.max_appearance_distance)
        perhaps = walked[rows, None] & walked[others] & (-better < settings.clear_margin)
        for row, column in np.argwhere(together & (clear | perhaps)).tolist():
            yield stays[begin + row], stays[begin + column], bool(clear[row, column])


def _stays(person_of: Mapping[int, int], pieces: list[Tracklet], settings: SwapSettings) -> Iterator[_Stay]:
    """Absences from a seat: of one person, or between two who were never joined, because they look unlike."""
    own: dict[int, list[Tracklet]] = {}
    for piece in sorted(pieces, key=lambda piece: piece.first_t):
        own.setdefault(person_of[piece.number], []).append(piece)
    numbers, people = list(own), [_Person(mine) for mine in own.values()]
    for number, person in zip(numbers, people, strict=True):
        for place in range(1, len(person.tracks)):
            left, back = person.left(place), person.tracks[place]
            near = _moved(person.places[place - 1], person.places[place]) <= settings.max_seat_distance
            if back.first_t - left.last_t >= settings.away_s and near:
                after = person.tracks[place:]
                yield _Stay(left, back, person.look(up_to=place), person.look(since=place), after, (number, number))
    for one, other in _followed(people, settings):
        earlier, later = people[one], people[other]
        whose = numbers[one], numbers[other]
        yield _Stay(earlier.last, later.tracks[0], earlier.look(), later.look(), later.tracks, whose)


def _followed(people: list[_Person], settings: SwapSettings) -> list[tuple[int, int]]:
    """Who was on a seat and who on the same one later, by their places in the list."""
    if not people:
        return []
    first, last = (np.array([getattr(one, name) for one in people]) for name in ("first_t", "last_t"))
    earlier, later = np.nonzero(first - last[:, None] >= settings.away_s)
    near = _moved(
        np.array([one.places[-1] for one in people])[earlier].T, np.array([one.places[0] for one in people])[later].T
    )
    earlier, later = (which[near <= settings.max_seat_distance] for which in (earlier, later))
    order = np.lexsort((earlier > later, np.maximum(earlier, later), np.minimum(earlier, later)))
    return list(zip(earlier[order].tolist(), later[order].tolist(), strict=True))


def _exchange(settled: Settled, one: _Stay, other: _Stay) -> None:
    """Give each the tail of the other's seat."""
    for stay, owner in ((one, other.people[0]), (other, one.people[0])):
        for piece in stay.tracks:
            settled.person_of[piece.number] = owner


def _moved(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Box heights between the top middles of boxes (4, ...) and others: they stay with the heads."""
    moved = np.hypot((one[0] + one[2] - other[0] - other[2]) / 2, one[1] - other[1])
    return moved / np.maximum(np.minimum(one[3] - one[1], other[3] - other[1]), 1.0)
