"""The six states, the profiles that say which of them may be emitted, and their colours.

This is the only place that spells a state's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum


class State(str, Enum):
    """What a student is seen to do during one second."""

    ATTENTIVE = "attentive"
    DISTRACTED = "distracted"
    CONFUSED = "confused"
    BORED = "bored"
    DISCUSSING = "discussing"
    TAKING_NOTES = "taking_notes"

    @property
    def label(self) -> str:
        """The name as people read it, e.g. ``taking notes``."""
        return self.value.replace("_", " ")

    @property
    def letter(self) -> str:
        """One letter for where a name does not fit; all differ."""
        return {State.DISCUSSING: "T", State.TAKING_NOTES: "N"}.get(self, self.value[0].upper())


UNSEEN = "unseen"
"""The answer when there is no evidence; never a silent default to another state."""

INFERRED_EMOTION = frozenset({State.CONFUSED, State.BORED})
"""States that infer an inner state; inferring emotions in education is prohibited in some places
(e.g. Regulation (EU) 2024/1689, the AI Act, Article 5(1)(f))."""


class Way(str, Enum):
    """How a state shows: each state's usual way, and where a state shows in two unlike ways the other one too."""

    ATTENTIVE = State.ATTENTIVE.value
    DISTRACTED = State.DISTRACTED.value
    ON_PHONE = "on_phone"
    CONFUSED = State.CONFUSED.value
    BORED = State.BORED.value
    DISCUSSING = State.DISCUSSING.value
    TAKING_NOTES = State.TAKING_NOTES.value

    @property
    def state(self) -> State:
        """What somebody is in who shows this."""
        return State.DISTRACTED if self is Way.ON_PHONE else State(self.value)


def ways_of(states: Sequence[State]) -> tuple[Way, ...]:
    """All ways of these states, those of one state side by side."""
    return tuple(way for state in states for way in Way if way.state is state)


class Profile(str, Enum):
    """Which states may be emitted anywhere: all six, or only what can be observed as behaviour."""

    FULL = "full"
    OBSERVABLE = "observable"

    @property
    def states(self) -> tuple[State, ...]:
        """The states this profile allows, in their fixed order."""
        if self is Profile.FULL:
            return tuple(State)
        return tuple(state for state in State if state not in INFERRED_EMOTION)


PALETTE: dict[str, str] = {
    State.ATTENTIVE: "#0072B2",
    State.DISTRACTED: "#D55E00",
    State.CONFUSED: "#CC79A7",
    State.BORED: "#E69F00",
    State.DISCUSSING: "#009E73",
    State.TAKING_NOTES: "#56B4E9",
    UNSEEN: "#8C8C8C",
}
"""One colour per state for video, report and dashboard: Okabe & Ito 2008, safe for colour-blind viewers.
Colour is never the only sign: the name or a letter always stands beside it."""
