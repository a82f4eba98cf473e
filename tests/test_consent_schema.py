"""Databases of the first version, as its code made them, are upgraded without loss."""

from contextlib import closing
from datetime import date

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

from consent.errors import RegistryError
from consent.policy import EVERY_RUN, OptOut, Zone
from consent.registry import Registry
from consent.schema import MIGRATIONS, SCHEMA, STEPS
from consent.tables import Base

OLD_TABLES = """
CREATE TABLE courses (
    id INTEGER NOT NULL, "key" VARCHAR NOT NULL, name VARCHAR NOT NULL, recorded_at DATETIME NOT NULL,
    PRIMARY KEY (id), UNIQUE ("key")
);
CREATE TABLE approvals (
    id INTEGER NOT NULL, course_id INTEGER NOT NULL, approved_by VARCHAR NOT NULL, valid_from DATE NOT NULL,
    valid_until DATE, evidence_name VARCHAR, evidence_sha256 VARCHAR(64), recorded_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT ends_after_start CHECK (valid_until IS NULL OR valid_until >= valid_from),
    FOREIGN KEY(course_id) REFERENCES courses (id)
);
CREATE INDEX ix_approvals_course_id ON approvals (course_id);
CREATE TABLE opt_outs (
    id INTEGER NOT NULL, course_id INTEGER NOT NULL, student VARCHAR NOT NULL, zone JSON,
    recorded_at DATETIME NOT NULL, withdrawn_at DATETIME,
    PRIMARY KEY (id), FOREIGN KEY(course_id) REFERENCES courses (id)
);
CREATE INDEX ix_opt_outs_course_id ON opt_outs (course_id);
"""
OLD_ROWS = """
INSERT INTO courses ("key", name, recorded_at) VALUES ('cs 101', 'CS 101', '2025-03-10 12:00:00.123456');
INSERT INTO approvals (course_id, approved_by, valid_from, valid_until, evidence_name, evidence_sha256, recorded_at)
    VALUES (1, 'Dean', '2025-03-10', '2025-07-01', 'form.pdf', 'ab12', '2025-03-10 12:00:00.123456');
INSERT INTO opt_outs (course_id, student, zone, recorded_at, withdrawn_at)
    VALUES (1, 'kestrel', NULL, '2025-03-11 08:00:00.000000', '2025-03-12 08:00:00.000001');
INSERT INTO opt_outs (course_id, student, zone, recorded_at, withdrawn_at)
    VALUES (1, 'heron', '[0.1, 0.2, 0.3, 0.4]', '2025-03-11 08:00:00.000000', NULL);
"""


def make_old(url, *scripts):
    """A database with the tables of the first version."""
    engine = create_engine(url)
    postgresql = make_url(url).get_backend_name() == "postgresql"
    with engine.begin() as connection:
        for statement in "".join(scripts).split(";")[:-1]:
            if postgresql:  # what SQLAlchemy writes there for the same tables
                statement = statement.replace(" id INTEGER", " id SERIAL").replace("DATETIME", "TIMESTAMPTZ")
            connection.execute(text(statement))
    engine.dispose()


def tables_of(url):
    engine = create_engine(url)
    with engine.connect() as connection:
        found = set(inspect(connection).get_table_names())
    engine.dispose()
    return found


def test_the_steps_lead_to_the_version_named_in_the_code():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [SCHEMA]
    assert [one.revision for one in script.walk_revisions()] == [*reversed(STEPS)]
    assert list(script.walk_revisions())[-1].down_revision is None


@pytest.mark.parametrize("scripts", [(), (OLD_TABLES,), (OLD_TABLES, OLD_ROWS)], ids=["new", "empty", "filled"])
def test_the_steps_make_the_tables_that_the_code_describes(registry_url, scripts):
    make_old(registry_url, *scripts)
    Registry.open(registry_url).close()
    engine = create_engine(registry_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_a_new_database_and_an_old_empty_one_begin_with_an_empty_log(registry_url):
    make_old(registry_url, OLD_TABLES)
    with Registry.open(registry_url) as registry:
        assert registry.verify().entries == 0
        assert registry.courses() == ()


def test_an_old_database_keeps_what_it_holds(registry_url):
    make_old(registry_url, OLD_TABLES, OLD_ROWS)
    for _ in range(2):  # upgraded, then only opened
        with Registry.open(registry_url) as registry:
            (approval,) = registry.approvals("cs 101")
            assert (approval.id, approval.course, approval.approved_by) == ("approval-1", "CS 101", "Dean")
            assert (approval.valid_from, approval.valid_until) == (date(2025, 3, 10), date(2025, 7, 1))
            assert (approval.evidence_name, approval.evidence_sha256) == ("form.pdf", "ab12")
            assert approval.purposes == EVERY_RUN
            assert registry.opt_outs("CS 101") == (OptOut("heron", Zone(0.1, 0.2, 0.3, 0.4)),)
            assert not registry.opt_in("CS 101", "kestrel")  # taken back long ago
            assert registry.verify().entries == 1  # the upgrade
    with Registry.open(registry_url) as registry:
        assert registry.opt_in("CS 101", "heron")
        registry.approve("CS 101", "Dean", date(2025, 8, 1))
        assert registry.verify().entries == 3


def test_an_upgrade_that_fails_leaves_the_old_database(registry_url, monkeypatch):
    make_old(registry_url, OLD_TABLES, OLD_ROWS)
    monkeypatch.setattr("consent.log._digest", lambda *_: 1 / 0)  # the last step of it
    with pytest.raises(ZeroDivisionError):
        Registry.open(registry_url)
    assert tables_of(registry_url) == {"courses", "approvals", "opt_outs"}
    monkeypatch.undo()
    with Registry.open(registry_url) as registry:
        assert registry.verify().entries == 1


def set_version(url: str, version: str) -> None:
    engine = create_engine(url)
    with closing(engine.connect()) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
        connection.commit()
    engine.dispose()


@pytest.mark.parametrize("version", ["", "00 4", "0000", "4", "head", "x" * 32])
def test_a_version_that_is_none_is_refused_and_left_alone(registry_url, version):
    Registry.open(registry_url).close()
    before = tables_of(registry_url)
    set_version(registry_url, version)
    with pytest.raises(RegistryError, match=r"version of the .* cannot be read .*; restore a copy") as caught:
        Registry.open(registry_url)
    assert "\n" not in str(caught.value)
    assert tables_of(registry_url) == before


def test_a_database_of_a_newer_version_is_refused_and_left_alone(registry_url):
    Registry.open(registry_url).close()
    set_version(registry_url, "9999")
    with pytest.raises(RegistryError, match=r"newer version.*update this software") as caught:
        Registry.open(registry_url)
    assert "\n" not in str(caught.value)
