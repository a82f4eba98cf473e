"""``engage dashboard``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def dashboard(
    sessions: Annotated[Path, typer.Option(help="Folder that holds the sessions.")] = Path("sessions"),
    port: Annotated[int, typer.Option(help="Port on this computer.", min=1, max=65535)] = 8501,
    headless: Annotated[bool, typer.Option("--headless", help="Do not open a browser.")] = False,
) -> None:
    """Review analysed lectures in the browser, on this computer only."""
    from dashboard.server import serve

    serve(sessions, port, open_browser=not headless)


def work(
    sessions: Annotated[Path, typer.Argument(metavar="SESSIONS", help="Folder that holds the sessions.")],
) -> None:
    """Do what the dashboard has queued, one job after another; the dashboard starts this by itself."""
    from dashboard.runner import work as do

    do(sessions)
