from __future__ import annotations

import pytest

from pipeline.errors import OutputError
from pipeline.files import user_file, write_whole


def test_the_folder_is_made_and_the_old_file_replaced(tmp_path):
    path = tmp_path / "new" / "states.yaml"
    for text in ("one", "two"):
        write_whole(path, text)
        assert path.read_text() == text
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "states.yaml"
    write_whole(path, "old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.files.os.fsync", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole(tmp_path / "file" / "states.yaml", "text")


def test_the_users_file_has_no_machine_in_its_name():
    assert user_file("states.yaml").name == "states.yaml"
    assert user_file("states.yaml").parent.name == "engage"
