"""Deleting of a session what has been kept as long as was promised, so that a crash at any point is mended by the next
time.

Which day is the last is decided in ``consent.retention``. What is to go is first named in the manifest: from then on
nobody reads it, and whatever is still there at the next time is deleted then.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Collection, Mapping
from datetime import date, datetime
from pathlib import Path

from consent.retention import Kind, end_dates, sooner
from pipeline.errors import InputError
from pipeline.session import MANIFEST, PARTS, Manifest, Session, SessionError
from pipeline.store import PARTIAL, REPLACED, SessionWriter, held, hold, is_of, looks_ours, write_json

PURGED = ".purged" + PARTIAL
"""Ending of a session that is being deleted whole."""


def lecture_day(manifest: Manifest) -> date:
    """The day from which periods count: the lecture's as given, else that of the analysis.

    Raises:
        SessionError: neither is a day.
    """
    if manifest.lecture_day is not None:
        return manifest.lecture_day
    try:
        return date.fromisoformat(manifest.created[:10])
    except ValueError:
        raise SessionError(
            f"{manifest.id}: created is not a day ({manifest.created!r}), so its end dates are not known; delete the"
            " session by hand, or run the lecture again with --overwrite"
        ) from None


def checked_lecture_day(given: datetime | None, today: date) -> date | None:
    """The day given for a lecture; ``None`` when none was.

    Raises:
        InputError: it is still to come, so that the data would be kept for too long.
    """
    if given is None:
        return None
    if given.date() > today:
        raise InputError(f"--lecture-day {given.date()}: is still to come; give the day on which the lecture was")
    return given.date()


def end_dates_in_words(manifest: Manifest) -> str:
    """The end dates of a new session, and what to do where there is none."""
    dates = ", ".join(f"{kind.words} {end}" for kind, end in manifest.delete_after.items())
    if all(kind in manifest.delete_after for kind in PARTS):
        return dates
    rest = "otherwise no end date on record" if dates else "no end date on record"
    if manifest.course is not None:
        rest += f"; set one with: engage consent retain {shlex.quote(manifest.course)}"
    return "; ".join(filter(None, [dates, rest]))


def promise(writer: SessionWriter, days: Mapping[Kind, int], held_on: date | None, today: date) -> None:
    """Write the end dates into the manifest of a session that is not yet committed.

    A session that it replaces keeps its promise: the same recording analysed once more is not kept for longer.

    Args:
        writer: its folder holds the manifest.
        days: the course's periods; may be empty.
        held_on: day of the lecture; by default that of the session replaced, else ``today``.
        today: the day of the analysis.
    """
    manifest = Session.open(writer.folder).manifest
    before = _replaced(writer.final, manifest)
    day = held_on or (lecture_day(before) if before else today)
    ends = sooner(before.delete_after if before else {}, end_dates(day, days))
    writer.write_manifest(manifest.model_copy(update={"lecture_day": day, "delete_after": ends}))


def _replaced(final: Path, manifest: Manifest) -> Manifest | None:
    """The manifest of the session at ``final`` where it is of the same recording and can be read."""
    try:
        before = Session.open(final).manifest
        lecture_day(before)
    except SessionError:
        return None
    return before if before.source.sha256 == manifest.source.sha256 else None


def ends(manifest: Manifest, days: Mapping[Kind, int]) -> dict[Kind, date]:
    """The end dates that count: those promised, or those of the course's periods of now where they are sooner."""
    return sooner(manifest.delete_after, end_dates(lecture_day(manifest), days))


def delete_parts(folder: Path, kinds: Collection[Kind], today: date) -> None:
    """Delete data of some kinds, and what is left of those deleted earlier; the session must be held.

    Raises:
        SessionError: the session is damaged, or something cannot be deleted.
    """
    manifest = Session.open(folder).manifest
    new = {kind: today for kind in kinds if kind in PARTS and kind not in manifest.purged}
    try:
        if new:
            write_json(folder / MANIFEST, manifest.model_copy(update={"purged": {**manifest.purged, **new}}))
        for path in left(folder, {**manifest.purged, **new}):
            _delete(path)
    except OSError as error:
        raise _not_deleted(folder, error) from error


def left(folder: Path, kinds: Collection[Kind]) -> list[Path]:
    """Files with data of some kinds that are in a session, half-written ones included."""
    names = [name for kind in PARTS if kind in kinds for name in PARTS[kind]]
    return sorted(path for path in folder.iterdir() if is_of(path.name, names))


def empty(folder: Path) -> None:
    """Delete everything in a session but the manifest, by which it is found again; the session must be held.

    Raises:
        SessionError: something cannot be deleted.
    """
    try:
        for path in folder.iterdir():
            if path.name != MANIFEST:
                _delete(path)
    except OSError as error:
        raise _not_deleted(folder, error) from error


def remove(folder: Path) -> None:
    """Delete a session's folder; the session must be held.

    Raises:
        SessionError: it cannot be deleted.
    """
    leaving = folder.with_name(folder.name + PURGED)
    try:
        if leaving.exists():
            shutil.rmtree(leaving)
        folder.rename(leaving)  # a folder without a manifest could be found by nobody
        shutil.rmtree(leaving)
    except OSError as error:
        raise _not_deleted(folder, error) from error


def leftovers(folder: Path) -> list[Path]:
    """Folders that killed runs left in a folder of sessions, and that no process holds.

    They hold data of people that nobody would look for. Only empty folders and those with something of ours inside are
    listed: other programs have ``.partial`` folders too.
    """
    return sorted(path for path in folder.glob(f"*{PARTIAL}") if looks_ours(path) and not held(_of(path)))


def clear(leftover: Path) -> None:
    """Delete a leftover; an older session that was moved aside for one that never came gets its name back.

    Raises:
        SessionError: a run is writing that session now, or the leftover cannot be deleted.
    """
    session = _of(leftover)
    with hold(session):  # the folder of the lock goes with it
        try:
            if is_moved_aside(leftover):
                leftover.rename(session)
            elif leftover.exists() and leftover.name != session.name + PARTIAL:
                shutil.rmtree(leftover)
        except OSError as error:
            raise _not_deleted(leftover, error) from error


def is_moved_aside(leftover: Path) -> bool:
    """Whether a leftover is a whole session that only lost its name."""
    return leftover.name.endswith(REPLACED) and (leftover / MANIFEST).is_file() and not _of(leftover).exists()


def _of(leftover: Path) -> Path:
    """The session to which a leftover belongs."""
    ending = next(ending for ending in (REPLACED, PURGED, PARTIAL) if leftover.name.endswith(ending))
    return leftover.with_name(leftover.name.removesuffix(ending))


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _not_deleted(folder: Path, error: OSError) -> SessionError:
    return SessionError(
        f"{folder}: cannot be deleted as promised ({error.strerror}); make it writable, then: engage purge"
    )
