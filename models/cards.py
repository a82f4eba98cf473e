"""What was measured of the shipped model files, for whoever reports on results made with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import yaml

from models.registry import SHIPPED_FOLDER

CARDS = SHIPPED_FOLDER / "cards.yaml"


@dataclass(frozen=True)
class Figure:
    """One measured figure of a model card: ``value`` as the card gives it."""

    measure: str
    where: str
    value: str


@dataclass(frozen=True)
class Card:
    """The short form of a model card; the whole one is ``models/weights/README.md``."""

    name: str
    sha256: str
    does: str
    why: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class ModelFile:
    """A model file that a session was made with; ``card`` is ``None`` where nothing is known of exactly this file."""

    name: str
    sha256: str
    card: Card | None


@cache
def cards() -> tuple[Card, ...]:
    """The cards of the shipped files."""
    content = yaml.safe_load(CARDS.read_text(encoding="utf-8"))
    return tuple(Card(**one | {"figures": tuple(Figure(*figure) for figure in one["figures"])}) for one in content)


def model_files(used: Mapping[str, str]) -> list[ModelFile]:
    """Each file of ``used`` (name -> sha256) with its card, which counts only for the file it was measured with."""
    known = {card.sha256: card for card in cards()}
    return [ModelFile(name, sha256, known.get(sha256)) for name, sha256 in used.items()]
