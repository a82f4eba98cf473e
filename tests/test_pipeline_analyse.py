"""Whom pass 1 covers, and how it tells who sits where somebody said no."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clips import make_clip

from consent.policy import CoverPolicy, Zone
from models.registry import WeightsFile
from pipeline.analyse import Analysis, analyse
from pipeline.detect import Detections
from pipeline.hiding import covers_of
from pipeline.passers_by import GLIMPSE_HOLD_S
from pipeline.progress import Silent
from pipeline.render import COVER_GAP_S, covers_over_time
from pipeline.session import BEHAVIOUR_PREFIX, BOX, FACE_CUES, HEAD_BOX, HEAD_POSE
from pipeline.settings import Settings
from pipeline.timeline import Timeline
from pipeline.video import VideoReader
from pipeline.zones import heads_in_zones

pytestmark = pytest.mark.usefixtures("few_steps")

NOBODY_SAID_NO = CoverPolicy(False, (), "")
SEAT = CoverPolicy(False, (Zone(0.0, 0.0, 0.5, 1.0),), "")
BODIES = np.array([[100.0, 100, 200, 300], [900, 100, 1000, 300]])


def rows(*sightings: tuple[int, float, float]) -> pd.DataFrame:
    """Rows of tracks, (track, t, x of the box's left), whose faces were not read."""
    table = pd.DataFrame([(track, t, x, 100.0, x + 100, 300.0) for track, t, x in sightings])
    table.columns = ["track", "t", *BOX]
    table[[*HEAD_BOX, *HEAD_POSE, *FACE_CUES]] = np.nan
    return table


def covered(table: pd.DataFrame, student_of: dict[int, int], t: float) -> int:
    settings = Settings()
    covers = covers_of(table, student_of, settings)
    timeline = Timeline(covers, "student", longest_gap_s=COVER_GAP_S, hold_s=settings.cover.hold_s)
    return len(timeline.at(t)[0])


def test_nobody_to_cover_gives_no_region() -> None:
    assert covers_of(rows((1, 0.0, 100.0)).iloc[:0], {}, Settings()).empty


def test_heads_that_were_not_read_are_covered_where_those_of_the_class_are() -> None:
    strangers = rows(*((7, float(t), 600.0) for t in range(6)))
    strangers[list(HEAD_BOX)] = (500.0, 100.0, 800.0, 160.0)  # thrice as wide as the body
    said_no = rows((1, 0.0, 100.0))
    place = np.array([-0.25, 0.25, 0.0, 0.25])
    both = pd.concat([strangers, said_no], ignore_index=True)
    (mine,) = covers_of(both, {1: 1}, Settings(), class_place=place).query("x1 < 300")[list(BOX)].to_numpy()
    assert (mine[0], mine[2]) == (100.0, 200.0)  # as wide as the body
    (before,) = covers_of(both, {1: 1}, Settings()).query("x1 < 300")[list(BOX)].to_numpy()
    assert before[0] < 50


def test_a_cover_bridges_the_gap_between_two_tracks_of_one_student() -> None:
    apart = rows((1, 0.0, 100.0), (1, 1.0, 100.0), (2, 7.0, 100.0), (2, 8.0, 100.0))
    assert covered(apart, {1: 1, 2: 1}, 4.0) == 1
    assert covered(apart, {}, 4.0) == 0  # two strangers: held for a while, not joined


def test_a_track_of_nobody_never_shares_a_cover_with_a_student() -> None:
    both = rows((1, 0.0, 100.0), (7, 0.0, 600.0))
    assert covered(both, {7: 1}, 0.0) == 2


def test_without_a_seat_nobody_is_taken_for_opted_out() -> None:
    assert not heads_in_zones(BODIES, NOBODY_SAID_NO, 1280, 720).any()
    assert heads_in_zones(np.zeros((0, 4)), SEAT, 1280, 720).shape == (0,)


def test_who_sits_in_the_zone_is_opted_out_and_the_neighbour_is_not() -> None:
    assert heads_in_zones(BODIES, SEAT, 1280, 720).tolist() == [True, False]


class TwoSeats:
    """A detector that finds two people in every frame, one in ``SEAT``; notes who may be read and reads those alone."""

    behaviour_names = ("write",)
    weights = WeightsFile(Path("two.pt"), "0" * 64, "path")
    behaviour_weights = None
    boxes_xyxy = np.array([[40.0, 60, 100, 160], [220, 60, 280, 160]], np.float32)

    def __init__(self) -> None:
        self.allowed: list[list[bool]] = []
        self.shapes: set[tuple[int, ...]] = set()

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        return [Detections(self.boxes_xyxy, np.full(2, 0.9, np.float32), np.zeros((2, 1), np.float32)) for _ in images]

    def read_behaviours(self, image_bgr: np.ndarray, found: Detections, allowed: np.ndarray) -> Detections:
        self.allowed.append(allowed.tolist())
        self.shapes.add(image_bgr.shape)
        return Detections(found.boxes_xyxy, found.scores, allowed[:, None].astype(np.float32))


def analysed(folder: Path, detector: TwoSeats, policy: CoverPolicy) -> Analysis:
    """Pass 1 of two seconds, 10 frames."""
    clip = make_clip(folder / "clip.mp4", range(10), Fraction(1, 5), rate=5, size=(320, 180))
    with VideoReader(clip) as reader:
        return analyse(reader, detector, policy, Settings(), Silent())


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (NOBODY_SAID_NO, [True, True]),
        (CoverPolicy(True, (), ""), [True, True]),  # everybody is covered, nobody said no
        (SEAT, [False, True]),
        (CoverPolicy(True, SEAT.zones, ""), [False, True]),
        (CoverPolicy(False, (*SEAT.zones, Zone(0.5, 0.0, 1.0, 1.0)), ""), [False, False]),
    ],
)
def test_the_behaviour_of_those_who_said_no_is_not_read(tmp_path, policy, allowed) -> None:
    detector = TwoSeats()
    analysis = analysed(tmp_path, detector, policy)
    assert analysis.analysed_frames == 10
    assert detector.allowed == [allowed] * 10
    assert detector.shapes == {(180, 320, 3)}
    assert analysis.students == sum(allowed)
    rows = analysis.observations
    observed = rows[rows["observed"]]
    assert len(observed) == 0 or (observed[BEHAVIOUR_PREFIX + "write"] == 1).all()
    expected = {tuple(box) for box, may in zip(TwoSeats.boxes_xyxy.tolist(), allowed, strict=True) if may}
    assert set(observed[list(BOX)].round(1).itertuples(index=False, name=None)) == expected


