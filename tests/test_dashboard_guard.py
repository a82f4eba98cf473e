"""What stands before every answer, without a browser: headers, cookies, HTTPS, and refusals that are noted once."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from browsing import ROOT, SERVE
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from consent.registry import Registry
from dashboard import access, guard, login
from dashboard.access import NOBODY
from dashboard.guard import Headers, Refusals, SignedInOnly


def client(secure: bool = False) -> TestClient:
    def answer(_request: object) -> PlainTextResponse:
        response = PlainTextResponse("x", headers={"Referrer-Policy": "unsafe-url"})
        response.set_cookie("plain", "1")
        response.set_cookie("kept", "2", secure=True, httponly=True)
        return response

    app = Starlette(routes=[Route("/{path:path}", answer)])
    return TestClient(Headers(app, secure))


@pytest.mark.parametrize("secure", [False, True])
def test_headers_replace_weaker_ones_and_cookies_stay_with_https(secure):
    answer = client(secure).get("/x")
    assert answer.headers.get_list("referrer-policy") == ["same-origin"]
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert ["secure" in one.lower() for one in cookies] == [secure, True]
    assert all(one.lower().count("secure") <= 1 for one in cookies)
    assert ("strict-transport-security" in answer.headers) == secure


def test_only_the_scripts_of_the_shell_are_allowed_within_the_page():
    scripts = guard._inline_scripts()
    assert scripts
    policy = client().get("/").headers["content-security-policy"]
    assert all(one in policy for one in scripts)


@given(st.text())
def test_whatever_is_asked_for_without_a_sign_in_is_the_shell_or_nothing(path):
    """Only one word without a dot, and Streamlit's own scripts, are open."""
    if guard._is_open("/" + path):
        assert ("/" + path) in guard._OPEN or path.startswith("static/") or path.isalpha()


@pytest.mark.parametrize("path", ["/media/x", "/_stcore/upload_file/a/b", "/app/static/x", "/_stcore/metrics"])
def test_files_are_for_accounts_only(monkeypatch, tmp_path, path):
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    monkeypatch.setenv(login.SERVED, "https://engage.example.edu")
    app = SignedInOnly(Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse("mine"))]), Refusals())
    answer = TestClient(app).get(path, headers={"cookie": "_streamlit_user=x"})
    assert (answer.status_code, answer.text) == (403, "Sign in first.")
    monkeypatch.setenv(login.SERVED, "")
    assert TestClient(app).get(path).text == "mine"


def test_the_same_refusal_is_noted_once_and_another_is_noted(monkeypatch):
    noted = []
    monkeypatch.setattr(access, "refused", lambda *words: noted.append(words))
    refusals = Refusals()
    for _ in range(3):
        refusals.note(NOBODY, "the video", "one")
        refusals.note(NOBODY, "the video", "two")
        refusals.note(NOBODY, "a file")
    assert noted == [(NOBODY, "the video", "one"), (NOBODY, "the video", "two"), (NOBODY, "a file", None)]
    monkeypatch.setattr(guard, "ONCE_IN_S", 0.0)
    refusals.note(NOBODY, "a file")
    assert len(noted) == 4


# HTTPS


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that it signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(1))
        .not_valid_after(today + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def test_with_a_certificate_it_is_served_by_https(tmp_path, certificate, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in login.NEEDED:
        monkeypatch.setenv(name, "https://login.example.edu/long-enough-to-be-a-secret")
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    url = f"https://127.0.0.1:{port}"
    command = [sys.executable, "-c", SERVE, "--sessions", str(tmp_path), "--port", str(port), "--serve"]
    command += ["--public-url", url, "--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1])]
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    log = tmp_path / "log.txt"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert server.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5, context=trusted) as answer:
                    headers = answer.headers
                break
            except OSError:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        assert headers["Strict-Transport-Security"]
        assert "Secure" in headers["Set-Cookie"]
    finally:
        server.terminate()
        server.wait(20)
    with Registry.open(f"sqlite:///{tmp_path / 'consent.sqlite'}") as registry:
        assert registry.accesses.on_record() == ()
    assert "long-enough" not in json.dumps(log.read_text())
