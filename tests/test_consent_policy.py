from dataclasses import FrozenInstanceError
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import ConsentError
from consent.policy import (
    EVERY_RUN,
    ZONE_PREFIX,
    Approval,
    Blur,
    CoverPolicy,
    NotPermitted,
    OptOut,
    Purpose,
    Zone,
    check_same_course,
    course_key,
    cover_policy,
    permit,
    purposes_of_run,
)

TODAY = date(2025, 3, 10)
DAY = timedelta(days=1)

shares = st.floats(0, 1, allow_nan=False)
points = st.tuples(st.floats(-0.2, 1.2) | st.just(float("nan")), st.floats(-0.2, 1.2))
days = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@st.composite
def zones(draw):
    x1, x2 = sorted(draw(st.tuples(shares, shares).filter(lambda pair: pair[0] != pair[1])))
    y1, y2 = sorted(draw(st.tuples(shares, shares).filter(lambda pair: pair[0] != pair[1])))
    return Zone(x1, y1, x2, y2)


@st.composite
def triangles(draw):
    """Polygons in hundredths, so that none is without area by rounding."""
    number = st.integers(0, 100)
    (ax, ay), (bx, by), (cx, cy) = draw(
        st.tuples(*[st.tuples(number, number)] * 3).filter(
            lambda p: (p[1][0] - p[0][0]) * (p[2][1] - p[0][1]) != (p[1][1] - p[0][1]) * (p[2][0] - p[0][0])
        )
    )
    return Zone(ax / 100, ay / 100, bx / 100, by / 100, cx / 100, cy / 100)


places = zones() | triangles()
students = st.builds(OptOut, st.text("abc", min_size=1), st.none() | places)
opt_outs = students | st.builds(OptOut, st.text("abc", min_size=1).map(lambda name: f"{ZONE_PREFIX}{name}"), places)


@st.composite
def approvals(draw, course="CS 101", endless=True):
    lengths = st.integers(0, 400)
    begin, length = draw(days), draw(st.none() | lengths if endless else lengths)
    return Approval("approval-1", course, "Dean", begin, None if length is None else begin + length * DAY)


def approval(begin=TODAY, end=None, course="CS 101", name="approval-1"):
    return Approval(name, course, "Dean", begin, end)


# Degenerate


@pytest.mark.parametrize(
    ("corners", "words"),
    [
        ((0.2, 0.2, 0.2, 0.8), "no area"),
        ((0.2, 0.8, 0.4, 0.8), "no area"),
        ((0.8, 0.2, 0.2, 0.4), "no area"),  # corners swapped
        ((-0.1, 0, 1, 1), "between 0 and 1"),
        ((0, 0, 1, 1.01), "between 0 and 1"),
        ((0, 0, 1280, 720), "between 0 and 1"),  # pixels
        ((0, 0, float("nan"), 1), "between 0 and 1"),
    ],
)
def test_zones_that_are_none(corners, words):
    with pytest.raises(ConsentError, match=words) as caught:
        Zone(*corners)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "0.1", "0.1,0.2,0.3", "0.1,0.2,0.3,0.4,0.5", "a,b,c,d", "0.1;0.2;0.3;0.4"])
def test_text_that_is_no_zone(text):
    with pytest.raises(ConsentError, match="four numbers"):
        Zone.parse(text)


@pytest.mark.parametrize(
    ("course", "approved_by", "words"),
    [
        (None, None, "no course and no approval"),
        ("", None, "no course and no approval"),
        ("  ", None, "no course and no approval"),
        ("CS 101", "", "blank"),
        ("CS 101", " \t", "blank"),
        ("CS 101", None, "no faculty approval on record.*engage consent approve 'CS 101'"),
    ],
)
def test_nothing_given_and_nothing_on_record_is_not_permitted(course, approved_by, words):
    with pytest.raises(NotPermitted, match=words) as caught:
        permit([], course, approved_by, TODAY)
    assert caught.value.exit_code == 3


