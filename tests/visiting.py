"""Visiting pages of the dashboard without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import library

APP = Path(__file__).parents[1] / "dashboard" / "app.py"


def visit(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str | None = None, **query: str) -> AppTest:
    """The page ``name`` over the sessions in ``folder``, run once; the whole application where none is named."""
    monkeypatch.setenv(library.FOLDER_VARIABLE, str(folder))
    source = f"from dashboard import {name}\n\n{name}.page()\n"
    page = AppTest.from_file(str(APP)) if name is None else AppTest.from_string(source)
    page.default_timeout = 20
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception
    return page


def words(page: AppTest) -> str:
    """Everything said on the page."""
    blocks = [*page.title, *page.subheader, *page.markdown, *page.caption, *page.info, *page.warning, *page.error]
    return "\n".join(block.value for block in blocks)
