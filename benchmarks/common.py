"""What every benchmark shares: its arguments, the machine it ran on, the demo's truth, intervals and tables."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import resource
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

os.environ.setdefault("YOLO_VERBOSE", "false")  # before anything imports Ultralytics

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
DEMO_CLIP = ROOT / "demo" / "classroom.mp4"
DEMO_TRUTH = ROOT / "demo" / "classroom_truth.jsonl.gz"

RESAMPLES = 2000
"""Bootstrap samples: enough that the ends of a 95 % interval move by less than the last digit printed."""

SEED = 20

_console = Console(highlight=False)
if not _console.is_terminal:
    _console.width = 140  # a log has no width of its own


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the arguments that all benchmarks know: ``--data`` and ``--json``."""
    made = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    made.add_argument(
        "--data",
        type=Path,
        default=ROOT.parent / "shared" / "data",
        metavar="DIR",
        help="folder of evaluation data (default: ../shared/data); what is not there is left out",
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="also write all figures to this file")
    return made


def machine() -> dict[str, str]:
    """What the figures depend on besides the code; nothing that names the computer or its user."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _cpu_name(),
        "cores": str(cores),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "python": platform.python_version(),
        "torch": version("torch"),
        "ultralytics": version("ultralytics"),
        "classroom-engagement": version("classroom-engagement"),
        "date": date.today().isoformat(),
    }


def print_machine() -> None:
    """One line: on what, and when."""
    about = machine()
    load = f"; load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    hardware = f"{about.pop('cpu')}, {about.pop('cores')} cores, {about.pop('memory')}"
    day = about.pop("date")
    say(f"{day}: {hardware}; " + ", ".join(f"{name} {value}" for name, value in about.items()) + load)


VECTORS = {"amx_int8": "AMX", "avx512_vnni": "AVX-512 with VNNI", "avx512f": "AVX-512", "avx2": "AVX2"}
"""Flags of Linux and what they are called, best first: they decide how fast networks are on a processor."""


def _cpu_name() -> str:
    """The processor, and the best vectors it has where Linux tells."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return platform.processor() or platform.machine()
    lines = [line.partition(":") for line in cpuinfo.read_text(encoding="utf-8").splitlines()]
    about = {name.strip(): value.strip() for name, _, value in reversed(lines)}  # the first core's
    best = next((words for flag, words in VECTORS.items() if flag in about.get("flags", "").split()), None)
    name = about.get("model name", platform.machine())
    return f"{name} ({best})" if best else name


def demo_truth() -> list[list[dict[str, Any]]]:
    """The visible people of each of the demo's frames, in order; the fields are told in ``demo/README.md``."""
    with gzip.open(DEMO_TRUTH, "rt", encoding="utf-8") as lines:
        next(lines)  # the header
        frames = [json.loads(line)["persons"] for line in lines]
    return [[person for person in people if person["visible"] and person["visible_bbox"]] for people in frames]


def ratio_interval(parts: Sequence[float], wholes: Sequence[float]) -> tuple[float, float, float]:
    """Σ parts / Σ wholes with its 95 % percentile bootstrap interval over the units (Efron & Tibshirani 1993, ch. 13).

    Args:
        parts: one per unit (frame, still), e.g. people found.
        wholes: one per unit, e.g. people there.

    Returns:
        the ratio, and the lower and upper end; NaN where the wholes sum to 0.
    """
    part, whole = np.asarray(parts, float), np.asarray(wholes, float)
    if whole.sum() == 0:
        return (float("nan"),) * 3
    chosen = np.random.default_rng(SEED).integers(len(part), size=(RESAMPLES, len(part)))
    sums = whole[chosen].sum(axis=1)
    ratios = part[chosen].sum(axis=1)[sums > 0] / sums[sums > 0]
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(part.sum() / whole.sum()), float(low), float(high)


def spread(items: list[T], limit: int | None) -> list[T]:
    """At most ``limit`` of the items, evenly spaced."""
    if limit is None or len(items) <= limit:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, limit).round().astype(int)]


def spans(times: Iterable[float], step: float) -> str:
    """``0.0, 9.6–12.0``: times (s) of which neighbours no more than ``step`` apart are joined."""
    joined: list[list[float]] = []
    for t in sorted(times):
        if joined and t - joined[-1][1] <= step * 1.01:
            joined[-1][1] = t
        else:
            joined.append([t, t])
    return ", ".join(f"{a:.1f}" if a == b else f"{a:.1f}–{b:.1f}" for a, b in joined)


def with_interval(value: tuple[float, float, float], digits: int = 3) -> str:
    """``0.933 (0.921–0.945)``."""
    middle, low, high = (f"{number:.{digits}f}" for number in value)
    return f"{middle} ({low}–{high})"


def peak_gib() -> float:
    """The most memory (GiB) this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**30


def say(text: str) -> None:
    """Print a line."""
    _console.print(text, markup=False, soft_wrap=True)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a title and a table; cells are given as they shall be read."""
    say(f"\n{title}")
    table = Table(*columns)
    for row in rows:
        table.add_row(*map(str, row))
    _console.print(table)


def write_json(path: Path | None, figures: dict[str, Any]) -> None:
    """Write the figures and the machine to ``path``, when one was given."""
    if path is not None:
        content = {"machine": machine(), **figures}
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
