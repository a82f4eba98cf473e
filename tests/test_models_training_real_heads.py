"""Training the head network further on filmed heads of which only labels are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from engage import app
from models.errors import ModelFileError
from models.head import WEIGHTS, HeadModel
from models.head_net import load_net
from models.training.real_heads import (
    AROUND_YAW,
    COLUMNS,
    DOWN_PITCH,
    LOOKS,
    ahead_of,
    load_real_heads,
    off_range,
    refine,
)

LOOK = {name: torch.tensor([number]) for number, name in enumerate(LOOKS)}


def table(count: int = 6, rooms: tuple[str, ...] = ("A", "B")) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for room in rooms:
        for number in range(count):
            jpeg = cv2.imencode(".jpg", rng.integers(0, 255, (112, 112, 3), np.uint8))[1].tobytes()
            place = rng.uniform(0, 1000, 2)
            rows.append((jpeg, room, LOOKS[number % 3], *place, *rng.normal(0, 10, 2)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "real_heads.parquet"
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_real_heads(path)
    table().drop(columns="look").to_parquet(path)
    with pytest.raises(ModelFileError, match="column 'look' is missing"):
        load_real_heads(path)
    table().to_parquet(path)
    with pytest.raises(ModelFileError, match="no room 'C' to leave out; it has A, B"):
        load_real_heads(path, ["C"])
    with pytest.raises(ModelFileError, match="no head that looks up is left"):
        load_real_heads(path, ["A", "B"])


def test_a_room_left_out_has_no_part(tmp_path: Path) -> None:
    whole, other = table(), table()
    other.loc[other["room"] == "B", ["yaw", "pitch"]] = 80.0
    read = []
    for number, heads in enumerate((whole, other)):
        path = tmp_path / f"{number}.parquet"
        heads.to_parquet(path)
        read.append(load_real_heads(path, ["B"]))
        assert len(read[-1].images) == len(read[-1].look) == 6
    np.testing.assert_array_equal(read[0].ahead, read[1].ahead)
    assert torch.equal(read[0].images, read[1].images)


def test_ahead_follows_the_seat_and_not_those_who_look_elsewhere() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 1000, 300), rng.uniform(0, 600, 300)
    heads = pd.DataFrame({"room": "hall", "look": "up", "x": x, "y": y, "yaw": x / 50 - 10, "pitch": -4.0})
    wanted = heads["yaw"].to_numpy().copy()
    heads.loc[:30, "yaw"] = 90.0  # misread
    heads.loc[200:, "look"], heads.loc[200:, "yaw"] = "around", -70.0
    ahead = ahead_of(heads)
    assert np.abs(ahead[:, 0] - wanted).max() < 3
    assert ahead[:, 1] == pytest.approx(-4.0)


def test_where_nobody_looks_up_ahead_is_the_camera() -> None:
    heads = pd.DataFrame({"room": ["s"], "look": ["down"], "x": [1.0], "y": [1.0], "yaw": [30.0], "pitch": [-40.0]})
    assert (ahead_of(heads) == 0).all()


@settings(max_examples=60, deadline=None)
@given(st.floats(-90, 90), st.floats(-80, 60), st.sampled_from(LOOKS))
def test_within_its_range_a_head_is_not_drawn_and_sides_are_alike(yaw: float, pitch: float, look: str) -> None:
    def off(one: float) -> float:
        return float(off_range(torch.tensor([one]), torch.tensor([pitch]), LOOK[look]))

    assert off(yaw) >= 0
    assert off(yaw) == pytest.approx(off(-yaw), abs=1e-4)
    fits = {
        "up": abs(yaw) <= 12 and pitch >= -12,
        "down": abs(yaw) <= 25 and pitch <= DOWN_PITCH,
        "around": abs(yaw) >= AROUND_YAW,
    }[look]
    if abs(yaw) > 1e-3 or look != "around":
        assert (off(yaw) < 1e-4) == fits or off(yaw) < 1e-3


def test_a_head_is_drawn_towards_its_range() -> None:
    yaw = torch.tensor([20.0, -20.0], requires_grad=True)
    off_range(yaw, torch.zeros(2), torch.tensor([2, 2])).sum().backward()
    assert yaw.grad is not None
    assert yaw.grad.tolist() == [-1.0, 1.0]  # down the gradient: further to the side it is on


def test_training_further_changes_every_weight(tmp_path: Path) -> None:
    path = tmp_path / "real_heads.parquet"
    heads = table(12, ("A",))
    heads[["yaw", "pitch"]] = 0.0
    heads.to_parquet(path)
    real = load_real_heads(path)
    rendered, labels = torch.randint(0, 255, (8, 3, 112, 112), dtype=torch.uint8), torch.zeros(8, 3)
    said: list[str] = []
    net = refine(load_net(WEIGHTS), rendered, labels, real, steps=3, seed=0, say=said.append)
    assert said[-1].startswith("step 3/3")
    changed = [not torch.equal(a, b) for a, b in zip(net.parameters(), load_net(WEIGHTS).parameters(), strict=True)]
    assert all(changed)


def test_the_command_writes_weights_that_load(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    jpegs = [cv2.imencode(".jpg", rng.integers(0, 255, (40, 40, 3), np.uint8))[1].tobytes() for _ in range(24)]
    rendered = pd.DataFrame({"jpeg": jpegs, "scene": [1] * 20 + [7] * 4, "person": [1] * 20 + [11] * 4})
    rendered[["yaw_view", "pitch_view", "roll"]] = rng.normal(0, 20, (24, 3))
    rendered.to_parquet(tmp_path / "heads.parquet")
    table().to_parquet(tmp_path / "real_heads.parquet")
    out = tmp_path / "head.pt"
    arguments = ["train", "head", tmp_path / "heads.parquet", "--real", tmp_path / "real_heads.parquet"]
    arguments += ["--start", WEIGHTS, "--steps", 2, "--batch", 8, "--without", "B", "--out", out]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert "held-out" in result.output
    assert HeadModel(out).read(np.zeros((1, 64, 64, 3), np.uint8)).pose_deg.shape == (1, 3)
