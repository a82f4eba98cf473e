"""The command line, by what a user gives it: bad input first, then interruptions, then what works.

Every failure must give the right exit code and one sentence, and leave nothing behind: neither a half-written
session nor a scratch in an older one.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import Result
from clips import make_clip, make_sound
from typer.testing import CliRunner

import engage
import pipeline.detect
from consent.policy import EVERY_RUN, Purpose, Zone
from consent.registry import Registry
from models.registry import WeightsFile
from pipeline.audit import read_audit
from pipeline.detect import Detections, DetectSettings
from pipeline.encode import VideoWriter
from pipeline.session import (
    AUDIT,
    BOX,
    ENGAGEMENT,
    EVENTS,
    MANIFEST,
    OBSERVATIONS,
    REPORT,
    SEATS,
    STATES,
    VIDEO,
    AuditResult,
    Session,
    find_sessions,
)
from pipeline.store import SessionWriter, open_session
from pipeline.video import VideoReader

pytestmark = pytest.mark.usefixtures("few_steps")

ROOT = Path(__file__).parents[1]
FILES = (VIDEO, AUDIT, SEATS, OBSERVATIONS, STATES, EVENTS, ENGAGEMENT, MANIFEST, REPORT)
"""Of a whole session, in the order in which they are written."""

COURSE = "Birds 101"
PATIENCE_S = 120


class TwoStudents:
    """In place of the slow detector: two people who sit still in any picture."""

    behaviour_names: tuple[str, ...] = ()
    behaviour_weights: WeightsFile | None = None

    def __init__(self, settings: DetectSettings, device: str = "auto") -> None:
        self.weights = WeightsFile(Path("two.pt"), "0" * 64, "path")

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        return [self._people(*image.shape[:2]) for image in images]

    def read_behaviours(self, image_bgr: np.ndarray, found: Detections, allowed: np.ndarray) -> Detections:
        return found

    @staticmethod
    def _people(height: int, width: int) -> Detections:
        boxes = np.array([[0.1, 0.3, 0.4, 0.9], [0.6, 0.3, 0.9, 0.9]]) * (width, height, width, height)
        return Detections(boxes.astype(np.float32), np.full(2, 0.9, np.float32), np.zeros((2, 0), np.float32))


class SlowDetector(TwoStudents):
    """Time enough to be interrupted; says with a file that it is at work."""

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        Path(os.environ["AT_WORK"]).touch()
        time.sleep(0.3)
        return super().detect(images)


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch) -> Path:
    """An empty home, cache and consent registry; the handler of SIGTERM is put back afterwards."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("ENGAGE_CACHE", str(folder / "cache"))
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{folder / 'consent.sqlite'}")
    monkeypatch.setattr(engage.console, "width", 1000)  # however long the paths of the tests are, no line is broken
    monkeypatch.setenv("COLUMNS", "200")
    before = signal.getsignal(signal.SIGTERM)
    yield folder
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def two_students(monkeypatch) -> None:
    monkeypatch.setattr(pipeline.detect, "UltralyticsDetector", TwoStudents)


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Path:
    """One recording of each kind; ``good.mp4`` has 30 frames, 3 s."""
    folder = tmp_path_factory.mktemp("clips")
    tick = Fraction(1, 10)
    good = make_clip(folder / "good.mp4", range(30), tick, rate=10, size=(160, 120), noise=True)
    unfinished = make_clip(folder / "no_index.mp4", range(30), tick, rate=10, size=(160, 120), noise=True, movflags="")
    unfinished.write_bytes(unfinished.read_bytes()[: unfinished.stat().st_size * 6 // 10])
    (folder / "cut.mp4").write_bytes(good.read_bytes()[: good.stat().st_size * 6 // 10])
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("The lecture of today is about birds.\n" * 100)
    make_sound(folder / "voice.mp4")
    with av.open(str(folder / "no_frames.mp4"), "w") as output:
        stream = output.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        output.start_encoding()
    return folder


@pytest.fixture(scope="session")
def lecture(tmp_path_factory) -> Path:
    """The first 12 s of the demo lecture, 1280x720, 10 fps: time enough to be interrupted."""
    return beginning(tmp_path_factory.mktemp("lecture") / "birds.mp4", frames=120)


@pytest.fixture(scope="session")
def faces(tmp_path_factory) -> Path:
    """The first 3 s of it, in which twelve faces are seen."""
    return beginning(tmp_path_factory.mktemp("faces") / "birds.mp4", frames=30)


def beginning(path: Path, frames: int) -> Path:
    with VideoReader(engage.DEMO) as reader, VideoWriter(path, reader.info, preset="ultrafast") as writer:
        for frame in islice(reader.frames(), frames):
            writer.write(frame, frame.image)
    return path


def run(*words: object) -> Result:
    """``engage run …`` in this process."""
    return CliRunner().invoke(engage.app, ["run", *map(str, words)])


def approved(*words: object) -> Result:
    return run(*words, "--approved-by", "Prof. Wren")


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below ``folder``: when it was written and what it holds."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def is_empty(folder: Path) -> bool:
    return not folder.exists() or not any(folder.iterdir())


def assert_one_sentence(stderr: str, *words: str, kind: str = "error") -> None:
    lines = stderr.strip().splitlines()
    assert len(lines) == 1, stderr
    assert re.match(rf"{kind}: \S", lines[0])
    assert not re.search(r"[.!?] +[A-Z]", lines[0].replace("Prof. ", "")), "more than one sentence"
    for word in words:
        assert word in lines[0]


def assert_refused(result: Result, code: int, *words: str) -> None:
    assert result.exit_code == code, (result.output, result.exception)
    assert_one_sentence(result.stderr, *words)


# what is no video


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.mp4", "no such file"),
        (".", "is a folder"),
        ("empty.mp4", "the file is empty"),
        ("text.mp4", "not a readable video"),
        ("no_index.mp4", "the file is incomplete"),
        ("voice.mp4", "no video stream (found: audio)"),
        ("no_frames.mp4", "no_frames.mp4"),
    ],
)
def test_what_is_no_video_is_refused(clips, tmp_path, monkeypatch, name, words):
    def never(*_: object) -> None:
        raise AssertionError("the detector takes seconds to load: not for a video that cannot be read")

    monkeypatch.setattr(pipeline.detect, "UltralyticsDetector", never)
    assert_refused(approved(clips / name, "--out", tmp_path / "out"), 2, words)
    assert is_empty(tmp_path / "out")


def test_of_a_video_cut_short_all_that_decodes_is_processed_and_that_is_said(two_students, clips, tmp_path):
    result = approved(clips / "cut.mp4", "--out", tmp_path)
    assert result.exit_code == 0
    assert result.stderr == ""
    session = Session.open(tmp_path / "cut")
    (warning,) = session.manifest.warnings
    frames = session.manifest.counts.frames
    assert 10 <= frames < 30
    assert f"decoded {frames} of 30 frames" in warning
    assert warning in " ".join(result.stdout.split())
    with VideoReader(session.video) as reader:
        assert sum(1 for _ in reader.frames()) == frames


def test_one_broken_video_does_not_stop_the_others(two_students, clips, tmp_path):
    last = shutil.copy(clips / "good.mp4", tmp_path / "last.mp4")
    result = approved(clips / "good.mp4", clips / "text.mp4", last, "--out", tmp_path / "out")
    assert_refused(result, 2, "text.mp4", "not a readable video")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good", "last"]


# what cannot be asked for


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--rate", "often"),
        ("--profile", "moods"),
        ("--blur", "some"),
        ("--nonsense",),
    ],
)
def test_wrong_usage_exits_2(tmp_path, words):
    result = run(*(["birds.mp4", *words] if words else []), "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert is_empty(tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rate", "0"), "setting rate"),
        (("--rate", "-5"), "setting rate"),
        (("--rate", "nan"), "setting rate"),
        (("--imgsz", "10"), "setting detect.imgsz"),
        (("--cover", "gauss"), "setting cover.style"),
        (("--staff-zone", "0.5,0.5,0.1,0.9"), "has no area"),
        (("--seat-map", "no-such-room.json"), "cannot be read"),
    ],
)
def test_options_out_of_range_are_refused(clips, tmp_path, words, said):
    assert_refused(approved(clips / "good.mp4", *words, "--out", tmp_path / "out"), 2, said)
    assert is_empty(tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "settings cannot be read (No such file or directory)"),
        (b"\x80\x81\xff", "not a text file"),
        (b"rate: [1, 2", "is not valid YAML"),
        (b"- rate\n- 5\n", "holds no settings by name"),
        (b"speed: 3\n", "setting speed"),
        (b"rate: fast\n", "setting rate"),
        (b"detect: {imgsz: 1}\n", "setting detect.imgsz"),
        (b"detect: 5\n", "setting detect"),
        (b"cover: {colour: [1, 2]}\n", "setting cover.colour"),
        (b"state_weights: {attentive: 7}\n", "attentive"),
    ],
)
def test_a_bad_config_is_refused(two_students, clips, tmp_path, content, said):
    config = tmp_path / "config.yaml"
    if content is not None:
        config.write_bytes(content)
    assert_refused(approved(clips / "good.mp4", "--config", config, "--out", tmp_path / "out"), 2, said)
    assert is_empty(tmp_path / "out")


