"""What pages need of a session's tables, read once and kept while the file on the disk is the same.

A page runs anew at every click; nearly a million rows are not read and joined each time. What is kept is shared by all
visitors and never altered; few lectures are kept, and a file that was written anew (a withdrawal) is read anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dashboard import library, player, texts
from pipeline.session import ENGAGEMENT, OBSERVATIONS, STATES, Session, SessionError
from reports import agreement
from reports.agreement import Agreement
from reports.errors import FormulaError
from reports.formula import CLASS, SHARE_PREFIX
from reports.ribbons import Ribbons, ribbons, spans

if TYPE_CHECKING:
    from models.anomaly import Scores

KEPT = 8
KEPT_S = 3600.0

_Stamp = tuple[str, str, tuple[int, int]]


def class_bins(session: Session) -> pd.DataFrame | None:
    """The class over time in bins for the screen; ``None`` where it has no value in any second.

    Raises:
        SessionError: the table is missing, deleted, damaged or of another profile.
    """
    return _class_bins(_stamp(session, ENGAGEMENT), session)


def student_rows(session: Session, students: tuple[int, ...]) -> pd.DataFrame:
    """The rows of ``engagement.csv`` about some students over the session.

    Raises:
        SessionError: as ``class_bins``.
    """
    table = _engagement(_stamp(session, ENGAGEMENT), session)
    return table[table["student"].isin(students)].reset_index(drop=True)


def numbers(session: Session) -> list[int]:
    """The students of a session.

    Raises:
        SessionError: as ``class_bins``.
    """
    table = _engagement(_stamp(session, ENGAGEMENT), session)
    return [int(student) for student in table["student"].dropna().unique()]


def student_bins(session: Session, students: tuple[int, ...]) -> Ribbons:
    """Some students over time in bins for the screen.

    Raises:
        SessionError: the states are missing, deleted or damaged.
    """
    return _ribbons(_stamp(session, STATES), session, students, player.step(session.manifest.duration))


def student_seconds(session: Session, student: int) -> Ribbons:
    """One student second by second.

    Raises:
        SessionError: as ``student_bins``.
    """
    return _ribbons(_stamp(session, STATES), session, (student,), 1)


def student_spans(session: Session, students: tuple[int, ...]) -> pd.DataFrame:
    """Runs of one state of some students, see ``reports.ribbons.spans``.

    Raises:
        SessionError: as ``student_bins``.
    """
    return _spans(_stamp(session, STATES), session, students)


def agreements(session: Session, corrections: pd.DataFrame) -> list[Agreement]:
    """How far reviewers and the system agree, see ``reports.agreement``.

    Raises:
        SessionError: as ``student_bins``.
    """
    return agreement.agreements(corrections, session.states_of(sorted(set(corrections["student"]))))


def similar(session: Session, student: int, t: float, most: int) -> pd.DataFrame:
    """The moments most like one, see ``models.moments.similar``.

    Raises:
        SessionError: the observations are missing, deleted or damaged.
        InputError: the student was not seen then.
    """
    from pipeline.similar import moments_like  # brings PyTorch along

    return moments_like(session, _scores(_stamp(session, OBSERVATIONS), session), student, t, most)


def latent_map(session: Session) -> pd.DataFrame:
    """Every second of every student laid out, see ``models.moments.latent_map``.

    Raises:
        SessionError, InputError, ModelFileError: as ``pipeline.similar.scores_of``.
    """
    return _latent_map(_stamp(session, OBSERVATIONS), session)


def _stamp(session: Session, name: str) -> _Stamp:
    """What changes when the file is written anew, or is no longer to be read."""
    path = session.folder / name
    return str(path), session.manifest.model_dump_json(include={"purged"}), library.written(path)


@st.cache_resource(max_entries=KEPT, ttl=KEPT_S, show_spinner=False)
def _engagement(of: _Stamp, _session: Session) -> pd.DataFrame:
    try:
        table = pd.DataFrame(_session.engagement)
    except SessionError:
        raise
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise SessionError(texts.UNREADABLE_TABLE.format(file=ENGAGEMENT, error=error)) from error
    shares = [SHARE_PREFIX + name for name in _session.state_names]
    for column in ("scope", "t", "student", "engagement", "coverage", "minutes_seen", *shares):
        if column not in table:
            raise SessionError(texts.UNREADABLE_TABLE.format(file=ENGAGEMENT, error=f"no column {column!r}"))
    return table


@st.cache_resource(max_entries=KEPT, ttl=KEPT_S, show_spinner=False)
def _class_bins(of: _Stamp, _session: Session) -> pd.DataFrame | None:
    table = _engagement(of, _session)
    if table.loc[table["scope"] == CLASS, "engagement"].isna().all():
        return None
    return player.binned(table, _session.manifest.duration)


@st.cache_resource(max_entries=KEPT, ttl=KEPT_S, show_spinner=False)
def _ribbons(of: _Stamp, _session: Session, students: tuple[int, ...], length: int) -> Ribbons:
    try:
        return ribbons(_session.states_of(students), _session.manifest.duration, length)
    except FormulaError as error:
        raise SessionError(str(error)) from error


@st.cache_resource(max_entries=KEPT, ttl=KEPT_S, show_spinner=False)
def _spans(of: _Stamp, _session: Session, students: tuple[int, ...]) -> pd.DataFrame:
    return spans(_ribbons(of, _session, students, 1), _session.manifest.duration)


@st.cache_resource(max_entries=1, ttl=KEPT_S, show_spinner=False)  # of a long lecture it is large
def _scores(of: _Stamp, _session: Session) -> Scores:
    from pipeline.similar import scores_of

    return scores_of(_session)


@st.cache_resource(max_entries=KEPT, ttl=KEPT_S, show_spinner=False)
def _latent_map(of: _Stamp, _session: Session) -> pd.DataFrame:
    from models.moments import latent_map as laid_out

    return laid_out(_scores(of, _session))
