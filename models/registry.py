"""Where a weights file comes from: a path, this package, the user's cache, or the official release.

Downloaded files are trusted by their sha256 only: a digest pinned here, or the one GitHub publishes for the
release asset. A file that has neither is refused, because loading a ``.pt`` file can run code.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock
from platformdirs import user_cache_path

from models.errors import ModelFileError

DEFAULT_DETECTOR = "students"
"""The shipped detector that is used when none is named."""

SHIPPED_FOLDER = Path(__file__).parent / "weights"
CACHE_VARIABLE = "ENGAGE_CACHE"
SUFFIXES = (".pt", ".onnx")

OFFICIAL_NAME = re.compile(r"yolo(v5[nsmlx]6?u|v8[nsmlx]|v9[tsmce]|v10[nsmblx]|11[nsmlx]|12[nsmlx]|26[nsmlx])\.pt")
"""Detection models among the assets of the Ultralytics release (``GITHUB_ASSETS_NAMES`` in
``ultralytics/utils/downloads.py``)."""

PINNED_SHA256: Mapping[str, str] = {
    # The digests GitHub publishes for the assets of release v8.4.0, as public projects recorded them from
    # its API: mozo (tools/fetch/yolov8.py) all of yolov8, SuperBirdTools (model catalogue) all fifteen. What
    # others computed from downloads of the same assets agrees (seen for every name but yolo11l).
    "yolov8n.pt": "f59b3d833e2ff32e194b5bb8e08d211dc7c5bdf144b90d2c8412c47ccfc83b36",
    "yolov8s.pt": "1f47a78bf100391c2a140b7ac73a1caae18c32779be7d310658112f7ac9aa78a",
    "yolov8m.pt": "5d4a90cdc7a21786cc59cd19778e9eafff836df9e2da32524737c7ee6efe4fe5",
    "yolov8l.pt": "64c9115303f6a25575f82200d1b22ec409fa6bd7d08d0313884fc20d919478cd",
    "yolov8x.pt": "3df4ada6b4dad6d657868f2fdf7faecfb34dcfccf3a25c4b82079064718524c8",
    "yolo11n.pt": "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1",
    "yolo11s.pt": "85a76fe86dd8afe384648546b56a7a78580c7cb7b404fc595f97969322d502d5",
    "yolo11m.pt": "d5ffc1a674953a08e11a8d21e022781b1b23a19b730afc309290bd9fb5305b95",
    "yolo11l.pt": "9ebd0e09d59811db4b1d61e2bc6730649608b1ac47f8dd01e2da6bca7c20023f",
    "yolo11x.pt": "7bc158aa95c0ebfdd87f70f01653c1131b93e92522dbe15c228bcd742e773a24",
    "yolo26n.pt": "9b09cc8bf347f0fc8a5f7657480587f25db09b34bf33b0652110fb03a8ad4fef",
    "yolo26s.pt": "646f8bc3fe0a656803d95c294f7852321748cb29d13466a1af8862e2db384a1b",
    "yolo26m.pt": "401cea9ab23ad19246ff7744859816bc599f350e93c9dd30367b6f0a0745d0b7",
    "yolo26l.pt": "9fe3c544f2b19bebad7ea41e76d7ad3d88b7c2f10d11d24430c5311f6b32db26",
    "yolo26x.pt": "9fdd44a31c504547ffb81d2c6d9e6dac3493c8eaa8b0398d3f43bae6c7003e92",
}

TIMEOUT_SECONDS = 20.0
"""Longest silence of the server before a download is given up."""

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class WeightsFile:
    """A weights file on disk.

    Attributes:
        path: where it lies.
        sha256: digest of its content, 64 lower-case hex digits.
        source: ``path``, ``shipped``, ``cache`` or ``download``.
    """

    path: Path
    sha256: str
    source: str


@dataclass(frozen=True)
class Release:
    """A GitHub release to download from.

    Attributes:
        assets: URL of the folder with the files.
        listing: URL of the release's JSON description, which carries each asset's ``digest``.
        pinned: digests known beforehand, by file name; they win over the listing.
    """

    assets: str
    listing: str
    pinned: Mapping[str, str] = field(default_factory=dict)


ULTRALYTICS = Release(
    assets="https://github.com/ultralytics/assets/releases/download/v8.4.0",
    listing="https://api.github.com/repos/ultralytics/assets/releases/tags/v8.4.0",
    pinned=PINNED_SHA256,
)
"""The release that Ultralytics 8.4 itself downloads from; earlier ones publish no digests."""


class _NoDownloadError(Exception):
    """Why a file could not be downloaded, in a few words."""


def find_weights(name_or_path: str, *, release: Release = ULTRALYTICS) -> WeightsFile:
    """Find a weights file by path or name, downloading an official one when nothing nearer has it.

    Looked for in this order: an existing file of that path, the files shipped with this package, the user's
    cache, the official release. A name may leave out ``.pt``.

    Raises:
        ModelFileError: nothing found, the file cannot be read, or its content is not what the name promises.
    """
    path = Path(name_or_path).expanduser()
    if _is_file(path):
        return _weights(path, "path")
    if path.name != name_or_path:
        raise ModelFileError(
            f"{name_or_path!r}: no such weights file; give the path of one, or a name such as"
            f" {DEFAULT_DETECTOR} or yolo26n.pt, with --detector"
        )
    name = name_or_path if path.suffix in SUFFIXES else f"{name_or_path}.pt"
    if _is_file(SHIPPED_FOLDER / name):
        return _weights(SHIPPED_FOLDER / name, "shipped")
    cache = cache_folder()
    if _is_file(cache / name):
        return _checked(_weights(cache / name, "cache"), release.pinned)
    if not OFFICIAL_NAME.fullmatch(name):
        shipped = ", ".join(file.path.name for file in shipped_weights())
        raise ModelFileError(
            f"{name}: no file of that path, not shipped ({shipped}), not in {cache}, and not an official"
            " Ultralytics detector; give a path or a name such as yolo26n.pt with --detector"
        )
    try:
        return _download(name, cache, release)
    except _NoDownloadError as reason:
        raise ModelFileError(
            f"{name}: not shipped, not in {cache}, and cannot be downloaded ({reason}); connect once, or copy"
            f" the file to {cache} or give its path with --detector"
        ) from reason


def shipped_weights() -> list[WeightsFile]:
    """The weights files inside this package, by name."""
    return _weights_in(SHIPPED_FOLDER, "shipped")


def cached_weights() -> list[WeightsFile]:
    """The weights files in the user's cache, by name; unchecked against their official digests."""
    return _weights_in(cache_folder(), "cache")


