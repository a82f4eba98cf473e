"""What a visitor sees and changes: nobody first, then roles, then what is noted of a look at a student."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from consent.accesses import AccessKind
from consent.errors import ConsentError, NotPermitted
from consent.registry import Registry
from consent.roles import Role
from dashboard import access, door, library, login, pages
from dashboard.access import HERE, NOBODY, Visitor, look_at_student, of_account, refused
from dashboard.commands import dashboard
from pipeline.errors import InputError

ADA, VIC = "ada@example.org", "vic@example.org"


@pytest.fixture
def registry(registry_url, tmp_path, monkeypatch, make_session):
    monkeypatch.setenv("ENGAGE_DATABASE_URL", registry_url)
    monkeypatch.setenv(library.FOLDER_VARIABLE, str(tmp_path / "sessions"))
    make_session(tmp_path / "sessions", "mine", course="CS 101")
    make_session(tmp_path / "sessions", "other", course="Art")
    make_session(tmp_path / "sessions", "courseless", course=None)
    with Registry.open() as opened:
        for course in ("CS 101", "Art"):
            opened.approve(course, "Dean", date(2026, 1, 1))
        opened.roles.grant(ADA, Role.INSTRUCTOR, ["CS 101"])
        opened.roles.grant(VIC, Role.VIEWER, ["CS 101"])
        yield opened


# Nobody


@given(st.text() | st.none())
def test_nobody_sees_or_changes_anything(course):
    for nobody in (NOBODY, Visitor("eve@example.org", None, ("CS 101", ""))):
        assert not nobody.sees(course)
        assert not nobody.sees_students
        assert not nobody.may_change


def test_who_is_not_on_record_has_no_role(registry):
    assert of_account(None) == NOBODY
    assert of_account("eve@example.org") == Visitor("eve@example.org", None)


# Roles


@given(st.text() | st.none())
def test_an_administrator_sees_every_course_and_what_has_none(course):
    assert HERE.sees(course)


@pytest.mark.parametrize("role", [Role.INSTRUCTOR, Role.VIEWER])
def test_others_see_their_courses_only(role):
    visitor = Visitor(ADA, role, ("CS 101",))
    assert visitor.sees("cs  101")
    assert not visitor.sees("CS 1011")
    assert not visitor.sees("Art")
    assert not visitor.sees("")
    assert not visitor.sees(None)
    assert visitor.sees_students == visitor.may_change == (role is Role.INSTRUCTOR)


def test_a_role_is_read_anew_each_time(registry):
    assert of_account("ADA@example.org").sees("CS 101")
    registry.roles.revoke(ADA)
    assert of_account(ADA).role is None


def test_a_viewer_gets_no_page_about_single_students():
    everybody = list(pages.NAMES)
    assert door.pages(HERE, everybody) == everybody
    left = door.pages(Visitor(VIC, Role.VIEWER, ("CS 101",)), everybody)
    assert not {"correct", "consent"} & set(left)
    assert "lectures" in left


def test_without_serve_the_visitor_is_the_person_at_this_computer(monkeypatch):
    monkeypatch.delenv(login.SERVED, raising=False)
    assert access.visitor() == HERE


# What is noted


@pytest.mark.parametrize("reason", ["", " ", "\n"])
def test_no_look_without_a_reason(registry, reason):
    with pytest.raises(ConsentError, match="reason"):
        look_at_student(HERE, "mine", 3, reason)
    assert registry.accesses.on_record() == ()


def test_a_look_is_noted_also_at_this_computer(registry):
    look_at_student(HERE, "mine", 3, "she asked me to")
    look_at_student(of_account(ADA), "mine", 4, "a question of his")
    here, ada = registry.accesses.on_record()
    assert (here.kind, here.account, here.course, here.session, here.student, here.words) == (
        AccessKind.STUDENT,
        None,
        "CS 101",
        "mine",
        3,
        "she asked me to",
    )
    assert (ada.account, ada.student) == (ADA, 4)


@pytest.mark.parametrize(
    ("account", "session"),
    [(ADA, "other"), (ADA, "courseless"), (ADA, "nowhere"), (ADA, "../sessions/mine"), (VIC, "mine"), ("eve", "mine")],
)
def test_a_look_that_is_not_permitted_is_refused_and_noted(registry, account, session):
    with pytest.raises(NotPermitted, match="not for you to see"):
        look_at_student(of_account(account), session, 3, "curious")
    (one,) = registry.accesses.on_record()
    assert (one.kind, one.account, one.session) == (AccessKind.REFUSED, account, session)
    assert "student 3" in one.words


def test_a_refusal_is_noted_with_the_course_it_was_about(registry):
    refused(NOBODY, "the video", "other")
    refused(HERE, "a file")
    first, second = registry.accesses.on_record()
    assert (first.account, first.course, first.session) == (None, "Art", "other")
    assert (second.course, second.session) == (None, None)


# The command


@pytest.mark.parametrize(
    "options",
    [("--address", "0.0.0.0"), ("--public-url", "https://x.org"), ("--tls-cert", "c"), ("--tls-key", "k")],
)
def test_nothing_is_opened_to_others_without_serve(options):
    import typer

    app = typer.Typer()
    app.command()(dashboard)
    result = CliRunner().invoke(app, list(options))
    assert isinstance(result.exception, InputError)
    assert "add --serve" in str(result.exception)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--public-url"),
        (("--tls-cert", "missing.pem"), "belong together"),
        (("--tls-cert", "missing.pem", "--tls-key", "missing.pem"), "no such file"),
        (("--address", "no address"), "--address no address"),
    ],
)
def test_serving_needs_all_of_its_settings(monkeypatch, tmp_path, options, words):
    import typer

    for name in login.NEEDED:
        monkeypatch.setenv(name, "https://login.example.edu/a-long-enough-value")
    app = typer.Typer()
    app.command()(dashboard)
    url = ["--public-url", "https://engage.example.edu"] if options else []
    result = CliRunner().invoke(app, ["--serve", "--sessions", str(tmp_path), *url, *options])
    assert isinstance(result.exception, InputError), result.output
    assert words in str(result.exception)
    assert "\n" not in str(result.exception)
