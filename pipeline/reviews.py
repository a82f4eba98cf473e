"""``reviews.csv`` of a session: what people made of its unusual spans (docs/session.md)."""

from __future__ import annotations

from enum import Enum

import pandas as pd

from pipeline.errors import InputError
from pipeline.notes import Line, change, now, read_lines, reviewer_name, seconds, span_of
from pipeline.session import REVIEWS, Session

COLUMNS = ("start", "end", "student", "verdict", "reviewer", "at")


class Verdict(str, Enum):
    """What somebody made of an unusual span."""

    REVIEWED = "reviewed"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


def read_reviews(session: Session) -> pd.DataFrame:
    """The lines of the file: of two by one reviewer about one span the later is meant, and only that is here.

    Returns:
        ``start``, ``end`` (s), ``student`` (number), ``verdict``, ``reviewer``, ``at`` (ISO 8601); no rows where there
        is no such file.

    Raises:
        InputError: the file cannot be read, or a line is not valid.
    """
    path = session.part(REVIEWS)
    rows = []
    for number, line in read_lines(path, COLUMNS):
        span = span_of(path, number, line)
        if line["verdict"] not in {verdict.value for verdict in Verdict}:
            known = ", ".join(verdict.value for verdict in Verdict)
            raise InputError(f"{path} line {number}: {line['verdict']!r} is no verdict; choose from {known}")
        rows.append((*span, line["verdict"], line["reviewer"], line["at"]))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.drop_duplicates(["start", "end", "student", "reviewer"], keep="last", ignore_index=True)


def review(session: Session, start: float, end: float, student: int, verdict: Verdict, reviewer: str) -> None:
    """Write what somebody made of an unusual span.

    Raises:
        InputError: there is no such span, the reviewer has no name, or the file cannot be read.
        SessionError: see ``pipeline.notes.change``.
    """
    span = (seconds(start), seconds(end), str(int(student)))
    events = session.events[["start", "end", "student"]]
    if span not in {(seconds(row.start), seconds(row.end), str(row.student)) for row in events.itertuples()}:
        raise InputError(f"{session.id}: no unusual span from {start:g} to {end:g} s of student {student} in it")
    line: Line = dict(zip(COLUMNS, (*span, verdict.value, reviewer_name(reviewer), now()), strict=True))
    change(session, REVIEWS, COLUMNS, lambda lines: lines.append(line))


def marked(events: pd.DataFrame, reviews: pd.DataFrame) -> list[dict[str, str]]:
    """What each reviewer made of each event: for each row of ``events`` the verdicts by reviewer."""
    verdicts: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in reviews.itertuples():
        verdicts.setdefault((seconds(row.start), seconds(row.end), str(row.student)), {})[row.reviewer] = row.verdict
    return [verdicts.get((seconds(row.start), seconds(row.end), str(row.student)), {}) for row in events.itertuples()]
