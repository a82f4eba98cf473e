from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.state_model import CUE_COLUMNS
from pipeline.cue_settings import MIN_HEAD_PX
from pipeline.cues import CueSettings, add_motion, seconds
from pipeline.session import BOX, EXTRA_COLUMNS, FACE_CUES, HEAD_BOX, HEAD_POSE, OBSERVATION_COLUMNS

RATE = 5
SETTINGS = CueSettings()


def sitting(duration: float = 6, student: int = 1, x: float = 100.0, **values: object) -> pd.DataFrame:
    """A student seen in every analysed frame, face and all, 200 px high, looking into the lens."""
    count = round(duration * RATE)
    table = pd.DataFrame({"frame": np.arange(count) * 2, "t": np.arange(count) / RATE})
    box = dict(zip(BOX, (x, 300.0, x + 100, 500.0), strict=True))
    head = dict(zip(HEAD_BOX, (x + 30, 300.0, x + 70, 350.0), strict=True))
    still = dict.fromkeys((*HEAD_POSE, *FACE_CUES, "motion"), 0.0)
    return table.assign(**{"student": student, "score": 0.9, "observed": True, **box, **head, **still, **values})


def read(observations: pd.DataFrame, duration: float = 6.0, settings: CueSettings = SETTINGS) -> pd.DataFrame:
    return seconds(observations, duration, 1 / RATE, settings)


def together(*students: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(students, ignore_index=True)


# nobody, one row, nothing seen


def test_nobody():
    nobody = sitting().iloc[:0]
    assert add_motion(nobody).empty
    table = read(nobody)
    assert table.empty
    assert list(table.columns) == list(CUE_COLUMNS)


@pytest.mark.parametrize("duration", [0.0, 0.04, 0.2, 1.0])
def test_a_lecture_of_one_frame(duration):
    one = sitting().iloc[:1]
    assert add_motion(one).isna().all()
    table = read(one, duration)
    assert len(table) == 1
    assert table.loc[0, ["t", "student"]].tolist() == [0, 1]


@pytest.mark.parametrize(("duration", "rows"), [(6.0, 6), (6.0000001, 6), (6.04, 7), (100.0, 100)])
def test_a_row_for_every_second_of_the_lecture(duration, rows):
    table = read(together(sitting(), sitting(student=4, x=900)), duration)
    assert table.groupby("student")["t"].apply(list).tolist() == [list(range(rows))] * 2


@pytest.mark.parametrize("interval_s", [0.1, 1 / RATE, 2.5])
@pytest.mark.parametrize("at_once", [1, 70, 10**9])
def test_how_many_students_are_looked_at_at_once_changes_nothing(monkeypatch, at_once, interval_s):
    """To the last bit: rows of a long lecture are not all in memory at once."""
    rng = np.random.default_rng(4)
    rows = together(*(sitting(60, student=n, x=100.0 * n) for n in range(1, 8)))
    for column in (*HEAD_POSE, *FACE_CUES, *EXTRA_COLUMNS, "motion", "behaviour_write"):
        scale = 20 if column in HEAD_POSE else 1
        rows[column] = (scale * rng.normal(0.3, 0.3, len(rows))).astype(np.float32)
        rows.loc[rng.random(len(rows)) < 0.2, column] = np.nan
    rows["observed"] = (rng.random(len(rows)) < 0.9) & (rows["student"] != 4)
    rows = rows[rng.random(len(rows)) < 0.8]
    settled = seconds(rows, 60.0, interval_s, SETTINGS)
    monkeypatch.setattr("pipeline.cues.ROWS_AT_ONCE", at_once)
    pd.testing.assert_frame_equal(seconds(rows, 60.0, interval_s, SETTINGS), settled, check_exact=True)
    assert settled["student"].nunique() == 7


def test_a_frame_on_the_end_belongs_to_the_last_second():
    late = sitting(1).assign(t=[5.0, 5.2, 5.4, 5.8, 6.0])
    assert read(late, 6.0)["body"].tolist() == [0, 0, 0, 0, 0, 1]


def test_filled_rows_are_no_evidence():
    table = read(sitting(observed=False))
    assert (table[["body", "face"]] == 0).all(axis=None)
    assert table[["yaw", "motion", "mutual", "usually_seen"]].isna().all(axis=None)


def test_a_body_whose_face_is_never_seen():
    table = read(sitting(**dict.fromkeys((*HEAD_POSE, *FACE_CUES), np.nan)))
    assert (table["body"] == 1).all()
    assert (table[["face", "usually_seen"]] == 0).all(axis=None)
    assert table[["yaw", "pitch", "roll", "brow", "mouth_motion", "mutual"]].isna().all(axis=None)


# motion


def test_motion_of_one_who_sits_still_is_zero_and_unknown_at_first():
    motion = add_motion(sitting())
    assert motion.isna().tolist() == [True] + [False] * 29
    assert (motion[1:] == 0).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(0.3, 3.0), st.integers(1, 30))
