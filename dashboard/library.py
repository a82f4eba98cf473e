"""Which lectures the dashboard may show: the sessions of one folder, chosen when the server starts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.session import Session, SessionError, find_sessions

FOLDER_VARIABLE = "ENGAGE_SESSIONS"
"""Environment variable that carries the folder from the command to the pages, never from the browser."""


@dataclass(frozen=True)
class Library:
    """The sessions of a folder by the names of their folders, newest first."""

    folder: Path
    sessions: dict[str, Session]
    broken: dict[str, str]
    """Sessions that can not be opened, each with its one-sentence error."""


def folder() -> Path:
    """The sessions folder of this server."""
    return Path(os.environ.get(FOLDER_VARIABLE, "sessions"))


def load(where: Path) -> Library:
    """Open every session in ``where``; a missing folder has none, a damaged one hides no other."""
    sessions, broken = {}, {}
    for path in find_sessions(where):
        try:
            sessions[path.name] = Session.open(path)
        except SessionError as error:
            broken[path.name] = str(error)
    return Library(where, sessions, broken)


def video_file(where: Path, session: str) -> Path | None:
    """The annotated video of ``session``, or ``None`` unless ``where`` lists it and it has one."""
    if session not in {path.name for path in find_sessions(where)}:
        return None
    try:
        return Session.open(where / session).video
    except SessionError:
        return None
