"""Whom pass 1 covers, and how it tells who sits where somebody said no."""

from __future__ import annotations

import numpy as np
import pandas as pd

from consent.policy import CoverPolicy, Zone
from pipeline.analyse import _covers, _opted_out
from pipeline.render import COVER_GAP_S
from pipeline.session import BOX, FACE_CUES, HEAD_BOX, HEAD_POSE
from pipeline.settings import Settings
from pipeline.timeline import Timeline

NOBODY_SAID_NO = CoverPolicy(False, (), "")
SEAT = CoverPolicy(False, (Zone(0.0, 0.0, 0.5, 1.0),), "")
BODIES = np.array([[100.0, 100, 200, 300], [900, 100, 1000, 300]])


def rows(*sightings: tuple[int, float, float]) -> pd.DataFrame:
    """Rows of tracks, (track, t, x of the box's left), whose faces were not read."""
    table = pd.DataFrame([(track, t, x, 100.0, x + 100, 300.0) for track, t, x in sightings])
    table.columns = ["track", "t", *BOX]
    table[[*HEAD_BOX, *HEAD_POSE, *FACE_CUES]] = np.nan
    return table


def covered(table: pd.DataFrame, student_of: dict[int, int], t: float) -> int:
    settings = Settings()
    covers = _covers(table, student_of, settings)
    timeline = Timeline(covers, "student", longest_gap_s=COVER_GAP_S, hold_s=settings.cover.hold_s)
    return len(timeline.at(t)[0])


def test_nobody_to_cover_gives_no_region() -> None:
    assert _covers(rows((1, 0.0, 100.0)).iloc[:0], {}, Settings()).empty


def test_a_cover_bridges_the_gap_between_two_tracks_of_one_student() -> None:
    apart = rows((1, 0.0, 100.0), (1, 1.0, 100.0), (2, 7.0, 100.0), (2, 8.0, 100.0))
    assert covered(apart, {1: 1, 2: 1}, 4.0) == 1
    assert covered(apart, {}, 4.0) == 0  # two strangers: held for a while, not joined


def test_a_track_of_nobody_never_shares_a_cover_with_a_student() -> None:
    both = rows((1, 0.0, 100.0), (7, 0.0, 600.0))
    assert covered(both, {7: 1}, 0.0) == 2


def test_without_a_seat_nobody_is_taken_for_opted_out() -> None:
    assert not _opted_out(BODIES, NOBODY_SAID_NO, 1280, 720).any()
    assert _opted_out(np.zeros((0, 4)), SEAT, 1280, 720).shape == (0,)


def test_who_sits_in_the_zone_is_opted_out_and_the_neighbour_is_not() -> None:
    assert _opted_out(BODIES, SEAT, 1280, 720).tolist() == [True, False]
