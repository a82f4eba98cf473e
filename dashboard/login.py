"""Signing in with OpenID Connect: its settings from the environment, and whose cookie a request carries.

Streamlit does the signing in (``st.login``). It keeps the claims of the identity token in a signed cookie for 30 days
and looks at no end of them; here an account counts for ``HOURS`` only, and only under the address it signed in at.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import urlsplit

from pipeline.errors import InputError

CLIENT_ID: Final = "ENGAGE_OIDC_CLIENT_ID"
CLIENT_SECRET: Final = "ENGAGE_OIDC_CLIENT_SECRET"
COOKIE_SECRET: Final = "ENGAGE_OIDC_COOKIE_SECRET"
METADATA_URL: Final = "ENGAGE_OIDC_METADATA_URL"
NEEDED: Final = (CLIENT_ID, CLIENT_SECRET, COOKIE_SECRET, METADATA_URL)
CLAIM: Final = "ENGAGE_OIDC_CLAIM"
"""Environment variable: which claim names the account; ``email`` by default."""

SERVED: Final = "ENGAGE_SERVED_AT"
"""Environment variable by which the server tells the pages that accounts are needed, and its public address."""

HOURS: Final = 10
"""How long somebody stays signed in: a working day. The provider usually asks nothing when it is over."""
SHORTEST_SECRET: Final = 32
"""Characters of the secret with which cookies are signed: whoever guesses it can be anybody."""

_CALLBACK: Final = "/oauth2callback"
_LOCAL: Final = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Provider:
    """The settings of the provider of accounts; the secrets are never shown, not even by ``repr``."""

    public_url: str
    client_id: str
    metadata_url: str
    client_secret: str = field(repr=False)
    cookie_secret: str = field(repr=False)

    @property
    def host(self) -> str:
        """The name under which browsers reach the dashboard, without a port."""
        return urlsplit(self.public_url).hostname or ""

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by HTTPS."""
        return self.public_url.startswith("https://")

    def secrets(self) -> dict[str, Any]:
        """As Streamlit wants them; in memory only, there is no file."""
        return {
            "auth": {
                "redirect_uri": self.public_url + _CALLBACK,
                "cookie_secret": self.cookie_secret,
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "server_metadata_url": self.metadata_url,
            }
        }


def provider(public_url: str | None, environment: MutableMapping[str, str]) -> Provider:
    """The provider from the environment, out of which the secrets are taken, so that no process begun here has them.

    Raises:
        InputError: something is missing, an address is none or not encrypted, or the cookie secret is short.
    """
    if public_url is None:
        raise InputError("--serve needs the address in browsers; give it with --public-url https://engage.example.edu")
    url = public_origin(public_url)
    missing = [name for name in NEEDED if not environment.get(name, "").strip()]
    if missing:
        raise InputError(f"{', '.join(missing)}: not set, so nobody could sign in; set it (see docs/access.md)")
    metadata = environment[METADATA_URL].strip()
    if not _encrypted(metadata):
        raise InputError(f"{METADATA_URL}: {metadata!r} is no https:// address; give that of the provider's metadata")
    if len(environment[COOKIE_SECRET].strip()) < SHORTEST_SECRET:
        raise InputError(
            f"{COOKIE_SECRET}: has fewer than {SHORTEST_SECRET} characters (not shown here); make one with:"
            " python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return Provider(
        url,
        environment[CLIENT_ID].strip(),
        metadata,
        environment.pop(CLIENT_SECRET).strip(),
        environment.pop(COOKIE_SECRET).strip(),
    )


def public_origin(url: str) -> str:
    """``https://engage.example.edu`` of an address with nothing behind the name and port.

    Raises:
        InputError: it is another, or is not encrypted though it is no address of this computer.
    """
    if not _encrypted(url.strip()):
        raise InputError(f"--public-url {url}: is no https:// address; give one (see docs/access.md)")
    parts = urlsplit(url.strip())
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise InputError(f"--public-url {url}: holds more than a name; give it as https://engage.example.edu")
    return f"{parts.scheme}://{parts.netloc}"


def _encrypted(url: str) -> bool:
    """Whether an address is of HTTPS, or never leaves this computer."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL))


def served_at() -> str | None:
    """The public address where accounts are needed, ``None`` where only this computer can connect."""
    return os.environ.get(SERVED) or None


def claims_in(cookies: Mapping[str, str]) -> dict[str, Any]:
    """The claims in the signed cookie of a request; none where there is no cookie, or it was not signed here."""
    from streamlit.auth_util import get_cookie_with_chunks
    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

    secret = get_cookie_secret()

    def signed(name: str) -> bytes | None:
        value = cookies.get(name)
        return None if value is None else decode_signed_value(secret, name, value.encode("latin-1", "replace"))

    if not secret:
        return {}
    try:
        claims = json.loads(get_cookie_with_chunks(signed, USER_COOKIE_NAME) or b"{}")
    except (ValueError, UnicodeDecodeError):
        return {}
    return claims if isinstance(claims, dict) and claims.get("origin") == served_at() else {}


def account_in(claims: Mapping[str, Any], now: datetime | None = None) -> str | None:
    """The account that claims name; ``None`` where nobody is signed in, or signed in too long ago.

    An e-mail address counts only where the provider says that it has been verified: some let people enter any.
    """
    claim = os.environ.get(CLAIM, "").strip() or "email"
    name, issued = claims.get(claim), claims.get("iat")
    if claims.get("is_logged_in") is not True or not isinstance(name, str) or not name.strip():
        return None
    if claim == "email" and claims.get("email_verified") is not True:
        return None
    if isinstance(issued, bool) or not isinstance(issued, (int, float)):
        return None
    age = (now or datetime.now(timezone.utc)).timestamp() - issued
    return name.strip() if -timedelta(minutes=5).total_seconds() <= age < HOURS * 3600 else None
