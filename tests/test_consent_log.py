import hashlib
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from consent import log
from consent.accesses import AccessKind
from consent.errors import ConsentError, LogBroken
from consent.log import GENESIS, Chain
from consent.policy import EVERY_RUN, Purpose, Zone
from consent.registry import Registry
from consent.retention import Kind
from consent.roles import Role
from consent.tables import Base

TODAY = date(2025, 3, 10)
SEAT = Zone(0.1, 0.2, 0.3, 0.4)
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
CHANGES = {
    "a course and its approval": lambda registry: registry.approve("CS 101", "Dean", TODAY),
    "another approval": lambda registry: registry.approve("cs 101", "Dean", TODAY, date(2026, 1, 1)),
    "an opt-out": lambda registry: registry.opt_out("CS 101", "kestrel", SEAT),
    "two decisions of a new student": lambda registry: registry.students.decide("CS 101", "heron", EVERY_RUN, True),
    "a decision of a known one": lambda registry: registry.students.decide("CS 101", "heron", [Purpose.SHOWING], False),
    "a name and a seat": lambda registry: registry.students.enter("CS 101", "heron", "Ada Byron", SEAT),
    "a name forgotten": lambda registry: registry.students.forget_name("CS 101", "heron"),
    "an opt-out taken back": lambda registry: registry.opt_in("CS 101", "kestrel"),
    "a session": lambda registry: registry.sessions.note("CS 101", "one", "2025-03-10T09:00:00Z", Path("/x/one")),
    "a session deleted": lambda registry: registry.sessions.deleted(registry.sessions.of_course("CS 101")[0]),
    "two periods": lambda registry: registry.retention.set("CS 101", {Kind.TABLES: 365, Kind.FORMS: 0}),
    "a withdrawal": lambda registry: registry.withdrawals.begin("CS 101", "heron"),
    "a withdrawal done": lambda registry: registry.withdrawals.end(registry.withdrawals.of_course("CS 101")[0]),
    "a role": lambda registry: registry.roles.grant("Ada@example.org", Role.INSTRUCTOR, ["CS 101"]),
    "another role in its place": lambda registry: registry.roles.grant("ada@example.org", Role.ADMINISTRATOR),
    "a role revoked": lambda registry: registry.roles.revoke("ada@example.org"),
    "a refusal": lambda registry: registry.accesses.note(AccessKind.REFUSED, "eve@example.org", "the video"),
    "refusals forgotten": lambda registry: registry.accesses.forget(None, date.max),
    "a look at a student": lambda registry: registry.accesses.note(
        AccessKind.STUDENT, None, "asked me", "CS 101", "x", 3
    ),
    "a name again": lambda registry: registry.students.enter("CS 101", "heron", "Ada Lovelace"),
}
"""Each change there is, in an order in which all are possible; together they leave a row in every table."""


def filled(url):
    with Registry.open(url) as registry:
        for change in CHANGES.values():
            change(registry)
    return url


