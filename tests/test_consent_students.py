from datetime import date

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent.errors import ConsentError, NameKeyError, RegistryError
from consent.policy import EVERY_RUN, Blur, OptOut, Purpose, Zone, cover_policy
from consent.registry import Registry

TODAY = date(2025, 3, 10)
SEAT, OTHER_SEAT = Zone(0.1, 0.2, 0.3, 0.4), Zone(0.5, 0.5, 1, 1)
COURSE = "CS 101"
ANALYSIS, SHOWING, RESEARCH = Purpose.ANALYSIS, Purpose.SHOWING, Purpose.RESEARCH


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("ENGAGE_CONSENT_KEY", Fernet.generate_key().decode())


@pytest.fixture
def registry(registry_url):
    with Registry.open(registry_url) as registry:
        registry.approve(COURSE, "Dean", TODAY)
        yield registry


def decide(registry, answer, *purposes, student="heron", **more):
    registry.students.decide(COURSE, student, purposes or (ANALYSIS,), answer, **more)


# Degenerate


def test_nobody_is_on_record(registry):
    assert registry.students.on_record(COURSE) == ()
    assert registry.students.on_record("Art") == ()
    for call in (registry.students.name, registry.students.forget_name):
        with pytest.raises(RegistryError, match="'heron' is not on record in course 'CS 101'"):
            call(COURSE, "heron")


@pytest.mark.parametrize("name", ["", "  ", "a\nb"])
def test_names_that_are_none(registry, name):
    for call in (
        lambda: registry.students.enter(COURSE, name),
        lambda: registry.students.enter(name, "heron"),
        lambda: registry.students.enter(COURSE, "heron", name),
        lambda: decide(registry, True, student=name),
    ):
        with pytest.raises(ConsentError, match=r"blank|cannot be printed"):
            call()
    assert registry.students.on_record(COURSE) == ()


def test_an_unknown_course_takes_no_students(registry):
    for call in (
        lambda: registry.students.enter("CS 110", "heron"),
        lambda: registry.students.decide("CS 110", "heron", EVERY_RUN, True),
    ):
        with pytest.raises(RegistryError, match="'CS 110' is not on record"):
            call()


def test_a_decision_about_nothing_is_none(registry):
    with pytest.raises(ConsentError, match="names no purpose"):
        registry.students.decide(COURSE, "heron", [], True)


@pytest.mark.parametrize("version", ["", "1", "abcdefg", "abcdef0", "a" * 65, "version 1"])
def test_form_versions_that_are_no_hash(registry, version):
    with pytest.raises(ConsentError, match="8 to 64 hexadecimal digits"):
        decide(registry, True, form_version=version)
    assert registry.students.on_record(COURSE) == ()


# Records


def test_students_come_back_with_seat_and_newest_decisions(registry):
    assert registry.students.enter(COURSE, " heron ", seat=SEAT)
    assert not registry.students.enter("cs  101", "heron", seat=OTHER_SEAT)
    decide(registry, True, RESEARCH, *EVERY_RUN, form_version="ABCDEF01")
    decide(registry, False, RESEARCH)
    decide(registry, True, student="wren")
    heron, wren = registry.students.on_record(COURSE)
    assert (heron.pseudonym, heron.named, heron.seat) == ("heron", False, OTHER_SEAT)
    assert [(one.purpose, one.granted, one.form_version) for one in heron.decisions] == [
        (Purpose.RECORDING, True, "abcdef01"),
        (ANALYSIS, True, "abcdef01"),
        (RESEARCH, False, None),
    ]
    assert all(one.recorded_at.tzinfo is not None for one in heron.decisions)
    assert (wren.pseudonym, wren.seat, len(wren.decisions)) == ("wren", None, 1)


def test_a_name_is_kept_replaced_and_forgotten(registry):
    registry.students.enter(COURSE, "heron")
    assert registry.students.name(COURSE, "heron") is None
    registry.students.enter(COURSE, "heron", "Ada Byron")
    registry.students.enter(COURSE, "heron", " Ada Lovelace ")
    assert registry.students.name(COURSE, "heron") == "Ada Lovelace"
    assert registry.students.on_record(COURSE)[0].named
    assert registry.students.forget_name(COURSE, "heron")
    assert not registry.students.forget_name(COURSE, "heron")
    assert registry.students.name(COURSE, "heron") is None


