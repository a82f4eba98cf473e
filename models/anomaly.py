"""Unusual behaviour: spans to look at, found without labels, at a rate of false alarms that is asked for.

Windows of a few seconds of every student are scored by ``models.scorer``, which learns from the lecture itself and from
ordinary windows that ship with the program. A second has the score of the window around it. The threshold is where
ordinary scores peak as often as the user accepts (``models.extremes``); a span lasts while its score stays above a
lower bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from models.errors import ModelFileError
from models.extremes import Tail, fit_tail, runs
from models.windows import CUES, Departures, departures, windows

if TYPE_CHECKING:
    from models.scorer import Scorer

PRIOR = Path(__file__).parent / "weights" / "anomaly.npz"
"""Ordinary windows that ship, made by ``engage train anomaly``."""

FROM_LECTURE = 6000
"""Windows of the lecture that are learned from, drawn at random; the prior's come on top."""

LEAST_LEVEL = 3.0
"""nats, −log 0.05: what as many as one in twenty of the known windows resemble is ordinary in the calmest lecture."""

TELLING = 2.0
"""Deviations from the usual below which a cue is no reason."""

CHUNK = 20_000
COLUMNS = {"start": float, "end": float, "student": int, "score": float, "threshold": float, "why": str}


class AnomalySettings(BaseModel):
    """When a span is called unusual."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    false_alarms_per_hour: float = Field(
        1.0,
        gt=0,
        le=60,
        description="spans per hour and student that ordinary behaviour may raise; lower shows less and misses more",
    )
    release: float = Field(
        10.0,
        ge=1,
        description="a span lasts while scores stay above the bar that this many times as many alarms would have",
    )
    window_s: int = Field(5, ge=1, le=31, description="s of a window, an odd number; longer sees slower departures")
    min_s: int = Field(2, ge=1, description="s a span must last")
    join_s: int = Field(3, ge=0, description="s between two spans of a student below which they are one")
    prior: str | None = Field(None, description="file made by `engage train anomaly`; the shipped one by default")
    seed: int = Field(0, ge=0, description="of the scorer's training")


@dataclass(frozen=True)
class Prior:
    """What is known before the lecture.

    Attributes:
        rows: (n, window · cues) ordinary windows in deviations, NaN where not measured.
        tail: of ordinary scores.
    """

    rows: np.ndarray
    tail: Tail


def load_prior(path: Path = PRIOR) -> Prior:
    """Read a file of ``save_prior``.

    Raises:
        ModelFileError: it is not there or not such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            return Prior(content["rows"].astype(float), Tail(*map(float, content["tail"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"{path}: not a file of ordinary windows ({error}); make one with: engage train anomaly --out {path.name}"
        ) from None


def save_prior(prior: Prior, path: Path) -> None:
    """Write it; a window's numbers need no more than half precision."""
    tail = (prior.tail.level, prior.tail.scale, prior.tail.shape, prior.tail.per_hour)
    np.savez_compressed(path, rows=np.clip(prior.rows, -1e3, 1e3).astype(np.float16), tail=np.array(tail))


@dataclass(frozen=True)
class Scores:
    """Every second of a lecture, scored.

    Attributes:
        made: the departures that were scored.
        rows, places: windows and where they are, see ``models.windows.windows``.
        values: (students, seconds) surprise of each second, nats; NaN where not seen.
        scorer: what scored them.
    """

    made: Departures
    rows: np.ndarray
    places: np.ndarray
    values: np.ndarray
    scorer: Scorer


def score_seconds(places: pd.DataFrame, settings: AnomalySettings, prior: Prior | None) -> Scores | None:
    """Score a lecture; ``None`` where nobody was seen.

    Args:
        places: see ``models.windows.departures``.
        settings: length of the windows, and the seed.
        prior: ordinary windows to learn from besides the lecture's own.

    Raises:
        ModelFileError: the prior was made for windows of another length or with other cues.
    """
    from models.fitting import one_thread  # PyTorch takes seconds to load: not for the settings alone
    from models.scorer import Scorer

    made = departures(places)
    rows, where = windows(made, settings.window_s | 1)
    if not len(rows):
        return None
    chosen = np.random.default_rng(settings.seed).permutation(len(rows))[:FROM_LECTURE]
    known = rows[chosen]
    if prior is not None:
        if prior.rows.shape[1] != rows.shape[1]:
            raise ModelFileError(
                f"the ordinary windows have {prior.rows.shape[1]} numbers where the settings need {rows.shape[1]};"
                " make others with: engage train anomaly --window-s"
                f" {settings.window_s}"
            )
        known = np.concatenate([known, prior.rows])
    with one_thread():
        scorer = Scorer(seed=settings.seed).fit(known)
        scores = np.concatenate([scorer.score(rows[at : at + CHUNK]) for at in range(0, len(rows), CHUNK)])
    values = np.full(made.seen.shape, np.nan)
    values[where[:, 0], where[:, 1]] = scores
    return Scores(made, rows, where, _lasting(values, settings.min_s), scorer)


def unusual_spans(places: pd.DataFrame, settings: AnomalySettings, prior: Prior | None = None) -> pd.DataFrame:
    """Spans in which a student departs from the own lecture, and from what students ordinarily do.

    Args:
        places: see ``models.windows.departures``.
        settings: see there.
        prior: ordinary windows; by default those of ``settings.prior``, else the shipped ones.

    Returns:
        rows of ``pipeline.session.EVENT_COLUMNS``, most unusual first; score and threshold in nats of surprise.

    Raises:
        ModelFileError: the file of ordinary windows cannot be used.
    """
    if prior is None:
        prior = load_prior(Path(settings.prior) if settings.prior else PRIOR)
    scored = score_seconds(places, settings, prior)
    if scored is None:
        return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    return spans_of(scored, settings, prior.tail)


def spans_of(scored: Scores, settings: AnomalySettings, usual: Tail) -> pd.DataFrame:
    """The spans of a lecture that was scored, as ``unusual_spans``; ``usual``: the tail of scores before it."""
    tail = fit_tail(list(scored.values), settings.join_s, usual, LEAST_LEVEL)
    threshold = tail.threshold(settings.false_alarms_per_hour)
    release = tail.threshold(settings.release * settings.false_alarms_per_hour)
    spans = []
    for place, student in enumerate(scored.made.students.tolist()):
        values = scored.values[place]
        for first, last, away in _spans(values, scored.made.seen[place], threshold, release, settings):
            spans.append(
                {
                    "start": float(scored.made.first + first),
                    "end": float(scored.made.first + last) + 1.0,
                    "student": student,
                    "score": float(np.nanmax(values[first : last + 1])),
                    "threshold": threshold,
                    "why": ", ".join(["left and came back"] * away + _reasons(scored, place, first, last)),
                }
            )
    table = pd.DataFrame(spans, columns=list(COLUMNS)).astype(COLUMNS)
    return table.sort_values("score", ascending=False, ignore_index=True)


def _lasting(values: np.ndarray, least: int) -> np.ndarray:
    """Scores with what is shorter than ``least`` seconds cut down to its surroundings (a morphological opening).

    So that a peak that is counted for the threshold is one that would make a span. NaN, an absence, ends a peak.
    """
    if least <= 1 or not values.size:
        return values
    padded = np.pad(values, ((0, 0), (least - 1, least - 1)), constant_values=np.nan)
    through = np.nan_to_num(padded, nan=-np.inf)
    lowest = np.min([through[:, step : through.shape[1] - least + 1 + step] for step in range(least)], axis=0)
    opened = np.max([lowest[:, step : step + values.shape[1]] for step in range(least)], axis=0)
    alone = np.isneginf(opened)  # seen for less than that
    return np.where(np.isnan(values), np.nan, np.where(alone, np.minimum(values, 0.0), opened))


def _spans(
    values: np.ndarray, seen: np.ndarray, threshold: float, release: float, settings: AnomalySettings
) -> list[tuple[int, int, bool]]:
    """(first, last, whether it is an absence with both its ends) of each span of one student."""
    high = np.nan_to_num(values, nan=-np.inf) >= release
    found: list[tuple[int, int, bool]] = []
    for first, last in runs(high & seen, 0):
        if found:
            begun, ended, away = found[-1]
            between = seen[ended + 1 : first]
            absent = len(between) - between.sum()
            if between.sum() <= settings.join_s and (absent or len(between) <= settings.join_s):
                found[-1] = (begun, last, away or absent > settings.join_s)
                continue
        found.append((first, last, False))
    lasting = (span for span in found if span[1] - span[0] + 1 >= settings.min_s)
    return [span for span in lasting if np.nanmax(values[span[0] : span[1] + 1]) >= threshold]


def _reasons(scored: Scores, place: int, first: int, last: int, most: int = 3) -> list[str]:
    """Words for the cues that the autoencoders found worst explained, at most ``most``, the worst first."""
    at, second = scored.places.T
    inside = (at == place) & (second >= first) & (second <= last)
    shape = (int(inside.sum()), -1, len(CUES))
    worst = scored.scorer.contributions(scored.rows[inside]).reshape(shape).mean(axis=(0, 1))
    own = scored.made.values[place, first : last + 1]
    words: list[str] = []
    for cue in np.argsort(-worst):
        column = own[:, cue][np.isfinite(own[:, cue])]
        if not len(column) or len(words) == most:
            continue
        peak = column[np.abs(column).argmax()]
        name = list(CUES.values())[cue]
        word = name.high if peak > 0 else name.low
        if abs(peak) >= TELLING and word and word not in words:
            words.append(word)
    return words or ["an unusual mixture of small departures"]
