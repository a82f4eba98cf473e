"""Moments of a session like one of it: nobody first, a moment that is none, then scores as the analysis had them."""

from __future__ import annotations

import numpy as np
import pytest

from models.anomaly import AnomalySettings, load_prior, score_seconds
from pipeline.errors import InputError
from pipeline.places import places_by_second
from pipeline.session import Session
from pipeline.similar import moments_like, scores_of


def test_of_nobody_there_are_no_moments(make_session, tmp_path) -> None:
    with pytest.raises(InputError, match="nobody was seen in this lecture"):
        scores_of(Session.open(make_session(tmp_path, students=0)))


def test_a_session_is_scored_again_as_it_was(make_session, tmp_path) -> None:
    session = Session.open(make_session(tmp_path, students=3, seconds=40))
    first = score_seconds(places_by_second(session.observations), AnomalySettings(), load_prior())
    assert first is not None
    again = scores_of(session)
    np.testing.assert_array_equal(again.values, first.values)
    assert len(moments_like(session, again, 1, 20.0, 2)) == 2
    with pytest.raises(InputError, match="give a student and a moment"):
        moments_like(session, again, 99, 20.0, 2)
