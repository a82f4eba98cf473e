"""Withdrawals on record: unknown names first, then beginning, taking up again, ending."""

from __future__ import annotations

from datetime import date

import pytest

from consent.errors import ConsentError, RegistryError
from consent.policy import EVERY_RUN, Blur, Purpose, Zone, cover_policy
from consent.registry import Registry
from consent.withdrawals import Withdrawal

SEAT = Zone(0.1, 0.2, 0.3, 0.4)
OTHER = Zone(0.5, 0.2, 0.7, 0.4)


@pytest.fixture
def registry(registry_url):
    with Registry.open(registry_url) as opened:
        opened.approve("CS 101", "Dean", date(2026, 1, 1))
        yield opened


# Degenerate


def test_nobody_withdrew(registry):
    assert registry.withdrawals.of_course(None) == registry.withdrawals.of_course("CS 101") == ()


@pytest.mark.parametrize(
    ("course", "student", "words"),
    [
        ("CS 102", "wren", "did you mean 'CS 101'"),
        ("CS 101", "wren", "'wren' is not on record"),
        ("CS 101", " ", "blank"),
        ("", "wren", "blank"),
    ],
)
def test_who_is_not_known_cannot_withdraw(registry, course, student, words):
    before = registry.verify()
    with pytest.raises(ConsentError, match=words) as caught:
        registry.withdrawals.begin(course, student)
    assert "\n" not in str(caught.value)
    assert registry.verify() == before


def test_what_was_never_begun_cannot_end(registry):
    with pytest.raises(RegistryError):
        registry.withdrawals.end(Withdrawal("withdrawal-7", "CS 101", "wren", None, False))


# What works


def test_from_the_moment_it_begins_the_student_has_said_no_to_everything(registry):
    registry.students.enter("CS 101", "wren", seat=SEAT)
    registry.students.decide("CS 101", "wren", list(Purpose), True)
    entries = registry.verify().entries
    withdrawal = registry.withdrawals.begin("cs  101", " wren ")
    assert withdrawal == Withdrawal("withdrawal-1", "CS 101", "wren", SEAT, False)
    assert registry.verify().entries == entries + 1, "one transaction"
    (student,) = registry.students.on_record("CS 101")
    assert {one.purpose: one.granted for one in student.decisions} == dict.fromkeys(Purpose, False)
    for purpose in Purpose:
        policy = cover_policy(Blur.OPTED_OUT, registry.opt_outs("CS 101", [purpose]))
        assert policy.zones == (SEAT,)


def test_begun_twice_it_is_one(registry):
    registry.students.enter("CS 101", "wren", seat=SEAT)
    first = registry.withdrawals.begin("CS 101", "wren")
    head = registry.verify()
    assert registry.withdrawals.begin("CS 101", "wren") == first
    assert registry.verify() == head


def test_it_ends_once_and_can_be_taken_up_again(registry):
    registry.students.enter("CS 101", "wren")
    withdrawal = registry.withdrawals.begin("CS 101", "wren")
    assert registry.withdrawals.end(withdrawal)
    assert not registry.withdrawals.end(withdrawal)
    again = registry.withdrawals.begin("CS 101", "wren")
    assert (again.id, again.done) == ("withdrawal-1", True)
    assert registry.withdrawals.of_course("CS 101") == (again,)
    registry.verify()


def test_after_another_yes_it_is_a_new_one(registry):
    registry.students.enter("CS 101", "wren")
    registry.withdrawals.end(registry.withdrawals.begin("CS 101", "wren"))
    registry.students.decide("CS 101", "wren", EVERY_RUN, True)
    second = registry.withdrawals.begin("CS 101", "wren")
    assert (second.id, second.done) == ("withdrawal-2", False)
    assert len(registry.opt_outs("CS 101")) == 1


@pytest.mark.parametrize("taken_back", [False, True])
def test_who_is_known_only_from_an_opt_out(registry, taken_back):
    registry.opt_out("CS 101", "wren", SEAT)
    if taken_back:
        registry.opt_in("CS 101", "wren")
    withdrawal = registry.withdrawals.begin("CS 101", "wren")
    assert withdrawal.zone == SEAT
    assert [one.pseudonym for one in registry.students.on_record("CS 101")] == ["wren"]
    assert [one.student for one in registry.opt_outs("CS 101")] == ["wren"]
    registry.verify()


@pytest.mark.parametrize("seat_last", [False, True])
def test_the_place_recorded_last_counts(registry, seat_last):
    steps = [
        lambda: registry.opt_out("CS 101", "wren", OTHER),
        lambda: registry.students.enter("CS 101", "wren", seat=SEAT),
    ]
    for step in steps if seat_last else reversed(steps):
        step()
    withdrawal = registry.withdrawals.begin("CS 101", "wren")
    assert withdrawal.zone == (SEAT if seat_last else OTHER)
    assert withdrawal.zone == registry.opt_outs("CS 101")[0].zone


def test_a_student_of_another_course_is_another(registry):
    registry.approve("Art", "Dean", date(2026, 1, 1))
    registry.students.enter("CS 101", "wren", seat=SEAT)
    registry.students.enter("Art", "wren", seat=OTHER)
    registry.withdrawals.begin("Art", "wren")
    assert registry.opt_outs("CS 101") == ()
    assert registry.withdrawals.of_course("CS 101") == ()
    assert [one.student for one in registry.withdrawals.of_course(None)] == ["wren"]


# Planned


@pytest.mark.parametrize(("course", "student"), [("CS 102", "wren"), ("CS 101", "wren"), ("CS 101", " "), ("", "wren")])
def test_what_cannot_begin_cannot_be_planned(registry, course, student):
    with pytest.raises(ConsentError) as planned:
        registry.withdrawals.planned(course, student)
    with pytest.raises(ConsentError) as begun:
        registry.withdrawals.begin(course, student)
    assert str(planned.value) == str(begun.value)


@pytest.mark.parametrize(
    "before",
    [
        lambda registry: registry.students.enter("CS 101", "wren"),
        lambda registry: registry.students.enter("CS 101", "wren", seat=SEAT),
        lambda registry: registry.opt_out("CS 101", "wren"),
        lambda registry: registry.opt_out("CS 101", "wren", OTHER),
        lambda registry: (registry.opt_out("CS 101", "wren", OTHER), registry.opt_in("CS 101", "wren")),
        lambda registry: (
            registry.opt_out("CS 101", "wren", OTHER),
            registry.students.enter("CS 101", "wren", None, SEAT),
        ),
    ],
)
def test_what_is_planned_is_what_begins_and_records_nothing(registry, before):
    before(registry)
    head = registry.verify()
    planned = registry.withdrawals.planned("cs 101", "wren")
    assert registry.verify() == head
    begun = registry.withdrawals.begin("CS 101", "wren")
    assert planned.id == ""
    assert (planned.course, planned.student, planned.zone, planned.done) == (
        begun.course,
        begun.student,
        begun.zone,
        begun.done,
    )
    assert registry.withdrawals.planned("CS 101", "wren") == begun
    registry.withdrawals.end(begun)
    assert registry.withdrawals.planned("CS 101", "wren").id == begun.id  # a session may turn up later
    registry.students.decide("CS 101", "wren", EVERY_RUN, True)
    assert registry.withdrawals.planned("CS 101", "wren").id == ""  # it would be a new one