def test_a_blank_approval_is_refused_even_when_one_is_on_record():
    with pytest.raises(NotPermitted, match="blank"):
        permit([approval()], "CS 101", "", TODAY)


def test_nobody_opted_out():
    for blur in (Blur.OPTED_OUT, Blur.NOBODY):
        policy = cover_policy(blur, [])
        assert not policy.covers(0.5, 0.5)
        assert not policy.covers(float("nan"), 0.5)
    assert cover_policy(Blur.EVERYONE, []).covers(0.5, 0.5)


def test_decisions_cannot_be_changed_afterwards():
    with pytest.raises(FrozenInstanceError):
        CoverPolicy(True, (), "").everyone = False


# Approvals


@pytest.mark.parametrize(("offset", "permitted"), [(-1, False), (0, True), (1, False)])
def test_an_approval_of_one_day_holds_that_day_only(offset, permitted):
    one = approval(TODAY, TODAY)
    day = TODAY + offset * DAY
    if permitted:
        assert permit([one], "CS 101", None, day) is one
    else:
        with pytest.raises(NotPermitted):
            permit([one], "CS 101", None, day)


def test_an_expired_approval_says_when_and_what_to_do():
    with pytest.raises(NotPermitted, match=r"expired on 2025-03-09.*engage consent approve") as caught:
        permit([approval(TODAY - 30 * DAY, TODAY - DAY)], "CS 101", None, TODAY)
    assert "\n" not in str(caught.value)


def test_an_approval_still_to_come_says_when():
    old, new = approval(TODAY - 30 * DAY, TODAY - DAY), approval(TODAY + 5 * DAY)
    with pytest.raises(NotPermitted, match="begins only on 2025-03-15"):
        permit([old, new], "CS 101", None, TODAY)


def test_the_newest_valid_approval_is_the_one():
    first, second = approval(name="approval-1"), approval(name="approval-2")
    future = approval(TODAY + DAY, name="approval-3")
    assert permit([first, second, future], "CS 101", None, TODAY) is second


def test_a_given_approval_serves_that_run():
    one = permit([], None, "  Prof. Ada ", TODAY)
    assert (one.id, one.approved_by, one.course) == ("given: Prof. Ada", "Prof. Ada", None)
    assert one.valid_on(TODAY)
    assert not one.valid_on(TODAY + DAY)


def test_the_course_is_found_whatever_its_capitals_and_spaces():
    one = approval()
    assert permit([one], " cs  101 ", None, TODAY) is one
    with pytest.raises(NotPermitted):
        permit([one], "CS 102", None, TODAY)


@given(st.text())
def test_course_keys_are_stable(name):
    assert course_key(f"  {course_key(name)} ") == course_key(name)


@given(st.lists(approvals()), days)
def test_permitted_exactly_when_some_approval_is_valid(records, day):
    try:
        permitted = permit(records, "CS 101", None, day)
    except NotPermitted:
        assert not any(one.valid_on(day) for one in records)
    else:
        assert permitted in records
        assert permitted.valid_from <= day
        assert permitted.valid_until is None or day <= permitted.valid_until


@given(st.lists(approvals(endless=False), min_size=1), st.integers(1, 1000))
def test_expired_approvals_never_permit(records, late):
    with pytest.raises(NotPermitted, match="expired on"):
        permit(records, "CS 101", None, max(one.valid_until for one in records) + late * DAY)


@given(st.lists(approvals(course="Art"), min_size=1), days)
def test_approvals_of_another_course_never_permit(records, day):
    with pytest.raises(NotPermitted, match="no faculty approval"):
        permit(records, "CS 101", None, day)


# Purposes

subsets = st.sets(st.sampled_from(Purpose)).map(tuple)


def granting(*purposes, name="approval-1"):
    return Approval(name, "CS 101", "Dean", TODAY, None, purposes=purposes)


