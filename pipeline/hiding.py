"""Who is left out of the tables and covered in the video: those who said no, and who is no student of the lecture."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from consent.policy import CoverPolicy
from pipeline.anonymise import regions_to_cover
from pipeline.camera_path import CameraPath
from pipeline.heads import complete_head_boxes
from pipeline.passers_by import GLIMPSE_HOLD_S, passing
from pipeline.seats import SeatSettings
from pipeline.settings import Settings
from pipeline.zones import mostly


def split_opted_out(
    rows: pd.DataFrame, student_of: dict[int, int], policy: CoverPolicy, path: CameraPath
) -> tuple[np.ndarray, dict[int, int]]:
    """Rows (mask) of people who opted out, and the other students renumbered without gaps.

    A student counts as opted out when most of the rows lie in an opted-out zone; rows of others within a zone are
    hidden one by one, because whoever it is may be the one who said no. So are all rows of times at which it is not
    known where the camera looks.
    """
    in_zone = path.heads_in_seats(rows, policy)
    student = rows["track"].map(student_of)
    gone = mostly_in_seats(rows, student_of, policy, path)
    hidden = in_zone | student.isin(gone).to_numpy()
    left = sorted(set(student_of.values()) - gone)
    number = {old: new for new, old in enumerate(left, start=1)}
    return hidden, {track: number[old] for track, old in student_of.items() if old in number}


def mostly_in_seats(rows: pd.DataFrame, student_of: dict[int, int], policy: CoverPolicy, path: CameraPath) -> set[int]:
    """Who is mostly in the seats of those who said no, as far as that is known of them; and who is seen else only."""
    in_zone = path.heads_in_seats(rows, policy)
    student = rows["track"].map(student_of)
    known = path.known_at(rows["t"].to_numpy(float))
    gone = mostly(in_zone[known], student[known])
    return gone | (mostly(in_zone[~known], student[~known]) - set(student[known].dropna().astype(int)))


def empty_seats(
    students: pd.DataFrame, policy: CoverPolicy, path: CameraPath, limits: SeatSettings, interval_s: float
) -> int:
    """In how many of the zones where a student who said no is expected nobody was found, or too briefly to be somebody.

    ``students``: rows of tracks of students. The camera may have moved, or the student may not have been there.
    """
    if not policy.expected:
        return 0
    known = students[path.known_at(students["t"].to_numpy(float))]
    found = [int(path.heads_in_seats(known, replace(policy, zones=(zone,))).sum()) for zone in policy.expected]
    return sum(count < limits.min_sightings or count * interval_s < limits.min_seen_s for count in found)


def doubts(policy: CoverPolicy) -> list[str]:
    """What to say when it is not known who said no."""
    if not policy.unplaced:
        return []
    who = "1 student" if policy.unplaced == 1 else f"{policy.unplaced} students"
    return [
        f"it is not known which of the people are {who} who said no (no seat on record, or nobody found in it), so"
        " everybody is covered in the video and the tables may hold their rows; correct the seat, or if they were not"
        " there add --absent STUDENT, and run again with --overwrite"
    ]


def rows_to_cover(
    rows: pd.DataFrame, hidden: np.ndarray, sitting: dict[int, int], everybody: dict[int, int], policy: CoverPolicy
) -> tuple[pd.DataFrame, set[int]]:
    """The rows of those to cover, and those of their tracks that are covered for the moment of their sighting only."""
    if policy.everyone:
        return rows, set()
    if not policy.passers_by:
        return rows[hidden], set()
    strangers = passing(rows, sitting)
    glimpses = set(rows.loc[strangers, "track"]) - set(everybody) - set(rows.loc[hidden, "track"])
    return rows[hidden | strangers], glimpses


def covers_of(
    people: pd.DataFrame,
    student_of: dict[int, int],
    settings: Settings,
    glimpses: Collection[int] = (),
    class_place: np.ndarray | None = None,
) -> pd.DataFrame:
    """Regions to cover of these rows of tracks, one key per person.

    Tracks of one student share a key, so that the cover also bridges the gaps between them; a track that is no
    student's has a key of its own. The covers of ``glimpses`` (track numbers) are held for a moment only. Heads that
    were not read, as of those who said no, are where those of the class are (``pipeline.heads.usual_place``).
    """
    owner = people["track"].map(student_of).fillna(-people["track"])
    key = pd.Series(pd.factorize(owner)[0], index=people.index)
    brief = set(key[people["track"].isin(list(glimpses))])
    covers = regions_to_cover(complete_head_boxes(people.assign(student=key), class_place), settings.cover)
    hold = min(GLIMPSE_HOLD_S, settings.cover.hold_s)
    return covers.assign(hold_s=np.where(covers["student"].isin(brief), hold, settings.cover.hold_s))
