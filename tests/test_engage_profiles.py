"""From observations to the tables a user reads: what a profile does not allow is nowhere in them."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pipeline_corrections import HEAD, session
from typer.testing import CliRunner

from engage import app, scorer
from models.state_model import StateSettings, posterior
from models.states import INFERRED_EMOTION, Profile, State
from models.training.states import as_yaml
from pipeline.cues import CueSettings, seconds
from pipeline.session import BOX, EXTRA_COLUMNS, FACE_CUES, HEAD_BOX, HEAD_POSE, Session
from reports.formula import session_shares

RATE = 5


@st.composite
def recordings(draw: st.DrawFn) -> tuple[pd.DataFrame, float]:
    """Observations of a few students, wild or missing in part, and the length in seconds."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, students = draw(st.integers(1, 40)), draw(st.integers(0, 4))
    missing = draw(st.sampled_from([0.0, 0.4, 1.0]))
    parts = []
    for student in range(1, students + 1):
        t = np.arange(count) / RATE
        rows = pd.DataFrame({"frame": np.arange(count), "t": t, "student": student, "score": 0.9, "observed": True})
        x, y = 100.0 * student, rng.uniform(0, 50)
        rows = rows.assign(**dict(zip(BOX, (x, y, x + 80, y + 200), strict=True)))
        rows = rows.assign(**dict(zip(HEAD_BOX, (x + 20, y, x + 60, y + 50), strict=True)))
        angles = {name: rng.normal(0, 40, count) for name in HEAD_POSE}
        shares = {name: rng.uniform(0, 1, count) for name in (*FACE_CUES, *EXTRA_COLUMNS, "behaviour_write")}
        values = angles | shares | {"motion": rng.exponential(0.1, count)}
        for column in values.values():
            column[rng.random(count) < missing] = np.nan
        parts.append(rows.assign(**values))
    empty = ["frame", "t", "student", "score", "observed", *BOX, *HEAD_BOX, *HEAD_POSE, *FACE_CUES, "motion"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=empty).astype({"observed": bool})
    return table.astype({name: float for name in table if name not in ("student", "frame", "observed")}), count / RATE


@settings(max_examples=25, deadline=None)
@given(recordings())
def test_observable_infers_no_inner_state_in_any_table(recording):
    observations, length = recording
    cues = seconds(observations, length, 1 / RATE, CueSettings())
    states = posterior(cues, Profile.OBSERVABLE, StateSettings(), 1 / RATE)
    engagement, _ = scorer({})(states, Profile.OBSERVABLE)
    written = io.StringIO()
    engagement.to_csv(written)
    said = " ".join([*states.columns, *states["state"], *states["why"], written.getvalue()])
    for state in INFERRED_EMOTION:
        assert state.value not in said
    mass = states[[f"p_{state.value}" for state in Profile.OBSERVABLE.states]]
    assert np.allclose(mass.sum(axis=1)[states["coverage"] > 0], 1, atol=1e-5)
    assert not INFERRED_EMOTION & set(session_shares(engagement))


@settings(max_examples=10, deadline=None)
@given(recordings())
def test_the_profile_of_the_last_run_leaves_nothing(recording):
    observations, length = recording
    cues = seconds(observations, length, 1 / RATE, CueSettings())
    runs = [posterior(cues, profile, StateSettings(), 1 / RATE) for profile in (*Profile, *Profile)]
    for before, after in zip(runs[:2], runs[2:], strict=True):
        pd.testing.assert_frame_equal(before, after)
    assert len(runs[0]) == len(runs[1]) == len(cues)


# engage train states

SPANS = [(0, 3, 1, State.ATTENTIVE), (0, 3, 2, State.BORED)]


def corrected(folder) -> Session:
    return session(folder, HEAD + "".join(f"{a},{b},{who},{state.value}\n" for a, b, who, state in SPANS))


def train(*arguments: object):
    return CliRunner().invoke(app, ["train", "states", *map(str, arguments)])


def test_nothing_is_written_where_nothing_was_corrected(tmp_path):
    out = tmp_path / "states.yaml"
    result = train(session(tmp_path).folder, "--out", out)
    assert result.exit_code == 2
    assert not out.exists()


def test_what_is_not_better_is_refused_and_not_written(tmp_path):
    out = tmp_path / "states.yaml"
    # two students who look the same and are said to differ: nothing can be learned for those held out
    result = train(corrected(tmp_path).folder, "--out", out)
    assert result.exit_code == 1
    assert not out.exists()


def test_what_is_better_is_written_and_can_be_used(tmp_path, monkeypatch):
    from models.training.states import Outcome
    from pipeline.settings import read_settings

    table = pd.DataFrame([("log loss", 1.0, 0.5, 6)], columns=["what", "before", "after", "seconds"])
    learned = StateSettings(chances={State.BORED: {"ahead": 0.9}})
    monkeypatch.setattr("models.training.states.train", lambda *_: Outcome(learned, table, 2, 6))
    out = tmp_path / "states.yaml"
    result = train(corrected(tmp_path).folder, "--out", out)
    assert result.exit_code == 0, result.output
    assert str(out).split("/")[-1] in result.output.replace("\n", "")
    assert read_settings(out).states.chances[State.BORED]["ahead"] == pytest.approx(
        learned.chances[State.BORED]["ahead"], abs=1e-3
    )
    assert as_yaml(Outcome(learned, table, 2, 6), Profile.FULL) == out.read_text()
