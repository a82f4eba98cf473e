"""What is being worked on in the background: progress, cancelling, and how earlier work ended."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard import access, choice, jobs, library, pages, texts
from dashboard.jobs import Job, JobState
from dashboard.texts import lectures as words

EVERY_S: Final = 1.0
_UNDER_WAY: Final = "jobs under way"
"""In the state of a visit: the jobs that were not finished when the page was last drawn."""


def show() -> None:
    """What is under way or failed last, of the courses the visitor sees; it keeps itself up to date."""
    mine = _seen()
    active = [job for job in mine if not job.state.ended]
    st.session_state[_UNDER_WAY] = [job.id for job in active]
    if active:
        st.fragment(_active, run_every=EVERY_S)()
    elif mine and mine[0].state in (JobState.FAILED, JobState.REVIEW):
        _said(mine[0])


def earlier() -> None:
    """How earlier work ended, newest first."""
    ended = [job for job in _seen() if job.state.ended]
    if ended:
        with st.expander(words.EARLIER.format(count=len(ended)), icon=":material/history:"):
            for job in ended:
                _ended(job)


def _seen() -> list[Job]:
    visitor = access.visitor()
    return [job for job in jobs.listed() if visitor.sees(job.course)]


def _active() -> None:
    active = [job for job in _seen() if not job.state.ended]
    if {job.id for job in active} != set(st.session_state.get(_UNDER_WAY, [])):
        st.rerun()  # the table of lectures may have a new one
    st.markdown(f"**{words.WORK}**")
    may_change = access.visitor().may_change
    for job in active:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            with st.container():
                st.markdown(f"**{texts.plain(job.title, texts.LONGEST_NAME)}**")
                st.progress(_share(job), text=_progress(job))
            st.button(
                words.CANCEL,
                key=f"cancel {job.id}",
                help=words.CANCEL_HELP,
                disabled=job.stopping or not may_change,
                on_click=_cancel,
                args=(job.id,),
            )


def _cancel(job: int) -> None:
    if access.visitor().may_change and any(one.id == job for one in _seen()):
        jobs.cancel(job)


def _share(job: Job) -> float:
    if job.progress is None or not job.progress.total:
        return 0.0
    return min(job.progress.done / job.progress.total, 1.0)


def _progress(job: Job) -> str:
    """How far a job is, in one line."""
    if job.stopping:
        return words.STOPPING
    if job.state is JobState.QUEUED:
        return words.WAITING
    reached = job.progress
    if reached is None:
        return words.STARTING
    stage = words.STAGES.get(reached.stage, reached.stage)
    if not reached.total:
        return words.PROGRESS_UNKNOWN.format(stage=stage, done=reached.done)
    left = "" if reached.left is None else words.TIME_LEFT.format(left=texts.clock(reached.left))
    return words.PROGRESS.format(stage=stage, done=reached.done, total=reached.total, left=left)


def _said(job: Job) -> None:
    sentence = f"**{texts.plain(job.title, texts.LONGEST_NAME)}** {texts.plain(job.message)}"
    if job.state is JobState.FAILED:
        st.error(sentence, icon=":material/error:")
    else:
        st.warning(sentence, icon=":material/visibility:")


def _ended(job: Job) -> None:
    sentence = f"**{texts.plain(job.title, texts.LONGEST_NAME)}** · {words.STATES[job.state.value]}"
    if job.message:
        sentence += f" · {texts.plain(job.message)}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{sentence} · {texts.moment(job.ended or job.created)}")
        found = job.session is not None and job.state in (JobState.DONE, JobState.REVIEW)
        if found and job.session in library.load(library.folder()).sessions:
            st.page_link(pages.entry("review"), label=words.LOOK, query_params={choice.QUERY: job.session or ""})
