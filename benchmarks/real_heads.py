"""Write the filmed heads that the head network is trained further on: the classroom stills, their rooms kept apart.

Heads stand where the network sees them within the annotated bodies. The lecture stills are left for measuring.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks import common
from models.head import HeadModel
from models.training.annotations import read_coco
from models.training.head import STORED_HEADS, STORED_PX
from models.training.real_heads import COLUMNS
from models.yolo import BEHAVIOURS
from pipeline.heads import LOOKS, PRIOR, crop_heads, from_share, moved_heads, square_view

LOOK_OF = {"lookup": "up", "write": "down", "read": "down", "turn_head": "around"}
"""Behaviours not named (stand, raised hand, groups) do not say where a head points."""


def main() -> None:
    """Write the table."""
    parser = common.parser(__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/real_heads.parquet"), help="where the heads go")
    args = parser.parse_args()
    model, rows, classroom = HeadModel(), [], args.data / "classroom"
    for split in ("train", "val"):
        for image in read_coco(classroom / f"{split}.json", classroom / "images", BEHAVIOURS):
            known = np.array([label in LOOK_OF for label in image.labels], bool)
            if not known.any():
                continue
            picture, boxes = cv2.imread(str(image.path)), image.boxes_xyxy[known].astype(float)
            heads = from_share(np.tile(PRIOR, (len(boxes), 1)), boxes)
            for _ in range(LOOKS):
                heads = moved_heads(heads, model.read(crop_heads(picture, heads)).moved)
            angles = model.read(crop_heads(picture, heads)).pose_deg
            labels = np.array(image.labels, object)[known]
            for (x1, y1, x2, y2), (yaw, pitch, _), label in zip(heads, angles, labels, strict=True):
                side = STORED_HEADS * (y2 - y1)
                x, y = (x1 + x2) / 2, (y1 + y2) / 2
                crop = square_view(picture, x - side / 2, y - side / 2, side, STORED_PX)
                jpeg = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
                rows.append((jpeg, str(image.room), LOOK_OF[label], x, y, yaw, pitch))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(args.out)
    counts = pd.crosstab(table["room"], table["look"])
    common.print_table("Filmed heads", ["room", *counts], [[name, *row] for name, row in counts.iterrows()])


if __name__ == "__main__":
    main()