def test_motion_is_speed_in_body_heights(right, down, zoom, rate):
    rows = sitting()
    t = np.arange(len(rows)) / rate
    moved = rows.assign(t=t)
    for name, speed in zip(BOX, (right, down, right, down), strict=True):
        moved[name] = (rows[name] + speed * t) * zoom
    motion = add_motion(moved)
    assert motion[1:].to_numpy() == pytest.approx(
        np.full(len(rows) - 1, np.hypot(right, down) / 200), rel=1e-3, abs=1e-5
    )


def test_one_shifted_step_is_not_motion():
    rows = sitting()
    rows.loc[12:, ["x1", "x2"]] += 80.0
    assert (add_motion(rows)[1:] == 0).all()


def test_a_step_over_a_gap_is_a_slow_step():
    rows = sitting().iloc[[0, 1, 2, 27, 28, 29]]
    rows = rows.assign(x1=[0, 0, 0, 200, 200, 200], x2=[100, 100, 100, 300, 300, 300])
    assert add_motion(rows).max() <= 200 / 200 / 5.0


def test_motion_does_not_cross_from_one_student_to_the_next():
    both = together(sitting(student=1, x=0), sitting(student=2, x=5000))
    assert add_motion(both).dropna().max() == 0
    mixed = both.sort_values("t", kind="stable")
    pd.testing.assert_series_equal(add_motion(mixed).sort_index(), add_motion(both))


@pytest.mark.parametrize("step", [0.0, -0.2])
def test_a_clock_that_stands_or_runs_back_gives_no_speed(step):
    rows = sitting(0.4, t=[0.2, 0.2 + step], x1=[0.0, 50.0], x2=[100.0, 150.0])
    assert add_motion(rows).isna().all()


def test_a_box_without_height_gives_a_finite_motion():
    rows = sitting(y2=300.0)
    rows.loc[5:, ["x1", "x2"]] += 10.0
    assert np.isfinite(add_motion(rows)[1:]).all()


# shares of the second


@given(st.lists(st.booleans(), min_size=5, max_size=5), st.lists(st.booleans(), min_size=5, max_size=5))
@settings(max_examples=30, deadline=None)
def test_shares_count_frames(bodies, faces):
    rows = sitting(1.0).assign(observed=bodies)
    rows.loc[~np.array(faces), list(HEAD_POSE)] = np.nan
    table = read(rows, 1.0)
    both = np.array(bodies) & np.array(faces)
    assert table["body"].iloc[0] == pytest.approx(np.mean(bodies))
    assert table["face"].iloc[0] == pytest.approx(both.mean())
    if any(bodies):
        assert table["usually_seen"].iloc[0] == pytest.approx(both.sum() / np.sum(bodies))


def test_more_frames_than_expected_do_not_exceed_the_whole():
    assert read(sitting(), 6.0)["body"].max() == 1
    assert seconds(sitting(), 6.0, 1.0, SETTINGS)["body"].max() == 1


def test_too_few_frames_say_nothing_about_a_moving_mouth():
    talks = sitting(1.0, mouth_open=[0.1, 0.5, 0.1, 0.5, np.nan])
    assert read(talks, 1.0)["mouth_motion"].iloc[0] == pytest.approx(0.2)
    talks.loc[2:, "mouth_open"] = np.nan
    assert read(talks, 1.0)["mouth_motion"].isna().all()


def test_behaviours_of_the_detector_pass_through():
    table = read(sitting(behaviour_write=0.25, behaviour_read=np.nan))
    assert list(table.columns) == [*CUE_COLUMNS, "behaviour_write", "behaviour_read"]
    assert (table["behaviour_write"] == 0.25).all()
    assert table["behaviour_read"].isna().all()


# which way is ahead


