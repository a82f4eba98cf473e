"""Which lectures the dashboard may show: the sessions of one folder, chosen when the server starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.session import MANIFEST, Manifest, Session, SessionError, find_sessions

FOLDER_VARIABLE = "ENGAGE_SESSIONS"
"""Environment variable that carries the folder from the command to the pages, never from the browser."""


@dataclass(frozen=True)
class Library:
    """The sessions of a folder by the names of their folders, newest first."""

    folder: Path
    sessions: dict[str, Session]
    broken: dict[str, str]
    """Sessions that can not be opened, each with its one-sentence error."""

    def seen_by(self, sees: Callable[[str | None], bool]) -> Library:
        """Only the sessions of courses that ``sees`` admits; of a broken one nobody knows the course."""
        sessions = {name: session for name, session in self.sessions.items() if sees(session.manifest.course)}
        return Library(self.folder, sessions, self.broken if sees(None) else {})


def folder() -> Path:
    """The sessions folder of this server."""
    return Path(os.environ.get(FOLDER_VARIABLE, "sessions"))


def load(where: Path) -> Library:
    """Open every session in ``where``; a missing folder has none, a damaged one hides no other.

    A manifest is read once and again when it changes, so that a hundred sessions cost a hundred looks at a file's time.
    """
    sessions, broken = {}, {}
    for path in find_sessions(where):
        try:
            sessions[path.name] = Session(path, _manifest(path, written(path / MANIFEST)))
        except SessionError as error:
            broken[path.name] = str(error)
    return Library(where, sessions, broken)


def written(file: Path) -> tuple[int, int]:
    """What changes when a file is written anew: its time (ns) and size; zeros where it is gone."""
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=2048)
def _manifest(folder: Path, _written: tuple[int, int]) -> Manifest:
    return Session.open(folder).manifest


def video_file(where: Path, session: str) -> Path | None:
    """The annotated video of ``session``, or ``None`` unless ``where`` lists it and it has one."""
    if session not in {path.name for path in find_sessions(where)}:
        return None
    try:
        return Session.open(where / session).video
    except SessionError:
        return None
