"""``corrections.csv`` of a session: spans that instructors confirmed or corrected (docs/session.md)."""

from __future__ import annotations

import pandas as pd

from consent.given import quoted
from models.states import State
from pipeline.errors import InputError
from pipeline.notes import Line, change, now, read_lines, reviewer_name, seconds, span_of
from pipeline.session import CORRECTIONS, Session

NEEDED = ("start", "end", "student", "state")
COLUMNS = (*NEEDED, "reviewer", "at")


def read_corrections(session: Session) -> pd.DataFrame:
    """The spans of a session, in the order of the file: of two that overlap the later one is meant.

    Returns:
        ``start``, ``end`` (s), ``student`` (number), ``state`` (name), ``reviewer`` (empty where nobody is
        named), ``at`` (ISO 8601, empty where not known); no rows where there is no such file.

    Raises:
        InputError: the file cannot be read, or a line is not valid.
    """
    path = session.part(CORRECTIONS)
    rows = []
    for number, line in read_lines(path, NEEDED):
        span = span_of(path, number, line)
        if line["state"] not in {state.value for state in State}:
            known = ", ".join(state.value for state in State)
            raise InputError(f"{path} line {number}: {quoted(line['state'])} is not a state; choose from {known}")
        rows.append((*span, line["state"], line.get("reviewer") or "", line.get("at") or ""))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def correct(session: Session, start: float, end: float, student: int, state: str, reviewer: str) -> None:
    """Write what a reviewer says a student did in a span.

    Args:
        session: of the student.
        start: s.
        end: s.
        student: number.
        state: name, of the session's profile.
        reviewer: name or initials.

    Raises:
        InputError: no such span, student or state, the reviewer has no name, or the file cannot be read.
        SessionError: see ``pipeline.notes.change``.
    """
    if not 0 <= start < end <= session.manifest.duration + 1:
        raise InputError(f"{session.id}: {start:g} to {end:g} s is no span of it; choose one on the timeline")
    if state not in session.state_names:
        raise InputError(
            f"{session.id}: {state!r} is no state of profile {session.manifest.profile.value}; choose from"
            f" {', '.join(session.state_names)}"
        )
    if session.states_of([student]).empty:
        raise InputError(f"{session.id}: student {student} is not in it")
    span = (seconds(start), seconds(end), str(student))
    line: Line = dict(zip(COLUMNS, (*span, state, reviewer_name(reviewer), now()), strict=True))
    change(session, CORRECTIONS, COLUMNS, lambda lines: lines.append(line))


def take_back(session: Session, reviewer: str) -> Line | None:
    """Remove the last line of a reviewer; it, or ``None`` where there is none.

    Raises:
        InputError: the reviewer has no name, or the file cannot be read.
        SessionError: see ``pipeline.notes.change``.
    """
    name = reviewer_name(reviewer)
    taken: list[Line] = []

    def rewrite(lines: list[Line]) -> None:
        mine = [place for place, line in enumerate(lines) if line.get("reviewer") == name]
        if mine:
            taken.append(lines.pop(mine[-1]))

    change(session, CORRECTIONS, COLUMNS, rewrite)
    return taken[0] if taken else None
