"""Work in a thread beside: none first, then order, bounds and failures."""

from __future__ import annotations

import threading
import time

import pytest

from pipeline.beside import Beside


def test_nothing_to_do():
    with Beside():
        pass


def test_all_is_done_in_order_when_the_block_ends():
    done: list[int] = []
    with Beside(depth=2) as beside:
        for number in range(20):
            beside(done.append, number)
    assert done == list(range(20))


def test_it_runs_beside_and_no_more_than_its_depth_waits():
    go, begun = threading.Event(), []

    def work(number: int) -> None:
        begun.append(number)
        go.wait(10)

    with Beside(depth=2) as beside:
        for number in range(2):
            beside(work, number)
        waiting = threading.Thread(target=beside, args=(work, 2))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()  # full
        assert begun == [0]
        go.set()
        waiting.join(10)
        assert not waiting.is_alive()
    assert begun == [0, 1, 2]


def test_a_failure_is_raised_and_what_follows_is_not_done():
    done: list[int] = []

    def work(number: int) -> None:
        if number == 1:
            raise OSError("full")
        done.append(number)

    def give_all() -> None:
        with Beside(depth=1) as beside:
            for number in range(5):
                beside(work, number)

    with pytest.raises(OSError, match="full"):
        give_all()
    assert done == [0]


def test_a_failure_of_the_last_is_raised_at_the_end():
    def fail() -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"), Beside() as beside:
        beside(fail)


def test_a_failure_of_the_giver_drops_what_waits():
    done: list[int] = []

    def work(number: int) -> None:
        time.sleep(0.05)
        done.append(number)

    def give() -> None:
        with Beside(depth=8) as beside:
            for number in range(8):
                beside(work, number)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give()
    assert len(done) < 8
    assert threading.active_count() < 50
