"""Where heads are: the prior, what seen faces teach, and the network's reading on real frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.heads import (
    ENOUGH_FACES,
    PRIOR,
    HeadReader,
    HeadSettings,
    combine,
    complete_head_boxes,
    from_share,
    head_region,
    share_of_box,
    usual_place,
)
from pipeline.session import BOX, HEAD_BOX

BODY = (100.0, 50.0, 200.0, 250.0)
UNSEEN_POSE = np.full((1, 3), np.nan)


def rows(heads: list[tuple[float, ...] | None], student: int = 1, body: tuple[float, ...] = BODY) -> pd.DataFrame:
    """Observations of one student with the same body box and the given head boxes."""
    table = pd.DataFrame([head or (np.nan,) * 4 for head in heads], columns=list(HEAD_BOX))
    table[list(BOX)] = body
    table["student"] = student
    return table


def test_nobody_needs_no_head() -> None:
    assert complete_head_boxes(rows([])).empty


def test_without_any_face_the_prior_is_used() -> None:
    filled = complete_head_boxes(rows([None]))
    expected = from_share(np.array([PRIOR]), np.array([BODY]))
    np.testing.assert_allclose(filled[list(HEAD_BOX)], expected)


def test_the_students_own_faces_teach_where_the_head_is() -> None:
    own = (130.0, 60.0, 170.0, 110.0)
    filled = complete_head_boxes(rows([own] * ENOUGH_FACES + [None]))
    np.testing.assert_allclose(filled.iloc[-1][list(HEAD_BOX)].astype(float), own)


def test_a_student_never_seen_is_filled_from_the_class() -> None:
    seen = rows([(130.0, 60.0, 170.0, 110.0)] * ENOUGH_FACES, student=1)
    unseen = rows([None], student=2, body=(300.0, 50.0, 400.0, 250.0))
    filled = complete_head_boxes(pd.concat([seen, unseen], ignore_index=True))
    np.testing.assert_allclose(filled.iloc[-1][list(HEAD_BOX)].astype(float), (330.0, 60.0, 370.0, 110.0))


def test_of_few_heads_no_usual_place_is_made() -> None:
    own = (130.0, 60.0, 170.0, 110.0)
    assert usual_place(rows([])) is None
    assert usual_place(rows([own] * (ENOUGH_FACES - 1) + [None])) is None
    np.testing.assert_allclose(usual_place(rows([own] * ENOUGH_FACES + [None])), (-0.2, 0.2, 0.05, 0.3))


def test_a_place_of_the_class_that_is_given_outweighs_that_of_these_rows() -> None:
    wide = rows([(0.0, 60.0, 400.0, 110.0)] * ENOUGH_FACES, student=1)  # a few passers-by
    unseen = rows([None], student=2)
    filled = complete_head_boxes(pd.concat([wide, unseen], ignore_index=True), np.array([-0.2, 0.2, 0.05, 0.3]))
    np.testing.assert_allclose(filled.iloc[-1][list(HEAD_BOX)].astype(float), (130.0, 60.0, 170.0, 110.0))
    np.testing.assert_allclose(filled.iloc[0][list(HEAD_BOX)].astype(float), (0.0, 60.0, 400.0, 110.0))


def test_seen_heads_are_never_changed() -> None:
    heads = [(130.0 + i, 60.0, 170.0 + i, 110.0) for i in range(8)]
    filled = complete_head_boxes(rows([*heads, None]))
    np.testing.assert_allclose(filled[list(HEAD_BOX)].to_numpy()[:8], heads)


box = st.tuples(
    st.floats(-50, 500), st.floats(-50, 500), st.floats(5, 300), st.floats(5, 300)
).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))  # fmt: skip


@given(head=box, body=box)
def test_shares_of_a_box_are_turned_back_into_the_same_head(head: tuple[float, ...], body: tuple[float, ...]) -> None:
    heads, bodies = np.array([head]), np.array([body])
    np.testing.assert_allclose(from_share(share_of_box(heads, bodies), bodies), heads, atol=1e-6)


@given(body=box)
def test_the_search_region_spans_the_boxs_middle_and_top(body: tuple[float, ...]) -> None:
    x, y, side = head_region(np.array(body))
    assert x <= (body[0] + body[2]) / 2 <= x + side
    assert y <= body[1] <= y + side


def test_no_people_no_heads() -> None:
    reader = HeadReader(HeadSettings())
    heads = reader.read(
        np.zeros((90, 120, 3), np.uint8), np.zeros((0, 4)), np.zeros(0, int), np.zeros((0, 4)), np.zeros((0, 3))
    )
    assert heads.head_xyxy.shape == (0, 4)
    assert heads.pose_deg.shape == (0, 3)


@pytest.mark.parametrize("body", [(-30.0, -30.0, -5.0, -5.0), (0.0, 0.0, 6.0, 6.0), (110.0, 80.0, 400.0, 300.0)])
def test_boxes_at_and_beyond_the_edge_do_not_break_the_reader(body: tuple[float, ...]) -> None:
    reader = HeadReader(HeadSettings())
    heads = reader.read(
        np.zeros((90, 120, 3), np.uint8), np.array([body]), np.array([1]), np.full((1, 4), np.nan), UNSEEN_POSE
    )
    assert np.isnan(heads.pose_deg).all() or np.isfinite(heads.pose_deg).all()


def test_a_head_smaller_than_the_limit_is_not_believed() -> None:
    reader = HeadReader(HeadSettings(min_head_px=40, max_doubt_deg=1000))
    face = np.array([[10.0, 10.0, 34.0, 40.0]])
    heads = reader.read(
        np.zeros((90, 120, 3), np.uint8), np.array([[0.0, 0.0, 60.0, 80.0]]), np.array([1]), face, UNSEEN_POSE
    )
    assert np.isnan(heads.pose_deg).all()
    np.testing.assert_allclose(heads.head_xyxy, face)  # the face was found all the same


def test_without_landmarks_the_network_speaks_alone() -> None:
    network = np.array([[40.0, -10.0, 5.0]])
    pose, supported = combine(network, np.full((1, 3), 4.0), UNSEEN_POSE)
    np.testing.assert_allclose(pose, network)
    assert not supported.any()


def test_landmarks_that_contradict_the_network_are_not_believed() -> None:
    network = np.array([[70.0, 0.0, 0.0]])
    pose, supported = combine(network, np.full((1, 3), 4.0), np.zeros((1, 3)))
    np.testing.assert_allclose(pose, network)
    assert not supported.any()


angles = st.tuples(*[st.floats(-80, 80)] * 3).map(lambda values: np.array([values]))


@given(network=angles, landmarks=angles, doubt=st.floats(0.5, 60))
def test_the_answer_lies_between_the_two_and_nearer_to_the_surer(
    network: np.ndarray, landmarks: np.ndarray, doubt: float
) -> None:
    pose, supported = combine(network, np.full((1, 3), doubt), landmarks)
    low, high = np.minimum(network, landmarks), np.maximum(network, landmarks)
    assert (pose >= low - 1e-9).all()
    assert (pose <= high + 1e-9).all()
    if supported.all() and doubt > 6:
        assert (np.abs(pose - landmarks) <= np.abs(pose - network) + 1e-9).all()


def test_what_is_remembered_of_tracks_does_not_grow_with_the_lecture() -> None:
    reader = HeadReader(HeadSettings())
    image, body, face = np.zeros((90, 120, 3), np.uint8), np.array([[10.0, 10, 60, 80]]), np.array([[20.0, 12, 44, 42]])
    for track in range(1, HeadReader.MOST_TRACKS + 40):
        reader._remember(track, share_of_box(face, body)[0])
    assert len(reader._places) == HeadReader.MOST_TRACKS
    np.testing.assert_allclose(reader._class_place, share_of_box(face, body)[0], atol=0.01)
    heads = reader.read(image, body, np.array([10_000]), np.full((1, 4), np.nan), UNSEEN_POSE)
    assert heads.pose_deg.shape == (1, 3)  # a new track starts from the class's place
