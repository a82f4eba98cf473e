"""Parts of a lecture: files that are not right, change points that are and are not there, values over each part."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.errors import ReportError
from reports.segments import (
    MOST_SEGMENTS,
    SHORTEST_S,
    Segment,
    change_points,
    found_segments,
    read_segments,
    segment_values,
)


def class_table(values: np.ndarray, coverage: float = 1.0) -> pd.DataFrame:
    """The class rows of an engagement table with these values by second."""
    return pd.DataFrame(
        {"scope": "class", "t": np.arange(len(values), dtype=float), "engagement": values, "coverage": coverage}
    )


@pytest.mark.parametrize(("text", "said"), [
    ("", "no columns start and title"),
    ("start,title\n", "no columns start and title"),
    ("from,what\n0,A\n", "no columns start and title"),
    ("start,title\nsoon,A\n", "line 2: 'soon' is no time"),
    ("start,title\n-5,A\n", "line 2: '-5' is no time"),
    ("start,title\n0,\n", "line 2: the title is missing"),
    ("start,title\n0,A\n60,B\n60,C\n", "line 4: 60 is not after the line before"),
    ("start,title\n0,A\n10:01,B\n", "line 3: 10:01 is after the lecture's end"),
])  # fmt: skip
def test_a_file_that_is_not_right_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "parts.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReportError, match=said) as caught:
        read_segments(path, 600.0)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="segments cannot be read"):
        read_segments(tmp_path / "none.csv", 600.0)
    (tmp_path / "bytes.csv").write_bytes(b"start,title\n0,\xff\xfe\n")
    with pytest.raises(ReportError, match="not UTF-8"):
        read_segments(tmp_path / "bytes.csv", 600.0)


def test_times_are_seconds_or_clock_times(tmp_path: Path) -> None:
    path = tmp_path / "parts.csv"
    path.write_text('\ufeffstart, title\n0, "Opening, and roll"\n90.5,Questions\n12:30,Work\n1:02:03,End\n', "utf-8")
    found = read_segments(path, 4000.0)
    assert [(one.start, one.end) for one in found] == [(0, 90.5), (90.5, 750), (750, 3723), (3723, 4000)]
    assert [one.title for one in found] == ["Opening, and roll", "Questions", "Work", "End"]
    assert not any(one.automatic for one in found)


@pytest.mark.parametrize("values", [np.zeros(0), np.full(40, 0.5), np.full(3000, np.nan), np.full(3000, 0.5)])
def test_where_nothing_changes_there_is_one_segment(values: np.ndarray) -> None:
    assert found_segments(class_table(values), float(len(values))) == [Segment(0.0, float(len(values)))]


def test_a_change_of_level_is_found_where_it_is() -> None:
    rng = np.random.default_rng(0)
    level = np.repeat([0.7, 0.4, 0.65], [1200, 600, 1200])
    found = found_segments(class_table(np.clip(level + rng.normal(0, 0.1, 3000), 0, 1)), 3000.0)
    assert [one.start for one in found] == pytest.approx([0, 1200, 1800], abs=60)
    assert found[-1].end == 3000
    assert all(one.automatic for one in found)


def test_noise_alone_is_rarely_parted() -> None:
    rng = np.random.default_rng(1)
    parted = [len(found_segments(class_table(0.5 + rng.normal(0, 0.1, 3000)), 3000.0)) > 1 for _ in range(40)]
    assert sum(parted) <= 4


def test_segments_are_few_long_and_cover_the_lecture() -> None:
    rng = np.random.default_rng(2)
    for seconds in (400, 3000, 10800):
        walk = np.clip(0.5 + np.cumsum(rng.normal(0, 0.01, seconds)), 0, 1)
        found = found_segments(class_table(walk), float(seconds))
        assert 1 <= len(found) <= MOST_SEGMENTS
        assert found[0].start == 0
        assert found[-1].end == seconds
        assert all(one.end == other.start for one, other in pairwise(found))
        assert all(one.end - one.start >= SHORTEST_S - 30 for one in found)


def test_change_points_by_hand() -> None:
    assert change_points(np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]), 2) == [3]
    assert change_points(np.array([0.5] * 6), 2) == []


def test_values_over_segments_by_hand() -> None:
    values = np.repeat([0.2, 0.8, np.nan], [100, 100, 100])
    one, two, three = segment_values(
        class_table(values, 0.5), [Segment(0, 100), Segment(100, 200, "Work"), Segment(200, 300)]
    )
    assert (one.mean, two.mean, three.mean) == (pytest.approx(0.2), pytest.approx(0.8), None)
    assert one.interval == pytest.approx((0.2, 0.2))
    assert np.isnan(three.interval).all()
    assert three.coverage == 0.5
