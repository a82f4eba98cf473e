"""The script Streamlit runs for every visitor: the frame, and one module per page."""

from __future__ import annotations

import streamlit as st

from dashboard import lecture, texts, theme

st.set_page_config(page_title=texts.APP, layout="wide")
st.html(theme.STYLE)
st.navigation([st.Page(lecture.page, title=texts.LECTURE_PAGE, url_path="lecture", default=True)]).run()
