"""What of a session is about one student, and the tables without it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from consent.policy import CoverPolicy, Zone
from models.states import UNSEEN
from pipeline.analyse import Analysis
from pipeline.session import BOX, Session
from pipeline.zones import heads_in_zones, mostly


@dataclass(frozen=True)
class Who:
    """Who is to be taken out: whoever sits in ``zone``, or the student of that ``number``; neither: it is not known.

    ``withdrawal`` is the id that the session lists afterwards.
    """

    withdrawal: str
    zone: Zone | None = None
    number: int | None = None


@dataclass(frozen=True)
class Parts:
    """What of a session is about somebody: whole students, and rows (mask) of the observations, theirs included."""

    students: frozenset[int]
    rows: np.ndarray


def parts_of(session: Session, who: Who) -> Parts:
    """Which rows go: as in an analysis those of whoever is mostly in the zone, and others' rows in it one by one."""
    table = session.observations
    student = table["student"]
    if who.number is not None:
        return Parts(frozenset({who.number}), (student == who.number).to_numpy())
    policy = CoverPolicy(False, () if who.zone is None else (who.zone,), "")
    manifest = session.manifest
    in_zone = heads_in_zones(table[list(BOX)].to_numpy(float), policy, manifest.width, manifest.height)
    observed = table["observed"].to_numpy(bool)
    gone = frozenset(mostly(in_zone[observed], student[observed]))
    return Parts(gone, in_zone | student.isin(gone).to_numpy())


def without(before: Analysis, parts: Parts) -> tuple[Analysis, str]:
    """The tables without these parts, and in words how much that was.

    A second that rests mostly on rows that go becomes ``unseen``, and an unusual span on such seconds goes too.
    """
    observations = before.observations[~parts.rows]
    states = before.states[~before.states["student"].isin(parts.students)]
    events = before.events[~before.events["student"].isin(parts.students)]
    hidden = _mostly_hidden(before.observations, parts)
    unseen = np.array([second in hidden for second in zip(states["student"], states["t"], strict=True)], bool)
    if unseen.any():
        states = states.copy()
        states.loc[unseen, [name for name in states if name.startswith("p_")]] = np.nan
        states.loc[unseen, ["state", "coverage", "why"]] = UNSEEN, 0.0, ""
    rests = [_rests_on(hidden, *span) for span in events[["student", "start", "end"]].itertuples(index=False)]
    events = events[~np.array(rests, bool)]
    names = ", ".join(map(str, sorted(parts.students)))
    counted = (
        f"{parts.rows.sum()} observations, {len(before.states) - len(states) + int(unseen.sum())} seconds of states,"
        f" {len(before.events) - len(events)} unusual spans"
    )
    after = replace(
        before,
        observations=observations.reset_index(drop=True),
        states=states.reset_index(drop=True),
        events=events.reset_index(drop=True),
        students=max(before.students - len(parts.students), 0),
    )
    return after, f"removed {f'student {names}' if names else 'what others did in the seat'} ({counted})"


def _rests_on(hidden: set[tuple[int, float]], student: int, start: float, end: float) -> bool:
    """Whether more than half of a span's seconds are among ``hidden``."""
    seconds = range(int(start), max(int(np.ceil(end)), int(start) + 1))
    return sum((student, second) in hidden for second in seconds) > len(seconds) / 2


def _mostly_hidden(observations: pd.DataFrame, parts: Parts) -> set[tuple[int, float]]:
    """Student and second (its start) of those left whose sightings in it go for more than half."""
    left = observations["observed"].to_numpy(bool) & ~observations["student"].isin(parts.students).to_numpy()
    rows = pd.DataFrame(
        {"student": observations["student"], "second": np.floor(observations["t"]), "hidden": parts.rows}
    )[left]
    share = rows.groupby(["student", "second"])["hidden"].mean()
    return set(share.index[share > 0.5])
