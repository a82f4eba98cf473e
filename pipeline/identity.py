"""Who is who in a finished lecture: tracks of all scenes become people with numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from consent.policy import CoverPolicy
from pipeline.camera_path import CameraPath
from pipeline.scenes import Seen, same_students
from pipeline.seats import assign_students, seat_order
from pipeline.session import DOUBTFUL
from pipeline.settings import Settings
from pipeline.swaps import settle_swaps
from pipeline.tracklets import Tracklet

PART = 10_000
"""Key of a person in a scene: the person's number + ``PART`` × the scene; places in different scenes differ."""


@dataclass
class People:
    """Everybody who is somebody.

    Attributes:
        person_of: track -> person, from 1, by seat in the first picture; who is seen in other scenes only comes after.
        scene_of: track -> scene, of all tracks.
        strangers: how many were found after a cut who look like nobody before it.
        pieces: what all tracks left.
        doubtful: (person, start s, end s) of the times after which two may have swapped seats unseen.
    """

    person_of: dict[int, int]
    scene_of: dict[int, int] = field(default_factory=dict)
    strangers: int = 0
    pieces: list[Tracklet] = field(default_factory=list)
    doubtful: list[tuple[int, float, float]] = field(default_factory=list)

    def parts(self, person_of: Mapping[int, int] | None = None) -> dict[int, int]:
        """Track -> key of the person in the track's scene; see ``PART``."""
        chosen = self.person_of if person_of is None else person_of
        return {track: one + PART * self.scene_of.get(track, 0) for track, one in chosen.items()}


def people_of(pieces: Mapping[int, list[Tracklet]], path: CameraPath, settings: Settings, interval_s: float) -> People:
    """Join the tracks of each scene to people, and find the same people in different scenes.

    Args:
        pieces: of each scene, in its coordinates.
        path: the camera's.
        settings: of the run.
        interval_s: time between analysed frames, s.
    """
    scene_of = {piece.number: scene for scene, tracks in pieces.items() for piece in tracks}
    frames = dict(zip(*np.unique(path.scenes, return_counts=True), strict=True))
    by_scene: dict[int, list[Seen]] = {}
    doubtful: list[tuple[int, float, float]] = []
    for scene in sorted(pieces, key=lambda one: (one != 0, one)):
        tracks = {piece.number: piece for piece in pieces[scene]}
        # only the first needs no more evidence than a short clip has: a new student must be one for sure
        limits = settings.seats.for_clip(int(frames.get(scene, 0)) if scene == 0 else len(path), interval_s)
        joined = assign_students(tracks.values(), limits, interval_s, settings.link)
        settled = settle_swaps(joined, pieces[scene], settings.swaps)
        own = settled.person_of
        doubtful += settled.doubtful
        groups: dict[int, list[Tracklet]] = {}
        for track, person in sorted(own.items()):
            groups.setdefault(person, []).append(tracks[track])
        by_scene[scene] = [Seen.of(scene, group) for _, group in sorted(groups.items())]
    people, strangers = same_students(by_scene, settings.scenes)
    order = _order(people, settings.seats.row_gap)
    person_of = {
        track: number for number, index in enumerate(order, start=1) for seen in people[index] for track in seen.tracks
    }
    return People(
        person_of,
        scene_of,
        strangers,
        [piece for tracks in pieces.values() for piece in tracks],
        [(person_of[track], start, end) for track, start, end in doubtful],
    )


def _order(people: list[list[Seen]], row_gap: float) -> list[int]:
    """Indices of people by seat in the first scene; then those of later scenes, by seat in the first they were in."""
    order: list[int] = []
    for scene in sorted({person[0].scene for person in people}):
        there = [n for n, person in enumerate(people) if person[0].scene == scene]
        order += [there[n] for n in seat_order(np.array([people[n][0].place for n in there]), row_gap)]
    return order


def swap_warnings(observations: pd.DataFrame) -> list[str]:
    """What to say where two may have swapped seats."""
    if DOUBTFUL not in observations:
        return []
    numbers = sorted(observations.loc[observations[DOUBTFUL], "student"].unique().tolist())
    return [
        f"students {', '.join(map(str, numbers))} were away at the same time and look alike: who is who after that goes"
        " by the seat alone, and the rows in question are marked doubtful in observations.parquet"
    ]


def camera_warnings(path: CameraPath, strangers: int, policy: CoverPolicy, duration_s: float) -> list[str]:
    """What to say where the camera could not be followed."""
    warnings = []
    if strangers:
        who = "1 person" if strangers == 1 else f"{strangers} people"
        warnings.append(
            f"the view was cut or panned too fast to follow, and {who} seen after that could not be recognised with"
            " certainty: they have numbers of their own and may be students who have another number before"
        )
    if policy.zones and (lost_s := path.summary(duration_s).lost_s) > 0:
        warnings.append(
            f"for {lost_s:.1f} s of the video it is not known where the seats of those who said no are (a cut, or a pan"
            " too fast to follow): everybody is covered there and no row was made; cut the recording into one file for"
            " each view to analyse those parts"
        )
    return warnings


def with_doubts(
    observations: pd.DataFrame, person: pd.Series, doubtful: Collection[tuple[int, float, float]]
) -> pd.DataFrame:
    """The rows with a column ``doubtful`` where there is anything to mark, else as they are.

    Args:
        observations: rows of students.
        person: aligned with them, whose row it is by the numbers of ``doubtful``.
        doubtful: (person, start s, end s).
    """
    marked = np.zeros(len(observations), bool)
    for one, start, end in doubtful:
        marked |= ((person == one) & (observations["t"] >= start) & (observations["t"] <= end)).to_numpy()
    return observations.assign(**{DOUBTFUL: marked}) if marked.any() else observations


def in_own_scene(parts: pd.DataFrame, path: CameraPath) -> pd.DataFrame:
    """Without rows that were filled in while the camera looked elsewhere."""
    if path.still:
        return parts
    return parts[path.scene_at(parts["t"].to_numpy(float)) == parts["student"] // PART].reset_index(drop=True)


def renumbered(rows: pd.DataFrame, number: Mapping[int, int]) -> pd.DataFrame:
    """Rows of students under other numbers, by student and time where they have one."""
    if rows.empty:
        return rows
    table = rows.assign(student=rows["student"].map(dict(number)).astype(rows["student"].dtype))
    return table.sort_values(["student", "frame"], kind="stable", ignore_index=True) if "frame" in table else table


def whole_people(parts: pd.DataFrame) -> pd.DataFrame:
    """Rows by student again instead of by student and scene."""
    table = parts.assign(student=(parts["student"] % PART).astype(parts["student"].dtype))
    return table.sort_values(["student", "frame"], kind="stable", ignore_index=True) if "frame" in table else table
