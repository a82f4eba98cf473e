"""Files of the user outside sessions, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from platformdirs import user_data_path

from pipeline.errors import OutputError


def user_file(name: str) -> Path:
    """A file in the user's data folder of this software; neither may exist yet."""
    return user_data_path("engage", appauthor=False) / name


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a crash leaves the old one or the new one.

    Raises:
        OutputError: it cannot be written.
    """
    partial: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except OSError as error:
        if partial is not None:
            Path(partial).unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror}); give another file with --out") from None
