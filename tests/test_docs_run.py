"""Every command of the pages is run, page by page and in order, in a folder that holds what they speak of.

What takes minutes, waits for somebody or needs data that is not here is named with its reason; of it only ``--help`` is
run, and ``tests/test_docs.py`` has checked its options.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from test_docs import PAGES, ROOT, commands, read
from typer.testing import CliRunner

import engage
from consent.registry import Registry
from consent.zones import Zone
from pipeline.encode import VideoWriter
from pipeline.session import VIDEO
from pipeline.video import VideoReader

ELSEWHERE = "/media/archive"
"""A folder in the pages that stands for one of the reader's; it is one below the test's folder here."""

HELP_ONLY = {
    "engage dashboard": "waits for a browser; tests/test_dashboard_browser.py opens it",
    "engage train": "learns from data that is not here; tests/test_models_training_*.py run it",
    "engage augment": "draws with what a long training made; tests/test_models_generate_commands.py runs it",
    "engage run": "takes a minute; the first of its lines is run below",
    "engage batch": "takes minutes, or a cluster; tests/test_engage_batch.py and tests/test_pipeline_cluster.py run it",
    "engage demo": "takes a minute; tests/test_engage_demo.py runs it",
}

OTHER_CODE = {
    "engage consent withdraw": (0, 1),  # 1: what is left to do is said, such as a face to look at
    "engage consent verify --head": (1,),  # the head of the page is that of another registry
}
"""Exit codes other than 0 that are right."""

WHOLE = {page: [command for command, whole in commands(read(page)) if whole] for page in PAGES}


def starts(command: str, table: dict[str, object]) -> str | None:
    return next((key for key in table if command.startswith(key)), None)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first second of the demo clip."""
    place = tmp_path_factory.mktemp("clip") / "lecture.mp4"
    with VideoReader(ROOT / "demo" / "classroom.mp4") as reader, VideoWriter(place, reader.info) as writer:
        for frame in islice(reader.frames(), 10):
            writer.write(frame, frame.image)
    return place


@pytest.fixture
def folder(tmp_path: Path, clip: Path, make_session: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader of the pages is: an approval, a form, a seat map, sessions with their recordings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    monkeypatch.setenv("ENGAGE_CONSENT_KEY", Fernet.generate_key().decode())
    monkeypatch.setenv("COLUMNS", "200")
    day = date.today()
    with Registry.open() as registry:
        registry.approve("CS 101", "Prof. Ada Byron", day, day + timedelta(days=365))
        registry.opt_out("CS 101", "s-17", Zone(0.1, 0.4, 0.3, 0.9))
    for name in ("lecture.mp4", "lecture3.mp4"):
        shutil.copyfile(clip, tmp_path / name)
    (tmp_path / "signed-form.pdf").write_bytes(b"%PDF-1.7\n")
    shutil.copyfile(ROOT / "consent/templates/course.yaml", tmp_path / "course.yaml")
    corners = [[0.1, 0.4], [0.3, 0.4], [0.35, 0.9], [0.1, 0.9]]
    (tmp_path / "room-12.json").write_text(json.dumps({"seats": [{"name": "A2", "polygon": corners}]}))
    (tmp_path / ELSEWHERE[1:] / "sessions").mkdir(parents=True)
    frames = {"students": 8, "frames": 10, "analysed_frames": 1, "events": 0}
    for name, course in (("CS-101_lecture", "CS 101"), ("CS-101_lecture2", "CS 101"), ("lecture", None)):
        made = make_session(tmp_path / "sessions", name=name, students=8, seconds=1, course=course, counts=frames)
        shutil.copyfile(clip, made / VIDEO)
    return tmp_path


def run(command: str, folder: Path) -> tuple[int, str]:
    """Exit code and what was said; raises what the front door would have shown as a crash."""
    words = shlex.split(command.replace(ELSEWHERE, str(folder / ELSEWHERE[1:])), comments=True)[1:]
    result = CliRunner().invoke(engage.app, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("page", [page for page, found in WHOLE.items() if found])
def test_the_commands_of_a_page_run_one_after_another(page: str, folder: Path) -> None:
    for command in WHOLE[page]:
        if starts(command, HELP_ONLY):
            continue
        code, output = run(command, folder)
        expected = OTHER_CODE.get(starts(command, OTHER_CODE) or "", (0,))
        assert code in expected, f"{command}: {output}"


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            " ".join(re.match(r"engage( [a-z][a-z-]*)*", command).group().split()[:3])  # type: ignore[union-attr]
            for page in PAGES
            for command, _ in commands(read(page))
        }
    ),
)
def test_every_command_that_is_named_has_help(name: str) -> None:
    words = name.split()[1:]
    known = engage.app.registered_groups
    groups = {one.name for one in known}
    words = words[: 2 if words and words[0] in groups else 1]
    result = CliRunner().invoke(engage.app, [*words, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage" in result.output


@pytest.mark.usefixtures("few_steps")
@pytest.mark.slow
def test_a_lecture_is_analysed_as_the_readme_says(folder: Path) -> None:
    (command, *_) = [one for one in WHOLE["README.md"] if one.startswith("engage run")]
    shutil.rmtree(folder / "sessions")
    code, output = run(command, folder)
    assert code in (0, 1), output  # 1: a face that has to be looked at
    assert (folder / "sessions/CS-101_lecture/report.pdf").is_file()


@pytest.mark.parametrize("page", [*PAGES, "benchmarks/README.md"])
def test_benchmarks_that_are_named_exist_with_their_options(page: str) -> None:
    text = (ROOT / "benchmarks/common.py").read_text(encoding="utf-8")
    for name, rest in re.findall(r"python -m benchmarks\.(\w+)((?: --?[^`|\n]*)?)", read(page)):
        file = ROOT / "benchmarks" / f"{name}.py"
        assert file.is_file(), f"{page} names benchmarks.{name}"
        source = text + file.read_text(encoding="utf-8")
        missing = [option for option in re.findall(r"--[a-z][a-z-]*", rest) if f'"{option}"' not in source]
        assert missing == [], f"{page}: benchmarks.{name} has no {missing}"