LEFT, RIGHT, EMPTY = SEAT.zones[0], Zone(0.5, 0.0, 1.0, 1.0), Zone(0.0, 0.9, 1.0, 0.9, 0.5, 1.0)


@pytest.mark.parametrize(
    ("zones", "expected", "everyone"),
    [
        ((), (), False),
        ((LEFT,), (LEFT,), False),
        ((LEFT, RIGHT), (LEFT, RIGHT), False),
        ((EMPTY,), (), False),  # nobody takes part there, or the student was not there: it may be empty
        ((EMPTY,), (EMPTY,), True),
        ((LEFT, EMPTY), (LEFT, EMPTY), True),
    ],
)
def test_where_a_seat_of_somebody_who_said_no_is_empty_everybody_is_covered(
    tmp_path, zones, expected, everyone
) -> None:
    analysis = analysed(tmp_path, TwoSeats(), CoverPolicy(False, zones, "", expected=expected))
    assert analysis.policy.everyone == everyone
    assert analysis.policy.zones == zones
    seen = {LEFT, RIGHT} & set(zones)
    assert analysis.covers["student"].nunique() == (2 if everyone else len(seen))
    assert analysis.students == 2 - len(seen)  # the tables keep what may be anybody's, and the warning says so
    assert [("everybody is covered" in one and "--absent" in one) for one in analysis.warnings] == [True] * everyone


