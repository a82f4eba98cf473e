"""Damaged inputs for ``benchmarks.fuzz``: the same ``seed`` and ``number`` give the same one with the same libraries."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pipeline.session import AUDIT, CORRECTIONS, ENGAGEMENT, EVENTS, MANIFEST, OBSERVATIONS, SEATS, STATES

Rng = np.random.Generator

DOORS = (*("video",) * 10, "seat map", "settings", "settings", "course", "manifest", "manifest", "tables", "tables")
DOORS = (*DOORS, "small files", "registry", "names")
"""Which door input ``number`` is for, in turns: half of them are recordings."""

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x00FFFFFF, 0x40000000)
FIELDS = tuple(
    name.encode()
    for name in [
        "tkhd",
        "mdhd",
        "mvhd",
        "stts",
        "stsz",
        "stsc",
        "stco",
        "ctts",
        "elst",
        "stsd",
        "avcC",
        "hvcC",
        "trun",
        "tfhd",
        "trex",
        "tfdt",
        "hdlr",
        "idx1",
        "strh",
        "strf",
    ]
)
"""Boxes of MP4 and AVI in which a wrong number does most."""

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**400, 1e308, -1e-308, float("nan"), float("inf"), "", " ",
    "\x00", "\u202e", "\ud800", "a" * 200_000, "../../outside", "/outside", "C:\\outside", "..", "%n%s", "2026-99-99",
    "0001-01-01", "9999-12-31", "nan", "1e999", [], {}, [[]], [None], {"": ""}, {"a": {"b": {"c": 1}}}, [1e308, -1e308],
)  # fmt: skip

WHOLE_TEXTS: tuple[bytes, ...] = (
    b"",
    b"\x00",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf",
    b"[" * 100_000,
    b"{" * 100_000,
    b"[" * 900 + b"]" * 900,
    b"- " * 50_000,
    b'{"a":' * 50_000,
    b'{"seats":' + b"9" * 5_000 + b"}",
    b"rate: " + b"9" * 5_000,
    b"a: &a [*a]",
    b"? ? ? ? ?",
    b"%YAML 9.9",
    b"a: &a {b: 1}\nc: {<<: *a}",
    b"!!python/object/apply:os.system [id]",
    b"!!binary aaaa",
    b"2026-99-99",
    b"rate: 2026-13-45",
    b"&a [" + b"*a," * 9 + b"]",
    b"a" * 6_000_000,
    b"\n" * 3_000_000,
    "rate: 5".encode("utf-16"),
    b"--- 1\n--- 2",
    b"rate: .inf",
    b"rate: 1e400",
    b"1: 2",
    b"[1]: 2",
    b"{a: 1}: 2",
    b"? [a, b]\n: 1",
    b"null",
    b"~",
    b"5",
    b'"x"',
    b"rate: 190:20:30.15",
    b"=: =",
    b"a: &x [1,1,1,1,1,1,1,1,1]\nb: &y [*x,*x,*x,*x,*x,*x,*x,*x,*x]\nc: &z [*y,*y,*y,*y,*y,*y,*y,*y,*y]\n"
    b"d: &w [*z,*z,*z,*z,*z,*z,*z,*z,*z]\ne: &v [*w,*w,*w,*w,*w,*w,*w,*w,*w]\nrate: &u [*v,*v,*v,*v,*v,*v,*v,*v,*v]\n"
    b"detect: [*u,*u,*u,*u,*u,*u,*u,*u,*u]",
)

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
    "\ud800",
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


def damage(rng: Rng, data: bytes) -> tuple[bytes, str]:
    """The bytes with one to four kinds of damage, and their names."""
    names = []
    for _ in range(int(rng.integers(1, 5)) if rng.random() < 0.4 else 1):
        one = DAMAGES[int(rng.integers(len(DAMAGES)))]
        data = bytes(one(rng, bytearray(data))) if data else b""
        names.append(one.__name__.strip("_"))
    return data, " ".join(names)


def _cut(rng: Rng, data: bytearray) -> bytearray:
    return data[: int(rng.integers(len(data)))]


def _cut_front(rng: Rng, data: bytearray) -> bytearray:
    return data[int(rng.integers(len(data))) :]


def _flip(rng: Rng, data: bytearray) -> bytearray:
    for at in rng.integers(len(data), size=int(2 ** rng.integers(0, 8))):
        data[at] ^= 1 << int(rng.integers(8))
    return data


def _flip_head(rng: Rng, data: bytearray) -> bytearray:
    for at in rng.integers(min(len(data), 800), size=int(2 ** rng.integers(0, 4))):
        data[at] = int(rng.integers(256))
    return data


def _number(rng: Rng, data: bytearray) -> bytearray:
    at, size = int(rng.integers(max(1, len(data) - 8))), int(rng.choice([1, 2, 4, 8]))
    return _put(rng, data, at, size)


def _field(rng: Rng, data: bytearray) -> bytearray:
    places = [place for name in FIELDS if (place := data.find(name)) >= 0]
    if not places:
        return _number(rng, data)
    at = int(rng.choice(places)) + 4 * int(rng.integers(-1, 12))
    return _put(rng, data, max(0, at), 4)


def _put(rng: Rng, data: bytearray, at: int, size: int) -> bytearray:
    value = int(rng.choice(NUMBERS)) & (256**size - 1)
    data[at : at + size] = value.to_bytes(size, "big" if rng.random() < 0.7 else "little")
    return data


def _zero(rng: Rng, data: bytearray) -> bytearray:
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 400))
    data[at : at + size] = bytes(len(data[at : at + size]))
    return data


def _repeat(rng: Rng, data: bytearray) -> bytearray:
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 400))
    return data[:at] + data[at : at + size] * int(rng.integers(2, 20)) + data[at:]


def _drop(rng: Rng, data: bytearray) -> bytearray:
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 400))
    return data[:at] + data[at + size :]


def _swap(rng: Rng, data: bytearray) -> bytearray:
    a, b = sorted(int(at) for at in rng.integers(len(data), size=2))
    return data[b:] + data[a:b] + data[:a]


DAMAGES: tuple[Callable[[Rng, bytearray], bytearray], ...] = (
    _cut, _cut_front, _flip, _flip, _flip_head, _flip_head, _number, _field, _field, _zero, _repeat, _drop, _swap,
)  # fmt: skip


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


def damaged_text(rng: Rng, data: bytes, as_json: bool) -> tuple[bytes, str]:
    """A JSON or YAML text that is hostile as a whole, in one of its values, or in its bytes."""
    choice = rng.random()
    if choice < 0.15:
        place = int(rng.integers(len(WHOLE_TEXTS)))
        return WHOLE_TEXTS[place], f"whole text {place}"
    if choice < 0.35:
        return damage(rng, data)
    content = json.loads(data) if as_json else yaml.safe_load(data)
    how = []
    for _ in range(int(rng.integers(1, 3))):
        how.append(_hostile_value(rng, content))
    text = json.dumps(content, default=str) if as_json or rng.random() < 0.5 else yaml.safe_dump(content)
    return text.encode("utf-8", "surrogatepass"), "; ".join(how)


def _hostile_value(rng: Rng, content: Any) -> str:
    """Replace, remove or add one value somewhere in parsed JSON or YAML; returns where."""
    where, holder = "", content
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return f"{where} empty"
        key = keys[int(rng.integers(len(keys)))]
        where += f".{key}"
        if isinstance(holder[key], (dict, list)) and holder[key] and rng.random() < 0.7:
            holder = holder[key]
            continue
        action = rng.random()
        place = int(rng.integers(len(HOSTILE)))
        if action < 0.1:
            del holder[key]
        elif action < 0.2 and isinstance(holder, dict):
            holder["a key of nobody" if place % 2 else "x" * 100_000] = HOSTILE[place]
        elif action < 0.25 and isinstance(holder, list):
            holder.extend(holder * 200)
        else:
            holder[key] = HOSTILE[place]
        return f"{where[:60]} = {HOSTILE[place]!r}"[:100]


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
