"""Where heads point: the head network and face landmarks on the demo's exact angles, and on real heads as far as known.

Angles are relative to the line of sight to the head. *Head boxes*: the network gets the true head box.
*Body boxes*: the whole reader as the pipeline uses it, given the true body boxes.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks import common
from models.head import HeadModel
from pipeline.faces import FaceReader, FaceSettings
from pipeline.heads import HeadReader, HeadSettings, crop_heads

FOCAL_PX = 640 / np.tan(np.radians(67 / 2))
"""Of the demo's camera: 67 degrees across 1280 px (demo/README.md)."""

SIZES = ((0, 42), (42, 48), (48, 60), (60, 75), (75, 90), (90, 200))
"""Head heights, px."""

LARGE_PX = 48
"""From here on the target holds: yaw and pitch within 8 deg on average."""


def demo_rows(every: int) -> list[dict[str, Any]]:
    """One row per visible head of every ``every``-th frame: true angles, and those of each reader (NaN unseen)."""
    rows = []
    model = HeadModel()
    truth = common.demo_truth()
    with FaceReader(FaceSettings()) as face_reader, av.open(str(common.DEMO_CLIP)) as container:
        head_reader = HeadReader(HeadSettings())
        for index, frame in enumerate(container.decode(video=0)):
            people = [p for p in truth[index] if p["head_bbox"] and p["head_visible_fraction"] >= 0.5]
            if index % every or not people:
                continue
            image = frame.to_ndarray(format="bgr24")
            heads = np.array([p["head_bbox"] for p in people], float)
            bodies = np.array([p["visible_bbox"] for p in people], float)
            faces = face_reader.read(image, bodies)
            ids = np.array([p["id"] for p in people])
            whole = head_reader.read(image, bodies, ids, faces.head_xyxy, faces.pose_deg)
            alone = model.read(crop_heads(image, heads)).pose_deg
            for i, person in enumerate(people):
                x, y = (heads[i, :2] + heads[i, 2:]) / 2
                true = (
                    person["head_yaw"] + np.degrees(np.arctan((x - 640) / FOCAL_PX)),
                    person["head_pitch"] - np.degrees(np.arctan((y - 360) / FOCAL_PX)),
                    person["head_roll"],
                )
                rows.append(
                    {
                        "px": heads[i, 3] - heads[i, 1],
                        "true": true,
                        "head network, head boxes": alone[i],
                        "both, body boxes": whole.pose_deg[i],
                        "face landmarks, body boxes": faces.pose_deg[i],
                    }
                )
    return rows


def demo_table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean absolute errors in degrees by head size, of turned and of bowed heads, and the share of heads read."""
    true = np.array([row["true"] for row in rows])
    size = np.array([row["px"] for row in rows])
    groups = {f"{low}–{high} px": (size >= low) & (size < high) for low, high in SIZES}
    groups |= {f"{LARGE_PX} px and more": size >= LARGE_PX, "all": np.ones(len(rows), bool)}
    groups |= {"turned over 45°": np.abs(true[:, 0]) > 45, "bowed over 30°": true[:, 1] < -30}
    table = []
    for reader in [name for name in rows[0] if name not in ("px", "true")]:
        read = np.array([row[reader] for row in rows], float)
        for group, chosen in groups.items():
            error = np.abs(read - true)[chosen]
            table.append(
                {
                    "reader": reader,
                    "heads": group,
                    "n": int(chosen.sum()),
                    "read": f"{np.isfinite(error[:, 0]).mean():.0%}",
                    "yaw error (deg)": _error(error[:, 0]),
                    "pitch error (deg)": _error(error[:, 1]),
                    "roll error (deg)": _error(error[:, 2]),
                }
            )
    return table


def _error(degrees: np.ndarray) -> str:
    """Mean with its interval over heads, of those that were read."""
    read = degrees[np.isfinite(degrees)]
    return common.with_interval(common.ratio_interval(read, np.ones(len(read))), 1)


def lecture_table(data: Path) -> list[dict[str, Any]]:
    """Median angles by label of the filmed lecture's heads, and how well the pitch tells up from down."""
    by_image: dict[str, list[dict[str, str]]] = {}
    with (data / "lecture" / "heads.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_image.setdefault(row["image"], []).append(row)
    model = HeadModel()
    labels: list[str] = []
    poses: list[np.ndarray] = []
    for name, rows in by_image.items():
        image = cv2.imread(str(data / "lecture" / "images" / name))
        heads = np.array([[float(row[k]) for k in ("x1", "y1", "x2", "y2")] for row in rows])
        poses.extend(model.read(crop_heads(image, heads)).pose_deg)
        labels.extend(row["label"] for row in rows)
    label, pose = np.array(labels), np.array(poses)
    either = np.isin(label, ["up", "down"])
    auc = roc_auc_score(label[either] == "up", pose[either, 1])
    table = [
        {
            "label": name,
            "n": int((label == name).sum()),
            "median pitch (deg)": round(float(np.median(pose[label == name, 1])), 1),
            "median |yaw| (deg)": round(float(np.median(np.abs(pose[label == name, 0]))), 1),
        }
        for name in np.unique(label)
    ]
    return [*table, {"label": "AUC of up against down by pitch", "n": int(either.sum()), "auc": round(float(auc), 3)}]


def main() -> None:
    """Measure on what is there and print the tables."""
    parser = common.parser(__doc__)
    parser.add_argument("--every", type=int, default=8, help="use every k-th frame of the demo (default: 8)")
    args = parser.parse_args()
    common.print_machine()
    figures: dict[str, Any] = {"demo": demo_table(demo_rows(args.every))}
    common.print_table("Demo clip", list(figures["demo"][0]), [row.values() for row in figures["demo"]])
    if (args.data / "lecture" / "heads.csv").is_file():
        *labels, auc = figures["lecture"] = lecture_table(args.data)
        common.print_table("University lecture, labelled heads", list(labels[0]), [row.values() for row in labels])
        common.say(f"{auc['label']}: {auc['auc']:.3f} ({auc['n']} heads)")
    else:
        common.say("lecture/heads.csv is not in the data folder: left out")
    common.write_json(args.json, figures)


if __name__ == "__main__":
    main()
