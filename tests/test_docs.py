"""What the pages say is checked where a machine can: commands, links, names, settings, columns, examples."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

import engage
from pipeline.session import EVENT_COLUMNS, OBSERVATION_COLUMNS, STATE_COLUMNS, Manifest
from pipeline.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("models", "consent", "pipeline", "reports", "dashboard")
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")))

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"!?\[(?:[^\[\]]|!\[[^\]]*\])*\]\(([^)\s]+)\)", re.DOTALL)


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def fenced(text: str, language: str) -> list[str]:
    """The code blocks of a language."""
    return [code for found, code in FENCE.findall(text) if found == language]


def commands(text: str) -> Iterator[tuple[str, bool]]:
    """Each ``engage …`` of a page and whether it is whole: a line to type (a part, when named in a sentence)."""
    for block in fenced(text, "sh"):
        for line in block.splitlines():
            if line.startswith("engage "):
                yield line, True
    for part in INLINE.findall(FENCE.sub("", text)):
        if re.match(r"engage\s[a-z]", part):
            yield " ".join(part.split()), False


def wrong_with(command: str, whole: bool) -> str | None:
    """Why a command line cannot be typed, else ``None``. Nothing is run."""
    words = shlex.split(command, comments=True)[1:]
    known: Any = typer.main.get_command(engage.app)
    path = ["engage"]
    while hasattr(known, "commands") and words and not words[0].startswith("-") and words[0] != "…":
        path.append(words.pop(0))
        if path[-1] not in known.commands:
            return f"no command {' '.join(path)}"
        known = known.commands[path[-1]]
    options = {option for parameter in known.params for option in parameter.opts} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in options]
    if unknown:
        return f"{' '.join(path)} has no option {unknown[0]}"
    if whole and "--help" not in words:
        try:
            known.make_context(path[-1], words)
        except Exception as error:  # its class depends on Typer's version
            return error.format_message() if hasattr(error, "format_message") else repr(error)
    return None


def anchors(text: str) -> set[str]:
    """The addresses of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: str) -> list[str]:
    """Links of a page to files or headings that are not there; addresses of the web are let pass."""
    dead = []
    for target in LINK.findall(FENCE.sub("", read(page))):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            dead.append(target)
    return dead


# the checkers themselves


@pytest.mark.parametrize(
    ("command", "whole", "reason"),
    [
        ("engage fly", False, "no command engage fly"),
        ("engage consent fly", False, "no command engage consent fly"),
        ("engage run --fly", False, "engage run has no option --fly"),
        ("engage consent approve --fly=1 A", False, "engage consent approve has no option --fly"),
        ("engage run", True, "Missing"),
        ("engage run a.mp4 --blur nose", True, "--blur"),
        ("engage run a.mp4 --rate often", True, "--rate"),
    ],
)
def test_a_wrong_command_is_found(command: str, whole: bool, reason: str) -> None:
    assert reason in str(wrong_with(command, whole))


@pytest.mark.parametrize(
    ("command", "whole"),
    [
        ("engage --help", True),
        ("engage run", False),
        ("engage consent …", False),
        ('engage run "a b.mp4" c.mp4 --blur everyone --rate=2  # two lectures', True),
    ],
)
def test_a_right_command_is_let_pass(command: str, whole: bool) -> None:
    assert wrong_with(command, whole) is None


def test_commands_are_found_in_blocks_and_in_sentences() -> None:
    text = "Say `engage\nrun a.mp4`, or `engaged`.\n\n```sh\nls\nengage info  # all\n```\n\n```\nengage no\n```\n"
    assert list(commands(text)) == [("engage info  # all", True), ("engage run a.mp4", False)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](b.md) and [c\nd](e.md#f)", ["b.md", "e.md#f"]),
        ("![alt [x] text](p.png)", []),  # nested brackets are not used here
        ("![long\nalt](p.png)", ["p.png"]),
        ("[![badge](b.svg)](c.md)", ["c.md"]),
    ],
)
def test_links_are_found(text: str, found: list[str]) -> None:
    assert LINK.findall(text) == found


