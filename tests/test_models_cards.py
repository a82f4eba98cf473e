"""The figures that reports quote: of the files that are shipped, and as the model cards give them."""

from __future__ import annotations

import re

import pytest

from models.cards import Card, cards, model_files
from models.registry import SHIPPED_FOLDER, shipped_weights

README = (SHIPPED_FOLDER / "README.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    """The model card of a file, on one line."""
    found = re.search(rf"^# Model card: `{re.escape(name)}`(.+?)(?=^# |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, name
    return " ".join(found[1].split())


def test_every_shipped_file_has_the_card_of_exactly_this_file() -> None:
    shipped = {file.path.name: file.sha256 for file in shipped_weights()}
    assert {card.name: card.sha256 for card in cards()} == shipped


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_every_figure_stands_in_the_model_card(card: Card) -> None:
    text = section(card.name)
    assert card.sha256 in text
    for figure in card.figures:
        for number in re.findall(r"\d+\.\d+", figure.value):
            assert number in text, figure
    assert card.figures


def test_a_card_counts_only_for_the_file_it_was_measured_with() -> None:
    first = cards()[0]
    same, renamed, other = model_files({first.name: first.sha256, "mine.pt": first.sha256, "x.pt": "0" * 64})
    assert same.card is renamed.card is first
    assert other.card is None
    assert model_files({}) == []
