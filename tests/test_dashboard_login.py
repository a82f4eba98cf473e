"""Settings of the sign-in, and whom claims and cookies name: what is missing, false or too old first."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import login
from dashboard.login import HOURS, account_in, claims_in, provider, public_origin
from pipeline.errors import InputError

NOW = datetime(2026, 3, 4, 12, tzinfo=timezone.utc)
URL = "https://engage.example.edu"
SECRET = "a secret of forty characters, or even more"
CLAIMS = {"is_logged_in": True, "email": "ada@example.org", "email_verified": True, "iat": NOW.timestamp() - 60}


def settings(**changed):
    return {
        login.CLIENT_ID: "engage",
        login.CLIENT_SECRET: "client's",
        login.COOKIE_SECRET: SECRET,
        login.METADATA_URL: "https://login.example.edu/.well-known/openid-configuration",
    } | changed


# Settings


@pytest.mark.parametrize("name", login.NEEDED)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_setting_is_one_sentence_that_names_it(name, value):
    environment = settings()
    del environment[name]
    if value is not None:
        environment[name] = value
    with pytest.raises(InputError, match=rf"^{name}: not set.*docs/access.md") as caught:
        provider(URL, environment)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_all_missing_settings_are_named_at_once():
    with pytest.raises(InputError, match=", ".join(login.NEEDED)):
        provider(URL, {})


@pytest.mark.parametrize(
    ("url", "changed", "words"),
    [
        (None, {}, "--public-url"),
        ("engage.example.edu", {}, "no https:// address"),
        ("http://engage.example.edu", {}, "no https:// address"),
        ("https://", {}, "no https:// address"),
        ("https://[::1", {}, "no https:// address"),
        ("https://x:99999999", {}, "no https:// address"),
        ("https://a@engage.example.edu", {}, "more than a name"),
        ("https://engage.example.edu/path", {}, "more than a name"),
        ("https://engage.example.edu?x=1", {}, "more than a name"),
        (URL, {login.METADATA_URL: "http://login.example.edu/x"}, login.METADATA_URL),
        (URL, {login.COOKIE_SECRET: "short"}, "fewer than 32 characters"),
    ],
)
def test_settings_that_are_not_safe(url, changed, words):
    with pytest.raises(InputError, match=words) as caught:
        provider(url, settings(**changed))
    assert "\n" not in str(caught.value)
    assert changed.get(login.COOKIE_SECRET, SECRET) not in str(caught.value)


def test_secrets_are_taken_out_of_the_environment_and_not_shown():
    environment = settings()
    found = provider(f" {URL}/ ", environment)
    assert set(environment) == {login.CLIENT_ID, login.METADATA_URL}
    assert found.public_url == URL
    assert (found.host, found.secure) == ("engage.example.edu", True)
    assert SECRET not in repr(found)
    assert found.secrets()["auth"]["cookie_secret"] == SECRET
    assert found.secrets()["auth"]["redirect_uri"] == f"{URL}/oauth2callback"


def test_this_computer_needs_no_https():
    assert public_origin("http://localhost:8501") == "http://localhost:8501"


# Claims


@pytest.mark.parametrize(
    "changed",
    [
        {"is_logged_in": False},
        {"is_logged_in": "true"},
        {"email": None},
        {"email": " "},
        {"email": ["ada@example.org"]},
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"iat": None},
        {"iat": True},
        {"iat": "now"},
        {"iat": float("nan")},
        {"iat": NOW.timestamp() - HOURS * 3600},
        {"iat": NOW.timestamp() + 3600},
    ],
)
def test_claims_that_name_nobody(changed):
    assert account_in({**CLAIMS, **changed}, NOW) is None


def test_no_claims_name_nobody():
    assert account_in({}, NOW) is None


def test_claims_of_today_name_the_account(monkeypatch):
    assert account_in(CLAIMS, NOW) == "ada@example.org"
    assert account_in(CLAIMS, NOW + timedelta(hours=HOURS - 1)) == "ada@example.org"
    assert account_in(CLAIMS, NOW + timedelta(hours=HOURS)) is None
    monkeypatch.setenv(login.CLAIM, "sub")
    assert account_in(CLAIMS, NOW) is None
    assert account_in({**CLAIMS, "sub": "Subject 7", "email_verified": None}, NOW) == "Subject 7"


# Cookies


@pytest.fixture
def cookie(monkeypatch):
    """``cookie(claims, secret=SECRET)`` as Streamlit signs it, in a server that signs with ``SECRET``."""
    from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

    monkeypatch.setenv(login.SERVED, URL)
    monkeypatch.setattr("streamlit.web.server.server_util.get_cookie_secret", lambda: SECRET)

    def made(claims, secret=SECRET, name="_streamlit_user"):
        return {"_streamlit_user": create_signed_value(secret, name, json.dumps(claims)).decode()}

    return made


def test_a_signed_cookie_holds_its_claims(cookie):
    claims = {**CLAIMS, "origin": URL}
    assert claims_in(cookie(claims)) == claims


@given(st.dictionaries(st.sampled_from(["_streamlit_user", "_streamlit_user_1", "other"]), st.text()))
def test_any_other_cookie_holds_none(cookies):
    assert claims_in(cookies) == {}


def test_cookies_that_were_not_signed_here_or_for_this_hold_none(cookie, monkeypatch):
    claims = {**CLAIMS, "origin": URL}
    good = cookie(claims)["_streamlit_user"]
    assert claims_in(cookie(claims, secret="another secret of forty characters, too")) == {}
    assert claims_in(cookie(claims, name="_streamlit_xsrf")) == {}
    assert claims_in(cookie({**claims, "origin": "https://evil.example"})) == {}
    assert claims_in(cookie(CLAIMS)) == {}
    assert claims_in(cookie(["no", "claims"])) == {}
    assert claims_in({"_streamlit_user": good[:-3] + "abc"}) == {}
    assert claims_in({"_streamlit_user": ""}) == {}
    monkeypatch.setattr("streamlit.web.server.server_util.get_cookie_secret", lambda: "")
    assert claims_in({"_streamlit_user": good}) == {}
