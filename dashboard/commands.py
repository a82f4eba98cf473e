"""``engage dashboard``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LOCAL = "127.0.0.1"


def dashboard(
    sessions: Annotated[Path, typer.Option(help="Folder that holds the sessions.")] = Path("sessions"),
    recordings: Annotated[
        Path | None,
        typer.Option(help="Folder of recordings to choose from, those of a course in a subfolder named like it."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port on this computer.", min=1, max=65535)] = 8501,
    headless: Annotated[bool, typer.Option("--headless", help="Do not open a browser.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="For others too: needs accounts, set in ENGAGE_OIDC_... (docs/access.md).")
    ] = False,
    public_url: Annotated[
        str | None, typer.Option(help="With --serve: the address in browsers, such as https://engage.example.edu.")
    ] = None,
    address: Annotated[
        str, typer.Option(help="With --serve: where to listen; 0.0.0.0 is every network of this computer.")
    ] = LOCAL,
    tls_cert: Annotated[Path | None, typer.Option(help="With --serve: certificate for HTTPS, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="With --serve: the key of the certificate, PEM.")] = None,
) -> None:
    """Review analysed lectures in the browser: on this computer only, or with --serve for people with an account."""
    from pipeline.errors import InputError

    if not serve and (public_url is not None or address != LOCAL or tls_cert is not None or tls_key is not None):
        raise InputError(
            "--public-url, --address, --tls-cert and --tls-key let others in, which needs accounts; add --serve"
            " (see docs/access.md)"
        )
    import os

    from dashboard import login, server

    served = server.Served(login.provider(public_url, os.environ), address, tls_cert, tls_key) if serve else None
    server.serve(sessions, port, recordings=recordings, open_browser=not (headless or serve), served=served)


def work(
    sessions: Annotated[Path, typer.Argument(metavar="SESSIONS", help="Folder that holds the sessions.")],
) -> None:
    """Do what the dashboard has queued, one job after another; the dashboard starts this by itself."""
    from dashboard.runner import work as do

    do(sessions)
