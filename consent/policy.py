"""Who may be processed and who is covered: pure decisions on records already read, no database here.

Where something is not known the answer is the careful one: no approval means no processing, an unknown seat
means everybody is covered.
"""

from __future__ import annotations

import math
import shlex
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum

from consent.errors import ConsentError, NotPermitted

__all__ = [
    "Approval",
    "Blur",
    "CoverPolicy",
    "NotPermitted",
    "OptOut",
    "Purpose",
    "Zone",
    "course_key",
    "cover_policy",
    "permit",
    "purposes_of_run",
]


class Purpose(str, Enum):
    """What a lecture may be used for; approved by faculty and decided by each student, one by one."""

    RECORDING = "recording"
    ANALYSIS = "analysis"
    SHOWING = "showing"
    RESEARCH = "research"


EVERY_RUN = (Purpose.RECORDING, Purpose.ANALYSIS)
"""What every run does: it analyses a recording. Also what an approval grants when it names no purpose."""


@dataclass(frozen=True)
class Zone:
    """An upright rectangle of the frame, relative to its size: (0, 0) is top left, (1, 1) bottom right.

    Raises:
        ConsentError: a corner lies outside 0..1, or the rectangle has no area.
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        if not all(0.0 <= value <= 1.0 for value in self.corners):  # also refuses NaN
            raise ConsentError(
                f"zone {self}: every number must lie between 0 and 1 (shares of the frame's size);"
                " give x1,y1,x2,y2 such as 0.1,0.4,0.3,0.9"
            )
        if self.x1 >= self.x2 or self.y1 >= self.y2:
            raise ConsentError(
                f"zone {self}: has no area; give the top left corner first, then the bottom right,"
                " such as 0.1,0.4,0.3,0.9"
            )

    def __str__(self) -> str:
        return ",".join(f"{value:g}" for value in self.corners)

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """``(x1, y1, x2, y2)``, shares of the frame's width and height."""
        return self.x1, self.y1, self.x2, self.y2

    @classmethod
    def parse(cls, text: str) -> Zone:
        """Read ``"x1,y1,x2,y2"`` as written on the command line.

        Raises:
            ConsentError: not four numbers, or not a zone.
        """
        try:
            x1, y1, x2, y2 = (float(part) for part in text.split(","))
        except ValueError:
            raise ConsentError(
                f"zone {text!r}: is not four numbers; give x1,y1,x2,y2 such as 0.1,0.4,0.3,0.9"
            ) from None
        return cls(x1, y1, x2, y2)

    def contains(self, x: float, y: float) -> bool:
        """Whether the point, in the same relative coordinates, lies inside or on the edge."""
        return self.x1 <= x <= self.x2 and self.y1 <= y <= self.y2


