"""Roles of accounts: names and courses that are none first, then what an account may see."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import ConsentError, RegistryError
from consent.registry import Registry
from consent.roles import Account, Role, account_key

ADA = "ada@example.org"


@pytest.fixture
def registry(registry_url):
    with Registry.open(registry_url) as opened:
        for course in ("CS 101", "Art"):
            opened.approve(course, "Dean", date(2026, 1, 1))
        yield opened


# Degenerate


def test_nobody_has_a_role(registry):
    assert registry.roles.on_record() == ()
    assert registry.roles.of(ADA) is None
    assert registry.roles.of("") is None


@pytest.mark.parametrize(
    ("account", "role", "courses", "words"),
    [
        (" ", Role.VIEWER, ["Art"], "account is blank"),
        ("a\x00b", Role.VIEWER, ["Art"], "cannot be printed"),
        (ADA, Role.INSTRUCTOR, [], "name them with --course"),
        (ADA, Role.VIEWER, [], "name them with --course"),
        (ADA, Role.ADMINISTRATOR, ["Art"], "sees all courses"),
        (ADA, Role.VIEWER, ["Music"], "not on record"),
        (ADA, Role.VIEWER, ["Art", " "], "course is blank"),
    ],
)
def test_what_is_no_role_changes_nothing(registry, account, role, courses, words):
    before = registry.verify()
    with pytest.raises(ConsentError, match=words) as caught:
        registry.roles.grant(account, role, courses)
    assert "\n" not in str(caught.value)
    assert registry.verify() == before
    assert registry.roles.on_record() == ()


def test_what_was_never_given_cannot_be_revoked(registry):
    with pytest.raises(RegistryError, match="never had a role"):
        registry.roles.revoke(ADA)


# Laws


@given(st.text())
def test_an_account_is_its_own_key(name):
    assert account_key(account_key(name)) == account_key(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Subject", "subject"),
        ("a\u212a@x.org", "ak@x.org"),
        ("stra\u00dfe@x.org", "strasse@x.org"),
        ("É@x.org", "é@x.org"),
    ],
)
def test_accounts_that_a_provider_may_tell_apart_are_two(one, other):
    assert account_key(one) != account_key(other)


def test_letters_of_an_address_may_be_large():
    assert account_key(" Ada@Example.ORG ") == ADA


# What works


def test_the_newest_role_counts_whole(registry):
    assert registry.roles.grant("Ada@example.org", Role.VIEWER, ["art"])
    assert registry.roles.of("ADA@example.org") == Account(ADA, Role.VIEWER, ("Art",))
    assert registry.roles.grant(ADA, Role.INSTRUCTOR, ["Art", "CS 101"])
    assert not registry.roles.grant(ADA, Role.INSTRUCTOR, ["cs  101", "Art", "ART"])
    assert registry.roles.of(ADA).role is Role.INSTRUCTOR
    assert sorted(registry.roles.of(ADA).courses) == ["Art", "CS 101"]
    assert registry.roles.grant(ADA, Role.INSTRUCTOR, ["CS 101"])
    assert registry.roles.of(ADA) == Account(ADA, Role.INSTRUCTOR, ("CS 101",))
    assert registry.roles.grant(ADA, Role.ADMINISTRATOR)
    assert not registry.roles.grant(ADA, Role.ADMINISTRATOR)
    assert registry.roles.on_record() == (Account(ADA, Role.ADMINISTRATOR, ()),)
    registry.verify()


def test_a_revoked_role_is_gone_at_once_and_can_be_given_again(registry):
    registry.roles.grant(ADA, Role.VIEWER, ["Art"])
    registry.roles.grant("eve@example.org", Role.VIEWER, ["Art"])
    assert registry.roles.revoke("ADA@example.org")
    assert not registry.roles.revoke(ADA)
    assert registry.roles.of(ADA) is None
    assert [one.name for one in registry.roles.on_record()] == ["eve@example.org"]
    assert registry.roles.grant(ADA, Role.VIEWER, ["Art"])
    assert registry.roles.of(ADA) is not None
    registry.verify()
