"""The lectures of a batch on a Ray cluster: one task for each, with its resources stated, tried again when a worker or
a node dies.

Nothing that shows people goes through Ray: a task is told where the recording is and answers how it ended.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from consent.errors import ConsentError
from consent.registry import Registry
from pipeline.batch import Board, not_begun
from pipeline.errors import InputError
from pipeline.lecture_run import End, Job, Outcome, Tell, do, do_segment
from pipeline.origin import code_sha256
from pipeline.progress_file import Reached

Work = Callable[[Job, Tell, threading.Event, Sequence[bytes | None]], Outcome]
Search = Callable[[Job, int, threading.Event], bytes | None]

POLL_S: Final = 1.0
KNOCK_S: Final = 10.0
GIB: Final = 2**30


@dataclass(frozen=True)
class Resources:
    """What one lecture takes of a node.

    Attributes:
        cpus: CPU cores.
        gpus: GPUs, or a share of one.
        memory_gib: GiB of memory.
    """

    cpus: float = 2
    gpus: float = 0
    memory_gib: float = 4

    def as_ray(self) -> dict[str, float]:
        """As Ray's options."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, "memory": self.memory_gib * GIB}


class Cluster:
    """A connection to a Ray cluster; a context manager."""

    def __init__(self, address: str, resources: Resources) -> None:
        """Connect.

        Raises:
            InputError: Ray is not installed, no cluster answers at ``address``, or no node has the resources.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
        try:
            import ray
        except ImportError:
            raise InputError(
                f"--ray {address}: needs Ray, which is not installed; install it with: pip install"
                " 'classroom-engagement[cluster]'"
            ) from None
        self.ray: Any = ray
        self.resources = resources
        try:
            found = _knock(address)
            ray.init(address=found, namespace="engage", log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError, OSError) as error:
            reason = (str(error).splitlines() or ["no answer"])[0][:200]
            raise InputError(
                f"--ray {address}: no cluster answers there ({reason}); start one with: ray start --head"
            ) from None
        try:
            self._check_nodes()
        except BaseException:
            ray.shutdown()
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.ray.shutdown()

    def _check_nodes(self) -> None:
        """A task that fits on no node would wait for ever."""
        needed = {"CPU": self.resources.cpus, "GPU": self.resources.gpus, "memory": self.resources.memory_gib * GIB}
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        if not any(all(node.get(name, 0) >= least for name, least in needed.items()) for node in nodes):
            have = "; ".join(
                f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs, {node.get('memory', 0) / GIB:.1f} GiB"
                for node in nodes[:5]
            )
            r = self.resources
            raise InputError(
                f"no node of the cluster has {r.cpus:g} CPUs, {r.gpus:g} GPUs and {r.memory_gib:g} GiB for a lecture"
                f" (there are: {have}); ask for less with --cpus-per-lecture, --gpus-per-lecture, --memory-per-lecture"
            )

    def run(
        self, jobs: Sequence[Job], board: Board, stop: threading.Event, work: Work = do, search: Search = do_segment
    ) -> list[Outcome]:
        """Do the jobs; returns in their order. After Ctrl-C what is under way is ended, and ``stop`` is set.

        ``work`` is what a node does with a job, ``search`` with a segment of one.
        """
        ray = self.ray
        with Registry.open() as registry:
            head = registry.head()
        notices = ray.remote(num_cpus=0, max_restarts=-1)(Notices).remote()
        waiting: dict[Any, Job] = {}
        for job in jobs:
            takes = {**self.resources.as_ray(), "max_retries": job.retries}
            segment = ray.remote(_segment).options(**takes, name=f"segment of {job.name}")
            parts = [segment.remote(search, job, number, code_sha256(), head) for number in range(len(job.stretches))]
            lecture = ray.remote(_lecture).options(**takes, name=f"lecture {job.name}")
            waiting[lecture.remote(work, job, code_sha256(), head, notices, *parts)] = job
        outcomes: dict[str, Outcome] = {}

        def end(reference: Any, job: Job) -> None:
            outcomes[job.video] = self._outcome(reference, job, stop)
            board.ended(outcomes[job.video])

        try:
            while waiting:
                done, _ = ray.wait(list(waiting), num_returns=1, timeout=POLL_S)
                for reference in done:
                    end(reference, waiting.pop(reference))
                with contextlib.suppress(ray.exceptions.RayError):
                    labels = {job.label for job in waiting.values()}
                    for label, reached in ray.get(notices.all.remote(), timeout=POLL_S).items():
                        if label in labels:
                            board.reached(label, reached)
        except KeyboardInterrupt:
            stop.set()
            for reference in waiting:
                ray.cancel(reference, force=False)
            for reference, job in waiting.items():
                end(reference, job)
        return [outcomes[job.video] for job in jobs]

    def _outcome(self, reference: Any, job: Job, stop: threading.Event) -> Outcome:
        errors = self.ray.exceptions
        try:
            return self.ray.get(reference)
        except (errors.TaskCancelledError, KeyboardInterrupt):
            return replace(not_begun(job), reason="it was stopped; run the same command to go on")
        except errors.RayTaskError as error:
            if stop.is_set():
                return replace(not_begun(job), reason="it was stopped; run the same command to go on")
            last = (str(error).strip().splitlines() or ["nothing"])[-1][:300]
            return Outcome(job.label, End.FAILED, f"it ended unexpectedly on the cluster ({last})", code=1)
        except errors.RayError as error:
            kind = type(error).__name__
            reason = (
                f"its worker or node died {job.retries + 1} time(s) ({kind}); if the memory was full raise"
                " --memory-per-lecture, then run the same command to go on"
            )
            return Outcome(job.label, End.FAILED, reason, code=1)


def _knock(address: str) -> str:
    """The address, ``auto`` found out, once somebody answers there: Ray itself would try for many minutes.

    Raises:
        OSError, ValueError: nobody answers, or it is no address.
    """
    if address == "auto":
        from ray._private.utils import read_ray_address  # where ray start has noted it

        address = os.environ.get("RAY_ADDRESS") or read_ray_address() or ""
        if not address:
            raise ConnectionError("none was started on this computer")
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        raise ValueError("an address is HOST:PORT, or auto")
    socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()
    return address


class Notices:
    """How far the lectures are, collected in one place of the cluster; an actor."""

    def __init__(self) -> None:
        self._reached: dict[str, Reached] = {}

    def put(self, label: str, reached: Reached) -> None:
        """Note how far one is."""
        self._reached[label] = reached

    def all(self) -> dict[str, Reached]:
        """The latest of each."""
        return self._reached


def _lecture(work: Work, job: Job, code: str, head: str, notices: Any, *ahead: bytes | None) -> Outcome:
    """The task, on a node: only with the same software and the same registry as where the batch was started."""
    begun = _refused(job, code, head)
    if begun is not None:
        return begun

    def tell(reached: Reached) -> None:
        with contextlib.suppress(Exception):  # whoever watches is not needed for the work
            notices.put.remote(job.label, reached)

    return work(job, tell, threading.Event(), ahead)


def _segment(search: Search, job: Job, number: int, code: str, head: str) -> bytes | None:
    """The task of a segment, under the same conditions."""
    return None if _refused(job, code, head) else search(job, number, threading.Event())


def _refused(job: Job, code: str, head: str) -> Outcome | None:
    if code_sha256() != code:
        reason = (
            "the node it came to has another version of this software than this computer; install the same on all nodes"
        )
        return Outcome(job.label, End.FAILED, reason, code=2)
    try:
        with Registry.open() as registry:
            same = registry.holds(head)
    except ConsentError as error:
        return Outcome(job.label, End.FAILED, str(error), code=getattr(error, "exit_code", 3))
    if not same:
        reason = (
            "the node it came to reads another consent registry than this computer; set ENGAGE_DATABASE_URL to the same"
            " PostgreSQL on all nodes before ray start"
        )
        return Outcome(job.label, End.FAILED, reason, code=3)
    return None