def test_a_config_is_followed_and_an_option_goes_before_it(two_students, clips, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("rate: 2\nprofile: observable\ncover: {margin: 0.5}\n")
    assert approved(clips / "good.mp4", "--config", config, "--rate", "3", "--out", tmp_path).exit_code == 0
    kept = Session.open(tmp_path / "good").manifest.config
    assert (kept["rate"], kept["profile"], kept["cover"]["margin"]) == (3.0, "observable", 0.5)


def test_numbers_follow_the_seats_of_an_earlier_session(two_students, clips, tmp_path):
    assert approved(clips / "good.mp4", "--out", tmp_path / "one").exit_code == 0
    first = Session.open(tmp_path / "one" / "good")
    seats = json.loads((first.folder / SEATS).read_text(encoding="utf-8"))
    assert [seat["student"] for seat in seats["seats"]] == [1, 2]
    seats["seats"].reverse()
    seats["seats"][0]["name"], seats["seats"][1]["name"] = "window", "door"
    room = tmp_path / "room.json"
    room.write_text(json.dumps(seats), encoding="utf-8")
    assert approved(clips / "good.mp4", "--seat-map", room, "--out", tmp_path / "two").exit_code == 0
    second = Session.open(tmp_path / "two" / "good")
    middles = [one.observations.groupby("student")["x1"].median() for one in (first, second)]
    assert middles[0].to_dict() == {1: middles[1][2], 2: middles[1][1]}
    left = json.loads((second.folder / SEATS).read_text(encoding="utf-8"))["seats"]
    assert [(seat["name"], seat["student"]) for seat in left] == [("window", 1), ("door", 2)]


def test_a_head_count_and_an_area_of_staff_are_followed(two_students, clips, tmp_path):
    assert approved(clips / "good.mp4", "--students", "1", "--out", tmp_path / "one").exit_code == 0
    assert Session.open(tmp_path / "one" / "good").manifest.counts.students == 1
    result = approved(clips / "good.mp4", "--staff-zone", "0,0,1,1", "--students", "3", "--out", tmp_path / "two")
    assert result.exit_code == 0, result.output
    manifest = Session.open(tmp_path / "two" / "good").manifest
    assert (manifest.counts.students, manifest.counts.staff) == (0, 2)
    assert "0 students were found and 3 were given" in manifest.warnings[0]


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:99", ""])
def test_an_unknown_device_is_refused_by_the_real_detector(clips, tmp_path, device):
    result = approved(clips / "good.mp4", "--device", device, "--out", tmp_path / "out")
    assert_refused(result, 2, f"device {device!r}")
    assert is_empty(tmp_path / "out")


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "pickle", "folder"])
def test_what_is_no_model_is_refused_by_the_real_detector(clips, tmp_path, kind):
    import torch

    weights = tmp_path / "weights.pt"
    if kind == "empty":
        weights.touch()
    elif kind == "text":
        weights.write_text("not a model\n" * 100)
    elif kind == "pickle":
        torch.save({"weights": torch.zeros(3)}, weights)
    elif kind == "folder":
        weights.mkdir()
    result = approved(clips / "good.mp4", "--detector", weights, "--out", tmp_path / "out")
    assert_refused(result, 2, "weights.pt")
    assert is_empty(tmp_path / "out")


