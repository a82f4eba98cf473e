"""Does everybody keep one number? Our tracker and its peers on the same boxes, before and after the offline step.

Cases (``--only``): MOT15 with public detections; PETS09-S2L1 and the demo clip with our detector; the demo clip looped
and a simulated class, by switches per student-hour; the cost per analysed frame. Rows: *online* as the tracker says it,
*own boxes* where it also smooths them, *online, filled* with its short gaps filled and boxes steadied, *offline* our
joining of tracks, *filled* that with short gaps filled and boxes steadied.
Run: ``python -m benchmarks.tracking``; ``trackers`` and ``supervision`` are compared with where they are installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import common, identities
from benchmarks.followers import followers
from benchmarks.identities import Scene
from benchmarks.tracking_long import cost, per_hour
from benchmarks.tracking_scenes import demo_scene, filmed
from benchmarks.tracking_tables import on_scenes
from pipeline import appearance
from pipeline.settings import Settings
from pipeline.video import VideoReader

TRUTH_MISSED, TRUTH_NOISE = 0.1, 0.04
"""What is done to true boxes: share taken away; standard deviation of each side."""


def mot15(args: Any, chosen: Sequence[str]) -> dict[str, Any] | None:
    """The five sequences with public detections."""
    folders = sorted((args.data / "tracking" / "MOT15").glob("*/seqinfo.ini"))
    return on_scenes([identities.mot15(path.parent) for path in folders], chosen, "MOT15") if folders else None


def pets(args: Any, chosen: Sequence[str]) -> dict[str, Any] | None:
    """PETS09-S2L1 with our detector, at its own rate and at the pipeline's."""
    video = args.data / "tracking" / "PETS09-S2L1.avi"
    if not video.is_file():
        return None
    truth = identities.read_mot(video.with_name("PETS09-S2L1_gt.txt"), 795)
    rates = (10.0, Settings().rate)
    return on_scenes([filmed(video.stem, video, truth, rate) for rate in rates], chosen)


def demo(args: Any, chosen: Sequence[str]) -> dict[str, Any]:
    """The demo clip: with our detector, with the true boxes, and with those moved a little and partly missed."""
    scene = demo_scene()
    true = _with_boxes(scene, "true boxes", lambda boxes: boxes)
    random = np.random.default_rng(common.SEED)

    def worse(boxes: np.ndarray) -> np.ndarray:
        kept = boxes[random.random(len(boxes)) >= TRUTH_MISSED]
        return kept + TRUTH_NOISE * (kept[:, 3:] - kept[:, 1:2]) * random.standard_normal(kept.shape)

    noise = f"true boxes, {TRUTH_MISSED:.0%} missed, sides off by {TRUTH_NOISE:.0%} of the height"
    return on_scenes([scene, true, _with_boxes(scene, noise, worse)], chosen)


def _with_boxes(scene: Scene, name: str, change: Callable[[np.ndarray], np.ndarray]) -> Scene:
    """The demo clip's scene with boxes made from the true ones instead of found ones."""
    found = [change(boxes) for _, boxes in scene.truth]
    with VideoReader(common.DEMO_CLIP) as reader:
        frames = reader.frames(1 / scene.interval_s)
        looks = [appearance.describe(frame.image, boxes) for frame, boxes in zip(frames, found, strict=True)]
    given = [identities.detections(boxes, np.ones(len(boxes))) for boxes in found]
    return replace(scene, name=f"{scene.name}, {name}", found=given, looks=looks)


CASES: dict[str, Callable[[Any, Sequence[str]], dict[str, Any] | None]] = {
    "mot15": mot15,
    "pets": pets,
    "demo": demo,
    "hours": per_hour,
    "cost": cost,
}


def main() -> None:
    """Compare on what is there and print the tables."""
    parser = common.parser(__doc__)
    parser.add_argument("--only", action="append", choices=list(CASES), help="only this case (may be repeated)")
    parser.add_argument("--trackers", nargs="+", choices=list(followers()), help="only these trackers (default: all)")
    parser.add_argument("--minutes", type=float, default=90, help="length of the simulated class (default: 90)")
    parser.add_argument("--demo-minutes", type=float, default=20, help="length of the looped demo clip (default: 20)")
    args = parser.parse_args()
    common.print_machine()
    figures: dict[str, Any] = {}
    for name in args.only or CASES:
        made = CASES[name](args, args.trackers or list(followers()))
        if made is None:
            common.say(f"{name}: its recordings are not in the data folder: left out")
        else:
            figures[name] = made
    common.write_json(args.json, {"minutes": args.minutes, **figures})


if __name__ == "__main__":
    main()
