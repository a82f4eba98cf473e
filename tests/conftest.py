"""Fixtures shared by the rooms' tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browsing import CHROMIUM, FLAGS, forget
from hypothesis import settings
from postgres import PrivateServer

from models import openvino_core
from models.states import Profile
from pipeline.session import (
    BOX,
    ENGAGEMENT,
    EVENTS,
    FACE_CUES,
    HEAD_BOX,
    HEAD_POSE,
    OBSERVATIONS,
    STATES,
    VIDEO,
    Manifest,
)
from pipeline.store import open_session
from reports.formula import engagement_table, summary_fields
from reports.weights import WITHHOLD_KEY

# A busy machine is no failure: laws are tested, not times.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

LONGEST = (
    "engage",
    "consent_log",
    "dashboard_serving",
    "dashboard_walk",
    "engage_resume",
    "engage_demo",
    "engage_withdraw",
    "dashboard_review_browser",
    "docs_run",
    "models_scorer",
    "pipeline_moving_camera",
    "pipeline_withdrawal",
    "pipeline_cluster",
    "models_anomaly",
    "engage_batch",
)
"""The files that take longest, the first ones to begin: one that came last would leave the other processes idle."""

HEAVY = {"slow", "browser"}
"""Marks of tests that take longer than others."""

DEMO_CLIP = Path(__file__).parents[1] / "demo" / "classroom.mp4"


def pytest_configure(config: pytest.Config) -> None:
    """Tests side by side compute with one thread each: more would wait for one another.

    What they start may keep the program as it was translated, so that it is not done for each process.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if config.getoption("numprocesses", None):
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
            os.environ.setdefault(name, "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side, heavy files begin."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        heavy = {item.path for item in items if HEAVY & {mark.name for mark in item.iter_markers()}}
        place = {f"test_{name}": place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: (place.get(item.path.stem, len(place)), item.path not in heavy))


@pytest.fixture(scope="session", autouse=True)
def networks_once() -> Iterator[None]:
    """Of all tests of a process: making one of the same file ready takes a second each time."""
    made: dict[object, Any] = {}
    ready = openvino_core._ready

    def remembered(file: Path, hints: dict[str, Any], change: Any) -> Any:
        if not file.is_file():
            return ready(file, hints, change)
        how = getattr(change, "func", change), tuple(getattr(change, "keywords", {}).items())
        asked = file, file.stat().st_mtime_ns, file.stat().st_size, tuple(sorted(hints.items())), how
        if asked not in made:
            made[asked] = ready(file, hints, change)
        return made[asked]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino_core, "_ready", remembered)
        yield


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """For runs in this process of which nobody asks what is unusual: its autoencoders learn for a moment only, and few
    neighbours are asked."""
    import models.scorer

    monkeypatch.setattr(models.scorer, "STEPS", 20)
    monkeypatch.setattr(models.scorer, "MEMBERS", 4)


