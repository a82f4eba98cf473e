"""Generators side by side: how real, how varied and how true to the class their pictures are, and what they cost.

All learn from the same 32 px pictures of students of two rooms and are judged in the features of the behaviour
classifier that learned from the same rooms. No picture of a real person is shown; the sheet of synthetic ones
(``--grid``) is to look at and stays where it is.

Run: ``python -m benchmarks.generators``; ``benchmarks.rooms`` comes first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks import common
from benchmarks.drawing import WAYS, autoencoder, diffusion, drawn
from benchmarks.synthesis import PX, Fold, arguments, features, likeliest
from models.augment import Gate
from models.grids import write_grid
from models.yolo import BEHAVIOURS

COUNT = 128
"""Pictures drawn by each generator, in the training set's shares of the classes, each class at least once."""

REFERENCE = 1500
NEAREST = 5
"""k of the recall (Kynkäänniemi et al. 2019, section 2)."""

SUBSETS = 200
KNOWN = ("cVAE", *WAYS)
GENERATORS = ("autoencoder", "VAE", *KNOWN)
SHOWN = 14


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """Squared MMD with the kernel (x·y / d + 1)³, unbiased: 0 on the mean for equal distributions (Bińkowski et al.
    2018, equations 3 and 4), times 1000.
    """
    wide = x.shape[1]

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / wide + 1).pow(3)

    own, other = kernel(x, x), kernel(y, y)
    n, m = len(x), len(y)
    within = (own.sum() - own.diagonal().sum()) / (n * (n - 1)) + (other.sum() - other.diagonal().sum()) / (m * (m - 1))
    return 1000 * float(within - 2 * kernel(x, y).mean())


def distance_interval(x: Tensor, reference: Tensor) -> tuple[float, float, float]:
    """``kernel_distance`` with an interval over halves of x: subsamples, since repeated rows would bias it."""
    random = torch.Generator().manual_seed(common.SEED)
    half = len(x) // 2
    many = [kernel_distance(x[torch.randperm(len(x), generator=random)[:half]], reference) for _ in range(SUBSETS)]
    middle = kernel_distance(x, reference)
    # the deviation of a mean over n is that over n / 2 drawn from n without putting back (Politis et al. 1999, 2.2)
    wide = 1.96 * float(np.std(many))
    return middle, middle - wide, middle + wide


def recall(made: Tensor, real: Tensor) -> float:
    """Share of real pictures within reach of the made ones: nearer to one than its k-th nearest made neighbour."""
    reach = torch.cdist(made, made).topk(min(NEAREST + 1, len(made)), largest=False).values[:, -1]
    return float((torch.cdist(real, made) <= reach).any(dim=1).float().mean())


def labels_like(labels: Tensor) -> Tensor:
    """(about ``COUNT``,) classes in the shares of the given ones."""
    share = torch.bincount(labels, minlength=len(BEHAVIOURS)) / len(labels) * COUNT
    return torch.cat([torch.full((max(1, round(float(n))) if n else 0,), i) for i, n in enumerate(share)])


def of(distance: Tensor) -> dict[str, float]:
    """5, 50 and 95 % of distances, in grey levels of 255."""
    low, middle, high = (255 * distance.quantile(torch.tensor([0.05, 0.5, 0.95]))).tolist()
    return {"low": low, "middle": middle, "high": high}


def main() -> None:
    """Train and draw what is missing, then print both tables."""
    parser = arguments(__doc__)
    parser.add_argument("--room", default="C", help="room that nothing learned from")
    parser.add_argument("--grid", type=Path, help="PNG of synthetic pictures, a row per generator")
    args = parser.parse_args()
    common.print_machine()
    fold = Fold(args.data, args.classifiers, args.work, args.room)
    args.work.mkdir(parents=True, exist_ok=True)
    small, near, network = fold.train(PX), fold.near(PX), fold.classifier()
    test, _ = fold.test()
    asked = labels_like(small.labels)
    order = torch.randperm(len(small.x), generator=torch.Generator().manual_seed(common.SEED))
    reference = features(network, small.x[order[:REFERENCE]])
    rest = order[REFERENCE : REFERENCE + len(asked)]
    gate = Gate(small.x, lambda x: likeliest(network, x))
    elsewhere = functional.interpolate(test.x, size=PX, mode="area")
    real = {
        "real, other pictures of the training set (noise floor)": (small.x[rest], small.labels[rest]),
        "real, same rooms moments apart": (near.x, near.labels),
        "real, a room never seen": (elsewhere, test.labels),
    }
    rows: dict[str, dict[str, Any]] = {}
    for name, (x, labels) in real.items():
        seen = features(network, x)
        chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[: len(asked)]
        rows[name] = {
            "kernel_distance": distance_interval(seen[chosen], reference),
            "recall": recall(seen[chosen], reference),
            "agreement": float((likeliest(network, x) == labels).float().mean()),
        }
        if "noise floor" not in name:
            rows[name]["nearest"] = of(gate.distances(x)[0])
            rows[name]["copies"] = float((gate.distances(x)[0] <= gate.limit).float().mean())
    sheets = []
    for name in GENERATORS:
        x, seconds = drawn(fold, name, asked, "compare")
        seen, (distance, _) = features(network, x), gate.distances(x)
        rows[name] = {
            "kernel_distance": distance_interval(seen, reference),
            "recall": recall(seen, reference),
            "agreement": float((likeliest(network, x) == asked).float().mean()) if name in KNOWN else None,
            "seconds_per_100": 100 * seconds / len(x),
            "parameters": _parameters(fold, name),
            "nearest": of(distance),
            "copies": float((distance <= gate.limit).float().mean()),
        }
        sheets.append(x[torch.linspace(0, len(x) - 1, SHOWN).long()])
    common.print_table(
        f"{len(asked)} pictures of {PX} px each; features of the classifier without room {args.room}",
        ["generator", "kernel distance", "recall", "class agreement", "s per 100", "parameters"],
        [
            [
                name,
                common.with_interval(row["kernel_distance"], 1),
                f"{row['recall']:.2f}",
                "–" if row["agreement"] is None else f"{row['agreement']:.2f}",
                f"{row['seconds_per_100']:.1f}" if "seconds_per_100" in row else "",
                f"{row['parameters'] / 1e6:.2f} M" if "parameters" in row else "",
            ]
            for name, row in rows.items()
        ],
    )
    own = of(gate.own)
    common.print_table(
        "Distance to the nearest training picture or its mirror image, in grey levels (root mean square)",
        ["from", "5 %", "median", "95 %", "within the copy limit"],
        [["training set, to the nearest other", *(f"{own[k]:.1f}" for k in own), "0.50"]]
        + [
            [name, *(f"{row['nearest'][k]:.1f}" for k in row["nearest"]), f"{row['copies']:.3f}"]
            for name, row in rows.items()
            if "nearest" in row
        ],
    )
    if args.grid is not None:
        write_grid(args.grid, torch.cat(sheets), SHOWN)
        common.say(f"{args.grid}: a row each of {', '.join(GENERATORS)}")
    common.write_json(args.json, {"room": args.room, "rows": rows, "own": own, "limit": 255 * gate.limit})


def _parameters(fold: Fold, name: str) -> int:
    if name in WAYS:
        return diffusion(fold, WAYS[name][0]).parameters()
    if name == "VAE":
        codec: Any = diffusion(fold, "latent").codec
        model: Any = codec.vae
    else:
        model = autoencoder(fold, "conditional" if name == "cVAE" else name)
    return sum(parameter.numel() for parameter in model.parameters())


if __name__ == "__main__":
    main()
