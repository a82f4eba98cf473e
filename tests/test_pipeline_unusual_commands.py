from __future__ import annotations

import re

import pandas as pd
import pytest
from typer.testing import CliRunner

import engage
from models.anomaly import AnomalySettings, load_prior, score_seconds
from models.moments import APART_S, latent_map, similar
from models.ordinary import simulated
from pipeline.errors import InputError
from pipeline.places import places_by_second
from pipeline.session import Session
from pipeline.unusual_commands import clock, seconds_of

runner = CliRunner()


@pytest.mark.parametrize(("moment", "t"), [("0", 0), ("12:40", 760), ("1:02:40", 3760), ("5.5", 5.5)])
def test_moments_are_read(moment, t):
    assert seconds_of(moment) == t
    assert clock(t) == {"0": "0:00", "5.5": "0:05"}.get(moment, moment)


@pytest.mark.parametrize("moment", ["", "soon", "1:2:3:4", "-5", "12:"])
def test_what_is_no_moment_is_said(moment):
    with pytest.raises(InputError, match="not a moment"):
        seconds_of(moment)


@pytest.fixture(scope="module")
def scored():
    rows = simulated(4, 300, 2)
    waving = ((rows["student"] == 1) & rows["t"].between(50, 58)) | (
        (rows["student"] == 3) & rows["t"].between(200, 208)
    )
    rows.loc[waving, ["motion", "behaviour_raise_hand"]] = (0.8, 1.0)
    rows.loc[waving, "y"] -= 0.6 * rows.loc[waving, "height"]
    return score_seconds(rows, AnomalySettings(), load_prior())


def test_the_moment_most_alike_is_the_other_one_who_waved(scored):
    found = similar(scored, 1, 54, 3)
    assert found["student"].iloc[0] == 3
    assert 196 <= found["t"].iloc[0] <= 212
    assert found["distance"].is_monotonic_increasing
    for _, own in found.groupby("student"):
        assert (own["t"].sort_values().diff().dropna() >= APART_S).all()


def test_a_moment_when_nobody_was_there(scored):
    with pytest.raises(LookupError, match="student 9 was not seen at 54 s"):
        similar(scored, 9, 54, 3)


def test_the_map_has_every_seen_second(scored):
    flat = latent_map(scored)
    assert len(flat) == scored.made.seen.sum()
    assert flat.notna().all().all()
    assert flat["x"].var() >= flat["y"].var()


def test_the_commands_on_a_session(make_session, tmp_path):
    folder = make_session(tmp_path, name="a", students=3, seconds=60)
    listed = runner.invoke(engage.app, ["similar", str(folder), "--student", "1", "--at", "0:20", "--most", "2"])
    assert listed.exit_code == 0, listed.output
    assert len(listed.output.splitlines()) == 3
    nobody = runner.invoke(engage.app, ["similar", str(folder), "--student", "99", "--at", "0:20"])
    assert nobody.exit_code == 2
    made = runner.invoke(engage.app, ["train", "anomaly", str(folder), "--out", str(tmp_path / "own.npz")])
    assert made.exit_code == 0, made.output
    assert re.search(r"latent units in use: \d+ of \d+ and \d+ of \d+", made.output)
    assert len(load_prior(tmp_path / "own.npz").rows)


def test_unobserved_rows_say_nothing(make_session, tmp_path):
    rows = Session.open(make_session(tmp_path, name="b", students=2, seconds=30)).observations
    assert places_by_second(rows.assign(observed=False)).empty
    assert isinstance(places_by_second(rows), pd.DataFrame)
