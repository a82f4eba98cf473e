import subprocess
import sys
from datetime import date

import pytest
from typer.testing import CliRunner

from consent.commands import app
from consent.errors import ConsentError, RegistryError
from consent.policy import OptOut, Zone
from consent.registry import Registry


@pytest.fixture
def engage(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, list(words))


def test_an_empty_registry_says_how_to_begin(engage):
    result = engage("list")
    assert result.exit_code == 0
    assert "engage consent approve COURSE --by NAME" in result.output


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("approve", "", "--by", "Dean"), ConsentError),
        (("approve", "CS 101", "--by", " "), ConsentError),
        (
            ("approve", "CS 101", "--by", "Dean", "--from", "2025-02-02", "--until", "2025-02-01"),
            ConsentError,
        ),
        (("opt-out", "CS 101", "kestrel", "--zone", "0.2,0.2,0.2,0.4"), ConsentError),
        (("opt-out", "CS 101", "kestrel", "--zone", "-0.2,0.2,0.2,0.4"), ConsentError),
        (("opt-out", "CS 101", "kestrel"), RegistryError),
        (("opt-in", "CS 101", "kestrel"), RegistryError),
        (("list", "CS 101"), RegistryError),
    ],
)
def test_failures_reach_the_door_with_their_exit_code(engage, words, error):
    caught = engage(*words).exception
    assert type(caught) is error
    assert caught.exit_code == 2


@pytest.mark.parametrize(
    "words",
    [("approve", "CS 101"), ("approve", "CS 101", "--by", "Dean", "--until", "soon"), ("opt-out", "CS 101")],
)
def test_wrong_usage_exits_2(engage, words):
    assert engage(*words).exit_code == 2


def test_help_imports_nothing_heavy():
    code = "import sys, consent.commands; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_term(engage, tmp_path):
    form = tmp_path / "form [signed].pdf"
    form.write_bytes(b"signed")
    approved = engage(
        "approve", "CS 101", "--by", "Prof. Ada", "--from", "2025-02-01", "--until", "2025-02-01",
        "--evidence", str(form),
    )  # fmt: skip
    assert "approval-1: Prof. Ada approves course CS 101 from 2025-02-01 until 2025-02-01" in approved.output
    assert f"from {date.today()} without an end" in engage("approve", "Art", "--by", "Dean").output
    assert "everybody is covered" in engage("opt-out", "cs 101", "[kestrel]").output
    assert "0.1,0.2,0.3,0.4 are covered" in engage("opt-out", "CS 101", "[kestrel]", "--zone", "0.1,0.2,0.3,0.4").output
    assert "had already opted out" in engage("opt-out", "CS 101", "[kestrel]", "--zone", "0.1,0.2,0.3,0.4").output
    engage("opt-out", "CS 101", "heron")

    everything = engage("list").output
    for words in (
        "CS 101",
        "Prof. Ada",
        "not valid",
        "form [signed].pdf",
        "Art",
        "[kestrel]",
        "0.1,0.2,0.3,0.4",
    ):
        assert words in everything
    one_course = engage("list", "art").output
    assert "Art" in one_course
    assert "kestrel" not in one_course

    assert "is taken back" in engage("opt-in", "CS 101", "[kestrel]").output
    assert "was already taken back" in engage("opt-in", "CS 101", "[kestrel]").output
    assert "kestrel" not in engage("list").output
    with Registry.open() as registry:
        assert registry.opt_outs("CS 101") == (OptOut("heron"),)
        engage("opt-out", "CS 101", "heron", "--zone", "0,0,1,1")
        assert registry.opt_outs("CS 101") == (OptOut("heron", Zone(0, 0, 1, 1)),)