class SomebodyWalksBy(TwoSeats):
    """Two people sit still; from frame 10 on a third walks by below them, and once a bag is seen on the right."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = -1

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        return [self._people() for _ in images]

    def _people(self) -> Detections:
        self.frame += 1
        boxes, scores = self.boxes_xyxy, [0.9, 0.9]
        if 10 <= self.frame < 20:
            x = 8.0 * (self.frame - 10)
            boxes, scores = np.concatenate([boxes, [[x, 100, x + 20, 140]]]), [*scores, 0.9]
        if self.frame == 2:
            boxes, scores = np.concatenate([boxes, [[290, 150, 310, 175]]]), [*scores, 0.2]
        return Detections(boxes.astype(np.float32), np.array(scores, np.float32), np.zeros((len(boxes), 1), np.float32))


@pytest.mark.parametrize("covered_too", [True, False])
def test_people_who_pass_through_are_covered_and_have_no_rows(tmp_path, covered_too) -> None:
    clip = make_clip(tmp_path / "clip.mp4", range(40), Fraction(1, 5), rate=5, size=(320, 180))
    with VideoReader(clip) as reader:
        policy = CoverPolicy(False, (), "", passers_by=covered_too)
        analysis = analyse(reader, SomebodyWalksBy(), policy, Settings(), Silent())
    assert analysis.students == 2
    observed = analysis.observations[analysis.observations["observed"]]
    assert set(observed[list(BOX)].round(1).itertuples(index=False, name=None)) == {
        tuple(box) for box in TwoSeats.boxes_xyxy.tolist()
    }
    if not covered_too:
        assert analysis.covers.empty
        return
    timeline = covers_over_time(analysis, Settings())
    for frame in range(10, 20):
        middle = 8.0 * (frame - 10) + 10
        assert any(x1 <= middle <= x2 and y1 <= 105 <= y2 for x1, y1, x2, y2 in timeline.at(frame / 5)[1])
    bag = (analysis.covers["x1"] > 200) & (analysis.covers["t"] == 0.4)
    assert bag.sum() == 1
    assert analysis.covers.loc[bag, "hold_s"].item() == GLIMPSE_HOLD_S
    seats = TwoSeats.boxes_xyxy[:, [0, 1]] + (30, 10)  # heads of the two who sit
    for x1, y1, x2, y2 in np.concatenate([timeline.at(t / 5)[1] for t in range(40)]):
        assert not ((x1 <= seats[:, 0]) & (seats[:, 0] <= x2) & (y1 <= seats[:, 1]) & (seats[:, 1] <= y2)).any()


def test_who_was_glimpsed_is_covered_as_long_as_others_where_everybody_is(tmp_path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", range(40), Fraction(1, 5), rate=5, size=(320, 180))
    with VideoReader(clip) as reader:
        analysis = analyse(reader, SomebodyWalksBy(), CoverPolicy(True, (), ""), Settings(), Silent())
    assert set(analysis.covers["hold_s"]) == {Settings().cover.hold_s}
    assert analysis.covers["student"].nunique() == 4


STAFF_AREA = "0.5,0.0,1.0,1.0"
"""Where the second of ``TwoSeats`` is."""


@pytest.mark.parametrize(
    ("policy", "covered"),
    [(NOBODY_SAID_NO, 0), (CoverPolicy(True, (), ""), 2), (CoverPolicy(False, (Zone(0.5, 0.0, 1.0, 1.0),), ""), 1)],
    ids=["nobody", "everyone", "staff in the seat of who said no"],
)
def test_staff_is_in_no_table_and_covered_only_when_in_doubt(tmp_path, policy, covered) -> None:
    settings = Settings.model_validate({"staff": {"zones": [STAFF_AREA]}})
    clip = make_clip(tmp_path / "clip.mp4", range(10), Fraction(1, 5), rate=5, size=(320, 180))
    with VideoReader(clip) as reader:
        analysis = analyse(reader, TwoSeats(), policy, settings, Silent())
    in_doubt = bool(policy.zones)
    assert analysis.students == 1
    assert set(analysis.states["student"]) == {1}
    assert (analysis.observations["x1"] < 160).all()
    assert analysis.staff["student"].nunique() == (not in_doubt)
    assert list(analysis.staff) == ["t", "student", *BOX]
    assert analysis.covers["student"].nunique() == covered


def test_a_head_count_below_what_was_found_leaves_so_many_and_the_others_are_covered(tmp_path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", range(10), Fraction(1, 5), rate=5, size=(320, 180))
    with VideoReader(clip) as reader:
        one = analyse(reader, TwoSeats(), NOBODY_SAID_NO, Settings(students=1), Silent())
    with VideoReader(clip) as reader:
        more = analyse(reader, TwoSeats(), NOBODY_SAID_NO, Settings(students=3), Silent())
    assert (one.students, one.covers["student"].nunique(), one.warnings) == (1, 1, [])
    assert (more.students, more.covers.empty) == (2, True)
    assert any("2 students were found and 3 were given" in warning for warning in more.warnings)