@dataclass(frozen=True)
class Approval:
    """A faculty member's permission to process a course's lectures, from a day to another, both included."""

    id: str
    course: str | None
    approved_by: str
    valid_from: date
    valid_until: date | None
    evidence_name: str | None = None
    evidence_sha256: str | None = None
    purposes: tuple[Purpose, ...] = EVERY_RUN

    def valid_on(self, day: date) -> bool:
        """Whether ``day`` lies in the time the approval was given for."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


@dataclass(frozen=True)
class OptOut:
    """A student, by pseudonym, who said no; ``zone`` is where they sit, ``None`` when that is not known."""

    student: str
    zone: Zone | None = None


def course_key(course: str) -> str:
    """The form in which course names are compared: ``cs  101`` and ``CS 101`` are the same course.

    A course spelled a little differently on the day must not lose its students' decisions.
    """
    return " ".join(unicodedata.normalize("NFKC", course).casefold().split())


def purposes_of_run(named: Iterable[Purpose], blur: Blur) -> tuple[Purpose, ...]:
    """All that a run needs permission for, in the order of ``Purpose``: what every run does, and what was named.

    Covering nobody makes a video to show people in, so it needs the permission to show.
    """
    asked = {*EVERY_RUN, *named, *([Purpose.SHOWING] if blur is Blur.NOBODY else [])}
    return tuple(one for one in Purpose if one in asked)


def permit(
    approvals: Iterable[Approval],
    course: str | None,
    approved_by: str | None,
    day: date,
    purposes: Collection[Purpose] = EVERY_RUN,
) -> Approval:
    """The approval under which a lecture may be processed on ``day``: the newest that is valid then.

    Its purposes decide, so that a newer approval can also grant less than the one before.

    Args:
        approvals: those on record, in the order they were recorded; other courses are passed over.
        course: name of the course, ``None`` when not given.
        approved_by: who approved this one run, as given on the command line; ``None`` looks at the record.
        day: the day of processing.
        purposes: all of what the lecture is to be used for.

    Raises:
        NotPermitted: no approval was given and none on record is valid that day, or it does not grant a purpose.
    """
    course = course.strip() if course else None
    if approved_by is not None:
        if not (name := approved_by.strip()):
            raise NotPermitted("the approval given is blank; say who approved the recording: --approved-by NAME")
        return Approval(f"given: {name}", course, name, day, day, purposes=tuple(purposes))
    if not course:
        raise NotPermitted(
            "no course and no approval were given;"
            " name the course with --course NAME, or who approved the recording with --approved-by NAME"
        )
    recorded = [one for one in approvals if one.course and course_key(one.course) == course_key(course)]
    valid = [one for one in recorded if one.valid_on(day)]
    remedy = f"engage consent approve {shlex.quote(course)} --by NAME"
    if valid:
        _check_granted(valid[-1], course, purposes, remedy)
        return valid[-1]
    if not recorded:
        raise NotPermitted(f"course {course!r} has no faculty approval on record; record one with: {remedy}")
    starts = [one.valid_from for one in recorded if one.valid_from > day]
    if starts:
        raise NotPermitted(
            f"the faculty approval of course {course!r} begins only on {min(starts)} (today is {day});"
            f" wait until then, or record one that is valid now with: {remedy}"
        )
    ends = [one.valid_until for one in recorded if one.valid_until is not None]
    raise NotPermitted(
        f"the faculty approval of course {course!r} expired on {max(ends)} (today is {day});"
        f" record a new one with: {remedy}"
    )


def _check_granted(approval: Approval, course: str, purposes: Collection[Purpose], remedy: str) -> None:
    missing = [one.value for one in purposes if one not in approval.purposes]
    if not missing:
        return
    granted = ", ".join(one.value for one in approval.purposes) or "nothing"
    options = " ".join(f"--purpose {one.value}" for one in Purpose if one in {*approval.purposes, *purposes})
    asks = " (which --blur nobody asks for)" if Purpose.SHOWING.value in missing else ""
    raise NotPermitted(
        f"the faculty approval of course {course!r} grants {granted}, but not {' or '.join(missing)}{asks};"
        f" once it is approved, record that with: {remedy} {options}"
    )


class Blur(str, Enum):
    """Whose heads are covered in the annotated video, as asked for with ``--blur``."""

    OPTED_OUT = "opted-out"
    EVERYONE = "everyone"
    NOBODY = "nobody"


@dataclass(frozen=True)
class CoverPolicy:
    """Whose heads to cover: everyone's, or those in ``zones``; ``reason`` says why and names nobody.

    ``zones`` are the seats of those who said no, also when everyone is covered: nothing else is made of them.
    """

    everyone: bool
    zones: tuple[Zone, ...]
    reason: str

    def covers(self, x: float, y: float) -> bool:
        """Whether a head is covered, by its centre in relative coordinates (0 to 1 of the frame)."""
        return self.everyone or self.opted_out(x, y)

    def opted_out(self, x: float, y: float) -> bool:
        """Whether a head is in the seat of somebody who said no: no cue is read and no row made there.

        A centre beyond the frame counts at its nearest edge (the head is only partly in view); one that is
        not known (NaN) counts as soon as there is such a seat.
        """
        if not (math.isfinite(x) and math.isfinite(y)):
            return bool(self.zones)
        x, y = min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)
        return any(zone.contains(x, y) for zone in self.zones)


def cover_policy(blur: Blur, opt_outs: Iterable[OptOut]) -> CoverPolicy:
    """Whose heads are covered, given what was asked for and who said no; adding a no never uncovers anybody.

    Raises:
        NotPermitted: nobody was to be covered although somebody opted out.
    """
    opt_outs = tuple(opt_outs)
    zones = tuple(one.zone for one in opt_outs if one.zone is not None)
    if blur is Blur.EVERYONE:
        return CoverPolicy(True, zones, "everyone is covered, as asked for with --blur everyone")
    if not opt_outs:
        return CoverPolicy(False, (), "nobody is covered: no student has opted out")
    count = len(opt_outs)
    students = "1 student has" if count == 1 else f"{count} students have"
    if blur is Blur.NOBODY:
        raise NotPermitted(f"{students} opted out, so --blur nobody is not permitted; use: --blur opted-out")
    if len(zones) < count:
        return CoverPolicy(
            True,
            zones,
            f"everyone is covered: {students} opted out and the seat of {count - len(zones)} is not known"
            " (record it with: engage consent opt-out COURSE STUDENT --zone x1,y1,x2,y2)",
        )
    return CoverPolicy(False, zones, f"heads in the seats of those who said no are covered: {students} opted out")
