"""Face cues: degenerate regions, the geometry of a known cloud of landmarks, and heads of known direction."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
import pytest
from truth import DEMO, _frames

from pipeline.faces import FaceReader, Faces, FaceSettings
from pipeline.heads import HeadReader, HeadSettings
from pipeline.landmarks import CHIN, FOREHEAD, LANDMARKS, MIRRORED, head_from_face, head_pose


@pytest.fixture(scope="module")
def reader() -> Iterator[FaceReader]:
    with FaceReader(FaceSettings()) as face_reader:
        yield face_reader


def test_nobody_has_no_face(reader: FaceReader) -> None:
    faces = reader.read(np.zeros((90, 120, 3), np.uint8), np.zeros((0, 4)))
    assert faces.head_xyxy.shape == (0, 4)


@pytest.mark.parametrize(
    "box",
    [
        (5, 5, 5, 60),  # no width
        (5, 5, 9, 9),  # too small to believe
        (-80, -80, -20, -20),  # outside the picture
        (0, 0, 4000, 3000),  # larger than the picture
    ],
)
def test_a_box_without_a_face_gives_nothing(reader: FaceReader, box: tuple[float, ...]) -> None:
    faces = reader.read(np.full((90, 120, 3), 127, np.uint8), np.array([box], float))
    assert np.isnan(faces.head_xyxy).all()
    assert np.isnan(faces.pose_deg).all()
    assert np.isnan(faces.cues).all()


def turned(yaw_deg: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> np.ndarray:
    """Landmarks of a flat, upright, symmetric head, turned: yaw to image right, pitch up, roll clockwise."""
    points = np.zeros((LANDMARKS, 3))
    for right, left in MIRRORED:
        points[right], points[left] = (-1.0, 0.0, 0.0), (1.0, 0.0, 0.0)
    points[FOREHEAD], points[CHIN] = (0.0, -1.2, 0.0), (0.0, 1.2, 0.0)
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    roll_matrix = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    # the face looks along -z: chin up brings the forehead backwards (+z), a turn to image right the right side forwards
    pitch_matrix = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    yaw_matrix = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    return points @ (yaw_matrix @ pitch_matrix @ roll_matrix).T


@pytest.mark.parametrize("angle", [-60, -20, 0, 20, 60])
@pytest.mark.parametrize("axis", ["yaw", "pitch", "roll"])
def test_head_pose_returns_the_angle_of_a_turned_cloud(axis: str, angle: float) -> None:
    expected = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0} | {axis: angle}
    np.testing.assert_allclose(head_pose(turned(**{f"{axis}_deg": angle})), list(expected.values()), atol=1e-6)


def test_the_head_reaches_above_and_beside_the_landmarks_and_ends_at_the_chin() -> None:
    points = turned() * 10 + 50
    x1, y1, x2, y2 = head_from_face(points)
    assert x1 < points[:, 0].min()
    assert x2 > points[:, 0].max()
    assert y1 < points[:, 1].min()
    assert y2 == pytest.approx(points[:, 1].max())


@pytest.mark.slow
def test_heads_of_the_demo_are_read_where_and_as_they_are() -> None:
    """Both readers on a few real frames: heads lie on the true ones, and their direction is right on average."""
    truth = _frames()
    overlaps, errors, present = [], [], 0
    with FaceReader(FaceSettings()) as face_reader, av.open(str(DEMO / "classroom.mp4")) as container:
        head_reader = HeadReader(HeadSettings())
        for index, frame in enumerate(container.decode(video=0)):
            if index % 40:
                continue
            image = frame.to_ndarray(format="bgr24")
            people = [
                p for p in truth[index]["persons"] if p["visible"] and p["head_bbox"] and p["visible_fraction"] > 0.5
            ]
            present += len(people)
            boxes = np.array([p["visible_bbox"] for p in people], float)
            faces: Faces = face_reader.read(image, boxes)
            heads = head_reader.read(image, boxes, np.array([p["id"] for p in people]), faces.head_xyxy, faces.pose_deg)
            for person, head, pose in zip(people, heads.head_xyxy, heads.pose_deg, strict=True):
                if np.isnan(head).any():
                    continue
                true = np.array(person["head_bbox"])
                shared = np.clip(np.minimum(head[2:], true[2:]) - np.maximum(head[:2], true[:2]), 0, None).prod()
                overlaps.append(shared / ((head[2:] - head[:2]).prod() + (true[2:] - true[:2]).prod() - shared))
                if np.isfinite(pose).all():
                    middle = (true[:2] + true[2:]) / 2
                    focal = 640 / np.tan(np.radians(33.5))
                    view_yaw = person["head_yaw"] + np.degrees(np.arctan((middle[0] - 640) / focal))
                    view_pitch = person["head_pitch"] - np.degrees(np.arctan((middle[1] - 360) / focal))
                    errors.append((abs(pose[0] - view_yaw), abs(pose[1] - view_pitch)))
    assert len(overlaps) >= 0.95 * present
    assert np.mean(overlaps) >= 0.6
    yaw, pitch = np.mean(errors, axis=0)
    assert yaw <= 8
    assert pitch <= 8
