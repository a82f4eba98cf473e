"""What stands before every answer of the server: headers, and no file for anybody who has not signed in.

Pages guard themselves (``dashboard.door``); they come over the WebSocket, which must be open to show the sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from functools import cache
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard import access, login
from dashboard.access import HERE, Visitor

_OPEN: Final = frozenset(
    ("/", "/favicon.png", "/_stcore/health", "/_stcore/host-config", "/auth/login", "/auth/logout", "/oauth2callback")
)
"""What a browser needs to show the sign-in and to carry it out; nothing of ours is in it. The addresses of pages are
open as well: the same empty shell is sent for each."""
_OPEN_FOLDER: Final = "/static/"
"""Streamlit's own scripts and fonts."""
_PAGE: Final = re.compile(r"/[a-z]+")

ONCE_IN_S: Final = 60.0
"""The same refusal is noted once in so many seconds, so that nobody can fill the registry by asking."""
_MOST_REFUSALS: Final = 10_000


def visitor_of(scope: Scope) -> Visitor:
    """Who sends a request, by its cookie."""
    if login.served_at() is None:
        return HERE
    return access.of_account(login.account_in(login.claims_in(HTTPConnection(scope).cookies)))


class Refusals:
    """Notes refusals in the registry, each once in a while."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str | None, str | None, str], float] = {}

    def note(self, visitor: Visitor, what: str, session_name: str | None = None) -> None:
        """Note one; ``session_name`` is one that exists, so that what is asked for cannot be made up without end."""
        now, key = time.monotonic(), (visitor.name, session_name, what)
        if now - self._noted.get(key, -ONCE_IN_S) < ONCE_IN_S:
            return
        if len(self._noted) >= _MOST_REFUSALS:
            self._noted.clear()
        self._noted[key] = now
        access.refused(visitor, what, session_name)


class SignedInOnly:
    """Middleware that lets only accounts with a role have files: downloads, pictures, uploads, components."""

    def __init__(self, app: ASGIApp, refusals: Refusals) -> None:
        self.app = app
        self.refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http" or _is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        visitor = await run_in_threadpool(visitor_of, scope)
        if visitor.role is None:
            await run_in_threadpool(self.refusals.note, visitor, "a file")
            await PlainTextResponse("Sign in first.", status_code=403)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_FOLDER) or _PAGE.fullmatch(path) is not None


class Headers:
    """Middleware that adds headers to every answer, and keeps cookies to HTTPS where that is used.

    Streamlit sets its cookies without ``Secure`` where it does not hold the certificate itself.
    """

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self.app = app
        self.secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and add to its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message.get("headers", [])))
                for name, value in _headers().items():
                    headers[name] = value
                raw = headers.raw
                if self.secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
                    raw = [(name, _secure(value) if name == b"set-cookie" else value) for name, value in headers.raw]
                message = {**message, "headers": raw}
            await send(message)

        await self.app(scope, receive, with_headers)


def _secure(cookie: bytes) -> bytes:
    return cookie if re.search(rb";\s*secure\s*(;|$)", cookie, re.IGNORECASE) else cookie + b"; Secure"


@cache
def _headers() -> dict[str, str]:
    """What every answer says; frames of the same origin stay allowed because Streamlit's components are such."""
    policy = {
        "default-src": "'self'",
        "script-src": " ".join(["'self'", "blob:", *_inline_scripts()]),
        "style-src": "'self' 'unsafe-inline'",  # Streamlit writes its styles into the page
        "img-src": "'self' data: blob:",
        "media-src": "'self' blob:",
        "font-src": "'self' data:",
        "connect-src": "'self' data: blob:",
        "worker-src": "'self' blob:",
        "frame-src": "'self'",
        "frame-ancestors": "'self'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Frame-Options": "SAMEORIGIN",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def _inline_scripts() -> list[str]:
    """The hashes of the scripts inside Streamlit's page, by which a policy allows exactly these."""
    import streamlit

    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_bytes()
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    return [f"'sha256-{base64.b64encode(hashlib.sha256(one).digest()).decode()}'" for one in scripts]
