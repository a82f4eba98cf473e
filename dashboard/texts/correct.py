"""Words of the page that corrects states."""

from __future__ import annotations

HELP = (
    "Say what a student really did: click a span, watch it, click a state. Each click on a state is saved at once,"
    " under your name. `engage train states` learns from it."
)
NOT_YOURS = "Corrections are for instructors of the course; your role is to see the class."
NO_STUDENTS = "No student was found in this lecture, so there is nothing to correct."
STATES = "List only"
SURE = "Probability"
SURE_HELP = "How likely the state is by the model. The least sure spans teach it most."
NOBODY = "not named"

SPANS = "Spans ({shown} of {count})"
SPANS_HELP = "The longest, in order of time. Click one, then say below the video what it was."

WRITTEN = "Corrections of this lecture: {count}, yours: {mine}"
UNDO = "Undo my last"
NOTHING = "None yet."
OTHERS = "They are about students you have not opened."
REVIEWER, AT = "Reviewer", "Written (UTC)"

AGREEMENT = "Agreement"
AGREEMENT_HELP = (
    "Cohen's kappa: agreement beyond what chance would give, 1 is perfect, 0 is chance (words by Landis & Koch). It"
    " counts seconds both named. Seconds of one span are alike, and whoever sees the system's answer first tends to"
    " agree with it: few spans, or spans chosen because they looked wrong, say little about the system as a whole."
)
NO_AGREEMENT = "It is worked out once somebody has confirmed or corrected a span."
BETWEEN, SECONDS, SAME, KAPPA = "Between", "Seconds", "Same state", "Kappa"
PAIR = "{one} and {other}"
SYSTEM = "the system"
NO_KAPPA = "not defined: too little, or one state only"
