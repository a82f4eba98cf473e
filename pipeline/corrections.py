"""``corrections.csv`` of a session: spans that an instructor confirmed or corrected (docs/session.md)."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence

import pandas as pd

from models.states import Profile, State
from models.training.states import Lesson
from pipeline.analyse import interval_s
from pipeline.cues import seconds
from pipeline.errors import InputError
from pipeline.session import CORRECTIONS, Session
from pipeline.settings import settings_on_record

COLUMNS = ("start", "end", "student", "state")


def read_corrections(session: Session) -> pd.DataFrame:
    """The spans of a session, in the order of the file: of two that overlap the later one is meant.

    Returns:
        ``start``, ``end`` (s), ``student`` (number), ``state`` (name); no rows where there is no such file.

    Raises:
        InputError: the file cannot be read, or a line is not valid.
    """
    path = session.folder / CORRECTIONS
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
    except FileNotFoundError:
        return pd.DataFrame(columns=list(COLUMNS))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "not a CSV text file"
        raise InputError(f"{path}: cannot be read ({reason}); write it again from the dashboard") from None
    rows = []
    for number, line in enumerate(lines, start=2):
        missing = [name for name in COLUMNS if not line.get(name)]
        if missing:
            raise InputError(f"{path} line {number}: no {missing[0]}; give {', '.join(COLUMNS)}")
        try:
            start, end, student = float(line["start"]), float(line["end"]), int(line["student"])
        except ValueError:
            raise InputError(f"{path} line {number}: start, end and student must be numbers; mend the line") from None
        if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
            raise InputError(f"{path} line {number}: {start:g} to {end:g} s is no span; let it end after it starts")
        if line["state"] not in {state.value for state in State}:
            known = ", ".join(state.value for state in State)
            raise InputError(f"{path} line {number}: {line['state']!r} is not a state; choose from {known}")
        rows.append((start, end, student, line["state"]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def one_profile(sessions: Sequence[Session]) -> Profile:
    """The profile all sessions were made under.

    Raises:
        InputError: they differ, so that inner states would be learned from those that infer none.
    """
    first = sessions[0].manifest.profile
    for session in sessions:
        if session.manifest.profile is not first:
            raise InputError(
                f"{session.id}: made under profile {session.manifest.profile.value}, {sessions[0].id} under"
                f" {first.value}; train on sessions of one profile"
            )
    return first


def lessons_of(sessions: Sequence[Session]) -> list[Lesson]:
    """What training needs of each session that has corrections.

    Raises:
        InputError: none has any, a span's state is not of the session's profile, or its student is not there.
        SessionError: a session's table cannot be read.
    """
    lessons = []
    for session in sessions:
        spans = read_corrections(session)
        if spans.empty:
            continue
        manifest, observations = session.manifest, session.observations
        for span in spans.itertuples():
            if span.state not in session.state_names:
                raise InputError(
                    f"{session.id}: {CORRECTIONS} names {span.state}, which profile {manifest.profile.value} does not"
                    " allow; remove the line"
                )
            if span.student not in set(observations["student"]):
                raise InputError(f"{session.id}: {CORRECTIONS} names student {span.student}, who is not in it")
        settings = settings_on_record(manifest.config, manifest.profile)
        interval = interval_s(settings, manifest.fps)
        cues = seconds(observations, manifest.duration, interval, settings.cues)
        lessons.append(Lesson(session.id, cues, spans, interval))
    if not lessons:
        raise InputError(
            f"no {CORRECTIONS} in {', '.join(session.id for session in sessions)}; confirm or correct states in the"
            " dashboard first"
        )
    return lessons
