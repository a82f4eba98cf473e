from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.anomaly import CUES, AnomalySettings, unusual_spans
from pipeline.session import EVENT_COLUMNS

SETTINGS = AnomalySettings()
PLACE_COLUMNS = ["student", "t", "motion", "x", "y", "height"]


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


def standing_up(seconds: int = 60, start: int = 20, end: int = 27, **more: int) -> pd.DataFrame:
    rows = seated(seconds, **more)
    up = rows["t"].between(start, end - 1)
    rows.loc[up, ["y", "height"]] += (-120.0, 120.0)
    return rows


@st.composite
def lectures(draw: st.DrawFn) -> pd.DataFrame:
    """Up to three students with calm, wild and missing seconds."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts = []
    for student in range(1, draw(st.integers(1, 3)) + 1):
        rows = seated(draw(st.integers(1, 80)), student, draw(st.integers(0, 99)))
        wild = rng.random(len(rows)) < draw(st.sampled_from([0.0, 0.1, 0.3]))
        rows.loc[wild, "motion"] = rng.uniform(0, 5, wild.sum())
        rows.loc[wild, ["x", "y"]] += rng.normal(0, 60, (wild.sum(), 2))
        rows.loc[rng.random(len(rows)) < 0.1, ["motion", "x", "y", "height"]] = np.nan
        parts.append(rows[rng.random(len(rows)) < draw(st.sampled_from([0.6, 1.0]))])
    return pd.concat(parts, ignore_index=True)


# nothing to find


@pytest.mark.parametrize(
    "places",
    [
        pd.DataFrame(columns=PLACE_COLUMNS, dtype=float),
        seated(1),
        seated(60).assign(motion=np.nan, x=np.nan, y=np.nan, height=np.nan),
        seated(60).assign(motion=0.0, x=5.0, y=5.0, height=10.0),
        seated(60).assign(motion=50.0),
        seated(60),
    ],
    ids=["no rows", "one second", "never seen", "still as a stone", "always in motion", "an ordinary lecture"],
)
def test_no_span_in(places):
    events = unusual_spans(places, SETTINGS)
    assert events.empty
    assert tuple(events.columns) == EVENT_COLUMNS


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("column", ["motion", "x", "y", "height"])
def test_numbers_that_are_none_count_as_not_seen(column, value):
    rows = standing_up()
    rows.loc[rows["t"].between(40, 45), column] = value
    events = unusual_spans(rows, SETTINGS)
    assert events[["start", "end"]].to_numpy().tolist() == [[20.0, 27.0]]
    assert np.isfinite(events["score"]).all()


def test_a_box_without_height_is_not_unusual():
    rows = seated()
    rows.loc[rows["t"].between(40, 45), "height"] = 0.0
    assert unusual_spans(rows, SETTINGS).empty
    assert unusual_spans(seated().assign(height=0.0), SETTINGS).empty


@pytest.mark.parametrize("change", [{"threshold": 0}, {"release": -1}, {"min_s": -1}, {"treshold": 4}])
def test_settings_out_of_range(change):
    with pytest.raises(ValidationError):
        AnomalySettings.model_validate(change)


# laws


@settings(max_examples=25, deadline=None)
@given(lectures(), st.sampled_from([AnomalySettings(), AnomalySettings(threshold=4, release=4, min_s=1, join_s=0)]))
def test_spans_lie_within_the_lecture_and_apart(places, limits):
    events = unusual_spans(places, limits)
    assert (events["end"] - events["start"] >= limits.min_s).all()
    assert (events["score"] >= limits.threshold).all()
    assert (events["threshold"] == limits.threshold).all()
    assert events["score"].is_monotonic_decreasing
    assert np.isfinite(events["score"]).all()
    assert set(", ".join(events["why"]).split(", ")) - {""} <= {words for _, words in CUES.values()}
    assert (events["why"] != "").all()
    for student, spans in events.sort_values("start").groupby("student"):
        own = places[places["student"] == student]
        assert spans["start"].min() >= own["t"].min()
        assert spans["end"].max() <= own["t"].max() + 1
        gaps = spans["start"].to_numpy()[1:] - spans["end"].to_numpy()[:-1]
        assert (gaps > limits.join_s).all()


@settings(max_examples=25, deadline=None)
@given(lectures(), st.randoms(use_true_random=False))
def test_neither_order_nor_names_nor_company_matter(places, random):
    names = [7, 3, 12]
    random.shuffle(names)
    renamed = places.assign(student=places["student"].map(dict(zip([1, 2, 3], names, strict=True))))
    order = list(range(len(places)))
    random.shuffle(order)
    one, other = unusual_spans(places, SETTINGS), unusual_spans(renamed.iloc[order], SETTINGS)
    one["student"] = one["student"].map(dict(zip([1, 2, 3], names, strict=True)))
    alone = pd.concat([unusual_spans(rows, SETTINGS) for _, rows in renamed.groupby("student")] or [other])
    keys = ["student", "start"]
    expected = one.sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(other.sort_values(keys, ignore_index=True), expected, check_dtype=False)
    pd.testing.assert_frame_equal(alone.sort_values(keys, ignore_index=True), expected, check_dtype=False)


@settings(max_examples=25, deadline=None)
@given(lectures(), st.floats(0.25, 4.0), st.floats(-500, 500), st.floats(-500, 500))
def test_another_camera_sees_the_same(places, zoom, right, down):
    moved = places.assign(x=places["x"] * zoom + right, y=places["y"] * zoom + down, height=places["height"] * zoom)
    strict = AnomalySettings(threshold=5.000123, release=3.000123)  # no score lies exactly on it
    one, other = unusual_spans(places, strict), unusual_spans(moved, strict)
    keys = ["student", "start"]
    pd.testing.assert_frame_equal(
        one.sort_values(keys, ignore_index=True), other.sort_values(keys, ignore_index=True), rtol=1e-6
    )


# what a span is


@pytest.mark.parametrize(("length", "found"), [(1, 0), (2, 1), (6, 1)])
def test_shorter_than_the_least_is_no_span(length, found):
    rows = seated()
    rows.loc[rows["t"].between(30, 30 + length - 1), "motion"] = 3.0
    assert len(unusual_spans(rows, AnomalySettings(min_s=2))) == found


@pytest.mark.parametrize(("pause", "found"), [(3, 1), (4, 2)])
def test_two_close_spans_are_one(pause, found):
    rows = seated()
    restless = rows["t"].isin([20, 21, 22, 23 + pause, 24 + pause, 25 + pause])
    rows.loc[restless, "motion"] = 3.0
    assert len(unusual_spans(rows, AnomalySettings(join_s=3))) == found


def test_a_span_does_not_reach_across_an_absence():
    rows = seated(120)
    rows.loc[rows["t"].isin([28, 29, 100, 101]), "motion"] = 3.0
    events = unusual_spans(rows[~rows["t"].between(30, 99)], SETTINGS)
    assert sorted(events["start"]) == [28.0, 100.0]
    assert sorted(events["end"]) == [30.0, 102.0]


def test_one_glimpse_each_side_of_an_absence_is_too_short():
    rows = seated(120)
    rows.loc[rows["t"].isin([29, 100]), "motion"] = 3.0
    assert unusual_spans(rows[~rows["t"].between(30, 99)], SETTINGS).empty


def test_hysteresis_keeps_what_begins_strong_and_ebbs():
    rows = seated().assign(motion=0.05)
    rows.loc[rows["t"].between(30, 39), "motion"] = 0.05 + 0.40  # four deviations: above release, below threshold
    assert unusual_spans(rows, SETTINGS).empty
    rows.loc[rows["t"] == 30, "motion"] = 0.05 + 0.80
    events = unusual_spans(rows, SETTINGS)
    assert events[["start", "end"]].to_numpy().tolist() == [[30.0, 40.0]]
    assert events["score"].iloc[0] == pytest.approx(8.0, rel=0.1)


# one student in a class of three stands up


def test_the_student_who_stands_up():
    places = pd.concat([seated(student=1), standing_up(student=2, seed=4), seated(student=3)], ignore_index=True)
    events = unusual_spans(places, SETTINGS)
    assert events[["start", "end", "student"]].to_numpy().tolist() == [[20.0, 27.0, 2]]
    assert "head far from its usual height" in events["why"].iloc[0]
    assert "large motion" not in events["why"].iloc[0]
