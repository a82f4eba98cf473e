"""Words of the page that reviews one lecture."""

from __future__ import annotations

APPROVAL = "Approval"
ANALYSED = "Analysed"
FRAMES = "{analysed:,} of {frames:,} frames"
WARNINGS = "Notes from the analysis ({count})"

TIMELINE_HELP = "Line: engagement. Grey: coverage. Brown: unusual. Colours: how the seen time divides into states."
NO_TIMELINE = "There is no class timeline to draw: nobody was seen in this lecture."
WITHHELD_TIMELINE = "There is no class timeline to draw: never were enough students seen at once for a class value."
STUDENTS_HELP = "One row per student over the whole lecture; shares are of the time the student was seen."
NO_STUDENTS = "No student was found in this lecture; check that the video shows the class from the front."
SPANS_HELP = "Select a row to watch it."
NO_SPANS = "Nothing unusual was found."

DOWNLOAD_TABLE = "Engagement table (CSV)"
DOWNLOAD_REPORT = "Report (PDF)"
NO_REPORT = "No report yet; write one with: engage report {folder}"
