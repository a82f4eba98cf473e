import hashlib
import sqlite3
import subprocess
import sys
from datetime import date, timedelta

import platformdirs
import pytest
from sqlalchemy import create_engine, text

from consent.errors import ConsentError, RegistryError
from consent.policy import OptOut, Purpose, Zone
from consent.registry import Registry

TODAY = date(2025, 3, 10)
SEAT = Zone(0.1, 0.2, 0.3, 0.4)


@pytest.fixture
def url(registry_url):
    return registry_url


@pytest.fixture
def registry(url):
    with Registry.open(url) as registry:
        yield registry


@pytest.fixture
def course(registry):
    registry.approve("CS 101", "Dean", TODAY)
    return registry


# Degenerate


def test_an_empty_registry_holds_nothing_and_complains_about_nothing(registry):
    assert registry.courses() == ()
    assert registry.approvals() == ()
    assert registry.approvals("CS 101") == ()
    assert registry.opt_outs("CS 101") == ()
    assert registry.opt_outs(None) == ()


@pytest.mark.parametrize("name", ["", "   ", "CS\n101", "CS\x00", "\udcff"])
def test_names_that_are_none(course, name):
    for call in (
        lambda: course.approve(name, "Dean", TODAY),
        lambda: course.approve("CS 101", name, TODAY),
        lambda: course.opt_out(name, "kestrel"),
        lambda: course.opt_out("CS 101", name),
        lambda: course.opt_in("CS 101", name),
    ):
        with pytest.raises(ConsentError, match=r"blank|cannot be printed"):
            call()
    assert course.courses() == ("CS 101",)
    assert course.opt_outs(None) == ()


def test_an_approval_that_ends_before_it_begins(registry):
    with pytest.raises(ConsentError, match="end on 2025-03-09, before it begins on 2025-03-10") as caught:
        registry.approve("CS 101", "Dean", TODAY, TODAY - timedelta(days=1))
    assert caught.value.exit_code == 2
    assert registry.courses() == ()


def test_an_approval_of_zero_days_is_one_day(registry):
    registry.approve("CS 101", "Dean", TODAY, TODAY)
    (one,) = registry.approvals("CS 101")
    assert one.valid_on(TODAY)
    assert not one.valid_on(TODAY + timedelta(days=1))


@pytest.mark.parametrize("evidence", ["missing.pdf", "."])
def test_evidence_that_cannot_be_read_records_nothing(registry, tmp_path, evidence):
    with pytest.raises(ConsentError, match=r"evidence .* cannot be read"):
        registry.approve("CS 101", "Dean", TODAY, evidence=tmp_path / evidence)
    assert registry.approvals() == ()


def test_an_unknown_course_takes_no_decisions(course):
    for call in (course.opt_out, course.opt_in):
        with pytest.raises(RegistryError, match="'CS 110' is not on record; did you mean 'CS 101'"):
            call("CS 110", "kestrel")
    assert course.courses() == ("CS 101",)


def test_taking_back_what_was_never_said(course):
    with pytest.raises(RegistryError, match="'kestrel' never opted out of course 'CS 101'"):
        course.opt_in("CS 101", "kestrel")


def test_a_student_is_not_named_like_a_zone_and_a_zone_needs_a_name(course):
    for call in (
        lambda: course.opt_out("CS 101", "zone back"),
        lambda: course.opt_in("CS 101", " zone back"),
        lambda: course.students.enter("CS 101", "zone back"),
        lambda: course.students.decide("CS 101", "zone back", [Purpose.ANALYSIS], False),
    ):
        with pytest.raises(ConsentError, match="is named like a zone"):
            call()
    for name in ("", "  ", "a\nb"):
        with pytest.raises(ConsentError):
            course.close_zone("CS 101", name, SEAT)
    with pytest.raises(RegistryError, match="zone back was never recorded for course 'CS 101'"):
        course.open_zone("CS 101", "back")
    assert course.opt_outs(None) == ()


# What a record means


