"""How well states are named: macro-F1, balanced accuracy, confusion, calibration; intervals over students."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks import common
from models.calibration import calibration_error, reliability
from models.states import UNSEEN

Interval = tuple[float, float, float]
RESAMPLES = 500
"""Of students; a figure is computed anew for each."""


def over_students(rows: pd.DataFrame, figure: Callable[[pd.DataFrame], float], by: str = "person") -> Interval:
    """A figure of all rows, with the 95 % percentile bootstrap interval over whole students (column ``by``)."""
    parts = [part for _, part in rows.groupby(by)]
    rng = np.random.default_rng(common.SEED)
    found = []
    for _ in range(RESAMPLES):
        value = figure(pd.concat([parts[i] for i in rng.integers(len(parts), size=len(parts))]))
        if np.isfinite(value):
            found.append(value)
    low, high = np.percentile(found, [2.5, 97.5]) if found else (float("nan"),) * 2
    return figure(rows), float(low), float(high)


def f1_by_state(rows: pd.DataFrame, states: Sequence[str]) -> dict[str, float]:
    """F1 of each state that is in the truth; an unseen second is a miss."""
    truth, said = rows["truth"].to_numpy(), rows["state"].to_numpy()
    scores = {}
    for state in states:
        if (truth == state).any():
            hit = int(((truth == state) & (said == state)).sum())
            scores[state] = 2 * hit / int((truth == state).sum() + (said == state).sum())
    return scores


def macro_f1(rows: pd.DataFrame, states: Sequence[str]) -> float:
    """Mean of ``f1_by_state``."""
    return float(np.mean(list(f1_by_state(rows, states).values())))


def balanced_accuracy(rows: pd.DataFrame, states: Sequence[str]) -> float:
    """Mean over the states of the share of its seconds that are named right."""
    return float(np.mean([(part["state"] == name).mean() for name, part in rows.groupby("truth") if name in states]))


def named(rows: pd.DataFrame, states: Sequence[str], by: str = "person") -> dict[str, Any]:
    """All figures of labelled seconds (columns ``truth``, ``state``, ``p_<state>``, ``coverage`` and ``by``)."""
    seen = rows[rows["state"] != UNSEEN]
    confidence = seen[[f"p_{state}" for state in states]].max(axis=1).to_numpy(float)
    right = (seen["state"] == seen["truth"]).to_numpy()
    table = pd.crosstab(rows["truth"], rows["state"]).reindex(
        index=list(states), columns=[*states, UNSEEN], fill_value=0
    )
    return {
        "seconds": len(rows),
        "people": int(rows[by].nunique()),
        "macro_f1": over_students(rows, lambda part: macro_f1(part, states), by),
        "balanced_accuracy": over_students(rows, lambda part: balanced_accuracy(part, states), by),
        "accuracy": over_students(rows, lambda part: float((part["state"] == part["truth"]).mean()), by),
        "f1": f1_by_state(rows, states),
        "confusion": table.to_numpy().tolist(),
        "ece": calibration_error(confidence, right),
        "reliability": reliability(confidence, right),
        "unseen": float((rows["state"] == UNSEEN).mean()),
        "curve": coverage_curve(confidence, right, len(rows)),
    }


def coverage_curve(confidence: np.ndarray, right: np.ndarray, count: int) -> list[tuple[float, float, float]]:
    """Least confidence, share of all seconds answered, share of the answers right."""
    points = []
    for least in (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        kept = confidence >= least
        if kept.any():
            points.append((least, float(kept.sum() / count), float(right[kept].mean())))
    return points


def auc(rows: pd.DataFrame, score: str, truth: str) -> float:
    """Area under the ROC curve, NaN where only one kind is there."""
    return float(roc_auc_score(rows[truth], rows[score])) if rows[truth].nunique() == 2 else float("nan")


def print_named(title: str, figures: dict[str, Any], states: Sequence[str]) -> None:
    """The main line, F1 and confusion of one set."""
    common.say(
        f"\n{title}: {figures['seconds']} seconds of {figures['people']} people; macro-F1"
        f" {common.with_interval(figures['macro_f1'])}, balanced accuracy"
        f" {common.with_interval(figures['balanced_accuracy'])}, accuracy {common.with_interval(figures['accuracy'])},"
        f" ECE {figures['ece']:.3f}, unseen {figures['unseen']:.1%}"
    )
    rows = [
        [name, f"{figures['f1'].get(name, float('nan')):.2f}", *counts]
        for name, counts in zip(states, figures["confusion"], strict=True)
    ]
    common.print_table("truth by row, answer by column", ["state", "F1", *states, UNSEEN], rows)


def print_calibration(title: str, figures: dict[str, Any]) -> None:
    """Reliability, and accuracy against the share answered."""
    common.print_table(
        f"{title}: reliability (ECE {figures['ece']:.3f})",
        ["confidence", "right", "seconds"],
        [[f"{mean:.2f}", f"{share:.2f}", n] for mean, share, n in figures["reliability"]],
    )
    common.print_table(
        f"{title}: accuracy against coverage",
        ["least confidence", "answered", "right"],
        [[least, f"{answered:.0%}", f"{right:.3f}"] for least, answered, right in figures["curve"]],
    )
