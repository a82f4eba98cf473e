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
from pathlib import Path
from typing import Any
from urllib.parse import quote

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import library, theme
from pipeline.errors import InputError
from pipeline.session import VIDEO

ADDRESS = "127.0.0.1"
"""Only this computer can connect: the pages have no accounts."""

_VIDEO_URL = "/app/static/sessions/{session}/" + VIDEO
"""Under the prefix that ``st.video`` accepts as a path on its own server."""
_VIDEO_PATH = re.compile("/app/static/sessions/(?P<session>[^/]+)/" + re.escape(VIDEO))

SETTINGS: dict[str, Any] = {
    "server.address": ADDRESS,
    "server.headless": True,  # the browser is opened below, once the address is sure
    "server.fileWatcherType": "none",
    "server.enableXsrfProtection": True,
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",  # tracebacks belong in the terminal
    **theme.CONFIG,
}

HEADERS = {
    "Cache-Control": "private, no-store",  # a withdrawn student must not live on in the browser's cache
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def video_url(session: str, path: Path) -> str:
    """Where the browser finds the video ``path`` of ``session``; changes when the file is written anew."""
    return f"{_VIDEO_URL.format(session=quote(session, safe=''))}?v={path.stat().st_mtime_ns}"


class Videos:
    """Middleware that answers requests for a session's video or a byte range of it, and passes on the rest.

    It stands before Streamlit's own middleware because that compresses: Streamlit 1.60 with Starlette 1.5 or
    newer answers every video with an error (streamlit#16344).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        match = _VIDEO_PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is None or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        path = await run_in_threadpool(library.video_file, library.folder(), match["session"])
        response = FileResponse(path, headers=HEADERS) if path else Response(status_code=404)
        await response(scope, receive, send)


def build(lifespan: Any = None) -> st.App:
    """The application as ASGI. Names other than this computer's own are refused (DNS rebinding)."""
    return st.App(
        Path(__file__).with_name("app.py"),
        lifespan=lifespan,
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=[ADDRESS, "localhost"]),
            Middleware(Videos),
        ],
    )


def serve(sessions: Path, port: int, *, open_browser: bool) -> None:
    """Serve the dashboard over the folder ``sessions`` until interrupted.

    Raises:
        InputError: ``sessions`` is not a folder, or ``port`` is in use.
    """
    if sessions.exists() and not sessions.is_dir():
        raise InputError(f"{sessions}: not a folder; give the one that holds the sessions with --sessions")
    _require_free(port)
    os.environ[library.FOLDER_VARIABLE] = str(sessions.resolve())

    @contextlib.asynccontextmanager
    async def opened(_app: st.App) -> AsyncIterator[None]:
        if open_browser:  # the socket listens already; half a second lets the first answer be quick
            asyncio.get_running_loop().call_later(0.5, webbrowser.open, f"http://{ADDRESS}:{port}")
        yield

    build(opened).run(config={**SETTINGS, "server.port": port})


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        if os.name == "posix":  # as the server binds: a port in TIME_WAIT is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise InputError(f"port {port}: can not be used ({error.strerror}); choose another with --port") from None
