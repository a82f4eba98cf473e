"""The one look of the dashboard; state colours are those of the video and the report (``models.states``)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from models.states import PALETTE, State

INK = "#1F2933"
MUTED = "#C9D1D9"
UNUSUAL = "#B45309"
"""Marks of unusual spans: dark enough to differ from every state's colour."""

CONFIG: Final = MappingProxyType(
    {
        "theme.base": "light",
        "theme.primaryColor": PALETTE[State.ATTENTIVE],
        "theme.backgroundColor": "#FFFFFF",
        "theme.secondaryBackgroundColor": "#F4F6F8",
        "theme.textColor": INK,
        "theme.borderColor": "#DDE3E8",
        "theme.baseFontSize": 15,
    }
)
"""Streamlit's theme settings, given to the server at its start."""

STYLE = """<style>
.block-container { padding: 3.4rem 2rem 3rem; max-width: 1500px; }
[data-testid="stHeader"] { height: 2.9rem; min-height: 2.9rem; border-bottom: 1px solid #DDE3E8; }
h1 { font-size: 1.7rem !important; }
[data-testid="stMetricValue"] { font-size: 1.6rem; }
[data-testid="stImage"] img { border: 1px solid #DDE3E8; border-radius: .3rem; }
</style>"""
"""What Streamlit has no setting for: less empty space, so that video and timeline share a 1280x720 screen."""
