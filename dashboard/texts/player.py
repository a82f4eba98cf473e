"""Words inside the video's component."""

from __future__ import annotations

WORDS = {
    "timeline": "Timeline: arrow keys move 5 seconds, page keys a minute, space plays, N and P change rows",
    "engagement": "engagement",
    "coverage": "seen",
    "notSeen": "not seen",
    "withheld": "withheld",
    "seen": "seen",
    "student": "Student",
    "unusual": "unusual",
    "pick": "Choose a span above, or in the list: then say what it was.",
    "name": "what was it?",
    "confirm": "confirm",
    "fromHere": "Start here ([)",
    "toHere": "End here (])",
}
