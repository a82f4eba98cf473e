"""Are the heads of those who said no covered, are all others free, and what do face detectors still find?

The demo with seats A2 and C1 opted out against its truth, and filmed clips with everybody covered.

Covers are read from the pixels of written videos. Of one analysis two videos are rendered without boxes and labels (a
label on a cover hides no less, but has another colour): with the covers and without. A pixel counts as covered where
the first has the fill's colour; for others' heads only where the second has not, because the fill's grey occurs in
pictures too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from typer.testing import CliRunner

from benchmarks import common
from pipeline.anonymise import CoverSettings
from pipeline.audit import AuditSettings
from pipeline.session import Session
from pipeline.store import session_id
from pipeline.video import VideoReader

OPTED_OUT = {2: "A2", 9: "C1"}
SEATED_FRAMES = 90
"""C1 gets up then: the seats' zones come from where the heads are before."""
WELL_COVERED = 0.95
LEVELS = 12
"""8-bit levels by which encoding may change the fill's colour."""
FILL = np.array(CoverSettings().colour)
CLIPS = ("crowd_faces.mp4", "college_class.mp4")
YUNET = Path("../weights/face_detection_yunet_2023mar.onnx")
"""From the folder of the data; not part of the project, so no detector of the check unless it is in the cache."""


def seat_zone(truth: list[list[dict[str, Any]]], person: int, size: np.ndarray) -> str:
    """``x1,y1,x2,y2`` in shares of the frame: all places of a seated student's head with a quarter of its size around.

    Args:
        truth: visible people by frame.
        person: id in the truth.
        size: (4,) width, height, width, height in px.
    """
    heads = np.array([one["head_bbox"] for people in truth[:SEATED_FRAMES] for one in people if one["id"] == person])
    low, high = heads[:, :2].min(axis=0), heads[:, 2:].max(axis=0)
    grown = np.concatenate([low - (high - low) / 4, high + (high - low) / 4])
    return ",".join(f"{value:.4f}" for value in np.clip(grown / size, 0, 1))


def engage(*words: object) -> None:
    """Run a command; a check that finds faces (exit code 1) is what the benchmark is about."""
    import engage as door

    done = CliRunner().invoke(door.app, [str(word) for word in words])
    if done.exit_code not in (0, 1) or (done.exception and not isinstance(done.exception, SystemExit)):
        raise SystemExit(f"engage {' '.join(map(str, words))}: {done.output}{done.exception or ''}")


def is_fill(image_bgr: np.ndarray) -> np.ndarray:
    """(h, w) where the picture has the fill's colour."""
    return (np.abs(image_bgr.astype(np.int16) - FILL) <= LEVELS).all(axis=2)


def head_shares(covered: Path, plain: Path, truth: list[list[dict[str, Any]]]) -> list[tuple[int, int, float, float]]:
    """Per visible head and frame: frame, id, px of the head box inside the picture, px of these that are covered."""
    rows = []
    with VideoReader(covered) as with_covers, VideoReader(plain) as without:
        for people, new, old in zip(truth, with_covers.frames(), without.frames(), strict=True):
            fill = is_fill(new.image)
            fresh = fill & ~is_fill(old.image)
            height, width = fill.shape
            for one in people:
                if not one["head_bbox"] or not one["head_visible_fraction"]:
                    continue
                x1, y1, x2, y2 = np.clip(np.round(one["head_bbox"]).astype(int), 0, [width, height, width, height])
                if x2 > x1 and y2 > y1:
                    place = (fill if one["id"] in OPTED_OUT else fresh)[y1:y2, x1:x2]
                    rows.append((new.index, one["id"], float(place.size), float(place.sum())))
    return rows


def demo(folder: Path) -> dict[str, Any]:
    """Cover two students of the demo lecture and measure."""
    from consent.policy import Blur, OptOut, Zone, cover_policy
    from pipeline.analyse import analyse
    from pipeline.audit import audit
    from pipeline.detect import UltralyticsDetector
    from pipeline.progress import Silent
    from pipeline.render import covers_over_time, render
    from pipeline.settings import Settings

    truth = common.demo_truth()
    settings, nobody = Settings(), pd.Series(dtype=float)
    with VideoReader(common.DEMO_CLIP) as reader:
        size = np.array([reader.info.width, reader.info.height] * 2)
        zones = [OptOut(seat, Zone.parse(seat_zone(truth, person, size))) for person, seat in OPTED_OUT.items()]
        policy = cover_policy(Blur.OPTED_OUT, zones)
        detector = UltralyticsDetector(settings.detect, settings.device)
        analysis = analyse(reader, detector, policy, settings, Silent())
    bare = replace(analysis, observations=analysis.observations[:0], states=analysis.states[:0])
    render(common.DEMO_CLIP, folder / "covered.mp4", bare, nobody, settings, Silent())
    render(common.DEMO_CLIP, folder / "plain.mp4", replace(bare, covers=bare.covers[:0]), nobody, settings, Silent())
    covers = covers_over_time(analysis, settings)
    checked = {
        name: audit(folder / f"{name}.mp4", policy, covers, settings.audit, Silent()) for name in ("covered", "plain")
    }
    figures: dict[str, Any] = {name: one.model_dump(mode="json") for name, one in checked.items()}
    rows = head_shares(folder / "covered.mp4", folder / "plain.mp4", truth)
    table = []
    for person, seat in OPTED_OUT.items():
        mine = [(frame, part / whole) for frame, who, whole, part in rows if who == person]
        well = [float(share >= WELL_COVERED) for _, share in mine]
        figures[seat] = common.ratio_interval(well, [1.0] * len(well))
        missed = [frame / 10 for frame, share in mine if share < WELL_COVERED]
        figures[f"{seat} frames"] = len(well)
        table.append([seat, len(mine), common.with_interval(figures[seat]), common.spans(missed, 0.1) or "none"])
    common.print_table(
        f"Demo, A2 and C1 opted out: frames in which the visible head is covered to at least {WELL_COVERED:.0%}",
        ["seat", "frames", "share (95 % interval over frames)", "not, at (s)"],
        table,
    )
    figures["others"] = wrongly_covered(rows)
    common.say(
        "Area of others' visible heads that is covered (target at most 0.02): "
        + common.with_interval(figures["others"], 4)
    )
    by_person = [[who, common.with_interval(wrongly_covered(rows, who), 4)] for who in range(1, 13)]
    common.print_table(
        "the same by person", ["id", "share"], [row for row in by_person if int(row[0]) not in OPTED_OUT]
    )
    for name, one in checked.items():
        common.say(f"engage's own check, {name} video: {one.sentence()}")
    return figures


