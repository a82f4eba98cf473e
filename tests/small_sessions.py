"""Sessions whose files hold a few bytes: enough for whatever looks at files and manifest only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.session import (
    AUDIT,
    CORRECTIONS,
    ENGAGEMENT,
    EVENTS,
    MANIFEST,
    OBSERVATIONS,
    REPORT,
    REVIEWS,
    SEATS,
    STATES,
    VIDEO,
)

FILES = (VIDEO, AUDIT, OBSERVATIONS, STATES, EVENTS, ENGAGEMENT, REPORT, SEATS, CORRECTIONS, REVIEWS)
COURSE = "CS 101"
LECTURE = "2025-03-04"


def small_manifest(name: str = "demo", **fields: Any) -> dict[str, Any]:
    """A manifest as JSON; ``fields`` replace its own."""
    return {
        "id": name,
        "created": f"{LECTURE}T10:15:00Z",
        "source": {"name": f"{name}.mov", "sha256": "0" * 64},
        "fps": 10.0,
        "width": 1280,
        "height": 720,
        "duration": 3.0,
        "software_version": "0.1.0",
        "models": {},
        "config": {},
        "profile": "full",
        "course": COURSE,
        "approval": "made up for a test",
        "blur": "everyone",
        "counts": {"students": 0, "frames": 30, "analysed_frames": 3, "events": 0},
        "engagement": {"mean": None, "coverage": 0.0},
    } | fields


def small_session(folder: Path, name: str = "demo", **fields: Any) -> Path:
    """Write a session and return its folder."""
    session = folder / name
    session.mkdir(parents=True)
    for file in FILES:
        (session / file).write_text(f"{file} of {name}")
    (session / MANIFEST).write_text(json.dumps(small_manifest(name, **fields)))
    return session


def contents(folder: Path) -> dict[str, bytes | None]:
    """Everything under ``folder``: bytes of files, ``None`` for folders."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
