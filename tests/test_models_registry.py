"""Where weights come from; downloads are served by a small HTTP server on this machine."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import registry
from models.errors import ModelFileError
from models.registry import (
    OFFICIAL_NAME,
    PINNED_SHA256,
    SHIPPED_FOLDER,
    Release,
    cached_weights,
    file_sha256,
    find_weights,
    shipped_weights,
)

CONTENT = bytes(range(256)) * 20_000  # 5 MB: more than one chunk
DIGEST = hashlib.sha256(CONTENT).hexdigest()
Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Answers each path with the next of its answers; the last one repeats."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                answers = outer.answers.get(self.path)
                if answers is None:
                    self.send_error(404, "Not Found")
                else:
                    (answers.pop(0) if len(answers) > 1 else answers[0])(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def release(self, **pinned: str) -> Release:
        return Release(f"{self.url}/assets", f"{self.url}/listing", {f"{name}.pt": d for name, d in pinned.items()})


def whole(body: bytes) -> Answer:
    return cut(body, len(body))


def cut(body: bytes, length: int) -> Answer:
    """Announce all of ``body``, send ``length`` bytes of it, hang up."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:length])

    return answer


def listing(*assets: dict[str, str | None]) -> Answer:
    return whole(json.dumps({"assets": assets}).encode())


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ENGAGE_CACHE", str(folder))
    return folder


def nothing_but_the_lock(cache: Path) -> bool:
    return all(path.suffix == ".lock" for path in cache.iterdir())


# nothing there


@pytest.mark.parametrize("name", ["", ".", "nonsense", "notes.md", "yolo99q.pt", "yolov8n-pose.pt", "x" * 5000])
def test_an_unknown_name_is_refused_in_one_sentence(name: str, cache: Path) -> None:
    with pytest.raises(ModelFileError, match=r"--detector$") as caught:
        find_weights(name)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert not cache.exists()


@pytest.mark.parametrize("path", ["missing/students.pt", "./students.pt", "/no/such/yolo26n.pt", "../yolo26n.pt"])
def test_a_missing_path_is_never_taken_for_a_name(path: str) -> None:
    with pytest.raises(ModelFileError, match="no such weights file"):
        find_weights(path)


def test_nothing_is_cached_before_the_first_download(cache: Path) -> None:
    assert cached_weights() == []
    assert not cache.exists()


def test_an_empty_file_has_the_digest_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.pt").touch()
    assert find_weights(str(tmp_path / "empty.pt")).sha256 == hashlib.sha256(b"").hexdigest()


def test_without_a_network_the_sentence_names_the_remedies(cache: Path) -> None:
    with socket.socket() as unused:  # bound but not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ModelFileError) as caught:
            find_weights("yolo26n.pt", release=Release(url, url, PINNED_SHA256))
    message = str(caught.value)
    assert message.startswith(f"yolo26n.pt: not shipped, not in {cache}, and cannot be downloaded (no connection: ")
    assert message.endswith(f"; connect once, or copy the file to {cache} or give its path with --detector")
    assert "\n" not in message


# laws


@given(body=st.binary(max_size=300))
def test_the_digest_is_that_of_the_content(body: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("digest") / "file.pt"
    path.write_bytes(body)
    assert file_sha256(path) == hashlib.sha256(body).hexdigest()


def test_every_pinned_name_is_official_and_every_pin_is_a_digest() -> None:
    for name, digest in PINNED_SHA256.items():
        assert OFFICIAL_NAME.fullmatch(name)
        assert len(bytes.fromhex(digest)) == 32
        assert digest == digest.lower()
    assert len(set(PINNED_SHA256.values())) == len(PINNED_SHA256)


def test_official_downloads_are_encrypted() -> None:
    assert registry.ULTRALYTICS.assets.startswith("https://github.com/ultralytics/")
    assert registry.ULTRALYTICS.listing.startswith("https://api.github.com/repos/ultralytics/")


def test_order_path_then_shipped_then_cache_then_download(
    server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(registry, "SHIPPED_FOLDER", shipped)
    server.answers["/assets/yolo26n.pt"] = [whole(CONTENT)]
    release = server.release(yolo26n=DIGEST)
    found = [find_weights("yolo26n.pt", release=release).source]
    found.append(find_weights("yolo26n.pt", release=release).source)
    shipped.mkdir()
    (shipped / "yolo26n.pt").write_bytes(b"shipped")
    found.append(find_weights("yolo26n.pt", release=release).source)
    Path("yolo26n.pt").write_bytes(b"mine")
    found.append(find_weights("yolo26n.pt", release=release).source)
    assert found == ["download", "cache", "shipped", "path"]
    assert server.requests == ["/assets/yolo26n.pt"]


# downloads


def test_a_download_is_stored_whole_under_its_name(server: Server, cache: Path) -> None:
    server.answers["/assets/yolo11n.pt"] = [whole(CONTENT)]
    file = find_weights("yolo11n", release=server.release(yolo11n=DIGEST))
    assert (file.path, file.sha256, file.source) == (cache / "yolo11n.pt", DIGEST, "download")
    assert file.path.read_bytes() == CONTENT
    assert [cached.path.name for cached in cached_weights()] == ["yolo11n.pt"]
    assert not list(cache.glob("*.partial"))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (whole(CONTENT[:-1] + b"!"), "wrong content: sha256"),
        (whole(b""), "wrong content: sha256"),
        (cut(CONTENT, 70_000), "the connection ended after 70000 of 5120000 bytes"),
        (cut(CONTENT, 0), "the connection ended after 0 of"),
        (lambda handler: handler.send_error(404, "Not Found"), "the server answers 404 Not Found"),
        (lambda handler: handler.send_error(503, "Busy"), "the server answers 503 Busy"),
        (lambda handler: handler.connection.shutdown(socket.SHUT_RDWR), "the connection broke"),
    ],
)
def test_a_failed_download_leaves_nothing_and_can_be_repeated(
    answer: Answer, reason: str, server: Server, cache: Path
) -> None:
    server.answers["/assets/yolov8n.pt"] = [answer, whole(CONTENT)]
    release = server.release(yolov8n=DIGEST)
    with pytest.raises(ModelFileError, match=reason):
        find_weights("yolov8n.pt", release=release)
    assert nothing_but_the_lock(cache)
    assert find_weights("yolov8n.pt", release=release).sha256 == DIGEST