# what is not permitted


@pytest.mark.parametrize("words", [(), ("--course", COURSE), ("--approved-by", " ")])
def test_without_an_approval_nothing_is_processed(clips, tmp_path, words):
    assert_refused(run(clips / "good.mp4", *words, "--out", tmp_path / "out"), 3)
    assert is_empty(tmp_path / "out")


def test_an_expired_approval_does_not_count(clips, tmp_path):
    today = date.today()
    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", today - timedelta(30), today - timedelta(1))
    result = run(clips / "good.mp4", "--course", COURSE, "--out", tmp_path / "out")
    assert_refused(result, 3, "expired", COURSE, "engage consent approve")
    assert is_empty(tmp_path / "out")


@pytest.mark.parametrize("zone", [None, Zone(0.1, 0.1, 0.4, 0.9)])
def test_who_opted_out_cannot_be_shown(clips, tmp_path, zone):
    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", date.today())
        registry.opt_out(COURSE, "kestrel", zone)
    result = run(clips / "good.mp4", "--course", COURSE, "--blur", "nobody", "--out", tmp_path / "out")
    assert_refused(result, 3, "--blur nobody")
    assert "kestrel" not in result.output
    assert is_empty(tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "missing"), [(("--blur", "nobody"), "showing"), (("--purpose", "research"), "research")]
)
def test_what_was_not_approved_is_not_done(two_students, clips, tmp_path, words, missing):
    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", date.today())
    asked = (clips / "good.mp4", "--course", COURSE, *words, "--out", tmp_path / "out")
    assert_refused(run(*asked), 3, f"but not {missing}", "engage consent approve", f"--purpose {missing}")
    assert is_empty(tmp_path / "out")
    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", date.today(), purposes=[*EVERY_RUN, Purpose(missing)])
    assert run(*asked).exit_code == 0
    (folder,) = (tmp_path / "out").glob("*_good")
    assert Session.open(folder).manifest.purposes == ["recording", "analysis", missing]


