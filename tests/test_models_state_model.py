from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.evidence import BEHAVIOURS as NAMES
from models.evidence import CUES, in_order, shares, signs_of, used_cues
from models.state_model import CUE_COLUMNS, StateSettings, posterior
from models.states import UNSEEN, Profile, State
from models.transitions import chain
from pipeline.session import STATE_COLUMNS

SETTINGS = StateSettings()
READ = ("yaw", "pitch", "roll", "eye_open", "mouth_open", "mouth_motion", "brow", "motion", "mutual")
"""Cues that may be NaN in any second; the shares body, face and usually_seen are known always."""

BEHAVIOURS = ("behaviour_write", "behaviour_read", "behaviour_turn_head", "behaviour_discuss", "behaviour_raise_hand")


def cues(seconds: int = 1, student: int = 1, behaviours: tuple[str, ...] = (), **values: object) -> pd.DataFrame:
    """A student whose face is seen throughout and tells nothing; ``values`` replace columns."""
    table = pd.DataFrame({name: np.full(seconds, np.nan) for name in (*CUE_COLUMNS, *behaviours)})
    table = table.assign(student=student, t=np.arange(seconds, dtype=float), body=1.0, face=1.0, usually_seen=1.0)
    return table.assign(**values)


def looking_ahead(seconds: int = 1, **values: object) -> pd.DataFrame:
    calm = {"eye_open": 0.8, "mouth_open": 0.05, "mouth_motion": 0.0, "brow": 0.0, "motion": 0.2, "mutual": 0.0}
    return cues(seconds, **({"yaw": 0.0, "pitch": 0.0, "roll": 0.0} | calm | values))


def probabilities(table: pd.DataFrame) -> np.ndarray:
    return table[[column for column in table if column.startswith("p_")]].to_numpy(float)


