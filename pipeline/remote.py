"""Places elsewhere, by any address that fsspec knows: recordings come from there, and whole sessions go there.

A session at such a place is one only once its manifest is there, which is sent last and taken away first; every file is
read back and compared. Keys come from the environment, never from the address.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from models.registry import file_sha256
from pipeline.errors import InputError, OutputError
from pipeline.session import MANIFEST
from pipeline.store import PARTIAL

MARK: Final = "://"
BLOCK: Final = 1 << 20
OBJECT_STORES: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss"})


def is_url(place: str) -> bool:
    """Whether a place is an address and no path."""
    return MARK in place


class Place:
    """A file or folder at an address."""

    def __init__(self, url: str) -> None:
        """Find what serves such addresses; nothing is asked yet.

        Raises:
            InputError: nothing serves them here, or the address holds a password.
        """
        import fsspec

        self.url = url.rstrip("/")
        if "@" in urlsplit(url).netloc:
            hidden = url.replace(urlsplit(url).netloc.rpartition("@")[0], "…")
            raise InputError(f"{hidden}: addresses must not hold names or passwords; put them into the environment")
        try:
            self._system, self._root = fsspec.core.url_to_fs(self.url)
        except ValueError:
            raise InputError(f"{url}: no such kind of address is known; use a folder, file:// or s3://") from None
        except ImportError:
            kind = url.partition(MARK)[0]
            raise InputError(
                f"{url}: needs a package for {kind}:// that is not installed; for s3:// install it with: pip install"
                " 'classroom-engagement[s3]'"
            ) from None
        self._root = self._root.rstrip("/")

    def address(self, inside: str) -> str:
        """The address of what lies at ``inside`` below here."""
        return f"{self.url}/{inside}"

    @property
    def folder(self) -> Path | None:
        """The folder, where this is one of this computer."""
        return Path(self._root) if "file" in self._protocols else None

    @property
    def _protocols(self) -> set[str]:
        names = self._system.protocol
        return {names} if isinstance(names, str) else set(names)

    def is_folder(self) -> bool:
        """Whether a folder is there.

        Raises:
            OutputError: the place cannot be reached.
        """
        with self._in_words("reached"):
            return bool(self._system.isdir(self._root))

    def exists(self) -> bool:
        """Whether anything is there.

        Raises:
            OutputError: the place cannot be reached.
        """
        with self._in_words("reached"):
            return bool(self._system.exists(self._root))

    def below(self) -> list[str]:
        """All files below, from here, in order of their names.

        Raises:
            OutputError: the place cannot be reached.
        """
        with self._in_words("reached"):
            return sorted(one[len(self._root) :].lstrip("/") for one in self._system.find(self._root))

    def fetch(self, path: Path) -> None:
        """Copy the file here to a path.

        Raises:
            InputError: there is no such file.
            OutputError: the place cannot be reached, or the disk is full.
        """
        partial = path.with_name(path.name + PARTIAL)
        with self._in_words("read"):
            if not self._system.isfile(self._root):
                raise InputError(f"{self.url}: no such file; check the address")
            self._system.get_file(self._root, str(partial))
            partial.replace(path)

    def read(self, name: str) -> bytes | None:
        """A small file below; ``None`` where it is not there.

        Raises:
            OutputError: the place cannot be reached.
        """
        with self._in_words("read"):
            try:
                return bytes(self._system.cat_file(f"{self._root}/{name}"))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """A small file below, there whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        with self._in_words("written"):
            self._make(self._root)
            path = f"{self._root}/{name}"
            self._system.pipe_file(path + PARTIAL, content)
            self._system.mv(path + PARTIAL, path)

    def send(self, session: Path) -> None:
        """Send a session folder: its manifest last, and every file compared with what has arrived.

        An older session of its name is none from the first moment on.

        Raises:
            OutputError: a file cannot be written, or arrived damaged; then there is no session.
        """
        place = f"{self._root}/{session.name}"
        files = sorted(path.relative_to(session).as_posix() for path in session.rglob("*") if path.is_file())
        with self._in_words("written"):
            self._make(place)
            self._system.invalidate_cache()
            self._gone(f"{place}/{MANIFEST}")
            for name in files:
                if name != MANIFEST:
                    self._make(str(PurePosixPath(f"{place}/{name}").parent))
                    self._system.put_file(str(session / name), f"{place}/{name}")
                    self._compare(session / name, f"{place}/{name}")
            self._system.invalidate_cache()
            for other in self._system.find(place):
                if other[len(place) :].lstrip("/") not in files:
                    self._gone(other)
            self._system.put_file(str(session / MANIFEST), f"{place}/{MANIFEST}{PARTIAL}")
            self._compare(session / MANIFEST, f"{place}/{MANIFEST}{PARTIAL}")
            self._system.mv(f"{place}/{MANIFEST}{PARTIAL}", f"{place}/{MANIFEST}")

    def _make(self, folder: str) -> None:
        """Make a folder where there are folders; of a mistyped address a store of objects would make a bucket."""
        if not self._protocols & OBJECT_STORES:
            self._system.makedirs(folder, exist_ok=True)

    def _compare(self, sent: Path, arrived: str) -> None:
        digest = hashlib.sha256()
        with self._system.open(arrived, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        if digest.hexdigest() != file_sha256(sent):
            raise OutputError(f"{self.url}: {sent.name} of {sent.parent.name} arrived damaged; run the command again")

    def _gone(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._system.rm_file(path)

    @contextlib.contextmanager
    def _in_words(self, done: str) -> Iterator[None]:
        """Whatever the library raises as one sentence: each kind of place has exceptions of its own."""
        try:
            yield
        except (InputError, OutputError):
            raise
        except Exception as error:
            reason = " ".join(str(_first_line(error)).split())[:200]
            raise OutputError(
                f"{self.url}: cannot be {done} ({reason}); check the address, and its keys in the environment"
            ) from error


def _first_line(error: Exception) -> Any:
    return getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
