"""The session folder: what one analysed lecture leaves behind, and the only way to read it.

``session.json`` tells how it was made; the tables are Parquet. Faces, crops, appearance vectors and raw video
are never stored here. ``pipeline.store`` writes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consent.given import NotPlain, as_shown, field_of, parse_json, quoted, read_text
from consent.retention import Kind
from models.states import Profile
from pipeline.session_checks import LONGEST_S, FileName, leads_out, wrong_with

if TYPE_CHECKING:
    from models.cards import ModelFile
    from pipeline.stills import Still

SCHEMA_VERSION = 1

MANIFEST = "session.json"
OBSERVATIONS = "observations.parquet"
STATES = "states.parquet"
EVENTS = "events.parquet"
ENGAGEMENT = "engagement.csv"
VIDEO = "annotated.mp4"
AUDIT = "audit.json"
CORRECTIONS = "corrections.csv"
REPORT = "report.pdf"
SEATS = "seats.json"
REVIEWS = "reviews.csv"
FILES = (MANIFEST, OBSERVATIONS, STATES, EVENTS, ENGAGEMENT, VIDEO, AUDIT, REPORT, SEATS, CORRECTIONS, REVIEWS)

PARTS = {
    Kind.ANNOTATED_VIDEO: (VIDEO, AUDIT),
    Kind.TABLES: (OBSERVATIONS, STATES, EVENTS, ENGAGEMENT, REPORT, SEATS, CORRECTIONS, REVIEWS),
}
"""What each kind of data in a session is made of, as the consent forms name them: "annotated video", and "tables and
report". ``audit.json`` goes with the video because it tells where faces show in that video."""

BOX = ("x1", "y1", "x2", "y2")
HEAD_BOX = ("hx1", "hy1", "hx2", "hy2")
HEAD_POSE = ("yaw", "pitch", "roll")
FACE_CUES = ("eye_open", "mouth_open", "brow_furrow")
BEHAVIOUR_PREFIX = "behaviour_"

OBSERVATION_COLUMNS = (
    "frame", "t", "student", *BOX, "score", "observed", *HEAD_BOX, *HEAD_POSE, *FACE_CUES, "motion",
)  # fmt: skip
"""One row per student and analysed frame. Boxes in px of the upright source frame; ``t`` in seconds from the first
frame; yaw, pitch, roll in degrees relative to the line of sight (+ to the student's left, chin up, tilt to the
student's left shoulder); eye, mouth and brow 0 to 1; motion in body heights per second; NaN where not seen. Then one
``behaviour_<name>`` column (0 to 1) for each behaviour the detector knows."""

GAZE = ("gaze_x", "gaze_y")
HAND_CUES = ("hand_face", "hand_raised", "hand_front")
DESK_MOTION = "desk_motion"
OBJECT = "object"
AROUND = (*HAND_CUES, DESK_MOTION, OBJECT)
"""What is read around the head."""

EXTRA_COLUMNS = (*GAZE, *AROUND)
"""After those, before behaviours; sessions made before them lack them. ``gaze_x gaze_y``: where the eyes turn within
the head, -1 to 1, + to the student's left and up. ``hand_face hand_raised hand_front``: hand at mouth or chin, raised,
in front of the chest, 0 to 1, NaN in frames in which this student's body was not read (``pipeline.hands``).
``desk_motion``: share of the desk region that moved since the last analysed frame. ``object``: score of a phone or book
at the hands or the head; NaN without a detector of these."""
DOUBTFUL = "doubtful"
"""Column of the observations in sessions where two may have swapped seats unseen: whether the row may be of the other
one. Sessions without such rows have no such column."""

STATE_COLUMNS = ("t", "student", "state", "coverage", "why")
"""One row per student and second: ``t`` is its start, ``state`` the most likely one or ``unseen``, ``coverage`` the
share of the second with evidence (0 to 1), ``why`` the cues that spoke loudest. Plus ``p_<state>`` for each state
of the session's profile: they sum to 1, or are NaN where unseen."""

ENGAGEMENT_COLUMNS = ("scope", "t", "student", "engagement", "coverage", "students_seen", "minutes_seen")
"""Of ``engagement.csv``, besides a share for each state and the bounds; ``reports/formula.py`` makes it."""

WORDS = ("state", "why", "scope", OBJECT)
"""Columns that hold words or may; all others hold numbers."""

EVENT_COLUMNS = ("start", "end", "student", "score", "threshold", "why")
"""One row per unusual span; start and end in seconds."""


class SessionError(ValueError):
    """A session folder cannot be read or written as asked."""

    exit_code = 2


class DataDeleted(SessionError):
    """What is asked for was deleted at its end date, as the students had been promised."""


class Source(BaseModel):
    """The video a session was made from: its name, never its path."""

    name: str
    sha256: str


class Counts(BaseModel):
    """How much was seen and made."""

    students: int = Field(ge=0)
    staff: int = Field(default=0, ge=0, description="people who are no students; they are in no table")
    frames: int = Field(ge=0, description="frames of the source, all of them in the annotated video")
    analysed_frames: int = Field(ge=0)
    events: int = Field(ge=0)


