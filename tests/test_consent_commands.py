import re
import sqlite3
import subprocess
import sys
from datetime import date

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from consent.commands import app
from consent.errors import ConsentError, LogBroken, NameKeyError, RegistryError
from consent.policy import OptOut, Zone
from consent.registry import Registry


@pytest.fixture
def engage(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("ENGAGE_CONSENT_KEY", raising=False)
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
        (("decide", "CS 101", "kestrel", "no", "--purpose", "analysis"), RegistryError),
        (("decide", "CS 101", "kestrel", "no", "--purpose", "analysis", "--form-version", "1"), ConsentError),
        (("student", "CS 101", "kestrel"), RegistryError),
        (("student", "CS 101", "kestrel", "--show-name"), RegistryError),
        (("student", "CS 101", "kestrel", "--seat", "1,2,3"), ConsentError),
        (("student", "CS 101", "kestrel", "--name", "Ada", "--forget-name"), ConsentError),
        (("student", "CS 101", "kestrel", "--name", "Ada"), NameKeyError),
        (("verify", "--head", "abc"), ConsentError),
    ],
)
def test_failures_reach_the_door_with_their_exit_code(engage, words, error):
    caught = engage(*words).exception
    assert type(caught) is error
    assert caught.exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("approve", "CS 101"),
        ("approve", "CS 101", "--by", "Dean", "--until", "soon"),
        ("opt-out", "CS 101"),
        ("approve", "CS 101", "--by", "Dean", "--purpose", "grading"),
        ("decide", "CS 101", "kestrel", "no"),
        ("decide", "CS 101", "kestrel", "perhaps", "--purpose", "analysis"),
        ("verify", "--head"),
    ],
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


def test_a_student_decides(engage, monkeypatch):
    monkeypatch.setenv("ENGAGE_CONSENT_KEY", Fernet.generate_key().decode())
    granted = engage("approve", "CS 101", "--by", "Dean", "--purpose", "analysis", "--purpose", "recording")
    assert "for recording, analysis." in granted.output
    said = engage("decide", "CS 101", "heron", "yes", "--purpose", "recording", "--purpose", "analysis",
                  "--form-version", "abcdef0123")  # fmt: skip
    assert said.output == "heron says yes to recording and analysis in CS 101.\n"
    said = engage("decide", "CS 101", "heron", "--purpose", "analysis", "no")
    assert "everybody is covered; record it with: engage consent student COURSE STUDENT --seat" in said.output
    seated = engage("student", "CS 101", "heron", "--seat", "0.1,0.2,0.3,0.4")
    assert seated.output == "heron: no name; sits in 0.1,0.2,0.3,0.4; recording yes (form abcdef01), analysis no.\n"
    assert (
        "zone 0.1,0.2,0.3,0.4 are covered" in engage("decide", "CS 101", "heron", "no", "--purpose", "analysis").output
    )
    assert "name on record, encrypted" in engage("student", "CS 101", "heron", "--name", "Ada Byron").output
    assert "heron: Ada Byron; sits in" in engage("student", "CS 101", "heron", "--show-name").output
    listed = engage("list").output
    for words in ("heron", "encrypted", "recording yes (form abcdef01), analysis no", "0.1,0.2,0.3,0.4"):
        assert words in listed
    assert "Ada" not in listed
    assert "no name" in engage("student", "CS 101", "heron", "--forget-name").output
    engage("opt-out", "CS 101", "heron")
    assert "still on record" in engage("decide", "CS 101", "heron", "yes", "--purpose", "analysis").output
    assert "still counts" not in engage("opt-in", "CS 101", "heron").output
    engage("opt-out", "CS 101", "heron")
    engage("decide", "CS 101", "heron", "no", "--purpose", "recording")
    assert "still counts" in engage("opt-in", "CS 101", "heron").output


def test_showing_a_student_not_on_record_adds_nobody(engage):
    engage("approve", "CS 101", "--by", "Dean")
    for option in ("--show-name", "--forget-name"):
        assert isinstance(engage("student", "CS 101", "heron", option).exception, RegistryError)
    assert "Students" not in engage("list").output
    assert engage("student", "CS 101", "heron").output == "heron: no name; seat not known; nothing decided.\n"
    assert "Students" in engage("list").output


def test_the_log_is_verified(engage, tmp_path):
    assert f"whole: 0 entries, head {'0' * 64}" in engage("verify").output
    engage("approve", "CS 101", "--by", "Dean")
    engage("opt-out", "CS 101", "heron")
    whole = engage("verify")
    assert whole.exit_code == 0
    assert "2 entries" in whole.output
    (head,) = re.findall(r"[0-9a-f]{64}", whole.output)
    assert engage("verify", "--head", head).exit_code == 0
    with sqlite3.connect(tmp_path / "consent.sqlite") as raw:
        raw.execute("DELETE FROM log WHERE number = 2")
        raw.execute("DELETE FROM opt_outs")
    assert engage("verify").exit_code == 0  # nothing in the file shows it
    broken = engage("verify", "--head", head).exception
    assert isinstance(broken, LogBroken)
    assert broken.exit_code == 1
    assert "entry 2 of the log does not fit" in str(broken)
