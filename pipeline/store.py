"""Write a session folder beside its final place and rename it when whole: a session is all there or not at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import re
import shutil
import time
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout
from pydantic import BaseModel

from pipeline.errors import OutputError, keeping, kept_by
from pipeline.session import FILES, MANIFEST, Manifest, SessionError

LOCK = ".lock"
PARTIAL = ".partial"
"""Ending of what is not whole: the folder being written, and what is on its way out. Nobody reads such folders."""

READINGS = "readings"
"""Folder of what pass 1 has read so far (``pipeline.readings``), in an unfinished session only."""

REPLACED = ".replaced" + PARTIAL
"""Ending of an older session that is moved aside until the new one has its name."""

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ELSEWHERE = "choose another folder with --out"
LONGEST_PART = 80
"""Characters of the course and of the file's stem in a folder's name; file systems allow 255 bytes."""

ATTEMPTS, PAUSE_S = 20, 0.01
"""To make a folder that somebody else deletes at that moment."""


class SessionBusy(SessionError):
    """Another process is writing the session."""


def session_id(video: Path, course: str | None) -> str:
    """A folder name from the course and the file's stem: readable, safe on every file system, never empty.

    Letters that ASCII cannot spell, and the end of very long names, are replaced by a short hash of the whole, so that
    two lectures never share a name because of what was left out.
    """
    parts = [part for part in (course, video.stem) if part]
    return "_".join(filter(None, map(_slug, parts))) or "session"


def _slug(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", decomposed.encode("ascii", "ignore").decode()).strip("-")
    if len(slug) > LONGEST_PART or any(letter.isalnum() and not letter.isascii() for letter in decomposed):
        digest = hashlib.sha256(unicodedata.normalize("NFC", text).encode("utf-8", "surrogateescape")).hexdigest()[:6]
        slug = f"{slug[: LONGEST_PART - 7]}-{digest}".lstrip("-")
    return slug


class SessionWriter:
    """The folder being written. ``folder / name`` is where each file goes until ``commit``."""

    def __init__(self, final: Path, folder: Path) -> None:
        self.final = final
        self.folder = folder
        self.committed = False

    @property
    def readings(self) -> Path:
        """Folder for what pass 1 reads; it goes when the session is whole, and stays when it never gets so."""
        return self.folder / READINGS

    @property
    def keeps(self) -> bool:
        """Whether something is there that another run could go on with."""
        return not self.committed and any(self.readings.glob("*.npz"))

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table as Parquet or CSV, by the ending of ``name``."""
        if name.endswith(".csv"):
            table.to_csv(self.folder / name, index=False, float_format="%.5g")
        else:
            table.to_parquet(self.folder / name, index=False, compression="zstd")

    def write_manifest(self, manifest: Manifest) -> None:
        """Write ``session.json``."""
        self.write_json(MANIFEST, manifest)

    def write_json(self, name: str, content: BaseModel) -> None:
        """Write ``content`` as JSON."""
        write_json(self.folder / name, content)

    def commit(self) -> Path:
        """Give the folder its final name, replacing an older session of that name; returns the final path."""
        shutil.rmtree(self.readings, ignore_errors=True)  # before: a whole session never has such a folder
        if self.readings.exists():
            raise SessionError(f"{self.readings}: cannot be deleted, so the session is not finished; delete it by hand")
        replaced = _replaced(self.final)
        if self.final.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            self.final.rename(replaced)
        try:
            self.folder.rename(self.final)
        except BaseException:
            if replaced.exists():
                replaced.rename(self.final)
            raise
        # Only now: a folder without a lock that has not yet its name would look like one that a killed run left.
        (self.final / LOCK).unlink(missing_ok=True)
        shutil.rmtree(replaced, ignore_errors=True)
        self.committed = True
        return self.final


