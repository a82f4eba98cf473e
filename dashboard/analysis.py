"""Starting an analysis: which recording of which course, whether that is permitted, and into the queue with it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Final

import streamlit as st

from consent.errors import ConsentError, NotPermitted
from consent.policy import Blur
from dashboard import access, jobs, library, recordings, standing, texts
from dashboard.access import Visitor
from dashboard.texts import lectures as words
from models.states import Profile
from pipeline.errors import InputError
from pipeline.store import session_id
from reports.words import profile_sentence

DEMO_COURSE: Final = "demo"
DEMO_CLIP: Final = Path("classroom.mp4")
"""As ``engage demo`` calls them."""

_SENT: Final = "files sent"
"""In the state of a visit: how many files were sent, so that the box for the next one is empty."""


def form() -> None:
    """Everything needed to analyse a recording, for whoever may change records."""
    visitor = access.visitor()
    try:
        courses = [one for one in standing.courses() if visitor.sees(one)]
    except ConsentError as error:
        st.error(texts.plain(str(error)))
        return
    if not courses:
        st.markdown(words.NO_COURSES_FOR_YOU if visitor.courses else words.NO_COURSES)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        course = st.selectbox(
            words.COURSE, courses, format_func=texts.shortened, help=words.START_COURSE_HELP, key="new course"
        )
        chosen = _from_folder(course, visitor)
        sent = st.file_uploader(
            words.UPLOAD.format(most=recordings.LARGEST_MB),
            [ending[1:] for ending in recordings.ENDINGS],
            key=f"new file {st.session_state.get(_SENT, 0)}",
            help=words.UPLOAD_HELP,
        )
    with right:
        profile = Profile(
            st.selectbox(
                words.PROFILE,
                [one.value for one in Profile],
                format_func=words.PROFILES.__getitem__,
                help=texts.plain(profile_sentence(Profile.FULL)),
                key="new profile",
            )
        )
        blur = Blur(
            st.selectbox(
                words.BLUR,
                [one.value for one in (Blur.OPTED_OUT, Blur.EVERYONE, Blur.NOBODY)],
                format_func=words.BLURS.__getitem__,
                key="new blur",
            )
        )
        day = st.date_input(
            words.LECTURE_DAY,
            date.today(),
            max_value=date.today(),
            format="YYYY-MM-DD",
            help=words.LECTURE_DAY_HELP,
            key="new day",
        )
        permitted = _gate(course, blur)
        replace = _replace(course, chosen, sent, visitor)
    asked = st.button(words.BEGIN, type="primary", help=words.BEGIN_HELP, disabled=not permitted, key="new begin")
    if asked and permitted:  # the gate may have shut since the button was drawn
        try:
            _begin(course, chosen, sent, profile, blur, day, replace, visitor)
        except InputError as error:
            st.error(texts.plain(str(error)))


def _from_folder(course: str, visitor: Visitor) -> Path | None:
    if recordings.folder() is None:
        st.caption(words.NO_FOLDER)
        return None
    offered = recordings.offered(course, everything=visitor.sees(None))
    if not offered:
        st.caption(words.EMPTY_FOLDER)
        return None
    name = st.selectbox(
        words.CHOOSE_RECORDING,
        list(offered),
        index=None,
        format_func=texts.shortened,
        placeholder=words.RECORDING,
        key=f"new recording of {course}",
    )
    return None if name is None else offered.get(name)


def _gate(course: str, blur: Blur) -> bool:
    """Say whether the analysis is permitted, and under what."""
    try:
        found = standing.gate(course, blur, date.today())
    except (NotPermitted, ConsentError) as error:
        st.error(words.GATE_SHUT.format(why=texts.plain(str(error))), icon=":material/lock:")
        return False
    until = found.approval.valid_until
    st.info(
        words.GATE_OPEN.format(
            by=texts.plain(found.approval.approved_by, texts.LONGEST_NAME),
            until="" if until is None else words.GATE_UNTIL.format(day=until),
            cover=texts.plain(found.policy.reason[:1].upper() + found.policy.reason[1:]),
        ),
        icon=":material/verified_user:",
    )
    return True


def _replace(course: str, chosen: Path | None, sent: Any, visitor: Visitor) -> bool:
    """Ask whether an earlier analysis of the same recording may be replaced, where there is one to be seen."""
    if chosen is None and sent is None:
        return False
    try:
        file = chosen if chosen is not None else Path(recordings.file_name(sent.name))
    except InputError:  # said when it is begun
        return False
    name = session_id(file, course)
    there = library.load(library.folder()).seen_by(visitor.sees)
    if name not in there.sessions and name not in there.broken:
        return False
    return st.checkbox(words.REPLACE, help=words.REPLACE_HELP.format(name=texts.plain(name)), key=f"replace {name}")


def _begin(
    course: str,
    chosen: Path | None,
    sent: Any,
    profile: Profile,
    blur: Blur,
    day: date,
    replace: bool,
    visitor: Visitor,
) -> None:
    """Look at the recording and queue its analysis.

    Raises:
        InputError: there is none, or it is no video.
    """
    if chosen is None and sent is None:
        raise InputError(words.CHOOSE_ONE)
    if chosen is not None and sent is not None:
        raise InputError(words.CHOOSE_ONE_ONLY)
    upload = None
    if chosen is not None:
        file = chosen
        recordings.looked_at(file)
    else:
        upload, file = recordings.receive(sent.name, sent, jobs.Queue(library.folder().absolute()).uploads)
    command = [
        "run",
        str(file.absolute()),
        f"--out={library.folder().absolute()}",
        f"--course={course}",
        f"--profile={profile.value}",
        f"--blur={blur.value}",
        f"--lecture-day={day}",
        *(["--overwrite"] if replace else []),
    ]
    title = words.TITLE.format(recording=texts.shortened(file.name), course=texts.shortened(course))
    jobs.submit(command, title, course=course, session=session_id(file, course), account=visitor.name, upload=upload)
    st.session_state[_SENT] = st.session_state.get(_SENT, 0) + 1
    st.rerun()  # it is seen among the work under way


def demo() -> None:
    """A button that analyses the clip which comes with the program: its people are rendered, nobody has to be asked."""
    if st.button(words.TRY_DEMO, help=words.TRY_DEMO_HELP, icon=":material/play_circle:"):
        out = f"--out={library.folder().absolute()}"
        jobs.submit(["demo", out], words.DEMO_TITLE, course=DEMO_COURSE, session=session_id(DEMO_CLIP, DEMO_COURSE))
        st.rerun()
