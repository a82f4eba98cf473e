"""What people write into a finished session: small CSV files, a line at a time, of which none is lost.

Whoever writes holds the session (``pipeline.store.hold``), so that neither a second browser nor a withdrawal, run or
purge is at work on it; the file is replaced by one that is whole, so that a reader never sees half a line.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
import random
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from consent.given import read_text
from consent.retention import Kind
from pipeline.errors import InputError
from pipeline.session import DataDeleted, Session, SessionError
from pipeline.store import PARTIAL, SessionBusy, hold

WAIT_S = 5.0
"""How long a click waits for others who write: their turn takes milliseconds, a run's or a withdrawal's minutes."""
LONGEST_NAME = 100
"""Characters of a reviewer's name."""

Line = dict[str, str]


def now() -> str:
    """The time, as the files keep it: ISO 8601, UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def reviewer_name(text: str) -> str:
    """A reviewer's name or initials as the files keep them: one line, nothing a spreadsheet would take for a formula.

    Raises:
        InputError: nothing is left, or it is too long.
    """
    printable = "".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in text)
    name = " ".join(printable.split()).lstrip("=+-@ ")
    if not name:
        raise InputError(f"reviewer {text[:20]!r}: no name; give initials or any word that others do not use")
    if len(name) > LONGEST_NAME:
        raise InputError(f"reviewer {name[:20]}…: {len(name)} characters; give at most {LONGEST_NAME}")
    return name


def read_lines(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Line]]:
    """The lines of a file with their numbers in it; none where there is no file.

    Args:
        path: of the file.
        columns: that no line may leave empty.

    Raises:
        InputError: the file cannot be read, or a line lacks something.
    """
    try:
        lines = list(csv.DictReader(io.StringIO(read_text(path, encoding="utf-8-sig"), newline="")))
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "not a CSV text file"
        raise InputError(f"{path}: cannot be read ({reason}); mend it, or remove it and write it again") from None
    for number, line in enumerate(lines, start=2):
        missing = [name for name in columns if not line.get(name)]
        if missing:
            raise InputError(f"{path} line {number}: no {missing[0]}; give {', '.join(columns)}")
        yield number, line


def span_of(path: Path, number: int, line: Mapping[str, str]) -> tuple[float, float, int]:
    """``start``, ``end`` (s) and ``student`` of a line.

    Raises:
        InputError: they are no numbers, or no span.
    """
    try:
        start, end, student = float(line["start"]), float(line["end"]), int(line["student"])
    except ValueError:
        raise InputError(f"{path} line {number}: start, end and student must be numbers; mend the line") from None
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
        raise InputError(f"{path} line {number}: {start:g} to {end:g} s is no span; let it end after it starts")
    return start, end, student


def seconds(t: float) -> str:
    """A time as the files keep it: s, to the millisecond."""
    return repr(round(float(t), 3))


def change(session: Session, name: str, columns: Sequence[str], rewrite: Callable[[list[Line]], None]) -> None:
    """Change one of these files alone: ``rewrite`` is given its lines as they are at that moment and alters the list.

    ``columns`` that the file did not have are empty in older lines; columns of somebody's own are kept.

    Raises:
        InputError: the file cannot be read; it stays as it is.
        SessionBusy: a run, withdrawal or purge is at work on the session.
        SessionError: the session is gone, or its folder cannot be written.
        DataDeleted: its tables were deleted, and so is all that is written about them.
    """
    path = session.part(name)
    with _turn(session.folder):
        if Kind.TABLES in Session.open(session.folder).manifest.purged:
            raise DataDeleted(f"{session.folder}: the tables were deleted, as promised to the students")
        lines = [line for _, line in read_lines(path, ())]
        rewrite(lines)
        write_lines(path, columns, lines)


def write_lines(path: Path, columns: Sequence[str], lines: Sequence[Line]) -> None:
    """Write a file; the older one stays until the new one is whole.

    Raises:
        SessionError: it cannot be written.
    """
    more = dict.fromkeys(key for line in lines for key in line if key is not None and key not in columns)
    partial = path.with_name(path.name + PARTIAL)
    try:
        partial.unlink(missing_ok=True)  # a link that waits there would be followed
        with partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*columns, *more], restval="", extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise SessionError(f"{path}: cannot be written ({error.strerror}); free space or make it writable") from error


def keep_lines(source: Path, target: Path, students: Collection[int]) -> None:
    """Copy the lines about some students; no file where none is left.

    Raises:
        InputError: the file cannot be read.
        SessionError: the copy cannot be written.
    """
    lines = [line for _, line in read_lines(source, ("student",)) if int(line["student"]) in students]
    if lines:
        write_lines(target, list(lines[0]), lines)


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Hold a session as soon as others let go of it."""
    deadline = time.monotonic() + WAIT_S
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(hold(folder))
                break
            except SessionBusy:
                if time.monotonic() > deadline:
                    raise SessionBusy(
                        f"{folder.name}: is being written anew at this moment, so nothing was saved; try again later"
                    ) from None
            time.sleep(random.uniform(0.005, 0.03))  # who waits together does not try together again
        yield
