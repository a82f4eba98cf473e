"""How the camera's own motion is measured: on the demo clip's pictures, moved by known amounts."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.camera import Camera, CameraSettings, View
from pipeline.video import VideoReader

DEMO = Path(__file__).parents[1] / "demo" / "classroom.mp4"
PLAIN = np.full((180, 320, 3), 120, np.uint8)
PLAIN_HD = np.zeros((720, 1280, 3), np.uint8)


@cache
def demo(rate: float = 2.0) -> tuple[np.ndarray, ...]:
    """Pictures of the demo clip at ``rate`` frames per second."""
    with VideoReader(DEMO) as reader:
        return tuple(frame.image.copy() for frame in reader.frames(rate))


def moved(image: np.ndarray, x: float = 0, y: float = 0, zoom: float = 1.0, tilt_deg: float = 0.0) -> np.ndarray:
    """The picture as a camera sees it that turned away by so many px, zoomed and tilted about the middle."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), tilt_deg, zoom)
    matrix[:, 2] += (x, y)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def elsewhere() -> np.ndarray:
    """Another room, with as much to see in it as the demo's."""
    rng = np.random.default_rng(1)
    image = np.full((720, 1280, 3), 90, np.uint8)
    for _ in range(150):
        x, y, w, h = rng.integers([0, 0, 20, 20], [1200, 650, 200, 150]).tolist()
        cv2.rectangle(image, (x, y), (x + w, y + h), rng.integers(0, 255, 3).tolist(), -1)
    return image


def views(pictures: list[np.ndarray], **settings: int) -> list[View]:
    camera = Camera(CameraSettings(**settings))
    return [camera.look(picture) for picture in pictures]


def where(view: View, x: float = 640, y: float = 360) -> np.ndarray:
    """Where a px of the picture lies in its scene."""
    return (view.to_scene @ [x, y, 1.0])[:2]


def test_a_blank_picture_has_not_moved() -> None:
    seen = views([PLAIN, PLAIN, PLAIN])
    assert {view.scene for view in seen} == {0}
    assert all(np.array_equal(view.to_scene, np.eye(3)) for view in seen)


def test_a_tiny_picture_is_no_error() -> None:
    assert [view.scene for view in views([PLAIN[:1, :1], PLAIN[:1, :1]])] == [0, 0]


def test_pictures_of_nothing_but_noise_are_no_error() -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (90, 160, 3), dtype=np.uint8) for _ in range(6)]
    seen = views(noise)
    assert [view.scene for view in seen] == list(range(6))  # nothing in common: nothing is guessed


def test_a_still_camera_moves_nothing_at_all_though_people_do() -> None:
    seen = views(list(demo()))
    assert {view.scene for view in seen} == {0}
    assert all(np.array_equal(view.to_scene, np.eye(3)) for view in seen)


def test_a_camera_that_is_not_to_be_followed_never_moves() -> None:
    camera = Camera(CameraSettings(follow=False))
    seen = [camera.look(picture) for picture in (demo()[0], elsewhere())]
    assert [view.scene for view in seen] == [0, 0]


@hypothesis_settings(max_examples=15)
@given(
    x=st.floats(-160, 160),
    y=st.floats(-90, 90),
    zoom=st.floats(0.9, 1.15),
    tilt=st.floats(-4, 4),
    at=st.integers(1, 60),
)
def test_a_known_motion_is_measured_to_a_few_px(x: float, y: float, zoom: float, tilt: float, at: int) -> None:
    still, turned = views([demo()[0], moved(demo()[at], x, y, zoom, tilt)])
    assert turned.scene == still.scene
    matrix = np.vstack([cv2.getRotationMatrix2D((640, 360), tilt, zoom), [0, 0, 1]])
    matrix[:2, 2] += (x, y)
    for corner in ((320, 180), (960, 180), (640, 600)):
        there = (matrix @ [*corner, 1.0])[:2]
        assert np.linalg.norm(where(turned, *there) - corner) < 8  # a head of the back row is 45 px high


def test_shake_is_taken_back() -> None:
    rng = np.random.default_rng(3)
    shifts = rng.normal(0, 12, (40, 2))
    seen = views([moved(image, *shift) for image, shift in zip(demo()[:40], shifts, strict=True)])
    assert {view.scene for view in seen} == {0}
    places = np.array([where(view, *(np.array([640, 360]) + shift)) for view, shift in zip(seen, shifts, strict=True)])
    assert np.abs(places - places[0]).max() < 6


