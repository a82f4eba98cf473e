"""How cues are read from observations: settings, and from which head size a reading is trusted."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

MIN_HEAD_PX = {"eye_open": 36, "mouth_open": 28, "brow_furrow": 36, "gaze_x": 48, "gaze_y": 48}
"""Head height in px below which a reading of the face is not trusted and becomes NaN. On rendered heads scaled to sizes
from 20 to 90 px (``benchmarks/cue_sizes.py``), shut eyes are told from open ones with an AUC of 0.70 at 28 px and 0.78
at 36, an open mouth with 0.85 at 28, a furrowed brow with 0.55 at 28 px and 0.60 at 36; at 20 px faces are hardly
found. An iris of a head of 48 px is 2 px wide."""


class CueSettings(BaseModel):
    """How cues are read from observations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    baseline_s: float = Field(
        10.0,
        ge=0,
        description="s of seen face after which a student's own forward direction replaces the class's",
    )
    forward_quantile: float = Field(
        0.75,
        ge=0.5,
        le=1,
        description="quantile of a student's pitch taken as looking ahead; heads bow more than they rise",
    )
    seat_yaw_deg: float = Field(
        25.0, ge=0, description="deg a seat's forward yaw may differ from the class's; side seats turn to the board"
    )
    seat_pitch_deg: float = Field(10.0, ge=0, description="deg a seat's forward pitch may differ from the class's")
    seat_roll_deg: float = Field(10.0, ge=0, description="deg a seat's usual roll may differ from the class's")
    seat_forward_deg: dict[int, tuple[float, float]] = Field(
        {},
        description="yaw, pitch (deg) of the board as seen from a student's seat, by the student's number, where it is"
        " known; replaces the estimate",
    )
    consensus_students: int = Field(
        6,
        ge=3,
        description="students whose heads must be read before the class's common turn says where the board is now",
    )
    consensus_s: float = Field(
        10.0, gt=0, description="s over which a common turn must last, such as to a teacher at the side board"
    )
    mutual_deg: float = Field(
        25.0,
        ge=0,
        description="deg of yaw towards each other from which two neighbours face each other; talking to the next seat"
        " turns a head by 45 and more, and a reading may be 15 off",
    )
    perclos_s: float = Field(60.0, ge=10, description="s over which the slow share of shut eyes and blinks are counted")
    still_motion: float = Field(
        0.10, ge=0, description="body heights per second below which a student sits still; sway stays below"
    )
    neighbour_heights: float = Field(1.6, gt=0, description="body heights within which another student is a neighbour")
