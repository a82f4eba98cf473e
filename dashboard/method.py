"""The page about the method: the formula with weights to try, the networks, limits and law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
import yaml

from consent.retention import Kind
from dashboard import access, choice, library, texts, weights_chart
from dashboard.texts import method as words
from models.cards import Card, ModelFile, cards
from models.states import Profile, State
from pipeline.session import Session, SessionError
from reports import words as report_words
from reports.blocks import signed, span
from reports.errors import FormulaError
from reports.formula import session_shares, summary, summary_interval
from reports.sensitivity import band, under
from reports.weights import DEFAULT, ORDER, WEIGHTS_KEY, Rules, StateWeights


def page() -> None:
    """Explain the numbers, with a lecture to try it on where there is one."""
    chosen = None
    if library.load(library.folder()).seen_by(access.visitor().sees).sessions:
        chosen = choice.lecture()
    weights, models, limits = st.tabs([words.WEIGHTS, words.MODELS, words.LIMITS])
    with weights:
        if chosen is None:
            st.info(words.NO_LECTURE, icon=":material/tune:")
        else:
            _try(*chosen)
        _formula()
    with models:
        _models(None if chosen is None else chosen[1])
    with limits:
        _limits()


def _try(name: str, session: Session) -> None:
    """Sliders for the weights, and what the lecture would be under them."""
    if (day := session.manifest.purged.get(Kind.TABLES)) is not None:
        st.info(texts.DELETED[Kind.TABLES.value].format(day=day), icon=":material/auto_delete:")
        return
    try:
        table, rules = session.engagement, Rules.on_record(session.manifest.config)
        shares = session_shares(table)
        under(table, rules.weights)  # every column is there
    except (SessionError, FormulaError) as error:
        st.error(words.UNREADABLE.format(error=texts.plain(str(error))))
        return
    except (KeyError, ValueError, TypeError) as error:  # other columns, or words in place of numbers
        st.error(words.UNREADABLE.format(error=texts.plain(f"{type(error).__name__} {error}")))
        return
    if not shares:
        st.info(words.NOTHING_TO_WEIGH)
        return
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown(f"**{words.TRY}**", help=words.TRY_HELP)
        ranked = [state for state in ORDER if state in session.manifest.profile.states]
        given = {state: _slider(name, state, rules.weights) for state in ranked}
        st.button(words.RESET, on_click=_reset, args=(name, rules.weights), key=f"reset {name}")
    with right:
        try:
            chosen = StateWeights.among(given)
            _under(session, table, chosen, rules.weights)
        except FormulaError as error:
            st.warning(texts.plain(str(error)), icon=":material/swap_vert:")
            return
        with st.expander(words.SETTINGS):
            setting = {WEIGHTS_KEY: {state.value: chosen[state] for state in ORDER}}
            st.code(yaml.safe_dump(setting, sort_keys=False), "yaml")


def _slider(name: str, state: State, made_with: StateWeights) -> float:
    key = _key(name, state)
    st.session_state.setdefault(key, made_with[state])
    return st.slider(state.label, 0.0, 1.0, step=0.01, key=key)


def _reset(name: str, made_with: StateWeights) -> None:
    for state in State:
        st.session_state[_key(name, state)] = made_with[state]


def _key(name: str, state: State) -> str:
    return f"weight of {state.value} in {name}"


def _under(session: Session, table: pd.DataFrame, chosen: StateWeights, made_with: StateWeights) -> None:
    """Index, interval and band of the lecture under weights, and its curve."""
    tried, before = under(table, chosen), under(table, made_with)
    now, then = summary(tried).mean, summary(before).mean
    assert now is not None
    assert then is not None  # there are shares, so there is a class value
    index, interval, other = st.columns(3)
    change = signed(now - then).replace("−", "-")  # Streamlit's arrow looks for this sign
    moved = None if change == signed(0.0) else change
    index.metric(words.INDEX, texts.index(now), moved, delta_color="off", help=words.INDEX_HELP)
    interval.metric(words.INTERVAL, span(*summary_interval(tried)), help=words.INTERVAL_HELP)
    found = band(session_shares(table))
    other.metric(words.BAND, words.NONE if found is None else span(*found), help=words.BAND_HELP)
    st.altair_chart(weights_chart.weights_chart(tried, before, session.manifest.duration), key="weights chart")
    st.caption(words.CHART_HELP)


def _formula() -> None:
    st.latex(words.FORMULA)
    st.markdown(texts.plain(report_words.FORMULA, len(report_words.FORMULA)))
    rows = [
        {words.STATE: state.label, words.WEIGHT: f"{DEFAULT[state]:.2f}", words.REASON: words.REASONS[state.label]}
        for state in ORDER
    ]
    st.table(pd.DataFrame(rows).set_index(words.STATE))
    for sentence in (report_words.SPREAD, report_words.SHARE):
        st.caption(texts.plain(sentence, len(sentence)))


def _models(session: Session | None) -> None:
    files: Sequence[ModelFile] = [] if session is None else session.model_cards
    st.caption(words.MODELS_OF if files else words.MODELS_SHIPPED)
    if not files:
        files = [ModelFile(card.name, card.sha256, card) for card in cards()]
    for file in files:
        with st.container(border=True):
            st.markdown(f"**{texts.plain(file.name, texts.LONGEST_NAME)}**")
            if file.card is None:
                st.markdown(words.NO_CARD)
            else:
                _card(file.card)
            st.caption(words.FILE.format(sha256=texts.plain(file.sha256[:12])))


def _card(card: Card) -> None:
    st.markdown(f"{words.DOES}: {texts.plain(card.does)}  \n{words.CHOICE}: {texts.plain(card.why)}")
    rows = [{words.MEASURE: one.measure, words.WHERE: one.where, words.VALUE: one.value} for one in card.figures]
    if rows:
        st.table(pd.DataFrame(rows).map(_cell).set_index(words.MEASURE))


def _cell(text: Any) -> str:
    return texts.plain(str(text))


def _limits() -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{words.CANNOT}**")
        st.markdown(_list(report_words.LIMITS))
    with right:
        st.markdown(f"**{words.USE}**")
        st.markdown(_list(report_words.USE))
        st.markdown(f"**{words.LAW}**", help=words.LAW_HELP)
        st.markdown(_list([report_words.profile_sentence(profile) for profile in Profile]))
    with st.expander(words.REFERENCES):
        st.markdown(_list(report_words.REFERENCES))


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {texts.plain(sentence, len(sentence))}" for sentence in sentences)
