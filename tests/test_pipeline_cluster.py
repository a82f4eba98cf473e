"""Lectures on a real Ray cluster of three node processes: what cannot be, then workers and nodes that die."""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from standin import TEMPLATE, by_standin, calls, prepared, recording, segment_by_standin

from pipeline.batch import Order, Quiet, jobs_of
from pipeline.cluster import Cluster, Resources, _refused
from pipeline.errors import InputError
from pipeline.lecture_run import End, Outcome
from pipeline.lectures import lectures_in
from pipeline.origin import code_sha256
from pipeline.progress_file import Reached

pytest.importorskip("ray", reason="the extra cluster is not installed")

HERE = Path(__file__).parent
WAIT_S = 120
SMALL = Resources(cpus=1, memory_gib=0.1)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, make_session: Callable[..., Path]) -> Iterator[Any]:
    """A head without processors and two nodes with two each, as processes of this computer."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster as Nodes

    folder = tmp_path_factory.mktemp("cluster")
    template = prepared(folder, make_session(folder / "made", students=2, seconds=6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{HERE.parent}{os.pathsep}{HERE}")
        patch.setenv(TEMPLATE, str(template))
        patch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{folder / 'consent.sqlite'}")
        size = {"object_store_memory": 80 * 2**20, "memory": 2**30}
        cluster = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **size})
        for _ in range(2):
            cluster.add_node(num_cpus=2, **size)
        yield cluster
        cluster.shutdown()


@pytest.fixture
def jobs(tmp_path: Path) -> Callable[..., Any]:
    """``jobs("good", "broken")``: by recordings of these names."""

    def make(*names: str, **order: Any) -> Any:
        folder = tmp_path / "in"
        folder.mkdir()
        for name in names:
            recording(folder, name)
        made, refused = jobs_of(lectures_in([str(folder)]), Order(str(tmp_path / "out"), tmp_path / "work", **order))
        assert refused == []
        return made

    return make


class Watch(Quiet):
    """Remembers how far what was."""

    def __init__(self) -> None:
        self.seen: dict[str, Reached] = {}

    def reached(self, label: str, reached: Reached) -> None:
        self.seen[label] = reached


@pytest.fixture
def own_stop() -> Iterator[None]:
    """Ctrl-C is Python's, as after ``Stop.listen``: tests before may have loaded a library that took it over."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before or signal.default_int_handler)


def ends(outcomes: list[Outcome]) -> list[str]:
    return [one.end.value for one in outcomes]


