"""Going through a lecture, stopped anywhere: what was read before is not read again, and the readings are the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clips import make_clip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipeline.streaming
from consent.policy import CoverPolicy
from models.registry import WeightsFile
from models.states import Profile
from pipeline.camera import View
from pipeline.detect import Detections, DetectSettings
from pipeline.faces import Faces
from pipeline.observations import float_columns
from pipeline.progress import Silent
from pipeline.readings import ReadingLog
from pipeline.session import AROUND
from pipeline.settings import Settings
from pipeline.streaming import Followed, Stopwatch, go_through
from pipeline.tracklets import Tracklet
from pipeline.video import VideoReader

NOBODY = CoverPolicy(False, (), "")
FRAMES, RATE = 23, 5
NAMES = ("write",)


NUMBER_OF: dict[float, int] = {}
"""Which picture of the clip has this mean."""


class Killed(BaseException):
    """In place of a kill: no handler of errors may see it."""


@dataclass
class Wanderers:
    """A detector of people who wander about; the score tells how many pictures it was given at once."""

    lasts: int = 10**9
    seen: list[int] = field(default_factory=list)
    behaviour_names = NAMES
    weights = WeightsFile(Path("wanderers.pt"), "0" * 64, "path")
    behaviour_weights = None

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        return [self._people(NUMBER_OF[float(image.mean())], len(images)) for image in images]

    def _people(self, n: int, together: int) -> Detections:
        if len(self.seen) == self.lasts:
            raise Killed
        self.seen.append(n)
        rng = np.random.default_rng(n)
        x = np.array([10.0, 60, 100 + 5 * (n % 7)])[: 3 - (n % 5 == 4)]
        boxes = np.stack([x, 20 + 0 * x, x + 30, 80 + 0 * x], axis=1) + rng.normal(0, 1, (len(x), 4))
        scores = np.full(len(x), 0.5 + together / 100)
        return Detections(boxes.astype(np.float32), scores.astype(np.float32), np.zeros((len(x), 1), np.float32))

    def read_behaviours(self, image_bgr: np.ndarray, found: Detections, allowed: np.ndarray) -> Detections:
        return Detections(found.boxes_xyxy, found.scores, np.full((len(found), 1), image_bgr.mean() / 255, np.float32))


class Remembering:
    """In place of the readers of people: all that it tells depends on all that it has seen."""

    def __init__(self, *_: object, device: str, backend: str) -> None:
        self._seen: dict[int, int] = {}
        self._turn, self._before = 0, np.nan

    def __enter__(self) -> Remembering:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read_faces(self, image_bgr: np.ndarray, boxes: np.ndarray, allowed: np.ndarray) -> Faces:
        faces = Faces.unseen(len(boxes))
        faces.cues[allowed] = image_bgr.mean() / 255
        return faces

    def read(
        self,
        image_bgr: np.ndarray,
        boxes: np.ndarray,
        tracks: np.ndarray,
        allowed: np.ndarray,
        view: View,
        faces: Faces,
    ) -> tuple[Faces, np.ndarray]:
        around = np.full((len(boxes), len(AROUND)), np.nan)
        for row, track in enumerate(tracks.tolist()):
            self._turn += 1
            self._seen[track] = self._seen.get(track, 0) + self._turn
            around[row] = [self._turn, self._seen[track], track, self._before, 0]
        self.pass_by(image_bgr, view)
        return faces, around

    def pass_by(self, image_bgr: np.ndarray, view: View) -> None:
        self._before = float(image_bgr.mean())

    def state(self) -> dict[str, np.ndarray]:
        return {"seen": np.array(list(self._seen.items())).reshape(-1, 2), "turn": np.array(self._turn)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self._seen, self._turn = dict(state["seen"].tolist()), int(state["turn"])


@pytest.fixture(scope="module", autouse=True)
def readers() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.streaming, "PersonReader", Remembering)
        yield


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clip(path, range(FRAMES), Fraction(1, RATE), rate=RATE, size=(160, 120), noise=True)
    with VideoReader(path) as reader:
        NUMBER_OF.update((float(frame.image.mean()), frame.index) for frame in reader.frames())
    assert len(NUMBER_OF) == FRAMES
    return path


def through(
    clip: Path, log: ReadingLog, detector: Wanderers, batch: int = 1, profile: Profile = Profile.FULL
) -> Followed:
    chosen = Settings(detect=DetectSettings(batch=batch), profile=profile, device="cpu")
    with VideoReader(clip) as reader:
        return go_through(reader, detector, NOBODY, chosen, Silent(), log, Stopwatch())


def log_in(folder: Path | None, every_s: float = 1.0, origin: str = "a") -> ReadingLog:
    return ReadingLog(folder and folder / "readings", origin, float_columns(NAMES), every_s)


def told(followed: Followed) -> list[tuple[object, ...]]:
    """All that the later steps are given of tracks and camera."""

    def of(piece: Tracklet) -> tuple[object, ...]:
        numbers = piece.number, piece.first_t, piece.last_t, piece.seen, piece.score_sum, piece.doubled
        return *numbers, piece.appearance.tobytes(), piece.boxes.tobytes(), piece.spans

    return [(scene, *map(of, pieces)) for scene, pieces in followed.pieces.items()] + [followed.path.scenes.tobytes()]


@pytest.fixture(scope="module")
def undisturbed(clip: Path) -> dict[int, tuple[pd.DataFrame, list[tuple[object, ...]]]]:
    """Rows and tracks by the size of the batch."""
    made = {}
    for batch in (1, 2, 4, 7):
        log = log_in(None)
        made[batch] = told(through(clip, log, Wanderers(), batch))
        made[batch] = log.table(), made[batch]
    return made


def test_without_a_folder_nothing_is_kept(clip: Path, undisturbed) -> None:
    rows, tracks = undisturbed[1]
    assert rows["frame"].nunique() == FRAMES
    assert len(tracks[0]) > 3
    assert rows["hand_face"].max() == len(rows)  # each was read once


def test_a_kill_before_the_first_piece_begins_anew(clip: Path, tmp_path: Path, undisturbed) -> None:
    with pytest.raises(Killed):
        through(clip, log_in(tmp_path, every_s=60), Wanderers(lasts=7))
    assert list(tmp_path.iterdir()) == []
    log, detector = log_in(tmp_path, every_s=60), Wanderers()
    through(clip, log, detector)
    assert detector.seen == list(range(FRAMES))
    assert log.table().equals(undisturbed[1][0])


@given(
    st.sampled_from([1, 2, 4, 7]),
    st.sampled_from([0.2, 0.5, 1.0, 1.7]),
    st.lists(st.integers(0, FRAMES), max_size=4),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cut_anywhere_any_number_of_times_the_rows_and_tracks_are_the_same(
    clip: Path, tmp_path_factory: pytest.TempPathFactory, undisturbed, batch: int, every_s: float, kills: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    for lasts in kills:
        log = log_in(folder, every_s)
        if len(log) + lasts < FRAMES:
            with pytest.raises(Killed):
                through(clip, log, Wanderers(lasts), batch)
    log = log_in(folder, every_s)
    detector = Wanderers()
    before = len(log)
    followed = through(clip, log, detector, batch)
    assert detector.seen == list(range(before, FRAMES))  # nothing is read twice
    rows, tracks = undisturbed[batch]
    assert log.table().equals(rows)
    assert told(followed) == tracks


def test_after_pass_1_nothing_at_all_is_read_again(clip: Path, tmp_path: Path, undisturbed) -> None:
    through(clip, log_in(tmp_path), Wanderers())
    log, detector = log_in(tmp_path), Wanderers()
    followed = through(clip, log, detector)
    assert detector.seen == []
    assert log.table().equals(undisturbed[1][0])
    assert told(followed) == undisturbed[1][1]


@pytest.mark.parametrize("wrong", ["tracks", "times", "frames", "more frames", "another batch"])
def test_readings_that_are_not_of_these_pictures_are_not_used(
    clip: Path, tmp_path: Path, undisturbed, wrong: str
) -> None:
    """As after a decoder that gives other frames: found out, and everything is read anew."""
    with pytest.raises(Killed):
        through(clip, log_in(tmp_path), Wanderers(lasts=14))
    path = sorted((tmp_path / "readings").iterdir())[1]
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    if wrong in arrays:
        arrays[wrong] = arrays[wrong] + np.ones(1, arrays[wrong].dtype)
    elif wrong == "more frames":
        for name in ("frames", "times", "counts"):
            arrays[name] = np.concatenate([arrays[name]] + [arrays[name][:1] * 0] * FRAMES)
    np.savez(path, **arrays)
    log, detector = log_in(tmp_path), Wanderers()
    batch = 4 if wrong == "another batch" else 1
    through(clip, log, detector, batch)
    assert detector.seen[-FRAMES:] == list(range(FRAMES))  # one batch may have been looked at ahead before
    assert log.table().equals(undisturbed[batch][0])


def test_what_tells_of_inner_states_is_not_even_saved_where_it_may_not_be_judged(clip: Path, tmp_path: Path) -> None:
    log = log_in(tmp_path)
    through(clip, log, Wanderers(), profile=Profile.OBSERVABLE)
    rows = log.table()
    assert rows[["eye_open", "brow_furrow", "hand_face"]].isna().all(axis=None)
    assert rows["mouth_open"].notna().all()
