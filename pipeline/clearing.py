"""A withdrawal in all sessions of a course, one after another; one that fails does not stop the rest."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from consent.policy import course_key
from consent.sessions import NotedSession
from consent.withdrawals import Withdrawal
from pipeline.errors import InputError
from pipeline.parts import Who
from pipeline.progress import Progress
from pipeline.search import Found, Originals, search
from pipeline.session import Session
from pipeline.withdrawal import Kind, Outcome, Remake, standing, take_out


@dataclass(frozen=True)
class Picked:
    """One session, and the number that the student has in it."""

    folder: Path
    number: int


@dataclass
class Cleared:
    """What came of a withdrawal.

    Attributes:
        found: what the search came to.
        outcomes: of the sessions that were worked on or looked at.
        waiting: sessions in which something is left to do.
        problems: one sentence for each session that could not be worked on.
    """

    found: Found
    outcomes: list[Outcome] = field(default_factory=list)
    waiting: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether the student is gone from every session there is; what is lost is the caller's to judge."""
        return not self.waiting and not self.problems

    def report(self, withdrawal: Withdrawal, done: bool) -> list[str]:
        """What was done, and what this cannot do, in a few lines."""
        state = "is done" if done else "is on record, but not done yet"
        covered = "the student is covered and not counted"
        if withdrawal.zone is None:
            covered = "everybody is covered, because it is not known where the student sits"
        return [
            *(f"{one.folder}: {one.words}" for one in self.outcomes),
            *(
                f"{folder}: names no course and was left as it is; if the student is in it, add:"
                f" --session {shlex.quote(str(folder))} --number N"
                for folder in self.found.courseless
            ),
            f"{withdrawal.id} of {withdrawal.student} from {withdrawal.course} {state}. In lectures analysed from now"
            f" on {covered}.",
            "On paper: write the date and 'withdrawn' on the signed form; keep it as long as your institution asks.",
            "Copies are not reached: delete what was exported or passed on, and the recording unless others need it.",
        ]

    def remedies(self, withdrawal: Withdrawal) -> list[str]:
        """One sentence for each thing that is left to do, with what to do about it."""
        course, student = shlex.quote(withdrawal.course), shlex.quote(withdrawal.student)
        sentences = list(self.problems)
        for one in self.found.lost:
            sentences.append(
                f"{one.place}: the session on record is not there; say where it is with --sessions FOLDER, or add"
                " --deleted if it was deleted"
            )
        for outcome in self.outcomes:
            if outcome.needs_review:
                sentences.append(
                    f"{outcome.folder}: faces were found that had to be covered; look at each, they are listed in"
                    " audit.json"
                )
        if self.waiting and withdrawal.zone is None:
            covered = any(one.kind is Kind.EVERYBODY for one in self.outcomes)
            sentences.append(
                f"it is not known where {withdrawal.student} sits, so the tables of {_count(self.waiting)} still hold"
                f" the student{' and everybody is covered there' if covered else ''}; record the seat with: engage"
                f" consent student {course} {student} --seat x1,y1,x2,y2 and run this again, or give the number in"
                " each with: --session FOLDER --number N"
            )
        elif self.waiting:
            sentences.append(
                f"{_count(self.waiting)} of the course may still hold the student; run this again without --session"
            )
        return sentences


def clear(
    withdrawal: Withdrawal,
    noted: Sequence[NotedSession],
    folders: Sequence[Path],
    originals: Originals,
    remake: Remake,
    progress: Progress,
    picked: Picked | None = None,
) -> Cleared:
    """Take the student out of every session of the course that is found, or only out of the one picked.

    Raises:
        InputError: a folder does not exist, or the session picked is of another course.
        SessionError: the session picked is damaged or has no such student, or what was left by a process that was
            killed cannot be mended.
        VideoError, OutputError: the session picked cannot be written anew.
    """
    found = search(withdrawal.course, noted, folders)
    cleared = Cleared(found, problems=list(found.problems))
    seat = Who(withdrawal.id, withdrawal.zone)
    chosen = None if picked is None else picked.folder.resolve()
    if picked is not None:
        _check_course(picked.folder, withdrawal.course)
        who = Who(withdrawal.id, number=picked.number)
        cleared.outcomes.append(take_out(picked.folder, who, originals, remake, progress))
    for folder in found.sessions:
        if folder == chosen:
            continue
        try:
            if picked is not None:
                outcome = standing(Session.open(folder), seat)
            else:
                outcome = take_out(folder, seat, originals, remake, progress)
                cleared.outcomes.append(outcome)
            if outcome is None or not outcome.finished:
                cleared.waiting.append(folder)
        except Exception as error:
            if getattr(error, "exit_code", None) is None:
                raise
            cleared.problems.append(str(error))
    return cleared


def _check_course(folder: Path, course: str) -> None:
    """Refuse a session that names another course."""
    named = Session.open(folder).manifest.course
    if named is not None and course_key(named) != course_key(course):
        raise InputError(f"{folder}: is a session of course {named!r}, not of {course!r}; give one of that course")


def _count(sessions: Sequence[Path]) -> str:
    return "1 session" if len(sessions) == 1 else f"{len(sessions)} sessions"
