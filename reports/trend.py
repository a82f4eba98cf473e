"""How the index of a course's lectures changes over weeks, and which lectures may be put beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import numpy as np

from pipeline.session import Session
from reports.blocks import signed
from reports.errors import ReportError
from reports.intervals import Interval, slope_interval
from reports.measured import Measured

DAYS_A_WEEK: Final = 7.0


@dataclass(frozen=True)
class Trend:
    """A straight line through the indices of lectures; NaN where there are fewer than three days with a value."""

    a_week: float
    """Change of the index in a week."""
    interval: Interval
    """Of that."""
    ends: tuple[float, float] | None
    """The line on the first day and on the last."""
    lectures: int
    """With a value."""

    @property
    def sentence(self) -> str:
        """What it says, and what it does not say."""
        if self.ends is None:
            return "A trend needs lectures with a class value on three days or more."
        sure = "holds 0: there may be no trend" if self.interval.low <= 0 <= self.interval.high else "does not hold 0"
        return (
            f"A straight line through {self.lectures} lectures changes by {signed(self.a_week)} a week; its interval"
            f" {sure}. Topics, rooms and seats change over weeks too, and a trend has no cause in it."
        )


def trend(days: Sequence[date], means: Sequence[float | None]) -> Trend:
    """The line through the lectures that have a value.

    Args:
        days: of each lecture, ascending.
        means: index of each, ``None`` where withheld or nobody was seen.
    """
    at = np.array([day.toordinal() for day in days], float)
    values = np.array([np.nan if mean is None else mean for mean in means], float)
    known = ~np.isnan(values)
    slope, interval = slope_interval(at[known], values[known])
    ends = None
    if slope == slope:
        middle, level = at[known].mean(), values[known].mean()
        ends = float(level + slope * (at[0] - middle)), float(level + slope * (at[-1] - middle))
    a_week = Interval(interval.low * DAYS_A_WEEK, interval.high * DAYS_A_WEEK)
    return Trend(slope * DAYS_A_WEEK, a_week, ends, int(known.sum()))


def lecture_day(session: Session) -> date:
    """The day of a lecture, as far as it is on record; else that of its analysis.

    Raises:
        ReportError: what is on record is no date.
    """
    manifest = session.manifest
    if manifest.lecture_day is not None:
        return manifest.lecture_day
    try:
        return datetime.fromisoformat(manifest.created.replace("Z", "+00:00")).date()
    except ValueError:
        raise ReportError(f"{session.id}: its day {manifest.created!r} is not a date; run the lecture again") from None


def check_alike(sessions: Sequence[Session], courses: bool = True) -> None:
    """Refuse sessions whose numbers can not be put beside each other.

    Raises:
        ReportError: one is given twice, they were made by different rules, or with ``courses``, of several courses.
        FormulaError: the rules of one are not valid.
    """
    first, *others = sessions
    seen = {first.folder.resolve()}
    for other in others:
        if other.folder.resolve() in seen:
            raise ReportError(f"{other.folder}: is given twice; name each session once")
        seen.add(other.folder.resolve())
        mine, its = first.manifest, other.manifest
        if mine.profile is not its.profile:
            raise ReportError(
                f"{other.id}: has the profile {its.profile.value}, {first.id} has {mine.profile.value}; their indices"
                " are not comparable, analyse both with the same --profile"
            )
        if Measured.rules_of(first) != Measured.rules_of(other):
            raise ReportError(f"{other.id}: has other weights than {first.id}; analyse both with the same settings")
        if courses and _course_key(mine.course) != _course_key(its.course):
            raise ReportError(
                f"{other.id}: is of course {its.course!r}, {first.id} of {mine.course!r}; give sessions of one course"
            )


def _course_key(course: str | None) -> str:
    return " ".join((course or "").split()).casefold()
