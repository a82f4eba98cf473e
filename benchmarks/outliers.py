"""Tables of outliers, the two usual protocols, and the peers that the scorer of unusual behaviour is measured against.

Peers run with the settings their authors ship. Of PyOD's VAE only ``capacity`` is changed: its default 0 multiplies the
KL term by zero, which leaves an autoencoder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

TRAIN_SHARE = 0.7
"""Of the rows, as ADBench splits (Han et al. 2022, section 3)."""

UNSUPERVISED, NORMAL_ONLY = "unsupervised", "normal rows only"
PROTOCOLS = (UNSUPERVISED, NORMAL_ONLY)

Scorer = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""(training rows, rows to score, seed) -> (n,) scores, higher is stranger. Rows are standardised."""


@dataclass(frozen=True)
class Split:
    """Rows to learn from, and rows to judge with their truth (1 is an outlier)."""

    train: np.ndarray
    test: np.ndarray
    truth: np.ndarray


def tables(folder: Path, most_rows: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, rows, truth) of each table, by its number; larger ones are thinned at random to ``most_rows``."""
    for path in sorted(folder.glob("*.npz"), key=lambda path: int(path.stem.partition("_")[0])):
        content = np.load(path)
        rows, truth = content["X"].astype(float), content["y"].astype(int)
        if len(rows) > most_rows:
            kept = np.sort(np.random.default_rng(0).permutation(len(rows))[:most_rows])
            rows, truth = rows[kept], truth[kept]
        yield path.stem.partition("_")[2], rows, truth


def split(rows: np.ndarray, truth: np.ndarray, protocol: str, seed: int) -> Split:
    """The same for every method.

    Unsupervised: 70 % of either kind to learn from without labels, the rest to judge (ADBench, Han et al. 2022).
    Normal rows only: half of the normal rows to learn from; the other half and every outlier to judge (Zong et al.
    2018, as used by Bergman & Hoshen 2020). Standardised by mean and deviation of the training rows.
    """
    random = np.random.default_rng(seed)
    normal, odd = (random.permutation(np.flatnonzero(truth == kind)) for kind in (0, 1))
    if protocol == UNSUPERVISED:
        cut = [round(len(normal) * TRAIN_SHARE), round(len(odd) * TRAIN_SHARE)]
    else:
        cut = [len(normal) // 2, 0]
    learn = random.permutation(np.concatenate([normal[: cut[0]], odd[: cut[1]]]))
    judge = np.concatenate([normal[cut[0] :], odd[cut[1] :]])
    deviation = rows[learn].std(axis=0)
    scaled = (rows - rows[learn].mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return Split(scaled[learn], scaled[judge], truth[judge])


def peers() -> dict[str, Scorer]:
    """PyOD's methods by name.

    Raises:
        ImportError: PyOD is not installed (extra ``dev``).
    """
    from pyod.models.ecod import ECOD
    from pyod.models.iforest import IForest
    from pyod.models.knn import KNN
    from pyod.models.ocsvm import OCSVM
    from pyod.models.pca import PCA
    from pyod.models.vae import VAE

    def vae(seed: int, width: int) -> object:
        return VAE(capacity=1.0, random_state=seed, latent_dim=min(2, width), verbose=0)

    makers: dict[str, Callable[[int, int], object]] = {
        "PyOD VAE": vae,
        "IsolationForest": lambda seed, width: IForest(random_state=seed),
        "kNN": lambda seed, width: KNN(),
        "ECOD": lambda seed, width: ECOD(),
        "PCA": lambda seed, width: PCA(random_state=seed),
        "OCSVM": lambda seed, width: OCSVM(),
    }

    def scorer(make: Callable[[int, int], object]) -> Scorer:
        def score(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
            return make(seed, train.shape[1]).fit(train).decision_function(test)  # type: ignore[attr-defined]

        return score

    return {name: scorer(make) for name, make in makers.items()}


def published(folder: Path, names: list[str]) -> pd.DataFrame:
    """AUROC per table as ADBench printed it (mean of its three seeds, no labels, no duplicates); PyOD's own beside it.

    The papers preprocess and split in their own ways, so these are for orientation.
    """
    adbench = pd.read_csv(folder / "adbench_auroc.csv", index_col=0)
    keys = adbench.index.str.extract(r"\('([A-Za-z0-9-]+)[^']*', ([\d.]+), \d+\)")
    unlabelled = adbench[(keys[1].astype(float) == 0).to_numpy()]
    by_name = unlabelled.groupby(keys[0][(keys[1].astype(float) == 0)].to_numpy()).mean()
    neural = pd.read_csv(folder / "pyod_auroc_neural.csv").set_index("Data")
    made = pd.DataFrame({column: [_of(by_name[column], name) for name in names] for column in by_name}, index=names)
    for column in ("AutoEncoder", "VAE"):
        made[f"PyOD {column}"] = [_of(neural[column].astype(float), name) for name in names]
    return made


def _of(column: pd.Series, name: str) -> float:
    plain = {re.sub(r"\W|_.*", "", str(key)).lower(): value for key, value in column.items()}
    return float(plain.get(re.sub(r"\W", "", name).lower(), np.nan))
