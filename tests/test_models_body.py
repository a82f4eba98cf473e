"""BlazePose from MediaPipe's wheel: it is there, loads without MediaPipe, and says so when it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.body import INPUT_PX, POINTS, BodyModel, wheel_file
from models.errors import ModelFileError


def test_nobody() -> None:
    reading = BodyModel().read(np.zeros((0, INPUT_PX, INPUT_PX, 3), np.uint8))
    assert reading.points.shape == (0, POINTS, 2)
    assert reading.present.shape == (0,)


def test_an_empty_picture_holds_nobody() -> None:
    reading = BodyModel().read(np.full((1, INPUT_PX, INPUT_PX, 3), 127, np.uint8))
    assert reading.present[0] < 0.5
    assert np.isfinite(reading.points).all()
    assert ((reading.visible >= 0) & (reading.visible <= 1)).all()


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    file = tmp_path / "other.tflite"
    file.write_bytes(b"no network")
    with pytest.raises(ModelFileError, match=r"other\.tflite: is not BlazePose"):
        BodyModel(file)


def test_a_mediapipe_without_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.body.find_spec", lambda name: None)
    with pytest.raises(ModelFileError, match="install mediapipe"):
        wheel_file()


def test_mediapipe_is_not_imported_for_it() -> None:
    code = "import sys; from models.body import BodyModel; BodyModel(); assert 'mediapipe' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parent.parent)
