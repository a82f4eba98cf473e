"""How much a second in each state counts, in which order, and below how many students a class value is withheld."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, RootModel, field_validator

from models.states import State
from reports.errors import FormulaError

WEIGHTS_KEY: Final = "state_weights"
"""Where a session's ``config`` keeps weights that differ from the default ones."""

WITHHOLD_KEY: Final = "withhold_below"
"""Where it keeps the number of students below which class values are withheld."""

WITHHOLD_BELOW: Final = 5
"""A mean over fewer people says too much about each of them: a minimum cell size, as statistical offices use one."""

DEFAULT: Final[Mapping[State, float]] = MappingProxyType(
    {
        State.DISCUSSING: 1.0,  # interactive, the highest mode of ICAP
        State.TAKING_NOTES: 0.85,  # constructive in own words, active when copied: a camera can not tell
        State.ATTENTIVE: 0.70,  # passive in ICAP: receiving without a visible product
        State.CONFUSED: 0.50,  # helps learning when resolved, harms it when not: the middle
        State.BORED: 0.15,  # present without taking part
        State.DISTRACTED: 0.0,  # busy with something else
    }
)
"""Weights by convention, the highest first. The literature gives their order, not their values: interactive >
constructive > active > passive is ICAP (Chi & Wylie 2014, Educational Psychologist 49(4), 219-243); that confusion can
be productive is D'Mello, Lehman, Pekrun & Graesser 2014, Learning and Instruction 29, 153-170."""

ORDER: Final = tuple(DEFAULT)
"""The states from the one that counts most to the one that counts least; no weights may turn it round."""


class StateWeights(RootModel[dict[State, float]]):
    """How much a second in each state counts, 0 to 1; states not named keep their default weight.

    ``StateWeights()`` or ``StateWeights({State.CONFUSED: 0.4})``. A convention, see ``DEFAULT``.

    Raises:
        FormulaError: an unknown state, a weight that is not a number from 0 to 1, or weights against ``ORDER``.
    """

    model_config = ConfigDict(frozen=True)

    root: dict[State, float] = Field(default_factory=dict, validate_default=True)

    @field_validator("root", mode="before")
    @classmethod
    def _complete(cls, given: Any) -> dict[State, float]:
        if not isinstance(given, Mapping):
            raise FormulaError(f"engagement weights: {given!r} is not a table; give one number per state")
        weights = dict(DEFAULT)
        for name, value in given.items():
            try:
                state = State(name)
            except ValueError:
                known = ", ".join(state.value for state in State)
                raise FormulaError(f"engagement weights: {name!r} is not a state; choose from {known}") from None
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not 0.0 <= value <= 1.0:  # NaN fails the comparison
                raise FormulaError(f"engagement weight of {state.value}: {value!r}; give a number from 0 to 1")
            weights[state] = float(value)
        for higher, lower in pairwise(ORDER):
            if weights[higher] < weights[lower]:
                raise FormulaError(
                    f"engagement weights: {lower.value} ({weights[lower]:g}) counts more than {higher.value}"
                    f" ({weights[higher]:g}); keep the order {', '.join(state.value for state in ORDER)}"
                )
        return weights

    @classmethod
    def among(cls, given: Mapping[State, float]) -> StateWeights:
        """Weights of the states of a profile; the others, which it never emits, move only as far as the order asks.

        Raises:
            FormulaError: as the class.
        """
        weights: dict[State, float] = {}
        for place, state in enumerate(ORDER):
            below = max((given[later] for later in ORDER[place + 1 :] if later in given), default=0.0)
            above = min(weights.values(), default=1.0)
            weights[state] = given[state] if state in given else min(max(DEFAULT[state], below), above)
        return cls(weights)

    def __getitem__(self, state: State) -> float:
        """The weight of ``state``, 0 to 1."""
        return self.root[state]

    def vector(self, states: Iterable[State]) -> NDArray[np.float64]:
        """(states,) weights in the given order."""
        return np.array([self.root[state] for state in states], dtype=np.float64)


DEFAULT_WEIGHTS: Final = StateWeights()


@dataclass(frozen=True)
class Rules:
    """What of the formula can be set."""

    weights: StateWeights = DEFAULT_WEIGHTS
    withhold_below: int = WITHHOLD_BELOW
    """Students seen below which a value of the class is withheld; 1 withholds none."""

    @classmethod
    def on_record(cls, config: Mapping[str, Any]) -> Rules:
        """Those of a session, from its ``config``; what is not named has its default.

        Raises:
            FormulaError: the weights are not valid, or the number of students is not.
        """
        least = config.get(WITHHOLD_KEY, WITHHOLD_BELOW)
        if not isinstance(least, int) or isinstance(least, bool) or least < 1:
            raise FormulaError(f"{WITHHOLD_KEY}: {least!r}; give a number of students, 1 or more")
        return cls(StateWeights.model_validate(config.get(WEIGHTS_KEY) or {}), least)
