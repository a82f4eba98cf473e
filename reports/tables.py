"""The tables behind the report for a spreadsheet, and the data dictionary that explains every column of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from pipeline.session import Session
from reports.beri import session_share
from reports.formula import (
    BOUNDS,
    CLASS,
    SHARE_PREFIX,
    STUDENT,
    session_shares,
    summary,
    summary_interval,
    withheld_seconds,
)
from reports.measured import Measured
from reports.segments import read_segments, segment_values
from reports.sensitivity import band

SHARE: Final = SHARE_PREFIX + "<state>"

DICTIONARY: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "session": {
        "session": ("", "name of the session's folder"),
        "course": ("", "as given with --course"),
        "created": ("ISO 8601, UTC", "time of the analysis"),
        "profile": ("", "full: six states; observable: behaviour only"),
        "duration": ("s", "of the recording"),
        "students": ("", "students found"),
        "engagement": ("0 to 1", "index of the class over the session; empty where withheld or nobody was seen"),
        "engagement_low": ("0 to 1", "lower end of its 95% interval (block bootstrap in time)"),
        "engagement_high": ("0 to 1", "upper end"),
        "other_weights_low": ("0 to 1", "index under random weights in the same order: 2.5% lie below"),
        "other_weights_high": ("0 to 1", "2.5% lie above"),
        "coverage": ("0 to 1", "share of all student time that was seen"),
        "share_engaged": ("0 to 1", "engaged ÷ observed students, mean over 2-minute windows"),
        "share_engaged_low": ("0 to 1", "lower end of its 95% interval; empty below six windows"),
        "share_engaged_high": ("0 to 1", "upper end"),
        "withhold_below": ("students", "class values are empty where fewer are seen"),
        "withheld_seconds": ("s", "time in which somebody, but too few, were seen"),
        SHARE: ("0 to 1", "share of the seen time in the state; they sum to 1"),
    },
    "weights": {
        "state": ("", "name of the state"),
        "weight": ("0 to 1", "how much a second in it counts; a convention"),
    },
    "class": {
        "t": ("s", "start of the second"),
        "engagement": ("0 to 1", "index of the class; empty where withheld or nobody was seen"),
        "coverage": ("0 to 1", "share of the class that was seen"),
        "students_seen": ("students", "students with evidence in that second"),
        SHARE: ("0 to 1", "share of the seen time in the state; they sum to 1"),
    },
    "students": {
        "student": ("", "number in this session, never a name; not the same person's in another session"),
        "engagement": ("0 to 1", "index over the session; empty where never seen"),
        "engagement_low": ("0 to 1", "lower end of its 95% interval; empty where too little was seen"),
        "engagement_high": ("0 to 1", "upper end"),
        "coverage": ("0 to 1", "share of the session in which the student was seen"),
        "minutes_seen": ("min", "time with evidence"),
        SHARE: ("0 to 1", "share of the seen time in the state; they sum to 1"),
    },
    "windows": {
        "start": ("s", "of a 2-minute window"),
        "end": ("s", "of it"),
        "observed": ("students", "students seen for a quarter of it or more"),
        "share": ("0 to 1", "engaged ÷ observed students; empty where withheld"),
    },
    "segments": {
        "start": ("s", "of a part of the lecture"),
        "end": ("s", "of it"),
        "title": ("", "as named; empty where found automatically"),
        "automatic": ("", "true: found where the level of the class changes"),
        "engagement": ("0 to 1", "index of the class over it; empty where withheld"),
        "engagement_low": ("0 to 1", "lower end of its 95% interval"),
        "engagement_high": ("0 to 1", "upper end"),
        "coverage": ("0 to 1", "share of student time that was seen"),
    },
    "unusual": {
        "start": ("s", "of a span unusual for one student"),
        "end": ("s", "of it"),
        "student": ("", "number in this session"),
        "score": ("robust deviations", "largest departure from the student's own median"),
        "threshold": ("robust deviations", "where a span begins, as set"),
        "why": ("", "what was unusual"),
    },
}
"""Table -> column -> (unit or range, meaning)."""


def tables(session: Session, segments: Path | None = None) -> dict[str, pd.DataFrame]:
    """Every table by its name, the dictionary last.

    Raises:
        ReportError: the segments file is not right.
        FormulaError: the session's weights or states table can not be used.
        SessionError: a table of the session is missing, deleted or damaged.
    """
    manifest = session.manifest
    named = None if segments is None else read_segments(segments, manifest.duration)
    measured = Measured.of(session, named)
    made, weights = measured.table, measured.rules.weights
    shares = [SHARE_PREFIX + state.value for state in manifest.profile.states]
    parts = {
        "session": _session(measured),
        "weights": pd.DataFrame(
            {
                "state": [state.value for state in manifest.profile.states],
                "weight": weights.vector(manifest.profile.states),
            }
        ),
        "class": made.loc[made["scope"] == CLASS, ["t", "engagement", "coverage", "students_seen", *shares]],
        "students": made.loc[
            made["scope"] == STUDENT, ["student", "engagement", *BOUNDS, "coverage", "minutes_seen", *shares]
        ],
        "windows": measured.windows,
        "segments": _segments(measured),
        "unusual": session.events[list(DICTIONARY["unusual"])],
    }
    return parts | {"dictionary": _dictionary()}


def _session(measured: Measured) -> pd.DataFrame:
    manifest, made = measured.manifest, measured.table
    mean, coverage = summary(made)
    low, high = summary_interval(made)
    other = band(session_shares(made)) or (np.nan, np.nan)
    share, of_share = session_share(measured.windows)
    row = {
        "session": manifest.id,
        "course": manifest.course,
        "created": manifest.created,
        "profile": manifest.profile.value,
        "duration": manifest.duration,
        "students": int((made["scope"] == STUDENT).sum()),
        "engagement": mean,
        "engagement_low": low,
        "engagement_high": high,
        "other_weights_low": other[0],
        "other_weights_high": other[1],
        "coverage": coverage,
        "share_engaged": share,
        "share_engaged_low": of_share.low,
        "share_engaged_high": of_share.high,
        "withhold_below": measured.rules.withhold_below,
        "withheld_seconds": withheld_seconds(made),
    }
    found = session_shares(made)
    return pd.DataFrame(
        [row | {SHARE_PREFIX + state.value: found.get(state, np.nan) for state in manifest.profile.states}]
    )


def _segments(measured: Measured) -> pd.DataFrame:
    rows = [
        (part.start, part.end, part.title, part.automatic, one.mean, *one.interval, one.coverage)
        for one in segment_values(measured.table, measured.segments)
        for part in (one.segment,)
    ]
    return pd.DataFrame(rows, columns=list(DICTIONARY["segments"]))


def _dictionary() -> pd.DataFrame:
    rows = [
        (name, column, unit, meaning)
        for name, columns in DICTIONARY.items()
        for column, (unit, meaning) in columns.items()
    ]
    return pd.DataFrame(rows, columns=["table", "column", "unit or range", "meaning"])
