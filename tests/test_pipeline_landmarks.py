"""Geometry of landmarks: degenerate clouds, and what mirroring, turning and scaling a face must change or leave."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.landmarks import (
    CHIN,
    EYE_CORNERS,
    EYE_LIDS,
    FOREHEAD,
    INNER_LIPS,
    IRISES,
    MIRRORED,
    MOUTH_CORNERS,
    UPPER_BROWS,
    face_axes,
    face_cues,
    gaze,
    head_from_face,
    head_pose,
)

PAIRS = (*MIRRORED, (468, 473), (159, 386), (145, 374), (78, 308), (105, 334), (66, 296), (63, 293))
"""Landmarks that change places when the picture is mirrored."""


def face(
    eye: float = 0.25, mouth: float = 0.1, brow: float = 0.26, look: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """A flat upright face whose outer eye corners are 100 apart; measures in their own units, eyes 30 wide."""
    points = np.zeros((478, 3))
    for right, left in MIRRORED:
        points[right], points[left] = (-60.0, 20.0, 0.0), (60.0, 20.0, 0.0)
    points[FOREHEAD], points[CHIN] = (0.0, -80.0, 0.0), (0.0, 120.0, 0.0)
    (outer_r, inner_r), (inner_l, outer_l) = EYE_CORNERS
    for corner, x in ((outer_r, -50.0), (inner_r, -20.0), (inner_l, 20.0), (outer_l, 50.0)):
        points[corner] = (x, 0.0, 0.0)
    for (upper, lower), iris, x in zip(EYE_LIDS, IRISES, (-35.0, 35.0), strict=True):
        points[upper], points[lower] = (x, -15.0 * eye, 0.0), (x, 15.0 * eye, 0.0)
        points[iris] = (x + 30 * look[0], -30 * look[1], 0.0)
    points[MOUTH_CORNERS[0]], points[MOUTH_CORNERS[1]] = (-25.0, 80.0, 0.0), (25.0, 80.0, 0.0)
    points[INNER_LIPS[0]], points[INNER_LIPS[1]] = (0.0, 80 - 25 * mouth, 0.0), (0.0, 80 + 25 * mouth, 0.0)
    for place in UPPER_BROWS:
        points[place] = (35.0 if place > 200 else -35.0, -100 * brow, 0.0)
    return points


def mirrored(points: np.ndarray) -> np.ndarray:
    """The landmarks of the mirrored picture: left and right change names as well as sides."""
    flipped = points * [-1, 1, 1]
    for right, left in PAIRS:
        flipped[[right, left]] = flipped[[left, right]]
    return flipped


def turned(points: np.ndarray, yaw: float, pitch: float, roll: float) -> np.ndarray:
    y, p, r = np.radians([yaw, pitch, roll])
    spin = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    return points @ (turn @ nod @ spin).T


def test_landmarks_all_in_one_point_give_numbers() -> None:
    points = np.zeros((478, 3))
    assert np.isfinite(head_pose(points)).all()
    assert np.isfinite(face_cues(points)).all()
    assert np.isfinite(gaze(points)).all()


def test_a_face_without_irises_has_no_gaze() -> None:
    assert np.isnan(gaze(face()[:468])).all()


@pytest.mark.parametrize(
    ("change", "cue", "lower", "higher"),
    [("eye", 0, 0.13, 0.28), ("mouth", 1, 0.05, 0.6), ("brow", 2, 0.30, 0.20)],
)
def test_each_cue_follows_its_own_part_of_the_face(change: str, cue: int, lower: float, higher: float) -> None:
    few, many = face_cues(face(**{change: lower})), face_cues(face(**{change: higher}))
    assert many[cue] > few[cue] + 0.3
    np.testing.assert_allclose(np.delete(many, cue), np.delete(few, cue))


angle = st.floats(-35, 35)
part = st.tuples(st.floats(0.05, 0.4), st.floats(0, 0.8), st.floats(0.15, 0.38))
look = st.tuples(st.floats(-0.3, 0.3), st.floats(-0.2, 0.2))


@given(part, look, angle, angle, angle)
def test_a_mirrored_picture_mirrors_sides_and_nothing_else(
    parts: tuple[float, float, float], eyes: tuple[float, float], yaw: float, pitch: float, roll: float
) -> None:
    points = turned(face(*parts, eyes), yaw, pitch, roll)
    other = mirrored(points)
    np.testing.assert_allclose(head_pose(other), head_pose(points) * [-1, 1, -1], atol=1e-6)
    np.testing.assert_allclose(face_cues(other), face_cues(points), atol=1e-9)
    np.testing.assert_allclose(gaze(other), gaze(points) * [-1, 1], atol=1e-6)


@given(part, look, angle, st.floats(0.02, 50), st.floats(-500, 500), st.floats(-500, 500))
def test_a_larger_picture_elsewhere_changes_nothing(
    parts: tuple[float, float, float], eyes: tuple[float, float], yaw: float, zoom: float, x: float, y: float
) -> None:
    points = turned(face(*parts, eyes), yaw, 0, 0)
    moved = points * zoom + [x, y, 0]
    np.testing.assert_allclose(head_pose(moved), head_pose(points), atol=1e-4)
    np.testing.assert_allclose(face_cues(moved), face_cues(points), atol=1e-6)
    np.testing.assert_allclose(gaze(moved), gaze(points), atol=1e-5)


@given(part, angle, angle)
def test_bowing_and_tilting_a_head_does_not_furrow_its_brow(
    parts: tuple[float, float, float], pitch: float, roll: float
) -> None:
    np.testing.assert_allclose(face_cues(turned(face(*parts), 0, pitch, roll)), face_cues(face(*parts)), atol=1e-6)


def test_many_faces_at_once_are_told_like_each_alone():
    many = np.stack([turned(face(), yaw, -yaw / 2, yaw / 3) for yaw in (-30.0, 0.0, 40.0)])
    for tell in (face_axes, head_pose, face_cues, gaze, head_from_face):
        np.testing.assert_allclose(tell(many), [tell(one) for one in many], atol=1e-12)
        assert tell(many[:0]).shape == (0, *tell(many[0]).shape)
