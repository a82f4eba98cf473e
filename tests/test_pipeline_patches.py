"""Patches: none first, then their law, then how often a video is written again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit import Audit, AuditResult
from pipeline.patches import GROWN, HOLD_S, ROUNDS, Patches, write_until_clean

BOX = np.array([[10.0, 20, 30, 60]])
SPANS = [(0.0, 2.0)]


def result(leaks: int) -> Audit:
    state = AuditResult.NEEDS_REVIEW if leaks else AuditResult.PASSED
    return Audit(result=state, looked_at="", leak_count=leaks)


def test_without_patches_nothing_is_covered():
    assert len(Patches()) == 0
    assert Patches().at(0.0).shape == (0, 4)
    assert Patches([(1.0, np.zeros((0, 4)))]).at(1.0).shape == (0, 4)


def test_a_patch_is_larger_than_the_face_and_stays_a_moment():
    patches = Patches([(1.0, BOX)])
    assert patches.at(1.0).tolist() == [[10 - 20 * GROWN, 20 - 40 * GROWN, 30 + 20 * GROWN, 60 + 40 * GROWN]]
    assert len(patches.at(1.0 + HOLD_S - 1e-9)) == len(patches.at(1.0 - HOLD_S)) == 1
    assert len(patches.at(1.0 + HOLD_S + 0.01)) == len(patches.at(1.0 - HOLD_S - 0.01)) == 0


@given(st.lists(st.floats(0, 5), max_size=8), st.lists(st.floats(0, 5), max_size=8), st.floats(0, 5))
def test_what_is_covered_does_not_depend_on_the_order_of_finding(first, second, t):
    def of(times: list[float]) -> Patches:
        return Patches([(one, BOX + one) for one in times])

    together, united = of([*second, *first]), of([*first, *second])
    assert len(together) == len(united) == len(first) + len(second)
    assert sorted(together.at(t).tolist()) == sorted(united.at(t).tolist())
    expected = sum(abs(one - t) <= HOLD_S for one in [*first, *second])
    assert abs(len(united.at(t)) - expected) <= sum(abs(abs(one - t) - HOLD_S) < 1e-9 for one in [*first, *second])


@pytest.mark.parametrize(
    ("leaks", "found", "writings", "patched"),
    [
        ([0], [0], 1, 0),
        ([0, 0], [3, 2], 2, 3),  # doubtful places alone are covered, once
        ([2, 0], [2, 0], 2, 2),
        ([2, 1, 0], [2, 1, 0], 3, 3),
        ([2, 1, 1], [2, 1, 1], 1 + ROUNDS, 3),  # somebody has to look
    ],
)
def test_a_video_is_written_again_while_faces_are_found(leaks, found, writings, patched):
    written = []
    faces, answers = iter(found), iter(leaks)

    def check(tell, within) -> Audit:
        assert within == (SPANS if len(written) > 1 else None)
        tell(1.0, np.repeat(BOX, next(faces), axis=0))
        return result(next(answers))

    def write(patches, new) -> list[tuple[float, float]] | None:
        written.append(len(patches))
        assert (new is None) == (len(written) == 1)
        return None if new is None else SPANS

    checked = write_until_clean(write, check)
    assert len(written) == writings
    assert written[0] == 0
    assert written == sorted(written)
    assert (checked.leak_count, checked.patched) == (leaks[writings - 1], patched)


def test_only_what_is_new_since_the_last_writing_is_told_apart():
    told = []
    faces = iter([[1.0, 2.0], [5.0], []])

    def write(patches, new):
        told.append((len(patches), 0 if new is None else len(new), new is not None and new.between(0.0, 3.0)))

    def check(tell, within) -> Audit:
        assert within is None  # all of it was written
        times = next(faces)
        for t in times:
            tell(t, BOX)
        return result(len(times))

    write_until_clean(write, check)
    assert told == [(0, 0, False), (2, 2, True), (3, 1, False)]


def test_frames_of_the_whole_check_count():
    def check(tell, within) -> Audit:
        if within is None:
            tell(1.0, BOX)
        return result(0).model_copy(update={"frames": 100 if within is None else 7})

    assert write_until_clean(lambda patches, new: None if new is None else SPANS, check).frames == 100


@given(st.lists(st.floats(0, 5), max_size=6), st.floats(0, 5), st.floats(0, 2))
def test_a_stretch_without_patches_has_none_at_any_of_its_moments(times, start, length):
    patches = Patches([(one, BOX) for one in times])
    if not patches.between(start, start + length):
        assert not any(len(patches.at(t)) for t in np.linspace(start, start + length, 20))
