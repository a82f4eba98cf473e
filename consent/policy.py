"""Who may be processed and who is covered: pure decisions on records already read, no database here.

Where something is not known the answer is the careful one: no approval means no processing, an unknown seat
means everybody is covered.
"""

from __future__ import annotations

import math
import shlex
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum

from consent.errors import ConsentError, NotPermitted
from consent.zones import Zone

__all__ = [
    "ZONE_PREFIX",
    "Approval",
    "Blur",
    "CoverPolicy",
    "NotPermitted",
    "OptOut",
    "Purpose",
    "Role",
    "Zone",
    "check_same_course",
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


class Role(str, Enum):
    """What an account of a served dashboard may see."""

    ADMINISTRATOR = "administrator"
    """Everything, of all courses."""
    INSTRUCTOR = "instructor"
    """Everything of some courses."""
    VIEWER = "viewer"
    """The class of some courses, no single student."""


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


ZONE_PREFIX = "zone "
"""Begins the name under which a non-participating zone stands among the opt-outs; no pseudonym may begin so."""


@dataclass(frozen=True)
class OptOut:
    """A student, by pseudonym, who said no; ``zone`` is where they sit, ``None`` when that is not known.

    Or a zone in which nobody takes part: then ``student`` is ``ZONE_PREFIX`` and the zone's name.
    """

    student: str
    zone: Zone | None = None

    @property
    def is_zone(self) -> bool:
        """Whether this is a zone in which nobody takes part, which may be empty, and not one student."""
        return self.student.startswith(ZONE_PREFIX)


def course_key(course: str) -> str:
    """The form in which course names are compared: ``cs  101`` and ``CS 101`` are the same course.

    A course spelled a little differently on the day must not lose its students' decisions.
    """
    return " ".join(unicodedata.normalize("NFKC", course).casefold().split())


def check_same_course(course: str, recorded: str | None) -> None:
    """Refuse to use a session of one course for another: its room and its seats are others.

    ``recorded``: the session's course, ``None`` where it has none.

    Raises:
        ConsentError: it is another course's.
    """
    if recorded is not None and course_key(recorded) != course_key(course):
        raise ConsentError(f"the session is of course {recorded!r}, not of {course!r}; give a session of that course")


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

    Attributes:
        everyone: whether every head is covered.
        zones: where those sit who said no, and where nobody takes part, also when everyone is covered: nothing else is
            made of the people there.
        reason: one clause.
        expected: those of ``zones`` in which a student who said no must be found; where nobody is, it is not known
            who they are.
        unplaced: how many said no without anybody knowing where they sit.
        passers_by: whether people who are no student of this lecture are covered.
    """

    everyone: bool
    zones: tuple[Zone, ...]
    reason: str
    expected: tuple[Zone, ...] = ()
    unplaced: int = 0
    passers_by: bool = True

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

    def with_empty_seats(self, empty: int) -> CoverPolicy:
        """This policy once the lecture is known, in which nobody was found in ``empty`` of the ``expected`` zones.

        Then whoever said no may sit anywhere, so everybody is covered.
        """
        if not empty:
            return self
        seats = "the seat of 1 student" if empty == 1 else f"the seats of {empty} students"
        reason = f"everyone is covered: nobody was found in {seats} who said no"
        return replace(self, everyone=True, unplaced=self.unplaced + empty, reason=reason)


def cover_policy(blur: Blur, opt_outs: Iterable[OptOut], absent: Collection[str] = ()) -> CoverPolicy:
    """Whose heads are covered, given what was asked for and who said no; adding a no never uncovers anybody.

    Args:
        blur: what was asked for.
        opt_outs: of the course.
        absent: pseudonyms of those who said no and were not there. Their seats stay covered, but need not be found.

    Raises:
        NotPermitted: nobody was to be covered although somebody opted out.
        ConsentError: somebody absent is not among those who said no.
    """
    opt_outs, absent = tuple(opt_outs), {name.strip() for name in absent}
    _check_absent(opt_outs, absent)
    if not opt_outs and blur is not Blur.EVERYONE:
        return CoverPolicy(False, (), "nobody is covered: no student has opted out", passers_by=blur is not Blur.NOBODY)
    who = _who(opt_outs)
    if blur is Blur.NOBODY:
        raise NotPermitted(f"{who}, so --blur nobody is not permitted; use: --blur opted-out")
    there = [one for one in opt_outs if one.student not in absent]
    unplaced = sum(one.zone is None for one in there)
    if blur is Blur.EVERYONE:
        reason = "everyone is covered, as asked for with --blur everyone"
    elif unplaced:
        reason = (
            f"everyone is covered: {who} and the seat of {unplaced} is not known"
            " (record it with: engage consent opt-out COURSE STUDENT --zone x1,y1,x2,y2)"
        )
    else:
        reason = f"heads in the seats of those who said no are covered: {who}"
    return CoverPolicy(
        everyone=blur is Blur.EVERYONE or unplaced > 0,
        zones=tuple(one.zone for one in opt_outs if one.zone is not None),
        reason=reason,
        expected=tuple(one.zone for one in there if one.zone is not None and not one.is_zone),
        unplaced=unplaced,
    )


def _who(opt_outs: tuple[OptOut, ...]) -> str:
    zones = sum(one.is_zone for one in opt_outs)
    students = len(opt_outs) - zones
    parts = []
    if students:
        parts.append("1 student has opted out" if students == 1 else f"{students} students have opted out")
    if zones:
        parts.append("nobody takes part in 1 zone" if zones == 1 else f"nobody takes part in {zones} zones")
    return " and ".join(parts)


def _check_absent(opt_outs: tuple[OptOut, ...], absent: Collection[str]) -> None:
    students = [one.student for one in opt_outs if not one.is_zone]
    for name in absent:
        if name not in students:
            known = f"those who did: {', '.join(students)}" if students else "nobody did"
            raise ConsentError(f"--absent {name}: is not among the students who said no; {known}")
