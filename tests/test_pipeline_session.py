from __future__ import annotations

import json
import os
import shutil
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.states import INFERRED_EMOTION, Profile
from pipeline.audit import read_audit
from pipeline.corrections import read_corrections
from pipeline.seat_plan import read_plan
from pipeline.session import (
    AUDIT,
    CORRECTIONS,
    ENGAGEMENT,
    EVENT_COLUMNS,
    EVENTS,
    MANIFEST,
    OBSERVATION_COLUMNS,
    OBSERVATIONS,
    REPORT,
    SCHEMA_VERSION,
    SEATS,
    STATE_COLUMNS,
    STATES,
    VIDEO,
    Manifest,
    Session,
    SessionError,
    find_sessions,
)

TABLES = {"observations": OBSERVATIONS, "states": STATES, "events": EVENTS, "engagement": ENGAGEMENT}


@pytest.fixture(scope="module")
def made(make_session, tmp_path_factory) -> Path:
    """A whole session, to be read only."""
    return make_session(tmp_path_factory.mktemp("whole"), seconds=12)


@pytest.fixture
def copy(made, tmp_path) -> Path:
    """A whole session to be damaged."""
    return Path(shutil.copytree(made, tmp_path / made.name, ignore=shutil.ignore_patterns(VIDEO)))


def change(folder: Path, **fields: object) -> None:
    """Replace fields of the manifest; ``...`` takes one away."""
    content = json.loads((folder / MANIFEST).read_text()) | fields
    (folder / MANIFEST).write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))


def refusal(act) -> str:
    with pytest.raises(SessionError) as caught:
        act()
    assert caught.value.exit_code == 2
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "; " in sentence  # what is wrong; what to do
    return sentence


# no session


@pytest.mark.parametrize("place", ["nowhere", ".", "empty"])
def test_no_session_here(tmp_path, place):
    (tmp_path / "empty").mkdir()
    assert "no session here" in refusal(lambda: Session.open(tmp_path / place))


def test_a_file_is_no_session(tmp_path):
    (tmp_path / "lecture.mp4").touch()
    assert "lecture.mp4" in refusal(lambda: Session.open(tmp_path / "lecture.mp4"))


def test_a_folder_in_the_place_of_the_manifest(tmp_path):
    (tmp_path / MANIFEST).mkdir()
    assert "cannot be read" in refusal(lambda: Session.open(tmp_path))


# a damaged manifest


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"not json", b"\xff\xfe\x00", b'{"id": "demo",}', b"[" * 100_000],
    ids=["empty", "cut off", "text", "binary", "a comma too many", "nested without end"],
)
def test_damaged_json(copy, content):
    (copy / MANIFEST).write_bytes(content)
    assert f"{MANIFEST}: cannot be read" in refusal(lambda: Session.open(copy))


@pytest.mark.parametrize("content", ["[]", "null", "5", '"demo"'])
def test_json_that_is_no_manifest(copy, content):
    (copy / MANIFEST).write_text(content)
    assert "content is not valid" in refusal(lambda: Session.open(copy))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("profile", "everything"),
        ("profile", ...),
        ("counts", {"students": -1, "frames": 0, "analysed_frames": 0, "events": 0}),
        ("fps", "fast"),
        ("width", 12.5),
        ("surprise", 1),
        ("engagement", {"mean": 1.5}),
        ("source", "lecture.mp4"),
        ("schema_version", 0),
        ("schema_version", str(SCHEMA_VERSION + 1)),
        ("schema_version", "one"),
        ("schema_version", None),
    ],
)
def test_a_wrong_field_is_named(copy, field, value):
    change(copy, **{field: value})
    assert f"{MANIFEST}: {field}" in refusal(lambda: Session.open(copy))


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99, SCHEMA_VERSION + 1.0])
def test_a_newer_format_is_refused_with_the_way_out(copy, version):
    change(copy, schema_version=version, something_new=True)
    sentence = refusal(lambda: Session.open(copy))
    assert f"session format {int(version)}, this version reads up to {SCHEMA_VERSION}" in sentence
    assert "upgrade" in sentence


