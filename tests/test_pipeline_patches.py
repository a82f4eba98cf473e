"""Patches: none first, then their law, then how often a video is written again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit import Audit, AuditResult
from pipeline.patches import GROWN, HOLD_S, ROUNDS, Patches, write_until_clean

BOX = np.array([[10.0, 20, 30, 60]])


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

    def check(tell) -> Audit:
        tell(1.0, np.repeat(BOX, next(faces), axis=0))
        return result(next(answers))

    checked = write_until_clean(lambda patches: written.append(len(patches)), check)
    assert len(written) == writings
    assert written[0] == 0
    assert written == sorted(written)
    assert (checked.leak_count, checked.patched) == (leaks[writings - 1], patched)
