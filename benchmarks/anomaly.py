"""The scorer of unusual behaviour beside its peers on labelled tables of outliers.

Takes half an hour for 5 seeds; ``--parts`` tells instead what each kind of witness is worth, in two minutes. With
``--figures FILE`` every figure is kept as it is made, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.common import RESAMPLES, SEED, parser, print_machine, print_table, say, with_interval, write_json
from benchmarks.outliers import NORMAL_ONLY, PROTOCOLS, UNSUPERVISED, Scorer, peers, published, split, tables
from models.scorer import BOUND, LATENT, NEIGHBOURS
from models.scorer import Scorer as Ours

OURS = "ours"
KEYS = ["table", "protocol", "seed", "method"]


def ours(train: np.ndarray, test: np.ndarray, seed: int, trusted: bool) -> np.ndarray:
    """The shipped scorer; whether its rows are known to be ordinary is what tells the protocols apart."""
    return Ours(trusted=trusted, seed=seed).fit(train).score(test)


def measure(folder: Path, seeds: int, most_rows: int, kept: Path | None) -> pd.DataFrame:
    """AUROC, AUCPR and seconds of every method on every split."""
    rivals = peers()
    done: list[dict[str, object]] = []
    if kept is not None and kept.exists():
        done = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    have = {tuple(row[key] for key in KEYS) for row in done}
    for seed in range(seeds):
        for name, rows, truth in tables(folder, most_rows):
            for protocol in PROTOCOLS:
                part = split(rows, truth, protocol, seed)

                def shipped(train: np.ndarray, test: np.ndarray, seed: int, protocol: str = protocol) -> np.ndarray:
                    return ours(train, test, seed, protocol == NORMAL_ONLY)

                methods: dict[str, Scorer] = {OURS: shipped, **rivals}
                for method, scorer in methods.items():
                    if (name, protocol, seed, method) in have:
                        continue
                    start = time.perf_counter()
                    scores = np.nan_to_num(scorer(part.train, part.test, seed))
                    row: dict[str, object] = dict(zip(KEYS, (name, protocol, seed, method), strict=True)) | {
                        "auroc": float(roc_auc_score(part.truth, scores)),
                        "aucpr": float(average_precision_score(part.truth, scores)),
                        "seconds": time.perf_counter() - start,
                    }
                    done.append(row)
                    if kept is not None:
                        with kept.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(row) + "\n")
    return pd.DataFrame(done)


def mean_interval(by_table: np.ndarray) -> tuple[float, float, float]:
    """Mean over tables and its 95 % bootstrap interval, tables drawn with all their seeds.

    ``by_table``: (tables, seeds). Tables are what would differ elsewhere; seeds of one table are not independent.
    """
    chosen = np.random.default_rng(SEED).integers(len(by_table), size=(RESAMPLES, len(by_table)))
    low, high = np.percentile(by_table.mean(axis=1)[chosen].mean(axis=1), [2.5, 97.5])
    return float(by_table.mean()), float(low), float(high)


def report(figures: pd.DataFrame, folder: Path) -> None:
    """The tables of ``docs/benchmarks.md``."""
    methods = list(dict.fromkeys(figures["method"]))
    names = list(dict.fromkeys(figures["table"]))
    for protocol, rows in figures.groupby("protocol", sort=False):
        lines = []
        wide = {
            measure: rows.pivot_table(index=["method", "table"], columns="seed", values=measure)
            for measure in ("auroc", "aucpr")
        }
        for method in methods:
            auroc, aucpr = (wide[measure].loc[method].to_numpy() for measure in ("auroc", "aucpr"))
            gain = mean_interval(wide["auroc"].loc[OURS].to_numpy() - auroc)
            seconds = rows.loc[rows["method"] == method, "seconds"].mean()
            cells = [with_interval(mean_interval(values)) for values in (auroc, aucpr)]
            lines.append([method, *cells, "" if method == OURS else with_interval(gain), f"{seconds:.1f}"])
        print_table(
            f"{protocol}: means over {len(names)} tables and {rows['seed'].nunique()} seeds",
            ["method", "AUROC", "AUCPR", "ours above it (AUROC)", "s per fit"],
            lines,
        )
        by_table = rows.pivot_table(index="table", columns="method", values="auroc").loc[names, methods]
        print_table(
            f"{protocol}: AUROC by table",
            ["table", *methods],
            [[name, *(f"{value:.3f}" for value in by_table.loc[name])] for name in names],
        )
    others = published(folder, names)
    print_table(
        "Published AUROC, unsupervised (ADBench: mean of its seeds; PyOD's own where it lists the table)",
        ["table", *others.columns],
        [[name, *("" if np.isnan(value) else f"{value:.3f}" for value in others.loc[name])] for name in names]
        + [["mean of those listed", *(f"{value:.3f}" for value in others.mean())]],
    )


def parts(folder: Path, most_rows: int) -> dict[str, dict[str, float]]:
    """Mean AUROC over tables of the witnesses alone and joined, on the first split; by protocol."""
    found: dict[str, dict[str, float]] = {}
    for protocol in PROTOCOLS:
        by_table = []
        for _, rows, truth in tables(folder, most_rows):
            part = split(rows, truth, protocol, 0)
            scorer = Ours(trusted=protocol == NORMAL_ONLY).fit(part.train)
            told = scorer.witnesses(part.test)
            scores = {
                BOUND: told[BOUND],
                LATENT: told[LATENT],
                "both": told[BOUND] + told[LATENT],
                NEIGHBOURS: told[NEIGHBOURS],
                "all, as shipped": scorer.score(part.test),
            }
            by_table.append({name: float(roc_auc_score(part.truth, one)) for name, one in scores.items()})
        found[protocol] = pd.DataFrame(by_table).mean().to_dict()
    return found


def main() -> None:
    """Print the tables."""
    made = parser(__doc__)
    made.add_argument("--seeds", type=int, default=5, help="splits of each table (default: 5)")
    made.add_argument("--most-rows", type=int, default=20_000, help="larger tables are thinned to so many rows")
    made.add_argument("--figures", type=Path, metavar="FILE", help="keep figures as they are made, and go on from them")
    made.add_argument("--parts", action="store_true", help="only what each kind of witness is worth, first split")
    given = made.parse_args()
    warnings.filterwarnings("ignore")
    print_machine()
    folder = given.data / "anomaly"
    if not folder.is_dir():
        say(f"{folder}: not there, so nothing is measured")
        return
    if given.parts:
        worth = parts(folder, given.most_rows)
        lines = [[name, *(f"{worth[protocol][name]:.3f}" for protocol in PROTOCOLS)] for name in worth[UNSUPERVISED]]
        print_table("Mean AUROC of the witnesses, first split of each table", ["witness", *PROTOCOLS], lines)
        write_json(given.json, {"parts": worth})
        return
    figures = measure(folder, given.seeds, given.most_rows, given.figures)
    report(figures, folder)
    write_json(given.json, {"outliers": figures.to_dict("records")})


if __name__ == "__main__":
    main()