# damaged tables


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_table(copy, name):
    (copy / TABLES[name]).unlink()
    session = Session.open(copy)
    assert f"{TABLES[name]} is missing" in refusal(lambda: getattr(session, name))


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 500], ids=["empty", "noise"])
def test_a_table_that_is_none(copy, name, content):
    (copy / TABLES[name]).write_bytes(content)
    session = Session.open(copy)
    assert "cannot be read" in refusal(lambda: getattr(session, name))


@pytest.mark.parametrize("name", ["observations", "states", "events"])
def test_a_table_cut_short(copy, name):
    path = copy / TABLES[name]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    session = Session.open(copy)
    assert "cannot be read" in refusal(lambda: getattr(session, name))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=20))
def test_a_table_with_wrong_bytes_is_read_or_refused(made, tmp_path_factory, flips):
    folder = tmp_path_factory.getbasetemp() / "flipped"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(made / MANIFEST, folder / MANIFEST)
    damaged = bytearray((made / EVENTS).read_bytes())
    for share, mask in flips:
        damaged[int(share * len(damaged))] ^= mask
    (folder / EVENTS).write_bytes(damaged)
    session = Session.open(folder)
    try:
        table = session.events
    except SessionError:
        refusal(lambda: session.events)
    else:
        assert set(EVENT_COLUMNS) <= set(table)


@pytest.mark.parametrize(
    ("name", "column"),
    [("observations", "yaw"), ("states", "why"), ("states", "p_bored"), ("events", "threshold")],
)
def test_a_missing_column_is_named(copy, name, column):
    path = copy / TABLES[name]
    pd.read_parquet(path).drop(columns=column).to_parquet(path)
    session = Session.open(copy)
    assert f"column '{column}' is missing" in refusal(lambda: getattr(session, name))


def test_a_missing_video(copy):
    session = Session.open(copy)
    assert f"{VIDEO} is missing" in refusal(lambda: session.video)


# whole sessions


@pytest.mark.parametrize(("students", "seconds"), [(0, 0), (0, 5), (1, 1), (3, 10)])
@pytest.mark.parametrize("profile", Profile)
def test_every_size_of_session(make_session, tmp_path, students, seconds, profile):
    session = Session.open(make_session(tmp_path, students=students, seconds=seconds, profile=profile.value))
    assert set(OBSERVATION_COLUMNS) <= set(session.observations)
    assert {*STATE_COLUMNS, *(f"p_{name}" for name in session.state_names)} <= set(session.states)
    assert tuple(session.events.columns) == EVENT_COLUMNS
    assert len(session.states) == len(session.observations) == students * seconds
    assert not session.engagement.empty or not students * seconds


def test_an_observable_session_needs_and_names_no_inferred_emotion(make_session, tmp_path):
    session = Session.open(make_session(tmp_path, profile="observable"))
    assert not {state.value for state in INFERRED_EMOTION} & set(session.state_names)
    assert not {f"p_{state.value}" for state in INFERRED_EMOTION} & set(session.states)


def test_a_session_is_read_lazily_and_once(copy):
    for name in TABLES.values():
        (copy / name).rename(copy / f"{name}.away")
    session = Session.open(str(copy))
    for name in TABLES.values():
        (copy / f"{name}.away").rename(copy / name)
    assert session.states is session.states
    with pytest.raises(FrozenInstanceError):
        session.folder = copy


def test_the_manifest_comes_back_as_it_was_written(made):
    session = Session.open(made)
    assert session.id == "demo"
    assert Manifest.model_validate_json(session.manifest.model_dump_json()) == session.manifest
    assert session.video.name == VIDEO
    assert session.report.parent == made


def test_tables_come_back_as_they_were_written(made, copy):
    table = Session.open(made).observations
    wild = table.assign(yaw=np.nan, motion=np.float32(0.1), behaviour_write=0.5)
    wild.to_parquet(copy / OBSERVATIONS, index=False, compression="zstd")
    pd.testing.assert_frame_equal(Session.open(copy).observations, wild)


# finding them


