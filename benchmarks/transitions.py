"""How states follow each other in real lessons: FineEdu's labels, students linked over frames by the overlap of boxes.

Prints what ``models/transitions.py`` and the head cue in ``models/chances.py`` took from there. Labels only, no images.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from benchmarks import common
from benchmarks.matching import MATCH_IOU, score
from models.states import State, Way

STATE_OF = (
    dict.fromkeys(("look blackboard", "look teacher", "answer the question"), State.ATTENTIVE)
    | dict.fromkeys(("read", "write", "photograph"), State.TAKING_NOTES)
    | dict.fromkeys(("play phone", "distracted", "look student", "eat", "drink"), State.DISTRACTED)
    | dict.fromkeys(("sleep", "yawn", "stretch"), State.BORED)
    | {"talk": State.DISCUSSING}
)
"""Actions not named (small action, other, unknown) say nothing; nobody annotated confusion."""


def linked(students: pd.DataFrame) -> pd.DataFrame:
    """Pairs of neighbouring frames of one student: ``video``, ``before`` and ``after`` (state names)."""
    pairs = []
    for video, rows in students.groupby("video"):
        frames = {int(frame): part for frame, part in rows.groupby("frame")}
        for number, part in frames.items():
            following = frames.get(number + 1)
            if following is None:
                continue
            boxes = [one[["x1", "y1", "x2", "y2"]].to_numpy(np.float32) for one in (part, following)]
            overlap = score(*boxes)[0]
            a, b = linear_sum_assignment(overlap, maximize=True)
            good = overlap[a, b] >= MATCH_IOU
            states = part["state"].to_numpy()[a[good]], following["state"].to_numpy()[b[good]]
            pairs.append(pd.DataFrame({"video": video, "before": states[0], "after": states[1]}))
    return pd.concat(pairs, ignore_index=True).dropna()


def main() -> None:
    """Print the three tables."""
    args = common.parser(__doc__).parse_args()
    common.print_machine()
    students = pd.read_parquet(args.data / "fineedu" / "students.parquet")
    students["state"] = students["action"].map({name: state.value for name, state in STATE_OF.items()})
    pairs = linked(students)
    names = [state.value for state in State if state in STATE_OF.values()]
    changed = pairs[pairs["before"] != pairs["after"]]
    jumps = pd.crosstab(changed["before"], changed["after"], normalize="index").reindex(index=names, columns=names)
    common.print_table(
        f"{len(pairs)} pairs of {pairs['video'].nunique()} lessons: share of students in another state one frame later",
        ["state", "pairs", "left", "lessons' own (median, middle half)"],
        [[name, len(part), f"{_left(part):.2f}", _by_lesson(part)] for name, part in pairs.groupby("before")],
    )
    common.print_table(
        "Of those who changed, where to (row to column)",
        ["state", *names],
        [[name, *(f"{value:.2f}" for value in jumps.loc[name])] for name in names],
    )
    known = students.dropna(subset=["state"])
    way = known["state"].where(known["action"] != "play phone", Way.ON_PHONE.value)
    poses = pd.crosstab(way, known["pose"], normalize="index")
    ways = [one.value for one in Way if one.value in poses.index]
    common.print_table(
        "Pose by state, and of those distracted by whether they are on the phone",
        ["state", "boxes", *poses.columns],
        [[name, int((way == name).sum()), *(f"{value:.2f}" for value in poses.loc[name])] for name in ways],
    )
    common.write_json(
        args.json, {"pairs": len(pairs), "jumps": jumps.to_dict("index"), "poses": poses.to_dict("index")}
    )


def _left(pairs: pd.DataFrame) -> float:
    return float((pairs["before"] != pairs["after"]).mean())


def _by_lesson(pairs: pd.DataFrame) -> str:
    shares = [_left(part) for _, part in pairs.groupby("video") if len(part) >= 20]
    if not shares:
        return "too few"
    low, middle, high = np.percentile(shares, [25, 50, 75])
    return f"{middle:.2f} ({low:.2f}–{high:.2f}), {len(shares)} lessons"


if __name__ == "__main__":
    main()
