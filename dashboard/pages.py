"""The pages there are, in the order of the menu. A page's module is imported when somebody opens it."""

from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import texts

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

NAMES = ("lectures", "review", "correct", "consent", "report", "method")
"""By the name of the module and of the address; the first is the page that opens.

They have no icons: Streamlit would fetch them from another server for the browser's tab.
"""


def entry(name: str) -> StreamlitPage:
    """The page ``name`` for ``st.navigation``, ``st.page_link`` and ``st.switch_page``."""
    return st.Page(
        partial(_show, name),
        title=texts.PAGES[name],
        url_path=name,
        default=name == NAMES[0],
    )


def _show(name: str) -> None:
    importlib.import_module(f"dashboard.{name}").page()
