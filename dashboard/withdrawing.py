"""Part of the page about consent: what a withdrawal would do, starting one, and how far they are."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from consent.errors import ConsentError
from consent.policy import course_key
from consent.registry import Registry
from consent.withdrawals import Withdrawal
from dashboard import access, jobs, library, texts
from dashboard.access import Visitor
from dashboard.jobs import Job
from dashboard.texts import consent as words
from pipeline.consequences import Consequence, Effect, consequences
from pipeline.errors import InputError
from pipeline.session import SessionError

_PLAN = "plan of a withdrawal"
COMMAND = ("consent", "withdraw")
REFRESH_S = 2


def offer(registry: Registry, visitor: Visitor, course: str, student: str) -> None:
    """A student's withdrawal: first what would happen, then doing it."""
    who = texts.plain(texts.shortened(student))
    if _job(course, student) is not None:
        st.info(words.WITHDRAWING.format(student=who), icon=":material/hourglass_top:")
        return
    with st.expander(words.WITHDRAW, icon=":material/person_remove:", expanded=_PLAN in st.session_state):
        st.markdown(words.WITHDRAW_HELP.format(student=who))
        if st.button(words.SHOW_CONSEQUENCES):
            st.session_state[_PLAN] = course, student
        if st.session_state.get(_PLAN) != (course, student):
            st.session_state.pop(_PLAN, None)
            return
        try:
            withdrawal = registry.withdrawals.planned(course, student)
            folders = [library.folder()] if library.folder().is_dir() else []
            with st.spinner(words.SHOW_CONSEQUENCES):
                told = consequences(withdrawal, registry.sessions.of_course(course), folders)
        except (ConsentError, InputError, SessionError) as error:
            st.error(texts.plain(str(error)))
            return
        _consequences(visitor, withdrawal, told)
        sure = st.checkbox(words.SURE.format(student=who), key=f"sure of {course} {student}")
        if st.button(words.WITHDRAW_NOW, type="primary", disabled=not sure) and sure:
            _start(visitor, course, student)
            del st.session_state[_PLAN]
            st.rerun()


def _consequences(visitor: Visitor, withdrawal: Withdrawal, told: tuple[Consequence, ...]) -> None:
    shown = [one for one in told if one.folder.name or visitor.sees(None)]
    st.markdown(f"**{words.CONSEQUENCES}**")
    if not shown:
        st.markdown(words.NO_SESSIONS)
    else:
        rows = [{words.LECTURE: one.folder.name, words.EFFECT: sentence(one)} for one in shown]
        for row in rows if len(rows) <= 3 else ():
            st.markdown(f"**{texts.plain(row[words.LECTURE])}** {texts.plain(row[words.EFFECT])}")
        if len(rows) > 3:
            st.dataframe(pd.DataFrame(rows), hide_index=True, key="consequences")
    if withdrawal.zone is None and any(one.effect is Effect.EVERYBODY for one in told):
        who = texts.plain(texts.shortened(withdrawal.student))
        st.warning(words.SEAT_FIRST.format(student=who), icon=":material/event_seat:")
    st.caption(words.UNREACHED)


def sentence(one: Consequence) -> str:
    """What happens to a session, in words."""
    told = words.EFFECTS[one.effect.value]
    if one.effect is Effect.REMOVED and not one.students:
        return words.EFFECTS["others"].format(count=one.others)
    if one.effect is Effect.REMOVED:
        spans = words.NO_SPAN if not one.spans else words.ONE_SPAN if one.spans == 1 else words.SPANS
        numbers = ", ".join(map(str, one.students))
        return told.format(numbers=numbers, seconds=texts.clock(one.seconds), spans=spans.format(count=one.spans))
    return told.format(words=one.words or words.COVERED_BEFORE)


def _start(visitor: Visitor, course: str, student: str) -> None:
    """Queue the command; names from outside come after ``--``, so that none is an option."""
    where = library.folder()
    folders = [f"--sessions={where}"] if where.is_dir() else []
    title = words.JOB.format(student=texts.shortened(student))
    jobs.submit([*COMMAND, *folders, "--", course, student], title, course=course, account=visitor.name)


def _of(job: Job) -> tuple[str, str] | None:
    """Course and student of the withdrawal that a job carries out."""
    if job.command[:2] != COMMAND or "--" not in job.command:
        return None
    course, student = job.command[job.command.index("--") + 1 :]
    return course_key(course), student


def _job(course: str, student: str) -> Job | None:
    """The job that is to carry out a withdrawal, if there is one that has not ended."""
    under_way = (one for one in jobs.listed() if not one.state.ended)
    return next((one for one in under_way if _of(one) == (course_key(course), student)), None)


def listed(course: str) -> None:
    """The withdrawals of a course, and what became of carrying them out."""
    running = any(_of(one) is not None and not one.state.ended for one in jobs.listed())
    st.fragment(_listed, run_every=REFRESH_S if running else None)(course)


def _listed(course: str) -> None:
    visitor = access.visitor()  # anew: this part runs by itself, without the door before it
    if not (visitor.may_change and visitor.sees(course)):
        return
    newest: dict[str, Job] = {}
    for job in jobs.listed():  # those under way come first, then the newest
        of = _of(job)
        if of is not None and of[0] == course_key(course):
            newest.setdefault(of[1], job)
    with Registry.open() as registry:
        withdrawals = registry.withdrawals.of_course(course)
    waiting = {one.student for one in withdrawals}
    if not withdrawals and not newest:
        st.info(words.NO_WITHDRAWALS.format(tab=words.SEATS))
        return
    for one in reversed(withdrawals):
        _line(visitor, course, one.student, words.DONE if one.done else words.OPEN, one.done, newest.get(one.student))
    for student, job in newest.items():
        if student not in waiting:
            _line(visitor, course, student, words.UNDER_WAY, False, job)


def _line(visitor: Visitor, course: str, student: str, state: str, done: bool, job: Job | None) -> None:
    under_way = job is not None and not job.state.ended
    with st.container(border=True, key=f"withdrawal of {len(student)} {hash((course, student))}"):
        st.markdown(
            f"**{texts.plain(texts.shortened(student))}** {texts.plain(words.UNDER_WAY if under_way else state)}"
        )
        if job is not None and under_way:
            told = words.JOBS[job.state.value]
            reached = job.progress
            if reached is not None and reached.total:
                st.progress(min(reached.done / reached.total, 1.0), text=texts.plain(reached.stage))
            else:
                st.caption(told)
        elif job is not None and job.message:
            st.warning(texts.plain(job.message))
        if not done and not under_way and st.button(words.AGAIN, key=f"again {course} {student}"):
            _start(visitor, course, student)
            st.rerun()
