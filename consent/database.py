"""The database behind the registry: opened by URL, short transactions, one-sentence failures, no secrets."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import platformdirs
from sqlalchemy import Engine, create_engine, event, func, select, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from consent.errors import ConsentError, RegistryError
from consent.given import quoted

URL_VARIABLE = "ENGAGE_DATABASE_URL"
BUSY_TIMEOUT_S = 30
"""How long a writer waits for the others, which hold the lock for milliseconds each."""
CONNECT_TIMEOUT_S = 10
"""How long a PostgreSQL server may take to answer before it counts as unreachable."""

_WRITERS_LOCK = 0x656E67616765  # "engage" in ASCII: key of the PostgreSQL advisory lock that writers take
_EXAMPLES = "sqlite:////folder/consent.sqlite or postgresql://USER:PASSWORD@HOST/NAME"


class Database:
    """An engine with the project's settings; ``location`` says where it is, without any password."""

    def __init__(self, engine: Engine, location: str, secrets: tuple[str, ...] = ()) -> None:
        self.location = location
        self._engine = engine
        self._secrets = secrets

    @classmethod
    def open(cls, url: str | None = None) -> Database:
        """Prepare the database at ``url``, else ``ENGAGE_DATABASE_URL``, else a file in the user's data.

        The folder of a file that was named must exist, so that a mistyped path does not open an empty record.

        Raises:
            RegistryError: not a database URL, the driver is not installed, or the folder is missing.
        """
        text = url or os.environ.get(URL_VARIABLE)
        parsed = _parse(text) if text else _default()
        secrets: tuple[str, ...] = (str(parsed.password),) if parsed.password else ()
        if parsed.get_backend_name() == "sqlite":
            location = _check_file(parsed)
            options: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S}
        else:
            # What follows "?" is left out, as it can hold a password too.
            location = parsed.set(query={}).render_as_string()  # *** for the password
            secrets += tuple(str(value) for value in parsed.query.values() if value)
            options = {"connect_timeout": CONNECT_TIMEOUT_S} if parsed.get_backend_name() == "postgresql" else {}
        try:
            engine = create_engine(parsed, connect_args=options, pool_pre_ping=True)
        except ImportError as error:
            raise RegistryError(
                f"{location}: needs the database driver {error.name}; install it first"
                ' (PostgreSQL: pip install "psycopg[binary]")'
            ) from None
        except (ArgumentError, TypeError):
            raise RegistryError(
                f"{parsed.drivername!r} is not a kind of database known here; use {_EXAMPLES}"
            ) from None
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        return cls(engine, location, secrets)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back on any exception.

        Writers take turns: the log is a chain, in which each entry must know the one before. Readers see one
        moment from first to last and wait for nobody.

        Args:
            write: wait for the other writers at once; a reader that turns writer could fail where others write.

        Raises:
            RegistryError: the database fails.
        """
        options: dict[str, Any] = {"engage_write": write}  # see _begin_sqlite
        postgresql = self._engine.dialect.name == "postgresql"
        if postgresql:
            # A writer must see what was committed while it waited, whatever the server's default is.
            options["isolation_level"] = "READ COMMITTED" if write else "REPEATABLE READ"
        try:
            with Session(self._engine.execution_options(**options)) as session, session.begin():
                if write:
                    session.connection()  # begins now, not at the first statement
                if write and postgresql:
                    session.execute(text(f"SET LOCAL lock_timeout = '{BUSY_TIMEOUT_S}s'"))
                    session.execute(select(func.pg_advisory_xact_lock(_WRITERS_LOCK)))
                yield session
        except SQLAlchemyError as error:
            raise self._failure(error) from None
        except ConsentError:
            raise
        except (ValueError, LookupError, TypeError) as error:  # a date, a list or a text that was altered in the file
            raise RegistryError(
                f"{self.location}: a record cannot be read ({quoted(str(error))}); restore a copy of the database from"
                " before it was damaged"
            ) from error

    def _failure(self, error: SQLAlchemyError) -> RegistryError:
        """The database's own words, first line only (the rest is SQL), passwords struck out."""
        words = str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
        for secret in self._secrets:
            for form in (secret, quote(secret, safe=""), quote_plus(secret)):
                words = words.replace(form, "***")
        return RegistryError(
            f"{self.location}: the consent registry cannot be used ({words});"
            f" check the database, or name another one in {URL_VARIABLE}"
        )


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise RegistryError(
            f"{URL_VARIABLE} is not a database URL (not shown here: it can hold a password); use {_EXAMPLES}"
        ) from None
    if url.drivername in ("postgres", "postgresql"):  # SQLAlchemy's own default differs between 2.0 and 2.1
        url = url.set(drivername="postgresql+psycopg")
    return url


def _default() -> URL:
    folder = platformdirs.user_data_path("engage")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # for this user's eyes only
    except OSError as error:
        raise RegistryError(
            f"{folder}: the folder of the consent registry cannot be made ({error.strerror});"
            f" name another place in {URL_VARIABLE}, such as sqlite:////folder/consent.sqlite"
        ) from None
    return URL.create("sqlite", database=str(folder / "consent.sqlite"))


def _check_file(url: URL) -> str:
    """The file of a SQLite URL as a location to show."""
    if not url.database or url.database == ":memory:":
        return "sqlite in memory"
    folder = Path(url.database).parent
    if not url.database.startswith("file:") and not folder.is_dir():
        raise RegistryError(
            f"{url.database}: there is no folder {str(folder)!r} for the consent registry; make it, or mend"
            f" {URL_VARIABLE}"
        )
    return url.database


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Transactions are begun by _begin_sqlite: Python's driver would begin them only at the first write, too
    # late for reading and then writing in one piece.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # A byte altered in the file must be found by the log's hashes, not make reading fail before they are checked.
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    # Write-ahead log: readers and the writer do not wait for each other. The mode stays in the file, so a
    # refusal while another process is just setting it, or on a read-only file, does no harm.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("engage_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
