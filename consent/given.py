"""Files of text that somebody gives: read within limits, and quoted within limits where they are wrong.

Settings, seat maps, course files and sessions come from other people and other programs. A file of a few hundred bytes
can stand for gigabytes (YAML's aliases), nest deeper than the stack, or be no file at all (a pipe that never ends).
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

MOST_BYTES: Final = 20_000_000
MOST_YAML_BYTES: Final = 300_000
"""YAML is read at some 50 kB a second."""
LONGEST_QUOTE: Final = 60
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


class NotPlain(ValueError):
    """A text that is no JSON or YAML as it is read here; ``line`` from 1 where that is known."""

    def __init__(self, line: int | None = None) -> None:
        super().__init__("not valid")
        self.line = line


class _Loader(yaml.SafeLoader):
    """YAML without aliases: nine lines of them can stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "an alias", self.peek_event().start_mark)
        return super().compose_node(parent, index)


def read_text(path: Path, most: int = MOST_BYTES, encoding: str = "utf-8") -> str:
    """The text of a plain file of at most ``most`` bytes, its line ends as they are.

    Raises:
        OSError: there is none, it cannot be read, is no plain file (a pipe, a device), or is larger.
        UnicodeDecodeError: it is not text in this encoding.
    """
    kind = path.stat().st_mode
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(kind):
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {most / 1e6:g} MB", str(path))
    return data.decode(encoding)


def parse_json(text: str) -> Any:
    """What a JSON text says.

    Raises:
        NotPlain: it is no JSON, nests too deep, or holds a number too long or half a character.
    """
    try:
        content = json.loads(text)
        if _HALF.search(text):  # half of a character, which no file could be written with again
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise NotPlain(getattr(error, "lineno", None)) from None
    return content


def parse_yaml(text: str) -> Any:
    """What a YAML text says.

    Raises:
        NotPlain: it is no YAML, uses aliases, nests too deep, or holds a value that cannot be (a 31st of February).
    """
    try:
        return yaml.load(text, Loader=_Loader)  # it is a safe loader
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, LookupError, AttributeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise NotPlain(None if mark is None else mark.line + 1) from None


def quoted(value: object) -> str:
    """A value as it was given, on one line and cut where it is long."""
    if isinstance(value, (list, tuple, set, dict)) and len(value) > LONGEST_QUOTE:
        return f"{len(value)} values"
    if isinstance(value, str):
        value = value[: LONGEST_QUOTE + 1]
    elif isinstance(value, int) and value.bit_length() > 4 * LONGEST_QUOTE:
        return "a number of many digits"
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number too long to print somewhere within
        return f"a {type(value).__name__}"
    return text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 1]}…"


def field_of(error: ValidationError) -> str:
    """The dotted name of the first field that is wrong, cut where somebody gave a name of thousands of letters."""
    name = ".".join(str(part) for part in error.errors(include_url=False, include_input=False)[0]["loc"] if part != "")
    return name if name.isprintable() and len(name) <= 2 * LONGEST_QUOTE else quoted(name)


def as_shown(path: Path) -> str:
    """A path for a sentence: on one line, its end where it is long."""
    text = str(path)
    return text if text.isprintable() and len(text) <= 300 else quoted(text[-LONGEST_QUOTE:])
