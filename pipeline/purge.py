"""One purge: go through the courses and sessions, and delete what is past its end date, or say what would be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from consent.errors import ConsentError
from consent.policy import course_key
from consent.registry import Registry
from consent.retention import Kind, end_of_names, first_day_of_accesses, past
from consent.sessions import NotedSession
from pipeline import retention
from pipeline.session import MANIFEST, PARTS, Manifest, Session, SessionError, find_sessions
from pipeline.store import hold


@dataclass(frozen=True)
class Row:
    """One thing past its end date; ``until`` is ``None`` where no date was promised for it."""

    of: str
    data: str
    until: date | None
    done: str


class Purge:
    """Everything that is deleted on a day, and what came of it; one thing that fails does not stop the rest.

    Args:
        registry: periods, approvals, names, and where sessions lie.
        day: what is past its end date on that day goes.
        today: noted as the day of the deletion.
        dry_run: change nothing.
    """

    def __init__(self, registry: Registry, day: date, today: date, *, dry_run: bool) -> None:
        self.rows: list[Row] = []
        self.endless: list[str] = []
        self.missing: list[Path] = []
        self.problems: list[str] = []
        self._met: set[NotedSession] = set()
        self._registry = registry
        self._day = day
        self._today = today
        self._dry_run = dry_run

    def courses(self) -> None:
        """Forget names of students where the course's forms are past their end date, and old accesses."""
        for course in self._registry.courses():
            with self._going_on():
                self._accesses(course, self._registry.retention.of_course(course))
                end = end_of_names(self._registry.approvals(course), self._registry.retention.of_course(course))
                if end is None or self._day <= end:
                    continue
                named = [one.pseudonym for one in self._registry.students.on_record(course) if one.named]
                if not self._dry_run:
                    for student in named:
                        self._registry.students.forget_name(course, student)
                if named:
                    self._note(course, f"names of {len(named)} student(s)", end, "forgotten", "would be forgotten")

        with self._going_on():  # accesses of no course on record are kept as long as those of any course
            periods = [self._registry.retention.of_course(course) for course in self._registry.courses()]
            self._accesses(None, max(periods, key=lambda one: one.get(Kind.ACCESSES, -1), default={}))

    def _accesses(self, course: str | None, periods: Mapping[Kind, int]) -> None:
        first_kept = first_day_of_accesses(self._day, periods)
        if first_kept is None:
            return
        change = self._registry.accesses.older if self._dry_run else self._registry.accesses.forget
        if count := change(course, first_kept):
            words = f"who looked at a student or was refused, {count} time(s)"
            self._note(course or "no course", words, None, "forgotten", "would be forgotten")

    def folders(self, folders: Iterable[Path]) -> None:
        """Delete what is past its end date in the sessions of some folders, and in those noted in the registry."""
        noted = self._registry.sessions.of_course(None)
        there = [one.folder.resolve() for one in noted if _is_session(one.folder)]
        folders = list(folders)
        begun = [one.folder.parent for one in noted if not one.whole and one.folder.parent.is_dir()]
        for folder in dict.fromkeys([*folders, *(one.parent for one in there), *begun]):
            self._leftovers(folder)
        found = [path.resolve() for folder in folders for path in find_sessions(folder)]
        for session in sorted({*found, *there}):
            with self._going_on():
                self._session(session, noted)
        self.missing = [
            one.folder for one in noted if one.whole and not _is_session(one.folder) and one not in self._met
        ]

    def _leftovers(self, folder: Path) -> None:
        for leftover in retention.leftovers(folder):
            with self._going_on():
                back = retention.is_moved_aside(leftover)
                if not self._dry_run:
                    retention.clear(leftover)
                words = ("moved back", "would be moved back") if back else ("deleted", "would be deleted")
                self._note(leftover.name, "left by a run that was killed", None, *words)

    def _session(self, folder: Path, noted: Iterable[NotedSession]) -> None:
        manifest = Session.open(folder).manifest
        notes = [one for one in noted if _is_noted(one, folder, manifest)]
        self._met.update(notes)
        ends = retention.ends(manifest, self._registry.retention.of_course(manifest.course))
        over = past(ends, self._day)
        parts = [kind for kind in PARTS if kind in over or kind in manifest.purged]
        if any(kind not in ends and kind not in manifest.purged for kind in PARTS):
            self.endless.append(folder.name)
        remains = retention.left(folder, manifest.purged)
        whole = len(parts) == len(PARTS)
        new = [kind for kind in parts if kind not in manifest.purged]
        if not self._dry_run and (new or remains or whole):
            with hold(folder):
                if Session.open(folder).manifest != manifest:
                    raise SessionError(f"{folder}: was written anew at this moment; run engage purge again")
                retention.delete_parts(folder, parts, self._today)
                if whole:
                    retention.empty(folder)
                    for one in notes:
                        self._registry.sessions.deleted(one)
                    retention.remove(folder)
        for kind in parts:
            if kind not in manifest.purged or remains:
                self._note(folder.name, kind.words, ends.get(kind), "deleted", "would be deleted")
        if whole:
            last = max((ends[kind] for kind in PARTS if kind in ends), default=None)
            self._note(folder.name, "the session", last, "deleted", "would be deleted")
        self._recording(folder.name, manifest.source.name, ends.get(Kind.RECORDING), whole)

    def _recording(self, session: str, recording: str, end: date | None, last_time: bool) -> None:
        """The recording is not ours to delete; nothing reminds of it once its session is gone."""
        if end is not None and self._day > end:
            words = f"delete the recording {recording} yourself (kept until {end})"
        elif end is not None and last_time:
            words = f"delete the recording {recording} yourself after {end}; no other reminder will follow"
        else:
            return
        self._note(session, Kind.RECORDING.words, end, words, words)

    def _note(self, of: str, data: str, until: date | None, done: str, would: str) -> None:
        self.rows.append(Row(of, data, until, would if self._dry_run else done))

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        try:
            yield
        except (SessionError, ConsentError, OSError) as error:
            self.problems.append(str(error))


def _is_noted(noted: NotedSession, folder: Path, manifest: Manifest) -> bool:
    """Whether the note is of this session, and not of a copy that lies elsewhere."""
    known = noted.name, noted.created, course_key(noted.course)
    same = known == (manifest.id, manifest.created, course_key(manifest.course or ""))
    return same and (noted.folder.resolve() == folder or not _is_session(noted.folder))


def _is_session(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).is_file()
    except OSError:  # not for us to look at
        return False
