"""What an ``engage`` process said in its log, for a program that started it in the background."""

from __future__ import annotations

import re
from typing import Final

ERROR: Final = "error"
NEEDS_REVIEW: Final = "needs review"
LEFT_TO_DO: Final = "left to do"
SKIPPED: Final = "skipped"
STOPPED: Final = "stopped"

LONGEST: Final = 1000
"""Characters of a sentence that is passed on."""

_SAID: Final = re.compile(rf"^({'|'.join((ERROR, NEEDS_REVIEW, LEFT_TO_DO, SKIPPED, STOPPED))}): (.+)$", re.MULTILINE)
"""How ``engage`` says its one sentence (see ``say`` there)."""


def said(printed: str) -> list[tuple[str, str]]:
    """The (kind, sentence) pairs of a log, in order."""
    return _SAID.findall(printed)


def unforeseen(code: int, printed: str) -> str:
    """The sentence for a process that ended with a code and without a sentence of its own."""
    last = (printed.strip().splitlines() or ["nothing"])[-1]
    return f"it ended unexpectedly (code {code}); what it printed last: {last}"[:LONGEST]