@pytest.mark.parametrize(("seat", "students"), [(None, 2), (Zone(0, 0, 0.5, 1), 1)])
def test_a_no_to_analysis_covers_and_leaves_no_row(two_students, clips, tmp_path, seat, students):
    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", date.today(), purposes=list(Purpose))
        registry.students.enter(COURSE, "kestrel", seat=seat)
        registry.students.decide(COURSE, "kestrel", [Purpose.ANALYSIS], False)
    asked = (clips / "good.mp4", "--course", COURSE, "--out", tmp_path)
    assert_refused(run(*asked, "--blur", "nobody"), 3, "1 student has opted out")
    result = run(*asked)
    assert result.exit_code == 0
    (folder,) = tmp_path.glob("*_good")
    assert Session.open(folder).manifest.counts.students == students


EMPTY_SEAT = Zone(0.4, 0.0, 0.6, 0.0, 0.5, 0.1)
"""A polygon in which ``TwoStudents`` finds nobody."""


def test_where_nobody_is_found_in_a_seat_everybody_is_covered_unless_the_student_was_not_there(
    two_students, clips, tmp_path
):
    from pipeline.audit import WHOLE_PICTURE, read_audit  # here: the tests of Ctrl-C import this module while they wait

    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", date.today())
        registry.opt_out(COURSE, "kestrel", EMPTY_SEAT)
        registry.close_zone(COURSE, "back", Zone(0, 0.95, 1, 1))  # a zone that may be empty
    asked = (clips / "good.mp4", "--course", COURSE, "--out", tmp_path)
    result = run(*asked)
    assert result.exit_code == 0, result.output
    (folder,) = find_sessions(tmp_path)
    manifest = Session.open(folder).manifest
    (warning,) = manifest.warnings
    assert "everybody is covered in the video" in warning
    assert "--absent STUDENT" in warning
    assert "kestrel" not in warning
    assert manifest.everyone_covered
    assert manifest.counts.students == 2
    assert read_audit(Session.open(folder)).looked_at == WHOLE_PICTURE

    checked = CliRunner().invoke(engage.app, ["audit", str(folder)])  # what was covered whole is checked whole
    assert checked.exit_code == 0
    assert read_audit(Session.open(folder)).looked_at == WHOLE_PICTURE

    result = run(*asked, "--absent", "kestrel", "--overwrite")
    assert result.exit_code == 0, result.output
    manifest = Session.open(folder).manifest
    assert not manifest.everyone_covered
    assert manifest.warnings == []


