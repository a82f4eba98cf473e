"""Pieces of readings: nothing, what is broken or not ours, and that all that is read back is what was written."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.observations import Readings, float_columns
from pipeline.readings import DTYPES, HALF, ReadingLog

COLUMNS = float_columns(("write",))
STATE = {"heads.places": np.array([[0.1, 0.2, 0.3, np.pi]]), "hands.turn": np.array(7)}
BOTH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def readings(first: int, people: list[int], seed: int = 0) -> Readings:
    """As many frames as ``people`` has numbers, five a second; a third of what is read is NaN."""
    rng = np.random.default_rng([seed, first])
    values = rng.normal(size=(sum(people), len(COLUMNS))).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    frames = np.arange(first, first + len(people), dtype=np.int32)
    counts = np.array(people, np.int32)
    return Readings(frames, frames / 5, counts, rng.integers(0, 99, sum(people), np.int32), values)


def assert_same(one: Readings, other: Readings) -> None:
    for part in fields(Readings):
        mine, its = getattr(one, part.name), getattr(other, part.name)
        assert mine.dtype == its.dtype == DTYPES[part.name]
        assert mine.tobytes() == its.tobytes()


def opened(folder: Path, origin: str = "a") -> ReadingLog:
    return ReadingLog(folder / "readings", origin, COLUMNS)


def filled(folder: Path, *pieces: Readings) -> ReadingLog:
    log = opened(folder)
    for number, piece in enumerate(pieces):
        log.save(piece, STATE | {"objects.frame": np.array(number)})
    return log


THREE = (readings(0, [2, 3]), readings(2, [0, 0]), readings(4, [1, 4, 2]))


# nothing


def test_a_log_without_a_folder_saves_nothing_and_still_tells(tmp_path: Path) -> None:
    log = ReadingLog(None, "a", COLUMNS)
    assert not log.due(1e9)
    log.end(THREE[0], STATE)
    assert log.frames == [0, 1]
    assert len(log.table()) == 5
    assert list(log.one_by_one()) == []


@pytest.mark.parametrize("made", [False, True])
def test_an_empty_folder_is_a_log_without_readings(tmp_path: Path, made: bool) -> None:
    if made:
        (tmp_path / "readings").mkdir()
    log = opened(tmp_path)
    assert (len(log), log.state, list(log.pieces()), len(log.table())) == (0, {}, [], 0)
    assert tuple(log.table().columns) == ("frame", "t", "track", *COLUMNS)
    log.end(readings(0, []), {})
    assert len(log) == 0


def test_what_is_shorter_than_a_piece_leaves_nothing_behind(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.end(THREE[0], STATE)
    assert len(log.table()) == 5
    assert list(tmp_path.iterdir()) == []
    assert len(opened(tmp_path)) == 0


# what is not ours, or broken


def test_readings_of_another_origin_are_deleted(tmp_path: Path) -> None:
    filled(tmp_path, *THREE)
    assert len(opened(tmp_path, "somebody said no")) == 0
    assert list((tmp_path / "readings").iterdir()) == []
    assert len(opened(tmp_path)) == 0


def test_readings_with_other_columns_are_deleted(tmp_path: Path) -> None:
    filled(tmp_path, *THREE)
    assert len(ReadingLog(tmp_path / "readings", "a", COLUMNS[:-1])) == 0


@pytest.mark.parametrize("missing", range(3))
def test_pieces_after_a_missing_one_do_not_count(tmp_path: Path, missing: int) -> None:
    filled(tmp_path, *THREE)
    sorted((tmp_path / "readings").iterdir())[missing].unlink()
    log = opened(tmp_path)
    assert len(log) == sum(len(piece) for piece in THREE[:missing])
    assert len(list((tmp_path / "readings").iterdir())) == missing
    assert log.state.get("objects.frame", -1) == missing - 1


def test_what_a_kill_left_half_written_is_deleted(tmp_path: Path) -> None:
    filled(tmp_path, *THREE)
    (tmp_path / "readings" / f"00003.npz{HALF}").write_bytes(b"PK")
    assert len(opened(tmp_path)) == 7
    assert [path.name for path in sorted((tmp_path / "readings").iterdir())] == ["00000.npz", "00001.npz", "00002.npz"]


@pytest.mark.parametrize("kind", ["a file", "a link"])
def test_something_else_in_the_place_of_the_folder_goes_and_what_a_link_names_stays(tmp_path: Path, kind: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "00000.npz").write_text("years of work")
    if kind == "a link":
        (tmp_path / "readings").symlink_to(tmp_path / "mine", target_is_directory=True)
    else:
        (tmp_path / "readings").write_text("in the way")
    log = filled(tmp_path, *THREE)
    assert len(log) == 7
    assert (tmp_path / "mine" / "00000.npz").read_text() == "years of work"


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    filled(tmp_path, THREE[0])
    np.savez(tmp_path / "readings" / "00000.npz", origin=np.array([print], dtype=object))
    assert len(opened(tmp_path)) == 0


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_arrays_of_another_type_or_shape_are_not_taken(tmp_path: Path, name: str) -> None:
    for wrong in (lambda array: array.astype(np.float16), lambda array: array[:-1]):
        filled(tmp_path, THREE[0])
        path = tmp_path / "readings" / "00000.npz"
        with np.load(path) as file:
            arrays = {one: wrong(file[one]) if one == name else file[one] for one in file.files}
        np.savez(path, **arrays)
        assert len(opened(tmp_path)) == 0


@given(data=st.data())
@BOTH
def test_a_damaged_piece_is_seen_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("log")
    filled(folder, *THREE)
    path = folder / "readings" / "00001.npz" if data.draw(st.booleans()) else folder / "readings" / "00000.npz"
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[place:]
    path.write_bytes(content)
    whole = list(opened(folder).pieces())
    assert len(whole) in (int(path.stem), 3)
    for one, other in zip(whole, THREE, strict=False):
        assert_same(one, other)


# what works


@pytest.mark.parametrize("people", [[0], [3], [0, 2, 0], [5] * 20])
def test_what_is_read_back_is_what_was_written_to_the_last_bit(tmp_path: Path, people: list[int]) -> None:
    written = readings(0, people)
    filled(tmp_path, written)
    log = opened(tmp_path)
    (piece,) = log.pieces()
    assert_same(piece, written)
    assert {name: value.tobytes() for name, value in log.state.items() if name in STATE} == {
        name: value.tobytes() for name, value in STATE.items()
    }
    alone = list(log.one_by_one())
    assert [one.frames.tolist() for one in alone] == [[n] for n in range(len(people))]
    assert b"".join(one.values.tobytes() for one in alone) == written.values.tobytes()
    assert [len(one.people) for one in alone] == people


@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), max_size=6), st.integers(0, 6))
@BOTH
def test_wherever_the_lecture_is_cut_into_pieces_the_table_is_one(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[int]], killed: int
) -> None:
    """Pieces saved before a kill, after it, and the rest that is never saved."""
    folder = tmp_path_factory.mktemp("log")
    starts = np.cumsum([0, *map(len, parts)])
    pieces = [readings(int(start), people) for start, people in zip(starts, parts, strict=False)]
    log = filled(folder, *pieces[: min(killed, len(pieces))])
    log = opened(folder)
    for piece in pieces[killed:-1]:
        log.save(piece, STATE)
    if killed < len(pieces):
        log.end(pieces[-1], STATE)
    one = ReadingLog(None, "", COLUMNS)
    whole = (
        [np.concatenate([getattr(piece, part.name) for piece in pieces]) for part in fields(Readings)] if pieces else []
    )
    one.end(Readings(*whole) if pieces else readings(0, []), {})
    assert (log.frames, log.times) == (one.frames, one.times)
    assert log.table().equals(one.table())
    if len(pieces) > 1:
        assert len(opened(folder)) == starts[-1]  # so that a kill in pass 2 finds all


def test_a_piece_is_due_after_each_minute_of_the_lecture(tmp_path: Path) -> None:
    log = opened(tmp_path)
    assert [t for t in (0, 59.9, 60.0, 61) if log.due(t)] == [60.0, 61]
    log.save(readings(0, [1] * 302), {})  # up to 60.2 s
    assert [t for t in (60.2, 119.9, 120.0, 500) if log.due(t)] == [120.0, 500]


def test_forgetting_deletes_everything(tmp_path: Path) -> None:
    log = filled(tmp_path, *THREE)
    log.forget()
    assert (len(log), log.state, len(log.table())) == (0, {}, 0)
    assert not (tmp_path / "readings").exists()
    log.save(THREE[0], STATE)
    assert len(opened(tmp_path)) == 2


def test_no_picture_and_no_look_is_in_a_piece(tmp_path: Path) -> None:
    """What is saved is as many numbers as the columns say, whatever is added later."""
    filled(tmp_path, THREE[0])
    with np.load(tmp_path / "readings" / "00000.npz") as file:
        assert set(file.files) == {
            "origin",
            "columns",
            *DTYPES,
            *(f"state.{name}" for name in (*STATE, "objects.frame")),
        }
        assert tuple(file["columns"].tolist()) == COLUMNS