def test_a_slow_pan_and_back_is_one_scene() -> None:
    wide = cv2.copyMakeBorder(elsewhere(), 0, 0, 0, 1280, cv2.BORDER_REFLECT)  # a room of two pictures' width
    path = [*range(0, 900, 60), *range(900, 0, -60), 0]
    seen = views([wide[:, x : x + 1280] for x in path])
    assert {view.scene for view in seen} == {0}
    errors = [abs(where(view)[0] - 640 - x) for view, x in zip(seen, path, strict=True)]
    assert max(errors) < 15
    assert errors[-1] < 3


def test_a_cut_begins_a_scene_and_a_return_ends_it() -> None:
    pictures = [*demo()[:4], *[elsewhere()] * 3, *demo()[4:8], *[elsewhere()] * 2]
    assert [view.scene for view in views(pictures)] == [0] * 4 + [1] * 3 + [0] * 4 + [1] * 2


def test_a_return_to_a_moved_view_is_recognised_and_measured() -> None:
    seen = views([*demo()[:3], elsewhere(), elsewhere(), moved(demo()[6], 100, 40, 1.1)])
    assert seen[-1].scene == 0
    assert np.linalg.norm(where(seen[-1], 740, 400) - (640, 360)) < 8


def test_a_recording_that_begins_black_begins_with_the_room() -> None:
    seen = views([PLAIN_HD, PLAIN_HD, *demo()[:3], elsewhere(), demo()[4]])
    assert [view.scene for view in seen] == [0, 0, 0, 0, 0, 1, 0]
    assert all(np.array_equal(view.to_scene, np.eye(3)) for view in seen)


def test_a_picture_that_goes_black_for_a_while_is_no_new_beginning() -> None:
    seen = views([*demo()[:3], PLAIN_HD, PLAIN_HD, *demo()[3:5], elsewhere()])
    assert [view.scene for view in seen] == [0, 0, 0, 1, 1, 0, 0, 2]


def test_somebody_who_fills_the_picture_for_a_moment_changes_nothing_after() -> None:
    hidden = demo()[2].copy()
    hidden[:, 60:] = elsewhere()[:, 60:]
    seen = views([*demo()[:2], hidden, *demo()[3:6]])
    assert [seen[n].scene for n in (0, 1, 3, 4, 5)] == [0] * 5
    assert np.array_equal(seen[5].to_scene, np.eye(3))


def test_somebody_who_walks_close_by_does_not_move_the_room() -> None:
    pictures = []
    for n, x in enumerate(range(0, 800, 50)):
        image = demo()[n].copy()
        image[:, x : x + 500] = elsewhere()[:, :500]  # two fifths of the picture, all moving together
        pictures.append(image)
    seen = views([demo()[0], *pictures])
    assert all(view.scene == 0 and np.abs(where(view) - (640, 360)).max() < 4 for view in seen)


def test_somebody_who_hides_nearly_all_and_moves_does_not_move_the_room_for_long() -> None:
    pictures = []
    for n in range(6):
        image = demo()[n].copy()
        image[:, 150:] = elsewhere()[:, 20 * n : 20 * n + 1130]
        pictures.append(image)
    seen = views([*demo()[:2], *pictures, *demo()[8:12]])
    assert all(view.scene == 0 and np.array_equal(view.to_scene, np.eye(3)) for view in seen[-3:])


def test_a_lamp_that_goes_out_is_no_cut() -> None:
    dark = [(image * 0.45).astype(np.uint8) for image in demo()[5:10]]
    assert {view.scene for view in views([*demo()[:5], *dark])} == {0}


@pytest.mark.parametrize("keys", [2, 5])
def test_memory_does_not_grow(keys: int) -> None:
    rng = np.random.default_rng(0)
    camera = Camera(CameraSettings(keys=keys))
    pictures = [moved(demo()[n % 70], *rng.uniform(-500, 500, 2)) if n % 3 else elsewhere() for n in range(40)]
    for picture in [demo()[0], *pictures]:
        camera.look(picture)
        assert len(camera._keys) <= keys
    first = camera.look(demo()[1])
    assert first.scene == 0
    assert np.array_equal(first.to_scene, np.eye(3))  # the first view is never forgotten
