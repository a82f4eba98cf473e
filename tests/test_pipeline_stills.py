"""Frames for the report: everybody is covered unless showing was granted, and the video shows nobody it should not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lectures import HEAD, HEIGHT, WIDTH, head, lecture

from pipeline.session import MANIFEST, VIDEO, DataDeleted, Session, SessionError
from pipeline.stills import stills
from pipeline.store import write_json


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session in whose video all heads show."""
    return lecture(tmp_path_factory.mktemp("stills") / "sessions")[0]


def changed(made: Path, folder: Path, **fields: Any) -> Session:
    """A copy of the session with other fields of the manifest."""
    shutil.copytree(made, folder)
    manifest = Session.open(folder).manifest
    write_json(folder / MANIFEST, type(manifest).model_validate(manifest.model_dump() | fields))
    return Session.open(folder)


def showing(image: np.ndarray, t: float) -> list[float]:
    """The share of each student's head that shows, by its colour."""
    shares = []
    for student in (1, 2, 3):
        x1, y1, x2, y2 = head(student, t)
        area = image[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].astype(int)
        shares.append(float((np.abs(area - HEAD).max(axis=2) < 60).mean()))
    return shares


def test_no_moments_no_stills(made: Path) -> None:
    assert Session.open(made).stills([]) == []


def test_everybody_is_covered(made: Path) -> None:
    found = Session.open(made).stills([2.0, 0.5])
    assert [one.t for one in found] == pytest.approx([0.5, 2.0])
    for one in found:
        assert one.covered
        assert one.image_bgr.shape == (HEIGHT, WIDTH, 3)
        assert showing(one.image_bgr, one.t) == [0.0, 0.0, 0.0]


def test_whoever_may_be_shown_is_shown(made: Path, tmp_path: Path) -> None:
    session = changed(made, tmp_path / "s", purposes=["recording", "analysis", "showing"])
    (still,) = session.stills([1.0])
    assert not still.covered
    assert min(showing(still.image_bgr, still.t)) > 0.5
    (still,) = stills(session, [1.0], always_covered=True)
    assert still.covered
    assert showing(still.image_bgr, still.t) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("fields", [
    {"purposes": ["recording", "analysis", "research"]},
    {"purposes": ["showing"], "audit": "needs review"},     # somebody who said no shows
    {"purposes": ["showing"], "audit": None},               # nobody has looked
])  # fmt: skip
def test_in_doubt_everybody_is_covered(made: Path, tmp_path: Path, fields: dict[str, Any]) -> None:
    (still,) = changed(made, tmp_path / "s", **fields).stills([1.0])
    assert still.covered
    assert showing(still.image_bgr, still.t) == [0.0, 0.0, 0.0]


def test_a_moment_after_the_end_has_no_still(made: Path) -> None:
    assert len(Session.open(made).stills([1.0, 99.0])) == 1


def test_a_video_that_is_gone_says_so(made: Path, tmp_path: Path) -> None:
    with pytest.raises(DataDeleted, match="was deleted on 2026-05-01"):
        changed(made, tmp_path / "purged", purged={"annotated_video": "2026-05-01"}).stills([1.0])
    missing = changed(made, tmp_path / "missing")
    (missing.folder / VIDEO).unlink()
    with pytest.raises(SessionError, match=f"{VIDEO} is missing"):
        missing.stills([1.0])
