"""The video with the timeline below it as one component in the browser, in which a click seeks without the server.

Streamlit's own video and charts know nothing of each other: a click on a chart would go to the server and come back as
a new video. The component (``dashboard/browser``) holds both. What is long is sent as one byte a value.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import ArrayLike

from dashboard import texts, theme
from dashboard.texts import player as words
from models.states import PALETTE, State
from reports import ribbons as of_students
from reports.formula import SHARE_PREFIX, in_bins
from reports.ribbons import Ribbons

BROWSER = Path(__file__).with_name("browser")
MOST_BINS = 360
"""About one bin per 2 px: finer can not be seen, and 3 hours have 10,800 seconds."""
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Lengths of bins that read well on a clock, s."""
FULL, NONE = 200, 255
"""The byte that stands for 1, and the one for no value: shown as percent, finer would be lost."""
ACT = "act"
"""The trigger by which the browser says what somebody wants written down."""


@dataclass(frozen=True)
class Button:
    """A button of a row: what it says, what it asks for, whether it is pressed (``None``: it does not stay)."""

    label: str
    what: dict[str, Any]
    on: bool | None = None


@dataclass(frozen=True)
class Row:
    """A moment in a list; a click seeks to it. All words are shown letter by letter."""

    start: float
    end: float
    text: str
    more: str = ""
    notes: str = ""
    buttons: tuple[Button, ...] = ()
    faded: bool = False
    state: str | None = None
    """Of the span that is picked for correcting."""


@dataclass(frozen=True)
class List:
    """Moments beside the video."""

    id: str
    title: str
    help: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Lens:
    """One student second by second, for correcting, and what reviewers named: ``(who, spans)``."""

    seconds: Ribbons
    marks: Sequence[tuple[str, pd.DataFrame]]


@dataclass(frozen=True)
class Shown:
    """What the component shows.

    Attributes:
        name: of the session: another one begins anew.
        duration: of the lecture, s.
        states: the session's.
        video: its address, ``None`` where there is none.
        missing: why there is none.
        bins: the class over time, see ``binned``; ``None`` where there is nothing to draw.
        marks: unusual spans above it.
        ribbons: single students, where they may be seen.
        lists: beside the video.
        lens: for correcting.
        wanted: names of the states that are shown; all where it is empty.
        sure: probabilities between which ribbons are shown.
    """

    name: str
    duration: float
    states: Sequence[State]
    video: str | None
    missing: str = ""
    bins: pd.DataFrame | None = None
    marks: Sequence[Row] = ()
    ribbons: Ribbons | None = None
    lists: Sequence[List] = ()
    lens: Lens | None = None
    wanted: Sequence[str] = ()
    sure: tuple[float, float] = (0.0, 1.0)
    labels: dict[str, str] = field(default_factory=dict)
    """Words of the page that replace those of ``dashboard.texts.player``."""


def step(duration: float, most: int = MOST_BINS) -> int:
    """The shortest of ``STEPS`` (s) that divides ``duration`` (s) into at most ``most`` parts."""
    return next((step for step in STEPS if duration <= step * most), STEPS[-1])


def binned(engagement: pd.DataFrame, duration: float) -> pd.DataFrame:
    """The class rows of ``engagement.csv`` in at most ``MOST_BINS`` bins, as ``reports.formula.in_bins``."""
    return in_bins(engagement, step(duration))


def show(shown: Shown, key: str, on_act: Callable[[], None]) -> None:
    """Mount the component; ``on_act`` runs when the browser wants something written down, see ``asked``."""
    mount = st.components.v2.component("player", **_parts())  # anew each run: each server, each test has its own list
    mount(key=key, data=packed(shown), on_act_change=on_act)


def asked(key: str) -> dict[str, Any]:
    """What the browser asked for; empty where that is not readable. Whoever uses it must check every value."""
    value = getattr(st.session_state.get(key), ACT, None)
    return value if isinstance(value, dict) else {}


@cache
def _parts() -> dict[str, Any]:
    scripts = ("draw.js", "desk.js", "player.js")
    return {
        "html": (BROWSER / "player.html").read_text(encoding="utf-8"),
        "css": (BROWSER / "player.css").read_text(encoding="utf-8"),
        "js": "\n".join((BROWSER / name).read_text(encoding="utf-8") for name in scripts),
    }


