"""docs/cues.md against the code: no cue undocumented, and the head sizes it gives are those that are used."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from models.state_model import CUE_COLUMNS
from pipeline.cue_settings import MIN_HEAD_PX, CueSettings
from pipeline.desk import DeskSettings
from pipeline.hands import HandSettings
from pipeline.heads import HeadSettings
from pipeline.objects import ObjectSettings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cues.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = {
    cells[0].strip("`"): cells
    for line in re.findall(r"^\| (`\w+` \|.*) \|$", TEXT, re.MULTILINE)
    if (cells := [cell.strip() for cell in line.split("|")])
}


def test_every_cue_has_its_row_in_order_of_nothing_else() -> None:
    assert set(ROWS) == set(CUE_COLUMNS) - {"t", "student"}
    assert all(len(cells) == 6 and all(cells) for cells in ROWS.values())


@pytest.mark.parametrize("cue", ROWS)
def test_what_a_cue_falls_back_on_is_another_cue(cue: str) -> None:
    left = set(re.findall(r"`(\w+)`", ROWS[cue][5]))
    assert left <= set(CUE_COLUMNS) | {"behaviour_write", "behaviour_raise_hand", "behaviour_discuss"}
    assert cue not in left


def test_the_least_heads_are_those_of_the_code() -> None:
    hands, desk = HandSettings().min_head_px, DeskSettings().min_head_px
    pose = dict.fromkeys(("yaw", "pitch", "roll", "face", "mutual", "slump"), HeadSettings().min_head_px)
    around = dict.fromkeys(("hand_face", "hand_raised", "hand_front", "phone", "frown"), hands)
    eyes = dict.fromkeys(("eye_own", "perclos", "blinks"), MIN_HEAD_PX["eye_open"])
    mouth = ("mouth_own", "mouth_motion", "mouth_held", "mouth_crossings", "mouth_rhythm", "yawn")
    used = {
        **MIN_HEAD_PX,
        **pose,
        **around,
        **eyes,
        **dict.fromkeys(mouth, MIN_HEAD_PX["mouth_open"]),
        "brow": MIN_HEAD_PX["brow_furrow"],
        "desk_motion": desk,
        "writing": desk,
        "object": ObjectSettings().min_head_px,
    }
    assert {cue: ROWS[cue][4] for cue in used} == {cue: f"{px:g}" for cue, px in used.items()}


def test_the_example_runs(make_session, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    make_session(tmp_path / "sessions", name="CS-101_lecture", students=2, seconds=20)
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    scope: dict[str, object] = {}
    exec(compile(example, "docs/cues.md", "exec"), scope)
    cues = scope["cues"]
    assert isinstance(cues, pd.DataFrame)
    assert len(cues) == 40
    assert isinstance(scope["CueSettings"](), CueSettings)  # type: ignore[operator]
    assert "hand_raised" in capsys.readouterr().out
