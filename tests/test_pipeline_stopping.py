"""Stopping: nobody asked first, then a library that swallows it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from io import StringIO

import pytest
from rich.console import Console

from pipeline.progress import Bars
from pipeline.stopping import Stop


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def swallowed(number: signal.Signals) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(number)


def test_work_goes_on_while_nobody_asks():
    stop = Stop.listen()
    stop.check()
    with Bars(Console(file=StringIO()), stop) as bars, bars.stage("Work", 2) as advance:
        advance(2)
    assert not stop.asked


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_raised_at_once(number):
    Stop.listen()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_where_it_was_swallowed_work_ends_at_the_next_frame(number):
    stop = Stop.listen()
    with Bars(Console(file=StringIO()), stop) as bars, bars.stage("Work", 2) as advance:
        advance(1)
        swallowed(number)
        with pytest.raises(KeyboardInterrupt):
            advance(1)


def test_where_it_was_swallowed_no_work_begins():
    stop = Stop.listen()
    swallowed(signal.SIGINT)
    with Bars(Console(file=StringIO()), stop) as bars, pytest.raises(KeyboardInterrupt), bars.stage("Work", 2):
        pytest.fail("it began")
