"""Words of the page that lists lectures, of starting an analysis and of the queue of work."""

from __future__ import annotations

SEARCH = "Search"
SEARCH_HINT = "course, lecture or file"
COURSE = "Course"
ALL_COURSES = "all courses"
DAYS = "Days"
DAYS_HELP = "From the first to the last; all days where nothing is chosen."
NOTHING_FOUND = "No lecture fits; change the search, the course or the days."
COUNT = "{shown} of {all} lectures. Click one to open it."
CHOSEN = "**{lecture}**"
OPEN = {"review": "Review", "correct": "Correct", "report": "Report"}

LECTURE, DAY, LENGTH, STUDENTS = "Lecture", "Day", "Length", "Students"
ENGAGEMENT, COVERAGE, SHARES, SPANS, CHECK, CONSENT = (
    "Engagement",
    "Coverage",
    "States seen most",
    "Unusual",
    "Face check",
    "Consent",
)
CHECKS = {
    None: "not made",
    "passed": "passed",
    "needs review": "needs review",
    "not covered: nobody had to be": "nobody covered",
}
CHECK_HELP = "Whether the check of the finished video found a face that had to be covered."
CONSENT_HELP = "Of the course today: whether an approval is valid, and how many said no."
SHARES_HELP = "Of the time in which students were seen."
DAMAGED = "its table can not be read"
DELETED = "deleted, as promised"

APPROVED = "until {day}"
APPROVED_FOR_GOOD = "approved"
NOT_APPROVED = "no valid approval"
ONE_RUN = "approved for this one"
SAID_NO = "{count} said no"
TO_APPLY = "withdrawal not applied"

WEEKS = "Over the weeks"
WEEKS_CHOOSE = "Choose one course to see how it changes over the weeks."
WEEKS_TWO = "Two lectures of a course are needed to see how it changes."
INDEX_CAPTION = "Index of each lecture with its 95% interval; dashed: a straight trend."
SHARES_CAPTION = "How the seen time divides into states."

START = "Analyse a recording"
START_COURSE_HELP = "Courses on record. Its approval and the students who said no are looked up there."
NO_COURSES = """No course is on record yet, and without an approval nothing is analysed. Record one on the page Consent,
or with

`engage consent approve "CS 101" --by "Prof. Ada Byron"`"""
NO_COURSES_FOR_YOU = "None of your courses is on record; ask an administrator."
RECORDING = "Recording"
CHOOSE_RECORDING = "From the folder of recordings"
UPLOAD = "Or send a file (at most {most} MB)"
UPLOAD_HELP = "It is deleted from the server when the analysis has ended. Larger ones: put them into the folder."
NO_FOLDER = "To choose recordings from a folder, start with: engage dashboard --recordings FOLDER"
EMPTY_FOLDER = "There is no recording for this course in the folder of recordings."
PROFILE = "States"
PROFILES = {"full": "all six, two of them inferred emotions", "observable": "behaviour only"}
BLUR = "Cover the heads of"
BLURS = {
    "opted-out": "students who said no",
    "everyone": "everybody",
    "nobody": "nobody (needs the approval to show)",
}
LECTURE_DAY = "Day of the lecture"
LECTURE_DAY_HELP = "From it the promised time counts after which data is deleted."
REPLACE = "Replace the analysis that is there"
REPLACE_HELP = "{name} has been analysed before; corrections and the report of it are replaced, too."
GATE_OPEN = "Approved by {by}{until}. {cover}."
GATE_UNTIL = " until {day}"
GATE_SHUT = "Not permitted: {why}"
BEGIN = "Analyse"
BEGIN_HELP = "It goes into the queue and goes on when you close this page."
CHOOSE_ONE = "Choose a recording from the folder, or send a file."
CHOOSE_ONE_ONLY = "There is a recording chosen and a file sent; take one of them away."
TITLE = "{recording} · {course}"
TRY_DEMO = "Try it with the demo clip"
TRY_DEMO_HELP = "40 seconds of a rendered class of twelve; it takes a few minutes."
DEMO_TITLE = "Demo clip"

WORK = "Work under way"
EARLIER = "Earlier work ({count})"
STARTING = "starting: the networks are loaded"
WAITING = "waiting for its turn"
STOPPING = "stopping"
STAGES = {
    "Analyse": "step 1 of 3, analysing",
    "Render": "step 2 of 3, drawing the video",
    "Check covers": "step 3 of 3, checking the covers",
    "Cover": "covering",
}
PROGRESS = "{stage}: {done:,} of {total:,} frames{left}"
PROGRESS_UNKNOWN = "{stage}: {done:,} frames"
TIME_LEFT = ", about {left} left in this step"
CANCEL = "Cancel"
CANCEL_HELP = "It stops within seconds; nothing half-done is left."
STATES = {
    "queued": "waiting",
    "running": "under way",
    "done": "done",
    "review": "done, look at it",
    "failed": "failed",
    "cancelled": "cancelled",
}
LOOK = "Review"
