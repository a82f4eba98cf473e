"""A served dashboard against a provider of accounts: who must not get in does not, by page, video, file or cookie."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from browsing import WITH_BROWSER, answer, forget, serving
from oidc_provider import CLIENT, SECRET, MockProvider, running

from consent.accesses import Access, AccessKind
from consent.registry import Registry
from consent.roles import Role
from dashboard import login, pages, texts
from dashboard.login import HOURS
from dashboard.texts import access as words
from pipeline.session import VIDEO

pytestmark = WITH_BROWSER
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install -e '.[dev]'")

ADA, VIC, DEAN, EVE = (f"{name}@example.org" for name in ("ada", "vic", "dean", "eve"))
MINE, OTHER = "Mine <b>&</b> 🎓", "Other"
COOKIE_SECRET = "a secret of forty characters, or even more"


@dataclass
class Served:
    """A running dashboard with accounts."""

    url: str
    provider: MockProvider
    registry_url: str
    log: Path

    def video(self, session: str) -> str:
        return f"{self.url}/app/static/sessions/{session}/{VIDEO}"

    def accesses(self) -> list[Access]:
        with Registry.open(self.registry_url) as registry:
            registry.verify()
            return list(registry.accesses.on_record())

    def roles(self) -> None:
        """As at the beginning: an instructor, a viewer and an administrator."""
        with Registry.open(self.registry_url) as registry:
            registry.roles.grant(ADA, Role.INSTRUCTOR, [MINE])
            registry.roles.grant(VIC, Role.VIEWER, [MINE])
            registry.roles.grant(DEAN, Role.ADMINISTRATOR)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, make_session: Callable[..., Path]) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    make_session(folder / "sessions", "mine", course=MINE)
    make_session(folder / "sessions", "other", course=OTHER)
    registry_url = f"sqlite:///{folder / 'consent.sqlite'}"
    with Registry.open(registry_url) as registry:
        for course in (MINE, OTHER):
            registry.approve(course, "Dean", date(2026, 1, 1))
    with running() as provider:
        environment = {
            "ENGAGE_DATABASE_URL": registry_url,
            login.CLIENT_ID: CLIENT,
            login.CLIENT_SECRET: SECRET,
            login.COOKIE_SECRET: COOKIE_SECRET,
            login.METADATA_URL: provider.metadata_url,
        }
        log = folder / "log.txt"
        with serving(folder / "sessions", log, "--serve", **environment) as url:
            found = Served(url, provider, registry_url, log)
            found.roles()
            yield found
        assert provider.refused == []
        assert COOKIE_SECRET not in log.read_text()
        assert SECRET not in log.read_text()


@pytest.fixture(scope="module")
def windows() -> list[Any]:
    """Where visitors open their pages. They keep the dashboard's scripts, which take seconds to load and translate."""
    return []


@pytest.fixture
def visit(served: Served, browser: Any, windows: list[Any]) -> Iterator[Callable[..., Any]]:
    """``visit(email, path="/", **claims)``: a page of a browser of its own, signed in unless ``email`` is ``None``."""
    opened: list[Any] = []

    def visited(email: str | None, path: str = "/", **claims: Any) -> Any:
        if len(opened) == len(windows):
            windows.append(browser.new_context(viewport={"width": 1280, "height": 720}))
        page = windows[len(opened)].new_page()
        opened.append(page)
        page.set_default_timeout(30_000)
        page.told = []
        page.on("console", lambda message: page.told.append(message.text))
        page.goto(served.url + path)
        if email is not None:
            served.provider.claims = {"sub": email, "email": email, "email_verified": True} | claims
            with page.expect_navigation(url=f"{served.url}/"):  # to the provider and back
                page.get_by_role("button", name=words.SIGN_IN).click()
            page.get_by_role("button", name=re.compile(f"{words.SIGN_OUT}|{words.SIGN_IN}")).wait_for()
        return page

    yield visited
    for page in opened:
        forget(page)


