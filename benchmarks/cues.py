"""How well single cues are read: against labelled webcam frames, and against the demo's truth; and what each costs.

Webcam frames go through the pipeline's own functions: the detector's largest box (the whole frame where it finds
nobody), the readers of faces, heads and hands, and the table of cues, each subject and lighting being a student of
whom each frame is one second. Nothing is trained on these frames. A last row combines all cues by a logistic
regression trained on the other subjects, to show what a trained combination would add.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import common
from pipeline.cues import CueSettings, add_motion, seconds
from pipeline.desk import DeskSettings
from pipeline.detect import Detections, DetectSettings, UltralyticsDetector
from pipeline.faces import FaceSettings
from pipeline.hands import HandSettings
from pipeline.heads import HeadSettings, complete_head_boxes
from pipeline.objects import ObjectSettings
from pipeline.observations import ObservationBuffer, in_contract_order, of_students
from pipeline.people import PersonReader

NEUTRAL = "neutralface"

TARGETS = {"yawning": 0.87, "frowning": 0.80, "tilt": 0.93, "phone": 0.90, "raisehand": 0.98}

CUES = {
    "yawning": ("yawn", "mouth_open", "mouth_own", "eye_open", "eye_own"),
    "frowning": ("frown", "brow", "brow_furrow"),
    "tilt": ("|roll|", "|roll_class|"),
    "phone": ("phone", "hand_front", "-pitch", "-pitch_class"),
    "raisehand": ("hand_raised",),
}
"""The cue that is to tell each action from a neutral face, then those it is made of, and its rivals."""

COMBINED = (
    "yawn", "frown", "phone", "|roll|", "|yaw|", "pitch", "eye_own", "mouth_own", "brow", "hand_face", "hand_raised",
    "hand_front",
)  # fmt: skip

DEMO_SIZES = ((0, 48), (48, 64), (64, 200))


def read_actions(data: Path, objects: str | None) -> pd.DataFrame:
    """Cues of each labelled frame, with its action, subject and lighting."""
    labels = pd.read_csv(data / "actions" / "labels.csv")
    detector = UltralyticsDetector(DetectSettings(behaviour=False), "cpu")
    people = PersonReader(
        FaceSettings(workers=1),
        HeadSettings(),
        HandSettings(per_frame=1),
        DeskSettings(),
        ObjectSettings(weights=objects, every=1),
    )
    tables, unfound = [], 0
    with people:
        for student, (_, group) in enumerate(labels.groupby(["subject", "light"]), 1):
            buffer = ObservationBuffer(())
            for number, name in enumerate(group["image"]):
                image = cv2.imread(str(data / "actions" / name))
                (found,) = detector.detect([image])
                unfound += not len(found)
                box = _largest(found, image)
                faces, around = people.read(image, box, np.array([student]), np.ones(1, bool))
                buffer.add(
                    number,
                    float(number),
                    np.array([1]),
                    Detections(box, np.ones(1, np.float32), np.zeros((1, 0), np.float32)),
                    faces,
                    around,
                )
            rows = complete_head_boxes(of_students(buffer.table(), {1: 1}))
            observations = in_contract_order(rows.assign(motion=add_motion(rows)))
            cues = seconds(observations, float(len(group)), 1.0, CueSettings())
            tables.append(pd.concat([group.reset_index(drop=True), cues], axis=1))
    table = pd.concat(tables, ignore_index=True)
    common.say(f"{len(table)} frames; in {unfound} nobody was found, and the whole frame was read")
    return table


def _largest(found: Detections, image: np.ndarray) -> np.ndarray:
    if not len(found):
        return np.array([[0, 0, image.shape[1], image.shape[0]]], np.float32)
    area = (found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]).prod(axis=1)
    return found.boxes_xyxy[[int(area.argmax())]]


def value(table: pd.DataFrame, cue: str) -> pd.Series:
    """A column, its size (``|roll|``) or its opposite (``-pitch``)."""
    if cue.startswith("|"):
        return table[cue.strip("|")].abs()
    return -table[cue[1:]] if cue.startswith("-") else table[cue]


def auc(positive: np.ndarray, score: np.ndarray) -> float:
    """NaN when there is only one kind."""
    if positive.all() or not positive.any():
        return float("nan")
    return float(roc_auc_score(positive, score))


def auc_interval(positive: np.ndarray, score: np.ndarray, times: int = 500) -> tuple[float, float, float]:
    """AUC with its 95 % bootstrap interval over frames, drawn within each kind."""
    random = np.random.default_rng(common.SEED)
    kinds = [np.flatnonzero(positive), np.flatnonzero(~positive)]
    drawn = [np.concatenate([random.choice(kind, len(kind)) for kind in kinds]) for _ in range(times)]
    low, high = np.percentile([auc(positive[one], score[one]) for one in drawn], [2.5, 97.5])
    return auc(positive, score), float(low), float(high)


def judge(table: pd.DataFrame, action: str, score: pd.Series) -> dict[str, Any]:
    """AUC of an action against neutral where the cue was read, with unread as absent, by lighting and subject."""
    either = table["action"].isin([action, NEUTRAL])
    read = either & score.notna()
    filled = score.where(score.notna(), score.min() - 1)
    positive = table["action"] == action

    def of(mask: pd.Series, values: pd.Series = score) -> float:
        return auc(positive[mask].to_numpy(), values[mask].to_numpy())

    return {
        "n": [int((either & positive).sum()), int((either & ~positive).sum())],
        "read": float(read.sum() / either.sum()),
        "auc": auc_interval(positive[read].to_numpy(), score[read].to_numpy()),
        "unread_absent": of(either, filled),
        "by_light": {light: of(read & (table["light"] == light)) for light in sorted(table["light"].unique())},
        "by_subject": {int(s): of(read & (table["subject"] == s)) for s in sorted(table["subject"].unique())},
        "against_all_others": auc(positive[score.notna()].to_numpy(), score[score.notna()].to_numpy()),
    }


def combined(table: pd.DataFrame, action: str) -> pd.Series:
    """Log-odds of the action by all cues, from a model trained on the other subjects; unread cues at their mean."""
    features = pd.DataFrame({cue: value(table, cue) for cue in COMBINED})
    either = table["action"].isin([action, NEUTRAL])
    score = pd.Series(np.nan, table.index)
    for subject in table["subject"].unique():
        train, test = either & (table["subject"] != subject), table["subject"] == subject
        means = features[train].mean()
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, class_weight="balanced"))
        model.fit(features[train].fillna(means), table.loc[train, "action"] == action)
        score[test] = model.decision_function(features[test].fillna(means))
    return score


def on_actions(data: Path, objects: str | None) -> dict[str, Any]:
    """Print and return how each action is told from a neutral face."""
    table = read_actions(data, objects)
    figures: dict[str, Any] = {}
    rows = []
    for action, cues in CUES.items():
        for cue in (*cues, "all, logistic"):
            score = combined(table, action) if cue == "all, logistic" else value(table, cue)
            one = figures[f"{action} by {cue}"] = judge(table, action, score)
            target = f"{TARGETS[action]:.2f}" if cue == cues[0] else ""
            lights = [f"{one['by_light'][light]:.3f}" for light in one["by_light"]]
            subjects = " ".join("–" if np.isnan(v) else f"{v:.2f}" for v in one["by_subject"].values())
            rows.append(
                [
                    *(
                        action,
                        cue,
                        "+".join(map(str, one["n"])),
                        f"{one['read']:.0%}",
                        common.with_interval(one["auc"]),
                    ),
                    *(target, f"{one['unread_absent']:.3f}", *lights, subjects, f"{one['against_all_others']:.3f}"),
                ]
            )
    columns = ["action", "cue", "n", "read", "AUC", "target", "unread as absent", *sorted(table["light"].unique())]
    common.print_table("Webcam frames, each action against neutral", [*columns, "subjects", "against all"], rows)
    return figures


def demo_cues(every: int = 2) -> pd.DataFrame:
    """Cues per second of the demo's people, given their true boxes, with the truth of that second."""
    truth = common.demo_truth()
    people = PersonReader(FaceSettings(), HeadSettings(), HandSettings(), DeskSettings(), ObjectSettings())
    buffer, told = ObservationBuffer(()), []
    with people, av.open(str(common.DEMO_CLIP)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % every:
                continue
            there = truth[index]
            boxes = np.array([p["visible_bbox"] for p in there], np.float32).reshape(-1, 4)
            ids = np.array([p["id"] for p in there], int)
            image = frame.to_ndarray(format="bgr24")
            faces, around = people.read(image, boxes, ids, np.ones(len(there), bool))
            plain = Detections(boxes, np.ones(len(there), np.float32), np.zeros((len(there), 0), np.float32))
            buffer.add(index, index / 10, ids, plain, faces, around)
            told += [
                {"student": p["id"], "t": index // 10}
                | {k: p[k] for k in ("state", "action", "transition", "eye_closure", "mouth_open")}
                for p in there
            ]
    rows = complete_head_boxes(of_students(buffer.table(), {one: one for one in range(1, 13)}))
    observations = in_contract_order(rows.assign(motion=add_motion(rows)))
    cues = seconds(observations, len(truth) / 10, every / 10, CueSettings())
    facts = pd.DataFrame(told).groupby(["student", "t"]).agg(
        state=("state", "first"), action=("action", "first"), changes=("transition", "any"),
        several=("action", "nunique"), shut=("eye_closure", "mean"), mouth=("mouth_open", "mean"),
    )  # fmt: skip
    table = cues.merge(facts.reset_index(), on=["student", "t"])
    return table[~table["changes"] & (table["several"] == 1)]


def on_demo() -> list[dict[str, Any]]:
    """Print and return how well cues tell what the demo's script does, by head size."""
    table = demo_cues()
    action = table["action"]
    writes, phone = action == "writing", action == "phone"
    if not writes.any():
        writes = table["state"] == "taking_notes"
    at_chin = action.isin(["head_on_hand", "hand_at_chin"])
    asks = {
        "hand raised": ("hand_raised", action == "hand_raise", None),
        "hand at the face": ("hand_face", at_chin, None),
        "writing": ("writing", writes, None),
        "desk motion: writing against other bowed heads": ("desk_motion", writes, writes | phone),
        "phone": ("phone", phone, None),
        "phone against writing": ("phone", phone, writes | phone),
        "brow furrowed": ("brow", action == "hand_at_chin", None),
        "frown": ("frown", action == "hand_at_chin", None),
        "eyes half shut": ("-eye_own", table["shut"] >= 0.35, None),
        "mouth open": ("mouth_open", table["mouth"] >= 0.15, None),
        "mouth moving": ("mouth_crossings", table["mouth"] >= 0.05, None),
    }
    figures = []
    for what, (cue, positive, among) in asks.items():
        score = value(table, cue)
        everybody = pd.Series(True, table.index) if among is None else among
        for low, high in ((0, 200), *DEMO_SIZES):
            of_size = everybody & table["head_px"].between(low, high)
            read = of_size & score.notna()
            figures.append(
                {
                    "what": what,
                    "cue": cue,
                    "heads": "all" if (low, high) == (0, 200) else f"{low}–{high} px",
                    "n": f"{int((read & positive).sum())}+{int((read & ~positive).sum())}",
                    "read": f"{read.sum() / max(of_size.sum(), 1):.0%}",
                    "auc": round(auc(positive[read].to_numpy(), score[read].to_numpy()), 3) if read.any() else None,
                }
            )
    common.print_table("Demo, true boxes, per second", list(figures[0]), [row.values() for row in figures])
    return figures


def on_cost(students: int, frames: int) -> dict[str, Any]:
    """Print and return ms per analysed frame with ``students`` people in it: the demo's room twice by twice.

    By the clock, and as computing time of all cores: the latter hardly changes when others use the machine too.
    """
    from pipeline import appearance
    from pipeline.track import Tracker, TrackSettings

    detector = UltralyticsDetector(DetectSettings(), "cpu")
    tracker = Tracker(TrackSettings(), 0.2)
    people = PersonReader(FaceSettings(), HeadSettings(), HandSettings(), DeskSettings(), ObjectSettings())
    spent: dict[str, list[np.ndarray]] = {}
    truth = common.demo_truth()

    def both_clocks() -> np.ndarray:
        return np.array([time.perf_counter(), time.process_time()])

    def clock(name: str, begin: np.ndarray) -> np.ndarray:
        now = both_clocks()
        spent.setdefault(name, []).append(now - begin)
        return now

    with people, av.open(str(common.DEMO_CLIP)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % 2 or len(spent.get("whole", [])) >= frames:
                continue
            image = np.tile(frame.to_ndarray(format="bgr24"), (2, 2, 1))
            one = np.array([p["visible_bbox"] for p in truth[index]], np.float32)
            shifts = [(x, y) for x in (0, 1280) for y in (0, 720)]
            boxes = np.concatenate([one + np.array([x, y, x, y], np.float32) for x, y in shifts])[:students]
            allowed = np.ones(len(boxes), bool)
            found = Detections(boxes, np.full(len(boxes), 0.9, np.float32), np.zeros((len(boxes), 7), np.float32))
            begin = now = both_clocks()
            detector.detect([image])
            now = clock("detect", now)
            tracks = tracker.update(index / 10, found, appearance.describe(image, boxes))
            now = clock("appearance, track", now)
            detector.read_behaviours(image, found, allowed)
            now = clock("behaviours", now)
            faces = people._faces.read(image, boxes)
            now = clock("faces", now)
            heads = people._heads.read(image, boxes, tracks, faces.head_xyxy, faces.pose_deg)
            now = clock("head network", now)
            people._hands.read(image, heads.head_xyxy, tracks)
            now = clock("hands (2 read per frame)", now)
            people._desk.read(image, heads.head_xyxy)
            now = clock("desk motion", now)
            clock("whole", begin)
    ms = {name: np.median(values[1:], axis=0) * 1e3 for name, values in spent.items()}
    rng = np.random.default_rng(0)
    count, columns = students * 3000, ("yaw", "pitch", "roll", "eye_open", "mouth_open", "brow_furrow")
    table = pd.DataFrame(rng.normal(0, 1, (count, len(columns))), columns=list(columns)).assign(
        student=np.repeat(np.arange(students), 3000), t=np.tile(np.arange(3000) / 5, students), observed=True, x1=0.0,
        y1=0.0, x2=80.0, y2=160.0, hx1=20.0, hy1=0.0, hx2=60.0, hy2=50.0, motion=0.0,
    )  # fmt: skip
    begin = both_clocks()
    seconds(table, 600.0, 0.2, CueSettings())
    ms["table of cues"] = (both_clocks() - begin) / 3000 * 1e3
    ms["whole"] += ms["table of cues"]
    rows = [[name, *(f"{v:.1f}" for v in each), f"{each[1] / students:.2f}"] for name, each in ms.items()]
    title = f"{students} students in a frame of 2560 × 1440; real time at 5 frames per second is 200 ms"
    common.print_table(title, ["step", "ms per frame", "CPU ms per frame", "CPU ms per student-frame"], rows)
    return {"students": students, "ms_per_frame_wall_cpu": {name: each.tolist() for name, each in ms.items()}}


def main() -> None:
    """Measure on what is there and print the tables."""
    parser = common.parser(__doc__)
    parser.add_argument("--objects", metavar="WEIGHTS", help="also look for phones and books with this COCO detector")
    parser.add_argument("--students", type=int, default=40, help="in a frame, for the cost (default: 40)")
    parser.add_argument("--only", nargs="*", choices=("actions", "demo", "cost"), help="parts (default: all)")
    args = parser.parse_args()
    parts = args.only or ("actions", "demo", "cost")
    common.print_machine()
    figures: dict[str, Any] = {}
    if "actions" in parts:
        if (args.data / "actions" / "labels.csv").is_file():
            figures["actions"] = on_actions(args.data, args.objects)
        else:
            common.say("actions/labels.csv is not in the data folder: left out")
    if "demo" in parts:
        figures["demo"] = on_demo()
    if "cost" in parts:
        figures["cost"] = on_cost(args.students, 20)
    common.write_json(args.json, figures)


if __name__ == "__main__":
    main()
