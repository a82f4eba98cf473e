"""The whole walk, for real: ``engage demo`` once, and a lecture with two students who said no, against the truth."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pandas as pd
import pytest
from clips import boxes as mp4_boxes
from scipy.optimize import linear_sum_assignment
from truth import FRAMES, PEOPLE, WHO_LEAVES, visible
from typer.testing import CliRunner

import engage
from consent.policy import Zone
from consent.registry import Registry
from consent.seat_map import read_seat_map
from models.states import UNSEEN, State
from pipeline.encode import VideoWriter
from pipeline.session import (
    AUDIT,
    BEHAVIOUR_PREFIX,
    ENGAGEMENT,
    EVENT_COLUMNS,
    EVENTS,
    EXTRA_COLUMNS,
    MANIFEST,
    OBSERVATION_COLUMNS,
    OBSERVATIONS,
    REPORT,
    SEATS,
    STATE_COLUMNS,
    STATES,
    VIDEO,
    AuditResult,
    Session,
)
from pipeline.video import VideoReader
from reports.formula import summary

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SIZE = np.array([1280, 720, 1280, 720])

COURSE = "Birds 101"
OPTED_OUT = {2: "A2", 9: "C1"}
SEATED_S = 9.0
"""C1 gets up now; before, everybody sits."""
PART_FRAMES = 120
"""Of the demo lecture, 12 s: C1 gets up, walks in front of the others' seats and out of the picture at 11.6 s."""

LEVELS = 12
"""8-bit levels by which the encoder may change the colour of a fill."""


@cache
def truth_people(frame: int) -> list[dict[str, Any]]:
    return _truth()[frame]["persons"]


