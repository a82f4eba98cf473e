"""Damaged inputs for ``benchmarks.fuzz``: a seed and a number give the same one with the same libraries."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.fuzz_damage import Rng, damage
from benchmarks.fuzz_texts import damaged_text
from pipeline.session import AUDIT, CORRECTIONS, ENGAGEMENT, EVENTS, MANIFEST, OBSERVATIONS, SEATS, STATES

DOORS = (*("video",) * 10, "seat map", "settings", "settings", "course", "manifest", "manifest", "tables", "tables")
DOORS = (*DOORS, "small files", "registry", "names")
"""Which door input ``number`` is for, in turns: half of them are recordings."""

NAMES = (
    "..",
    ".",
    "",
    " ",
    "/",
    "//",
    "../../etc/passwd",
    "..\\..\\x",
    "a/../../b",
    "\x00",
    "a\nb",
    "con",
    "-rf",
    "~",
    "~root",
    "$(id)",
    "%2e%2e%2f",
    "a" * 5_000,
    "ü" * 300,
    "\u202egpj.exe",
    "\udcff",
    ".hidden",
    "x.partial",
    "x.replaced.partial",
    ".lock",
    "a:b",
    "file://x",
    "http://x/y.mp4",
    "concat:a|b",
    "session.json",
    "*",
    "[a]",
    "{a,b}",
)


@dataclass(frozen=True)
class Input:
    """One thing given to one door: a file or folder, and what was done to which seed; ``text`` is for ``names``."""

    door: str
    path: Path
    about: str
    text: str = ""


def make_input(seed: int, number: int, seeds: Path, folder: Path) -> Input:
    """Write input ``number`` into the empty ``folder``."""
    rng = np.random.default_rng([seed, number])
    door = DOORS[number % len(DOORS)]
    if door == "names":
        text = "".join(str(rng.choice(NAMES[:-1])) for _ in range(rng.integers(1, 4)))
        return Input(door, folder, repr(text)[:60], text)
    if door == "video":
        return _video(rng, seeds / "video", folder)
    if door in ("manifest", "tables", "small files"):
        return _session(rng, door, seeds / "session", folder)
    if door == "registry":
        path = folder / "consent.sqlite"
        data, how = damage(rng, (seeds / "registry.sqlite").read_bytes())
        path.write_bytes(data)
        return Input(door, path, how)
    name = {"seat map": "seats.json", "settings": "settings.yaml", "course": "course.yaml"}[door]
    data, how = damaged_text(rng, (seeds / "text" / name).read_bytes(), name.endswith("json"))
    path = folder / name
    path.write_bytes(data)
    return Input(door, path, how)


def _video(rng: Rng, seeds: Path, folder: Path) -> Input:
    names = sorted(path.name for path in seeds.iterdir())
    name = str(rng.choice(names))
    data, how = (seeds / name).read_bytes(), "whole"
    if rng.random() < 0.06:
        name2 = str(rng.choice(names))
        data += (seeds / name2).read_bytes()
        how = f"and {name2} behind it"
    if rng.random() < 0.95:
        data, did = damage(rng, data)
        how += f" {did}"
    ending = Path(str(rng.choice(names))).suffix if rng.random() < 0.15 else Path(name).suffix
    path = folder / f"{Path(name).stem}{ending}"
    path.write_bytes(data)
    if name in ("concat.mp4", "frame%03d.png"):  # what a playlist would reach
        shutil.copyfile(seeds / "h264.mp4", folder / "h264.mp4")
    return Input("video", path, f"{name} as {ending}: {how}")


def _session(rng: Rng, door: str, seed: Path, folder: Path) -> Input:
    session = folder / "session"
    shutil.copytree(seed, session)
    if door == "manifest":
        file = session / MANIFEST
        data, how = damaged_text(rng, file.read_bytes(), as_json=True)
        file.write_bytes(data)
        return Input(door, session, how)
    files = (OBSERVATIONS, STATES, EVENTS, ENGAGEMENT) if door == "tables" else (SEATS, CORRECTIONS, AUDIT)
    file = session / str(rng.choice(files))
    if file.suffix == ".json":
        data, how = damaged_text(rng, file.read_bytes(), as_json=True)
        file.write_bytes(data)
    elif door == "tables" and rng.random() < 0.5:
        how = _other_columns(rng, file)
    else:
        data, how = damage(rng, file.read_bytes())
        file.write_bytes(data)
    return Input(door, session, f"{file.name}: {how}")


def _other_columns(rng: Rng, file: Path) -> str:
    """A table that can be read but is not what it should be."""
    table = pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
    column = str(rng.choice(table.columns))
    action = int(rng.integers(6))
    if action == 0:
        table = table.drop(columns=column)
    elif action == 1:
        table[column] = "words"
    elif action == 2:
        table[column] = None
    elif action == 3:
        table[column] = pd.to_datetime("2026-01-01")
    elif action == 4:
        table = table.head(0)
    else:
        table[column] = rng.choice([np.nan, np.inf, -1e308, -1.0, 1e18], len(table))
    if file.suffix == ".csv":
        table.to_csv(file, index=False)
    else:
        table.to_parquet(file, index=False)
    return f"{column}: change {action}"
