"""Where the sessions of a course lie, and the recordings they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from consent.policy import course_key
from consent.sessions import NotedSession
from models.registry import file_sha256
from pipeline.errors import InputError
from pipeline.session import MANIFEST, Session, SessionError, Source, find_sessions
from pipeline.store import clear_leftovers


@dataclass
class Found:
    """What a search came to.

    Attributes:
        sessions: folders of sessions of the course, each once.
        lost: sessions on record that are nowhere.
        moved: sessions on record that lie elsewhere now.
        courseless: folders of sessions that name no course.
        problems: one sentence for each that is being written or is damaged.
    """

    sessions: list[Path] = field(default_factory=list)
    lost: list[NotedSession] = field(default_factory=list)
    moved: list[tuple[NotedSession, Path]] = field(default_factory=list)
    courseless: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def search(course: str, noted: Iterable[NotedSession], folders: Sequence[Path], *, mend: bool = True) -> Found:
    """Find every session of a course.

    Args:
        course: its name.
        noted: sessions of the course on record.
        folders: holding sessions, or each a session, where those that are not on record are found too.
        mend: first mend what killed processes left of sessions there; else nothing is changed.

    Raises:
        InputError: one of the folders does not exist.
        SessionError: what was left somewhere cannot be mended.
    """
    noted = tuple(noted)
    found = Found()
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; give one that holds sessions")
    busy: dict[Path, None] = {}
    for folder in folders if mend else ():
        alone = (folder / MANIFEST).exists()
        where, name = (folder.resolve().parent, folder.resolve().name) if alone else (folder.resolve(), None)
        busy |= dict.fromkeys(where / one for one in clear_leftovers(where, name))
    for one in noted if mend else ():
        where = one.folder.parent
        busy |= dict.fromkeys(where / name for name in clear_leftovers(where, one.folder.name))
    found.problems += [f"{path}: another run is writing this session; wait for it to end" for path in busy]

    opened: dict[Path, Session] = {}
    for folder in [*_sessions_in(folders), *(one.folder for one in noted if (one.folder / MANIFEST).exists())]:
        place = folder.resolve()
        if place in opened:
            continue
        try:
            opened[place] = Session.open(place)
        except SessionError as error:
            if str(error) not in found.problems:
                found.problems.append(str(error))
    for place, session in opened.items():
        if place in busy:
            continue
        if session.manifest.course is None:
            found.courseless.append(place)
        elif course_key(session.manifest.course) == course_key(course):
            found.sessions.append(place)
    for one in noted:
        if not one.whole:  # what it left is gone by now
            continue
        known = opened.get(one.folder.resolve())
        if known is not None and _is(known, one):
            continue
        elsewhere = [place for place, session in opened.items() if _is(session, one)]
        if elsewhere:
            found.moved.append((one, elsewhere[0]))
        elif known is not None or not (one.folder / MANIFEST).exists():  # else it is damaged, which was said
            found.lost.append(one)
    return found


def _sessions_in(folders: Iterable[Path]) -> Iterable[Path]:
    for folder in folders:
        if (folder / MANIFEST).exists():
            yield folder
        else:
            yield from find_sessions(folder)


def _is(session: Session, noted: NotedSession) -> bool:
    manifest = session.manifest
    same_course = manifest.course is not None and course_key(manifest.course) == course_key(noted.course)
    return same_course and (manifest.id, manifest.created) == (noted.name, noted.created)


class Originals:
    """Recordings that were kept; each file is read at most once to know it."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """Look in these folders and below.

        Raises:
            InputError: one does not exist.
        """
        for folder in folders:
            if not folder.is_dir():
                raise InputError(f"{folder}: no such folder; give one that holds recordings")
        self._folders = folders
        self._sha256: dict[Path, str] = {}

    def find(self, source: Source) -> Path | None:
        """The recording with this sha256, wherever it was moved and whatever it was renamed to."""
        suffix = Path(source.name).suffix.lower()
        files = {path for folder in self._folders for path in folder.rglob("*") if path.suffix.lower() == suffix}
        for path in sorted(files, key=lambda path: (path.name != source.name, path)):
            if path.is_file() and self._of(path) == source.sha256:
                return path
        return None

    def _of(self, path: Path) -> str:
        if path not in self._sha256:
            self._sha256[path] = file_sha256(path)
        return self._sha256[path]
