"""The web server: Streamlit's, plus one address that streams annotated videos from the disk.

``st.video`` given a path reads the whole file into memory; a 3-hour lecture has several GB. Here the browser
fetches byte ranges instead, so that seeking works and memory stays flat.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import webbrowser
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import access, guard, library, login, theme
from dashboard.guard import Headers, Refusals, SignedInOnly
from dashboard.login import Provider
from dashboard.recordings import FOLDER_VARIABLE, LARGEST_MB
from pipeline.errors import InputError
from pipeline.session import VIDEO

ADDRESS = "127.0.0.1"
"""Without ``--serve`` only this computer can connect: then the pages have no accounts."""

_VIDEO_URL = "/app/static/sessions/{session}/" + VIDEO
"""Under the prefix that ``st.video`` accepts as a path on its own server."""
_VIDEO_PATH = re.compile("/app/static/sessions/(?P<session>[^/]+)/" + re.escape(VIDEO))

SETTINGS: dict[str, Any] = {
    "server.address": ADDRESS,
    "server.headless": True,  # the browser is opened below, once the address is sure
    "server.fileWatcherType": "none",
    "server.enableXsrfProtection": True,
    "server.maxUploadSize": LARGEST_MB,
    "server.trustedUserHeaders": "{}",  # who somebody is comes from the signed cookie alone
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",  # tracebacks belong in the terminal
    **theme.CONFIG,
}

HEADERS = {  # besides those of every answer, see dashboard/guard.py
    "Cache-Control": "private, no-store",  # a withdrawn student must not live on in the browser's cache
    "Cross-Origin-Resource-Policy": "same-origin",
}


def video_url(session: str, path: Path) -> str:
    """Where the browser finds the video ``path`` of ``session``; changes when the file is written anew."""
    return f"{_VIDEO_URL.format(session=quote(session, safe=''))}?v={path.stat().st_mtime_ns}"


class Videos:
    """Middleware that answers requests for a session's video or a byte range of it, and passes on the rest.

    It stands before Streamlit's own middleware because that compresses: Streamlit 1.60 with Starlette 1.5 or
    newer answers every video with an error (streamlit#16344).
    """

    def __init__(self, app: ASGIApp, refusals: Refusals) -> None:
        self.app = app
        self.refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        match = _VIDEO_PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is None or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        answer = await run_in_threadpool(self._answer, scope, match["session"])
        await answer(scope, receive, send)

    def _answer(self, scope: Scope, session: str) -> Response:
        """The video; not found also where it is not for the visitor, who need not know that it is there."""
        path = library.video_file(library.folder(), session)
        visitor = guard.visitor_of(scope)
        permitted = visitor.sees_students and (path is None or visitor.sees(access.course_of(session)))
        if not permitted:
            self.refusals.note(visitor, "the video", None if path is None else session)
        if path is None or not permitted:
            return Response(status_code=403 if visitor.role is None else 404)
        return FileResponse(path, headers=HEADERS)


def build(lifespan: Any = None, provider: Provider | None = None) -> st.App:
    """The application as ASGI. Names other than its own are refused (DNS rebinding).

    Args:
        lifespan: what is done around its running.
        provider: of accounts; without it whoever connects is the person at this computer.
    """
    refusals = Refusals()
    return st.App(
        Path(__file__).with_name("app.py"),
        secrets=None if provider is None else provider.secrets(),
        lifespan=lifespan,
        middleware=[
            Middleware(Headers, secure=provider is not None and provider.secure),
            Middleware(
                TrustedHostMiddleware,
                allowed_hosts=[ADDRESS, "localhost"] if provider is None else [provider.host],
                www_redirect=False,
            ),
            Middleware(Videos, refusals=refusals),
            *([] if provider is None else [Middleware(SignedInOnly, refusals=refusals)]),
        ],
    )


@dataclass(frozen=True)
class Served:
    """How the dashboard is served to other computers.

    Attributes:
        provider: of accounts.
        address: of this computer's network on which it listens.
        certificate, key: files for HTTPS; ``None`` where a reverse proxy does that.
    """

    provider: Provider
    address: str = ADDRESS
    certificate: Path | None = None
    key: Path | None = None

    def settings(self) -> dict[str, Any]:
        """For Streamlit.

        Raises:
            InputError: only one of the two files is given, or one is not there.
        """
        files = {"--tls-cert": self.certificate, "--tls-key": self.key}
        if (self.certificate is None) != (self.key is None):
            raise InputError("--tls-cert and --tls-key belong together; give both, or none behind a reverse proxy")
        for option, file in files.items():
            if file is not None and not file.is_file():
                raise InputError(f"{option} {file}: there is no such file; give one in PEM form")
        tls = {"server.sslCertFile": str(self.certificate), "server.sslKeyFile": str(self.key)}
        return {"server.address": self.address, **(tls if self.certificate is not None else {})}


def serve(
    sessions: Path, port: int, *, open_browser: bool, served: Served | None = None, recordings: Path | None = None
) -> None:
    """Serve the dashboard over the folder ``sessions`` until interrupted.

    Raises:
        InputError: ``sessions`` or ``recordings`` is not a folder, ``port`` is in use, or a certificate is missing.
    """
    if sessions.exists() and not sessions.is_dir():
        raise InputError(f"{sessions}: not a folder; give the one that holds the sessions with --sessions")
    if recordings is not None and not recordings.is_dir():
        raise InputError(f"{recordings}: not a folder; give the one that holds recordings with --recordings")
    settings = {**SETTINGS, **({} if served is None else served.settings()), "server.port": port}
    _require_free(settings["server.address"], port)
    os.environ[library.FOLDER_VARIABLE] = str(sessions.resolve())
    os.environ[FOLDER_VARIABLE] = "" if recordings is None else str(recordings.resolve())
    os.environ[login.SERVED] = "" if served is None else served.provider.public_url

    @contextlib.asynccontextmanager
    async def opened(_app: st.App) -> AsyncIterator[None]:
        if open_browser:  # the socket listens already; half a second lets the first answer be quick
            asyncio.get_running_loop().call_later(0.5, webbrowser.open, f"http://{ADDRESS}:{port}")
        yield

    build(opened, None if served is None else served.provider).run(config=settings)


def _require_free(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        if os.name == "posix":  # as the server binds: a port in TIME_WAIT is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except socket.gaierror as error:
            raise InputError(f"--address {address}: is no address ({error.strerror}); give such as 0.0.0.0") from None
        except OSError as error:
            raise InputError(f"port {port}: can not be used ({error.strerror}); choose another with --port") from None
