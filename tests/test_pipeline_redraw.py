"""Drawing an annotated frame again: nobody gone first, then crowded rooms, then odd sizes of a whole video."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pandas as pd
import pytest
from clips import make_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pipeline_render import EVERY_STATE, classroom, noise

from models.states import PALETTE
from pipeline.analyse import Analysis
from pipeline.anonymise import regions_to_cover
from pipeline.labels import from_hex
from pipeline.progress import Silent
from pipeline.redraw import Eraser, redraw
from pipeline.render import Annotator, Scale, render
from pipeline.session import BOX
from pipeline.settings import Settings
from pipeline.video import VideoReader

SETTINGS = Settings()
FILL = np.array(SETTINGS.cover.colour)
ENGAGEMENT = pd.Series([0.25, 0.75])


def without(before: Analysis, gone: set[int]) -> Analysis:
    mine = before.observations["student"].isin(gone)
    return replace(
        before,
        observations=before.observations[~mine],
        states=before.states[~before.states["student"].isin(gone)],
        covers=regions_to_cover(before.observations[mine], SETTINGS.cover),
    )


def drawn(image: np.ndarray, analysis: Analysis, t: float) -> np.ndarray:
    result = image.copy()
    Annotator(analysis, ENGAGEMENT, SETTINGS).draw(result, t)
    return result


def outlines(analysis: Analysis, size: tuple[int, int], t: float) -> np.ndarray:
    """(h, w) mask of the edges of boxes: they are soft, and denser where a box is drawn a second time."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    scale = Scale.of(*size)
    for mark in Annotator(analysis, ENGAGEMENT, SETTINGS).marks(t, scale):
        cv2.rectangle(mask, mark.box[:2], mark.box[2:], 1, scale.line + 4)
    return mask.astype(bool)


def uncovered(states: list[str], size: tuple[int, int], columns: int = 4) -> Analysis:
    analysis = classroom(states, size, columns=columns)
    return replace(analysis, covers=analysis.covers.iloc[:0])


# Degenerate


@pytest.mark.parametrize("states", [[], EVERY_STATE], ids=["empty", "full"])
def test_with_nobody_gone_only_the_bar_is_drawn_anew(states):
    before = uncovered(states, (640, 480))
    image = noise((640, 480))
    result = drawn(image, before, 0.3)
    expected = result.copy()
    Eraser(before, before, ENGAGEMENT, SETTINGS).draw(result, 0.3)
    same = (result == expected).all(axis=2) | outlines(before, (640, 480), 0.3)
    assert same[Scale.of(640, 480).bar :].all()


# What is left is what would have been drawn without them


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from(EVERY_STATE), min_size=1, max_size=9),
    st.sets(st.integers(1, 9), min_size=1),
    st.sampled_from([2, 4, 9]),
    st.sampled_from([0.0, 0.37, 1.5]),
)
def test_the_frame_is_that_without_them_but_for_what_is_filled(states, gone, columns, t):
    size = (320, 240)
    before = uncovered(states, size, columns)
    after = without(before, gone)
    image = noise(size)
    result = drawn(image, before, t)
    Eraser(before, after, ENGAGEMENT, SETTINGS).draw(result, t)
    never = drawn(image, after, t)
    bar = Scale.of(*size).bar
    same = (result == never).all(axis=2)
    filled = (result == FILL).all(axis=2)
    assert (same | filled | outlines(after, size, t))[bar:].all()


@pytest.mark.parametrize("gone", [{1}, {2, 3}, set(range(1, 8))])
def test_no_colour_of_who_is_gone_is_left(gone):
    """Each student is in a state of their own here, so each has a colour of their own."""
    before = uncovered(EVERY_STATE, (640, 480))
    after = without(before, gone)
    bar = Scale.of(640, 480).bar
    black = np.zeros((480, 640, 3), np.uint8)
    result = drawn(black, before, 0.5)
    Eraser(before, after, ENGAGEMENT, SETTINGS).draw(result, 0.5)
    for student, state in enumerate(EVERY_STATE, start=1):
        shown = (result[bar:] == from_hex(PALETTE[state])).all(axis=2).any()
        assert shown == (student not in gone)
    for student in gone:
        x1, y1, x2, y2 = before.observations.loc[before.observations["student"] == student, list(BOX)].iloc[0].round()
        sides = result[int(y1) : int(y2), int(x1)], result[int(y1) : int(y2), int(x2)]
        assert all((side == FILL).all() for side in sides)


# A whole video


@pytest.mark.parametrize("size", [(160, 120), (161, 121)])
def test_a_video_keeps_its_size_its_frames_and_their_times(tmp_path, size):
    ticks = [0, 100, 250, 400, 1200, 1234]
    source = make_clip(tmp_path / "in.mp4", ticks, Fraction(1, 1000), rate=10, size=(160, 120), last=66)
    with VideoReader(source) as reader:
        info = replace(reader.info, width=size[0], height=size[1])
    before = replace(uncovered(EVERY_STATE[:2], (160, 120)), info=info, frames=len(ticks))
    annotated, out = tmp_path / "annotated.mp4", tmp_path / "out.mp4"
    if size == (160, 120):
        render(source, annotated, before, ENGAGEMENT, SETTINGS, Silent())
    else:  # as of an odd source: the encoder made it even
        make_clip(annotated, ticks, Fraction(1, 1000), rate=10, size=(162, 122), last=66)
    redraw(annotated, out, before, without(before, {1}), ENGAGEMENT, SETTINGS, Silent())
    with VideoReader(annotated) as old, VideoReader(out) as new:
        assert [frame.t for frame in new.frames()] == [frame.t for frame in old.frames()]
        assert (new.info.width, new.info.height) == (old.info.width, old.info.height)
        assert new.duration == old.duration
