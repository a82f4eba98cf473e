"""What a batch leaves besides its sessions: the table at its end, and the same for programs, ``batch.json``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from rich.table import Table

from pipeline.files import write_whole
from pipeline.lecture_run import End, Outcome
from pipeline.remote import Place, is_url

FILE: Final = "batch.json"
"""Beside the sessions; that of an earlier batch is replaced."""


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 where all is well; else the code that every failure has (as of ``engage run``), or 1 where they differ."""
    codes = {one.code for one in outcomes if one.code}
    return codes.pop() if len(codes) == 1 else int(bool(codes))


def counted(outcomes: Sequence[Outcome]) -> str:
    """How many ended how, in words."""
    count = Counter(one.end for one in outcomes)
    return ", ".join(f"{count[end]} {end.value}" for end in End if count[end]) or "no lecture"


def table_of(outcomes: Sequence[Outcome], seconds: float) -> Table:
    """One row per lecture."""
    table = Table(title=f"{counted(outcomes)}, in {seconds / 60:.1f} min", title_justify="left", expand=True)
    table.add_column("lecture", overflow="fold", ratio=2)
    table.add_column("outcome")
    table.add_column("reason", overflow="fold", ratio=4)
    table.add_column("length\n(min)", justify="right")
    table.add_column("took\n(min)", justify="right")
    table.add_column("session", overflow="fold", ratio=2)
    for one in outcomes:
        length = "" if one.minutes is None else f"{one.minutes:.1f}"
        row = (one.video, one.end.value, one.reason, length, f"{one.took_s / 60:.1f}", one.session or "")
        table.add_row(*(_plain(cell) for cell in row))
    return table


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def store(outcomes: Sequence[Outcome], seconds: float, out: str) -> str:
    """Write ``batch.json`` to the target; returns where it is.

    Raises:
        OutputError: it cannot be written.
    """
    content = {
        "ended": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "counts": {end.value: sum(one.end is end for one in outcomes) for end in End},
        "lectures": [one.as_dict() for one in outcomes],
    }
    text = json.dumps(content, indent=2) + "\n"
    if is_url(out):
        place = Place(out)
        place.write(FILE, text.encode())
        return place.address(FILE)
    write_whole(Path(out) / FILE, text)
    return str(Path(out) / FILE)
