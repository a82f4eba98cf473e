"""Words of the page about consent."""

COURSE = "Course"
NO_COURSE = "No course is on record yet"
NO_COURSE_HELP = (
    "A lecture can be analysed once a member of the faculty has approved it. Record the first approval here."
)
NO_COURSE_YOURS = "None of your courses is on record yet. Ask an administrator to record its approval."

APPROVALS = "Approvals"
SEATS = "Seats and answers"
WITHDRAWALS = "Withdrawals"
FORMS = "Forms"

NO_APPROVAL = "Nobody has approved this course yet, so none of its lectures can be analysed."
VALID_TODAY = "Lectures of this course may be analysed today: {purposes}."
NOT_VALID_TODAY = "No approval is valid today, so no lecture of this course can be analysed."
STATE, BY, FROM, UNTIL, FOR, EVIDENCE = "State", "Approved by", "From", "Until", "For", "Signed form"
NO_END = "no end"
NONE = "none"
VALID_NO_END = "valid"
VALID_LEFT = "valid, {days} left"
NOT_YET = "begins in {days}"
EXPIRED = "expired {days} ago"
ONE_DAY, DAYS = "1 day", "{count} days"

APPROVE = "Record an approval"
APPROVE_HELP = "Record what a member of the faculty has signed. The newest approval that is valid decides."
COURSE_NAME = "Name of the course"
APPROVED_BY = "Who approves it"
FIRST_DAY, LAST_DAY = "First day", "Last day"
LAST_DAY_HELP = "Leave it empty where the approval has no end."
PURPOSES_ASKED = "What is approved"
RECORD = "Record"
APPROVED = "Recorded: {by} approves {course}."

PURPOSES = {
    "recording": "recording",
    "analysis": "analysis",
    "showing": "showing in class",
    "research": "research",
}
YES, NO, SILENT = "yes", "no", "no answer"

SESSION = "Picture of the room from"
NO_PICTURE = "There is no picture of the room: no lecture of this course has been analysed, or its video is gone."
PLAN_ONLY = "A plan drawn from the seats: the picture of this lecture is gone, or a face in it could not be covered."
PICTURE_HELP = "Everybody is covered and the picture is blurred. Click a seat, or choose from the list."
CHOOSE = "Student or seat"
CHOOSE_PLACEHOLDER = "Choose a student or a seat"
SEAT = "seat {number}"
SEAT_UNKNOWN = "seat not known"
ZONE = "nobody takes part here: {name}"
STANDINGS = {
    "no": "said no: covered and not counted",
    "yes": "said yes",
    "silent": "no answer yet",
    "free": "nobody on record",
    "zone": "nobody takes part here",
}
SHORT = {"no": "no", "yes": "yes", "silent": "?", "free": "", "zone": "nobody"}
UNSEATED_NO = (
    "{count} who said no have no seat on record, so **everybody is covered** in lectures analysed from now on. Choose"
    " where they sit."
)
PICK_FIRST = "Choose a student or a seat to see and record answers."

WHO_SITS = "Who sits in seat {number}?"
PSEUDONYM = "Pseudonym"
PSEUDONYM_HELP = "As on your list on paper, never the name; the same each time."
PSEUDONYM_PLACEHOLDER = "Choose, or write a new one"
PUT_ON_RECORD = "Sits here"
SITS_NOW = "{student} sits in seat {number}."
SHARED_SEAT = "This seat does not tell {student} from others: {why}."
ANSWERS = "Answers of {student}"
DECIDE = "Record an answer"
ABOUT, SINCE = "About", "Since"
ANSWER = "Answer"
FORM_VERSION = "Hash on the signed form (optional)"
FORM_VERSION_HELP = "At the foot of the form; its first 8 digits are enough."
DECIDED = "Recorded: {student} says {answer} to {purposes}."
OPT_OUT = "Says no to everything"
OPT_IN = "Take this no back"
OPT_OUT_HELP = "For lectures analysed from now on. For past lectures as well, see the withdrawal below."
OPTED_OUT = "{student} is covered and not counted in lectures analysed from now on."
OPTED_IN = "The no of {student} to everything is taken back."
STILL_NO = "A no to recording or analysis is among the answers and still counts."
NEW_STUDENT = "Somebody who has no seat yet"

WITHDRAW = "Withdrawal, also from past lectures"
WITHDRAW_HELP = (
    "Takes {student} out of every lecture of this course: rows and unusual spans are deleted, averages and report made"
    " anew, and the video covers the student. It cannot be undone."
)
SHOW_CONSEQUENCES = "Show what would happen"
CONSEQUENCES = "What would happen"
NO_SESSIONS = "No lecture of this course has been analysed. The no is recorded, and nothing else has to be changed."
LECTURE, EFFECT = "Lecture", "What happens"
EFFECTS = {
    "removed": "student {numbers} goes: {seconds} of data, {spans}; the video covers the student",
    "others": "{count} sightings of others in the seat go; the video covers the seat",
    "everybody": "it is not known who the student is: the video covers everybody, the tables stay as they are",
    "video deleted": "its tables are gone, so nobody can tell who the student is: the video is deleted",
    "nothing": "nothing: {words}",
    "unknown": "not known: {words}",
}
COVERED_BEFORE = "everybody was covered before; the tables stay as they are"
NO_SPAN, ONE_SPAN, SPANS = "no unusual span", "1 unusual span", "{count} unusual spans"
SEAT_FIRST = (
    "The seat of {student} is not on record. Choose the seat in the picture first; then the student can be found."
)
UNREACHED = (
    "Not reached: copies, exports and backups, what was passed on, and the recording itself. On paper, write the date"
    " and “withdrawn” on the signed form."
)
SURE = "{student} has asked for this"
WITHDRAW_NOW = "Withdraw now"
WITHDRAWING = "The withdrawal of {student} is under way; you can leave this page."
JOB = "Withdrawal of {student}"

NO_WITHDRAWALS = "Nobody has withdrawn from this course. To record a withdrawal, choose the student under “{tab}”."
STUDENT, WITHDRAWAL = "Student", "Withdrawal"
DONE = "done: no lecture on record holds the student"
OPEN = "not done: something is left to do"
UNDER_WAY = "being carried out"
JOBS = {
    "queued": "waiting for other work to end",
    "running": "under way",
    "done": "done",
    "review": "look at this",
    "failed": "stopped",
    "cancelled": "cancelled",
}
AGAIN = "Carry it out again"

FORMS_HELP = (
    "The forms say what your course file says. Change the example, or drop your own file, and make the forms; nothing"
    " is kept here."
)
OWN_FILE = "Your course file (YAML)"
COURSE_FILE = "Course file"
LANGUAGE, PAPER = "Language", "Paper"
LANGUAGES = {"en": "English", "de": "German"}
PAPERS = {"a4": "A4", "letter": "Letter"}
MAKE_FORMS = "Make the forms"
KINDS = {
    "student": "Student",
    "guardian": "Parent or guardian",
    "approval": "Faculty approval",
    "notice": "Notice at the door",
    "dpia": "Impact assessment (DPIA)",
}
GRADE = "Reading grade {grade}"
TOO_LARGE = "{name} is larger than {most} kB and so no course file; choose another."
DOWNLOAD_FILE = "This course file"
