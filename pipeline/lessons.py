"""What learning from corrections needs of the sessions that have any."""

from __future__ import annotations

from collections.abc import Sequence

from models.states import Profile
from models.training.states import Lesson
from pipeline.corrections import read_corrections
from pipeline.cues import seconds
from pipeline.errors import InputError
from pipeline.session import CORRECTIONS, Session
from pipeline.settings import settings_on_record
from pipeline.streaming import interval_s


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
