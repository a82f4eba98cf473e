"""``engage info``: nothing on the machine first, then what is found, then the real command."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform

import pytest
from typer.testing import CliRunner

import engage
from models.commands import PACKAGES, describe_installation
from models.registry import DEFAULT_DETECTOR, PINNED_SHA256, shipped_weights


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder that is named but not there yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("ENGAGE_CACHE", str(folder))
    monkeypatch.setenv("COLUMNS", "200")
    return folder


def files_in(report: dict, source: str) -> dict[str, dict]:
    return {file["name"]: file for file in report["model_files"] if file["source"] == source}


def test_without_a_cache_only_the_shipped_files_are_found(cache):
    report = describe_installation()
    assert not files_in(report, "cache")
    assert files_in(report, "shipped").keys() == {file.path.name for file in shipped_weights()}
    assert not cache.exists()  # looking makes nothing


def test_the_default_detector_is_shipped_and_whole():
    report = describe_installation()
    default = files_in(report, "shipped")[report["default_detector"]]
    assert report["default_detector"] == f"{DEFAULT_DETECTOR}.pt"
    assert default["size"] > 1_000_000
    assert not default["damaged"]


def test_what_lies_in_the_cache_is_listed_with_its_digest(cache):
    cache.mkdir()
    (cache / "mine.pt").write_bytes(b"mine")
    (cache / "notes.txt").write_bytes(b"no model")
    found = files_in(describe_installation(), "cache")
    assert found.keys() == {"mine.pt"}
    assert found["mine.pt"]["sha256"] == hashlib.sha256(b"mine").hexdigest()
    assert (found["mine.pt"]["size"], found["mine.pt"]["damaged"]) == (4, False)


def test_a_file_that_only_bears_an_official_name_is_called_out(cache):
    cache.mkdir()
    name = next(iter(PINNED_SHA256))
    (cache / name).write_bytes(b"something else")
    assert files_in(describe_installation(), "cache")[name]["damaged"]
    result = CliRunner().invoke(engage.app, ["info"])
    assert result.exit_code == 0
    assert "NOT the official file" in result.output


def test_a_model_file_that_may_not_be_read_is_said_in_one_sentence(cache, monkeypatch):
    def locked(_: object) -> str:  # file modes do not stop root
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    cache.mkdir()
    (cache / "locked.pt").touch()
    monkeypatch.setattr("models.registry.file_sha256", locked)
    result = CliRunner().invoke(engage.app, ["info"])
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("error: ")
    assert "cannot be read (Permission denied)" in result.stderr


def test_a_package_that_is_not_installed_is_said_and_no_failure(monkeypatch):
    monkeypatch.setattr("models.commands.PACKAGES", ("numpy", "no-such-package-of-birds"))
    versions = describe_installation()["versions"]
    assert versions["no-such-package-of-birds"] is None
    assert versions["numpy"]
    assert "not installed" in CliRunner().invoke(engage.app, ["info"]).output


def test_a_machine_without_cuda_is_told_apart_from_one_with(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert describe_installation()["devices"]["cuda"] == []
    assert "no CUDA device found" in CliRunner().invoke(engage.app, ["info"]).output


def test_json_is_the_whole_report_and_nothing_else(cache):
    result = CliRunner().invoke(engage.app, ["info", "--json"])
    assert result.exit_code == 0
    assert result.stderr == ""
    assert json.loads(result.stdout) == json.loads(json.dumps(describe_installation()))


def test_the_tables_show_what_the_json_holds():
    report = describe_installation()
    shown = " ".join(CliRunner().invoke(engage.app, ["info"]).stdout.split())
    assert platform.python_version() in shown
    for file in report["model_files"]:
        assert file["name"] in shown
        assert file["sha256"] in shown
    for name in PACKAGES:
        assert f"{name} " in shown
    assert report["versions"]["torch"] in shown
    assert report["folders"]["cache"] in shown