def packed(shown: Shown) -> dict[str, Any]:
    """``shown`` as the component reads it."""
    places = {state.value: place for place, state in enumerate(shown.states)}
    return {
        "name": shown.name,
        "duration": shown.duration,
        "video": shown.video,
        "states": [
            {
                "name": state.value,
                "label": state.label,
                "letter": state.letter,
                "colour": PALETTE[state],
                "on": not shown.wanted or state.value in shown.wanted,
            }
            for state in shown.states
        ],
        "colours": {
            "ink": theme.INK,
            "muted": theme.MUTED,
            "unusual": theme.UNUSUAL,
            "line": PALETTE[State.ATTENTIVE],
        },
        "timeline": None if shown.bins is None else _timeline(shown.bins, shown),
        "marks": [{"t": row.start, "end": row.end, "text": _line(row.text), "faded": row.faded} for row in shown.marks],
        "ribbons": _ribbons(shown.ribbons),
        "least": _byte(shown.sure[0]),
        "most": _byte(shown.sure[1]),
        "lists": [_list(one, places) for one in shown.lists],
        "lens": None if shown.lens is None else _lens(shown.lens, places),
        "words": {
            **words.WORDS,
            "levels": [list(level) for level in of_students.LEVELS],
            "missing": _line(shown.missing),
            **shown.labels,
        },
    }


def _timeline(bins: pd.DataFrame, shown: Shown) -> dict[str, Any]:
    return {
        "step": step(shown.duration),
        "engagement": _bytes(bins["engagement"]),
        "coverage": _bytes(bins["coverage"]),
        "shares": [_bytes(bins[SHARE_PREFIX + state.value]) for state in shown.states],
    }


def _ribbons(made: Ribbons | None) -> dict[str, Any]:
    if made is None:
        return {"step": 1, "rows": []}
    return {
        "step": made.length,
        "rows": [{"student": int(student), **_ribbon(made, place)} for place, student in enumerate(made.students)],
    }


def _ribbon(made: Ribbons, place: int) -> dict[str, str]:
    state = np.where(made.state[place] == of_students.NOBODY, NONE, made.state[place])
    return {
        "state": _base64(state.astype(np.uint8)),
        "sure": _bytes(made.sure[place]),
        "seen": _bytes(made.seen[place]),
    }


def _lens(lens: Lens, places: dict[str, int]) -> dict[str, Any]:
    return {
        "student": int(lens.seconds.students[0]),
        **_ribbon(lens.seconds, 0),
        "marks": [
            {"who": _line(who), "spans": [[row.start, row.end, places[row.state]] for row in spans.itertuples()]}
            for who, spans in lens.marks
        ],
    }


def _list(one: List, places: dict[str, int]) -> dict[str, Any]:
    return {"id": one.id, "title": one.title, "help": one.help, "rows": [_row(row, places) for row in one.rows]}


def _row(row: Row, places: dict[str, int]) -> dict[str, Any]:
    return {
        "t": row.start,
        "end": row.end,
        "when": texts.clock(row.start),
        "text": _line(row.text),
        "more": _line(row.more),
        "notes": _line(row.notes),
        "acts": _buttons(row.buttons),
        "faded": row.faded,
        "span": None if row.state is None else {"start": row.start, "end": row.end, "state": places[row.state]},
    }


def _buttons(buttons: Iterable[Button]) -> list[dict[str, Any]]:
    return [{"label": one.label, "what": one.what} | ({} if one.on is None else {"on": one.on}) for one in buttons]


def _line(text: str) -> str:
    return texts.shortened(text, texts.LONGEST_SENTENCE)


def _byte(share: float) -> int:
    return int(np.rint(share * FULL))


def _bytes(shares: ArrayLike) -> str:
    """Shares from 0 to 1 as one byte each; ``NONE`` for NaN."""
    values = np.asarray(shares, float)
    return _base64(np.where(np.isnan(values), NONE, np.rint(np.nan_to_num(values) * FULL)).astype(np.uint8))


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
