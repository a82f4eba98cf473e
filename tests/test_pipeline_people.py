"""All that is read of people: nobody, those who may not be read, and a real frame of the demo."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
import pytest
from truth import DEMO, _frames

from pipeline.desk import DeskSettings
from pipeline.faces import FaceSettings
from pipeline.hands import HandSettings
from pipeline.heads import HeadSettings
from pipeline.objects import ObjectSettings
from pipeline.people import PersonReader
from pipeline.session import AROUND


@pytest.fixture
def people() -> Iterator[PersonReader]:
    with PersonReader(
        FaceSettings(), HeadSettings(), HandSettings(per_frame=20), DeskSettings(), ObjectSettings()
    ) as one:
        yield one


def test_nobody(people: PersonReader) -> None:
    faces, around = people.read(np.zeros((90, 120, 3), np.uint8), np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool))
    assert faces.head_xyxy.shape == (0, 4)
    assert around.shape == (0, len(AROUND))


@pytest.mark.slow
def test_those_who_may_not_be_read_are_not_and_the_others_are(people: PersonReader) -> None:
    """Two frames of the demo, so that desks can have moved; who rests the head on a hand is seen to."""
    wanted = (50, 52)
    truth = _frames()
    with av.open(str(DEMO / "classroom.mp4")) as container:
        images = {
            index: frame.to_ndarray(format="bgr24")
            for index, frame in zip(range(53), container.decode(video=0), strict=False)
            if index in wanted
        }
    for index in wanted:
        there = [p for p in truth[index]["persons"] if p["visible"] and p["head_bbox"]]
        boxes = np.array([p["visible_bbox"] for p in there], float)
        ids = np.array([p["id"] for p in there])
        allowed = ids % 2 == 0
        faces, around = people.read(images[index], boxes, ids, allowed)
    for values in (faces.head_xyxy, faces.pose_deg, faces.cues, faces.gaze, around):
        assert np.isnan(values[~allowed]).all()
    assert np.isfinite(faces.pose_deg[allowed]).mean() > 0.9
    ahead = people.read_faces(images[index], boxes, allowed)
    for values in (ahead.head_xyxy, ahead.pose_deg, ahead.cues, ahead.gaze):
        assert np.isnan(values[~allowed]).all()
    again, _ = people.read(images[index], boxes, ids, allowed, faces=ahead)
    np.testing.assert_array_equal(again.cues, faces.cues)
    np.testing.assert_array_equal(again.gaze, faces.gaze)
    assert np.isfinite(around[allowed, AROUND.index("desk_motion")]).all()
    hand = dict(zip(ids.tolist(), around[:, AROUND.index("hand_face")].tolist(), strict=True))
    at_face = [p["id"] for p in there if p["action"] in ("head_on_hand", "hand_at_chin") and p["id"] % 2 == 0]
    others = [hand[p["id"]] for p in there if p["action"] == "watching_board" and p["id"] % 2 == 0]
    assert at_face
    assert all(hand[one] > 0.5 for one in at_face)
    assert np.nanmax(others) < 0.3
    assert np.isnan(around[:, AROUND.index("object")]).all()


@pytest.mark.slow
def test_readers_that_are_given_what_others_remember_go_on_as_these_would() -> None:
    """Six frames of the demo, read by one, and by two of which the second begins with the fifth."""
    settings = FaceSettings(), HeadSettings(), HandSettings(per_frame=2), DeskSettings(), ObjectSettings()
    truth = _frames()
    with av.open(str(DEMO / "classroom.mp4")) as container:
        frames = zip(range(0, 12, 2), list(container.decode(video=0))[:12:2], strict=True)
        shown = [(frame.to_ndarray(format="bgr24"), truth[index]["persons"]) for index, frame in frames]

    def read(one: PersonReader, image: np.ndarray, there: list[dict[str, object]]) -> list[bytes]:
        there = [person for person in there if person["visible"]]
        boxes = np.array([person["visible_bbox"] for person in there], float)
        ids = np.array([person["id"] for person in there])
        faces, around = one.read(image, boxes, ids, np.ones(len(ids), bool))
        return [part.tobytes() for part in (faces.head_xyxy, faces.pose_deg, faces.cues, faces.gaze, around)]

    with PersonReader(*settings) as one:
        whole = [read(one, *frame) for frame in shown[:4]]
        state = one.state()
        whole += [read(one, *frame) for frame in shown[4:]]
    assert all(value.dtype.kind in "if" and value.size <= 512 * 4 for value in state.values())  # numbers, and few
    with PersonReader(*settings) as other:
        other.restore(state)
        other.pass_by(shown[3][0])
        assert [read(other, *frame) for frame in shown[4:]] == whole[4:]
    with PersonReader(*settings) as fresh:
        assert [read(fresh, *frame) for frame in shown[4:]] != whole[4:]
