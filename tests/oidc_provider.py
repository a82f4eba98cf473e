"""A small provider of accounts (OpenID Connect, authorization code with PKCE) for tests: who signs in is said by the
test, which asks for nobody's password. It checks what a real one checks: client, redirect address, code, PKCE, secret.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwk, jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT = "engage"
SECRET = "secret-of-the-client"


class MockProvider:
    """``claims`` are those of whoever signs in next; ``refused`` lists what was asked for wrongly."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.refused: list[str] = []
        self.url = ""
        self._key = jwk.RSAKey.generate_key(2048, {"use": "sig", "kid": "one"})
        self._codes: dict[str, dict[str, str]] = {}

    @property
    def metadata_url(self) -> str:
        return f"{self.url}/.well-known/openid-configuration"

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
            ]
        )

    async def _metadata(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if asked.get("client_id") != CLIENT or not asked.get("redirect_uri", "").endswith("/oauth2callback"):
            return self._no("client or redirect address")
        if asked.get("code_challenge_method") != "S256" or "nonce" not in asked or "state" not in asked:
            return self._no("PKCE, nonce and state")
        code = secrets.token_urlsafe()
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        asked = self._codes.pop(str(form.get("code")), None)
        given = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ") or b"").decode()
        if given != f"{CLIENT}:{SECRET}":
            return self._no("client secret")
        verifier = str(form.get("code_verifier", "")).encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri"):
            return self._no("code")
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]} | self.claims
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self._key)
        return JSONResponse({"access_token": secrets.token_hex(), "token_type": "Bearer", "id_token": token})

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})

    def _no(self, what: str) -> Response:
        self.refused.append(what)
        return JSONResponse({"error": "invalid_request", "error_description": what}, status_code=400)


@contextmanager
def running() -> Iterator[MockProvider]:
    """A provider that listens on this computer."""
    provider = MockProvider()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        provider.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(provider.app(), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the provider did not start"
                time.sleep(0.01)
            yield provider
        finally:
            server.should_exit = True
            thread.join(10)
