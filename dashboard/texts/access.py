"""Words of the door."""

SIGN_IN = "Sign in"
SIGN_IN_HELP = "This dashboard shows lectures of your institution. Sign in with your account there."
SIGN_IN_EXPIRED = (
    "You are signed in no longer, or your provider does not vouch for your address. Sign in again; if you come back"
    " here, tell whoever runs this dashboard."
)
SIGN_OUT = "Sign out"
NO_ROLE = (
    "You are signed in as {name}, but no course has been opened to you yet. Ask whoever runs this dashboard, and give"
    " them this name."
)
SIGNED_IN = "Signed in as {name}, {role} of {courses}"
ALL_COURSES = "all courses"
ROLES = {"administrator": "administrator", "instructor": "instructor", "viewer": "viewer"}
NOT_YOURS = "This page is for the people who teach a course. Your role shows classes only, no single students."
