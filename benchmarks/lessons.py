"""Rare poses and actions in real lessons as anomalies: the scorer beside its peers on windows of seated students.

Twice: from where and how large a box is alone, and with pose and action beside it. The second is the easier, since
what is to be found (who stands, walks, turns around, sleeps) is then among the inputs, though no method is told which
of them is meant. Boxes of following frames are linked by overlap.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import average_precision_score, roc_auc_score
from torchvision.ops import box_iou

from benchmarks.anomaly import OURS, mean_interval, ours
from benchmarks.common import parser, print_machine, print_table, say, with_interval, write_json
from benchmarks.outliers import peers

RARE_POSES, RARE_ACTIONS = ("stand up", "walk", "turn around"), ("sleep",)
LEAST_OVERLAP = 0.3
LEAST_FRAMES = 5
COLUMNS = ["method", "AUROC", "AUCPR", "s per fit"]
MOST_ROWS = 8000
"""Of the windows to learn from, and of those to judge; the same for every method."""


def _overlap(one: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """Intersection over union (n, m)."""
    corners = [torch.from_numpy(rows[list("abcd")].to_numpy(float)) for rows in (one, other)]
    return box_iou(*corners).numpy()


def linked(boxes: pd.DataFrame) -> pd.Series:
    """A number per row: the same for boxes of one video that overlap from frame to frame."""
    names = np.full(len(boxes), -1)
    count = 0
    for _, video in boxes.groupby("video", sort=False):
        before: np.ndarray = np.zeros(0, int)
        for _, rows in video.groupby("frame"):
            places = boxes.index.get_indexer(rows.index)
            if len(before):
                overlap = _overlap(boxes.iloc[before], rows)
                for one, other in zip(*linear_sum_assignment(-overlap), strict=True):
                    if overlap[one, other] >= LEAST_OVERLAP:
                        names[places[other]] = names[before[one]]
            new = places[names[places] < 0]
            names[new] = np.arange(count, count + len(new))
            count += len(new)
            before = places
    return pd.Series(names, boxes.index)


def windows_of(students: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Windows of three frames (n, 15), labels of the middle one (n, k), whether one is rare (n,), its video (n,)."""
    boxes = students.rename(columns={"x1": "a", "y1": "b", "x2": "c", "y2": "d"}).reset_index(drop=True)
    boxes["link"] = linked(boxes)
    boxes = boxes[boxes.groupby("link")["link"].transform("size") >= LEAST_FRAMES].sort_values(["link", "frame"])
    height, width = boxes["d"] - boxes["b"], boxes["c"] - boxes["a"]
    cues = pd.DataFrame(
        {"x": (boxes["a"] + boxes["c"]) / 2, "y": boxes["b"], "h": np.log(height), "w": np.log(width)}, boxes.index
    )
    usual = cues.groupby(boxes["link"]).transform("median")
    scale = np.exp(usual["h"])
    cues = cues - usual
    cues[["x", "y"]] = cues[["x", "y"]].div(scale, axis=0)
    step = cues.groupby(boxes["link"]).diff()
    cues["speed"] = np.hypot(step["x"], step["y"])
    by_link = cues.groupby(boxes["link"])
    rows = np.hstack([by_link.shift(1).to_numpy(), cues.to_numpy(), by_link.shift(-1).to_numpy()])
    rare = boxes["pose"].isin(RARE_POSES) | boxes["action"].isin(RARE_ACTIONS)
    labels = pd.get_dummies(boxes[["pose", "action"]], dtype=float).to_numpy()
    return np.nan_to_num(rows), labels, rare.to_numpy(int), boxes["video"].to_numpy()


def measure(
    rows: np.ndarray, rare: np.ndarray, video: np.ndarray, seeds: int, only: list[str] | None = None
) -> list[dict[str, Any]]:
    """AUROC, AUCPR and seconds of each method, or of those named by ``only``.

    Half of the lessons are learned from, windows of the others judged.
    """
    found = []
    lessons = np.unique(video)
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        first = np.isin(video, random.permutation(lessons)[: len(lessons) // 2])
        learn, judge = (random.permutation(np.flatnonzero(half))[:MOST_ROWS] for half in (first, ~first))
        deviation = rows[learn].std(axis=0)
        scaled = (rows - rows[learn].mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
        known = {OURS: lambda train, test, seed: ours(train, test, seed, trusted=False), **peers()}
        for name, scorer in known.items():
            if only and name not in only:
                continue
            start = time.perf_counter()
            scores = np.nan_to_num(scorer(scaled[learn], scaled[judge], seed))
            found.append(
                {
                    "method": name,
                    "seed": seed,
                    "auroc": float(roc_auc_score(rare[judge], scores)),
                    "aucpr": float(average_precision_score(rare[judge], scores)),
                    "seconds": time.perf_counter() - start,
                }
            )
    return found


def report(title: str, figures: pd.DataFrame) -> None:
    """One table; the interval is over seeds, that is ways to part the lessons."""
    lines = []
    for name, own in figures.groupby("method", sort=False):
        cells = [with_interval(mean_interval(own[measure].to_numpy()[:, None])) for measure in ("auroc", "aucpr")]
        lines.append([name, *cells, f"{own['seconds'].mean():.1f}"])
    print_table(f"Rare poses and actions from {title}, lessons never learned from", COLUMNS, lines)


def main() -> None:
    """Print the table."""
    made = parser(__doc__)
    made.add_argument("--seeds", type=int, default=5, help="ways to part the lessons into halves (default: 5)")
    made.add_argument("--methods", nargs="+", metavar="NAME", help="only these, e.g. ours (default: all)")
    given = made.parse_args()
    warnings.filterwarnings("ignore")
    print_machine()
    path = given.data / "fineedu" / "students.parquet"
    if not path.is_file():
        say(f"{path}: not there, so nothing is measured")
        return
    places, labels, rare, video = windows_of(pd.read_parquet(path))
    say(f"{len(places)} windows of {len(np.unique(video))} lessons, {rare.mean():.1%} with a rare label")
    figures = {}
    for title, rows in (("places alone", places), ("places, pose and action", np.hstack([places, labels]))):
        figures[title] = measure(rows, rare, video, given.seeds, given.methods)
        report(title, pd.DataFrame(figures[title]))
    write_json(given.json, {"lessons": figures})


if __name__ == "__main__":
    main()