def cache_folder() -> Path:
    """The folder of downloaded weights: ``$ENGAGE_CACHE`` or the platform's cache. It may not exist yet."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else user_cache_path("engage", appauthor=False)


def file_sha256(path: Path) -> str:
    """Digest of a file's content as 64 hex digits, read in constant memory.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long, a folder that may not be entered
        return False


def _weights(path: Path, source: str) -> WeightsFile:
    try:
        return WeightsFile(path, file_sha256(path), source)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror}); give another file with --detector") from error


def _weights_in(folder: Path, source: str) -> list[WeightsFile]:
    if not folder.is_dir():
        return []
    return [_weights(path, source) for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES and path.is_file()]


def _checked(file: WeightsFile, pinned: Mapping[str, str]) -> WeightsFile:
    expected = pinned.get(file.path.name)
    if expected is not None and file.sha256 != expected:
        raise ModelFileError(
            f"{file.path}: not the official {file.path.name} (sha256 {file.sha256[:12]}…, expected"
            f" {expected[:12]}…); delete it so that it is downloaded again, or move it and give its path with"
            " --detector"
        )
    return file


def _download(name: str, cache: Path, release: Release) -> WeightsFile:
    """Stream an asset to ``<name>.partial`` and rename it once its digest is right; one process at a time."""
    target = cache / name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{name}.lock"):
            if target.is_file():  # another process downloaded it meanwhile
                return _checked(_weights(target, "cache"), release.pinned)
            expected = release.pinned.get(name) or _published_sha256(name, release.listing)
            partial = cache / f"{name}.partial"
            try:
                _fetch(f"{release.assets}/{name}", partial)
                found = file_sha256(partial)
                if found != expected:
                    raise _NoDownloadError(f"wrong content: sha256 {found[:12]}…, expected {expected[:12]}…")
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise _NoDownloadError(f"{cache}: {error.strerror or error}") from error
    return WeightsFile(target, expected, "download")


def _published_sha256(name: str, listing: str) -> str:
    with _opened(listing) as response:
        try:
            assets = {asset["name"]: asset.get("digest") for asset in json.load(response)["assets"]}
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _NoDownloadError("the release's list of files is not readable") from error
    if name not in assets:
        raise _NoDownloadError("the official release does not hold it")
    kind, _, digest = (assets[name] or "").partition(":")
    if kind != "sha256" or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise _NoDownloadError("the official release publishes no sha256 to check it by")
    return digest


def _fetch(url: str, partial: Path) -> None:
    from rich.console import Console
    from rich.progress import wrap_file

    with _opened(url) as response, partial.open("wb") as out:
        size = int(response.headers.get("Content-Length") or 0)
        console = Console(stderr=True)  # stdout is for results
        with wrap_file(
            response,
            size,
            description=partial.stem,
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                out.write(chunk)
            if out.tell() < size:
                raise _NoDownloadError(f"the connection ended after {out.tell()} of {size} bytes")


@contextlib.contextmanager
def _opened(url: str) -> Iterator[http.client.HTTPResponse]:
    """The response to a GET; failures of the network, there or while reading, become ``_NoDownloadError``."""
    request = urllib.request.Request(url, headers={"User-Agent": "classroom-engagement"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            if urlsplit(response.url).scheme != urlsplit(url).scheme:
                raise _NoDownloadError("the server redirects to an unprotected address")
            yield response
    except urllib.error.HTTPError as error:
        raise _NoDownloadError(f"the server answers {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _NoDownloadError(f"no connection: {error.reason}") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _NoDownloadError(f"the connection broke: {error or type(error).__name__}") from error