def test_a_polygon_and_a_rectangle_come_back_as_they_were(course):
    polygon = Zone(0.1, 0.1, 0.9, 0.1, 0.5, 0.9)
    course.opt_out("CS 101", "kestrel", polygon)
    assert not course.opt_out("CS 101", "kestrel", polygon)
    course.opt_out("CS 101", "heron", SEAT)
    course.students.enter("CS 101", "wren", seat=polygon)
    assert course.opt_outs("CS 101") == (OptOut("kestrel", polygon), OptOut("heron", SEAT))
    assert course.students.on_record("CS 101")[0].seat == polygon


def test_zones_where_nobody_takes_part_come_and_go(course):
    assert course.close_zone("CS 101", " back ", SEAT)
    assert not course.close_zone("cs 101", "back", SEAT)
    assert course.close_zone("CS 101", "back", Zone(0, 0, 1, 0.2))
    assert course.opt_outs("CS 101") == (OptOut("zone back", Zone(0, 0, 1, 0.2)),)
    assert course.opt_outs("CS 101")[0].is_zone
    assert course.open_zone("CS 101", "back")
    assert not course.open_zone("CS 101", "back")
    assert course.opt_outs("CS 101") == ()
    course.verify()


def test_the_same_no_twice_is_one(course):
    for zone in (None, SEAT):
        assert course.opt_out("CS 101", "kestrel", zone)
        assert not course.opt_out(" cs  101", "kestrel", zone)
        assert course.opt_outs("CS 101") == (OptOut("kestrel", zone),)


def test_a_new_seat_replaces_the_old_and_an_unknown_one_too(course):
    for zone in (SEAT, Zone(0.5, 0.5, 1, 1), None, SEAT):
        course.opt_out("CS 101", "kestrel", zone)
        assert course.opt_outs("CS 101") == (OptOut("kestrel", zone),)


def test_a_no_can_be_taken_back_and_said_again(course, url):
    course.opt_out("CS 101", "kestrel")
    course.opt_out("CS 101", "kestrel", SEAT)
    course.opt_out("CS 101", "heron")
    assert course.opt_in("CS 101", "kestrel")
    assert course.opt_outs("CS 101") == (OptOut("heron"),)
    assert not course.opt_in("CS 101", "kestrel")
    assert course.opt_out("CS 101", "kestrel", SEAT)
    assert set(course.opt_outs("CS 101")) == {OptOut("heron"), OptOut("kestrel", SEAT)}
    engine = create_engine(url)
    with engine.connect() as raw:  # nothing was forgotten
        rows = raw.execute(text("SELECT withdrawn_at IS NOT NULL FROM opt_outs ORDER BY id")).scalars().all()
    engine.dispose()
    assert list(map(bool, rows)) == [True, True, False, False]


def test_courses_do_not_see_each_other_but_a_lecture_of_unknown_course_sees_all(course):
    course.approve("Art", "Dean", TODAY)
    course.opt_out("CS 101", "kestrel", SEAT)
    course.opt_out("Art", "kestrel", SEAT)
    course.opt_out("Art", "heron")
    assert course.opt_outs("CS 101") == (OptOut("kestrel", SEAT),)
    assert course.opt_outs("Biology") == ()
    assert course.opt_outs(None) == (OptOut("heron"), OptOut("kestrel"))


def test_approvals_come_back_in_order_with_their_evidence(registry, tmp_path, url):
    form = tmp_path / "form.pdf"
    form.write_bytes(b"signed")
    first = registry.approve("CS 101", "Dean", TODAY, date(2025, 7, 1), form)
    second = registry.approve("cs 101", " Prof. Ada ", TODAY)
    with Registry.open(url) as again:
        assert again.approvals("CS 101") == (first, second)
    assert first.evidence_name == "form.pdf"
    assert first.evidence_sha256 == hashlib.sha256(b"signed").hexdigest()
    assert (second.course, second.approved_by, second.evidence_name) == ("CS 101", "Prof. Ada", None)
    assert first.id != second.id


