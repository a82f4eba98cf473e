"""Recordings that can be analysed: those in one folder of the server, and what somebody sends with the browser.

No path comes from the browser: a name counts only where the listing has it, and what is sent is written under a random
name of our own. What is sent is looked at before anything decodes it, and decoded before it is queued.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO, Final

from consent.policy import course_key
from pipeline.errors import InputError, VideoError
from pipeline.lectures import ENDINGS
from pipeline.store import session_id
from pipeline.video import VideoInfo, VideoReader

FOLDER_VARIABLE: Final = "ENGAGE_RECORDINGS"
"""Environment variable that carries the folder from the command to the pages."""

LARGEST_MB: Final = 1000
"""Of a file that is sent with the browser: Streamlit keeps it in memory until it is written."""

_BEGINNINGS: Final = (
    (4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (4, b"wide"), (4, b"free"), (4, b"skip"),  # MP4, MOV
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (8, b"AVI "),
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x47"), (4, b"\x47"),  # MPEG transport stream, also of camcorders
    (0, b"\x30\x26\xb2\x75"),  # WMV
)  # fmt: skip
"""Offset and bytes with which these formats begin. Others stay closed: a playlist, which is text, names further files
and addresses, and the decoder would fetch them."""

NO_VIDEO: Final = "{name}: is no MP4, MOV, MKV, WebM, AVI, MPEG or WMV file; export the recording as MP4"
TOO_LARGE: Final = (
    "{name}: has more than {most} MB; put it into the folder given with engage dashboard --recordings instead"
)


def folder() -> Path | None:
    """The folder of recordings of this server, if it has one."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else None


def offered(course: str, everything: bool) -> dict[str, Path]:
    """The recordings that may be analysed for a course, by the name to show.

    Those in the subfolder named like the course; with ``everything`` also those beside and in other subfolders.
    """
    found: dict[str, Path] = {}
    where = folder()
    if where is None or not where.is_dir():
        return found
    for path in _listed(where):
        if path.is_dir():
            if everything or course_key(path.name) == course_key(course):
                found |= {f"{path.name}/{one.name}": one for one in _listed(path) if _is_recording(one)}
        elif everything and _is_recording(path):
            found[path.name] = path
    return found


def receive(name: str, content: BinaryIO, uploads: Path) -> tuple[str, Path]:
    """Keep a file that was sent, once it is known to be a video.

    Args:
        name: as the browser calls it; only letters, digits and a known ending of it are used.
        content: the file.
        uploads: folder of all such files.

    Returns:
        Name of the random folder in ``uploads`` that holds nothing but the file, and the file.

    Raises:
        VideoError: it is no video that can be decoded.
        InputError: it is too large.
    """
    place = secrets.token_hex(16)
    file = uploads / place / file_name(name)
    file.parent.mkdir(mode=0o700, parents=True)
    try:
        with file.open("wb") as written:
            for block in _blocks(content, file.name):
                written.write(block)
        looked_at(file)
    except BaseException:
        shutil.rmtree(file.parent, ignore_errors=True)
        raise
    return place, file


def file_name(name: str) -> str:
    """What a file that was sent is called here: letters, digits and a known ending of its name.

    Raises:
        VideoError: it has no known ending.
    """
    given = PurePath(name.replace("\\", "/"))
    ending = given.suffix.lower()
    if ending not in ENDINGS:
        raise VideoError(NO_VIDEO.format(name=given.name))
    return session_id(Path(given.stem), None) + ending


def looked_at(file: Path) -> VideoInfo:
    """What a recording declares, once its first frame was decoded.

    Raises:
        VideoError: it is no video that can be decoded.
    """
    try:
        with file.open("rb") as opened:
            head = opened.read(16)
    except OSError as error:
        raise VideoError(f"{file.name}: cannot be read ({error.strerror}); choose another recording") from None
    if not any(head[at : at + len(start)] == start for at, start in _BEGINNINGS):
        raise VideoError(NO_VIDEO.format(name=file.name))
    with VideoReader(file) as reader:
        return reader.info


def _blocks(content: BinaryIO, name: str) -> Iterator[bytes]:
    left = LARGEST_MB * 1_000_000
    while block := content.read(1 << 20):
        left -= len(block)
        if left < 0:
            raise InputError(TOO_LARGE.format(name=name, most=LARGEST_MB))
        yield block


def _listed(where: Path) -> list[Path]:
    try:
        return sorted(path for path in where.iterdir() if not path.name.startswith("."))
    except OSError:
        return []


def _is_recording(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and path.is_file()
