"""Motion on the desk: first frames, tiny heads, edges and neighbours; a region that moves and one that does not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.camera import View
from pipeline.desk import DeskMotion, DeskSettings, desk_regions

HEAD = np.array([[180.0, 60.0, 220.0, 110.0]])


def picture(seed: int | None = None, where: np.ndarray | None = None) -> np.ndarray:
    """Grey; noise in blocks within ``where`` (4,) px if a seed is given."""
    image = np.full((300, 400, 3), 100, np.uint8)
    if seed is not None:
        x1, y1, x2, y2 = (int(v) for v in (where if where is not None else (0, 0, 400, 300)))
        noise = np.random.default_rng(seed).integers(0, 255, (40, 40, 1), np.uint8)
        image[y1:y2, x1:x2] = np.repeat(np.repeat(noise, 10, 0), 10, 1)[: y2 - y1, : x2 - x1]
    return image


def after(first: np.ndarray, second: np.ndarray, heads: np.ndarray) -> np.ndarray:
    motion = DeskMotion(DeskSettings())
    motion.read(first, heads)
    return motion.read(second, heads)


def test_the_first_frame_tells_nothing() -> None:
    assert np.isnan(DeskMotion(DeskSettings()).read(picture(), HEAD)).all()


def test_a_camera_that_changes_its_size_tells_nothing() -> None:
    assert np.isnan(after(picture(), picture()[:200], HEAD)).all()


@pytest.mark.parametrize(
    "heads",
    [np.full((1, 4), np.nan), np.array([[180.0, 60, 190, 72]]), np.array([[180.0, 250, 220, 300]])],
    ids=["unknown", "tiny", "desk below the picture"],
)
def test_desks_that_cannot_be_seen(heads: np.ndarray) -> None:
    assert np.isnan(after(picture(1), picture(2), heads)).all()


def test_nobody() -> None:
    assert after(picture(), picture(), np.zeros((0, 4))).shape == (0,)


def test_a_still_picture_has_no_motion_and_a_new_one_is_all_motion() -> None:
    assert after(picture(1), picture(1), HEAD) == pytest.approx([0.0])
    assert after(picture(1), picture(2), HEAD)[0] > 0.8


def test_noise_is_not_motion() -> None:
    noisy = np.clip(picture().astype(int) + np.random.default_rng(0).integers(-8, 9, (300, 400, 3)), 0, 255)
    assert after(picture(), noisy.astype(np.uint8), HEAD) == pytest.approx([0.0])


def test_what_moves_elsewhere_does_not_count() -> None:
    assert after(picture(1, np.array([0, 0, 100, 300])), picture(2, np.array([0, 0, 100, 300])), HEAD) == pytest.approx(
        [0.0]
    )


def test_a_desk_behind_other_heads_tells_nothing() -> None:
    region = desk_regions(HEAD)[0]
    front = np.array([[region[0], region[1], region[2], region[3]]])
    moved = after(picture(1), picture(2), np.concatenate([HEAD, front]))
    assert np.isnan(moved[0])


def test_mirroring_the_picture_changes_nothing() -> None:
    flipped = HEAD[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [400, 0, 400, 0]
    left = after(picture(1)[:, ::-1].copy(), picture(2)[:, ::-1].copy(), flipped)
    assert left == pytest.approx(after(picture(1), picture(2), HEAD), abs=0.02)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (12.0, -7.0), (-30.0, 4.0)], ids=str)
def test_a_camera_that_moves_moves_no_hands(shift: tuple[float, float]) -> None:
    scene, view = picture(1), np.eye(3)
    view[:2, 2] = shift  # px of this picture -> px of the first
    seen = cv2.warpPerspective(scene, np.linalg.inv(view), (400, 300), borderMode=cv2.BORDER_REFLECT)
    motion = DeskMotion(DeskSettings())
    motion.read(scene, HEAD)
    assert motion.read(seen, HEAD, View(0, view))[0] == pytest.approx(0.0, abs=0.02)
    motion.read(scene, HEAD)
    if any(shift):  # the same two pictures, had the camera been taken for still
        assert motion.read(seen, HEAD)[0] > 0.5


def test_after_a_cut_nothing_is_known() -> None:
    motion = DeskMotion(DeskSettings())
    motion.read(picture(1), HEAD)
    assert np.isnan(motion.read(picture(1), HEAD, View(1, np.eye(3)))).all()