def test_a_killed_download_is_begun_anew(server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "yolov8n.pt.partial").write_bytes(CONTENT[:1000])
    server.answers["/assets/yolov8n.pt"] = [whole(CONTENT)]
    assert find_weights("yolov8n.pt", release=server.release(yolov8n=DIGEST)).path.read_bytes() == CONTENT
    assert not list(cache.glob("*.partial"))


def test_a_cache_that_is_a_file_is_named(server: Server, cache: Path) -> None:
    cache.write_text("not a folder")
    with pytest.raises(ModelFileError, match=r"cannot be downloaded \(.*cache: File exists\)"):
        find_weights("yolov8n.pt", release=server.release(yolov8n=DIGEST))


def test_a_damaged_cached_file_is_refused(server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "yolo26n.pt").write_bytes(b"half")
    with pytest.raises(ModelFileError, match=r"not the official yolo26n.pt .* delete it"):
        find_weights("yolo26n.pt")
    assert server.requests == []


def test_weights_of_ones_own_may_lie_in_the_cache(cache: Path) -> None:
    cache.mkdir()
    (cache / "ours.pt").write_bytes(CONTENT)
    file = find_weights("ours")
    assert (file.sha256, file.source) == (DIGEST, "cache")


# names without a pinned digest


def test_an_unpinned_name_is_checked_by_the_published_digest(server: Server) -> None:
    server.answers["/listing"] = [listing({"name": "yolo12x.pt", "digest": f"sha256:{DIGEST}"})]
    server.answers["/assets/yolo12x.pt"] = [whole(CONTENT)]
    assert find_weights("yolo12x.pt", release=server.release()).sha256 == DIGEST


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (listing(), "does not hold it"),
        (listing({"name": "yolo12x.pt", "digest": None}), "publishes no sha256"),
        (listing({"name": "yolo12x.pt"}), "publishes no sha256"),
        (listing({"name": "yolo12x.pt", "digest": "md5:0123"}), "publishes no sha256"),
        (listing({"name": "yolo12x.pt", "digest": "sha256:"}), "publishes no sha256"),
        (whole(b"<html>"), "not readable"),
        (whole(b"[]"), "not readable"),
        (whole(b'{"assets": [1]}'), "not readable"),
        (lambda handler: handler.send_error(403, "rate limit exceeded"), "403 rate limit exceeded"),
    ],
)
def test_without_a_published_digest_nothing_is_downloaded(
    answer: Answer, reason: str, server: Server, cache: Path
) -> None:
    server.answers["/listing"] = [answer]
    server.answers["/assets/yolo12x.pt"] = [whole(CONTENT)]
    with pytest.raises(ModelFileError, match=reason):
        find_weights("yolo12x.pt", release=server.release())
    assert server.requests == ["/listing"]
    assert nothing_but_the_lock(cache)


# the real files


@pytest.mark.parametrize("name", ["students", "students.pt"])
def test_the_default_detector_is_shipped(name: str) -> None:
    file = find_weights(name)
    assert (file.path, file.source) == (SHIPPED_FOLDER / "students.pt", "shipped")
    assert file in shipped_weights()


def test_the_model_card_describes_each_shipped_file_as_it_is() -> None:
    card = (SHIPPED_FOLDER / "README.md").read_text(encoding="utf-8")
    for file in shipped_weights():
        assert file.path.name in card
        assert file.sha256 in card
        assert f"{file.path.stat().st_size:,} bytes" in card


def test_the_registry_needs_no_torch() -> None:
    code = "import sys, models.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
