"""The log of the registry: a chain of entries, one for each change, in which nothing can be altered unnoticed.

An entry holds the changed rows as they are after the change, the hash of the entry before, and the sha256 of its
number, that hash and the rows, one below the other. Whoever alters an entry must make all later ones anew, and
then the newest hash (the head) is not the one noted elsewhere. Rows are compared with the log too: a record
altered behind its back is found as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from consent.errors import ConsentError, LogBroken
from consent.tables import SECRET, Base, EntryRow, utc_now

GENESIS = "0" * 64
"""What stands for the entry before the first; also the head of an empty log."""

_REMEDY = "keep this database as it is and compare it with a backup"


@dataclass(frozen=True)
class Chain:
    """A log in which everything fits: how many entries, and the hash of the newest."""

    entries: int
    head: str


def append(session: Session, change: str, rows: Iterable[Base]) -> None:
    """Write the entry of one change, in the transaction of that change, which must be a writing one.

    Args:
        change: what was done, in a word or two.
        rows: all rows it added or altered.
    """
    session.flush()  # numbers the new rows
    newest = session.scalars(select(EntryRow).order_by(EntryRow.number.desc()).limit(1)).first()
    number, previous = (newest.number + 1, newest.sha256) if newest else (1, GENESIS)
    facts = {}
    for row in rows:
        table = _table(type(row))
        values = {column.name: getattr(row, column.name) for column in table.columns}
        facts[f"{table.name}/{values['id']}"] = _facts(table, values)
    payload = _canonical({"at": utc_now().isoformat(), "change": change, "rows": facts})
    sha256 = _digest(number, previous, payload)
    session.add(EntryRow(number=number, payload=payload, previous=previous, sha256=sha256))
    session.flush()


def head(session: Session) -> str:
    """The hash of the newest entry."""
    newest = select(EntryRow.sha256).order_by(EntryRow.number.desc()).limit(1)
    return session.scalar(newest) or GENESIS


def holds(session: Session, noted: str) -> bool:
    """Whether an entry has this hash, or none is needed: then the log is that in which it was noted, or a copy."""
    return noted == GENESIS or session.scalar(select(EntryRow.number).filter_by(sha256=noted)) is not None


def verify(session: Session, head: str | None = None) -> Chain:
    """Check every entry, and every record against the newest entry that speaks of it.

    Args:
        session: a transaction that sees one moment of the database.
        head: a head noted earlier. The log must hold it, else its end is missing or was written anew.

    Raises:
        ConsentError: ``head`` is no sha256.
        LogBroken: the first entry, or else record, that does not fit.
    """
    wanted = None if head is None else _checked_head(head)
    chain, seen = Chain(0, GENESIS), wanted in (None, GENESIS)
    logged: dict[str, tuple[int, dict[str, Any]]] = {}
    columns = select(EntryRow.number, EntryRow.payload, EntryRow.previous, EntryRow.sha256).order_by(EntryRow.number)
    for number, payload, previous, sha256 in session.execute(columns):
        expected = chain.entries + 1
        if number != expected:
            raise LogBroken(f"entry {expected} of the log does not fit: it is missing (found: {number}); {_REMEDY}")
        if previous != chain.head:
            raise LogBroken(f"entry {number} of the log does not fit: it does not follow the one before; {_REMEDY}")
        if sha256 != _digest(number, previous, payload):
            raise LogBroken(f"entry {number} of the log does not fit: it was altered; {_REMEDY}")
        chain = Chain(number, sha256)
        seen = seen or sha256 == wanted
        logged.update({key: (number, facts) for key, facts in json.loads(payload)["rows"].items()})
    if not seen:
        raise LogBroken(
            f"entry {chain.entries + 1} of the log does not fit: it is missing, as the head noted earlier ({wanted})"
            f" is none of the {chain.entries} entries; {_REMEDY}"
        )
    _check_records(session, logged)
    return chain


def _check_records(session: Session, logged: dict[str, tuple[int, dict[str, Any]]]) -> None:
    """Whether the tables hold what the log says, no more and no less."""
    wrong: list[tuple[int, str]] = []
    for table in Base.metadata.sorted_tables:
        if table.name == EntryRow.__tablename__:
            continue
        try:
            found = {
                f"{table.name}/{row['id']}": _facts(table, row) for row in session.execute(select(table)).mappings()
            }
        except (ValueError, TypeError) as error:  # text that is no JSON, no date
            raise LogBroken(f"a record of the table {table.name!r} cannot be read ({error}); {_REMEDY}") from None
        for key in found.keys() - logged.keys():
            raise LogBroken(f"record {key} stands in no entry of the log; {_REMEDY}")
        for key, (number, facts) in logged.items():
            if key.startswith(f"{table.name}/"):
                row = found.get(key)
                if row is None:
                    wrong.append((number, f"its record {key} is missing"))
                elif any(row.get(column) != value for column, value in facts.items()):
                    wrong.append((number, f"its record {key} was altered"))
    if wrong:
        number, what = min(wrong)
        raise LogBroken(f"entry {number} of the log does not fit: {what}; {_REMEDY}")


def _table(kind: type[Base]) -> Table:
    table = kind.__table__
    assert isinstance(table, Table)
    return table


def _facts(table: Table, values: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as JSON can hold it; of a secret only its hash."""
    facts: dict[str, Any] = {}
    for column in table.columns:
        value = values[column.name]
        if isinstance(value, date):  # a moment is one too
            value = value.isoformat()
        if column.info.get(SECRET):
            facts[f"{column.name}_sha256"] = None if value is None else _sha256(value)
        else:
            facts[column.name] = value
    return facts


def _canonical(value: object) -> str:
    """JSON of which there is one form only: sorted, without space, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _digest(number: int, previous: str, payload: str) -> str:
    return _sha256(f"{number}\n{previous}\n{payload}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _checked_head(head: str) -> str:
    text = head.strip().lower()
    if len(text) != len(GENESIS) or set(text) - set("0123456789abcdef"):
        raise ConsentError(
            f"the head {head!r} is not 64 hexadecimal digits; give the one that engage consent verify printed"
        )
    return text