@pytest.mark.parametrize("named", [(), EVERY_RUN, (Purpose.ANALYSIS,)])
def test_a_run_always_analyses_a_recording(named):
    assert purposes_of_run(named, Blur.OPTED_OUT) == EVERY_RUN


def test_covering_nobody_is_showing():
    assert purposes_of_run((), Blur.NOBODY) == (*EVERY_RUN, Purpose.SHOWING)
    assert purposes_of_run([Purpose.RESEARCH], Blur.EVERYONE) == (*EVERY_RUN, Purpose.RESEARCH)


def test_a_purpose_not_granted_is_named_with_the_remedy():
    with pytest.raises(
        NotPermitted, match=r"'CS 101' grants recording, analysis, but not showing.*--blur nobody"
    ) as no:
        permit([approval()], "CS 101", None, TODAY, purposes_of_run((), Blur.NOBODY))
    assert str(no.value).endswith(
        "engage consent approve 'CS 101' --by NAME --purpose recording --purpose analysis --purpose showing"
    )
    assert no.value.exit_code == 3
    with pytest.raises(NotPermitted, match="but not recording or analysis;"):
        permit([granting(Purpose.RESEARCH)], "CS 101", None, TODAY)


def test_a_newer_approval_can_grant_less():
    wide, narrow = granting(*Purpose, name="approval-1"), granting(Purpose.RECORDING, name="approval-2")
    assert permit([narrow, wide], "CS 101", None, TODAY, tuple(Purpose)) is wide
    with pytest.raises(NotPermitted, match="but not analysis"):
        permit([wide, narrow], "CS 101", None, TODAY)


def test_whoever_approves_one_run_approves_what_it_is_for():
    assert permit([], None, "Dean", TODAY, tuple(Purpose)).purposes == tuple(Purpose)
    assert permit([], None, "Dean", TODAY).purposes == EVERY_RUN


@given(subsets, subsets)
def test_permitted_exactly_when_every_purpose_is_granted(granted, asked):
    one = granting(*granted)
    if set(asked) <= set(granted):
        assert permit([one], "CS 101", None, TODAY, asked) is one
    else:
        with pytest.raises(NotPermitted):
            permit([one], "CS 101", None, TODAY, asked)


# Covering


def test_a_no_forbids_covering_nobody():
    with pytest.raises(NotPermitted, match="1 student has opted out") as caught:
        cover_policy(Blur.NOBODY, [OptOut("kestrel", Zone(0, 0, 0.1, 0.1))])
    assert "kestrel" not in str(caught.value)


def test_one_unknown_seat_covers_everyone_and_the_reason_says_so():
    policy = cover_policy(Blur.OPTED_OUT, [OptOut("kestrel", Zone(0, 0, 0.1, 0.1)), OptOut("heron")])
    assert policy.everyone
    assert "seat of 1 is not known" in policy.reason
    assert "heron" not in policy.reason


def test_only_those_in_the_zone_are_covered():
    policy = cover_policy(Blur.OPTED_OUT, [OptOut("kestrel", Zone(0, 0.5, 0.25, 1))])
    assert policy.covers(0.1, 0.7)
    assert policy.covers(0.25, 0.5)  # on the edge
    assert policy.covers(-0.02, 1.01)  # a head half out of the picture
    assert policy.covers(float("nan"), 0.7)  # nobody knows where
    assert not policy.covers(0.3, 0.7)


@given(st.sampled_from(Blur), st.lists(opt_outs), opt_outs, points)
def test_another_no_never_uncovers_a_point(blur, before, another, point):
    try:
        covered = cover_policy(blur, before).covers(*point)
    except NotPermitted:
        with pytest.raises(NotPermitted):
            cover_policy(blur, [*before, another])
        return
    try:
        after = cover_policy(blur, [*before, another])
    except NotPermitted:
        assert blur is Blur.NOBODY
    else:
        assert after.covers(*point) or not covered