def test_only_who_said_no_can_be_absent(clips, tmp_path):
    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", date.today())
        registry.opt_out(COURSE, "kestrel")
    asked = (clips / "good.mp4", "--course", COURSE, "--out", tmp_path / "out", "--absent", "heron")
    assert_refused(run(*asked), 2, "--absent heron", "kestrel")
    assert is_empty(tmp_path / "out")


def record_seat(folder: Path, number: int, course: str = COURSE, student: str = "kestrel") -> Result:
    words = ["consent", "seat", course, student, "--session", str(folder), "--number", str(number)]
    return CliRunner().invoke(engage.app, words)


def test_a_student_picked_by_number_needs_no_zone(two_students, clips, tmp_path):
    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", date.today())
    asked = (clips / "good.mp4", "--course", COURSE, "--out", tmp_path)
    assert run(*asked).exit_code == 0
    (folder,) = find_sessions(tmp_path)
    assert_refused(record_seat(folder, 3), 2, "nobody has the number 3; there are 1, 2")
    assert_refused(record_seat(folder, 1, course="Art"), 2, "of course", "Art")
    assert_refused(record_seat(tmp_path / "nowhere", 1), 2, "no session here")
    with Registry.open() as registry:
        assert registry.students.on_record(COURSE) == ()
    rows = Session.open(folder).observations
    left, top, right, _ = rows.loc[rows["student"] == 1, list(BOX)].median() / (160, 120, 160, 120)

    result = record_seat(folder, 1)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("kestrel sits in ")
    assert result.stderr == ""  # the other student is never there
    with Registry.open() as registry:
        registry.opt_out(COURSE, "kestrel")
        (said_no,) = registry.opt_outs(COURSE)
    assert said_no.zone.contains((left + right) / 2, top + 0.1)
    assert run(*asked, "--overwrite").exit_code == 0
    manifest = Session.open(folder).manifest
    assert (manifest.counts.students, manifest.everyone_covered) == (1, False)


def test_a_seat_that_another_shares_is_recorded_with_a_warning(make_session, tmp_path):
    folder = make_session(tmp_path / "sessions", students=2, seconds=5, course=COURSE)
    rows = Session.open(folder).observations
    rows[list(BOX)] = [300.0, 300.0, 400.0, 500.0]
    rows.assign(observed=True).to_parquet(folder / OBSERVATIONS)
    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", date.today())
    result = record_seat(folder, 2)
    assert result.exit_code == 0, result.output
    assert_one_sentence(result.stderr, "number 1 is there too", kind="warning")
    with Registry.open() as registry:
        assert registry.students.on_record(COURSE)[0].seat is not None


def test_a_registry_that_cannot_be_read_is_no_permission(clips, tmp_path, home):
    (home / "consent.sqlite").write_text("not a database\n" * 100)
    assert_refused(approved(clips / "good.mp4", "--out", tmp_path / "out"), 2, "consent registry")
    assert is_empty(tmp_path / "out")


