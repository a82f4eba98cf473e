from __future__ import annotations

import itertools
import json

import cv2
import numpy as np
import pytest

from models.states import INFERRED_EMOTION, PALETTE, UNSEEN, Profile, State

SEEN_BY = {  # Machado, Oliveira & Fernandes 2009, severity 1.0, on linear RGB
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
    "full colour": np.eye(3).tolist(),
}
NOTICEABLE = 5.0
"""Distance in CIE Lab (ΔE 1976) between two areas of colour; 2.3 is the least that is told apart side by side
(Mahy, Van Eycken & Oosterlinck 1994)."""


def rgb(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


@pytest.mark.parametrize("text", ["", "Attentive", "sleepy", UNSEEN])
def test_what_is_not_a_state(text):
    with pytest.raises(ValueError, match="not a valid State"):
        State(text)


def test_full_profile_has_every_state_and_never_unseen():
    assert Profile.FULL.states == tuple(State)
    assert len(State) == 6
    assert UNSEEN not in [state.value for state in State]


def test_observable_profile_infers_no_inner_state_and_keeps_the_order():
    assert set(Profile.OBSERVABLE.states) == set(State) - INFERRED_EMOTION
    assert {state.value for state in INFERRED_EMOTION} == {"confused", "bored"}
    assert [state for state in State if state in Profile.OBSERVABLE.states] == list(Profile.OBSERVABLE.states)


def test_a_letter_tells_states_apart_where_names_do_not_fit():
    assert len({state.letter for state in State}) == len(State)
    assert all(len(state.letter) == 1 and state.letter.isupper() for state in State)


def test_labels_are_for_people():
    assert [state.label for state in State if "_" in state.label] == []
    assert State.TAKING_NOTES.label == "taking notes"


def test_states_are_their_names_as_keys_and_in_json():
    assert json.dumps([*State]) == json.dumps([state.value for state in State])
    assert all(PALETTE[state.value] == PALETTE[state] for state in State)


def test_one_colour_for_each_state_and_for_unseen():
    assert set(PALETTE) == {*State, UNSEEN}
    assert len(set(PALETTE.values())) == len(PALETTE)


@pytest.mark.parametrize("eye", SEEN_BY)
def test_colours_stay_apart_for_every_eye(eye):
    encoded = np.array([rgb(colour) for colour in PALETTE.values()]) / 255
    linear = np.where(encoded > 0.04045, ((encoded + 0.055) / 1.055) ** 2.4, encoded / 12.92)
    seen = np.clip(linear @ np.array(SEEN_BY[eye]).T, 0, 1)
    encoded = np.where(seen > 0.0031308, 1.055 * seen ** (1 / 2.4) - 0.055, 12.92 * seen)
    lab = cv2.cvtColor(encoded[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0]
    apart = {
        (one, other): float(np.linalg.norm(lab[i] - lab[j]))
        for (i, one), (j, other) in itertools.combinations(enumerate(PALETTE), 2)
    }
    assert min(apart.values()) > NOTICEABLE, min(apart, key=lambda pair: apart[pair])
