"""How long each kind of data may be kept: pure decisions about days, as the consent forms promise them.

The forms say "N days after the lecture" for the recording, the annotated video, and tables and report, and "N days
after the end of the course" for signed forms. An end date is the last day on which something may be kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from enum import Enum
from typing import Final

from consent.errors import ConsentError
from consent.policy import Approval

MOST_DAYS: Final = 36500


class Kind(str, Enum):
    """Kinds of data with an end date of their own; named as ``storage_days`` of the course file, where it has them."""

    RECORDING = "recording"
    ANNOTATED_VIDEO = "annotated_video"
    TABLES = "tables"
    FORMS = "forms"
    ACCESSES = "accesses"

    @property
    def words(self) -> str:
        """For people."""
        return {"tables": "tables and report", "forms": "names on record", "accesses": "who looked at a student"}.get(
            self.value, self.value.replace("_", " ")
        )


OF_A_LECTURE: Final = (Kind.RECORDING, Kind.ANNOTATED_VIDEO, Kind.TABLES)
"""Kinds that every lecture has; the forms and the accesses are the course's."""


def checked_days(days: Mapping[Kind, int]) -> dict[Kind, int]:
    """``days`` in the order of ``Kind``.

    Raises:
        ConsentError: none is given, or one is not from 0 to ``MOST_DAYS``.
    """
    if not days:
        raise ConsentError("no period is given; give the course file with --course-file, or days such as --tables 365")
    for kind, count in days.items():
        if not 0 <= count <= MOST_DAYS:
            raise ConsentError(f"{kind.words}: {count} is not a number of days from 0 to {MOST_DAYS}; give another")
    return {kind: days[kind] for kind in Kind if kind in days}


def end_dates(lecture_day: date, days: Mapping[Kind, int]) -> dict[Kind, date]:
    """The last day of each kind of data of a lecture; none for a kind without a period.

    0 days are "deleted as soon as the lecture has been analysed": the last day is the one before the lecture.
    """
    return {kind: lecture_day + timedelta(days=days[kind] or -1) for kind in OF_A_LECTURE if kind in days}


def sooner(promised: Mapping[Kind, date], now: Mapping[Kind, date]) -> dict[Kind, date]:
    """The end dates that count: a period made shorter counts at once, one made longer extends no promise."""
    dates = {kind: [ends[kind] for ends in (promised, now) if kind in ends] for kind in Kind}
    return {kind: min(each) for kind, each in dates.items() if each}


def past(ends: Mapping[Kind, date], on: date) -> tuple[Kind, ...]:
    """The kinds whose last day is over."""
    return tuple(kind for kind in Kind if kind in ends and on > ends[kind])


def end_of_names(approvals: Collection[Approval], days: Mapping[Kind, int]) -> date | None:
    """The last day of the names of a course's students, which are part of the signed forms.

    Counted from the last day of the last approval; ``None`` while an approval has no end, where there is none, and
    without a period.
    """
    lasts = [one.valid_until for one in approvals if one.valid_until is not None]
    if Kind.FORMS not in days or not lasts or len(lasts) < len(approvals):
        return None
    last = max(lasts)
    return last + timedelta(days=min(days[Kind.FORMS], (date.max - last).days))


def first_day_of_accesses(today: date, days: Mapping[Kind, int]) -> date | None:
    """The first day of which it is kept who looked at a student; ``None`` where all are.

    0 days are forgotten at once, as of the other kinds.
    """
    if (count := days.get(Kind.ACCESSES)) is None:
        return None
    return today - timedelta(days=min(count, (today - date.min).days)) if count else date.max
