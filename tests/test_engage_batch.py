"""``engage batch`` with the real ``engage run`` behind it: bad use first, then real lectures."""

from __future__ import annotations

import inspect
import json
import shutil
import uuid
from itertools import islice
from pathlib import Path

import pytest
from test_engage import assert_refused
from test_engage import home as home
from typer.testing import CliRunner

import engage
from benchmarks.resume import differences
from consent.registry import Registry
from pipeline.batch_commands import OWN, words_of, work_folder
from pipeline.batch_summary import FILE
from pipeline.encode import VideoWriter
from pipeline.session import Session
from pipeline.video import VideoReader

QUICK = ("--imgsz", "320", "--backend", "torch", "--approved-by", "Prof. Wren")


def batch(*words: object):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(engage.app, ["batch", *map(str, words)])


@pytest.fixture(scope="module")
def lectures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of the demo lecture, and a file that is no video."""
    folder = tmp_path_factory.mktemp("lectures")
    with VideoReader(engage.DEMO) as reader, VideoWriter(folder / "birds.mp4", reader.info) as writer:
        for frame in islice(reader.frames(), 10):
            writer.write(frame, frame.image)
    (folder / "broken.mp4").write_text("The lecture of today is about birds.\n" * 100)
    return folder


# bad use


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "no lecture was given"),
        (["/nowhere", "--config", "none.yaml"], "none.yaml"),
        (["/nowhere", "--seat-map", "none.json"], "none.json"),
        (["a.mp4", "--out", "birds://x"], "no such kind of address"),
        (["a.mp4", "--out", "ftp://ada:secret@x/y"], "must not hold names or passwords"),
        (["--list", "none.csv"], "none.csv"),
        (["a.mp4", "--ray", "127.0.0.1:9"], "127.0.0.1:9"),
    ],
)
def test_bad_use_is_one_sentence(words: list[str], sentence: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = batch(*words)
    assert_refused(result, 2, sentence)
    assert "secret" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_every_option_of_a_run_holds_for_a_batch() -> None:
    from typer.main import get_command

    commands = get_command(engage.app).commands  # type: ignore[attr-defined]
    own, theirs = ({one.name for one in commands[name].params} for name in ("batch", "run"))
    assert theirs - own == OWN - {"out", "overwrite"}
    assert set(inspect.signature(engage.run).parameters) >= OWN


def test_options_are_given_again_as_they_were() -> None:
    from typer.main import get_command

    run = get_command(engage.app).commands["run"]  # type: ignore[attr-defined]
    words = ["--course", "CS 101", "--purpose", "showing", "--purpose", "research", "--profile", "observable", "--rate"]
    words += ["2.5", "--keep-audio", "--lecture-day", "2026-11-20", "--students", "12", "--absent", "s-1"]
    given = {
        name: value for name, value in run.make_context("run", [*words, "a.mp4"]).params.items() if name not in OWN
    }
    again = list(words_of(given))
    back = run.make_context("run", [*again, "a.mp4"]).params
    assert {name: back[name] for name in given} == given
    assert list(words_of(dict.fromkeys(given))) == []


def test_the_work_folder_is_that_of_the_target(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert work_folder("out") == work_folder(str(tmp_path / "out")) != work_folder("other")
    assert work_folder("s3://a/b") == work_folder("s3://a/b") != work_folder("s3://a/c")


# real ones


def test_without_an_approval_nothing_is_processed(lectures: Path, tmp_path: Path) -> None:
    result = batch(lectures / "birds.mp4", "--out", tmp_path / "out", "--imgsz", 320)
    assert result.exit_code == 3
    (lecture,) = json.loads((tmp_path / "out" / FILE).read_text())["lectures"]
    assert (lecture["outcome"], lecture["session"], lecture["tries"]) == ("failed", None, 1)
    assert "approv" in lecture["reason"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [FILE]


@pytest.mark.slow
def test_a_lecture_is_as_of_engage_run_and_its_answers_decide_whether_it_is_skipped(
    lectures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = (lectures, "--out", out, "--course", "Birds 101", *QUICK)
    result = batch(*words)
    assert result.exit_code == 2, result.output
    first, second = json.loads((out / FILE).read_text())["lectures"]
    assert (first["lecture"], first["outcome"], first["session"]) == ("birds.mp4", "done", str(out / "Birds-101_birds"))
    assert (second["lecture"], second["outcome"], second["code"]) == ("broken.mp4", "failed", 2)
    assert "broken.mp4: not a readable video" in second["reason"]
    assert "not a readable video" in result.output

    alone = CliRunner().invoke(
        engage.app,
        ["run", str(lectures / "birds.mp4"), "--out", str(tmp_path / "alone"), "--course", "Birds 101", *QUICK],
    )
    assert alone.exit_code == 0, alone.output
    assert differences(out / "Birds-101_birds", tmp_path / "alone" / "Birds-101_birds") == []

    made = Session.open(out / "Birds-101_birds").manifest.created
    assert batch(*words).exit_code == 2
    assert [one["outcome"] for one in json.loads((out / FILE).read_text())["lectures"]] == ["skipped", "failed"]
    with Registry.open() as registry:
        registry.opt_out("Birds 101", "s-17")
    assert batch(*words).exit_code == 2
    refused, _ = json.loads((out / FILE).read_text())["lectures"]
    assert (refused["outcome"], refused["code"]) == ("failed", 2)
    assert "of another recording, settings or answers of students" in refused["reason"]
    assert Session.open(out / "Birds-101_birds").manifest.created == made


@pytest.mark.slow
def test_a_session_goes_to_an_address_and_a_list_gives_the_course(lectures: Path, tmp_path: Path) -> None:
    shutil.copyfile(lectures / "birds.mp4", tmp_path / "owls.mp4")
    (tmp_path / "lectures.csv").write_text("video,course\nowls.mp4,Birds 101\n")
    far = tmp_path / f"far-{uuid.uuid4().hex}"
    result = batch("--list", tmp_path / "lectures.csv", "--out", far.as_uri(), "--work", tmp_path / "work", *QUICK)
    assert result.exit_code == 0, result.output
    session = Session.open(far / "Birds-101_owls")
    assert session.manifest.course == "Birds 101"
    assert (far / FILE).is_file()
    assert list((tmp_path / "work").iterdir()) == []
    with Registry.open() as registry:
        (noted,) = registry.sessions.of_course("Birds 101")
    assert (noted.folder, noted.whole) == (far / "Birds-101_owls", True)
