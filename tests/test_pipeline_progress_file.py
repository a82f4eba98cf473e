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