# Opening


def test_the_default_place_is_the_users_data_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / "data" / name)
    monkeypatch.setenv("ENGAGE_DATABASE_URL", "")
    with Registry.open() as registry:
        registry.approve("CS 101", "Dean", TODAY)
        assert registry.location == str(tmp_path / "data" / "engage" / "consent.sqlite")
    assert (tmp_path / "data" / "engage" / "consent.sqlite").is_file()


def test_the_environment_names_the_database(url, monkeypatch):
    monkeypatch.setenv("ENGAGE_DATABASE_URL", url)
    with Registry.open() as registry:
        registry.approve("CS 101", "Dean", TODAY)
    with Registry.open(url) as registry:
        assert registry.courses() == ("CS 101",)


@pytest.mark.parametrize(
    ("bad_url", "words"),
    [
        ("hunter2", "not a database URL"),
        ("postgresql://user:hunter2@host:port/name", "not a database URL"),
        ("klingon://user:hunter2@host/name", "'klingon' is not a kind of database"),
        ("sqlite:////no/such/folder/consent.sqlite", "no folder '/no/such/folder'"),
        (
            "postgresql://user:hunter2@127.0.0.1:1/name?password=hunter2",
            "cannot be used|needs the database driver psycopg",
        ),
    ],
)
def test_urls_that_lead_nowhere_are_one_sentence_without_the_password(bad_url, words):
    with pytest.raises(RegistryError, match=words) as caught:
        Registry.open(bad_url)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_damaged_file_is_said_and_left_alone(tmp_path, content):
    path = tmp_path / "consent.sqlite"
    path.write_bytes(content)
    with pytest.raises(RegistryError, match="cannot be used"):
        Registry.open(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_said_and_left_alone(tmp_path):
    path = tmp_path / "library.sqlite"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE courses (title TEXT)")
    with pytest.raises(RegistryError, match="no such column"):
        Registry.open(f"sqlite:///{path}")
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("courses",)]


# At the same time

WRITER = """
import sys
from datetime import date
from consent.registry import Registry
url, name = sys.argv[1:]
for number in range(25):
    with Registry.open(url) as registry:
        registry.approve(f"Course {number}", name, date(2025, 3, 10))
        registry.opt_out(f"Course {number}", f"{name}-{number}")
"""


def test_a_writer_that_never_ends_is_not_waited_for_forever(registry_url, monkeypatch):
    monkeypatch.setattr("consent.database.BUSY_TIMEOUT_S", 1)
    with Registry.open(registry_url) as registry, Registry.open(registry_url) as other:
        with (
            other._database.transaction(write=True),
            pytest.raises(RegistryError, match=r"cannot be used \(.*lock") as caught,
        ):
            registry.approve("CS 101", "Dean", TODAY)
        assert "\n" not in str(caught.value)
        registry.approve("CS 101", "Dean", TODAY)
        assert len(registry.approvals()) == registry.verify().entries == 1


def test_two_processes_at_the_same_time_lose_nothing(url):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, url, name]) for name in ("kestrel", "heron")]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    with Registry.open(url) as registry:
        assert len(registry.courses()) == 25
        assert len({one.id for one in registry.approvals()}) == 50
        for number in range(25):
            students = {one.student for one in registry.opt_outs(f"Course {number}")}
            assert students == {f"kestrel-{number}", f"heron-{number}"}


def test_a_record_that_was_damaged_in_the_file_is_one_sentence(tmp_path):
    url = f"sqlite:///{tmp_path / 'consent.sqlite'}"
    with Registry.open(url) as registry:
        registry.approve("CS 101", "Dean", date(2025, 1, 1))
    with sqlite3.connect(tmp_path / "consent.sqlite") as raw:
        raw.execute("UPDATE approvals SET valid_from = '2025-01-99'")
    with Registry.open(url) as registry, pytest.raises(RegistryError, match=r"cannot be read.*restore a copy"):
        registry.approvals()
