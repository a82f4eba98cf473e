"""Progress in a file: nothing there, then stages, then a place that can not be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import progress_file


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"stage": 1}'])
def test_progress_that_is_not_there_or_torn_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "progress"
    if content is not None:
        path.write_text(content)
    assert progress_file.read(path) is None


def test_progress_says_the_stage_and_ends_whole(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(progress_file, "INTERVAL_S", 0.0)
    path = tmp_path / "progress"
    monkeypatch.setenv(progress_file.VARIABLE, str(path))
    with progress_file.shown(None) as progress, progress.stage("Analyse", 10) as advance:
        first = progress_file.read(path)
        assert (first.stage, first.done, first.total) == ("Analyse", 0, 10)
        advance(4)
        assert progress_file.read(path).done == 4
        advance(2)
    last = progress_file.read(path)
    assert (last.done, last.total) == (6, 6)
    assert [left.name for left in tmp_path.iterdir()] == ["progress"]


def test_progress_that_can_not_be_written_does_not_stop_the_work(tmp_path: Path) -> None:
    with progress_file.ProgressFile(tmp_path / "nowhere" / "x") as progress, progress.stage("Analyse", None) as advance:
        advance(1)


def test_work_stands_still_where_it_says_the_same_for_long(monkeypatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress_file.time, "monotonic", lambda: now)
    stands_still = progress_file.Standstill(10.0)
    told = [None, None, progress_file.Reached("Analyse", 1, 9, 1.0), progress_file.Reached("Analyse", 2, 9, 2.0)]
    for reached in told:
        assert not stands_still(reached)
        now += 6.0
    assert not stands_still(told[-1])
    now += 6.0
    assert stands_still(told[-1])
    assert not stands_still(progress_file.Reached("Analyse", 3, 9, 20.0))


def test_work_that_never_told_anything_stands_still(monkeypatch) -> None:
    monkeypatch.setattr(progress_file.time, "monotonic", iter([0.0, 9.0, 11.0]).__next__)
    stands_still = progress_file.Standstill(10.0)
    assert not stands_still(None)
    assert stands_still(None)
