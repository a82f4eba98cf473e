"""How often the report's 95% intervals hold the truth, on simulated lectures whose truth is known.

Each lecture is a class of students whose engagement drifts around a level of their own; part of the drift is shared by
the class. The truth is the mean over infinitely many such lectures of the same students.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from benchmarks import common
from models.states import State
from reports.formula import CLASS, class_engagement, summary_interval

LECTURES = 400
SHARED = 0.3
"""Of the variance of a student's drift, the part that all students have in common."""

ENDS = State.DISCUSSING, State.DISTRACTED
"""Of a student's probability between them: the weights 1 and 0 make it the index itself."""


KINDS = ((10, 12, 15), (10, 12, 60), (30, 12, 15), (50, 12, 15), (50, 12, 60), (50, 30, 15), (90, 30, 60))
"""Minutes, students, seconds within which a drift is forgotten."""


def drift(rng: np.random.Generator, seconds: int, series: int, memory_s: float) -> np.ndarray:
    """(seconds, series) stationary, of variance 1, forgetting within ``memory_s``."""
    keep = np.exp(-1 / memory_s)
    noise = rng.normal(0, np.sqrt(1 - keep**2), (seconds, series))
    noise[0] = rng.normal(size=series)
    return lfilter([1], [1, -keep], noise, axis=0)


def lecture(rng: np.random.Generator, levels: np.ndarray, seconds: int, memory_s: float) -> pd.DataFrame:
    """A states table; a fifth of the time is unseen."""
    students = len(levels)
    own, shared = drift(rng, seconds, students, memory_s), drift(rng, seconds, 1, memory_s)
    index = 1 / (1 + np.exp(-(levels + np.sqrt(1 - SHARED) * own + np.sqrt(SHARED) * shared)))
    coverage = np.where(drift(rng, seconds, students, 10.0) < -0.84, 0.0, 1.0)
    names = {state.value: np.zeros(index.size) for state in State}
    names[ENDS[0].value], names[ENDS[1].value] = index.ravel(), 1 - index.ravel()
    return pd.DataFrame(
        {
            "t": np.repeat(np.arange(seconds, dtype=float), students),
            "student": np.tile(np.arange(1, students + 1), seconds),
            "coverage": coverage.ravel(),
        }
        | {f"p_{name}": values for name, values in names.items()}
    )


def held(minutes: int, students: int, memory_s: float, lectures: int) -> tuple[float, float]:
    """Share of lectures whose interval holds the truth, and the mean width of an interval."""
    rng = np.random.default_rng(0)
    levels = rng.normal(0.5, 0.5, students)
    truth = float((1 / (1 + np.exp(-(levels + rng.normal(size=(200_000, 1)))))).mean())
    inside, widths = 0, []
    for _ in range(lectures):
        table = class_engagement(lecture(rng, levels, 60 * minutes, memory_s)).assign(scope=CLASS)
        low, high = summary_interval(table)
        inside += low <= truth <= high
        widths.append(high - low)
    return inside / lectures, float(np.mean(widths))


def main() -> None:
    """Simulate and print the table."""
    parser = common.parser(__doc__)
    parser.add_argument("--lectures", type=int, default=LECTURES, help=f"of each kind (default: {LECTURES})")
    args = parser.parse_args()
    common.print_machine()
    figures = []
    for minutes, students, memory_s in KINDS:
        share, width = held(minutes, students, memory_s, args.lectures)
        figures.append({"minutes": minutes, "students": students, "memory_s": memory_s, "held": share, "width": width})
    columns = ["lecture", "students", "the class remembers for", "intervals that hold the truth", "mean width"]
    rows = [
        [f"{f['minutes']} min", f["students"], f"{f['memory_s']} s", f"{f['held']:.1%}", f"{f['width']:.3f}"]
        for f in figures
    ]
    common.print_table(f"{args.lectures} simulated lectures of each kind", columns, rows)
    common.write_json(args.json, {"lectures": args.lectures, "intervals": figures})


if __name__ == "__main__":
    main()
