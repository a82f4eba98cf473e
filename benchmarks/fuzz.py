"""Does any damaged or hostile input crash, hang, eat the memory, or write where it may not?

Inputs go to the doors of this software: recordings, seat maps, settings, course files, sessions, the registry, names.
Many inputs share a process, which limits its memory; it is killed when one takes too long. A finding is a failure
without one sentence and its remedy, a dead process, more than 30 s, or a file touched outside the output folder.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common import ROOT, parser, print_machine, print_table, say, write_json
from benchmarks.fuzz_seeds import make_all

INPUTS = 5000
LIMIT_S = 30.0
START_S = 180.0
"""For the libraries to load."""

PER_PROCESS = 250
"""Inputs after which a fresh process goes on: what a native library damaged in its own memory shows by then."""


@dataclass
class Outcome:
    """What came of one input."""

    number: int
    door: str
    about: str
    kind: str = ""
    words: str = ""
    seconds: float = 0.0
    memory: int = 0

    @property
    def is_finding(self) -> bool:
        """Whether somebody has to mend something."""
        return self.kind not in ("read", "refused")


@dataclass
class Fuzz:
    """A run: ``outcomes`` grows as processes answer."""

    seed: int
    seeds: Path
    work: Path
    limit_s: float = LIMIT_S
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self, first: int, end: int) -> None:
        """Inputs ``first`` to ``end``, this one left out, one after another."""
        while first < end:
            first = self._some(first, min(end, first + PER_PROCESS))

    def _some(self, first: int, end: int) -> int:
        """Inputs of one process; returns the number to go on with."""
        with tempfile.TemporaryDirectory(dir=self.work, prefix="box") as name:
            box = Path(name)
            (box / "home").mkdir()
            child = self._start(box, first, end)
            try:
                going_on = self._listen(child, first, end)
            finally:
                child.kill()
                child.wait()
            stray = sorted(path.name for path in box.iterdir() if path.name not in ("in", "out", "home"))
            if (stray or any((box / "home").iterdir())) and self.outcomes:
                self.outcomes[-1].kind, self.outcomes[-1].words = "outside", f"files beside the output folder: {stray}"
        return going_on

    def _start(self, box: Path, first: int, end: int) -> subprocess.Popen[str]:
        numbers = [str(one) for one in (self.seed, first, end)]
        env = os.environ | {"HOME": str(box / "home"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "benchmarks.fuzz_child", str(self.seeds), str(box), *numbers]
        return subprocess.Popen(command, cwd=box, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def _listen(self, child: subprocess.Popen[str], first: int, end: int) -> int:
        answers: queue.Queue[str] = queue.Queue()

        def read() -> None:
            assert child.stdout is not None
            for line in child.stdout:
                answers.put(line)
            answers.put("")

        threading.Thread(target=read, daemon=True).start()
        now: Outcome | None = None
        while True:
            begun = time.monotonic()
            try:
                line = answers.get(timeout=START_S if now is None else self.limit_s)
            except queue.Empty:
                line = ""
            answer = json.loads(line) if line else None
            if answer is not None and "begin" in answer:
                now = Outcome(answer["begin"], answer["door"], answer["about"])
            elif answer is not None and now is not None:
                now.kind, now.words, now.seconds = answer["kind"], answer["words"], answer["seconds"]
                now.memory = answer["memory"]
                self.outcomes.append(now)
                first, now = now.number + 1, None
                if first == end:
                    return end
            elif now is None:
                raise SystemExit(f"input {first}: the process ended before it began ({child.poll()})")
            else:
                late = time.monotonic() - begun >= self.limit_s
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=0 if late else 10)
                now.kind = "hang" if late else "dead"
                now.words = f"more than {self.limit_s:g} s" if late else f"the process ended with {child.returncode}"
                now.seconds = time.monotonic() - begun
                self.outcomes.append(now)
                return now.number + 1


def figures(outcomes: list[Outcome]) -> dict[str, dict[str, float]]:
    """For each door: inputs, read, refused, findings, longest time (s), most memory of its processes (MiB)."""
    doors: dict[str, dict[str, float]] = {}
    for door in dict.fromkeys(one.door for one in outcomes):
        mine = [one for one in outcomes if one.door == door]
        kinds = collections.Counter(one.kind for one in mine)
        doors[door] = {
            "inputs": len(mine),
            "read": kinds.pop("read", 0),
            "refused": kinds.pop("refused", 0),
            "findings": kinds.total(),
            "longest_s": max(one.seconds for one in mine),
            "memory_mib": round(max(one.memory for one in mine) / 2**20),
        }
    return doors


def main() -> None:
    """Run it; the exit code is 1 where something was found."""
    arguments = parser(__doc__)
    arguments.add_argument("--inputs", type=int, default=INPUTS, metavar="N", help=f"how many (default: {INPUTS})")
    arguments.add_argument("--seed", type=int, default=20, help="of the damage (default: 20)")
    arguments.add_argument("--first", type=int, default=0, metavar="N", help="begin with this number, to see one again")
    given = arguments.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory(prefix="fuzz") as name:
        work = Path(name).resolve()
        make_all(work / "seeds")
        fuzz = Fuzz(given.seed, work / "seeds", work)
        fuzz.run(given.first, given.first + given.inputs)
    doors = figures(fuzz.outcomes)
    rows = [[door, *(f"{value:g}" for value in row.values())] for door, row in doors.items()]
    total = [sum(row[name] for row in doors.values()) for name in ("inputs", "read", "refused", "findings")]
    longest = max(row["longest_s"] for row in doors.values()), max(row["memory_mib"] for row in doors.values())
    rows.append(["all", *(f"{value:g}" for value in (*total, *longest))])
    print_table(
        f"Damaged inputs, seed {given.seed}",
        ("door", "inputs", "read", "refused", "findings", "longest s", "MiB"),
        rows,
    )
    found = [one for one in fuzz.outcomes if one.is_finding]
    for one in found:
        say(f"{one.number} {one.door} ({one.about}): {one.kind}: {one.words}")
    write_json(given.json, {"seed": given.seed, "doors": doors, "findings": [vars(one) for one in found]})
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
