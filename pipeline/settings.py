"""Every setting of a run in one place, validated, with units; read from YAML with ``--config``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consent.given import MOST_YAML_BYTES, NotPlain, as_shown, field_of, parse_yaml, quoted, read_text
from consent.policy import Blur
from models.anomaly import AnomalySettings
from models.state_model import StateSettings
from models.states import Profile, State
from pipeline.anonymise import CoverSettings
from pipeline.audit import AuditSettings
from pipeline.camera import CameraSettings
from pipeline.cues import CueSettings
from pipeline.decode import Decoder
from pipeline.desk import DeskSettings
from pipeline.detect import DetectSettings
from pipeline.errors import InputError
from pipeline.faces import FaceSettings
from pipeline.hands import HandSettings
from pipeline.heads import HeadSettings
from pipeline.link import LinkSettings
from pipeline.objects import ObjectSettings
from pipeline.scenes import SceneSettings
from pipeline.seats import SeatSettings
from pipeline.staff import StaffSettings
from pipeline.swaps import SwapSettings
from pipeline.track import TrackSettings


class Settings(BaseModel):
    """One run's settings; ``session.json`` keeps them all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: Profile = Field(Profile.FULL, description="states that may be emitted")
    blur: Blur = Field(Blur.OPTED_OUT, description="whose heads are covered")
    rate: float = Field(5.0, gt=0, le=60, description="analysed frames per second; all frames are rendered")
    students: int | None = Field(None, ge=1, description="students in the room, where somebody counted; staff not")
    device: str = Field("auto", description="auto, cpu or cuda:N")
    decoder: Decoder = Field(
        "cpu",
        description="what decodes the recording, cpu or cuda: NVIDIA's decoder where it knows the format, else the CPU",
    )
    keep_audio: bool = Field(False, description="voices identify people")
    detect: DetectSettings = DetectSettings()
    camera: CameraSettings = CameraSettings()
    track: TrackSettings = TrackSettings()
    link: LinkSettings = LinkSettings()
    seats: SeatSettings = SeatSettings()
    scenes: SceneSettings = SceneSettings()
    swaps: SwapSettings = SwapSettings()
    staff: StaffSettings = StaffSettings()
    faces: FaceSettings = FaceSettings()
    heads: HeadSettings = HeadSettings()
    hands: HandSettings = HandSettings()
    desk: DeskSettings = DeskSettings()
    objects: ObjectSettings = ObjectSettings()
    cues: CueSettings = CueSettings()
    states: StateSettings = StateSettings()
    anomaly: AnomalySettings = AnomalySettings()
    cover: CoverSettings = CoverSettings()
    audit: AuditSettings = AuditSettings()
    state_weights: dict[State, float] | None = Field(
        None, description="engagement weight of each state, 0 to 1; those not named keep the default"
    )
    withhold_below: int = Field(5, ge=1, description="students seen below which class values are withheld; 1: never")
    max_fill_s: float = Field(
        2.0, ge=0, description="s of a gap in a student's boxes that is filled with unobserved rows"
    )
    smooth_s: float = Field(
        0.3,
        ge=0,
        le=2,
        description="s (standard deviation) over which students' boxes are steadied once motion has been read from"
        " them; 0 leaves them as detected",
    )
    checkpoint_s: float = Field(
        60.0,
        gt=0,
        description="s of the lecture after which what was read is saved, so that a run that was stopped goes on there",
    )
    video_quality: int = Field(23, ge=0, le=51, description="x264 constant rate factor; lower is larger and finer")
    video_preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = Field(
        "superfast", description="x264's trade of time for size"
    )


def read_settings(path: Path | None, **changes: Any) -> Settings:
    """Settings from a YAML file, with command-line changes on top.

    Args:
        path: YAML with the field names of ``Settings``; ``None`` for the defaults.
        changes: values by dotted name (``detect__imgsz`` stands for ``detect.imgsz``); ``None`` changes nothing.

    Raises:
        InputError: the file cannot be read, or a field is unknown or out of range.
    """
    content: Any = {}
    if path is not None:
        name = as_shown(path)
        try:
            content = parse_yaml(read_text(path, MOST_YAML_BYTES))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text file"
            raise InputError(f"{name}: settings cannot be read ({reason}); give a YAML file") from None
        except NotPlain as error:
            raise InputError(
                f"{name}: is not valid YAML near line {error.line or 1}; mend it or leave --config out"
            ) from None
        content = {} if content is None else content
        if not isinstance(content, dict):
            raise InputError(f"{name}: holds no settings by name; write lines such as: rate: 5")
    for name, value in changes.items():
        if value is None:
            continue
        section, _, key = name.rpartition("__")
        target = content.setdefault(section, {}) if section else content
        if isinstance(target, dict):
            target[key] = value
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        given = "" if first["type"] in ("missing", "extra_forbidden") else f" (given: {quoted(first['input'])})"
        raise InputError(f"setting {field_of(error)}: {first['msg'].lower()}{given}; see docs/settings.md") from None


def settings_on_record(config: Mapping[str, Any], profile: Profile) -> Settings:
    """The settings of a finished session; what another version wrote and this one does not know takes its default."""
    known = {name: value for name, value in config.items() if name in Settings.model_fields} | {"profile": profile}
    with contextlib.suppress(ValidationError):
        return Settings.model_validate(known)
    settings = Settings(profile=profile)
    for name, value in known.items():
        if name != "profile":
            with contextlib.suppress(ValidationError):
                one = Settings.model_validate({name: value})
                settings = settings.model_copy(update={name: getattr(one, name)})
    return settings
