"""The head network: shapes, damage, and that its training's views keep the labels right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import ModelFileError
from models.head import INPUT_PX, OUTPUTS, WEIGHTS, HeadModel
from models.head_net import HeadNet
from models.training.head import augment, load_heads, loss, run


def test_no_heads_no_readings() -> None:
    reading = HeadModel().read(np.zeros((0, INPUT_PX, INPUT_PX, 3), np.uint8))
    assert reading.pose_deg.shape == (0, 3)
    assert reading.moved.shape == (0, 3)


def test_a_head_is_read_alike_alone_and_in_a_batch() -> None:
    crops = np.random.default_rng(0).integers(0, 255, (5, INPUT_PX, INPUT_PX, 3), np.uint8)
    model = HeadModel()
    together = model.read(crops).pose_deg
    alone = np.concatenate([model.read(crop[None]).pose_deg for crop in crops])
    np.testing.assert_allclose(together, alone, atol=1e-2)


def test_the_shipped_network_is_small() -> None:
    assert WEIGHTS.stat().st_size < 1 << 20
    assert sum(parameter.numel() for parameter in HeadNet().parameters()) < 400_000


@pytest.mark.parametrize("content", [b"", b"not a network", None])
def test_damaged_weights_are_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "head.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"head\.pt"):
        HeadModel(path)


def test_mirrored_and_rolled_views_change_the_labels_with_the_picture() -> None:
    """A picture with one bright spot up and to the right: wherever it lands, the labels' roll and mirror agree."""
    images = torch.zeros(64, 3, 112, 112, dtype=torch.uint8)
    labels = torch.tensor([[30.0, 10.0, 5.0]]).repeat(64, 1)
    _, targets = augment(images, labels, torch.Generator().manual_seed(0))
    mirrored = targets[:, 0] < 0
    assert 10 < int(mirrored.sum()) < 54
    np.testing.assert_allclose(targets[:, 0].abs(), 30.0, rtol=1e-6)
    np.testing.assert_allclose(targets[:, 1], 10.0)
    usual = torch.where(mirrored, -5.0, 5.0)
    assert float((targets[:, 2] - usual).abs().max()) <= 12.0
    assert targets.shape == (64, 6)


def test_the_place_target_says_where_the_head_landed() -> None:
    """A white disc for a head: its centre in each view is where ``moved`` says, in head heights of that view."""
    y, x = np.mgrid[:112, :112]
    disc = ((x - 55.5) ** 2 + (y - 55.5) ** 2 < 12**2).astype(np.uint8) * 255
    images = torch.from_numpy(np.repeat(disc[None, None], 3, axis=1)).repeat(40, 1, 1, 1)
    views, targets = augment(images, torch.zeros(40, 3), torch.Generator().manual_seed(1))
    checked = 0
    for view, target in zip(views.mean(dim=1).numpy(), targets.numpy(), strict=True):
        bright = view > (view.max() + view.min()) / 2
        if not 20 < bright.sum() < 800:  # hidden or drowned in noise
            continue
        row, column = (np.mean(axis) + 0.5 for axis in np.nonzero(bright))
        head_px = INPUT_PX / 1.5 * np.exp(target[5])
        place = target[3:5] * INPUT_PX / 1.5 + INPUT_PX / 2
        checked += bool(np.hypot(*(place - [column, row])) < 0.15 * head_px)
    assert checked >= 25


def test_the_loss_falls_when_the_answer_is_nearer() -> None:
    targets = torch.tensor([[20.0, -10.0, 0.0, 0.1, 0.0, 0.0]])
    far, near = torch.zeros(1, OUTPUTS), torch.zeros(1, OUTPUTS)
    near[0, :3] = targets[0, :3] / 45
    near[0, 6:9] = targets[0, 3:6]
    assert float(loss(near, targets)) < float(loss(far, targets))


def test_training_data_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    import pandas as pd

    missing = tmp_path / "none.parquet"
    with pytest.raises(ModelFileError, match=r"none\.parquet"):
        load_heads(missing)
    pd.DataFrame({"jpeg": [b""]}).to_parquet(missing)
    with pytest.raises(ModelFileError, match="column 'scene' is missing"):
        load_heads(missing)


def test_a_short_training_run_writes_weights_that_load(tmp_path: Path) -> None:
    import cv2
    import pandas as pd

    rng = np.random.default_rng(0)
    jpegs = [cv2.imencode(".jpg", rng.integers(0, 255, (40, 40, 3), np.uint8))[1].tobytes() for _ in range(24)]
    table = pd.DataFrame({"jpeg": jpegs, "scene": [1] * 20 + [7] * 4, "person": [1] * 20 + [11] * 4})
    table[["yaw_view", "pitch_view", "roll"]] = rng.normal(0, 20, (24, 3))
    data, out, said = tmp_path / "heads.parquet", tmp_path / "head.pt", []
    table.to_parquet(data)
    run(data, out, epochs=1, batch=8, seed=0, say=said.append)
    assert HeadModel(out).read(np.zeros((1, INPUT_PX, INPUT_PX, 3), np.uint8)).pose_deg.shape == (1, 3)
    assert any("held-out" in line for line in said)
    with pytest.raises(ModelFileError, match="too few"):
        run(data, out, epochs=1, batch=64, seed=0, say=said.append)
