"""Do synthetic pictures help the behaviour classifier with scarce behaviours in a room never seen?

The classifier of each fold (``benchmarks.rooms``) stays as it is but for its last layer, which is trained anew for each
rival: seconds instead of minutes, so that all of them meet on the same seeds. What synthetic pictures could do for the
layers below is not measured. Each rival that adds samples adds the same number. Every real training picture counts
twice, as it is and as coarse as what the generators draw, so that coarseness is no sign of a class. Test pictures are
real, of the room left out, at the classifier's own resolution (and coarse ones beside).

Run: ``python -m benchmarks.augmentation``; ``benchmarks.rooms`` comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks import common
from benchmarks.drawing import drawn
from benchmarks.rivals import CHEAP, MADE, Ready, train_head
from benchmarks.synthesis import PX, Fold, arguments, features, likeliest, read_fold
from models.augment import LEAST, Gate
from models.yolo import BEHAVIOURS

TAIL = ("stand", "discuss", "write")
MOST = 20
"""Samples added to a class at most, and never more than there are real ones."""

CANDIDATES = 2
"""Samples drawn for each one to be added: the gate refuses some."""

RESAMPLES = 2000


def wanted_samples(fold: Fold) -> dict[int, int]:
    """How many samples each scarce class gets."""
    counts = fold.train.counts
    return {BEHAVIOURS.index(name): min(counts[name], MOST) for name in TAIL if counts[name] >= LEAST}


def prepare(fold: Fold, work: Any) -> Ready:
    """Draw, judge, and turn all into features; features of real pictures are kept in ``work``."""
    wanted = wanted_samples(fold)
    asked = torch.cat([torch.full((CANDIDATES * count,), label) for label, count in wanted.items()])
    gate = Gate(fold.train_small.x, lambda x: likeliest(fold.classifier, x))
    pools, told = {}, {}
    for way in MADE:
        x, _ = drawn(fold, work, way, asked, "augment")
        verdict = gate.judge(x, asked)
        pools[way] = (features(fold.classifier, x[verdict.passed]), asked[verdict.passed])
        told[way] = {
            BEHAVIOURS[label]: {
                "drawn": int((asked == label).sum()),
                "another class": int(((asked == label) & ~verdict.agreed).sum()),
                "copies": int(((asked == label) & verdict.agreed & verdict.copied).sum()),
                "passed": int(((asked == label) & verdict.passed).sum()),
            }
            for label in wanted
        }
    file = work / f"features-without-{fold.room}.pt"
    if not file.is_file():
        parts = (fold.train.x, fold.train_small.x, fold.test.x, coarse(fold.test.x))
        torch.save([features(fold.classifier, part) for part in parts], file)
    train, small, test, far = torch.load(file, weights_only=True)
    labels = fold.train.labels
    return Ready(
        torch.cat([train, small]), labels.repeat(2), wanted, pools, told, test, far, fold.test.labels, fold.frames
    )


def coarse(pictures: Tensor) -> Tensor:
    """As coarse as what the generators draw."""
    return functional.interpolate(pictures, size=PX, mode="area")


# judging


def by_frame(said: Tensor, ready: Ready) -> np.ndarray:
    """(frames, 7, 7) how often each behaviour, in rows, was taken for which."""
    table = np.zeros((ready.frames.max() + 1, len(BEHAVIOURS), len(BEHAVIOURS)))
    np.add.at(table, (ready.frames, ready.truth.numpy(), said.numpy()), 1)
    return table


def f1(table: np.ndarray) -> np.ndarray:
    """(..., 7) F1 of (..., 7, 7) confusions; NaN for what does not occur."""
    hit = np.diagonal(table, axis1=-2, axis2=-1)
    there = table.sum(axis=-1)
    with np.errstate(all="ignore"):
        value = 2 * hit / (there + table.sum(axis=-2))
    return np.where(there > 0, value, np.nan)


def measures(table: np.ndarray) -> dict[str, np.ndarray]:
    """Tail F1, macro-F1 and F1 of the scarce behaviours."""
    each = f1(table)
    tail = [BEHAVIOURS.index(name) for name in TAIL]
    made = {"tail": np.nanmean(each[..., tail], axis=-1), "macro": np.nanmean(each, axis=-1)}
    return made | {name: each[..., BEHAVIOURS.index(name)] for name in TAIL}


def resampled(tables: list[np.ndarray], seeds: int) -> dict[str, np.ndarray]:
    """(``RESAMPLES``,) of each measure: frames drawn anew within each room, and a seed; the same draws for all rivals.

    Args:
        tables: per room, (seeds, frames, 7, 7).
        seeds: how many.
    """
    random = np.random.default_rng(common.SEED)
    which = random.integers(seeds, size=RESAMPLES)
    total = np.zeros((RESAMPLES, len(BEHAVIOURS), len(BEHAVIOURS)))
    for room in tables:
        frames = room.shape[1]
        times = np.stack([np.bincount(d, minlength=frames) for d in random.integers(frames, size=(RESAMPLES, frames))])
        flat = room.reshape(seeds, frames, -1)
        for seed in range(seeds):
            total[which == seed] += (times[which == seed] @ flat[seed]).reshape(-1, *room.shape[2:])
    return measures(total)


def compare(readies: list[Ready], seeds: int) -> dict[str, Any]:
    """Figures of every rival."""
    figures: dict[str, Any] = {}
    draws: dict[str, dict[str, np.ndarray]] = {}
    for rival in (*CHEAP, *MADE):
        tables = {"own": [[] for _ in readies], "coarse": [[] for _ in readies]}  # type: ignore[var-annotated]
        for seed in range(seeds):
            for place, ready in enumerate(readies):
                head = train_head(ready, rival, seed)
                with torch.no_grad():
                    tables["own"][place].append(by_frame(head(ready.test).argmax(dim=1), ready))
                    tables["coarse"][place].append(by_frame(head(ready.coarse).argmax(dim=1), ready))
        own = [np.stack(room) for room in tables["own"]]
        far = [np.stack(room) for room in tables["coarse"]]
        draws[rival] = resampled(own, seeds)
        whole = measures(sum(room.sum(axis=1) for room in own))  # type: ignore[arg-type]
        figures[rival] = {
            **{name: _interval(float(value.mean()), draws[rival][name]) for name, value in whole.items()},
            "seeds": [float(value) for value in whole["tail"]],
            "coarse_tail": float(measures(sum(room.sum(axis=1) for room in far))["tail"].mean()),  # type: ignore[arg-type]
            "rooms": [float(measures(room.sum(axis=1))["macro"].mean()) for room in own],
        }
        tail = common.with_interval(figures[rival]["tail"])
        common.say(f"{rival}: tail F1 {tail}")
    best = max(CHEAP, key=lambda rival: figures[rival]["tail"][0])
    for rival, told in figures.items():
        ahead = draws[rival]["tail"] - draws[best]["tail"]
        told["ahead"] = _interval(told["tail"][0] - figures[best]["tail"][0], ahead)
    return {"rivals": figures, "best_cheap": best}


def _interval(value: float, drawn_anew: np.ndarray) -> tuple[float, float, float]:
    low, high = np.nanpercentile(drawn_anew, [2.5, 97.5])
    return value, float(low), float(high)


def main() -> None:
    """Train and draw what is missing, then print the tables."""
    parser = arguments(__doc__)
    parser.add_argument("--rooms", nargs="+", default=["A", "B", "C"], help="rooms to leave out in turn")
    parser.add_argument("--seeds", type=int, default=5, help="times the last layer is trained")
    parser.add_argument("--prepare", action="store_true", help="only train and draw what is missing")
    args = parser.parse_args()
    common.print_machine()
    readies = []
    for room in args.rooms:
        fold = read_fold(args.data, args.classifiers, args.work, room)
        readies.append(prepare(fold, args.work))
        common.say(f"without {room}: {fold.train.counts}; judged on {fold.test.counts}")
    if args.prepare:
        return
    figures = compare(readies, args.seeds)
    best = figures["best_cheap"]
    show: Callable[[Any], str] = common.with_interval
    common.print_table(
        f"Rooms left out, {args.seeds} seeds (tail: {', '.join(TAIL)}; ahead: of {best}, best without a generator)",
        ["rival", "tail F1", "ahead", *TAIL, "macro-F1", "by room", "tail F1, coarse"],
        [
            [rival, show(f["tail"]), show(f["ahead"])]
            + [f"{f[name][0]:.3f}" for name in TAIL]
            + [show(f["macro"]), " ".join(f"{value:.3f}" for value in f["rooms"]), f"{f['coarse_tail']:.3f}"]
            for rival, f in figures["rivals"].items()
        ],
    )
    gates = {room: ready.told for room, ready in zip(args.rooms, readies, strict=True)}
    common.print_table(
        "The gate: drawn, of another class, copies, passed",
        ["way", *(f"without {room}, {name}" for room in args.rooms for name in gates[room]["cVAE"])],
        [
            [way, *(" ".join(map(str, told.values())) for room in args.rooms for told in gates[room][way].values())]
            for way in MADE
        ],
    )
    common.write_json(args.json, {**figures, "gates": gates, "seeds": args.seeds})


if __name__ == "__main__":
    main()
