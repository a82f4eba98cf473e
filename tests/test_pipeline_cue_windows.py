"""Cues over several seconds: nothing seen, few frames, gaps; then blinks, slow eyes, speech, yawns and stillness."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.cue_windows import LONGEST_STILL_S, eye_windows, mouth_windows, still_seconds

RATE = 10


def rows(
    eye: object = 1.0, mouth: object = 0.0, pitch: float = 0.0, seconds: int = 60, rate: int = RATE
) -> pd.DataFrame:
    t = np.arange(seconds * rate) / rate
    return pd.DataFrame(
        {"student": 1, "t": t, "second": t.astype(int), "eye_open": eye, "mouth_open": mouth, "pitch": pitch}
    )


def grid(seconds: int = 60, students: tuple[int, ...] = (1,)) -> pd.MultiIndex:
    return pd.MultiIndex.from_product([students, range(seconds)], names=["student", "second"])


def shut_at(*spans: tuple[float, float], seconds: int = 60, rate: int = RATE) -> np.ndarray:
    t = np.arange(seconds * rate) / rate
    eye = np.ones(len(t))
    for begin, end in spans:
        eye[(t >= begin - 1e-6) & (t < end - 1e-6)] = 0.0
    return eye


@pytest.mark.parametrize(
    ("table", "interval"),
    [(rows().iloc[:0], 0.1), (rows().iloc[:1], 0.1), (rows(eye=np.nan), 0.1), (rows(pitch=-40.0), 0.1), (rows(), 5.0)],
    ids=["nobody", "one frame", "no eyes", "bowed", "a slow video"],
)
def test_nothing_is_told_of_eyes_not_seen(table: pd.DataFrame, interval: float) -> None:
    told = eye_windows(table, grid(), interval, 60.0)
    assert told.isna().all(axis=None)
    assert len(told) == 60


def test_open_eyes_and_too_little_of_them() -> None:
    told = eye_windows(rows(), grid(), 0.1, 60.0)
    assert told["perclos"].isna().sum() == 14
    assert (told.iloc[14:] == 0).all(axis=None)


def test_slow_eyes_are_a_share_of_the_time_and_no_blinks() -> None:
    told = eye_windows(rows(shut_at((30.0, 36.0))), grid(), 0.1, 60.0).iloc[-1]
    assert told["perclos"] == pytest.approx(0.1)
    assert told["blinks"] == 0


def test_blinks_are_counted_and_are_not_slow() -> None:
    told = eye_windows(rows(shut_at(*((second, second + 0.2) for second in range(2, 52, 5)))), grid(), 0.1, 60.0)
    assert told["blinks"].iloc[-1] == pytest.approx(10)
    assert told["perclos"].iloc[-1] == 0


def test_between_two_gaps_nobody_knows_whether_it_was_a_blink() -> None:
    eye = shut_at((30.0, 30.2))
    table = rows(eye)
    alone = table[(table["t"] < 20) | table["t"].between(29.99, 30.15) | (table["t"] > 40)]
    assert eye_windows(alone, grid(), 0.1, 60.0)["blinks"].iloc[-1] == 0


def test_at_four_frames_per_second_blinks_are_told_and_below_not() -> None:
    assert eye_windows(rows(rate=4), grid(), 0.25, 60.0)["blinks"].notna().any()
    told = eye_windows(rows(rate=3), grid(), 1 / 3, 60.0)
    assert told["blinks"].isna().all()
    assert told["perclos"].notna().any()


def test_windows_do_not_cross_students() -> None:
    both = pd.concat([rows(shut_at((0.0, 60.0))), rows().assign(student=2)], ignore_index=True)
    told = eye_windows(both, grid(students=(1, 2)), 0.1, 60.0)
    assert told.loc[1, "perclos"].iloc[-1] == 1
    assert (told.loc[2, "perclos"].dropna() == 0).all()


def test_a_mouth_not_seen() -> None:
    assert mouth_windows(rows().iloc[:0], grid(), 0.1).isna().all(axis=None)
    assert mouth_windows(rows(mouth=np.nan), grid(), 0.1).isna().all(axis=None)


def test_speech_has_rhythm_and_crossings_and_is_not_held() -> None:
    t = np.arange(600) / RATE
    speech = mouth_windows(rows(mouth=0.25 + 0.2 * np.sin(2 * np.pi * 3 * t)), grid(), 0.1).iloc[5:-5]
    assert (speech["mouth_crossings"] > 3).all()
    assert (speech["mouth_rhythm"] > 0.8).all()
    assert (speech["mouth_held"] < 0.15).all()


def test_a_yawn_is_held_and_has_no_rhythm() -> None:
    t = np.arange(600) / RATE
    yawn = mouth_windows(rows(mouth=np.where((t >= 20) & (t < 25), 0.9, 0.0)), grid(), 0.1)
    assert (yawn["mouth_held"].iloc[20:25] == 0.9).all()
    assert yawn["mouth_held"].drop(index=[(1, s) for s in range(20, 25)]).max() == 0
    assert yawn["mouth_crossings"].max() < 2
    assert yawn["mouth_rhythm"].max() < 0.5


def test_rhythm_needs_ten_frames_per_second() -> None:
    told = mouth_windows(rows(rate=5), grid(), 0.2)
    assert told["mouth_rhythm"].isna().all()
    assert told["mouth_crossings"].notna().any()


def test_still_seconds_count_up_start_again_and_end() -> None:
    motion = pd.Series([0.0, 0.0, 0.5, 0.0, np.nan, 0.0] + [0.0] * 100)
    told = still_seconds(motion, pd.Series([1] * len(motion)), 0.1)
    assert told.iloc[:6].tolist()[:4] == [1, 2, 0, 1]
    assert np.isnan(told.iloc[4])
    assert told.iloc[5] == 1
    assert told.max() == LONGEST_STILL_S
    two = still_seconds(pd.Series([0.0, 0.0]), pd.Series([1, 2]), 0.1)
    assert two.tolist() == [1, 1]
