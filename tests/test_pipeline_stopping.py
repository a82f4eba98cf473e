"""Stopping: nobody asks first, then a library that swallows it. Each in a process of its own, which gets the signal."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

START = """
import contextlib, signal, sys
from io import StringIO
from rich.console import Console
from pipeline.progress import Bars
from pipeline.stopping import Stop

number = int(sys.argv[1])
stop = Stop.listen()

def swallow():
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(number)

def raised(work):
    try:
        work()
    except KeyboardInterrupt:
        return True
    return False

with Bars(Console(file=StringIO()), stop) as bars:
"""

NOBODY_ASKS = """
    stop.check()
    with bars.stage("Work", 2) as advance:
        advance(2)
    print(stop.asked)
"""
AT_ONCE = """
    print(raised(lambda: signal.raise_signal(number)))
"""
AT_THE_NEXT_FRAME = """
    with bars.stage("Work", 2) as advance:
        advance(1)
        swallow()
        print(raised(lambda: advance(1)))
"""
BEFORE_THE_FIRST = """
    swallow()
    print(raised(lambda: bars.stage("Work", 2).__enter__()))
"""
IN_A_FINALISER = """
    class Falls:
        def __del__(self):
            signal.raise_signal(number)
    Falls()
    print(raised(stop.check))
"""
OTHERS_IN_A_FINALISER = """
    class Falls:
        def __del__(self):
            raise ValueError("still told")
    Falls()
"""


def run(work: str, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", START + work, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done


def result(work: str, number: signal.Signals) -> str:
    return run(work, number).stdout.strip()


def test_work_goes_on_while_nobody_asks():
    assert result(NOBODY_ASKS, signal.SIGINT) == "False"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", [AT_ONCE, AT_THE_NEXT_FRAME, BEFORE_THE_FIRST], ids=["at once", "next frame", "first"])
def test_work_ends_also_where_a_library_swallowed_the_wish(work, number):
    assert result(work, number) == "True"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_in_a_finaliser_is_not_lost_and_prints_nothing(number):
    done = run(IN_A_FINALISER, number)
    assert (done.stdout.strip(), done.stderr) == ("True", "")


def test_other_errors_in_finalisers_are_told():
    assert "still told" in run(OTHERS_IN_A_FINALISER, signal.SIGINT).stderr
