"""What readings come from: the smallest change is another origin, what does not matter is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pipeline.origin
from consent.policy import CoverPolicy, Zone
from pipeline.origin import READING, origin_of
from pipeline.settings import Settings

SEAT = Zone(0.1, 0.1, 0.2, 0.2)
SAID_NO = CoverPolicy(False, (SEAT,), "one said no")
GIVEN = {"source_sha256": "a" * 64, "models": {"students.pt": "b" * 64}, "policy": SAID_NO, "device": "cpu"}


def origin(settings: Settings | None = None, **changes: object) -> str:
    return origin_of(settings=settings or Settings(), **(GIVEN | changes))  # type: ignore[arg-type]


def test_it_is_the_same_in_another_process() -> None:
    code = (
        "from consent.policy import CoverPolicy, Zone; from pipeline.origin import origin_of;"
        "from pipeline.settings import Settings;"
        "policy = CoverPolicy(False, (Zone(0.1, 0.1, 0.2, 0.2),), 'one said no');"
        "print(origin_of('a' * 64, {'students.pt': 'b' * 64}, Settings(), policy, 'cpu'))"
    )
    root = Path(__file__).parents[1]
    other = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == origin()


@pytest.mark.parametrize(
    "change",
    [
        {"source_sha256": "c" * 64},
        {"models": {"students.pt": "c" * 64}},
        {"models": {}},
        {"device": "cuda:0"},
        {"policy": CoverPolicy(True, (SEAT,), "one said no")},
        {"policy": CoverPolicy(False, (SEAT, Zone(0.5, 0.5, 0.6, 0.6)), "one said no")},
        {"policy": CoverPolicy(False, (Zone(0.1, 0.1, 0.2, 0.21),), "one said no")},
        {"policy": CoverPolicy(False, (SEAT,), "one said no", unplaced=1)},
    ],
)
def test_another_source_model_device_or_person_to_cover_is_another_origin(change: dict[str, object]) -> None:
    assert origin(**change) != origin()


@pytest.mark.parametrize(
    "change",
    [
        {"rate": 4},
        {"profile": "observable"},
        {"detect": {"imgsz": 640}},
        {"track": {"max_gap_s": 4}},
        {"camera": {"keys": 4}},
        {"hands": {"per_frame": 1}},
        {"heads": {"min_head_px": 20}},
    ],
)
def test_so_are_other_settings_of_reading(change: dict[str, object]) -> None:
    assert set(change) <= set(READING)
    assert origin(Settings.model_validate(change)) != origin()


@pytest.mark.parametrize("change", [{"students": 5}, {"checkpoint_s": 1}, {"cover": {"style": "pixelate"}}])
def test_what_is_made_of_the_readings_is_free(change: dict[str, object]) -> None:
    assert origin(Settings.model_validate(change)) == origin()


def test_so_is_another_library_or_another_line_of_this_software(monkeypatch: pytest.MonkeyPatch) -> None:
    before = origin()
    with monkeypatch.context() as patch:
        patch.setattr(pipeline.origin, "_version", lambda name: "0")
        assert origin() != before
    with monkeypatch.context() as patch:
        patch.setattr(pipeline.origin, "code_sha256", lambda: "another")
        assert origin() != before
    assert origin() == before


def test_every_setting_of_reading_is_one() -> None:
    assert set(READING) <= set(Settings.model_fields)
