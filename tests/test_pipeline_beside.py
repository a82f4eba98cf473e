"""Work in a thread beside: none first, then order, bounds and failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.beside import Beside, in_order


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


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.mark.parametrize("depth", [1, 2, 50])
def test_results_come_in_the_order_of_the_items(threads, depth):
    def slower_at_first(number: int) -> int:
        time.sleep(0.02 if number < 3 else 0)
        return number * number

    assert list(in_order(threads, slower_at_first, [], depth)) == []
    assert list(in_order(threads, slower_at_first, range(20), depth)) == [(n, n * n) for n in range(20)]


def test_of_an_endless_stream_no_more_is_taken_than_its_depth(threads):
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    results = in_order(threads, str, endless(), depth=4)
    assert [next(results) for _ in range(3)] == [(0, "0"), (1, "1"), (2, "2")]
    results.close()
    assert len(taken) <= 3 + 4


def test_a_failure_comes_in_its_items_place(threads):
    results = in_order(threads, lambda number: 1 / (2 - number), range(5), depth=5)
    assert [next(results)[0] for _ in range(2)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