def wrongly_covered(
    rows: Iterable[tuple[int, int, float, float]], only: int | None = None
) -> tuple[float, float, float]:
    """Covered share of the heads of those who did not say no (or of ``only``), with its interval over frames."""
    by_frame: dict[int, list[float]] = {}
    for frame, who, whole, part in rows:
        if who not in OPTED_OUT and only in (None, who):
            sums = by_frame.setdefault(frame, [0.0, 0.0])
            sums[0] += part
            sums[1] += whole
    return common.ratio_interval([part for part, _ in by_frame.values()], [whole for _, whole in by_frame.values()])


def faces_by_yunet(video: Path, weights: Path) -> int | None:
    """Faces that YuNet finds in a video at its default score; ``None`` without its file."""
    from models.registry import WeightsFile, file_sha256
    from pipeline.face_detectors import YuNet

    if not weights.is_file():
        return None
    yunet = YuNet(WeightsFile(weights, file_sha256(weights), "path"), AuditSettings().yunet_score)
    with VideoReader(video) as reader:
        return sum(len(yunet.find(frame.image)) for frame in reader.frames())


def everyone(video: Path, folder: Path, yunet: Path) -> dict[str, Any]:
    """Cover everybody of a filmed clip, and list what the detectors still find in the output and in the source."""
    from consent.policy import CoverPolicy
    from pipeline.audit import audit, read_audit
    from pipeline.progress import Silent

    engage("run", video, "--approved-by", "benchmark", "--blur", "everyone", "--out", folder)
    session = Session.open(folder / session_id(video, None))
    after = read_audit(session)
    assert after is not None
    before = audit(video, CoverPolicy(True, (), "benchmark"), None, AuditSettings(), Silent())
    seconds = session.manifest.stage_seconds
    common.say(
        f"\n{video.name}, everybody covered: {before.leak_count} faces in the {before.frames} frames of the source,"
        f" {after.leak_count} in {after.frames_with_leaks} frames of the output, and {after.doubtful_count} doubtful"
        f" places (detectors: {', '.join(after.detectors)}; {after.patched} places covered on top;"
        f" check {seconds['audit']:.1f} s, render {seconds['render']:.1f} s)"
    )
    independent = {name: faces_by_yunet(path, yunet) for name, path in (("source", video), ("output", session.video))}
    if independent["source"] is not None:
        common.say(f"  YuNet alone: {independent['source']} faces in the source, {independent['output']} in the output")
    for kind, listed in (("face", after.leaks), ("doubtful", after.doubtful)):
        for leak in listed:
            common.say(
                f"  {kind}: frame {leak.frame}, {leak.t:.2f} s, box {leak.box}, {leak.score:.2f}"
                f" {'+'.join(leak.detectors)}"
            )
    return {"source": before.leak_count, "output": after.model_dump(mode="json"), "yunet": independent}


def main() -> None:
    """Measure on what is there."""
    import os

    parser = common.parser(__doc__)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the sessions here, to look at them")
    parser.add_argument("--only", choices=["demo", "clips"], help="one half of it")
    args = parser.parse_args()
    common.print_machine()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["ENGAGE_DATABASE_URL"] = f"sqlite:///{folder / 'consent.sqlite'}"  # never the user's own record
        if args.only != "clips":
            figures["demo"] = demo(folder)
        for name in CLIPS if args.only != "demo" else ():
            if (args.data / "clips" / name).is_file():
                os.environ["ENGAGE_DATABASE_URL"] = f"sqlite:///{folder / 'nobody.sqlite'}"
                figures[name] = everyone(args.data / "clips" / name, folder / "everyone", args.data / YUNET)
            else:
                common.say(f"{name}: not in {args.data / 'clips'}, left out")
    common.write_json(args.json, figures)


if __name__ == "__main__":
    main()
