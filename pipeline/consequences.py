"""What a withdrawal would do to each session of its course, told before it happens; nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from consent.policy import Blur
from consent.retention import Kind
from consent.sessions import NotedSession
from consent.withdrawals import Withdrawal
from pipeline.parts import Who, parts_of
from pipeline.search import search
from pipeline.session import Session
from pipeline.withdrawal import placed, standing


class Effect(str, Enum):
    """What happens to a session."""

    REMOVED = "removed"
    """The student's rows go, and the video covers the student."""
    EVERYBODY = "everybody"
    """It is not known who the student is: the video covers everybody, the tables stay."""
    VIDEO_DELETED = "video deleted"
    """Its tables are gone, so nobody can tell who in the video is the student."""
    NOTHING = "nothing"
    """The student is not in it, or it has been done before."""
    UNKNOWN = "unknown"
    """It cannot be read, or is not where it should be."""


@dataclass(frozen=True)
class Consequence:
    """What happens to one session.

    Attributes:
        folder: of the session; blank where one cannot be read, and so may be another course's.
        effect: what happens.
        students: numbers of those who are in the student's seat for most of their time: whole students go.
        seconds: of states that go with them.
        spans: unusual ones that go with them.
        others: observations of others in the seat, which go too.
        words: what the pipeline says where nothing is done, or why it is not known.
    """

    folder: Path
    effect: Effect
    students: tuple[int, ...] = ()
    seconds: int = 0
    spans: int = 0
    others: int = 0
    words: str = ""


def consequences(
    withdrawal: Withdrawal, noted: Sequence[NotedSession], folders: Sequence[Path]
) -> tuple[Consequence, ...]:
    """What ``clear`` would do, session by session.

    Args:
        withdrawal: as planned; a blank id is one that has not been begun.
        noted: sessions of the course on record.
        folders: holding sessions, where those that are not on record are found too.

    Raises:
        InputError: a folder does not exist.
    """
    found = search(withdrawal.course, noted, folders, mend=False)
    who = Who(withdrawal.id, withdrawal.zone)
    told = [_told(folder, who) for folder in found.sessions]
    told += [Consequence(one.folder, Effect.UNKNOWN, words="it is not where it was noted") for one in found.lost]
    told += [Consequence(Path(), Effect.UNKNOWN, words=problem) for problem in found.problems]
    return tuple(told)


def _told(folder: Path, who: Who) -> Consequence:
    try:
        session = Session.open(folder)
        if (settled := standing(session, who)) is not None:
            return Consequence(folder, Effect.NOTHING, words=settled.words)
        if Kind.TABLES in session.manifest.purged:
            return Consequence(folder, Effect.VIDEO_DELETED)
        who = placed(session, who)
        if who.zone is None:
            covered = session.manifest.blur == Blur.EVERYONE.value
            return Consequence(folder, Effect.NOTHING if covered else Effect.EVERYBODY)
        parts = parts_of(session, who)
        states, events = session.states["student"], session.events["student"]
        own = session.observations["student"].isin(parts.students).to_numpy()
        return Consequence(
            folder,
            Effect.REMOVED,
            tuple(sorted(parts.students)),
            int(states.isin(parts.students).sum()),
            int(events.isin(parts.students).sum()),
            int((parts.rows & ~own).sum()),
        )
    except Exception as error:
        if getattr(error, "exit_code", None) is None:
            raise
        return Consequence(folder, Effect.UNKNOWN, words=str(error))