def test_angles_are_off_the_students_own_forward_direction():
    yaw = np.full(150, -30.0)
    yaw[:10] = 20.0
    table = read(sitting(30, yaw=yaw, pitch=-8.0, roll=3.0), 30.0)
    assert table["yaw"].tolist() == [50.0] * 2 + [0.0] * 28
    assert (table[["pitch", "roll"]] == 0).all(axis=None)


def test_one_hardly_seen_looks_ahead_where_the_class_does():
    glimpsed = sitting(30, student=2, x=900, yaw=np.nan)
    glimpsed.loc[:4, "yaw"] = 35.0
    table = read(together(sitting(30, yaw=-10.0), glimpsed), 30.0)
    own = table[table["student"] == 2]
    assert own["yaw"].iloc[0] == pytest.approx(45.0)
    assert own["yaw"].iloc[1:].isna().all()


@settings(max_examples=20, deadline=None)
@given(st.floats(-40, 40), st.floats(-40, 40))
def test_a_camera_hung_elsewhere_changes_no_angle(yaw, pitch):
    rng = np.random.default_rng(3)
    rows = sitting(12, yaw=rng.normal(0, 20, 60), pitch=rng.normal(0, 10, 60))
    turned = rows.assign(yaw=rows["yaw"] + yaw, pitch=rows["pitch"] + pitch)
    pd.testing.assert_frame_equal(read(turned, 12.0), read(rows, 12.0), atol=1e-9)


def test_brow_is_off_the_students_own_median():
    table = read(sitting(brow_furrow=[0.3] * 25 + [0.7] * 5))
    assert table["brow"].tolist() == pytest.approx([0.0] * 5 + [0.4])


# neighbours; + yaw is to the student's left, which is the picture's right


def facing(left_yaw: float, right_yaw: float, distance: float = 150.0) -> pd.DataFrame:
    """Two students side by side who look ahead for 20 s and then turn for 10 s."""
    yaw = [np.concatenate([np.zeros(100), np.full(50, value)]) for value in (left_yaw, right_yaw)]
    pair = together(sitting(30, 1, 0.0, yaw=yaw[0]), sitting(30, 2, distance, yaw=yaw[1]))
    return read(pair, 30.0).pivot(index="t", columns="student", values="mutual")


def test_two_who_turn_to_each_other():
    mutual = facing(40.0, -40.0)
    assert (mutual.loc[:19] == 0).all(axis=None)
    assert (mutual.loc[20:] == 1).all(axis=None)


@pytest.mark.parametrize(
    ("left", "right", "distance"),
    [(-40.0, 40.0, 150.0), (40.0, 40.0, 150.0), (40.0, 0.0, 150.0), (40.0, -40.0, 900.0), (14.0, -14.0, 150.0)],
    ids=["backs turned", "the same way", "one only", "too far apart", "hardly turned"],
)
def test_two_who_do_not(left, right, distance):
    assert (facing(left, right, distance) == 0).all(axis=None)


def test_who_is_not_seen_faces_nobody():
    mutual = facing(40.0, np.nan)
    assert (mutual[1] == 0).all()
    assert mutual.loc[20:, 2].isna().all()


@settings(max_examples=20, deadline=None)
@given(st.permutations([1, 2, 3]), st.integers(0, 2**32 - 1))
def test_numbers_of_students_do_not_matter(numbers, seed):
    rng = np.random.default_rng(seed)
    students = [
        sitting(6, student, 140.0 * student, yaw=rng.normal(0, 40, 30), brow_furrow=rng.uniform(0, 1, 30))
        for student in (1, 2, 3)
    ]
    table = together(*students)
    new = dict(zip([1, 2, 3], numbers, strict=True))
    renamed = table.assign(student=table["student"].map(new)).sort_values(["student", "t"], ignore_index=True)
    expected = read(table)
    expected = expected.assign(student=expected["student"].map(new)).sort_values(["student", "t"], ignore_index=True)
    pd.testing.assert_frame_equal(read(renamed), expected)


def test_columns_made_for_the_state_model_are_numbers():
    assert set(OBSERVATION_COLUMNS) <= set(sitting())
    assert all(pd.api.types.is_numeric_dtype(kind) for kind in read(sitting()).dtypes)


# trust, and cues made of several


def test_what_was_never_read_stays_empty():
    table = read(sitting())
    assert table[[*EXTRA_COLUMNS, "writing", "phone"]].isna().all(axis=None)


