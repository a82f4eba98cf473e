"""Words of the form that asks for a reason before a single student is shown."""

from __future__ import annotations

WHICH = "Students to look at"
ONE = "Student to look at"
NONE = "Choose by number"
REASON = "Reason (it is noted with the time)"
EXAMPLE = "e.g. the student asked me about this lecture"
OPEN = "Show"
CHOOSE_FIRST = "Choose at least one student by the number in the video."
