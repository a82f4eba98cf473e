"""Words of the page that reviews one lecture."""

from __future__ import annotations

NUMBERS = "**Engagement {index}**{interval} · **coverage {coverage}** · {students} students · {spans}"
UNUSUAL, ONE_UNUSUAL = "{count} unusual spans", "1 unusual span"
INTERVAL = " (95% interval {low} to {high})"
APPROVAL = "Approval"
ANALYSED = "Analysed"
FRAMES = "{analysed:,} of {frames:,} frames"
WARNINGS = "Notes from the analysis ({count})"
ABOUT = "About this lecture"

TIMELINE_HELP = (
    "Line: engagement of the class. Grey: how much of it was seen. Below: how the seen time divides into states."
    " Click anywhere to watch that moment; with the timeline selected, arrow keys move 5 seconds, space plays."
)
NO_TIMELINE = "There is no class timeline to draw: nobody was seen in this lecture."
WITHHELD_TIMELINE = "There is no class timeline to draw: never were enough students seen at once for a class value."
CLASS_ONLY = "The video and what is known of single students are not shown to you: your role is to see the class."

SPANS = "Unusual spans"
SPANS_HELP = "Unusual for that student in this lecture, good or bad; strangest first. Click to watch, then mark it."
NO_SPANS = "Nothing unusual was found."
NO_SUCH_SPANS = "None with this mark; choose another below."
SCORE = "to {end} · score {score:.1f}, unusual from {threshold:.1f}"
VERDICTS = {"reviewed": "Reviewed", "confirmed": "Confirm", "dismissed": "Dismiss"}
VERDICT = "{verdict} by {who}"
SIMILAR = "Similar moments"
SIMILAR_WAIT = "Looking for similar moments; in a long lecture this takes a while"
SIMILAR_TITLE = "Moments like {moment}"
SIMILAR_HELP = "The nearest in how the student moved and looked, nearest first. Alike is not the same."
SIMILAR_ROW = "distance {distance:.2f}"
SOMEBODY = "a student"
MAP = "Map of moments"
MAP_HELP = (
    "Each dot is a second of one student; dots that lie close are seconds alike. The directions mean nothing."
    " Brown: in an unusual span. Made when switched on: up to a minute for a long lecture."
)
MAP_WAIT = "Learning what is usual in this lecture"
MAP_SAMPLE = "{shown:,} of {all:,} seconds, drawn at random beside those of unusual spans."
MAP_ODD, MAP_USUAL, MAP_SCORE = "unusual", "usual", "Score"

FILTERS = "Filter"
STATES = "States"
SURE = "Probability"
SURE_HELP = "How likely the state is by the model. It is a degree of belief, not a measured frequency."
ONLY = "Students"
ALL_OPENED = "All of those opened"
MARKED = "Unusual spans"
MARKS = {"all": "All", "open": "Not marked", "reviewed": "Reviewed", "confirmed": "Confirmed", "dismissed": "Dismissed"}

STUDENTS = "Single students"
STUDENTS_HELP = (
    "The class comes first. A single student is shown for a reason only; who looked, when and why is noted. What is"
    " shown is what the camera saw and what a model makes of it: words for how likely, never a verdict."
)
NO_STUDENTS = "No student was found in this lecture; check that the video shows the class from the front."
FOUND = "States of those students ({shown} of {count})"
FOUND_HELP = "Runs of one likely state, the longest ones, in order of time."
FOUND_ROW = "{state}: {words} ({sure:.2f})"
FOUND_MORE = "{seconds} s, seen {seen}"
OVERVIEW_HELP = "Over the whole lecture; shares are of the time the student was seen."


DOWNLOAD_TABLE = "Engagement table (CSV)"
DOWNLOAD_REPORT = "Report (PDF)"
NO_REPORT = "No report yet; write one with: engage report {folder}"