class CameraSummary(BaseModel):
    """What a session's manifest says of the camera."""

    model_config = ConfigDict(extra="forbid")

    scenes: int = Field(1, ge=1, description="views between which the camera was not followed")
    moved: bool = Field(False, description="whether seats on record are elsewhere in parts of the video")
    lost_s: float = Field(0.0, ge=0, description="s of the video in which it is not known where seats on record are")


class AuditResult(str, Enum):
    """What the check for faces in the finished video came to; ``audit.json`` has the details."""

    PASSED = "passed"
    NEEDS_REVIEW = "needs review"
    NOBODY = "not covered: nobody had to be"


class EngagementSummary(BaseModel):
    """The class over the whole session; ``None`` where nobody was seen, or too few at once for a class value."""

    mean: float | None = Field(default=None, ge=0, le=1)
    low: float | None = Field(default=None, ge=0, le=1, description="of the 95 % interval")
    high: float | None = Field(default=None, ge=0, le=1)
    coverage: float = Field(default=0.0, ge=0, le=1)
    withheld_seconds: int = Field(default=0, ge=0, description="seconds in which somebody, but too few, were seen")

    @property
    def withheld(self) -> bool:
        """Whether there is no mean although somebody was seen."""
        return self.mean is None and self.withheld_seconds > 0


