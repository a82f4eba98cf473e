"""The map of moments: nobody first, then what is kept of many dots, and that nobody is named without a reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from visiting import visit, words

from dashboard import moment_map
from dashboard.texts import review

EVENTS = pd.DataFrame({"student": [1, 2], "start": [10.0, 50.0], "end": [14.0, 60.0]})


def dots(count: int) -> pd.DataFrame:
    return pd.DataFrame({"student": 1, "t": np.arange(count, dtype=float), "score": 1.0, "x": 0.0, "y": 0.0})


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    return lambda folder: visit(monkeypatch, folder, name="review")


def switched_on(page: AppTest) -> AppTest:
    next(one for one in page.toggle if one.label == review.MAP).set_value(True).run(timeout=120)
    assert not page.exception
    return page


def charts_of(page: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in page.get("vega_lite_chart") + page.get("arrow_vega_lite_chart")]


def test_no_dots() -> None:
    assert moment_map.thinned(dots(0), EVENTS, ()).empty


def test_a_thinned_map_keeps_what_is_unusual() -> None:
    shown = moment_map.thinned(dots(2 * moment_map.MOST_DOTS), EVENTS, ())
    assert len(shown) == moment_map.MOST_DOTS + 4
    assert list(shown.loc[shown["what"] == review.MAP_ODD, "t"]) == [10.0, 11.0, 12.0, 13.0]
    assert len(moment_map.thinned(dots(5), EVENTS.head(0), ())) == 5


@pytest.mark.parametrize(("seen", "who"), [((), review.SOMEBODY), ((2,), review.SOMEBODY), ((1,), "Student 1")])
def test_only_students_opened_for_a_reason_are_named(seen, who) -> None:
    shown = moment_map.thinned(dots(5), EVENTS, seen)
    assert set(shown["who"]) == {who}
    assert "student" not in shown


def test_a_map_of_nobody_is_said(tmp_path, open_page, make_session) -> None:
    make_session(tmp_path, students=0)
    assert "nobody was seen in this lecture" in words(switched_on(open_page(tmp_path)))


def test_the_map_is_made_when_switched_on(tmp_path, open_page, make_session) -> None:
    make_session(tmp_path, students=3, seconds=40)
    page = open_page(tmp_path)
    before = len(charts_of(page))
    (spec,) = charts_of(switched_on(page))[before:]
    assert spec["encoding"]["color"]["scale"]["domain"] == [review.MAP_USUAL, review.MAP_ODD]
