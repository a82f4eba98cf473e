"""The dashboard as an instructor meets it: a real server and the system's Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import WITH_BROWSER, answer, serving

ROOT = Path(__file__).parents[1]
MARKUP = "<script>window.injected = 1</script><img src=x onerror='window.injected = 1'>"

pytestmark = WITH_BROWSER
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install -e '.[dev]'")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, make_session: Callable[..., Path]) -> Iterator[str]:
    """A running dashboard over three sessions, one of them broken; stopped whatever happens."""
    folder = tmp_path_factory.mktemp("sessions")
    make_session(folder, "lecture", students=12, seconds=40, course="Introduction to Statistics")
    (folder / "torn").mkdir()
    (folder / "torn" / "session.json").write_text("{")
    with serving(folder, tmp_path_factory.mktemp("log") / "server.txt") as address:
        yield address


def test_only_listed_videos_and_only_for_this_computer(address: str) -> None:
    files = f"{address}/app/static/sessions"
    whole = (ROOT / "demo" / "classroom.mp4").read_bytes()
    assert answer(f"{files}/lecture/annotated.mp4", Range="bytes=100-199") == (206, whole[100:200])
    assert answer(f"{files}/lecture/annotated.mp4", Host="elsewhere.example")[0] == 400
    for session in ("torn", "nowhere"):
        assert answer(f"{files}/{session}/annotated.mp4")[0] == 404
    for hidden in ("lecture%2F..%2Flecture/annotated.mp4", "lecture/states.parquet", "lecture/session.json"):
        status, body = answer(f"{files}/{hidden}")
        assert status in (400, 404) or b"<noscript>" in body  # the page itself
