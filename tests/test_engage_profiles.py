"""From observations to the tables a user reads: what a profile does not allow is nowhere in them."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_pipeline_lessons import HEAD, session
from test_pipeline_render import annotated, classroom, noise
from test_reports_report import blocks, simulated_session, table_under
from typer.testing import CliRunner

import pipeline.render
from dashboard.player import Shown, binned, packed
from engage import app, scorer
from models.state_model import StateSettings, posterior
from models.states import INFERRED_EMOTION, UNSEEN, Profile, State
from models.training.states import as_yaml
from pipeline.cues import CueSettings, seconds
from pipeline.session import BOX, EXTRA_COLUMNS, FACE_CUES, HEAD_BOX, HEAD_POSE, Session
from reports.formula import session_shares
from reports.report import report_content
from reports.ribbons import ribbons

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


def calm(students: int, length: float, **changes: float) -> pd.DataFrame:
    """Observations of students who sit and look ahead; ``changes`` replace columns."""
    parts = []
    for student in range(1, students + 1):
        t = np.arange(round(length * RATE)) / RATE
        rows = pd.DataFrame({"frame": np.arange(len(t)), "t": t, "student": student, "score": 0.9, "observed": True})
        x = 100.0 * student
        rows = rows.assign(**dict(zip(BOX, (x, 0.0, x + 80, 200.0), strict=True)))
        rows = rows.assign(**dict(zip(HEAD_BOX, (x + 20, 0.0, x + 60, 50.0), strict=True)))
        values = dict.fromkeys((*HEAD_POSE, "brow_furrow", "mouth_open", "motion"), 0.0) | {"eye_open": 0.8}
        parts.append(rows.assign(**(values | changes)))
    return pd.concat(parts, ignore_index=True)


BLIND = dict.fromkeys((*HEAD_POSE, *FACE_CUES), np.nan)
DEGENERATE = {
    "one student": (calm(1, 20.0), 20.0, State.ATTENTIVE.value),
    "one second": (calm(3, 1.0), 1.0, State.ATTENTIVE.value),
    "no faces": (calm(3, 20.0, **BLIND), 20.0, UNSEEN),
    "all NaN": (calm(3, 20.0, **dict.fromkeys(HEAD_BOX, np.nan), **BLIND, motion=np.nan), 20.0, UNSEEN),
}


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("case", DEGENERATE)
def test_lectures_with_next_to_nothing_in_them(case, profile):
    observations, length, expected = DEGENERATE[case]
    cues = seconds(observations, length, 1 / RATE, CueSettings())
    states = posterior(cues, profile, StateSettings(), 1 / RATE)
    assert len(states) == observations["student"].nunique() * length
    assert set(states["state"]) == {expected}
    assert (states["coverage"] > 0).all() == (expected != UNSEEN)
    _, summary = scorer({"withhold_below": 1})(states, profile)
    assert (summary.mean is None) == (expected == UNSEEN)


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


@settings(max_examples=4, deadline=None)
@given(recordings())
def test_observable_shows_no_inner_state_in_session_video_report_and_dashboard(recording):
    observations, length = recording
    cues = seconds(observations, length, 1 / RATE, CueSettings())
    states = posterior(cues, Profile.OBSERVABLE, StateSettings(), 1 / RATE)
    assume(len(states))
    engagement, _ = scorer({"withhold_below": 1})(states, Profile.OBSERVABLE)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        recorded = simulated_session(Path(folder) / "s", states, profile="observable", config={"withhold_below": 1})
        shown = [*recorded.state_names, *recorded.states, *recorded.states["state"]]
        content = report_content(recorded)
        shown += [row[0] for row in table_under(content, "The engagement index")]
        shown += [one["svg"] + one["alt"] for one in blocks(content) if one["kind"] == "figure"]
        timeline, single = binned(engagement, length), ribbons(recorded.states, length, 1)
        page = Shown("s", length, recorded.manifest.profile.states, None, bins=timeline, ribbons=single)
        shown.append(json.dumps(packed(page)))
        texts: list[str] = []
        drawn, label = pipeline.render.put_text, pipeline.render._label
        patch.setattr(
            pipeline.render, "put_text", lambda image, text, *more: texts.append(text) or drawn(image, text, *more)
        )
        patch.setattr(pipeline.render, "_label", lambda *given: texts.append(label(*given)) or texts[-1])
        annotated(noise((1280, 720)), classroom(list(states["state"][:8]), (1280, 720)), profile=Profile.OBSERVABLE)
        assert any(text.startswith("1") for text in texts)
    said = " ".join([*shown, *texts]).lower()
    for state in INFERRED_EMOTION:
        assert state.value not in said


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