@given(st.lists(opt_outs, min_size=1), st.data())
def test_everyone_who_said_no_is_covered_in_their_seat(said_no, data):
    policy = cover_policy(Blur.OPTED_OUT, said_no)
    one = data.draw(st.sampled_from(said_no))
    if one.zone is None:
        assert policy.everyone
    else:
        (ax, ay), (bx, by), (cx, cy) = one.zone.points[:3]  # half of a rectangle, all of a triangle
        u, v = sorted((data.draw(shares), data.draw(shares)))
        inside = [u * a + (v - u) * b + (1 - v) * c for a, b, c in ((ax, bx, cx), (ay, by, cy))]
        assert policy.covers(*inside)


def test_a_zone_where_nobody_takes_part_is_covered_and_forbids_covering_nobody():
    zone = OptOut("zone back", Zone(0, 0, 1, 0.2))
    policy = cover_policy(Blur.OPTED_OUT, [zone])
    assert policy.opted_out(0.5, 0.1)
    assert not policy.everyone
    assert policy.expected == ()
    assert policy.reason.endswith("nobody takes part in 1 zone")
    with pytest.raises(NotPermitted, match="nobody takes part in 1 zone, so --blur nobody"):
        cover_policy(Blur.NOBODY, [zone])


def test_people_who_pass_through_are_covered_unless_nobody_is():
    seat = OptOut("kestrel", Zone(0, 0, 0.1, 0.1))
    assert cover_policy(Blur.OPTED_OUT, []).passers_by
    assert cover_policy(Blur.OPTED_OUT, [seat]).passers_by
    assert not cover_policy(Blur.NOBODY, []).passers_by


# Seats in which nobody is found


@given(st.sampled_from([Blur.OPTED_OUT, Blur.EVERYONE]), st.lists(opt_outs), st.integers(0, 3), points)
def test_empty_seats_never_uncover_and_one_covers_everybody(blur, said_no, empty, point):
    policy = cover_policy(blur, said_no)
    after = policy.with_empty_seats(empty)
    assert after.covers(*point) or not policy.covers(*point)
    assert after.zones == policy.zones
    assert after.unplaced == policy.unplaced + empty
    if empty:
        assert after.everyone
        assert after.covers(*point)
    else:
        assert after is policy


def test_who_was_not_there_need_not_be_found_but_the_seat_stays_covered():
    said_no = [OptOut("kestrel", Zone(0, 0, 0.1, 0.1)), OptOut("heron"), OptOut("zone back", Zone(0, 0.9, 1, 1))]
    policy = cover_policy(Blur.OPTED_OUT, said_no, ["heron", " kestrel "])
    assert not policy.everyone
    assert policy.expected == ()
    assert policy.opted_out(0.05, 0.05)
    assert cover_policy(Blur.OPTED_OUT, said_no, ["kestrel"]).everyone
    with pytest.raises(NotPermitted):  # whoever was not there has still said no
        cover_policy(Blur.NOBODY, said_no[:1], ["kestrel"])


@pytest.mark.parametrize("absent", ["wren", "", "zone back", "KESTREL"])
def test_somebody_absent_must_have_said_no(absent):
    said_no = [OptOut("kestrel"), OptOut("zone back", Zone(0, 0.9, 1, 1))]
    with pytest.raises(ConsentError, match=r"is not among the students who said no; those who did: kestrel$"):
        cover_policy(Blur.OPTED_OUT, said_no, [absent])
    with pytest.raises(ConsentError, match="nobody did"):
        cover_policy(Blur.OPTED_OUT, [], [absent])


def test_a_session_of_another_course_is_not_used():
    check_same_course("cs  101", "CS 101")
    check_same_course("CS 101", None)
    with pytest.raises(ConsentError, match="of course 'Art', not of 'CS 101'"):
        check_same_course("CS 101", "Art")