def test_no_sessions_to_find(tmp_path):
    assert list(find_sessions(tmp_path / "nowhere")) == []
    (tmp_path / "notes").mkdir()
    (tmp_path / "lecture.mp4").touch()
    assert list(find_sessions(tmp_path)) == []


def test_sessions_are_found_newest_first_without_unfinished_ones(tmp_path, copy):
    for age, name in enumerate(["new", "older", "oldest", "half.partial", "old.replaced.partial"]):
        (tmp_path / "all" / name).mkdir(parents=True)
        shutil.copyfile(copy / MANIFEST, tmp_path / "all" / name / MANIFEST)
        os.utime(tmp_path / "all" / name / MANIFEST, (1e9 - age, 1e9 - age))
    (tmp_path / "all" / AUDIT).write_text("{}")
    assert [path.name for path in find_sessions(str(tmp_path / "all"))] == ["new", "older", "oldest"]


# sessions that somebody else wrote


@pytest.mark.parametrize("name", ["../outside", "a/b", "..", ".", "", "/outside", "a\\b", "a\nb", "x" * 300])
def test_a_name_that_leads_elsewhere_is_refused(copy, name):
    change(copy, id=name)  # engage report --out FOLDER names a file by it
    assert "id is not valid" in refusal(lambda: Session.open(copy))


@pytest.mark.parametrize("name", [MANIFEST, OBSERVATIONS, ENGAGEMENT, VIDEO, REPORT, SEATS, AUDIT, CORRECTIONS])
def test_a_link_out_of_the_session_is_not_followed(copy, tmp_path, name):
    secret = tmp_path / "secret"
    if (copy / name).exists():
        (copy / name).rename(secret)
    else:
        secret.write_text("{}")
    (copy / name).symlink_to(secret)
    read = {
        MANIFEST: lambda session: session,
        OBSERVATIONS: lambda session: session.observations,
        ENGAGEMENT: lambda session: session.engagement,
        VIDEO: lambda session: session.video,
        REPORT: lambda session: session.report,
        SEATS: read_plan,
        AUDIT: read_audit,
        CORRECTIONS: read_corrections,
    }[name]
    assert "leads out of the session" in refusal(lambda: read(Session.open(copy)))


def test_a_link_within_the_session_is_followed(copy):
    (copy / "other.mp4").touch()
    (copy / VIDEO).symlink_to("other.mp4")
    assert Session.open(copy).video == copy / VIDEO


def test_a_whole_session_may_be_a_link(copy, tmp_path):
    (tmp_path / "linked").symlink_to(copy)
    assert len(Session.open(tmp_path / "linked").observations)


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("student", -1, "holds impossible values"),
        ("student", 1.5, "holds impossible values"),
        ("student", 1e18, "holds impossible values"),
        ("student", np.inf, "holds impossible values"),
        ("t", -1.0, "holds impossible values"),
        ("t", 1e308, "holds impossible values"),
        ("t", "noon", "holds no numbers"),
        ("score", pd.Timestamp("2026-01-01"), "holds no numbers"),
    ],
)
def test_tables_with_values_that_cannot_be(copy, column, value, why):
    table = pd.read_parquet(copy / OBSERVATIONS)
    table[column] = value
    table.to_parquet(copy / OBSERVATIONS)
    assert f"column {column!r} {why}" in refusal(lambda: Session.open(copy).observations)


def test_engagement_without_its_columns(copy):
    (copy / ENGAGEMENT).write_text("t,engagement\n0,0.5\n")
    assert "column 'scope' is missing" in refusal(lambda: Session.open(copy).engagement)


@pytest.mark.parametrize("fields", [{"duration": 1e300}, {"duration": -1}, {"fps": -1.0}, {"width": -1}])
def test_a_manifest_with_values_that_cannot_be(copy, fields):
    change(copy, **fields)
    assert f"{next(iter(fields))} is not valid" in refusal(lambda: Session.open(copy))


def test_sentences_about_monstrous_manifests_are_short(copy):
    change(copy, **{"x" * 100_000: 1})
    assert len(refusal(lambda: Session.open(copy))) < 600
    (copy / MANIFEST).write_text("9" * 5000)
    assert "cannot be read" in refusal(lambda: Session.open(copy))
