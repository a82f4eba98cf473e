"""Single cues against what the demo's script does, per second and by head size; and what a score is worth."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks import common
from pipeline.cues import CueSettings, add_motion, seconds
from pipeline.desk import DeskSettings
from pipeline.detect import Detections
from pipeline.faces import FaceSettings
from pipeline.hands import HandSettings
from pipeline.heads import HeadSettings, complete_head_boxes
from pipeline.objects import ObjectSettings
from pipeline.observations import ObservationBuffer, in_contract_order, of_students
from pipeline.people import PersonReader

DEMO_SIZES = ((0, 48), (48, 64), (64, 200))


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
