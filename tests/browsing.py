"""A running dashboard and the system's Chromium, for the tests that visit it as an instructor does."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consent.database import URL_VARIABLE

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SERVE = "import typer; from dashboard.commands import dashboard; typer.run(dashboard)"

WITH_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no system Chromium; install one with: apt-get install chromium"),
]
"""The ``pytestmark`` of a module that needs the browser."""


@contextlib.contextmanager
def serving(folder: Path, log: Path, *options: str, **environment: str) -> Iterator[str]:
    """A dashboard over ``folder`` at the address yielded; stopped whatever happens.

    The consent registry is an empty one beside ``log``, unless ``environment`` names another.
    """
    environment = {URL_VARIABLE: f"sqlite:///{log.with_name('consent.sqlite')}", **environment}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if "--serve" in options:
        options = (*options, "--public-url", f"http://127.0.0.1:{port}")
    command = [sys.executable, "-c", SERVE, "--sessions", str(folder), "--port", str(port), "--headless", *options]
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
    try:
        _wait_until_healthy(server, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_healthy(server: subprocess.Popen, address: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not start: {log.read_text()}")


def forget(page: Any) -> None:
    """Close a page, and leave nothing of its visitor to the next one in this window: cookies, storage, other pages."""
    with contextlib.suppress(Exception):  # a page that was never opened has no storage
        page.evaluate("localStorage.clear(); sessionStorage.clear()")
    window = page.context
    window.clear_cookies()
    for one in window.pages:
        one.close()


def insist(page: Any, act: Callable[[], object], came: Callable[[], bool], patience_s: float = 20.0) -> None:
    """``act`` until ``came`` is true: Streamlit drops a click on what it is drawing anew, as it does for people.

    An act of several clicks of which a later one waits in vain for what an earlier one opens is begun anew, too.
    """
    from playwright.sync_api import TimeoutError as InVain

    for _ in range(5):
        with contextlib.suppress(InVain):
            act()
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            if came():
                return
            page.wait_for_timeout(200)
    raise AssertionError(f"nothing came of it: {page.url}")


def answer(url: str, **headers: str) -> tuple[int, bytes]:
    """Status and body."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
