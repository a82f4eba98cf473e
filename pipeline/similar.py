"""Moments of a lecture that are like one of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from models.anomaly import PRIOR, Scores, load_prior, score_seconds
from models.moments import similar
from pipeline.errors import InputError
from pipeline.places import places_by_second
from pipeline.session import Session
from pipeline.settings import settings_on_record


def scores_of(session: Session) -> Scores:
    """How unusual each moment of a session is, worked out anew, which is slow for a long lecture.

    Raises:
        InputError: nobody was seen in it.
        ModelFileError: the file of ordinary windows cannot be used.
        SessionError: the observations are missing, deleted or damaged.
    """
    settings = settings_on_record(session.manifest.config, session.manifest.profile).anomaly
    prior = load_prior(Path(settings.prior) if settings.prior else PRIOR)
    scored = score_seconds(places_by_second(session.observations), settings, prior)
    if scored is None:
        raise InputError(f"{session.folder}: nobody was seen in this lecture, so there are no moments to compare")
    return scored


def moments_like(session: Session, scored: Scores, student: int, t: float, most: int) -> pd.DataFrame:
    """The moments most like one, see ``models.moments.similar``; ``scored``: of the session, see ``scores_of``.

    Raises:
        InputError: the student was not seen then.
    """
    try:
        return similar(scored, student, t, most)
    except LookupError as error:
        raise InputError(f"{session.folder}: {error}; give a student and a moment from the annotated video") from None