def cookies(page: Any) -> str:
    return "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())


def text(page: Any) -> str:
    return page.locator("[data-testid=stApp]").inner_text().replace("\u2060", "")


def settled(page: Any) -> str:
    """The words on the page once its script has ended."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    return text(page)


# Nobody


@pytest.mark.parametrize("path", ["/", "/?session=mine", *[f"/{name}?session=mine" for name in pages.NAMES]])
def test_without_an_account_each_page_is_the_door(served, visit, path):
    page = visit(None, path)
    page.get_by_role("button", name=words.SIGN_IN).wait_for()
    shown = settled(page)
    assert words.SIGN_IN_HELP in shown
    assert "Mine" not in shown
    assert "mine" not in shown
    assert not page.locator("video").count()


def test_without_an_account_no_file_is_given_out(served):
    for session in ("mine", "other", "nowhere", ".."):
        assert answer(served.video(session))[0] == 403
        assert answer(served.video(session), Range="bytes=0-9")[0] == 403
    for path in (
        "/media/0123.png",
        "/_stcore/metrics",
        "/_stcore/upload_file/a/b",
        "/component/x/index.html",
        "/_stcore/bidi-components/x/y.js",
        "/app/static/x",
        "//media/x",
        "/media/../media/x",
    ):
        status, body = answer(served.url + path)
        assert status in (400, 403), path
        assert b"lecture" not in body
    noted = [one for one in served.accesses() if one.account is None]
    assert {one.session for one in noted} == {"mine", "other", None}  # no name that was made up
    assert {one.kind for one in noted} == {AccessKind.REFUSED}


def test_asking_again_and_again_does_not_fill_the_registry(served):
    before = len(served.accesses())
    for _ in range(20):
        answer(served.video("mine"))
    assert len(served.accesses()) <= before + 1


# Somebody else


@pytest.mark.parametrize(
    ("email", "claims", "told"),
    [
        (EVE, {}, words.NO_ROLE.partition("{")[0]),
        (ADA, {"email_verified": False}, "Sign in again"),
        (ADA, {"iat": int(time.time()) - HOURS * 3600 - 60}, "Sign in again"),
    ],
)
def test_who_has_no_role_or_an_old_or_doubtful_sign_in_stays_at_the_door(served, visit, email, claims, told):
    page = visit(email, **claims)
    shown = settled(page)
    assert told in shown
    assert "Mine" not in shown
    assert answer(served.video("mine"), Cookie=cookies(page))[0] == 403
    page.goto(f"{served.url}/review?session=mine")
    page.get_by_role("button", name=re.compile(f"{words.SIGN_OUT}|{words.SIGN_IN}")).wait_for()
    assert not page.locator("video").count()
    assert "Mine" not in settled(page)
    if email == EVE:
        assert any(one.account == EVE and one.kind is AccessKind.REFUSED for one in served.accesses())


def test_cookies_that_were_made_up_open_nothing(served):
    from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

    claims = {"is_logged_in": True, "email": DEAN, "email_verified": True, "iat": time.time(), "origin": served.url}

    def status(secret: str, **changed: Any) -> int:
        value = create_signed_value(secret, "_streamlit_user", json.dumps({**claims, **changed})).decode()
        return answer(served.video("mine"), Cookie=f"_streamlit_user={value}")[0]

    assert status(COOKIE_SECRET) == 200  # as the server itself makes it
    assert status("another secret of forty characters, too") == 403
    assert status(COOKIE_SECRET, origin="https://evil.example") == 403
    assert status(COOKIE_SECRET, iat=time.time() - HOURS * 3600) == 403
    assert answer(served.video("mine"), Cookie="_streamlit_user=x")[0] == 403


# The instructor, the viewer, the administrator


def test_an_instructor_sees_the_own_course_and_no_other(served, visit):
    page = visit(ADA, "/")
    assert f"Signed in as {ADA}, instructor of Mine <b>&</b> 🎓" in settled(page)
    page.goto(f"{served.url}/review?session=mine")
    page.locator("video").first.wait_for(state="attached")
    assert answer(served.video("mine"), Cookie=cookies(page), Range="bytes=0-9")[0] == 206
    before = len(served.accesses())
    page.goto(f"{served.url}/review?session=other")
    page.get_by_text("no readable lecture").wait_for()
    shown = settled(page)
    assert OTHER not in shown
    assert page.locator("video").count() == 0 or "/other/" not in page.locator("video").first.get_attribute("src")
    assert answer(served.video("other"), Cookie=cookies(page))[0] == 404
    assert answer(served.video("nowhere"), Cookie=cookies(page))[0] == 404
    noted = served.accesses()[before:]
    assert noted
    assert {(one.account, one.kind, one.course, one.session) for one in noted} == {
        (ADA, AccessKind.REFUSED, OTHER, "other")
    }
    page.goto(f"{served.url}/consent?course=Other")
    page.get_by_role("tab", name="Approvals").wait_for()
    assert OTHER not in settled(page)


def test_a_viewer_sees_the_class_and_no_single_student(served, visit):
    page = visit(VIC, "/consent")
    shown = settled(page)
    assert "viewer of Mine" in shown
    assert texts.PAGES["consent"] not in page.locator("header").inner_text()
    assert answer(served.video("mine"), Cookie=cookies(page))[0] == 404
    assert any(one.account == VIC and one.session == "mine" for one in served.accesses())


def test_an_administrator_sees_all(served, visit):
    page = visit(DEAN)
    assert "all courses" in settled(page)
    for session in ("mine", "other"):
        assert answer(served.video(session), Cookie=cookies(page), Range="bytes=0-9")[0] == 206


def test_a_revoked_role_ends_at_once(served, visit):
    page = visit(ADA, "/consent")
    settled(page)
    kept = cookies(page)
    try:
        with Registry.open(served.registry_url) as registry:
            registry.roles.revoke(ADA)
        assert answer(served.video("mine"), Cookie=kept)[0] == 403
        page.reload()
        page.get_by_text("no course has been opened to you").wait_for()
        assert "Mine" not in settled(page)
    finally:
        served.roles()


def test_signing_out_takes_the_cookie_away(served, visit):
    page = visit(ADA)
    page.get_by_role("button", name=words.SIGN_OUT).click()
    page.get_by_role("button", name=words.SIGN_IN).wait_for()
    assert "_streamlit_user" not in cookies(page)
    assert answer(served.video("mine"), Cookie=cookies(page))[0] == 403


# Headers


def test_every_answer_carries_the_headers_and_other_names_are_refused(served):
    for path in (
        "/",
        "/review",
        "/_stcore/health",
        "/media/x",
        "/app/static/sessions/mine/annotated.mp4",
        "/nowhere/x",
    ):
        try:
            with urllib.request.urlopen(served.url + path, timeout=10) as response:
                headers = response.headers
        except urllib.error.HTTPError as error:
            headers = error.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy, path
        assert "frame-ancestors 'self'" in policy
        assert "unsafe-eval" not in policy
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
    assert answer(f"{served.url}/", Host="evil.example")[0] == 400
    assert answer(f"{served.url}/", Host="localhost")[0] == 400


@pytest.mark.parametrize("name", pages.NAMES)
def test_no_page_breaks_the_policy(served, visit, name):
    page = visit(DEAN)
    page.goto(f"{served.url}/{name}?session=mine")
    settled(page)
    page.wait_for_timeout(500)
    assert not [one for one in page.told if "Content Security Policy" in one or "Content-Security-Policy" in one]


def test_cookies_are_kept_from_scripts_and_other_sites(served, visit):
    found = {one["name"]: one for one in visit(ADA).context.cookies()}
    assert found["_streamlit_user"]["httpOnly"]
    assert found["_streamlit_user_tokens"]["httpOnly"]
    assert {one["sameSite"] for one in found.values()} == {"Lax"}
