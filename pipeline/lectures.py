"""Which lectures a batch is of, and what belongs to each: its own options, and the seat map beside its recording."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from consent.given import NotPlain, as_shown, quoted, read_text
from pipeline.errors import InputError
from pipeline.remote import Place, is_url
from pipeline.session import MANIFEST
from pipeline.store import PARTIAL, session_id

ENDINGS: Final = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv")
"""Of recordings, in small letters."""

SEATS: Final = ".seats.json"
"""Ending of the seat map of one recording: ``lecture.seats.json`` lies beside ``lecture.mp4``."""

VIDEO: Final = "video"
ONCE: Final = ("course", "approved_by", "lecture_day", "students", "seat_map")
SEVERAL: Final = ("absent", "purpose")
"""Columns of a list of lectures besides ``video``: options of ``engage run``, the latter with ``;`` between values."""

MOST_BYTES: Final = 10_000_000
"""Of such a list; that is more than 100,000 lectures."""


@dataclass(frozen=True)
class Lecture:
    """One recording of a batch.

    Attributes:
        video: a path, or an address that fsspec knows.
        label: how it is called in tables: its path below the folder that was given, else its name.
        words: options of ``engage run`` for this one alone.
        seat_map: a path or address.
    """

    video: str
    label: str
    words: tuple[str, ...] = ()
    seat_map: str | None = None

    @property
    def course(self) -> str | None:
        """Its own course, where the list gives one."""
        return self.words[self.words.index("--course") + 1] if "--course" in self.words else None

    def name(self, course: str | None) -> str:
        """The name of its session, if ``course`` is that of all lectures."""
        return session_id(
            Path(PurePosixPath(self.video).name if is_url(self.video) else self.video), self.course or course
        )


def lectures_in(sources: Sequence[str]) -> list[Lecture]:
    """The recordings given as files, and all those below the folders given, in order of their names.

    In folders only files with an ending of ``ENDINGS`` count, none that is hidden, unfinished or part of a session.

    Raises:
        InputError: a folder has no recording, or an address is not known.
        OutputError: an address cannot be reached.
    """
    found = [one for source in sources for one in (_at_address if is_url(source) else _on_disk)(source)]
    return [_with_seats(one) for one in found]


def listed(path: Path) -> list[Lecture]:
    """The lectures of a list: a CSV file with the column ``video`` and any of ``ONCE`` and ``SEVERAL``.

    Paths in it count from its own folder; fields left empty say nothing.

    Raises:
        InputError: it cannot be read, has another column, or a row without a video.
    """
    name = as_shown(path)
    try:
        rows = list(csv.DictReader(read_text(path, MOST_BYTES).splitlines(), strict=True))
    except (OSError, UnicodeDecodeError, NotPlain, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no CSV file"
        raise InputError(f"list {name!r} cannot be read ({reason}); give a CSV file with a column {VIDEO}") from None
    known = (VIDEO, *ONCE, *SEVERAL)
    for row in rows:
        others = [column for column in row if column not in known]
        if others or not row.get(VIDEO):
            column = "a column without a name" if others == [None] else f"column {quoted(others[0])}" if others else ""
            what = column or "a row without a video"
            raise InputError(f"list {name!r} has {what}; its columns may be {', '.join(known)}")
    if not rows:
        raise InputError(f"list {name!r} names no lecture; give each a row with its {VIDEO}")
    return [_with_seats(_listed(row, path.parent)) for row in rows]


def _listed(row: dict[str, str | None], folder: Path) -> Lecture:
    given = {column: value.strip() for column, value in row.items() if value and value.strip()}
    words: list[str] = []
    for column in ONCE[:-1]:
        if column in given:
            words += [_option(column), given[column]]
    for column in SEVERAL:
        for value in filter(None, map(str.strip, given.get(column, "").split(";"))):
            words += [_option(column), value]
    video = given[VIDEO]
    seats = _from(folder, given["seat_map"]) if "seat_map" in given else None
    return Lecture(_from(folder, video), video, tuple(words), seats)


def _option(column: str) -> str:
    return "--" + column.replace("_", "-")


def _from(folder: Path, place: str) -> str:
    return place if is_url(place) else str(folder / Path(place).expanduser())


def name_clashes(lectures: Iterable[Lecture], course: str | None) -> dict[str, str]:
    """Sessions that would have one name: the sentence for each, by the recording.

    A recording that is given twice is one.
    """
    names = {one.video: one.name(course) for one in lectures}
    often = {name for name, count in Counter(names.values()).items() if count > 1}
    return {
        video: f"its session would have the name {name}, as that of another recording; rename one of the files"
        for video, name in names.items()
        if name in often
    }


def _on_disk(source: str) -> Iterator[Lecture]:
    folder = Path(source)
    if not folder.is_dir():
        yield Lecture(source, folder.name)
        return
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    chosen = [path for path in paths if _is_recording(path.relative_to(folder)) and not _in_session(path)]
    if not chosen:
        raise InputError(f"{as_shown(folder)}: no recording is in it; give a folder with {', '.join(ENDINGS)} files")
    yield from (Lecture(str(path), path.relative_to(folder).as_posix()) for path in chosen)


def _at_address(source: str) -> Iterator[Lecture]:
    place = Place(source)
    if not place.is_folder():
        yield Lecture(source, PurePosixPath(source).name)
        return
    files = place.below()
    sessions = {str(PurePosixPath(one).parent) for one in files if PurePosixPath(one).name == MANIFEST}
    chosen = [
        one
        for one in files
        if PurePosixPath(one).suffix.lower() in ENDINGS
        and _is_recording(PurePosixPath(one))
        and str(PurePosixPath(one).parent) not in sessions
    ]
    if not chosen:
        raise InputError(f"{source}: no recording is in it; give a folder with {', '.join(ENDINGS)} files")
    yield from (Lecture(place.address(one), one) for one in chosen)


def _is_recording(inside: PurePosixPath | Path) -> bool:
    return not any(part.startswith(".") or part.endswith(PARTIAL) for part in inside.parts)


def _in_session(path: Path) -> bool:
    return (path.parent / MANIFEST).exists()


def _with_seats(lecture: Lecture) -> Lecture:
    """With the seat map beside the recording, unless it has one already."""
    if lecture.seat_map is not None:
        return lecture
    stem, _, _ = lecture.video.rpartition(".")
    beside = stem + SEATS
    there = Place(beside).exists() if is_url(beside) else Path(beside).is_file()
    return replace(lecture, seat_map=beside) if there else lecture