@st.composite
def lectures(draw: st.DrawFn, students: int = 3, seconds: int = 12) -> pd.DataFrame:
    """Random cues, wild ones too; any of ``READ`` and any behaviour may be missing."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    behaviours = draw(st.sampled_from([(), BEHAVIOURS]))
    missing = draw(st.sampled_from([0.0, 0.3, 1.0]))
    count, parts = draw(st.integers(1, seconds)), []
    for student in range(1, draw(st.integers(1, students)) + 1):
        body = rng.choice([0.0, 0.2, 0.6, 1.0], count)
        degrees = {name: rng.normal(0, 40, count) for name in ("yaw", "pitch", "roll")}
        shares = {name: rng.uniform(0, 1, count) for name in ("eye_open", "mouth_open", "brow", *behaviours)}
        small = {"mouth_motion": rng.uniform(0, 0.3, count), "motion": rng.exponential(0.1, count)}
        values = degrees | shares | small | {"mutual": rng.integers(0, 2, count).astype(float)}
        for column in values.values():
            column[rng.random(count) < missing] = np.nan
        face = body * rng.choice([0.0, 0.5, 1.0], count)
        parts.append(cues(count, student, behaviours, body=body, face=face, usually_seen=rng.uniform(), **values))
    return pd.concat(parts, ignore_index=True)


profiles = st.sampled_from(list(Profile))


# nothing, or next to nothing, was seen


@pytest.mark.parametrize("profile", Profile)
def test_no_students(profile):
    table = posterior(cues(0), profile, SETTINGS)
    assert table.empty
    assert list(table.columns) == [*STATE_COLUMNS[:3], *(f"p_{s.value}" for s in profile.states), *STATE_COLUMNS[3:]]


@pytest.mark.parametrize("seconds", [1, 2, 30])
def test_a_student_who_is_never_seen_is_unseen(seconds):
    table = posterior(cues(seconds, body=0.0, face=0.0, usually_seen=np.nan), Profile.FULL, SETTINGS)
    assert (table["state"] == UNSEEN).all()
    assert np.isnan(probabilities(table)).all()
    assert (table["coverage"] == 0).all()
    assert (table["why"] == "").all()


def test_a_body_without_a_face_is_no_evidence_where_faces_are_not_usually_found():
    far = cues(5, face=0.0, usually_seen=0.1)
    assert (posterior(far, Profile.FULL, SETTINGS)["state"] == UNSEEN).all()
    near = cues(5, face=0.0, usually_seen=0.9)
    assert (posterior(near, Profile.FULL, SETTINGS)["state"] != UNSEEN).all()


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("smoothing", [True, False])
def test_no_evidence_leaves_what_is_usual_however_long_it_lasts(profile, smoothing):
    settings = StateSettings(min_coverage=0, temperature=1, smoothing=smoothing)
    found = probabilities(posterior(cues(40, body=0.0, face=0.0, usually_seen=0.0), profile, settings))
    usual = chain(profile.states, settings.dwell_s)[0]
    assert found == pytest.approx(np.tile(usual, (40, 1)), abs=1e-5)


def test_a_table_of_the_older_columns_is_read():
    old = looking_ahead(5)[["t", "student", "body", "face", "usually_seen", "yaw", "pitch", "roll"]]
    assert set(posterior(old, Profile.FULL, SETTINGS)["state"]) == {State.ATTENTIVE.value}


def test_seconds_that_rest_on_one_look_count_once():
    few = posterior(looking_ahead(5), Profile.FULL, SETTINGS, 5.0)
    many = posterior(looking_ahead(5), Profile.FULL, SETTINGS, 0.2)
    assert few[f"p_{State.ATTENTIVE.value}"].max() < many[f"p_{State.ATTENTIVE.value}"].min()


def test_movement_between_looks_seconds_apart_says_nothing():
    bowed = looking_ahead(10, pitch=-40.0)
    busy = bowed.assign(desk_motion=0.2, motion=1.0)
    pd.testing.assert_frame_equal(*(posterior(one, Profile.FULL, SETTINGS, 5.0) for one in (bowed, busy)))


def test_a_constant_lecture_has_one_state():
    table = posterior(looking_ahead(60), Profile.FULL, SETTINGS)
    assert (table["state"] == State.ATTENTIVE.value).all()
    assert table["why"].str.contains("looks ahead").all()


@pytest.mark.parametrize("column", [name for name in READ if name != "mutual"])
@pytest.mark.parametrize("value", [1e30, -1e30, np.inf, -np.inf])
def test_wild_numbers_do_not_break_the_sum(column, value):
    table = posterior(looking_ahead(3, **{column: [0.0, value, 0.0]}), Profile.FULL, SETTINGS)
    assert probabilities(table).sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"dwell_s": {"bored": 1.0}},
        {"min_coverage": 1.1},
        {"sharpness": 0},
        {"temperature": 0},
        {"hidden_evidence": -0.1},
        {"awy_deg": (1, 2)},
        {"without": ["nose"]},
        {"chances": {"bored": {"nose": 0.5}}},
        {"chances": {"bored": {"ahead": 0.0}}},
        {"chances": {"asleep": {"ahead": 0.5}}},
    ],
)
def test_settings_out_of_range(change):
    with pytest.raises(ValidationError):
        StateSettings.model_validate(change)


# laws over random lectures


@settings(max_examples=15, deadline=None)
@given(lectures(), profiles)
def test_rows_sum_to_one_or_are_unseen(lecture, profile):
    table = posterior(lecture, profile, SETTINGS)
    found, unseen = probabilities(table), (table["state"] == UNSEEN).to_numpy()
    assert len(table) == len(lecture)
    assert np.isnan(found[unseen]).all()
    assert found[~unseen].sum(axis=1) == pytest.approx(np.ones((~unseen).sum()), abs=1e-5)
    assert (found[~unseen] >= 0).all()
    names = np.array([state.value for state in profile.states], object)
    assert (names[found[~unseen].argmax(axis=1)] == table.loc[~unseen, "state"]).all()
    # unseen and covered exclude each other, and the limit decides
    assert (table.loc[unseen, "coverage"] == 0).all()
    assert (table.loc[~unseen, "coverage"] >= SETTINGS.min_coverage - 1e-6).all()
    assert (table.loc[unseen, "why"] == "").all()
    assert (table.loc[~unseen, "why"] != "").all()


@settings(max_examples=15, deadline=None)
@given(lectures())
def test_observable_infers_no_inner_state(lecture):
    table = posterior(lecture, Profile.OBSERVABLE, SETTINGS)
    said = " ".join([*table.columns, *table["state"], *table["why"]]).lower()
    for state in set(State) - set(Profile.OBSERVABLE.states):
        assert state.value not in said


@settings(max_examples=15, deadline=None)
@given(lectures(), st.floats(0, 1))
def test_unseen_exactly_below_the_limit(lecture, limit):
    all_seen = posterior(lecture, Profile.FULL, StateSettings(min_coverage=0))
    some = posterior(lecture, Profile.FULL, StateSettings(min_coverage=limit))
    clear = (all_seen["coverage"] - limit).abs() > 1e-6  # the table holds 32-bit numbers
    below = all_seen["coverage"] < limit
    assert ((some["state"] == UNSEEN) == below)[clear].all()
    assert np.allclose(probabilities(some)[~below & clear], probabilities(all_seen)[~below & clear])


@settings(max_examples=15, deadline=None)
@given(lectures(), st.data())
def test_missing_a_cue_never_raises_coverage(lecture, data):
    column = data.draw(st.sampled_from([name for name in lecture if name in READ or name in BEHAVIOURS]))
    rows = data.draw(st.lists(st.integers(0, len(lecture) - 1), min_size=1))
    less = lecture.copy()
    less.loc[rows, column] = np.nan
    every = StateSettings(min_coverage=0)
    before, after = (posterior(table, Profile.FULL, every)["coverage"] for table in (lecture, less))
    assert (after <= before + 1e-6).all()


def shown(lecture: pd.DataFrame, profile: Profile = Profile.FULL) -> pd.DataFrame:
    used = used_cues(profile)
    return pd.DataFrame(shares(in_order(lecture), used, SETTINGS), columns=signs_of(used))


@settings(max_examples=15, deadline=None)
@given(lectures())
def test_a_missing_cue_adds_nothing(lecture):
    blind = lecture.assign(**dict.fromkeys(READ, np.nan))
    seen = shown(blind).drop(columns=["hidden", *NAMES])
    assert (seen[[c for c in seen if c not in ("busy", "idle")]] == 0).all(axis=None)
    known = posterior(lecture.drop(columns=[*lecture.filter(like="behaviour_")]), Profile.FULL, SETTINGS)
    absent = lecture.assign(**dict.fromkeys(BEHAVIOURS, np.nan))
    pd.testing.assert_frame_equal(posterior(absent, Profile.FULL, SETTINGS), known)


@settings(max_examples=15, deadline=None)
@given(lectures(), profiles)
def test_the_signs_of_a_cue_share_what_was_seen_of_it(lecture, profile):
    found = shown(lecture, profile)
    assert ((found >= 0) & (found <= 1)).all(axis=None)
    for cue in used_cues(profile):
        assert (found[list(cue.words)].sum(axis=1) <= 1 + 1e-9).all()


@settings(max_examples=15, deadline=None)
@given(lectures(), st.data())
def test_what_tells_of_inner_states_only_is_not_looked_at_where_they_may_not_be_inferred(lecture, data):
    inner = ("eye_open", "brow", "roll", "mouth_open")
    other = lecture.assign(**{name: data.draw(st.floats(-90, 90)) for name in inner}, hand_face=1.0)
    tables = [posterior(one, Profile.OBSERVABLE, SETTINGS) for one in (lecture, other)]
    pd.testing.assert_frame_equal(*tables)


def test_switching_the_profile_leaves_nothing_behind():
    lecture = looking_ahead(20, roll=20.0, brow=0.4)
    first = posterior(lecture, Profile.OBSERVABLE, SETTINGS)
    posterior(lecture, Profile.FULL, SETTINGS)
    pd.testing.assert_frame_equal(posterior(lecture, Profile.OBSERVABLE, SETTINGS), first)


@pytest.mark.parametrize("cue", [cue.name for cue in CUES])
def test_a_cue_left_out_is_not_looked_at(cue):
    lecture = looking_ahead(10, pitch=-25.0, roll=20.0, behaviour_write=1.0, hand_face=1.0, hand_raised=1.0)
    without = StateSettings(without=(cue,))
    words = next(one for one in CUES if one.name == cue).words.values()
    said = " ".join(posterior(lecture, Profile.FULL, without)["why"])
    assert not any(word in said for word in words)


def test_chances_given_are_scaled_to_sum_to_one_within_a_cue():
    given = StateSettings(chances={State.BORED: {"ahead": 0.9}})
    signs = next(cue for cue in CUES if cue.name == "head").words
    assert sum(given.chances[State.BORED][sign] for sign in signs) == pytest.approx(1)
    assert given.chances[State.BORED]["ahead"] > StateSettings().chances[State.BORED]["ahead"]
    assert given.chances[State.ATTENTIVE] == StateSettings().chances[State.ATTENTIVE]
    assert StateSettings.model_validate(given.model_dump(mode="json")) == given


@settings(max_examples=15, deadline=None)
@given(lectures(), profiles, st.randoms(use_true_random=False))
def test_order_of_rows_and_numbers_of_students_do_not_matter(lecture, profile, random):
    numbers = [1, 2, 3]
    random.shuffle(numbers)
    order = list(range(len(lecture)))
    random.shuffle(order)
    renamed = lecture.assign(student=lecture["student"].map(dict(zip([1, 2, 3], numbers, strict=True)))).iloc[order]
    back = dict(zip(numbers, [1, 2, 3], strict=True))
    shuffled = posterior(renamed, profile, SETTINGS)
    shuffled["student"] = shuffled["student"].map(back)
    expected = posterior(lecture, profile, SETTINGS)
    pd.testing.assert_frame_equal(shuffled.sort_values(["student", "t"], ignore_index=True), expected, rtol=1e-4)


SPEAKS_FOR = [
    ("brow", (0.05, 0.15, 0.3), State.CONFUSED),
    ("mouth_open", (0.4, 0.6, 0.9), State.BORED),
    ("hand_face", (0.0, 0.5, 1.0), State.BORED),
    ("hand_raised", (0.0, 0.5, 1.0), State.ATTENTIVE),
    ("mutual", (0.0, 1.0), State.DISCUSSING),
    ("mouth_motion", (0.0, 0.08, 0.2), State.DISCUSSING),
    ("pitch", (0.0, -20.0, -40.0), State.TAKING_NOTES),
    ("yaw", (0.0, 25.0, 50.0), State.DISTRACTED),
    ("yaw", (-50.0, -25.0, 0.0), State.ATTENTIVE),
    ("behaviour_write", (0.0, 1.0), State.TAKING_NOTES),
    ("behaviour_read", (0.0, 1.0), State.TAKING_NOTES),
    ("behaviour_turn_head", (0.0, 1.0), State.DISCUSSING),
]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(SPEAKS_FOR), st.data())
def test_more_evidence_for_a_state_never_lowers_it(case, data):
    column, rising, state = case
    others = {name: data.draw(st.sampled_from([np.nan, 0.1, 0.7])) for name in ("eye_open", "mouth_open", "brow")}
    base = looking_ahead(behaviours=BEHAVIOURS, **others)  # one second, the face seen throughout
    levels = [posterior(base.assign(**{column: value}), Profile.FULL, SETTINGS) for value in rising]
    chances = [float(table[f"p_{state.value}"].iloc[0]) for table in levels]
    assert all(later >= earlier - 1e-6 for earlier, later in itertools.pairwise(chances))
    assert chances[-1] > chances[0]


@pytest.mark.parametrize("profile", Profile)
def test_smoothing_outvotes_one_odd_second_and_follows_a_lasting_change(profile):
    blink = posterior(looking_ahead(30, yaw=[60.0 if second == 15 else 0.0 for second in range(30)]), profile, SETTINGS)
    assert set(blink["state"]) == {State.ATTENTIVE.value}
    distracted = blink[f"p_{State.DISTRACTED.value}"]
    assert distracted[15] > max(distracted[12], distracted[18])
    change = posterior(looking_ahead(60, yaw=[0.0] * 30 + [60.0] * 30), profile, SETTINGS)
    expected = [State.ATTENTIVE.value] * 30 + [State.DISTRACTED.value] * 30
    assert (change["state"].to_numpy() != np.array(expected)).sum() <= 2


# what each state looks like


AWAKE = {"eye_open": 0.8, "motion": 0.02}
"""The class beside the student: what is usual is told by it."""


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        (State.ATTENTIVE, {}),
        (State.DISTRACTED, {"yaw": -50.0}),
        (State.DISTRACTED, {"pitch": -40.0, "motion": 0.01, "desk_motion": 0.0}),
        (State.CONFUSED, {"brow": 0.4, "roll": 20.0, "roll_class": 20.0}),
        (State.BORED, {"eye_open": 0.15, "pitch": -18.0, "roll": 20.0, "roll_class": 20.0, "hand_face": 1.0}),
        (State.DISCUSSING, {"yaw": 45.0, "mutual": 1.0, "mouth_motion": 0.2}),
        (State.TAKING_NOTES, {"pitch": -40.0, "motion": 0.1, "desk_motion": 0.1}),
    ],
)
def test_twelve_seconds_of(state, seen):
    others = [looking_ahead(12, **AWAKE).assign(student=number) for number in (2, 3, 4)]
    table = posterior(pd.concat([looking_ahead(12, **(AWAKE | seen)), *others]), Profile.FULL, SETTINGS)
    assert set(table.loc[table["student"] == 1, "state"]) == {state.value}
    assert (table["coverage"] == 1).all()


@pytest.mark.parametrize("profile", Profile)
def test_a_bowed_head_whose_hands_were_not_seen_is_no_certain_note_taker(profile):
    """Who looks at a phone bows alike: without the desk there is nothing to tell them apart, however long it lasts."""
    bowed = {"pitch": -40.0, "motion": np.nan}
    others = [looking_ahead(60, **AWAKE).assign(student=number) for number in (2, 3, 4)]

    def chance(state: State, **seen: object) -> float:
        table = posterior(pd.concat([looking_ahead(60, **(AWAKE | bowed | seen)), *others]), profile, SETTINGS)
        return float(table.loc[table["student"] == 1, f"p_{state.value}"].iloc[30])

    phone, notes = chance(State.DISTRACTED), chance(State.TAKING_NOTES)
    assert 0.05 < phone < notes < 0.95
    assert chance(State.DISTRACTED, desk_motion=0.0) > 0.8
    assert chance(State.TAKING_NOTES, desk_motion=0.1) > 0.8
