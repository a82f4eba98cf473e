"""Failures a user can mend: one sentence naming what, the value and the remedy.

The front door prints any exception that carries an ``exit_code`` as that one sentence and exits with the
code (0 done, 2 bad input or usage, 3 not permitted, 1 anything else). Rooms that may not import this module
follow the same convention with classes of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar


class InputError(ValueError):
    """What the user gave cannot be used."""

    exit_code = 2


class VideoError(InputError):
    """A file cannot be read as video, or the video cannot be written."""


_KEPT = "engage_kept"
E = TypeVar("E", bound=BaseException)


def keeping(error: E, folder: Path | None) -> E:
    """The same exception, which tells from now on that what was analysed until then is kept in ``folder``."""
    setattr(error, _KEPT, folder)
    return error


def kept_by(error: BaseException) -> Path | None:
    """Where what was analysed until the failure is kept; ``None`` where nothing is."""
    return getattr(error, _KEPT, None)


class OutputError(OSError):
    """The results cannot be stored although all was asked rightly (the disk is full)."""

    exit_code = 1