class Manifest(BaseModel):
    """The content of ``session.json``."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    id: FileName = Field(description="the folder's name")
    created: str = Field(description="ISO 8601, UTC")
    source: Source
    fps: float = Field(ge=0, le=1e5, description="mean frames per second of the source")
    width: int = Field(ge=0, le=1e5, description="px, upright")
    height: int = Field(ge=0, le=1e5, description="px, upright")
    duration: float = Field(ge=0, le=LONGEST_S, description="seconds")
    software_version: str
    models: dict[str, str] = Field(description="name of each model file -> its sha256")
    config: dict[str, Any] = Field(description="every setting the run used")
    profile: Profile
    course: str | None = None
    approval: str = Field(description="id of the approval on record, or the words given on the command line")
    purposes: list[str] = Field(default_factory=list, description="what the run was for, all of it approved")
    asked: str | None = Field(
        default=None,
        description="sha256 of what the run was asked for; engage batch leaves a session alone that has the same",
    )
    blur: str
    everyone_covered: bool = Field(
        default=False, description="also where not asked for: it was not known who those are that said no"
    )
    audit: AuditResult | None = Field(default=None, description="of the covers; none in sessions made before it")
    counts: Counts
    camera: CameraSummary | None = Field(default=None, description="how it moved; none in sessions made before it")
    engagement: EngagementSummary
    stage_seconds: dict[str, float] = Field(default_factory=dict, description="wall time of each stage")
    warnings: list[str] = Field(default_factory=list)
    lecture_day: date | None = Field(default=None, description="from which end dates count")
    delete_after: dict[Kind, date] = Field(default_factory=dict, description="kind of data -> last day it is kept")
    purged: dict[Kind, date] = Field(default_factory=dict, description="kind of data -> day it was deleted")
    withdrawals: list[str] = Field(default_factory=list, description="ids of those whose students are gone from it")


@dataclass(frozen=True)
class Session:
    """A finished session, read lazily: opening costs one small JSON file."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path | str) -> Session:
        """Read ``folder/session.json``.

        Raises:
            SessionError: no such session, damaged, or written by a newer version of this software.
        """
        folder = Path(folder)
        path = folder / MANIFEST
        shown = as_shown(path)
        try:
            raw = parse_json(read_text(_within(folder, path)))
        except FileNotFoundError:
            raise SessionError(
                f"{as_shown(folder)}: no session here ({MANIFEST} is missing); give a folder made by: engage run VIDEO"
            ) from None
        except (OSError, UnicodeDecodeError, NotPlain) as error:
            raise _unreadable(path, error) from None
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if isinstance(version, (int, float)) and version > SCHEMA_VERSION:
            number = f"{version:g}" if version < 1e6 else quoted(version)
            raise SessionError(
                f"{folder.name}: written in session format {number}, this version reads up to"
                f" {SCHEMA_VERSION}; upgrade with: pip install --upgrade classroom-engagement"
            )
        try:
            manifest = Manifest.model_validate(raw)
        except ValidationError as error:
            field, what = field_of(error) or "content", error.errors()[0]["msg"]
            raise SessionError(
                f"{shown}: {field} is not valid ({what}); run the lecture again with --overwrite"
            ) from None
        return cls(folder, manifest)

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.manifest.id

    @property
    def state_names(self) -> tuple[str, ...]:
        """The states this session's profile allows, in their fixed order."""
        return tuple(state.value for state in self.manifest.profile.states)

    def part(self, name: str) -> Path:
        """A file of this session, which may be missing.

        Raises:
            SessionError: it is a link that leads out of the session.
        """
        return _within(self.folder, self.folder / name)

    @property
    def video(self) -> Path:
        """The annotated video."""
        return self._existing(VIDEO)

    @property
    def report(self) -> Path:
        """The PDF report; it may not have been written yet."""
        return self.part(REPORT)

    @cached_property
    def observations(self) -> pd.DataFrame:
        """See ``OBSERVATION_COLUMNS``."""
        return self._table(OBSERVATIONS, OBSERVATION_COLUMNS)

    def observed(self, *columns: str, between: tuple[float, float] | None = None) -> pd.DataFrame:
        """Some columns of the observations, in a span (s, both ends included) if given; a long lecture has millions
        of rows.
        """
        filters = None if between is None else [("t", ">=", between[0]), ("t", "<=", between[1])]
        return self._table(OBSERVATIONS, columns or OBSERVATION_COLUMNS, filters, only=bool(columns))

    def stills(self, times: Sequence[float]) -> list[Still]:
        """Frames of the annotated video at these times (s); everybody is covered unless showing was granted.

        A frame that cannot be had, or in which a face still shows when all heads are covered, is left out.

        Raises:
            SessionError: the video or a table is missing, deleted or damaged.
        """
        from pipeline.stills import stills  # brings the renderer and the face detectors along

        return stills(self, times)

    @property
    def model_cards(self) -> list[ModelFile]:
        """What this software knows of each model file the session was made with."""
        from models.cards import model_files

        return model_files(self.manifest.models)

    @cached_property
    def states(self) -> pd.DataFrame:
        """See ``STATE_COLUMNS``."""
        return self._table(STATES, (*STATE_COLUMNS, *(f"p_{name}" for name in self.state_names)))

    def states_of(self, students: Collection[int]) -> pd.DataFrame:
        """``states`` of some students only; a long lecture has nearly a million rows."""
        columns = (*STATE_COLUMNS, *(f"p_{name}" for name in self.state_names))
        return self._table(STATES, columns, [("student", "in", list(students))] if students else [("student", "<", 0)])

    @cached_property
    def events(self) -> pd.DataFrame:
        """See ``EVENT_COLUMNS``."""
        return self._table(EVENTS, EVENT_COLUMNS)

    @cached_property
    def engagement(self) -> pd.DataFrame:
        """The table of ``engagement.csv``; its columns are explained in ``reports/formula.py``."""
        path = self._existing(ENGAGEMENT)
        try:
            table = pd.read_csv(path)
        except (OSError, ValueError, OverflowError) as error:  # pandas' parser errors are ValueErrors
            raise _unreadable(path, error) from None
        return _checked(path, table, ENGAGEMENT_COLUMNS)

    def _existing(self, name: str) -> Path:
        path = self.part(name)
        kind = next(kind for kind, names in PARTS.items() if name in names)
        if (day := self.manifest.purged.get(kind)) is not None:
            raise DataDeleted(f"{self.folder}: {name} was deleted on {day}, as promised to the students")
        if not path.is_file():
            raise SessionError(f"{self.folder}: {name} is missing; run the lecture again with --overwrite")
        return path

    def _table(
        self,
        name: str,
        columns: tuple[str, ...],
        filters: list[tuple[str, str, Any]] | None = None,
        only: bool = False,
    ) -> pd.DataFrame:
        path = self._existing(name)
        try:
            table = pd.read_parquet(path, columns=list(columns) if only else None, filters=filters)
        except Exception as error:  # a damaged file makes pyarrow and pandas raise nearly anything
            raise _unreadable(path, error) from None
        return _checked(path, table, columns)


def _checked(path: Path, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The table, once it has these columns and numbers where numbers belong.

    Raises:
        SessionError: it has not.
    """
    for column in columns:
        if (what := wrong_with(table, column, column in WORDS)) is not None:
            raise SessionError(f"{path}: column {column!r} {what}; run the lecture again with --overwrite")
    return table


def _within(folder: Path, path: Path) -> Path:
    """A file of a session, unless it is a link to somewhere else.

    Raises:
        SessionError: it is.
    """
    if leads_out(folder, path):
        raise SessionError(f"{as_shown(path)}: is a link that leads out of the session; put the file itself there")
    return path


def find_sessions(folder: Path | str) -> Iterator[Path]:
    """Session folders directly under ``folder``, newest first; unfinished ``.partial`` ones are left out."""
    found: list[tuple[float, Path]] = []
    for manifest in Path(folder).glob(f"*/{MANIFEST}"):
        if not manifest.parent.name.endswith(".partial"):
            with contextlib.suppress(FileNotFoundError):  # replaced by a run at this moment
                found.append((manifest.stat().st_mtime, manifest.parent))
    return iter([path for _, path in sorted(found, reverse=True)])


def _unreadable(path: Path, error: Exception) -> SessionError:
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]  # pyarrow's messages break lines
    return SessionError(f"{as_shown(path)}: cannot be read ({reason}); run the lecture again with --overwrite")
