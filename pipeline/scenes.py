"""The same students in different scenes: matched by what they look like and how they sit to each other.

After a cut nothing in the picture tells where the camera is. But clothes stay, and so does the layout of the seats: if
a few who look alike agree on one shift and zoom from the earlier picture to the later, the others are found by their
seats. Where that fails only somebody who looks like one student and no other is recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import linear_sum_assignment

from pipeline.tracklets import Tracklet


class SceneSettings(BaseModel):
    """How students are recognised after a cut or a pan that could not be followed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_appearance_distance: float = Field(
        0.2, gt=0, lt=2, description="1 - cosine between mean appearances above which two are never the same student"
    )
    max_seat_distance: float = Field(
        0.6, gt=0, description="box heights from the expected seat, once the layouts lie on each other"
    )
    clear_margin: float = Field(
        0.05,
        ge=0,
        description="of appearance distance that the next best must be further, where no layout helps",
    )


MOST_PAIRS = 80
"""Pairs of people who look alike from which layouts are tried; the most alike."""
FEWEST_AGREE, AGREE_SHARE = 3, 0.5
"""People who must agree on a layout, and their share of the smaller class."""
MOST_ZOOM, MOST_TILT_DEG = 3.0, 20.0
SIZE_RATIO = 1.5
"""By how much people may be larger or smaller than a layout's zoom makes them: an outstretched arm, a desk before."""


@dataclass
class Seen:
    """One person in one scene.

    Attributes:
        scene: number.
        place: (4,) px, where the person mostly is, in the scene's coordinates.
        look: (d,) of unit length.
        seen: sightings.
        tracks: their numbers.
    """

    scene: int
    place: np.ndarray
    look: np.ndarray
    seen: int
    tracks: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, scene: int, pieces: list[Tracklet]) -> Seen:
        """From the tracks of one person in one scene, at least one."""
        weights = np.array([piece.seen for piece in pieces])
        places = np.repeat(
            [piece.place for piece in pieces], np.ceil(1000 * weights / weights.sum()).astype(int), axis=0
        )
        look = np.sum([piece.appearance * piece.seen for piece in pieces], axis=0)
        return cls(
            scene,
            np.median(places, axis=0),  # who changed seats has the one of most of the time, not one between
            look / max(float(np.linalg.norm(look)), 1e-9),
            int(weights.sum()),
            [piece.number for piece in pieces],
        )


def same_students(scenes: Mapping[int, list[Seen]], settings: SceneSettings) -> tuple[list[list[Seen]], int]:
    """Everybody once, with all that was seen of each.

    Args:
        scenes: the people of each scene, in the order in which scenes are looked at; the first needs no match.
        settings: limits.

    Returns:
        the people, those of the first scene first; and how many of the later scenes' people look like nobody.
    """
    people: list[list[Seen]] = []
    strangers = 0
    for newcomers in scenes.values():
        known = _matched(people, newcomers, settings) if people else {}
        strangers += (len(newcomers) - len(known)) * bool(people)
        for n, one in enumerate(newcomers):
            if n in known:
                people[known[n]].append(one)
            else:
                people.append([one])
    return people, strangers


def _matched(people: list[list[Seen]], newcomers: list[Seen], settings: SceneSettings) -> dict[int, int]:
    """Index of a newcomer -> index of the person it is."""
    if not newcomers:
        return {}
    unlike = np.array(
        [[min(1 - float(seen.look @ one.look) for seen in person) for person in people] for one in newcomers]
    )
    moved = _distances(people, newcomers, unlike, settings)
    if moved is None:
        return _clearly_alike(unlike, settings)
    near = np.where(np.isnan(moved), np.inf, moved) / settings.max_seat_distance
    cost = near + unlike / settings.max_appearance_distance
    possible = (near <= 1) & (unlike <= settings.max_appearance_distance)
    rows, columns = linear_sum_assignment(np.where(possible, cost, 1e3))
    found = {int(row): int(column) for row, column in zip(rows, columns, strict=True) if possible[row, column]}
    left = [n for n in range(len(newcomers)) if n not in found]
    free = [n for n in range(len(people)) if n not in found.values()]
    if left and free:  # who changed seats meanwhile
        found |= {left[n]: free[k] for n, k in _clearly_alike(unlike[np.ix_(left, free)], settings).items()}
    return found