def write_json(path: Path, content: BaseModel) -> None:
    """Write a file of a session; the older one stays until the new one is whole."""
    partial = path.with_name(path.name + PARTIAL)
    if partial.is_symlink():  # it would be followed
        partial.unlink()
    partial.write_text(content.model_dump_json(indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


@contextlib.contextmanager
def open_session(out: Path, name: str, *, overwrite: bool, resume: bool = False) -> Iterator[SessionWriter]:
    """Begin session ``out/name``; what is not committed when the block ends (error, Ctrl-C) is removed.

    Only readings stay, and the exception tells where (``pipeline.errors.kept_by``). A ``.partial`` folder left by a
    killed run is cleared, with ``resume`` of everything but readings. An older finished session stays untouched until
    ``commit``.

    Raises:
        SessionError: the session exists and ``overwrite`` is not set, another run is writing it now, or the
            folder cannot be written.
        OutputError: the disk is full.
    """
    final = out / name
    _mend(out, glob.escape(name), [])
    if (final / MANIFEST).exists() and not overwrite:
        raise SessionError(f"{final}: this session exists already; add --overwrite to replace it")
    if final.exists() and not (final / MANIFEST).exists():
        raise SessionError(f"{final}: exists and is not a session; choose another --out or move it away")
    folder = final.with_name(name + PARTIAL)
    lock = FileLock(folder / LOCK, timeout=0)
    writer = SessionWriter(final, folder)
    try:
        _occupy(folder, lock, out)
        _clear(folder, (LOCK, READINGS) if resume else (LOCK,))
        with _telling(writer):
            yield writer
    except OSError as error:
        if error.errno in DISK_FULL:
            raise keeping(_in_words(error, out), kept_by(error)) from error
        raise
    finally:
        ours = lock.is_locked
        lock.release()
        if ours and not writer.committed and not writer.keeps:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _telling(writer: SessionWriter) -> Iterator[None]:
    """Where the block fails and something was read, remove all but that, and let the exception tell where it is."""
    try:
        yield
    except BaseException as error:
        if writer.keeps:
            _clear(writer.folder, (LOCK, READINGS))
            keeping(error, writer.folder)
        raise


@contextlib.contextmanager
def hold(final: Path) -> Iterator[None]:
    """Keep all others from writing or deleting session ``final`` during the block.

    It is the lock of ``open_session``, a file in a folder beside the session. What a killed run left in that folder is
    removed with it.

    Raises:
        SessionBusy: a run is writing the session, or somebody else holds it.
        SessionError: its folder cannot be written.
    """
    folder = final.with_name(final.name + PARTIAL)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        _occupy(folder, lock, final.parent, "make it writable")
        yield
    finally:
        try:
            if lock.is_locked:
                shutil.rmtree(folder, ignore_errors=True)  # while it is ours
        finally:
            lock.release()


def held(final: Path) -> bool:
    """Whether a process is writing or holding session ``final`` at this moment; changes nothing."""
    lock = final.with_name(final.name + PARTIAL) / LOCK
    try:
        if lock.exists():
            FileLock(lock, timeout=0).acquire().lock.release()
    except Timeout:
        return True
    except OSError:  # it ended at this moment, or is not ours to open: ``hold`` will say
        return False
    return False


def clear_leftovers(out: Path, name: str | None = None) -> tuple[str, ...]:
    """Mend what a process that was killed left below ``out``.

    Between the two renames of a commit the older session has no name of its own: it gets it back. An older session
    that was replaced, and one that was never finished, are deleted, with all that was read for it.

    Args:
        out: folder of sessions; it may not exist.
        name: only this session.

    Returns:
        the sessions that another process is writing now; they are left alone.

    Raises:
        SessionError: the folder cannot be written.
    """
    busy: list[str] = []
    pattern = "*" if name is None else glob.escape(name)
    _mend(out, pattern, busy)
    for unfinished in sorted(out.glob(pattern + PARTIAL)):
        if unfinished.name.endswith(REPLACED) or not looks_ours(unfinished):
            continue
        with _unused(unfinished.with_name(unfinished.name.removesuffix(PARTIAL)), busy):
            pass  # it is removed at the end
    return tuple(dict.fromkeys(busy))


def _mend(out: Path, pattern: str, busy: list[str]) -> None:
    """Give older sessions that were moved aside their names back, or delete them where the new one is there."""
    for replaced in sorted(out.glob(pattern + REPLACED)):
        final = replaced.with_name(replaced.name.removesuffix(REPLACED))
        with _unused(final, busy) as ours:
            if ours and final.exists():
                shutil.rmtree(replaced)
            elif ours and (replaced / MANIFEST).exists():
                replaced.rename(final)


@contextlib.contextmanager
def _unused(final: Path, busy: list[str]) -> Iterator[bool]:
    """Whether nobody is writing this session, held for the block; then its unfinished folder is removed."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold(final))
        except SessionBusy:
            busy.append(final.name)
            yield False
            return
        try:
            yield True
        except OSError as error:
            raise _in_words(error, final.parent) from error


def looks_ours(unfinished: Path) -> bool:
    """Whether a folder can only be a session's beginning, or what is left of one that was being removed."""
    if not unfinished.is_dir() or unfinished.is_symlink():
        return False
    try:
        files = [path.name for path in unfinished.iterdir()]
    except OSError:  # it went at this moment, or is not for us to look at
        return False
    return not files or any(is_of(name, (LOCK, READINGS, *FILES)) for name in files)


def is_of(name: str, files: Collection[str]) -> bool:
    """Whether a file is one of a session's, or one of them half-written."""
    return any(name == one or name.startswith(f"{one}.") for one in files)


def _replaced(final: Path) -> Path:
    """Where an older session waits until the new one has its name."""
    return final.with_name(final.name + REPLACED)


def _occupy(folder: Path, lock: FileLock, out: Path, remedy: str = ELSEWHERE) -> None:
    """Make the folder, or take over what a killed run left, for this process alone."""
    for left in reversed(range(ATTEMPTS)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            return
        except Timeout:
            raise SessionBusy(
                f"{folder.with_suffix('')}: another run is writing this session; wait for it to end"
            ) from None
        except OSError as error:
            if not left or not isinstance(error, (FileExistsError, FileNotFoundError)):
                raise _in_words(error, out, remedy) from error
            time.sleep(PAUSE_S)  # whoever held it may be deleting it at this moment


def _clear(folder: Path, keep: Collection[str]) -> None:
    for path in folder.iterdir():
        if path.name in keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _in_words(error: OSError, out: Path, remedy: str = ELSEWHERE) -> Exception:
    if error.errno in DISK_FULL:
        return OutputError(f"{out}: the disk is full; free some space or choose another --out")
    return SessionError(f"{out}: cannot be written ({error.strerror}); {remedy}")
