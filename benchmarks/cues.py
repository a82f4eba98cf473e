"""How well single cues are read: against labelled webcam frames, and against the demo's truth; and what each costs.

Webcam frames go through the pipeline's own functions: the detector's largest box (the whole frame where it finds
nobody), the readers of faces, heads and hands, and the table of cues, each subject and lighting being a student of
whom each frame is one second. Nothing is trained on these frames. A last row combines all cues by a logistic
regression trained on the other subjects, to show what a trained combination would add.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import common
from benchmarks.cue_cost import on_cost
from benchmarks.cue_demo import auc, on_demo, value
from benchmarks.cue_sizes import on_sizes
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


def main() -> None:
    """Measure on what is there and print the tables."""
    parser = common.parser(__doc__)
    parser.add_argument("--objects", metavar="WEIGHTS", help="also look for phones and books with this COCO detector")
    parser.add_argument("--students", type=int, default=40, help="in a frame, for the cost (default: 40)")
    parser.add_argument("--only", nargs="*", choices=("actions", "sizes", "demo", "cost"), help="parts (default: all)")
    args = parser.parse_args()
    parts = args.only or ("actions", "sizes", "demo", "cost")
    common.print_machine()
    figures: dict[str, Any] = {}
    if "actions" in parts:
        if (args.data / "actions" / "labels.csv").is_file():
            figures["actions"] = on_actions(args.data, args.objects)
        else:
            common.say("actions/labels.csv is not in the data folder: left out")
    if "sizes" in parts:
        if (args.data / "heads" / "heads.parquet").is_file():
            figures["sizes"] = on_sizes(args.data)
        else:
            common.say("heads/heads.parquet is not in the data folder: left out")
    if "demo" in parts:
        figures["demo"] = on_demo()
    if "cost" in parts:
        figures["cost"] = on_cost(args.students, 20)
    common.write_json(args.json, figures)


if __name__ == "__main__":
    main()
