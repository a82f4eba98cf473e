"""Visiting pages of the dashboard without a browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from consent.database import URL_VARIABLE
from dashboard import library

APP = Path(__file__).parents[1] / "dashboard" / "app.py"


def visit(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str | None = None, **query: str) -> AppTest:
    """The page ``name`` over the sessions in ``folder``, run once; the whole application where none is named.

    The consent registry is an empty one beside the folder, unless the test has named another.
    """
    monkeypatch.setenv(library.FOLDER_VARIABLE, str(folder))
    if URL_VARIABLE not in os.environ:
        monkeypatch.setenv(URL_VARIABLE, f"sqlite:///{folder.with_name(folder.name + '.sqlite')}")
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
