"""Failures a user can mend: one sentence naming what, the value and the remedy.

The front door prints any exception that carries an ``exit_code`` as that one sentence and exits with the
code (0 done, 2 bad input or usage, 3 not permitted, 1 anything else). Rooms that may not import this module
follow the same convention with classes of their own.
"""


class InputError(ValueError):
    """What the user gave cannot be used."""

    exit_code = 2


class VideoError(InputError):
    """A file cannot be read as video, or the video cannot be written."""


class OutputError(OSError):
    """The results cannot be stored although all was asked rightly (the disk is full)."""

    exit_code = 1