def altered(url, *statements):
    """Do what no code of the registry does."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def verify(url, head=None):
    with Registry.open(url) as registry:
        return registry.verify(head)


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("ENGAGE_CONSENT_KEY", KEY)


# Degenerate


def test_an_empty_log_is_whole(registry_url):
    assert verify(registry_url) == verify(registry_url, GENESIS) == Chain(0, GENESIS)
    with pytest.raises(LogBroken, match=r"entry 1 .* missing"):
        verify(registry_url, "ab" * 32)


@pytest.mark.parametrize("head", ["", "abc", "g" * 64, "a" * 65])
def test_a_head_that_is_none(tmp_path, head):
    with pytest.raises(ConsentError, match="64 hexadecimal digits"):
        verify(f"sqlite:///{tmp_path / 'consent.sqlite'}", head)


def test_what_changes_nothing_writes_nothing(registry_url):
    before = verify(filled(registry_url))
    with Registry.open(registry_url) as registry:
        registry.students.enter("CS 101", "heron")
        registry.opt_in("CS 101", "kestrel")
        registry.opt_out("CS 101", "kestrel", SEAT)
        registry.opt_out("CS 101", "kestrel", SEAT)
        assert registry.verify().entries == before.entries + 1


def test_a_change_without_its_entry_is_no_change(registry_url, monkeypatch):
    monkeypatch.setattr(log, "_digest", lambda *_: 1 / 0)
    with Registry.open(registry_url) as registry:
        with pytest.raises(ZeroDivisionError):
            registry.approve("CS 101", "Dean", TODAY)
        assert registry.courses() == ()
        assert registry.verify() == Chain(0, GENESIS)


# Laws


def test_every_change_writes_one_entry_that_leads_to_the_last(registry_url):
    with Registry.open(registry_url) as registry:
        heads = [registry.verify().head]
        for number, change in enumerate(CHANGES.values(), start=1):
            change(registry)
            chain = registry.verify(heads[-1])  # the head noted earlier is still in it
            assert chain.entries == number
            heads.append(chain.head)
    assert len(set(heads)) == len(heads)


def test_the_hashes_are_what_the_page_says(tmp_path):
    filled(f"sqlite:///{tmp_path / 'consent.sqlite'}")
    previous = "0" * 64
    with closing(sqlite3.connect(tmp_path / "consent.sqlite")) as raw:
        entries = raw.execute("SELECT number, payload, previous, sha256 FROM log ORDER BY number").fetchall()
    assert len(entries) == len(CHANGES)
    for number, payload, before, sha256 in entries:
        assert before == previous
        assert sha256 == hashlib.sha256(f"{number}\n{before}\n{payload}".encode()).hexdigest()
        assert payload == json.dumps(json.loads(payload), sort_keys=True, separators=(",", ":"))
        previous = sha256


def test_no_name_is_in_log_or_file(tmp_path):
    with Registry.open(filled(f"sqlite:///{tmp_path / 'consent.sqlite'}")) as registry:
        assert registry.students.name("CS 101", "heron") == "Ada Lovelace"
    content = (tmp_path / "consent.sqlite").read_bytes()
    assert b"heron" in content
    assert b"Ada" not in content
    assert b"Lovelace" not in content


def test_who_looked_and_why_is_in_the_log_as_a_hash_only(tmp_path):
    url = f"sqlite:///{tmp_path / 'consent.sqlite'}"
    with Registry.open(url) as registry:
        registry.accesses.note(AccessKind.STUDENT, "eve@example.org", "asked for help", None, "lecture", 3)
        registry.accesses.note(AccessKind.STUDENT, "eve@example.org", "asked for help", None, "lecture", 3)
        registry.accesses.forget(None, date.max)
        registry.verify()
    with closing(sqlite3.connect(tmp_path / "consent.sqlite")) as raw:
        payloads = [payload for (payload,) in raw.execute("SELECT payload FROM log")]
    assert not any("eve" in payload or "asked" in payload for payload in payloads)
    first, second = (json.loads(one)["rows"][f"accesses/{n}"] for n, one in enumerate(payloads[:2], start=1))
    assert first["details_sha256"] != second["details_sha256"]  # nobody can try out addresses


# Alterations


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A filled registry in a file; whoever alters it puts it back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGAGE_CONSENT_KEY", KEY)
        path = tmp_path_factory.mktemp("log") / "consent.sqlite"
        filled(f"sqlite:///{path}")
    with Registry.open(f"sqlite:///{path}") as registry, closing(sqlite3.connect(path)) as raw:
        raw.isolation_level = None
        raw.text_factory = bytes
        yield registry, raw


@settings(deadline=None)
@given(st.integers(1, len(CHANGES)), st.sampled_from(["payload", "previous", "sha256"]), st.data())
def test_one_flipped_bit_is_found_and_its_entry_named(whole, number, column, data):
    registry, raw = whole
    (before,) = raw.execute(f"SELECT {column} FROM log WHERE number = ?", [number]).fetchone()
    place, bit = data.draw(st.integers(0, len(before) - 1)), data.draw(st.integers(0, 7))
    after = before[:place] + bytes([before[place] ^ 1 << bit]) + before[place + 1 :]
    put = f"UPDATE log SET {column} = CAST(? AS TEXT) WHERE number = ?"
    try:
        raw.execute(put, [after, number])
        with pytest.raises(LogBroken, match=f"^entry {number} of the log does not fit") as caught:
            registry.verify()
    finally:
        raw.execute(put, [before, number])
    assert caught.value.exit_code == 1
    assert registry.verify().entries == len(CHANGES)


def test_a_byte_flipped_in_the_file_is_found(tmp_path):
    path = tmp_path / "consent.sqlite"
    filled(f"sqlite:///{path}")
    content = bytearray(path.read_bytes())
    content[content.index(b'"change":"opt-out"') + 12] ^= 1
    path.write_bytes(content)
    with pytest.raises(LogBroken, match="entry 3 of the log"):
        verify(f"sqlite:///{path}")


@pytest.mark.parametrize("column", ["payload", "previous", "sha256"])
@pytest.mark.parametrize("number", [1, 4, len(CHANGES)])
def test_an_altered_entry_is_found(registry_url, number, column):
    filled(registry_url)
    altered(registry_url, f"UPDATE log SET {column} = 'x' || substr({column}, 2) WHERE number = {number}")
    with pytest.raises(LogBroken, match=f"^entry {number} of the log does not fit"):
        verify(registry_url)


@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.parametrize(
    "statement", ["DELETE FROM log WHERE number = {}", "UPDATE log SET number = -1 WHERE number = {}"]
)
def test_a_missing_entry_is_found(registry_url, number, statement):
    filled(registry_url)
    altered(registry_url, statement.format(number))
    with pytest.raises(LogBroken, match=f"^entry {1 if '-1' in statement else number} of the log does not fit"):
        verify(registry_url)


def test_two_entries_swapped_are_found(registry_url):
    filled(registry_url)
    altered(
        registry_url,
        "UPDATE log SET number = 100 WHERE number = 3",
        "UPDATE log SET number = 3 WHERE number = 4",
        "UPDATE log SET number = 4 WHERE number = 100",
    )
    with pytest.raises(LogBroken, match=r"^entry 3 of the log does not fit"):
        verify(registry_url)


def test_a_missing_end_is_found_by_the_head_noted_earlier(registry_url):
    noted = verify(filled(registry_url)).head
    last = len(CHANGES)
    altered(
        registry_url,
        f"DELETE FROM log WHERE number = {last}",
        "UPDATE students SET name_token = NULL",  # all that the last change did, so that nothing else shows it
    )
    assert verify(registry_url).entries == last - 1
    with pytest.raises(LogBroken, match=f"^entry {last} of the log does not fit: it is missing"):
        verify(registry_url, noted)


def test_a_chain_made_anew_is_found_by_the_head_noted_earlier(registry_url):
    with Registry.open(registry_url) as registry:
        registry.approve("CS 101", "Dean", TODAY)
        noted = registry.verify().head
    altered(registry_url, "DELETE FROM log", "DELETE FROM approvals", "DELETE FROM courses")
    with Registry.open(registry_url) as registry:
        registry.approve("CS 101", "Somebody else", TODAY)
    assert verify(registry_url).entries == 1
    with pytest.raises(LogBroken, match="is none of the 1 entries"):
        verify(registry_url, noted)


COLUMNS = [
    (table.name, column.name)
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if table.name != "log" and not column.foreign_keys
]


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=".".join)
def test_a_record_altered_behind_the_log_is_found(tmp_path, table, column):
    url = filled(f"sqlite:///{tmp_path / 'consent.sqlite'}")
    others = {"id": "77", "days": "7", "granted": "1 - granted", "zone": "'[0, 0, 1, 1]'", "purposes": "'[]'"}
    days = {"valid_from": "'2024-01-01'", "valid_until": "'2030-01-01'"}
    moments = dict.fromkeys(("withdrawn_at", "deleted_at", "done_at", "revoked_at"), "NULL")
    moments["recorded_at"] = "'2020-01-01 00:00:00'"
    others["student"] = "7"
    other = (others | days | moments).get(column, "'else'")
    altered(url, f"UPDATE {table} SET {column} = {other} WHERE id = (SELECT max(id) FROM {table})")
    with pytest.raises(LogBroken, match=f"record {table}/") as caught:
        verify(url)
    assert "\n" not in str(caught.value)


def test_a_record_that_is_gone_or_was_never_logged_is_found(registry_url):
    filled(registry_url)
    altered(registry_url, "DELETE FROM decisions WHERE id = 3")
    with pytest.raises(LogBroken, match=r"^entry 5 of the log does not fit: its record decisions/3 is missing"):
        verify(registry_url)
    with Registry.open(registry_url) as registry:
        registry.students.decide("CS 101", "heron", [Purpose.SHOWING], True)
    altered(registry_url, "INSERT INTO courses (id, key, name, recorded_at) VALUES (9, 'art', 'Art', '2025-01-01')")
    with pytest.raises(LogBroken, match="record courses/9 stands in no entry"):
        verify(registry_url)


@pytest.mark.parametrize(
    ("table", "column"), [("seats", "zone"), ("approvals", "purposes"), ("courses", "recorded_at")]
)
def test_a_record_that_cannot_be_read_is_said(tmp_path, table, column):
    url = filled(f"sqlite:///{tmp_path / 'consent.sqlite'}")
    altered(url, f"UPDATE {table} SET {column} = '[0.1,'")
    with pytest.raises(LogBroken, match=f"'{table}' cannot be read"):
        verify(url)


# At the same time

DECIDERS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from consent.policy import Purpose
from consent.registry import Registry
url, name = sys.argv[1:]
with Registry.open(url) as registry, ThreadPoolExecutor(5) as pool:
    decide = lambda number: registry.students.decide(
        "CS 101", f"{name}-{number % 50}", [list(Purpose)[number // 50 % 4]], number % 3 > 0
    )
    list(pool.map(decide, range(250)))
"""


@pytest.mark.slow
def test_a_thousand_decisions_at_the_same_time_lose_nothing(registry_url):
    with Registry.open(registry_url) as registry:
        registry.approve("CS 101", "Dean", TODAY)
    names = ("kestrel", "heron", "wren", "dipper")
    deciders = [subprocess.Popen([sys.executable, "-c", DECIDERS, registry_url, name]) for name in names]
    assert [one.wait(timeout=120) for one in deciders] == [0] * 4
    engine = create_engine(registry_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM decisions")).scalar() == 1000
    engine.dispose()
    with Registry.open(registry_url) as registry:
        students = registry.students.on_record("CS 101")
        assert {one.pseudonym for one in students} == {f"{name}-{number}" for name in names for number in range(50)}
        assert all(len(one.decisions) == 4 for one in students)
        assert registry.verify().entries == 1001
