from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clips import make_clip

import pipeline.render
from consent.policy import CoverPolicy
from models.states import PALETTE, UNSEEN, Profile, State
from pipeline.analyse import Analysis
from pipeline.anonymise import regions_to_cover
from pipeline.labels import Tags, from_hex, put_text, text_mask
from pipeline.patches import HOLD_S, Patches
from pipeline.progress import Silent
from pipeline.render import Annotator, Scale, render
from pipeline.session import BOX, EVENT_COLUMNS, HEAD_BOX
from pipeline.settings import Settings, read_settings
from pipeline.video import VideoInfo, VideoReader

SIZES = [(854, 480), (1280, 720), (3840, 2160)]
UPRIGHT_AND_SMALL = [(480, 854), (1080, 1920), (640, 480), (320, 240), (160, 120)]
EVERY_STATE = [*(state.value for state in State), UNSEEN]


def noise(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)


def classroom(states: list[str], size: tuple[int, int], seconds: int = 2, columns: int = 4) -> Analysis:
    """Students in rows of ``columns``, each in one state throughout, analysed 5 times a second."""
    width, height = size[0] / columns, size[1] / 3
    rows = []
    for place, _ in enumerate(states):
        x, y = (place % columns + 0.1) * width, (place // columns + 0.4) * height
        body = dict(zip(BOX, (x, y, x + 0.8 * width, y + 0.8 * height), strict=True))
        head = dict(zip(HEAD_BOX, (x + 0.3 * width, y, x + 0.5 * width, y + 0.25 * height), strict=True))
        rows += [{"t": k / 5, "student": place + 1, "eye_open": 0.8, **body, **head} for k in range(5 * seconds)]
    columns_of = ["t", "student", "eye_open", *BOX, *HEAD_BOX]
    observations = pd.DataFrame(rows, columns=columns_of)
    spoken = [(second, place + 1, state) for second in range(seconds) for place, state in enumerate(states)]
    return Analysis(
        info=VideoInfo("made.mp4", *size, 0, 10.0, Fraction(1, 1000), None, None, False),
        frames=seconds * 10,
        duration_s=float(seconds),
        interval_s=0.2,
        analysed_frames=seconds * 5,
        observations=observations,
        states=pd.DataFrame(spoken, columns=["t", "student", "state"]),
        events=pd.DataFrame(columns=list(EVENT_COLUMNS)),
        covers=regions_to_cover(observations, Settings().cover),
        students=len(states),
        warnings=[],
        policy=CoverPolicy(False, (), ""),
    )


def annotated(image: np.ndarray, analysis: Analysis, t: float = 0.0, engagement: float = 0.5, **changes) -> np.ndarray:
    result = image.copy()
    by_second = pd.Series(engagement, index=range(max(1, round(analysis.duration_s))))
    Annotator(analysis, by_second, read_settings(None, **changes)).draw(result, t)
    return result


@pytest.fixture
def written(monkeypatch) -> list[tuple[str, int, int, int]]:
    """(text, left, right, size) px of everything that is written on the bar."""
    calls: list[tuple[str, int, int, int]] = []

    def record(image, text, x, y, size_px, *more):
        calls.append((text, x, x + text_mask(text, size_px, *more[1:]).shape[1], size_px))
        return put_text(image, text, x, y, size_px, *more)

    monkeypatch.setattr(pipeline.render, "put_text", record)
    return calls


@pytest.fixture
def tagged(monkeypatch) -> list[str]:
    """The text of every tag."""
    calls: list[str] = []
    put = Tags.put
    monkeypatch.setattr(Tags, "put", lambda self, text, *more: (calls.append(text), put(self, text, *more))[1])
    return calls


# an empty room, a lecture of one frame


@pytest.mark.parametrize("size", SIZES + UPRIGHT_AND_SMALL)
def test_an_empty_room_gets_the_bar_only(size):
    image = noise(size)
    result = annotated(image, classroom([], size), engagement=np.nan)
    bar = Scale.of(*size).bar
    assert np.array_equal(result[bar:], image[bar:])
    assert not np.array_equal(result[:bar], image[:bar])


@pytest.mark.parametrize("duration", [0.0, 0.04, 1.0])
def test_a_lecture_of_one_frame_shows_its_state(duration, tagged):
    analysis = classroom([State.ATTENTIVE.value], (1280, 720), seconds=1)
    analysis.duration_s = duration
    annotated(noise((1280, 720)), analysis)
    assert tagged == ["1 attentive"]


@pytest.mark.parametrize(
    ("t", "expected"), [(0.9, "1 writing"), (1.0, "▲ 1 writing"), (2.9, "▲ 1 writing"), (3.0, "1 writing")]
)
def test_an_unusual_span_is_marked_while_it_lasts(t, expected, tagged):
    writing = State.TAKING_NOTES
    analysis = classroom([writing.value] * 2, (1280, 720), seconds=4)
    analysis.events = pd.DataFrame([(1.0, 3.0, 1, 9.0, 5.0, "standing")], columns=list(EVENT_COLUMNS))
    annotated(noise((1280, 720)), analysis, t)
    assert tagged == [expected.replace("writing", writing.label), f"2 {writing.label}"]


def test_a_second_without_a_state_is_unseen(tagged):
    analysis = classroom([State.ATTENTIVE.value], (1280, 720))
    analysis.states = analysis.states.iloc[:1]
    annotated(noise((1280, 720)), analysis, t=1.2)
    assert tagged == ["1"]


def test_people_partly_outside_the_frame():
    analysis = classroom(EVERY_STATE, (640, 480))
    shifted = {name: analysis.observations[name] - 200 for name in BOX}
    analysis.observations = analysis.observations.assign(**shifted)
    analysis.covers = analysis.covers.assign(**{name: analysis.covers[name] - 200 for name in BOX})
    assert annotated(noise((640, 480)), analysis).shape == (480, 640, 3)


# privacy


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("t", [0.0, 0.37, 1.99])
def test_nothing_of_a_covered_head_reaches_the_video(size, t):
    analysis = classroom(EVERY_STATE, size)
    one, other = noise(size), noise(size)
    for x1, y1, x2, y2 in analysis.covers.loc[analysis.covers["t"] == 0, list(BOX)].to_numpy():
        area = np.s_[max(0, int(np.floor(y1))) : int(np.ceil(y2)), max(0, int(np.floor(x1))) : int(np.ceil(x2))]
        other[area] = 255 - one[area]
    assert not np.array_equal(one, other)
    assert np.array_equal(annotated(one, analysis, t), annotated(other, analysis, t))


@pytest.mark.parametrize("size", SIZES)
def test_the_cover_has_its_colour_and_the_rest_of_the_room_is_left(size):
    analysis = classroom([UNSEEN], size)
    image = noise(size)
    result = annotated(image, analysis, cover__colour=(1, 2, 3))
    x1, y1, x2, y2 = analysis.covers.loc[0, list(BOX)].astype(int)
    middle = np.s_[(y1 + y2) // 2, x1 + 1 : x2 - 1]
    assert (result[middle] == (1, 2, 3)).all()
    assert np.array_equal(result[size[1] * 2 // 3 :], image[size[1] * 2 // 3 :])


def test_pixelated_heads_differ_from_the_source_and_do_not_flicker():
    analysis = classroom([UNSEEN], (640, 480))
    image = noise((640, 480))
    first, again = (annotated(image, analysis, cover__style="pixelate") for _ in range(2))
    x1, y1, x2, y2 = analysis.covers.loc[0, list(BOX)].astype(int)
    assert np.array_equal(first, again)
    assert (first[y1 + 5 : y2 - 5, x1 + 5 : x2 - 5] != image[y1 + 5 : y2 - 5, x1 + 5 : x2 - 5]).mean() > 0.9


@pytest.mark.parametrize(("t", "hidden"), [(0.0, True), (5.0, True), (7.99, True), (12.1, False)])
def test_a_cover_stays_in_gaps_and_some_time_beyond(t, hidden):
    analysis = classroom([UNSEEN], (640, 480), seconds=20)
    analysis.covers = analysis.covers[analysis.covers["t"].isin([0.0, 6.0])]  # sightings; held 2 s beyond
    analysis.observations = analysis.observations.iloc[:1]
    image = noise((640, 480))
    x1, y1, x2, y2 = analysis.covers[list(BOX)].iloc[0].astype(int)
    kept = (annotated(image, analysis, t) == image)[y1 + 20 : y2, x1 + 5 : x2 - 5].mean()
    assert (kept < 0.1) == hidden


# boxes and tags


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", EVERY_STATE)
def test_boxes_and_tags_have_the_colour_of_the_state(size, state):
    analysis = classroom([state], size)
    result = annotated(np.zeros((size[1], size[0], 3), np.uint8), analysis)
    x1, y1, _, y2 = analysis.observations.loc[0, list(BOX)].round().astype(int)
    colour = from_hex(PALETTE[state])
    assert tuple(result[(y1 + y2) // 2, x1]) == colour
    assert tuple(result[y1 - 3 * Scale.of(*size).line, x1]) == colour  # the tag stands on the box


@pytest.mark.parametrize(("size", "text"), zip(SIZES, (11, 16, 47), strict=True))
def test_text_and_lines_grow_with_the_frame(size, text):
    scale = Scale.of(*size)
    assert scale.text == text
    assert scale.line == max(1, round(text / 7))
    assert text < scale.bar <= 2 * text
    assert scale.bar < 0.05 * size[1]
    assert Scale.of(*size[::-1]) == scale


@pytest.mark.parametrize("size", SIZES)
def test_a_label_fits_its_box(size, tagged):
    annotated(noise(size), classroom(EVERY_STATE, size))
    wide, tagged[:] = list(tagged), []
    annotated(noise(size), classroom(EVERY_STATE, size, columns=16))
    names = [State(name).label for name in EVERY_STATE[:-1]]
    assert wide == [*(f"{number} {name}" for number, name in enumerate(names, start=1)), "7"]
    assert tagged == ["1 A", "2 D", "3 C", "4 B", "5 T", "6 N", "7"]
    for columns, texts in ((4, wide), (16, tagged)):
        assert max(text_mask(text, Scale.of(*size).text, True).shape[1] for text in texts) <= 0.8 * size[0] / columns


# the bar


@pytest.mark.parametrize("size", SIZES + UPRIGHT_AND_SMALL)
@pytest.mark.parametrize("profile", Profile)
def test_the_profile_is_on_every_video_and_no_text_on_another(size, profile, written):
    analysis = classroom([], size)
    analysis.duration_s = 4000.0
    annotated(noise(size), analysis, t=3999.0, profile=profile)
    texts = {text: (left, right) for text, left, right, _ in written}
    assert f"profile: {profile.value}" in texts
    for (left, right), (other_left, other_right) in combinations(texts.values(), 2):
        assert right <= other_left or other_right <= left
    assert min(left for left, _ in texts.values()) >= 0
    assert max(right for _, right in texts.values()) <= size[0]


@pytest.mark.parametrize("size", [*SIZES, (480, 854), (640, 480)])
def test_time_and_engagement_are_on_the_bar(size, written):
    analysis = classroom([], size, seconds=75)
    annotated(noise(size), analysis, t=61.9, engagement=0.731)
    annotated(noise(size), analysis, t=61.9, engagement=np.nan)
    texts = [text for text, *_ in written]
    assert texts.count("1:01 / 1:15") == 2
    assert texts.count("engagement 0.73") == 1
    assert texts.count("engagement –") == 1


@pytest.mark.parametrize("size", SIZES)
def test_the_meter_is_as_long_as_the_engagement(size):
    analysis, scale = classroom([], size), Scale.of(*size)
    row = scale.bar // 2
    bars = [annotated(np.zeros((size[1], size[0], 3), np.uint8), analysis, engagement=e)[row] for e in (0.0, 0.5, 1.0)]
    white = [(bar == 255).all(axis=1) for bar in bars]
    longest = [max(map(len, "".join("x" if on else " " for on in line).split()), default=0) for line in white]
    assert longest[2] == 5 * scale.text + 1
    assert longest[1] == pytest.approx(2.5 * scale.text + 1, abs=1)
    assert longest[0] < scale.text


def test_the_legend_names_the_states_of_the_profile_only(written):
    for profile in Profile:
        written.clear()
        annotated(noise((1920, 1080)), classroom([], (1920, 1080)), profile=profile)
        words = {text.split(" ", 1)[-1] for text, *_ in written} & {state.label for state in State}
        assert words == {state.label for state in profile.states}


def test_the_bar_hides_what_is_under_it():
    image = noise((1280, 720))
    bar = Scale.of(1280, 720).bar
    quiet = annotated(image, classroom([], (1280, 720)))[:bar, 4:12].astype(int)
    assert quiet.max() - quiet.min() < 60


# a whole video


def test_every_frame_is_written_and_covered(tmp_path):
    source = make_clip(tmp_path / "in.mp4", range(0, 2000, 100), Fraction(1, 1000), rate=10, size=(320, 240))
    analysis = classroom([State.ATTENTIVE.value, UNSEEN], (320, 240))
    out = tmp_path / "out.mp4"
    render(Path(source), out, analysis, pd.Series([0.2, 0.8]), read_settings(None, blur="everyone"), Silent())
    with VideoReader(out) as reader:
        frames = [frame.image for frame in reader.frames()]
    assert len(frames) == 20
    x1, y1, x2, y2 = analysis.covers.loc[0, list(BOX)].astype(int)
    fill = np.array(Settings().cover.colour)
    assert all(np.abs(frame[y1 + 25 : y2 - 4, x1 + 4 : x2 - 4].astype(int) - fill).max() < 16 for frame in frames)


def test_staff_is_a_plain_box_with_the_word():
    analysis = classroom(["attentive"], (640, 360))
    here = {"x1": 400.0, "y1": 100.0, "x2": 460.0, "y2": 300.0}
    analysis.staff = pd.DataFrame([{"t": k / 5, "student": 7, **here} for k in range(5)])
    annotator = Annotator(analysis, pd.Series(0.5, index=range(2)), Settings())
    marks = annotator.marks(0.5, Scale.of(640, 360))
    assert [mark.label for mark in marks][1:] == ["staff"]
    assert marks[1].box == (400, 100, 460, 300)
    assert len(annotator.marks(1.6, Scale.of(640, 360))) == 1  # gone by then


# a second rendering of some seconds


def grey_clip(path: Path, seconds: int = 6) -> Path:
    return make_clip(path, range(10 * seconds), Fraction(1, 10), rate=10, size=(320, 240))


def rendered(tmp_path: Path, found: list[tuple[float, np.ndarray]]) -> tuple[Path, object]:
    """The video of six seconds, and what was written anew for these findings."""
    video, out = grey_clip(tmp_path / "lecture.mp4"), tmp_path / "annotated.mp4"
    with VideoReader(video) as reader:
        analysis = replace(classroom(["attentive"], (320, 240), seconds=6), info=reader.info, frames=60)
    drawn = video, out, analysis, pd.Series(0.5, index=range(6)), Settings(), Silent()
    pipeline.render.render(*drawn, Patches())
    return out, pipeline.render.render_anew(*drawn, Patches(found), Patches(found))


def test_only_the_seconds_around_a_finding_are_rendered_again(tmp_path):
    box = np.array([[200.0, 100, 220, 120]])
    out, spans = rendered(tmp_path, [(3.0, box)])
    assert spans == [(pytest.approx(1.9, abs=0.2), pytest.approx(3.9, abs=0.2))]
    fill = np.array(Settings().cover.colour)
    with VideoReader(out) as reader:
        frames = list(reader.frames())
    assert len(frames) == 60
    covered = [bool(np.abs(frame.image[110, 210].astype(int) - fill).max() < 12) for frame in frames]
    assert [frame.index for frame, is_covered in zip(frames, covered, strict=True) if is_covered] == [
        frame.index for frame in frames if abs(frame.t - 3.0) <= HOLD_S + 1e-6
    ]


def test_findings_everywhere_are_for_a_whole_rendering(tmp_path):
    box = np.array([[200.0, 100, 220, 120]])
    _, spans = rendered(tmp_path, [(float(t), box) for t in range(6)])
    assert spans is None