@given(st.sets(st.sampled_from([*HEAD_POSE, *FACE_CUES, *EXTRA_COLUMNS])))
@settings(max_examples=20, deadline=None)
def test_a_reading_that_is_missing_never_becomes_a_value(missing):
    whole = sitting(**dict.fromkeys(EXTRA_COLUMNS, 0.5))
    part = read(whole.assign(**dict.fromkeys(missing, np.nan)))
    for column in {*missing, "yaw", "pitch", "roll"} & missing & set(CUE_COLUMNS):
        assert part[column].isna().all(), column
    made_of = {
        "eye_own": {"eye_open"}, "mouth_own": {"mouth_open"}, "brow": {"brow_furrow"}, "mutual": {"yaw"},
        "mouth_motion": {"mouth_open"}, "writing": {"pitch", "desk_motion"}, "yaw_class": {"yaw"},
    }  # fmt: skip
    for cue, parts in made_of.items():
        assert part[cue].isna().all() == bool(parts & missing), cue
    assert part["phone"].isna().all() == ("object" in missing and bool({"pitch", "hand_front"} & missing))
    assert part["frown"].isna().all() == ({"brow_furrow", "hand_face"} <= missing)


@pytest.mark.parametrize(("column", "least_px"), MIN_HEAD_PX.items())
def test_a_small_head_is_not_trusted(column, least_px):
    for height, known in ((least_px - 1, False), (least_px, True)):
        rows = sitting(**{column: 0.4, "hy2": 300.0 + height})
        assert read(rows)[column].notna().all() == known


@given(st.floats(0.05, 20), st.floats(-100, 100))
@settings(max_examples=20, deadline=None)
def test_heads_above_the_limits_are_alike_at_every_size_of_the_picture(zoom, shift):
    rng = np.random.default_rng(5)
    extras = {column: rng.uniform(0, 1, 60) for column in EXTRA_COLUMNS}
    rows = sitting(12, yaw=rng.normal(0, 20, 60), pitch=rng.normal(0, 10, 60), **extras)
    large = rows.assign(**{name: rows[name] * 20 for name in (*BOX, *HEAD_BOX)})
    other = large.assign(**{name: large[name] * max(zoom, 0.1) + shift for name in (*BOX, *HEAD_BOX)})
    columns = [column for column in CUE_COLUMNS if column != "head_px"]
    pd.testing.assert_frame_equal(read(other, 12.0)[columns], read(large, 12.0)[columns], atol=1e-6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_mirroring_the_picture_mirrors_sides_and_leaves_the_rest(seed):
    rng = np.random.default_rng(seed)
    students = []
    for number in (1, 2, 3):
        signed = {name: rng.normal(0, 30, 30) for name in (*HEAD_POSE, "gaze_x")}
        plain = {name: rng.uniform(0, 1, 30) for name in (*FACE_CUES, *EXTRA_COLUMNS) if name != "gaze_x"}
        students.append(sitting(6, number, 140.0 * number, **signed, **plain))
    table = together(*students)
    flipped = table.assign(x1=-table["x2"], x2=-table["x1"], hx1=-table["hx2"], hx2=-table["hx1"])
    for name in ("yaw", "roll", "gaze_x"):
        flipped[name] = -table[name]
    expected = read(table)
    for name in ("yaw", "roll", "yaw_class", "roll_class", "gaze_x"):
        expected[name] = -expected[name]
    pd.testing.assert_frame_equal(read(flipped), expected, atol=1e-9)


def test_slump_is_how_much_lower_the_head_is_than_usual():
    rows = sitting(30)
    rows.loc[100:, ["hy1", "hy2"]] += 25.0
    table = read(rows, 30.0)
    assert table["slump"].tolist() == [0.0] * 20 + [0.5] * 10


def test_a_guessed_head_does_not_slump():
    rows = sitting(30)
    rows.loc[100:, ["hy1", "hy2"]] += 25.0
    rows.loc[100:, [*HEAD_POSE, *FACE_CUES]] = np.nan
    assert read(rows, 30.0)["slump"].iloc[20:].isna().all()


def test_a_personal_baseline_needs_its_time():
    rows = sitting(30, eye_open=np.nan, brow_furrow=0.5)
    rows.loc[:9, "eye_open"] = 0.8
    table = read(rows, 30.0)
    assert table["eye_own"].isna().all()
    assert table["eye_open"].iloc[:2].tolist() == [0.8, 0.8]
    assert (table["brow"] == 0).all()


def test_the_observations_of_an_older_session_still_give_cues():
    assert not set(EXTRA_COLUMNS) & set(sitting())
    assert read(sitting())["yaw"].notna().all()