def test_an_approval_on_record_permits_and_is_written_down(two_students, clips, tmp_path):
    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", date.today())
        registry.opt_out(COURSE, "kestrel", Zone(0.0, 0.0, 0.5, 1.0))
    result = run(clips / "good.mp4", "--course", "birds  101", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    (folder,) = find_sessions(tmp_path)
    manifest = Session.open(folder).manifest
    assert manifest.approval == "approval-1"
    assert manifest.counts.students == 1  # of the two, the one who did not opt out


# where nothing can be written


def test_an_existing_session_is_replaced_only_when_asked(two_students, clips, tmp_path):
    assert approved(clips / "good.mp4", "--out", tmp_path).exit_code == 0
    before = contents(tmp_path)
    assert_refused(approved(clips / "good.mp4", "--out", tmp_path), 2, "exists already", "--overwrite")
    assert contents(tmp_path) == before
    assert approved(clips / "good.mp4", "--out", tmp_path, "--overwrite").exit_code == 0
    after = contents(tmp_path)
    assert after.keys() == before.keys()
    assert after[f"good/{MANIFEST}"] != before[f"good/{MANIFEST}"]


def test_a_file_in_the_way_is_not_touched(two_students, clips, tmp_path):
    (tmp_path / "taken").write_text("mine")
    for out in (tmp_path / "taken", tmp_path / "taken" / "below"):
        assert_refused(approved(clips / "good.mp4", "--out", out), 2, "cannot be written", "--out")
    assert contents(tmp_path)["taken"][1] == b"mine"


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_a_folder_that_is_no_session_is_not_touched(two_students, clips, tmp_path, overwrite):
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "thesis.txt").write_text("mine")
    assert_refused(approved(clips / "good.mp4", "--out", tmp_path, *overwrite), 2, "is not a session")
    assert contents(tmp_path).keys() == {"good/thesis.txt"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_place_where_nobody_may_write(two_students, clips):
    assert_refused(approved(clips / "good.mp4", "--out", "/proc/sessions"), 2, "/proc/sessions", "cannot be written")


# a full disk


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_on_write(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The disk is full as soon as ``name`` is being written."""
    if name == VIDEO:
        write = VideoWriter.write
        monkeypatch.setattr(
            VideoWriter,
            "write",
            lambda self, frame, image: full_disk() if frame.index == 7 else write(self, frame, image),
        )
    elif name == MANIFEST:
        monkeypatch.setattr(SessionWriter, "write_manifest", full_disk)
    else:
        write_table = SessionWriter.write_table
        monkeypatch.setattr(
            SessionWriter,
            "write_table",
            lambda self, file, table: full_disk() if file == name else write_table(self, file, table),
        )


@pytest.mark.parametrize("name", [VIDEO, OBSERVATIONS, ENGAGEMENT, MANIFEST])
def test_a_full_disk_leaves_the_older_session_as_it_was(two_students, clips, make_session, tmp_path, monkeypatch, name):
    make_session(tmp_path, "good")
    before = contents(tmp_path)
    full_on_write(monkeypatch, name)
    result = approved(clips / "good.mp4", "--out", tmp_path, "--overwrite")
    assert_refused(result, 1, "the disk is full", "--out")
    assert contents(tmp_path) == before


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Callable[[int], Path]]:
    """``small_disk(size)``: an empty file system of so many bytes."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(size: int) -> Path:
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
        if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
            pytest.skip("mounting needs root")
        return place

    yield mount
    if place.is_mount():
        # lazily: the failure under test may still hold a file open
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module")
def sizes(clips, tmp_path_factory) -> dict[str, int]:
    """Bytes of each file of a session of ``good.mp4``."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.detect, "UltralyticsDetector", TwoStudents)
        patch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{folder / 'consent.sqlite'}")
        assert approved(clips / "good.mp4", "--out", folder).exit_code == 0
    return {name: (folder / "good" / name).stat().st_size for name in FILES}


@pytest.mark.parametrize("name", [VIDEO, OBSERVATIONS, STATES, ENGAGEMENT, MANIFEST, REPORT])
def test_a_disk_that_is_really_full(two_students, clips, sizes, small_disk, name):
    page = os.sysconf("SC_PAGE_SIZE")
    room = sum(-(-sizes[file] // page) * page for file in FILES[: FILES.index(name)])
    disk = small_disk(room or sizes[VIDEO] // page // 2 * page)
    assert_refused(approved(clips / "good.mp4", "--out", disk), 1, "the disk is full")
    assert is_empty(disk)


# interruptions, in a process of their own

DRIVER = """
import sys
sys.path.insert(0, "tests")
import pipeline.detect, test_engage, engage
pipeline.detect.UltralyticsDetector = getattr(test_engage, {detector!r})
engage.main()
"""


@pytest.fixture
def started(lecture, tmp_path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``started(detector)``: a running ``engage run``; the detector is a class of this module, or None for the real."""
    processes = []

    def start(detector: str | None, *words: str) -> subprocess.Popen[str]:
        program = ["-m", "engage"] if detector is None else ["-c", DRIVER.format(detector=detector)]
        process = subprocess.Popen(
            [sys.executable, *program, "run", str(lecture), "--approved-by", "Prof. Wren", "--rate", "1",
             "--out", str(tmp_path / "out"), *words],
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"AT_WORK": str(tmp_path / "at_work")},
            # a test run that was itself started in the background ignores Ctrl-C and would hand that on
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"{path.name} did not appear"
        time.sleep(0.005)


PARTIAL = "out/birds.partial"
PASS_2 = f"{PARTIAL}/{VIDEO}"


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop", "sign", "detector"),
    [
        pytest.param(signal.SIGINT, PARTIAL, "TwoStudents", id="Ctrl-C while libraries load"),
        pytest.param(signal.SIGINT, "at_work", "SlowDetector", id="Ctrl-C in pass 1"),
        pytest.param(signal.SIGINT, PASS_2, None, id="Ctrl-C in pass 2"),
        pytest.param(signal.SIGTERM, PASS_2, "TwoStudents", id="SIGTERM in pass 2"),
    ],
)
def test_a_stop_leaves_nothing_and_the_older_session_as_it_was(started, make_session, tmp_path, stop, sign, detector):
    make_session(tmp_path / "out", "birds")
    before = contents(tmp_path / "out")
    process = started(detector, "--overwrite")
    wait_for(tmp_path / sign, process)
    if sign == PARTIAL:
        time.sleep(0.2)  # the folder has just been made; loading takes seconds
    process.send_signal(stop)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, stderr
    assert_one_sentence(stderr, "nothing half-written is left", kind="stopped")
    assert contents(tmp_path / "out") == before
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["birds"]


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
@pytest.mark.slow
def test_after_a_killed_run_the_same_command_works(started, lecture, two_students, tmp_path):
    process = started("TwoStudents")
    wait_for(tmp_path / PASS_2, process)
    process.kill()
    process.wait(PATIENCE_S)
    assert (tmp_path / PARTIAL).is_dir()
    assert not list(find_sessions(tmp_path / "out"))
    result = approved(lecture, "--rate", "1", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["birds"]
    assert Session.open(tmp_path / "out" / "birds").manifest.counts.frames == 120


@pytest.mark.parametrize("moment", ["before", "between", "after"])
def test_a_run_killed_while_it_replaced_a_session_does_not_hinder_the_next(
    two_students, clips, make_session, tmp_path, moment
):
    """Killed before, between and after the two renames of ``commit``."""
    make_session(tmp_path, "good.partial")
    if moment != "before":
        make_session(tmp_path, "good.replaced.partial")
    if moment == "after":
        (tmp_path / "good.partial").rename(tmp_path / "good")
    result = approved(clips / "good.mp4", "--out", tmp_path, "--overwrite")
    assert result.exit_code == 0, (result.output, result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["good"]
    assert Session.open(tmp_path / "good").manifest.source.name == "good.mp4"


def test_two_runs_of_one_lecture_do_not_mix(two_students, clips, tmp_path):
    with open_session(tmp_path, "good", overwrite=False) as other:
        (other.folder / ENGAGEMENT).write_text("half of it")
        assert_refused(approved(clips / "good.mp4", "--out", tmp_path), 2, "another run is writing this session")
        assert (other.folder / ENGAGEMENT).read_text() == "half of it"
    assert is_empty(tmp_path)


# libraries that turn a Ctrl-C into an error of their own


def failure_of_a_library(error: Exception) -> Exception:
    """What is raised when a library is hit by Ctrl-C and raises ``error`` instead."""
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as hit:
            raise error from hit
    except Exception as raised:
        return raised


@pytest.mark.parametrize("error", [ImportError("initialization failed"), ValueError("generator already executing")])
def test_ctrl_c_is_ctrl_c_whatever_a_library_makes_of_it(two_students, clips, tmp_path, monkeypatch, error):
    def hit(*_: object) -> None:
        raise failure_of_a_library(error)

    monkeypatch.setattr(TwoStudents, "detect", hit)
    result = approved(clips / "good.mp4", clips / "cut.mp4", "--out", tmp_path)
    assert result.exit_code == 1
    assert_one_sentence(result.stderr, kind="stopped")
    assert is_empty(tmp_path)


def test_a_failure_nobody_foresaw_shows_itself(two_students, clips, tmp_path, monkeypatch):
    """As a bug to report: neither dressed up as a user's mistake nor hidden by the thread that reads ahead."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(TwoStudents, "detect", broken)
    result = approved(clips / "good.mp4", "--out", tmp_path)
    assert isinstance(result.exception, ZeroDivisionError)
    assert result.exit_code == 1
    assert is_empty(tmp_path)


# what works


def test_help_lists_the_commands():
    words = subprocess.run(
        [sys.executable, "-m", "engage", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for command in ("run", "demo", "audit", "report", "dashboard", "info", "consent"):
        assert re.search(rf"^\W*{command}\b", words, re.MULTILINE), command


def test_help_imports_nothing_heavy():
    code = (
        "import sys, engage;"
        "heavy = {'torch', 'ultralytics', 'mediapipe', 'streamlit', 'cv2', 'pandas', 'av'} & sys.modules.keys();"
        "sys.exit(' '.join(heavy) or None)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_a_session_is_whole_and_says_how_it_was_made(two_students, clips, tmp_path):
    result = approved(clips / "good.mp4", "--out", tmp_path, "--profile", "observable", "--blur", "everyone")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    folder = tmp_path / "good"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    session = Session.open(folder)
    manifest = session.manifest
    assert manifest.source.name == "good.mp4"
    assert (manifest.counts.students, manifest.counts.frames, manifest.counts.analysed_frames) == (2, 30, 15)
    assert (manifest.profile.value, manifest.blur) == ("observable", "everyone")
    assert manifest.approval == "given: Prof. Wren"
    assert manifest.models["two.pt"] == "0" * 64
    assert str(clips) not in (folder / MANIFEST).read_text(encoding="utf-8")  # the name, never the path
    for name in (VIDEO, REPORT, ENGAGEMENT):
        assert f"good/{name}" in result.stdout


def test_where_nobody_had_to_be_covered_the_check_says_so(two_students, clips, tmp_path):
    assert approved(clips / "good.mp4", "--out", tmp_path).exit_code == 0
    assert Session.open(tmp_path / "good").manifest.audit is AuditResult.NOBODY


@pytest.mark.slow
def test_faces_that_the_check_finds_are_covered(two_students, faces, tmp_path):
    """Two people are covered where nobody sits; the faces of twelve are found by the check."""
    result = approved(faces, "--out", tmp_path, "--blur", "everyone", "--rate", "1")
    assert result.exit_code == 0, result.output
    session = Session.open(tmp_path / "birds")
    assert session.manifest.audit is AuditResult.PASSED
    checked = read_audit(session)
    assert checked.patched > 10
    assert f"{checked.patched} places covered on top" in result.stdout.replace("\n", " ")


@pytest.mark.slow
def test_a_face_left_uncovered_makes_the_session_need_review(two_students, faces, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.patches.ROUNDS", 0)
    result = approved(faces, "--out", tmp_path, "--blur", "everyone", "--rate", "1")
    assert result.exit_code == 1, result.output
    assert_one_sentence(result.stderr, "uncovered faces", "the session is kept", kind="needs review")
    session = Session.open(tmp_path / "birds")
    assert session.manifest.audit is AuditResult.NEEDS_REVIEW
    assert sorted(path.name for path in session.folder.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("keep", [(), ("--keep-audio",)])
def test_voices_are_dropped_unless_asked_for(two_students, tmp_path, keep):
    video = make_clip(tmp_path / "loud.mp4", range(20), Fraction(1, 10), rate=10, audio=("aac", 0.0, 2.0))
    assert approved(video, "--out", tmp_path / "out", *keep).exit_code == 0
    assert VideoReader(tmp_path / "out" / "loud" / VIDEO).info.has_audio == bool(keep)
