"""``engage consent role``, ``roles`` and ``accesses``."""

from __future__ import annotations

from datetime import date

import pytest
from typer.testing import CliRunner

from consent.accesses import AccessKind
from consent.commands import app
from consent.errors import ConsentError
from consent.registry import Registry


@pytest.fixture
def engage(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    monkeypatch.setenv("COLUMNS", "200")
    with Registry.open() as registry:
        registry.approve("CS 101", "Dean", date(2026, 1, 1))
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.mark.parametrize(
    ("command", "words"), [("roles", "No account has a role"), ("accesses", "No access is on record")]
)
def test_nothing_is_on_record(engage, command, words):
    result = engage(command)
    assert result.exit_code == 0
    assert words in result.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "give either"),
        (("--role", "viewer", "--course", "CS 101", "--revoke"), "give either"),
        (("--revoke", "--course", "CS 101"), "takes the whole role away"),
        (("--role", "viewer"), "--course"),
        (("--revoke",), "never had a role"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(engage, options, words):
    result = engage("role", "ada@example.org", *options)
    assert isinstance(result.exception, ConsentError)
    assert words in str(result.exception)
    assert "\n" not in str(result.exception)


def test_a_role_is_given_shown_and_revoked(engage):
    given = engage("role", "Ada@example.org", "--role", "instructor", "--course", "cs 101")
    assert given.stdout == "ada@example.org is instructor of CS 101.\n"
    assert "all courses" in engage("role", "dean@example.org", "--role", "administrator").stdout
    shown = engage("roles").stdout
    assert "ada@example.org" in shown
    assert "all" in shown
    assert "any more" in engage("role", "ada@example.org", "--revoke").stdout
    assert "already" in engage("role", "ada@example.org", "--revoke").stdout
    assert "ada@example.org" not in engage("roles").stdout


def test_accesses_are_shown_with_markup_as_text(engage):
    with Registry.open() as registry:
        registry.accesses.note(AccessKind.STUDENT, "eve@example.org", "[red]see[/red]", "CS 101", "lecture", 7)
        registry.accesses.note(AccessKind.REFUSED, None, "the video", None, "other")
        registry.accesses.forget(None, date.max)
    shown = engage("accesses").stdout
    assert "[red]see[/red]" in shown
    assert "forgotten" in shown
    assert "other" not in engage("accesses", "cs 101").stdout
    assert engage("accesses", "Art").exit_code