def until(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + WAIT_S
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def worker_of(process: int) -> psutil.Process:
    """The Ray worker that started a process."""
    worker = psutil.Process(process).parent()
    assert worker is not None
    assert "ray::" in " ".join(worker.cmdline())
    return worker


def in_background(nodes: Any, made: Any, board: Quiet) -> tuple[threading.Thread, list[Outcome]]:
    outcomes: list[Outcome] = []

    def work() -> None:
        with Cluster(nodes.address, SMALL) as cluster:
            outcomes.extend(cluster.run(made, board, threading.Event(), by_standin, segment_by_standin))

    thread = threading.Thread(target=work)
    thread.start()
    return thread, outcomes


# what cannot be


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "here:there", "here", "auto"])
def test_no_cluster_there(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(InputError, match="no cluster answers there") as error:
        Cluster(address, SMALL)
    assert "\n" not in str(error.value)


def test_a_lecture_that_fits_on_no_node_is_not_waited_for(nodes: Any) -> None:
    with pytest.raises(InputError, match="no node of the cluster has 64 CPUs"):
        Cluster(nodes.address, Resources(cpus=64))
    with pytest.raises(InputError, match="1 GPUs"):
        Cluster(nodes.address, Resources(cpus=1, gpus=1, memory_gib=0.1))


def test_a_node_with_other_software_or_another_registry_is_refused(
    jobs: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'other.sqlite'}")
    (job,) = jobs("good")
    assert _refused(job, code_sha256(), "0" * 64) is None  # nothing is on record anywhere
    other = _refused(job, "another", "0" * 64)
    assert other is not None
    assert (other.end, other.code) == (End.FAILED, 2)
    assert "another version" in other.reason
    elsewhere = _refused(job, code_sha256(), "1" * 64)
    assert elsewhere is not None
    assert (elsewhere.end, elsewhere.code) == (End.FAILED, 3)
    assert "another consent registry" in elsewhere.reason


def test_no_lecture_is_no_task(nodes: Any) -> None:
    with Cluster(nodes.address, SMALL) as cluster:
        assert cluster.run([], Quiet(), threading.Event()) == []


# at work


def test_a_worker_that_is_killed_in_the_middle_costs_no_lecture(nodes: Any, jobs: Callable[..., Any]) -> None:
    made = jobs("a_good", "broken", "crash", "forbidden", "slow")
    made[0] = replace(made[0], stretches=((0.0, 30.0), (30.0, float("inf"))))
    slow, board = Path(made[-1].video), Watch()
    thread, outcomes = in_background(nodes, made, board)
    process = int(until(lambda: slow.with_suffix(".at_work").exists() and slow.with_suffix(".at_work").read_text()))
    until(lambda: board.seen.get("slow.mp4"))
    worker_of(process).kill()
    until(lambda: not psutil.pid_exists(process))  # it does not go on alone
    slow.with_suffix(".go").touch()
    thread.join(WAIT_S)
    assert ends(outcomes) == ["done", "failed", "failed", "failed", "done"]
    assert [one.code for one in outcomes] == [0, 2, 1, 3, 0]
    assert calls(slow) == 2
    assert Path(made[0].video).with_suffix(".found").read_text() == "0.0-30.0 30.0-inf"
    assert calls(Path(made[1].video)) == 1  # bad input is not tried again
    assert board.seen["slow.mp4"].stage == "Analyse"


def test_one_whose_worker_always_dies_is_given_up_and_named(nodes: Any, jobs: Callable[..., Any]) -> None:
    made = jobs("slow", retries=0)
    slow = Path(made[0].video)
    thread, outcomes = in_background(nodes, made, Quiet())
    process = int(until(lambda: slow.with_suffix(".at_work").exists() and slow.with_suffix(".at_work").read_text()))
    worker_of(process).kill()
    thread.join(WAIT_S)
    assert ends(outcomes) == ["failed"]
    assert "its worker or node died 1 time(s)" in outcomes[0].reason


def test_a_stop_ends_what_is_under_way(nodes: Any, own_stop: None, jobs: Callable[..., Any]) -> None:
    made = jobs("slow")
    at_work = Path(made[0].video).with_suffix(".at_work")
    processes: list[int] = []

    def interrupt() -> None:
        processes.append(int(until(lambda: at_work.exists() and at_work.read_text())))
        _thread.interrupt_main()  # as Ctrl-C; a real signal may hit a thread of some library

    threading.Thread(target=interrupt).start()
    stop = threading.Event()
    with Cluster(nodes.address, SMALL) as cluster:
        outcomes = cluster.run(made, Quiet(), stop, by_standin)
    assert stop.is_set()
    assert [(one.end, one.code) for one in outcomes] == [(End.STOPPED, 1)]
    until(lambda: not psutil.pid_exists(processes[0]))


def test_a_node_that_dies_costs_no_lecture(nodes: Any, jobs: Callable[..., Any]) -> None:
    made = jobs("slow")
    slow = Path(made[0].video)
    thread, outcomes = in_background(nodes, made, Quiet())
    process = int(until(lambda: slow.with_suffix(".at_work").exists() and slow.with_suffix(".at_work").read_text()))
    raylet = worker_of(process).parent()
    assert raylet is not None
    (node,) = [one for one in nodes.worker_nodes if one.all_processes["raylet"][0].process.pid == raylet.pid]
    nodes.remove_node(node, allow_graceful=False)
    until(lambda: not psutil.pid_exists(process))
    slow.with_suffix(".go").touch()
    thread.join(WAIT_S)
    # where the cluster is slow to see that the node is gone it may ask once more, after the lecture was done
    assert ends(outcomes) in (["done"], ["skipped"])
