"""Part of the page about consent: who approved a course, for what, and until when."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st

from consent.errors import ConsentError
from consent.policy import EVERY_RUN, Approval, Purpose
from consent.registry import Registry
from consent.roles import Role
from dashboard import texts
from dashboard.access import Visitor
from dashboard.texts import consent as words


def show(registry: Registry, visitor: Visitor, course: str) -> None:
    """The approvals of a course, the newest first, and whether one is valid today."""
    approvals = registry.approvals(course)
    today = date.today()
    valid = [one for one in approvals if one.valid_on(today)]
    if not approvals:
        st.warning(words.NO_APPROVAL, icon=":material/gavel:")
    elif not valid:
        st.warning(words.NOT_VALID_TODAY, icon=":material/event_busy:")
    else:
        st.success(words.VALID_TODAY.format(purposes=purposes(valid[-1].purposes)), icon=":material/check_circle:")
    if approvals:
        _table(approvals, today)
    if visitor.role is Role.ADMINISTRATOR:
        with st.expander(words.APPROVE, icon=":material/add:"):
            form(registry, course)


def form(registry: Registry, course: str | None) -> None:
    """Record an approval; of a course not yet on record where ``course`` is ``None``."""
    st.caption(words.APPROVE_HELP)
    with st.form(f"approval of {course}", border=False):
        name = st.text_input(words.COURSE_NAME, max_chars=200) if course is None else course
        by = st.text_input(words.APPROVED_BY, max_chars=200)
        first, last = st.columns(2)
        begins = first.date_input(words.FIRST_DAY, value="today", format="YYYY-MM-DD")
        ends = last.date_input(words.LAST_DAY, value=None, help=words.LAST_DAY_HELP, format="YYYY-MM-DD")
        asked = st.multiselect(
            words.PURPOSES_ASKED, list(Purpose), list(EVERY_RUN), format_func=lambda one: words.PURPOSES[one.value]
        )
        if st.form_submit_button(words.RECORD, type="primary"):
            try:
                approval = registry.approve(name, by, begins or date.today(), ends, None, asked)
            except ConsentError as error:
                st.error(texts.plain(str(error)))
                return
            told = words.APPROVED.format(by=texts.shortened(by), course=texts.shortened(approval.course or ""))
            st.toast(texts.plain(told))
            st.rerun()


def _table(approvals: tuple[Approval, ...], today: date) -> None:
    rows = [
        {
            words.STATE: state(one, today),
            words.BY: texts.shortened(one.approved_by),
            words.FROM: str(one.valid_from),
            words.UNTIL: str(one.valid_until or words.NO_END),
            words.FOR: purposes(one.purposes),
            words.EVIDENCE: texts.shortened(one.evidence_name) if one.evidence_name else words.NONE,
        }
        for one in reversed(approvals)
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="approvals")


def state(approval: Approval, today: date) -> str:
    """Whether an approval is valid, in words and days."""
    if today < approval.valid_from:
        return words.NOT_YET.format(days=days((approval.valid_from - today).days))
    if approval.valid_until is None:
        return words.VALID_NO_END
    left = (approval.valid_until - today).days
    return words.VALID_LEFT.format(days=days(left + 1)) if left >= 0 else words.EXPIRED.format(days=days(-left))


def days(count: int) -> str:
    """``1 day``, ``3 days``."""
    return words.ONE_DAY if count == 1 else words.DAYS.format(count=f"{count:,}")


def purposes(asked: tuple[Purpose, ...]) -> str:
    """In words, in one line."""
    return ", ".join(words.PURPOSES[one.value] for one in asked)
