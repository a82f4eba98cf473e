"""Part of the page about consent: who sits where and said what, on a picture of the room, and recording an answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from consent.errors import ConsentError
from consent.policy import EVERY_RUN, OptOut, Purpose
from consent.registry import Registry
from consent.students import Student
from dashboard import approvals, library, room, texts, withdrawing
from dashboard.access import Visitor
from dashboard.room import Place, Standing
from dashboard.texts import consent as words
from pipeline.seat_zone import seat_of
from pipeline.session import MANIFEST, Session, SessionError

_CHOSEN = "place chosen"
_NEXT = "place to choose next"
"""What is chosen belongs to the box once that is drawn, so a choice of ours waits for the next run."""
_CHART = "seats"
WIDTH = 640
ANSWERS_WIDTH = 520
"""px of the picture and of the answers: side by side they fit a screen of 1280."""


def show(registry: Registry, visitor: Visitor, course: str, sessions: dict[str, Session]) -> None:
    """The room of a course, and the answers of the student or seat chosen in it."""
    if _NEXT in st.session_state:
        st.session_state[_CHOSEN] = st.session_state.pop(_NEXT)
    beside = st.container(horizontal=True, gap="medium")  # one below the other where the screen is narrow
    left, right = beside.container(width=WIDTH), beside.container(width=ANSWERS_WIDTH)
    with left:
        session = _session(sessions)
        students, opt_outs = registry.students.on_record(course), registry.opt_outs(course)
        try:
            found = room.places(students, opt_outs, session)
        except SessionError as error:
            st.error(texts.plain(str(error)))
            found = room.places(students, opt_outs, None)
        if unseated := sum(one.standing is Standing.NO and one.zone is None for one in found):
            st.warning(words.UNSEATED_NO.format(count=unseated), icon=":material/visibility_off:")
        _picture(found, session)
    with right:
        place = _chosen(found)
        if place is None:
            st.info(words.PICK_FIRST)
            _new_student(registry, course)
        elif place.student is not None:
            _student(registry, course, place, students, opt_outs)
            withdrawing.offer(registry, visitor, course, place.student)
        elif place.number is not None and session is not None:
            names = sorted(found, key=lambda one: one.zone is not None)
            _free_seat(registry, course, place.number, session, [one.student for one in names if one.student])


def _session(sessions: dict[str, Session]) -> Session | None:
    """The session whose picture is shown: the newest, or another."""
    if len(sessions) < 2:
        return next(iter(sessions.values()), None)
    name = st.selectbox(words.SESSION, list(sessions), format_func=texts.shortened)
    return sessions[name]


def _picture(found: list[Place], session: Session | None) -> None:
    image = None
    if session is not None:
        with st.spinner(words.SESSION):
            image = _image(str(session.folder), library.written(session.folder / MANIFEST))
    if image is None and not any(one.zone is not None for one in found):
        st.info(words.NO_PICTURE, icon=":material/hide_image:")
        return
    aspect = session.manifest.height / session.manifest.width if session is not None else 9 / 16
    chosen = st.session_state.get(_CHOSEN)
    st.altair_chart(
        room.chart(found, image, aspect, chosen, WIDTH), key=_CHART, on_select=_clicked, width="content", theme=None
    )
    st.caption(words.PICTURE_HELP if image is not None else words.PLAN_ONLY)


@st.cache_data(max_entries=16, show_spinner=False)
def _image(folder: str, written: tuple[int, int]) -> bytes | None:
    """Made once, and again when the session is ``written`` anew, as by a withdrawal."""
    return room.picture(Session.open(Path(folder)))


def _clicked() -> None:
    selection = st.session_state[_CHART]["selection"].get("seat", [])
    if selection:
        st.session_state[_CHOSEN] = selection[0]["place"]


def _chosen(found: list[Place]) -> Place | None:
    by_key = {one.key: one for one in found if one.standing is not Standing.ZONE}
    if st.session_state.get(_CHOSEN) not in by_key:
        st.session_state[_CHOSEN] = None
    key = st.selectbox(
        words.CHOOSE,
        list(by_key),
        index=None,
        placeholder=words.CHOOSE_PLACEHOLDER,
        format_func=lambda key: str(by_key[key]),
        key=_CHOSEN,
    )
    return None if key is None else by_key[key]


def _free_seat(registry: Registry, course: str, number: int, session: Session, known: list[str]) -> None:
    """Say who sits in a seat: somebody ``known``, first those whose seat is not, or somebody new."""
    with st.form("who sits here"):
        st.markdown(f"**{words.WHO_SITS.format(number=number)}**")
        student = st.selectbox(
            words.PSEUDONYM,
            known,
            index=None,
            format_func=texts.shortened,
            placeholder=words.PSEUDONYM_PLACEHOLDER,
            help=words.PSEUDONYM_HELP,
            accept_new_options=True,
        )
        if st.form_submit_button(words.PUT_ON_RECORD, type="primary") and student is not None:
            _do(lambda: _seat(registry, course, student, session, number), f"student {student.strip()}")


def _seat(registry: Registry, course: str, student: str, session: Session, number: int) -> str:
    seat = seat_of(session, number)
    registry.students.enter(course, student, seat=seat.zone)
    if seat.others:
        return words.SHARED_SEAT.format(student=student, why=seat.sentence())
    return words.SITS_NOW.format(student=student, number=number)


def _new_student(registry: Registry, course: str) -> None:
    with st.expander(words.NEW_STUDENT, icon=":material/person_add:"), st.form("new student", border=False):
        student = st.text_input(words.PSEUDONYM, help=words.PSEUDONYM_HELP, max_chars=60)
        said = st.radio(words.ANSWER, [True, False], format_func=_answer, horizontal=True, index=None)
        if st.form_submit_button(words.RECORD):
            _do(lambda: _enter(registry, course, student, said), f"student {student.strip()}")


def _enter(registry: Registry, course: str, student: str, said: bool | None) -> str:
    if said is None:
        registry.students.enter(course, student)
        return texts.shortened(student)
    return _decide(registry, course, student, list(EVERY_RUN), said, "")


def _student(
    registry: Registry, course: str, place: Place, students: tuple[Student, ...], opt_outs: tuple[OptOut, ...]
) -> None:
    student = place.student or ""
    record = next((one for one in students if one.pseudonym == student), None)
    given = {one.purpose: one for one in record.decisions} if record is not None else {}
    st.markdown(f"**{texts.plain(words.ANSWERS.format(student=texts.shortened(student)))}**")
    rows = [
        {
            words.ABOUT: words.PURPOSES[one.value],
            words.ANSWER: _answer(given[one].granted) if one in given else words.SILENT,
            words.SINCE: str(given[one].recorded_at.date()) if one in given else "–",
        }
        for one in Purpose
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="answers", row_height=30)
    with st.expander(words.DECIDE, icon=":material/how_to_vote:"), st.form("answer", border=False):
        asked = st.multiselect(
            words.ABOUT, list(Purpose), list(EVERY_RUN), format_func=lambda one: words.PURPOSES[one.value]
        )
        said = st.radio(words.ANSWER, [True, False], format_func=_answer, horizontal=True, index=None)
        version = st.text_input(words.FORM_VERSION, help=words.FORM_VERSION_HELP, max_chars=64)
        if st.form_submit_button(words.RECORD, type="primary") and said is not None:
            _do(lambda: _decide(registry, course, student, asked, said, version), place.key)
    by_opt_out = any(one.student == student for one in opt_outs)
    refuses = any(not given[one].granted for one in EVERY_RUN if one in given)
    if not by_opt_out:
        if st.button(words.OPT_OUT, help=words.OPT_OUT_HELP, icon=":material/visibility_off:"):
            _do(lambda: _opt_out(registry, course, student), place.key)
    elif not refuses and st.button(words.OPT_IN, icon=":material/undo:"):
        _do(lambda: _opt_in(registry, course, student), place.key)


def _decide(registry: Registry, course: str, student: str, asked: list[Purpose], said: bool, version: str) -> str:
    registry.students.decide(course, student, asked, said, version.strip() or None)
    about = approvals.purposes(tuple(asked))
    return words.DECIDED.format(student=texts.shortened(student), answer=_answer(said), purposes=about)


def _opt_out(registry: Registry, course: str, student: str) -> str:
    registry.opt_out(course, student)
    return words.OPTED_OUT.format(student=texts.shortened(student))


def _opt_in(registry: Registry, course: str, student: str) -> str:
    registry.opt_in(course, student)
    still = any(one.student == student for one in registry.opt_outs(course))
    return words.OPTED_IN.format(student=texts.shortened(student)) + (f" {words.STILL_NO}" if still else "")


def _answer(said: bool) -> str:
    return words.YES if said else words.NO


def _do(change: Callable[[], str], then: str) -> None:
    """Make a change and run the page anew with ``then`` chosen, or say why it could not be made."""
    try:
        told = change()
    except (ConsentError, SessionError) as error:
        st.error(texts.plain(str(error)))
        return
    st.toast(texts.plain(told))
    st.session_state[_NEXT] = then
    st.rerun()
