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

from benchmarks import common
from benchmarks.drawing import drawn
from benchmarks.rivals import BOTH, CHEAP, MADE, TAIL, WITH_WEIGHTS, Pool, Ready, ready, train_head
from benchmarks.synthesis import PX, Fold, arguments, features, likeliest
from models.augment import Gate
from models.yolo import BEHAVIOURS

CANDIDATES = 2
"""Samples drawn for each one to be added: the gate refuses some."""

RESAMPLES = 2000


def pool_of(fold: Fold, way: str, wanted: dict[int, int]) -> tuple[Pool, dict[str, dict[str, int]]]:
    """What a generator draws and the gate lets through, as features; and counts of what the gate did."""
    asked = torch.cat([torch.full((CANDIDATES * count,), label) for label, count in wanted.items()])
    x, _ = drawn(fold, way, asked, "augment")
    network = fold.classifier()
    verdict = Gate(fold.train(PX).x, lambda some: likeliest(network, some)).judge(x, asked)
    told = {
        BEHAVIOURS[label]: {
            "drawn": int((asked == label).sum()),
            "another class": int(((asked == label) & ~verdict.agreed).sum()),
            "copies": int(((asked == label) & verdict.agreed & verdict.copied).sum()),
            "passed": int(((asked == label) & verdict.passed).sum()),
        }
        for label in wanted
    }
    return (features(network, x[verdict.passed]), asked[verdict.passed]), told


def judged(fold: Fold, rival: str, seeds: int) -> dict[str, Any]:
    """What a rival's classifiers say of the room, as confusions by seed and frame; kept in ``fold.work``."""
    file = fold.work / f"judged-{rival.replace(' ', '_').replace(',', '')}-{seeds}-without-{fold.room}.pt"
    if not file.is_file():
        room = ready(fold)
        way = rival.removeprefix(BOTH)
        pool, told = pool_of(fold, way, room.wanted) if way in MADE else (None, {})
        own, far = [], []
        for seed in range(seeds):
            head = train_head(room, rival, pool, seed)
            with torch.no_grad():
                own.append(by_frame(head(room.test).argmax(dim=1), room))
                far.append(by_frame(head(room.coarse).argmax(dim=1), room))
        torch.save({"own": torch.stack(own), "coarse": torch.stack(far), "gate": told}, file)
    return torch.load(file, weights_only=True)


# judging


def by_frame(said: Tensor, room: Ready) -> Tensor:
    """(frames, 7, 7) how often each behaviour, in rows, was taken for which."""
    table = torch.zeros(int(room.frames.max()) + 1, len(BEHAVIOURS), len(BEHAVIOURS))
    return table.index_put((room.frames, room.truth, said), torch.ones(len(said)), accumulate=True)


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


def compare(folds: list[Fold], seeds: int) -> dict[str, Any]:
    """Figures of every rival."""
    figures: dict[str, Any] = {}
    draws: dict[str, dict[str, np.ndarray]] = {}
    for rival in (*CHEAP, *MADE, *WITH_WEIGHTS):
        told = [judged(fold, rival, seeds) for fold in folds]
        own, far = ([room[view].double().numpy() for room in told] for view in ("own", "coarse"))
        draws[rival] = resampled(own, seeds)
        whole = measures(np.sum([room.sum(axis=1) for room in own], axis=0))
        figures[rival] = {
            **{name: _interval(float(value.mean()), draws[rival][name]) for name, value in whole.items()},
            "seeds": [float(value) for value in whole["tail"]],
            "coarse_tail": float(measures(np.sum([room.sum(axis=1) for room in far], axis=0))["tail"].mean()),
            "rooms": [float(measures(room.sum(axis=1))["macro"].mean()) for room in own],
            "gate": {fold.room: room["gate"] for fold, room in zip(folds, told, strict=True)},
        }
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
    parser.add_argument("--only", nargs="+", help="train and judge these rivals only, and print nothing")
    args = parser.parse_args()
    common.print_machine()
    args.work.mkdir(parents=True, exist_ok=True)
    folds = [Fold(args.data, args.classifiers, args.work, room) for room in args.rooms]
    if args.only:
        for fold in folds:
            for rival in args.only:
                judged(fold, rival, args.seeds)
                common.say(f"without {fold.room}: {rival}")
        return
    figures = compare(folds, args.seeds)
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
    gates = {way: figures["rivals"][way]["gate"] for way in MADE}
    common.print_table(
        "The gate: drawn, of another class, copies, passed",
        ["way", *(f"without {room}, {name}" for room in args.rooms for name in gates["cVAE"][room])],
        [
            [way, *(" ".join(map(str, told.values())) for room in args.rooms for told in gates[way][room].values())]
            for way in MADE
        ],
    )
    common.write_json(args.json, {**figures, "count_of_seeds": args.seeds})


if __name__ == "__main__":
    main()