# the pages


@pytest.mark.parametrize("page", PAGES)
def test_every_command_can_be_typed(page: str) -> None:
    wrong = {command: reason for command, whole in commands(read(page)) if (reason := wrong_with(command, whole))}
    assert wrong == {}


def test_the_readme_shows_commands() -> None:
    assert sum(whole for _, whole in commands(read("README.md"))) >= 3


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    assert dead_links(page) == []


def test_options_named_alone_in_the_readme_exist() -> None:
    command: Any = typer.main.get_command(engage.app)
    groups = [command, command.commands["consent"], command.commands["train"]]
    all_commands = [one for group in groups for one in group.commands.values()]
    known = {option for one in all_commands for parameter in one.params for option in parameter.opts}
    parts = INLINE.findall(FENCE.sub("", read("README.md")))
    named = {match for part in parts for match in re.findall(r"--[a-z][a-z-]*", part)}
    assert named
    assert named <= known


def test_failures_quoted_for_instructors_are_said_by_the_rooms() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    rows = re.findall(r"^\| (\*.+?\*) \|", read("docs/quickstart.md"), re.MULTILINE)
    quoted = [words for row in rows for words in re.findall(r"\*(.+?)\*", row)]
    assert quoted
    assert [words for words in quoted if words not in code] == []


def test_make_targets_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    text = "\n".join(map(read, PAGES))
    named = set(re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", text, re.MULTILINE))
    assert {one or other for one, other in named} <= targets


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs/images/demo.png").stat().st_size <= 400_000


def test_the_architecture_names_every_module_once_and_no_other() -> None:
    here = {path.relative_to(ROOT).as_posix() for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    here = {name for name in here if not name.endswith("__init__.py")}
    text = read("docs/architecture.md")
    named = set(re.findall(rf"\b(?:{'|'.join(ROOMS)})/[\w/]+\.py", text))
    assert named - here == set(), "named, but not there"
    assert here - named == set(), "there, but not named"
    listed = re.findall(r"^\| `(\w+/[\w/]+\.py)` \|", text, re.MULTILINE)
    assert sorted(listed) == sorted(here)


def test_the_architecture_gives_a_reason_for_every_dependency() -> None:
    needed = read("pyproject.toml").partition("\ndependencies = [")[2].partition("\n]")[0]
    names = re.findall(r'^    "([\w-]+)', needed, re.MULTILINE)
    text = read("docs/architecture.md").partition("## Dependencies")[2]
    assert len(names) > 20
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_settings_page_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "docs/make_settings.py"))["page"]()
    assert read("docs/settings.md") == page, "run: python docs/make_settings.py"


@pytest.mark.parametrize("place", range(len(fenced(read("docs/settings.md"), "yaml"))))
def test_settings_shown_can_be_given(place: int, tmp_path: Path) -> None:
    shown = yaml.safe_load(fenced(read("docs/settings.md"), "yaml")[place])
    if place:  # a default too large for the table, without the names above it
        shown = {
            "states": {"chances" if any(isinstance(value, dict) for value in shown.values()) else "dwell_s": shown}
        }
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump(shown), encoding="utf-8")
    assert (read_settings(file) == read_settings(None)) == bool(place)


def test_the_session_page_names_every_field_and_column() -> None:
    named = set(INLINE.findall(FENCE.sub("", read("docs/session.md"))))
    assert set(Manifest.model_fields) - named == set()
    assert {*OBSERVATION_COLUMNS, *STATE_COLUMNS, *EVENT_COLUMNS, "p_<state>", "behaviour_<name>"} - named == set()


def test_the_session_example_runs(
    make_session: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    make_session(tmp_path / "sessions", name="CS-101_lecture", students=3, seconds=90)
    monkeypatch.chdir(tmp_path)
    (example,) = fenced(read("docs/session.md"), "python")
    exec(compile(example, "docs/session.md", "exec"), {})
    out = capsys.readouterr().out
    assert "90.0 s, 3 students" in out
    assert "student 1, 36 to 40 s" in out
