"""A session with everything that reports and exports say of it, worked out once."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline.session import Manifest, Session
from reports.beri import engaged_share
from reports.formula import engagement_table
from reports.segments import Segment, found_segments
from reports.weights import Rules


@dataclass(frozen=True)
class Measured:
    """See the module; made with ``Measured.of``."""

    session: Session
    rules: Rules
    table: pd.DataFrame
    """See ``reports.formula.engagement_table``."""
    windows: pd.DataFrame
    """See ``reports.beri.engaged_share``."""
    segments: list[Segment]

    @classmethod
    def of(cls, session: Session, segments: list[Segment] | None = None) -> Measured:
        """Work it out; ``segments`` are found where they are not given.

        Raises:
            FormulaError: the session's weights or states table can not be used.
            SessionError: a table of the session is missing, deleted or damaged.
        """
        manifest = session.manifest
        rules = cls.rules_of(session)
        made = engagement_table(session.states, manifest.profile, rules.weights, rules.withhold_below)
        windows = engaged_share(session.states, rules.withhold_below)
        found = found_segments(made, manifest.duration) if segments is None else segments
        return cls(session, rules, made, windows, found)

    @staticmethod
    def rules_of(session: Session) -> Rules:
        """The rules a session was made by; raises ``FormulaError`` where they are not valid."""
        return Rules.on_record(session.manifest.config)

    @property
    def manifest(self) -> Manifest:
        """The session's."""
        return self.session.manifest
