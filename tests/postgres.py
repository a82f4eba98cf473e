"""A real PostgreSQL server for the tests: its own folder, no network, gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import pytest

TIMEOUT_S = 60


def server_programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``; Debian keeps it out of ``PATH``."""
    named = shutil.which("initdb")
    found = [Path(named).resolve()] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class PrivateServer:
    """A server that listens on a socket in a folder of its own; skips the test where it cannot be started.

    PostgreSQL refuses to run as root, so root runs it as the user ``postgres``.
    """

    def __init__(self) -> None:
        programs = server_programs()
        if programs is None:
            pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
        self._programs = programs
        self._as: list[str] = []
        self._names = count()
        # Not pytest's folder: only its owner may enter that, and the path of a socket must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))

    def __enter__(self) -> PrivateServer:
        try:
            if os.geteuid() == 0:
                self._give_away()
            self._call("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", self._data)
            # No waiting for the disk: a test needs no durability.
            options = f"-k {self._folder} -c listen_addresses='' -c fsync=off"
            self._call("pg_ctl", "start", "--wait", "-D", self._data, "-l", f"{self._folder}/log", "-o", options)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call("pg_ctl", "stop", "--wait", "-D", self._data, "-m", "immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._names)}"
        self._call("createdb", "--host", str(self._folder), "--username", "postgres", name)
        return f"postgresql://postgres@/{name}?host={quote(str(self._folder), safe='')}"

    @property
    def _data(self) -> str:
        return f"{self._folder}/data"

    def _give_away(self) -> None:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        if shutil.which("runuser") is None:
            pytest.skip("PostgreSQL does not run as root, and there is no runuser to change the user with")
        os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        self._as = ["runuser", "-u", "postgres", "--"]

    def _call(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [*self._as, str(self._programs / program), *words],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            # a file, not a pipe: the server inherits it and would keep a pipe open
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            log = self._folder / "log"
            said = log.read_text() if log.exists() else "nothing"
            pytest.fail(f"{program} exits with {done.returncode}; the server says: {said}")
