"""Joining by seat in blocks and bands: nobody and one alone, then the same as pair by pair, then many tracks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import seat_link
from pipeline.link import LinkSettings, Unlikeness
from pipeline.seat_link import TELLING, anchor, join_by_seat, stays
from pipeline.together import Together
from pipeline.tracklets import Tracklet

LIMITS = LinkSettings()
INTERVAL = 0.2


def track(number: int, start: int, length: int, x: float, speed: float, look: int) -> Tracklet:
    made = Tracklet(number, start * INTERVAL, start * INTERVAL)
    for frame in range(start, start + length):
        left = x + speed * (frame - start)
        appearance = np.eye(4)[look] + 0.1 * np.eye(4)[(look + number) % 4]
        box = np.array([left, 100.0, left + 80, 300.0])
        made.add(frame * INTERVAL, box, 0.9, appearance / np.linalg.norm(appearance), unbroken=frame > start)
    return made


ROOMS = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.integers(1, 60),
        st.sampled_from([0.0, 40.0, 90.0, 300.0]),
        st.sampled_from([0.0, 0.0, 0.0, 6.0]),
        st.integers(0, 2),
    ),
    max_size=14,
)


def made(room: list[tuple[int, int, float, float, int]]) -> list[Tracklet]:
    pieces = [track(number, *one) for number, one in enumerate(room, start=1)]
    return sorted(pieces, key=lambda piece: (piece.first_t, piece.number))


def joined(pieces: list[Tracklet]) -> list[list[int]]:
    people = Together(pieces)
    join_by_seat(people, pieces, LIMITS, Unlikeness(pieces), INTERVAL)
    return [[piece.number for piece in person] for person in people.lists()]


def one_by_one(pieces: list[Tracklet]) -> list[list[int]]:
    """The same, pair by pair."""
    unlike = Unlikeness(pieces)
    still = [stays(piece) for piece in pieces]
    long = [
        now
        and piece.last_t - piece.first_t + INTERVAL >= LIMITS.seated_s
        and 2 * piece.seen * INTERVAL >= LIMITS.seated_s
        for now, piece in zip(still, pieces, strict=True)
    ]
    all_seen = sum(piece.seen for piece in pieces)
    sat = sum(piece.seen for piece, is_long in zip(pieces, long, strict=True) if is_long)
    pairs = []
    in_seats = sum(still) >= 2 and sat >= seat_link.SITTING * all_seen
    if in_seats:
        for one, other in combinations(range(len(pieces)), 2):
            first, second = pieces[one].place, pieces[other].place
            height = min(first[3] - first[1], second[3] - second[1])
            near = float(np.linalg.norm(anchor(first) - anchor(second))) / height / LIMITS.max_seat_distance
            look = unlike(one, other) / LIMITS.max_unlike
            if still[one] and still[other] and (long[one] or long[other]) and near <= 1 and look <= 1:
                pairs.append((round(near + look, 9), one, other))
        for sitter in np.flatnonzero(long).tolist() if in_seats and unlike.trust >= TELLING else []:
            for walker in np.flatnonzero(~np.array(still)).tolist():
                seat, piece = pieces[sitter], pieces[walker]
                top = anchor(seat.place)
                for sightings, fits in (
                    (piece.head, piece.first_t > seat.last_t),
                    (piece.tail, seat.first_t > piece.last_t),
                ):
                    at = anchor(np.median([box for _, box in sightings], axis=0))
                    off = float(np.linalg.norm(at - top)) / (seat.place[3] - seat.place[1]) / LIMITS.max_seat_distance
                    cost = round(2 * (off + unlike(sitter, walker) / LIMITS.max_unlike), 9)
                    if fits and cost < 2:
                        pairs.append((cost, sitter, walker))
    group = list(range(len(pieces)))
    for _, one, other in sorted(pairs):
        mine, its = ([at for at, whose in enumerate(group) if whose == group[which]] for which in (one, other))
        if group[one] != group[other] and not any(pieces[a].seen_with(pieces[b]) for a in mine for b in its):
            for at in its:
                group[at] = group[one]
    return [[pieces[at].number for at, whose in enumerate(group) if whose == owner] for owner in dict.fromkeys(group)]


def people(groups: list[list[int]]) -> set[frozenset[int]]:
    return {frozenset(group) for group in groups}


@pytest.mark.parametrize("room", [[], [(0, 30, 0.0, 0.0, 0)]])
def test_nobody_and_one_alone(room):
    people = Together(made(room))
    if room:
        join_by_seat(people, made(room), LIMITS, Unlikeness(made(room)), INTERVAL)
    assert len(people.lists()) == len(room)


@given(ROOMS.filter(bool))
def test_it_is_the_same_as_pair_by_pair(room):
    pieces = made(room)
    assert people(joined(pieces)) == people(one_by_one(pieces))


@given(ROOMS.filter(bool), st.sampled_from([1, 2, 5]), st.sampled_from([(0.0, np.inf), (0.0, 0.3, 0.31, 1.9, np.inf)]))
def test_blocks_and_bands_change_nothing(room, block, bands):
    pieces = made(room)
    expected = joined(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seat_link, "BLOCK", block)
        patch.setattr(seat_link, "BANDS", bands)
        assert joined(pieces) == expected


@given(ROOMS, st.lists(st.tuples(st.integers(0, 13), st.integers(0, 13)), max_size=40))
@settings(max_examples=200)
def test_groups_are_joined_unless_any_two_were_seen_at_once(room, wishes):
    pieces = made(room)
    known, group = Together(pieces), list(range(len(pieces)))
    for one, other in [wish for wish in wishes if max(wish) < len(pieces)]:
        mine, its = ([at for at, whose in enumerate(group) if whose == group[which]] for which in (one, other))
        may = group[one] == group[other] or not any(pieces[a].seen_with(pieces[b]) for a in mine for b in its)
        assert known.join(one, other) == may
        if may:
            group = [group[one] if at in its else whose for at, whose in enumerate(group)]
    assert people([[piece.number for piece in person] for person in known.lists()]) == {
        frozenset(pieces[at].number for at, whose in enumerate(group) if whose == owner) for owner in set(group)
    }


def test_a_seat_that_thousands_of_tracks_are_of_is_one_persons():
    pieces = [track(number, 20 * number, 18, 3.0 * (number % 5), 0.0, 1) for number in range(1, 3001)]
    (person,) = joined(pieces)
    assert len(person) == 3000
