"""Every English sentence of the dashboard in one place for translation: here what pages share, else one module a page.

Also how words from outside are shown, which must not become markup.
"""

from __future__ import annotations

import re

APP = "Classroom engagement"
PAGES = {
    "lectures": "Lectures",
    "review": "Review",
    "correct": "Correct",
    "consent": "Consent",
    "report": "Report",
    "method": "Method",
}
CHOOSE = "Lecture"

NO_SESSIONS = "No lecture has been analysed here yet"
NO_SESSIONS_HELP = """The dashboard looks for sessions in `{folder}`.

- To try it with the demo clip that comes with the program: `engage demo`
- To analyse a recording: `engage run lecture.mp4 --approved-by "who approved it"`

Then reload this page. Sessions in another folder: `engage dashboard --sessions FOLDER`"""
NO_SESSIONS_OF_YOURS = "Of your courses there is none yet. Who teaches one can begin an analysis on the page Lectures."
ALL_BROKEN = "None of the sessions in this folder can be opened"
BROKEN = "Sessions that can not be opened: {count}"
UNKNOWN_SESSION = "There is no readable lecture named “{name}” here; this is the newest one instead."

ENGAGEMENT = "Engagement"
COVERAGE = "Coverage"
STUDENTS = "Students"
SPANS = "Unusual spans"
STATES = "States"
STATE = "State"
SHARE = "Share"
TIME = "Time"
DAY = "Day"
MINUTES_SEEN = "Minutes seen"
STUDENT = "Student"
START, END, SCORE, WHY = "From", "To", "Score", "Why"
NOT_SEEN = "not seen"
WITHHELD = "withheld"
ENGAGEMENT_HELP = "How the class took part, weighted by how well it was seen. An estimate, never a grade."
COVERAGE_HELP = "Share of all student time with evidence. Where it is low, trust the other numbers less."

PROFILE = "Profile"
PROFILES = {
    "full": "full: six states, two of them inferred emotions",
    "observable": "observable: behaviour only, no inferred emotions",
}
BLUR = "Covered faces"
BLURS = {
    "opted-out": "of students who opted out",
    "everyone": "of everyone",
    "nobody": "none, everyone can be recognised",
}
DELETED = {
    "annotated_video": "The annotated video was deleted on {day}, as promised to the students.",
    "tables": "The tables and the report were deleted on {day}, as promised to the students.",
}
UNREADABLE_TABLE = "{file} can not be read ({error}); run the lecture again with --overwrite"

LONGEST_NAME = 100
LONGEST_SENTENCE = 500
"""Characters shown of words that came with a session; somebody may have put a page into a name."""

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_BECOMES_A_LINK = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)", re.IGNORECASE)
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\x00-\x08\x0e-\x1b\x7f]")
_WORD_JOINER = "\u2060"


def shortened(text: str, longest: int = LONGEST_NAME) -> str:
    """``text`` on one line of at most ``longest`` characters, without marks that turn the direction of what follows."""
    line = " ".join(_INVISIBLE.sub("", text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def plain(text: str, longest: int = LONGEST_SENTENCE) -> str:
    """``text`` for a place that renders Markdown, so that it is shown letter by letter: no markup, no link.

    A backslash before ASCII punctuation is that character itself (CommonMark 0.31, section 2.4). Bare addresses
    become links all the same (GitHub Flavored Markdown 0.29, section 6.9) unless an invisible joiner parts them.
    """
    parted = _BECOMES_A_LINK.sub(_WORD_JOINER, shortened(text, longest))
    return _PUNCTUATION.sub(r"\\\1", parted)


def clock(seconds: float) -> str:
    """``83.4`` as ``1:23``, ``3723`` as ``1:02:03``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def moment(created: str) -> str:
    """The time a session was made, ``2025-03-04T10:15:00Z`` as ``2025-03-04 10:15 UTC``."""
    return f"{created[:10]} {created[11:16]} UTC"


def index(value: float | None) -> str:
    """``0.714`` as ``0.71``, as in the video and the report: the index is no percentage; ``None`` as nobody seen."""
    return NOT_SEEN if value is None else f"{value:.2f}"


def percent(share: float | None) -> str:
    """``0.714`` as ``71%``; ``None`` as the words for nobody seen."""
    return NOT_SEEN if share is None else f"{share:.0%}"
