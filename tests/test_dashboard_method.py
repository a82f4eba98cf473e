"""The page about the method: without a lecture, with one, with weights that turn the order round."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml
from streamlit.testing.v1 import AppTest
from visiting import visit, words

from consent.database import URL_VARIABLE
from consent.retention import Kind
from dashboard import texts
from dashboard.texts import method as said
from models.cards import cards
from models.states import Profile, State
from pipeline.session import ENGAGEMENT, MANIFEST, Session
from reports import words as report_words
from reports.formula import summary
from reports.sensitivity import under
from reports.weights import ORDER, WEIGHTS_KEY, StateWeights


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., AppTest]:
    monkeypatch.setenv(URL_VARIABLE, f"sqlite:///{tmp_path / 'consent.sqlite'}")
    return partial(visit, monkeypatch, name="method")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def slider(page: AppTest, state: State):
    return page.slider(key=f"weight of {state.value} in demo")


def test_without_a_lecture_the_method_is_explained_all_the_same(folder, open_page) -> None:
    page = open_page(folder)
    assert said.NO_LECTURE in words(page)
    assert not page.slider
    assert page.latex[0].value.strip("$\n ") == said.FORMULA
    shown = words(page).replace("\\", "").replace("\u2060", "")
    for sentence in (*report_words.LIMITS, *report_words.USE, *map(report_words.profile_sentence, Profile)):
        assert sentence in shown
    for card in cards():
        assert card.name in shown
        assert card.does in shown
    assert [state.label for state in ORDER] == list(page.table[0].value.index)
    assert set(said.REASONS) == {state.label for state in State}


def test_every_figure_of_the_cards_is_shown(folder, open_page, make_session) -> None:
    used = {card.name: card.sha256 for card in cards()[:1]} | {"my own <b>.pt": "f" * 64}
    make_session(folder, models=used)
    page = open_page(folder)
    shown = words(page)
    assert said.NO_CARD in shown
    assert "\\<b\\>" in shown
    (figures,) = [table.value for table in page.table if table.value.index.name == said.MEASURE]
    assert len(figures) == len(cards()[0].figures)


@pytest.mark.parametrize("profile", list(Profile))
def test_a_slider_moves_the_index_as_a_run_with_these_weights_would(folder, open_page, make_session, profile) -> None:
    session = Session.open(make_session(folder, seconds=60, profile=profile.value))
    page = open_page(folder)
    assert [one.label for one in page.slider] == [state.label for state in ORDER if state in profile.states]
    assert page.metric[0].value == texts.index(session.manifest.engagement.mean)
    assert not page.metric[0].delta
    interval = page.metric[1].value
    slider(page, State.ATTENTIVE).set_value(0.2 if profile is Profile.OBSERVABLE else 0.5).run()
    assert not page.exception
    weights = StateWeights({State.ATTENTIVE: 0.5})
    if profile is Profile.OBSERVABLE:  # confused, which it knows not, is out of the way
        weights = StateWeights({State.ATTENTIVE: 0.2, State.CONFUSED: 0.2})
    assert page.metric[0].value == texts.index(summary(under(session.engagement, weights)).mean)
    assert page.metric[0].delta
    assert page.metric[1].value != interval
    setting = yaml.safe_load(page.code[0].value)[WEIGHTS_KEY]
    assert StateWeights(setting) == weights
    page.button[0].click().run()
    assert page.metric[0].value == texts.index(session.manifest.engagement.mean)
    assert slider(page, State.ATTENTIVE).value == 0.7


def test_weights_against_the_order_are_refused_with_the_reason(folder, open_page, make_session) -> None:
    make_session(folder)
    page = open_page(folder)
    slider(page, State.DISTRACTED).set_value(0.9).run()
    assert not page.exception
    assert "keep the order" in page.warning[0].value
    assert not page.metric


def test_a_lecture_with_its_own_weights_begins_with_them(folder, open_page, make_session) -> None:
    make_session(folder, config={WEIGHTS_KEY: {State.CONFUSED.value: 0.33}})
    assert slider(open_page(folder), State.CONFUSED).value == 0.33


@pytest.mark.parametrize(
    "content", [None, b"", b"\xff\x00", b"a,b\n1,2\n", b"scope,t,engagement,coverage\nclass,0,x,y\n"]
)
def test_a_damaged_table_is_said_and_the_rest_stays(folder, open_page, make_session, content) -> None:
    path = make_session(folder) / ENGAGEMENT
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    page = open_page(folder)
    assert len(page.error) == 1
    assert page.latex


def test_nobody_seen_or_tables_deleted_has_nothing_to_weigh(folder, open_page, make_session) -> None:
    path = make_session(folder, students=0) / MANIFEST
    assert said.NOTHING_TO_WEIGH in words(open_page(folder))
    path.write_text(json.dumps({**json.loads(path.read_text()), "purged": {Kind.TABLES.value: "2026-01-01"}}))
    assert "deleted on 2026-01-01" in words(open_page(folder))
