"""Bringing a database to the tables of this version, without losing what an older version recorded."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import inspect, select, text
from sqlalchemy.orm import Session

from consent import log
from consent.database import Database
from consent.errors import RegistryError
from consent.given import quoted
from consent.tables import Base, EntryRow

STEPS = ("0001", "0002", "0003", "0004")
"""Of ``migrations/versions``, in their order."""
SCHEMA = STEPS[-1]

MIGRATIONS = Path(__file__).parent / "migrations"


def bring_up_to_date(database: Database) -> None:
    """Make or upgrade the tables in one transaction; safe when several processes do it at the same time.

    What an older version recorded is written into the log as it stands after the upgrade.

    Raises:
        RegistryError: the database cannot be reached, is damaged, may not be written, or is of a newer version.
    """
    with database.transaction() as session:
        if _version(session) == SCHEMA:
            return
    with database.transaction(write=True) as session:
        version = _version(session)
        if version == SCHEMA:  # another process did it while this one waited
            return
        if version is not None and version not in STEPS:
            if re.fullmatch("[0-9]{4}", str(version)) and str(version) > SCHEMA:
                raise RegistryError(
                    f"{database.location}: the consent registry has the tables of a newer version ({version}, known"
                    f" here: {SCHEMA}); update this software"
                )
            raise RegistryError(
                f"{database.location}: the version of the consent registry's tables cannot be read"
                f" ({quoted(str(version))}); restore a copy of the database from before it was damaged"
            )
        _upgrade(session)
        mappers = [one for one in Base.registry.mappers if one.class_ is not EntryRow]
        rows = [row for mapper in mappers for row in session.scalars(select(mapper.class_))]
        if rows:
            log.append(session, f"upgrade to {SCHEMA}", rows)


def _version(session: Session) -> str | None:
    """The version of the tables; ``None`` for a new database, and for one from before versions were counted."""
    if not inspect(session.connection()).has_table("alembic_version"):
        return None
    return session.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(session: Session) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = session.connection()
    command.upgrade(config, SCHEMA)