def simulated_states(rng: np.random.Generator, students: int, seconds: int, profile: Profile) -> pd.DataFrame:
    """States of ``students`` over ``seconds``: a random walk in the logits, the last one unseen early on."""
    names = [state.value for state in profile.states]
    walk = rng.normal(0, 0.5, (seconds, students, len(names))).cumsum(axis=0)
    weight = np.exp(walk - walk.max(axis=2, keepdims=True))
    posterior = weight / weight.sum(axis=2, keepdims=True)
    coverage = rng.uniform(0.6, 1.0, (seconds, students))
    if students:
        coverage[: seconds // 3, -1] = 0.0
    posterior[coverage == 0] = np.nan
    t, student = np.meshgrid(np.arange(seconds), np.arange(1, students + 1), indexing="ij")
    flat = posterior.reshape(-1, len(names))
    best = np.nan_to_num(flat, nan=-1.0).argmax(axis=1)
    seen = coverage.ravel() > 0
    table = pd.DataFrame({"t": t.ravel(), "student": student.ravel(), "coverage": coverage.ravel()})
    table["state"] = np.where(seen, np.array(names)[best], "unseen")
    table["why"] = np.where(seen, "head towards the board", "")
    return table.assign(**{f"p_{name}": flat[:, place] for place, name in enumerate(names)})


def simulated_observations(students: int, seconds: int) -> pd.DataFrame:
    """One observation per student and second, in a row of still boxes; head pose and face unknown."""
    second, student = np.meshgrid(np.arange(seconds), np.arange(1, students + 1), indexing="ij")
    table = pd.DataFrame({"frame": second.ravel() * 10, "t": second.ravel() * 1.0, "student": student.ravel()})
    left = 40.0 + 100.0 * (table["student"] - 1)
    for names, top, size in ((BOX, 300.0, (80.0, 160.0)), (HEAD_BOX, 300.0, (40.0, 50.0))):
        values = left, top, left + size[0], top + size[1]
        table = table.assign(**dict(zip(names, values, strict=True)))
    unknown = dict.fromkeys((*HEAD_POSE, *FACE_CUES), np.nan)
    return table.assign(score=0.9, observed=True, motion=0.05, **unknown)


def simulated_events(rng: np.random.Generator, students: int, seconds: int) -> pd.DataFrame:
    """Up to two unusual spans of a few seconds."""
    count = min(2, students)
    start = np.linspace(seconds * 0.4, seconds * 0.7, count)
    return pd.DataFrame(
        {
            "start": start,
            "end": np.minimum(start + 4.0, seconds),
            "student": np.arange(1, count + 1),
            "score": rng.uniform(3.0, 6.0, count),
            "threshold": 3.0,
            "why": "motion far above the student's own",
        }
    )


@pytest.fixture(scope="session")
def make_session() -> Callable[..., Path]:
    """``make_session(folder, name="demo", students=6, seconds=30, profile="full", seed=0, **manifest)``.

    Writes a whole session of simulated students under ``folder`` and returns its path. The video is the demo
    clip. Further keywords replace fields of the manifest.
    """

    def make(
        folder: Path,
        name: str = "demo",
        students: int = 6,
        seconds: int = 30,
        profile: str = "full",
        seed: int = 0,
        **manifest: Any,
    ) -> Path:
        rng = np.random.default_rng(seed)
        states = simulated_states(rng, students, seconds, Profile(profile))
        events = simulated_events(rng, students, seconds)
        config = {"seed": seed, WITHHOLD_KEY: 1}  # most made-up classes are small
        engagement = engagement_table(states, Profile(profile), withhold_below=1)
        fields: dict[str, Any] = {
            "id": name,
            "created": "2025-03-04T10:15:00Z",
            "source": {"name": "lecture.mp4", "sha256": "0" * 64},
            "fps": 10.0,
            "width": 1280,
            "height": 720,
            "duration": float(seconds),
            "software_version": "0.1.0",
            "models": {},
            "config": config,
            "profile": profile,
            "course": "Simulated course",
            "approval": "made up for a test",
            "blur": "everyone",
            "counts": {
                "students": students,
                "frames": seconds * 10,
                "analysed_frames": seconds,
                "events": len(events),
            },
            "engagement": summary_fields(engagement),
        }
        with open_session(folder, name, overwrite=False) as writer:
            writer.write_table(OBSERVATIONS, simulated_observations(students, seconds))
            writer.write_table(STATES, states)
            writer.write_table(EVENTS, events)
            writer.write_table(ENGAGEMENT, engagement)
            shutil.copyfile(DEMO_CLIP, writer.folder / VIDEO)
            writer.write_manifest(Manifest.model_validate(fields | manifest))
            return writer.commit()

    return make


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PrivateServer]:
    """A PostgreSQL server of this test run only; skips where there is none."""
    with PrivateServer() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def registry_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: a SQLite file, then PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.sqlite'}"
    return request.getfixturevalue("postgres_server").new_database()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def window(browser: Any) -> Iterator[Any]:
    """Where ``page`` is opened; it keeps the dashboard's scripts, which take seconds to load and translate."""
    opened = browser.new_context(viewport={"width": 1280, "height": 720}, bypass_csp=True)
    yield opened
    opened.close()


@pytest.fixture
def page(window: Any) -> Iterator[Any]:
    """An empty page, as small as a projector's. What tests wait for is code that the policy would not run."""
    from playwright.sync_api import expect

    opened = window.new_page()
    opened.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    yield opened
    forget(opened)