def test_another_key_neither_reads_nor_adds_names(registry, monkeypatch):
    registry.students.enter(COURSE, "heron", "Ada Byron")
    monkeypatch.setenv("ENGAGE_CONSENT_KEY", Fernet.generate_key().decode())
    for call in (
        lambda: registry.students.name(COURSE, "heron"),
        lambda: registry.students.enter(COURSE, "wren", "Bo"),
    ):
        with pytest.raises(NameKeyError, match="not the one the names on record were encrypted with"):
            call()
    monkeypatch.delenv("ENGAGE_CONSENT_KEY")
    with pytest.raises(NameKeyError, match="holds no key"):
        registry.students.enter(COURSE, "wren", "Bo")
    registry.students.enter(COURSE, "dipper", seat=SEAT)  # without a name no key is needed
    assert [one.pseudonym for one in registry.students.on_record(COURSE)] == ["heron", "dipper"]


# What a no means


def test_a_no_without_a_seat_covers_everybody(registry):
    decide(registry, False)
    assert registry.opt_outs(COURSE) == (OptOut("heron"),)
    assert cover_policy(Blur.OPTED_OUT, registry.opt_outs(COURSE)).everyone


def test_a_no_with_a_seat_covers_the_seat(registry):
    decide(registry, False)
    registry.students.enter(COURSE, "heron", seat=SEAT)
    assert registry.opt_outs(COURSE) == (OptOut("heron", SEAT),)
    assert registry.opt_outs(None) == (OptOut("heron"),)
    assert registry.opt_outs("Art") == ()


@pytest.mark.parametrize("purpose", Purpose)
def test_a_no_counts_where_its_purpose_is_asked_for(registry, purpose):
    decide(registry, False, purpose)
    assert bool(registry.opt_outs(COURSE)) == (purpose in EVERY_RUN)
    assert registry.opt_outs(COURSE, [purpose]) == (OptOut("heron"),)
    assert registry.opt_outs(COURSE, [one for one in Purpose if one is not purpose]) == ()


def test_an_opt_out_and_a_no_are_one_student_and_each_is_taken_back_by_itself(registry):
    registry.opt_out(COURSE, "heron")
    decide(registry, False)
    decide(registry, True)
    assert registry.opt_outs(COURSE) == (OptOut("heron"),)  # a yes to a form does not undo the opt-out
    decide(registry, False)
    assert registry.opt_in(COURSE, "heron")
    assert registry.opt_outs(COURSE) == (OptOut("heron"),)
    decide(registry, True)
    assert registry.opt_outs(COURSE) == ()


def test_taking_back_an_opt_out_that_is_a_decision_says_how(registry):
    decide(registry, False)
    with pytest.raises(RegistryError, match="engage consent decide 'CS 101' heron yes --purpose"):
        registry.opt_in(COURSE, "heron")


def test_the_place_recorded_last_counts(registry):
    registry.students.enter(COURSE, "heron", seat=SEAT)
    registry.opt_out(COURSE, "heron")
    assert registry.opt_outs(COURSE) == (OptOut("heron", SEAT),)
    registry.opt_out(COURSE, "heron", OTHER_SEAT)
    assert registry.opt_outs(COURSE) == (OptOut("heron", OTHER_SEAT),)
    registry.students.enter(COURSE, "heron", seat=SEAT)
    assert registry.opt_outs(COURSE) == (OptOut("heron", SEAT),)


answers = st.tuples(st.sampled_from(["heron", "wren"]), st.sampled_from(Purpose), st.booleans())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(answers, max_size=8))
def test_whoever_said_no_last_is_out_and_nobody_else(tmp_path, said):
    with Registry.open("sqlite://") as registry:
        registry.approve(COURSE, "Dean", TODAY)
        for student, purpose, answer in said:
            registry.students.decide(COURSE, student, [purpose], answer)
        newest = {(student, purpose): answer for student, purpose, answer in said}
        out = {student for (student, purpose), answer in newest.items() if purpose in EVERY_RUN and not answer}
        assert {one.student for one in registry.opt_outs(COURSE)} == out
        assert registry.verify().entries == len(said) + 1
