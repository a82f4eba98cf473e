from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from models.anomaly import PRIOR, AnomalySettings, Prior, load_prior, save_prior, score_seconds, unusual_spans
from models.errors import ModelFileError, TrainingDataError
from models.extremes import Tail
from models.ordinary import simulated
from models.training.anomaly import make_prior
from models.windows import CUES, PLACE_COLUMNS
from pipeline.session import EVENT_COLUMNS

SETTINGS = AnomalySettings()
WORDS = {word for cue in CUES.values() for word in (cue.low, cue.high)} | {"left and came back"}


def seated(seconds: int = 60, student: int = 1, seed: int = 0) -> pd.DataFrame:
    """A student who sits and sways a little."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "student": student,
            "t": np.arange(seconds, dtype=float),
            "motion": rng.uniform(0.02, 0.06, seconds),
            "x": 300 * student + rng.normal(0, 1.0, seconds),
            "y": 200 + rng.normal(0, 1.0, seconds),
            "height": 150 + rng.normal(0, 1.0, seconds),
        }
    )


def on_the_chair(rows: pd.DataFrame, student: int, start: int, end: int) -> pd.DataFrame:
    """The student climbs on the chair and waves."""
    rows = rows.copy()
    up = (rows["student"] == student) & rows["t"].between(start, end - 1)
    height = rows.loc[up, "height"]
    rows.loc[up, "y"] -= 0.8 * height
    rows.loc[up, "motion"] = 0.5
    rows.loc[up, "height"] = 2.0 * height
    return rows


# nothing to find


@pytest.mark.parametrize(
    "places",
    [
        pd.DataFrame(columns=list(PLACE_COLUMNS), dtype=float),
        seated(1),
        seated(60).assign(motion=np.nan, x=np.nan, y=np.nan, height=np.nan),
        seated(60).assign(x=np.inf, y=-np.inf, height=np.inf),
        seated(60).assign(motion=0.0, x=5.0, y=5.0, height=10.0),
        seated(60).assign(motion=50.0),
        seated(60),
    ],
    ids=["no rows", "one second", "never seen", "infinite", "still as a stone", "always in motion", "ordinary"],
)
def test_no_span_in(places):
    events = unusual_spans(places, SETTINGS)
    assert events.empty
    assert tuple(events.columns) == EVENT_COLUMNS


@pytest.mark.parametrize("column", ["motion", "x", "y", "height"])
def test_numbers_that_are_none_count_as_not_seen(column):
    rows = on_the_chair(seated(120), 1, 20, 27)
    rows.loc[rows["t"].between(60, 62), column] = np.inf
    rows.loc[rows["t"].between(90, 92), column] = np.nan
    events = unusual_spans(rows, SETTINGS)
    assert len(events) == 1
    assert events["start"].iloc[0] == pytest.approx(20, abs=2)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_the_size_of_the_picture_does_not_matter(scale):
    rows = on_the_chair(seated(90), 1, 20, 27)
    scaled = rows.assign(**{name: rows[name] * scale for name in ("x", "y", "height")})
    one, other = unusual_spans(rows, SETTINGS), unusual_spans(scaled, SETTINGS)
    pd.testing.assert_frame_equal(one, other, rtol=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [{"false_alarms_per_hour": 0}, {"release": 0.5}, {"window_s": 0}, {"min_s": 0}, {"join_s": -1}, {"limit": 3}],
)
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(ValidationError):
        AnomalySettings(**wrong)


# the file of ordinary windows


def test_a_file_that_is_none_is_said(tmp_path):
    with pytest.raises(ModelFileError, match="train anomaly"):
        load_prior(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ModelFileError, match="train anomaly"):
        unusual_spans(seated(), AnomalySettings(prior=str(tmp_path / "text.npz")))


def test_windows_of_another_length_are_said():
    with pytest.raises(ModelFileError, match="--window-s 7"):
        unusual_spans(seated(), AnomalySettings(window_s=7))


def test_what_is_written_is_read(tmp_path):
    prior = Prior(np.array([[0.5, np.nan], [-2.0, 1.0]]), Tail(1.0, 0.5, 0.1, 30.0))
    save_prior(prior, tmp_path / "a.npz")
    read = load_prior(tmp_path / "a.npz")
    np.testing.assert_array_equal(read.rows, prior.rows)
    assert read.tail == prior.tail


def test_nobody_to_learn_from_is_said():
    with pytest.raises(TrainingDataError, match="no student"):
        make_prior([pd.DataFrame(columns=list(PLACE_COLUMNS), dtype=float)], SETTINGS)


def test_own_lectures_take_the_place_of_the_simulation():
    prior = make_prior([simulated(4, 200, 3)], AnomalySettings(window_s=3))
    assert prior.rows.shape == (pytest.approx(800, abs=60), 3 * len(CUES))
    frequent = AnomalySettings(window_s=3, false_alarms_per_hour=20.0)  # so short a lecture tells little of its tail
    events = unusual_spans(on_the_chair(simulated(6, 120, 5), 1, 20, 27), frequent, prior)
    assert events["student"].iloc[0] == 1


def test_the_shipped_file_is_small():
    assert PRIOR.stat().st_size < 400_000


# a class in which somebody climbs on the chair


@pytest.fixture(scope="module")
def lively():
    return on_the_chair(simulated(10, 600, 7), 4, 300, 308)


def test_the_student_on_the_chair_is_the_top_event(lively):
    events = unusual_spans(lively, SETTINGS)
    top = events.iloc[0]
    assert top["student"] == 4
    overlap = min(top["end"], 308) - max(top["start"], 300)
    assert overlap / (max(top["end"], 308) - min(top["start"], 300)) > 0.5
    assert "head far above its usual height" in top["why"]
    assert (events["score"] >= events["threshold"]).all()
    assert events["score"].is_monotonic_decreasing
    assert all(set(why.split(", ")) <= WORDS for why in events["why"])


def test_the_same_again(lively):
    pd.testing.assert_frame_equal(unusual_spans(lively, SETTINGS), unusual_spans(lively, SETTINGS))


def test_fewer_false_alarms_asked_for_are_fewer_spans(lively):
    many, few = (unusual_spans(lively, AnomalySettings(false_alarms_per_hour=rate)) for rate in (20.0, 0.5))
    assert len(many) > len(few)
    assert many["threshold"].iloc[0] < few["threshold"].iloc[0]


def test_spans_of_a_student_lie_apart_and_last(lively):
    events = unusual_spans(lively, AnomalySettings(false_alarms_per_hour=20.0))
    assert (events["end"] - events["start"] >= SETTINGS.min_s).all()
    for _, spans in events.sort_values("start").groupby("student"):
        gaps = spans["start"].to_numpy()[1:] - spans["end"].to_numpy()[:-1]
        assert (gaps > SETTINGS.join_s).all()


def test_every_seen_second_has_a_score(lively):
    scored = score_seconds(lively, SETTINGS, load_prior())
    assert np.isfinite(scored.values[scored.made.seen]).all()
    assert np.isnan(scored.values[~scored.made.seen]).all()


def test_leaving_and_coming_back_is_one_event():
    rows = seated(300)
    walk = rows["t"].between(96, 99) | rows["t"].between(160, 163)
    rows.loc[walk, "x"] += 250.0
    rows.loc[walk, "motion"] = 1.0
    class_of_four = pd.concat([rows[~rows["t"].between(100, 159)], *(seated(300, other, other) for other in (2, 3, 4))])
    events = unusual_spans(class_of_four, AnomalySettings(false_alarms_per_hour=5.0))
    assert len(events) == 1
    assert events["start"].iloc[0] == pytest.approx(96, abs=2)
    assert events["end"].iloc[0] == pytest.approx(164, abs=2)
    assert events["why"].iloc[0].startswith("left and came back")


@pytest.mark.slow
def test_false_alarms_come_about_as_often_as_asked_for():
    asked = 4.0
    rows = simulated(12, 3600, 99)
    rate = len(unusual_spans(rows, AnomalySettings(false_alarms_per_hour=asked))) / (len(rows) / 3600)
    assert asked / 2 <= rate <= 2 * asked