@cache
def _truth() -> list[dict[str, Any]]:
    with gzip.open(ROOT / "demo" / "classroom_truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [record for record in map(json.loads, lines) if record["type"] == "frame"]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Iterator[Path]:
    """An empty home, cache and registry; the handler of SIGTERM is put back afterwards."""
    folder = tmp_path_factory.mktemp("home")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("ENGAGE_CACHE", str(folder / "cache"))
        patch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{folder / 'consent.sqlite'}")
        patch.setenv("COLUMNS", "200")
        yield folder
    signal.signal(signal.SIGTERM, before)


class Demo(NamedTuple):
    """What ``engage demo`` gave."""

    done: subprocess.CompletedProcess[str]
    out: Path

    @property
    def session(self) -> Session:
        return Session.open(self.out / "demo_classroom")


@pytest.fixture(scope="module")
def demo(home, tmp_path_factory) -> Demo:
    out = tmp_path_factory.mktemp("demo") / "sessions"
    words = [sys.executable, "-m", "engage", "demo", "--out", str(out)]
    return Demo(subprocess.run(words, cwd=ROOT, capture_output=True, text=True), out)


@pytest.fixture(scope="module")
def session(demo) -> Session:
    return demo.session


# the command


def test_it_ends_well_and_says_where_the_files_are(demo):
    assert demo.done.returncode == 0, demo.done.stderr
    assert demo.done.stderr == ""
    for name in (VIDEO, REPORT, ENGAGEMENT):
        assert str(demo.session.folder / name) in demo.done.stdout
    assert re.search(r"students\W+12\b", demo.done.stdout)


def test_the_session_is_whole_and_alone(demo):
    assert [path.name for path in demo.out.iterdir()] == ["demo_classroom"]
    found = {path.name for path in demo.session.folder.iterdir()}
    expected = {MANIFEST, AUDIT, OBSERVATIONS, STATES, EVENTS, ENGAGEMENT, VIDEO, REPORT, SEATS}
    assert expected <= found
    assert {Path(name).suffix for name in found} <= {
        ".json",
        ".parquet",
        ".csv",
        ".mp4",
        ".pdf",
    }  # no pictures, no vectors
    assert (demo.session.folder / REPORT).read_bytes().startswith(b"%PDF")


def test_the_report_can_be_written_again(session, tmp_path):
    result = CliRunner().invoke(engage.app, ["report", str(session.folder), "--out", str(tmp_path / "again.pdf")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "again.pdf").read_bytes().startswith(b"%PDF")


# the manifest


def test_the_manifest_tells_what_was_done(session):
    manifest = session.manifest
    assert (manifest.counts.students, manifest.counts.frames) == (PEOPLE, FRAMES)
    assert manifest.counts.analysed_frames == FRAMES / 2
    assert manifest.duration == pytest.approx(40.0, abs=0.1)
    assert (manifest.fps, manifest.width, manifest.height) == (10.0, 1280, 720)
    assert manifest.warnings == []
    assert manifest.counts.staff == 0
    assert manifest.camera is not None
    assert (manifest.camera.scenes, manifest.camera.moved, manifest.camera.lost_s) == (1, False, 0.0)
    assert manifest.models
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in manifest.models.values())
    assert manifest.counts.events == len(session.events)


# who is who


def ids_of(observations: pd.DataFrame) -> pd.Series:
    """The true id of each observed row: whose head is at the top of its box; 0 for nobody, nobody for two.

    Not by overlap of whole bodies: C1's shoes show under the desk, so that the true box is much taller.
    """
    ids = pd.Series(0, index=observations.index)
    for frame, rows in observations.groupby("frame"):
        people = [one for one in truth_people(int(frame)) if one["visible"] and one["head_bbox"]]
        heads = np.array([one["head_bbox"] for one in people])
        apart = np.hypot(
            rows[["x1", "x2"]].mean(axis=1).to_numpy()[:, None] - heads[:, [0, 2]].mean(axis=1),
            rows["y1"].to_numpy()[:, None] - heads[:, 1],
        ) / (heads[:, 3] - heads[:, 1])
        for row, person in zip(*linear_sum_assignment(apart), strict=True):
            if apart[row, person] < 1:
                ids[rows.index[row]] = people[person]["id"]
    return ids


@pytest.fixture(scope="module")
def observed(session) -> pd.DataFrame:
    rows = session.observations[session.observations["observed"]]
    return rows.assign(id=ids_of(rows))


def test_students_are_numbered_by_seat_and_keep_their_number(observed):
    assert set(observed["student"]) == set(range(1, PEOPLE + 1))
    assert (observed["student"] == observed["id"]).mean() >= 0.95


def test_each_seat_on_record_is_where_the_students_head_is(session):
    seats = read_seat_map(session.folder / SEATS)
    assert list(seats) == [str(number) for number in range(1, PEOPLE + 1)]
    inside = {number: [] for number in seats}
    for frame in range(0, FRAMES, 20):
        for one in truth_people(frame):
            if one["visible"] and one["head_bbox"]:
                x1, y1, x2, y2 = one["head_bbox"]
                x, y = (x1 + x2) / 2 / 1280, (y1 + y2) / 2 / 720
                for number, zone in seats.items():
                    inside[number].append((one["id"], zone.contains(x, y)))
    for number, sightings in inside.items():
        own = [there for who, there in sightings if str(who) == number]
        others = [there for who, there in sightings if str(who) != number]
        assert np.mean(own) > 0.7  # 9 walks out and back, 11 climbs on the chair
        assert np.mean(others) < 0.1


def test_nearly_everybody_is_found_on_nearly_every_frame(observed):
    to_find = sum(len(visible(int(frame))[0]) for frame in observed["frame"].unique())
    assert (observed["id"] > 0).sum() / to_find >= 0.90


def test_the_student_who_leaves_and_returns_keeps_the_number(observed):
    away = observed[(observed["t"] > 14) & (observed["t"] < 23)]
    assert WHO_LEAVES not in set(away["student"])
    for seated in (observed["t"] < 9, observed["t"] > 29):
        rows = observed[seated & (observed["id"] == WHO_LEAVES)]
        assert len(rows) > 30
        assert (rows["student"] == WHO_LEAVES).mean() >= 0.95


# the tables


def test_observations_keep_the_contract(session):
    table = session.observations
    behaviours = [name for name in table if name.startswith(BEHAVIOUR_PREFIX)]
    assert list(table) == [*OBSERVATION_COLUMNS, *EXTRA_COLUMNS, *behaviours]
    assert all(kind.kind in "biuf" for kind in table.dtypes)  # numbers only: no picture, no vector, no name
    assert not table.duplicated(["frame", "student"]).any()
    assert table["frame"].between(0, FRAMES - 1).all()
    assert np.allclose(table["t"], table["frame"] / 10, atol=1e-6)
    assert (table["x2"] > table["x1"]).all()
    assert (table["y2"] > table["y1"]).all()
    for name in ("score", "eye_open", "mouth_open", "brow_furrow", *behaviours):
        assert table[name].dropna().between(0, 1).all(), name
    assert table.loc[~table["observed"], ["score", "yaw", "eye_open"]].isna().all(axis=None)
    assert table["yaw"].notna().mean() > 0.1


def test_states_keep_the_contract(session):
    table = session.states
    names = [f"p_{name}" for name in session.state_names]
    assert sorted(table) == sorted([*STATE_COLUMNS, *names])
    assert len(table) == PEOPLE * 40
    assert not table.duplicated(["t", "student"]).any()
    assert set(table["t"]) == set(range(40))
    assert table["coverage"].between(0, 1).all()
    seen = table["state"] != UNSEEN
    assert np.allclose(table.loc[seen, names].sum(axis=1), 1.0, atol=1e-4)
    assert table.loc[~seen, names].isna().all(axis=None)
    assert (table.loc[seen, "why"] != "").all()
    likeliest = table.loc[seen, names].idxmax(axis=1).str.removeprefix("p_")
    assert (likeliest == table.loc[seen, "state"]).all()


def test_states_are_sane(session):
    counts = Counter(session.states["state"])
    assert counts.most_common(1)[0][0] == State.ATTENTIVE.value
    away = session.states.query("student == @WHO_LEAVES and 14 <= t < 23")
    assert set(away["state"]) == {UNSEEN}


def test_events_keep_the_contract(session):
    table = session.events
    assert list(table) == list(EVENT_COLUMNS)
    assert (table["end"] > table["start"]).all()
    assert table["student"].isin(range(1, PEOPLE + 1)).all()
    assert (table["score"] >= table["threshold"]).all()


def test_the_engagement_table_adds_up(session):
    table = session.engagement
    of_class, of_students = table[table["scope"] == "class"], table[table["scope"] == "student"]
    assert of_class["t"].tolist() == list(range(40))
    assert of_students["student"].tolist() == list(range(1, PEOPLE + 1))
    shares = [f"share_{name}" for name in session.state_names]
    assert np.allclose(table[shares].sum(axis=1), 1.0, atol=1e-3)
    assert table["engagement"].between(0, 1).all()
    assert np.allclose(of_students["minutes_seen"], of_students["coverage"] * 40 / 60, atol=1e-3)
    mean, coverage = summary(table)
    assert session.manifest.engagement.mean == pytest.approx(mean, abs=1e-3)
    assert session.manifest.engagement.coverage == pytest.approx(coverage, abs=1e-3)


# the video


def test_the_annotated_video_plays_everywhere_with_the_sources_timing(session):
    kinds = mp4_boxes(session.video)
    assert kinds.index("moov") < kinds.index("mdat")
    with av.open(str(session.video)) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (1280, 720)
    with VideoReader(session.video) as after, VideoReader(engage.DEMO) as before:
        assert [frame.t for frame in after.frames()] == [frame.t for frame in before.frames()]
        assert after.decoded == FRAMES
        assert after.duration == pytest.approx(40.0, abs=0.1)


# two students said no


class Part(NamedTuple):
    """The first seconds of the demo lecture, and the session of it with A2 and C1 opted out."""

    source: Path
    session: Session


@pytest.fixture(scope="module")
def part(home, tmp_path_factory) -> Part:
    folder = tmp_path_factory.mktemp("part")
    source = folder / "lecture.mp4"
    with VideoReader(engage.DEMO) as reader, VideoWriter(source, reader.info, crf=12) as writer:
        for frame in islice(reader.frames(), PART_FRAMES):
            writer.write(frame, frame.image)
    with Registry.open() as registry:
        registry.approve(COURSE, "Prof. Wren", date.today())
        for person, seat in OPTED_OUT.items():
            registry.opt_out(COURSE, f"pseudonym of {seat}", seat_zone(person))
    result = CliRunner().invoke(engage.app, ["run", str(source), "--course", COURSE, "--out", str(folder / "out")])
    assert result.exit_code == 0, result.output
    return Part(source, Session.open(folder / "out" / "Birds-101_lecture"))


def seat_zone(person: int) -> Zone:
    """All places of a seated student's head, with half a head around."""
    heads = [
        one["head_bbox"] for frame in range(round(SEATED_S * 10)) for one in truth_people(frame) if one["id"] == person
    ]
    x1, y1 = np.min(heads, axis=0)[:2]
    x2, y2 = np.max(heads, axis=0)[2:]
    dx, dy = (x2 - x1) / 4, (y2 - y1) / 4
    corners = np.clip(np.array([x1 - dx, y1 - dy, x2 + dx, y2 + dy]) / SIZE, 0, 1)
    return Zone(*map(float, corners))


def test_the_zones_hold_only_the_heads_they_should():
    for frame in range(round(SEATED_S * 10)):
        for one in truth_people(frame):
            x1, y1, x2, y2 = np.array(one["head_bbox"]) / SIZE
            inside = [person for person in OPTED_OUT if seat_zone(person).contains((x1 + x2) / 2, (y1 + y2) / 2)]
            assert inside == ([one["id"]] if one["id"] in OPTED_OUT else [])


def test_nothing_is_made_of_those_who_said_no(part):
    session = part.session
    assert session.manifest.counts.students == PEOPLE - len(OPTED_OUT)
    assert not set(ids_of(session.observations[session.observations["observed"]])) & set(OPTED_OUT)
    assert set(session.states["student"]) == set(range(1, PEOPLE - len(OPTED_OUT) + 1))
    assert "pseudonym" not in (session.folder / MANIFEST).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def heads(part) -> pd.DataFrame:
    """Per visible head and frame: ``covered``, the share of its box that has the fill's colour and had not before."""
    fill = np.array(part.session.manifest.config["cover"]["colour"])
    rows = []
    with VideoReader(part.source) as before, VideoReader(part.session.video) as after:
        for old, new in zip(before.frames(), after.frames(), strict=True):
            filled = (np.abs(new.image.astype(int) - fill) <= LEVELS).all(axis=2)
            was = (np.abs(old.image.astype(int) - fill) <= LEVELS).all(axis=2)
            for one in truth_people(old.index):
                if not one["visible"] or not one["head_bbox"] or not one["head_visible_fraction"]:
                    continue
                x1, y1, x2, y2 = np.clip(np.round(one["head_bbox"]).astype(int), 0, SIZE)
                if x2 > x1 and y2 > y1:
                    place = slice(y1, y2), slice(x1, x2)
                    rows.append((old.index, one["id"], filled[place].mean(), (filled & ~was)[place].mean()))
    return pd.DataFrame(rows, columns=["frame", "id", "filled", "newly_filled"])


def test_the_finished_video_was_checked_and_passed(part):
    assert part.session.manifest.audit is AuditResult.PASSED


@pytest.mark.parametrize("person", OPTED_OUT)
def test_the_heads_of_those_who_said_no_are_covered(heads, person):
    mine = heads[heads["id"] == person]
    assert len(mine) > 100
    assert (mine["filled"] >= 0.95).mean() >= 0.99


def test_the_heads_of_all_others_are_free(heads):
    others = heads[~heads["id"].isin(OPTED_OUT)]
    assert (others["newly_filled"] <= 0.05).mean() >= 0.99