def _clearly_alike(unlike: np.ndarray, settings: SceneSettings) -> dict[int, int]:
    """Pairs (row -> column) that are each other's best by a margin."""
    found = {}
    for row, column in enumerate(unlike.argmin(axis=1).tolist()):
        best = unlike[row, column]
        others = np.concatenate([np.delete(unlike[row], column), np.delete(unlike[:, column], row)])
        if best <= settings.max_appearance_distance and (others >= best + settings.clear_margin).all():
            found[row] = column
    return found


def _distances(
    people: list[list[Seen]], newcomers: list[Seen], unlike: np.ndarray, settings: SceneSettings
) -> np.ndarray | None:
    """(newcomers, people) box heights between seats, laid on each other; NaN for people not in the best earlier scene.

    ``None`` where no earlier scene's layout fits.
    """
    best: tuple[int, np.ndarray] | None = None
    for scene in sorted({seen.scene for person in people for seen in person}):
        columns = [n for n, person in enumerate(people) if any(seen.scene == scene for seen in person)]
        before = [next(seen for seen in people[n] if seen.scene == scene) for n in columns]
        laid = _laid(before, newcomers, unlike[:, columns], settings)
        if laid is not None and (best is None or laid[0] > best[0]):
            moved = np.full(unlike.shape, np.nan)
            moved[:, columns] = laid[1]
            best = laid[0], moved
    return None if best is None else best[1]


def _laid(
    before: list[Seen], now: list[Seen], unlike: np.ndarray, settings: SceneSettings
) -> tuple[int, np.ndarray] | None:
    """How many agree on the best similarity from ``now`` to ``before``, and the distances (now, before) under it."""
    alike = np.argwhere(unlike <= settings.max_appearance_distance)
    alike = alike[np.argsort(unlike[tuple(alike.T)], kind="stable")][:MOST_PAIRS]
    heads_now, heads_before = _heads(now), _heads(before)
    sizes_now, sizes_before = _heights(now), _heights(before)
    best: tuple[int, float, np.ndarray] | None = None
    for (a, c), (b, d) in combinations(alike.tolist(), 2):
        if a == b or c == d or abs(heads_now[a] - heads_now[b]) < 1e-6:
            continue
        turn = (heads_before[c] - heads_before[d]) / (heads_now[a] - heads_now[b])  # a similarity is a complex factor
        zoom = abs(turn)
        if not 1 / MOST_ZOOM <= zoom <= MOST_ZOOM or abs(np.degrees(np.angle(turn))) > MOST_TILT_DEG:
            continue
        laid = heads_before[c] + turn * (heads_now - heads_now[a])
        moved = np.abs(laid[:, None] - heads_before) / sizes_before
        ratio = sizes_now[:, None] * zoom / sizes_before
        fits = (moved <= settings.max_seat_distance) & (unlike <= settings.max_appearance_distance)
        fits &= (ratio <= SIZE_RATIO) & (ratio >= 1 / SIZE_RATIO)
        agree = int(min(fits.any(axis=0).sum(), fits.any(axis=1).sum()))
        rank = (agree, -float(moved[fits].sum()) if agree else 0.0)
        if best is None or rank > best[:2]:
            best = (*rank, moved)
    if best is None or best[0] < max(FEWEST_AGREE, AGREE_SHARE * min(len(before), len(now))):
        return None
    return best[0], best[2]


def _heads(people: list[Seen]) -> np.ndarray:
    """(n,) complex: top middle of each box, which stays with the head."""
    return np.array([complex((one.place[0] + one.place[2]) / 2, one.place[1]) for one in people])


def _heights(people: list[Seen]) -> np.ndarray:
    return np.maximum(np.array([one.place[3] - one.place[1] for one in people]), 1.0)
