"""Sheets of samples: every tile where it belongs, in its colours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from models.grids import GAP_PX, grid, to_bgr, write_grid


@pytest.mark.parametrize(("count", "columns", "tiles"), [(1, 10, (1, 1)), (4, 2, (2, 2)), (5, 2, (3, 2))])
def test_the_sheet_is_as_large_as_its_tiles(count, columns, tiles):
    sheet = grid(torch.zeros(count, 3, 32, 32), columns)
    assert sheet.shape == (tiles[0] * (96 + GAP_PX) + GAP_PX, tiles[1] * (96 + GAP_PX) + GAP_PX, 3)


def test_red_stays_red_and_the_second_tile_is_beside_the_first():
    x = torch.zeros(2, 3, 32, 32)
    x[1, 0] = 1.0
    assert to_bgr(x)[1, 0, 0].tolist() == [0, 0, 255]
    sheet = grid(x, 2)
    assert sheet[50, 50].tolist() == [0, 0, 0]
    assert sheet[50, 150].tolist() == [0, 0, 255]


def test_windows_run_to_the_right_and_low_is_blue():
    x = torch.zeros(1, 10, 4)
    x[:, 7:, 3] = -9.0
    x[:, :2, 0] = float("nan")
    sheet = grid(x).astype(int)
    low, middle = sheet[-10, -10], sheet[10, 50]
    assert low[0] > low[2] + 100
    assert abs(middle - 255).max() < 60


def test_the_file_is_whole(tmp_path):
    write_grid(tmp_path / "new" / "a.png", torch.rand(3, 3, 32, 32))
    assert np.array_equal(cv2.imread(str(tmp_path / "new" / "a.png")).shape, grid(torch.rand(3, 3, 32, 32)).shape)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.png"]
