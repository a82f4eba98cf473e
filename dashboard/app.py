"""The script Streamlit runs for every visitor: the frame, and one module per page."""

from __future__ import annotations

import streamlit as st

from dashboard import door, pages, texts, theme

st.set_page_config(page_title=texts.APP, layout="wide")
st.html(theme.STYLE)
visitor = door.enter()
st.navigation([pages.entry(name) for name in door.pages(visitor, pages.NAMES)], position="top").run()
door.account(visitor)
