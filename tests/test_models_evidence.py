from __future__ import annotations

import pytest

from models.chances import CHANCES
from models.evidence import CUE_NAMES, CUES, signs_of, used_cues
from models.states import INFERRED_EMOTION, Profile, State, Way


def test_every_sign_has_a_name_of_its_own_and_a_chance_in_every_way():
    signs = signs_of(CUES)
    assert len(set(signs)) == len(signs)
    assert len(set(CUE_NAMES)) == len(CUE_NAMES)
    for way in Way:
        assert set(CHANCES[way]) == set(signs)


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("cue", CUES, ids=CUE_NAMES)
def test_the_chances_of_a_cue_sum_to_one(way, cue):
    values = [CHANCES[way][sign] for sign in cue.words]
    assert sum(values) == pytest.approx(1, abs=1e-6)
    assert min(values) > 0


def test_each_profile_looks_at_what_it_may():
    assert [cue.name for cue in used_cues(Profile.FULL)] == list(CUE_NAMES)
    assert not any(cue.inner for cue in used_cues(Profile.OBSERVABLE))
    assert [cue.name for cue in used_cues(Profile.FULL, ("head",))] == list(CUE_NAMES[1:])


@pytest.mark.parametrize("cue", [cue for cue in CUES if not cue.inner], ids=lambda cue: cue.name)
def test_a_cue_of_behaviour_tells_observable_states_apart(cue):
    seen = [state for state in State if state not in INFERRED_EMOTION]
    ratios = [max(CHANCES[s][sign] for s in seen) / min(CHANCES[s][sign] for s in seen) for sign in cue.words]
    assert max(ratios) > 1.3
