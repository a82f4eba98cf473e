from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from small_sessions import small_manifest

from pipeline.errors import InputError
from pipeline.reviews import COLUMNS, Verdict, marked, read_reviews, review
from pipeline.session import EVENT_COLUMNS, EVENTS, MANIFEST, REVIEWS, Session

HEAD = ",".join(COLUMNS) + "\n"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """With two unusual spans."""
    (tmp_path / MANIFEST).write_text(json.dumps(small_manifest()))
    rows = [(0.1 + 0.2, 2.0, 1, 9.0, 5.0, "far from the seat"), (1.0, 3.0, 2, 8.0, 5.0, "large motion")]
    pd.DataFrame(rows, columns=list(EVENT_COLUMNS)).to_parquet(tmp_path / EVENTS)
    return Session.open(tmp_path)


@pytest.mark.parametrize("content", [None, "", HEAD])
def test_no_reviews(session: Session, content: str | None) -> None:
    if content is not None:
        (session.folder / REVIEWS).write_text(content)
    assert read_reviews(session).empty
    assert marked(session.events, read_reviews(session)) == [{}, {}]
    assert marked(session.events.iloc[:0], read_reviews(session)) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,3,2,confirmed,AB", "line 2: no at"),
        ("1,3,2,confirmed,,now", "no reviewer"),
        ("1,3,2,fine,AB,now", "'fine' is no verdict"),
        ("3,1,2,confirmed,AB,now", "no span"),
        ("1,3,two,confirmed,AB,now", "must be numbers"),
    ],
)
def test_a_line_that_is_not_valid_is_named(session: Session, line: str, said: str) -> None:
    (session.folder / REVIEWS).write_text(f"{HEAD}{line}\n")
    with pytest.raises(InputError, match=said):
        read_reviews(session)


@pytest.mark.parametrize("span", [(1.0, 3.0, 1), (1.0, 2.9, 2), (0.0, 3.0, 2), (1.0, 3.0, 7)])
def test_only_unusual_spans_of_the_session_can_be_marked(session: Session, span: tuple) -> None:
    with pytest.raises(InputError, match="no unusual span"):
        review(session, *span, Verdict.CONFIRMED, "AB")
    assert not (session.folder / REVIEWS).exists()


def test_the_last_word_of_each_reviewer_counts(session: Session) -> None:
    first, second = session.events.itertuples()
    review(session, first.start, first.end, first.student, Verdict.CONFIRMED, "AB")
    review(session, second.start, second.end, second.student, Verdict.REVIEWED, "AB")
    review(session, first.start, first.end, first.student, Verdict.DISMISSED, "AB")
    review(session, first.start, first.end, first.student, Verdict.CONFIRMED, "CD")
    assert marked(session.events, read_reviews(session)) == [
        {"AB": "dismissed", "CD": "confirmed"},
        {"AB": "reviewed"},
    ]
    assert len((session.folder / REVIEWS).read_text().splitlines()) == 5  # what was said before stays on record
